//! The trees of a file become one ensemble.

use foretell_kernels::trees::{Aggregate, Branch, Leaf, LeafWeight, Node, Test, TreeParts};

use super::features::{Question, Questions};
use super::file::{File, ObliviousTree, Split, TreeNode};
use crate::boosters::Assembly;
use crate::error::Result;
use crate::limits::Limits;

/// Questions of an oblivious tree; a tree has a leaf for each way to answer them.
const QUESTIONS_MAX: usize = 24;

/// Trees, put together.
pub(super) struct Forest<'q> {
    parts: TreeParts<f64>,
    questions: &'q [Question],
    nodes_max: u64,
}

/// Reads all trees.
pub(super) fn read(assembly: &Assembly, file: &File, questions: &Questions, outputs: usize) -> Result<TreeParts<f64>> {
    let mut forest = Forest {
        parts: TreeParts {
            nodes: Vec::new(),
            roots: Vec::new(),
            leaf_weights: Vec::new(),
            members: Vec::new(),
            category_bits: Vec::new(),
            features: questions.columns.len(),
            outputs,
            base_values: Vec::new(),
            aggregate: Aggregate::Sum,
        },
        questions: &questions.asked,
        // Nodes are numbered with 32 bits.
        nodes_max: assembly.limits().tree_nodes.min(u64::from(u32::MAX >> 1)),
    };
    let oblivious = file.oblivious_trees.as_deref().unwrap_or_default();
    let others = file.trees.as_deref().unwrap_or_default();
    Limits::check("trees", "trees", (oblivious.len() + others.len()) as u64, assembly.limits().trees)?;
    let in_tree = |at: usize, what: String| assembly.malformed(format!("tree {at}: {what}"));
    for (at, tree) in oblivious.iter().enumerate() {
        forest.check_nodes(2 * tree.leaf_values.len())?;
        forest.add_oblivious(tree).map_err(|what| in_tree(at, what))?;
    }
    for (at, tree) in others.iter().enumerate() {
        let root = forest.add_node(tree).map_err(|what| in_tree(at, what))?;
        forest.parts.roots.push(root);
        forest.check_nodes(0)?;
    }
    Ok(forest.parts)
}

/// How many outputs the trees have; `None` if there are no trees.
pub(super) fn outputs(file: &File) -> Option<usize> {
    if let Some(tree) = file.oblivious_trees.iter().flatten().next() {
        let questions = tree.splits.as_ref().map_or(0, Vec::len);
        return Some(tree.leaf_values.len() >> questions.min(QUESTIONS_MAX));
    }
    let mut node = file.trees.as_ref()?.first()?;
    while let Some(left) = &node.left {
        node = left;
    }
    node.value.as_ref().map(|value| value.as_slice().len())
}

impl Forest<'_> {
    fn check_nodes(&self, more: usize) -> Result<()> {
        Limits::check("tree nodes", "tree_nodes", (self.parts.nodes.len() + more) as u64, self.nodes_max)
    }

    /// Level by level: the node of a level is called by the answers so far, the first one in the lowest bit.
    fn add_oblivious(&mut self, tree: &ObliviousTree) -> Result<(), String> {
        let splits = tree.splits.as_deref().unwrap_or_default();
        let outputs = self.parts.outputs;
        let leaves = if splits.len() <= QUESTIONS_MAX { 1 << splits.len() } else { 0 };
        if leaves * outputs != tree.leaf_values.len() || leaves == 0 {
            let (got, questions) = (tree.leaf_values.len(), splits.len());
            return Err(format!("{got} leaf values for {questions} questions and {outputs} outputs"));
        }
        let first = self.parts.nodes.len() as u32;
        let node = |level: usize, answers: usize| first + ((1 << level) - 1 + answers) as u32;
        self.parts.roots.push(first);
        for (level, split) in splits.iter().enumerate() {
            let question = self.question(split)?;
            for answers in 0..1 << level {
                let children = [node(level + 1, answers), node(level + 1, answers | 1 << level)];
                self.parts.nodes.push(branch(question, children));
            }
        }
        for values in tree.leaf_values.chunks_exact(outputs) {
            self.add_leaf(values);
        }
        Ok(())
    }

    /// The node, and all below it. How deep they are nested was bounded when the file was read.
    fn add_node(&mut self, node: &TreeNode) -> Result<u32, String> {
        match (&node.value, &node.split, &node.left, &node.right) {
            (Some(value), None, None, None) => {
                let (got, outputs) = (value.as_slice().len(), self.parts.outputs);
                match got == outputs {
                    true => Ok(self.add_leaf(value.as_slice())),
                    false => Err(format!("{got} values in a leaf for {outputs} outputs")),
                }
            }
            (None, Some(split), Some(left), Some(right)) => {
                let question = self.question(split)?;
                let children = [self.add_node(left)?, self.add_node(right)?];
                self.parts.nodes.push(branch(question, children));
                Ok(self.parts.nodes.len() as u32 - 1)
            }
            _ => Err("a node that is neither a leaf nor a branch".to_string()),
        }
    }

    fn add_leaf(&mut self, values: &[f64]) -> u32 {
        let leaf = Leaf { first: self.parts.leaf_weights.len() as u32, count: values.len() as u32 };
        self.parts.leaf_weights.extend((0..).zip(values).map(|(output, &weight)| LeafWeight { output, weight }));
        self.parts.nodes.push(Node::Leaf(leaf));
        self.parts.nodes.len() as u32 - 1
    }

    fn question(&self, split: &Split) -> Result<Question, String> {
        let index = split.split_index;
        let question = self.questions.get(index as usize).copied();
        let question = question.ok_or_else(|| format!("there is no question {index}"))?;
        let agrees = match question.test {
            Test::Gt(border) => split.border.is_none_or(|said| f64::from(said) == border) && split.value.is_none(),
            Test::Eq(value) => split.value.is_none_or(|said| f64::from(said) == value) && split.border.is_none(),
            _ => false,
        };
        if agrees { Ok(question) } else { Err(format!("question {index} is another one among the features")) }
    }
}

fn branch(question: Question, [no, yes]: [u32; 2]) -> Node<f64> {
    let Question { column, test, nan_passes } = question;
    Node::Branch(Branch { feature: column, test, missing_tracks_true: nan_passes, true_child: yes, false_child: no })
}
