//! Where the nodes of an ensemble stand in the file's lists.

use std::ops::Range;

/// Finds nodes by their trees and their numbers. Exporters write trees one after the other, and the nodes of each by number:
/// there a node is found where it is expected. Any other order is sorted.
#[derive(Debug)]
pub(crate) struct TreeNodes {
    /// Tree, number and place of each node, sorted.
    nodes: Vec<(i64, i64, u32)>,
    /// Each tree, and where its nodes are, sorted.
    trees: Vec<(i64, Range<usize>)>,
}

impl TreeNodes {
    /// The nodes with these trees and numbers, of which there are as many.
    ///
    /// # Errors
    /// The tree and number of a node that is there twice.
    pub(crate) fn try_new(tree_ids: &[i64], node_ids: &[i64]) -> Result<Self, (i64, i64)> {
        let places = tree_ids.iter().zip(node_ids).zip(0_u32..);
        let mut nodes: Vec<(i64, i64, u32)> = places.map(|((&tree, &id), at)| (tree, id, at)).collect();
        if !nodes.is_sorted() {
            nodes.sort_unstable();
        }
        if let Some([(tree, id, _), _]) = nodes.array_windows().find(|[a, b]| (a.0, a.1) == (b.0, b.1)) {
            return Err((*tree, *id));
        }
        let mut trees = Vec::new();
        let mut start = 0;
        for tree in nodes.chunk_by(|a, b| a.0 == b.0) {
            trees.push((tree[0].0, start..start + tree.len()));
            start += tree.len();
        }
        Ok(Self { nodes, trees })
    }

    /// The place of a node; `None` if there is none.
    pub(crate) fn find(&self, tree: i64, id: i64) -> Option<u32> {
        let (_, nodes) = find(&self.trees, tree, |(tree, _)| *tree)?;
        let (_, _, at) = find(&self.nodes[nodes.clone()], id, |(_, id, _)| *id)?;
        Some(*at)
    }
}

/// The item with this number, of items sorted by their numbers: where it is if none is left out, or anywhere.
fn find<T>(items: &[T], wanted: i64, number: impl Fn(&T) -> i64) -> Option<&T> {
    let from_first = wanted.wrapping_sub(number(items.first()?));
    let expected = usize::try_from(from_first).ok().and_then(|at| items.get(at));
    expected
        .filter(|item| number(item) == wanted)
        .or_else(|| items.binary_search_by_key(&wanted, number).ok().map(|at| &items[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_found_in_any_order() {
        let in_order = TreeNodes::try_new(&[0, 0, 0, 1, 1], &[0, 1, 2, 0, 1]).expect("no node is there twice");
        assert_eq!([(0, 2), (1, 0), (1, 1)].map(|(tree, id)| in_order.find(tree, id)), [Some(2), Some(3), Some(4)]);
        let mixed = TreeNodes::try_new(&[7, -1, 7, 7], &[9, i64::MIN, i64::MAX, 0]).expect("no node is there twice");
        assert_eq!([9, i64::MAX, 0].map(|id| mixed.find(7, id)), [Some(0), Some(2), Some(3)]);
        assert_eq!(mixed.find(-1, i64::MIN), Some(1));
        let strangers = [(7, 1), (7, i64::MIN), (-1, 0), (-1, i64::MAX), (0, 9)];
        assert!(strangers.iter().all(|&(tree, id)| mixed.find(tree, id).is_none()));
    }

    #[test]
    fn a_node_that_is_there_twice_is_told() {
        assert_eq!(TreeNodes::try_new(&[3, 4, 3], &[5, 5, 5]).expect_err("twice"), (3, 5));
        let none = TreeNodes::try_new(&[], &[]).expect("nothing is there twice");
        assert_eq!(none.find(0, 0), None);
    }
}
