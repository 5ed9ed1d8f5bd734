//! YAML as a tree of text, read within bounds: an `MLmodel` file comes from a stranger.
//!
//! Aliases are followed, for MLflow's own writer uses them, but each counts as much as what it stands for, and so does what
//! is kept for them.

use std::collections::{BTreeMap, HashMap};

use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::error::{Error, Result};

/// Most values, counted after aliases are followed.
const NODES_MAX: usize = 100_000;
/// Most bytes of text, counted likewise.
const TEXT_BYTES_MAX: usize = 32 << 20;
/// Deepest nesting.
const DEPTH_MAX: usize = 64;

/// A value. Numbers and booleans are text: nobody here computes with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Null,
    Text(String),
    List(Vec<Node>),
    Map(BTreeMap<String, Node>),
}

impl Node {
    /// Reads the first document of `text`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut tree = Tree::default();
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| Error::MlModel(format!("it is no YAML: {error}")))?;
            let line = span.start.line();
            let done = tree.take(event).map_err(|what| Error::MlModel(format!("line {line}: {what}")))?;
            if let Some(root) = done {
                return Ok(root);
            }
        }
        Err(Error::MlModel("it is empty".to_owned()))
    }

    /// The value of `key`, unless this is no map, or the value is null.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries.get(key).filter(|value| **value != Self::Null)
    }

    /// Text; `None` for anything else.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// How many values and how many bytes of text this is.
    fn size(&self) -> (usize, usize) {
        let sum = |sizes: &mut dyn Iterator<Item = (usize, usize)>| {
            sizes.fold((1, 0), |(nodes, bytes), (more_nodes, more_bytes)| (nodes + more_nodes, bytes + more_bytes))
        };
        match self {
            Self::Null => (1, 0),
            Self::Text(text) => (1, text.len()),
            Self::List(items) => sum(&mut items.iter().map(Self::size)),
            Self::Map(entries) => sum(&mut entries.iter().map(|(key, value)| {
                let (nodes, bytes) = value.size();
                (nodes, bytes + key.len())
            })),
        }
    }
}

/// A list or map that has not ended.
struct Open {
    anchor: usize,
    node: Node,
    /// The key whose value comes next.
    key: Option<String>,
}

/// The tree as far as it is read.
#[derive(Default)]
struct Tree {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    bytes: usize,
}

impl Tree {
    /// Takes the next event; gives the whole tree when it was the last.
    fn take(&mut self, event: Event<'_>) -> Result<Option<Node>, String> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                self.count(1, text.len())?;
                self.put(if null { Node::Null } else { Node::Text(text.into_owned()) }, anchor)
            }
            Event::SequenceStart(anchor, _) => self.begin(Node::List(Vec::new()), anchor),
            Event::MappingStart(anchor, _) => self.begin(Node::Map(BTreeMap::new()), anchor),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { key: None, anchor, node }) => self.put(node, anchor),
                _ => Err("it ends too early".to_owned()),
            },
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err("an alias of something that contains it".to_owned());
                };
                let (nodes, bytes) = node.size();
                let node = node.clone();
                self.count(nodes, bytes)?;
                self.put(node, 0)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(None)
            }
        }
    }

    fn begin(&mut self, node: Node, anchor: usize) -> Result<Option<Node>, String> {
        self.count(1, 0)?;
        if self.open.len() == DEPTH_MAX {
            return Err(format!("it is nested more than {DEPTH_MAX} deep"));
        }
        self.open.push(Open { anchor, node, key: None });
        Ok(None)
    }

    fn count(&mut self, nodes: usize, bytes: usize) -> Result<(), String> {
        self.nodes = self.nodes.saturating_add(nodes);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.nodes > NODES_MAX || self.bytes > TEXT_BYTES_MAX {
            return Err(format!("it has more than {NODES_MAX} values or {TEXT_BYTES_MAX} bytes of text"));
        }
        Ok(())
    }

    /// Puts a finished value where it belongs.
    fn put(&mut self, node: Node, anchor: usize) -> Result<Option<Node>, String> {
        if anchor > 0 {
            let (nodes, bytes) = node.size();
            self.count(nodes, bytes)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(parent) = self.open.last_mut() else { return Ok(Some(node)) };
        match (&mut parent.node, parent.key.take(), node) {
            (Node::List(items), _, node) => items.push(node),
            (Node::Map(entries), Some(key), node) => {
                if entries.contains_key(&key) {
                    return Err(format!("the key `{key}` is there twice"));
                }
                entries.insert(key, node);
            }
            (Node::Map(_), None, Node::Text(key)) => parent.key = Some(key),
            _ => return Err("a key that is not text".to_owned()),
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn refusal(text: &str) -> String {
        Node::parse(text).expect_err("refused").to_string()
    }

    #[test]
    fn what_mlflow_writes_becomes_a_tree() {
        let text = "a:\n  b: null\n  c: 'x\n\n    y'\n  d: \"5\"\n  e: ~\nlist: &id001\n- 1\n- [p, q]\nagain: *id001\n";
        let tree = Node::parse(text).expect("sound");
        let a = tree.get("a").expect("there");
        assert_eq!(a.get("b"), None);
        assert_eq!(a.get("c").and_then(Node::text), Some("x\ny"));
        assert_eq!(a.get("d").and_then(Node::text), Some("5"));
        assert_eq!(tree.get("again"), tree.get("list"));
        let text = |text: &str| Node::Text(text.to_owned());
        assert_eq!(tree.get("list"), Some(&Node::List(vec![text("1"), Node::List(vec![text("p"), text("q")])])));
    }

    #[test]
    fn bombs_do_not_go_off() {
        let mut aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..30 {
            let before = level - 1;
            let ten = vec![format!("*a{before}"); 10].join(", ");
            writeln!(aliases, "a{level}: &a{level} [{ten}]").expect("memory");
        }
        assert!(refusal(&aliases).contains("values or"), "{}", refusal(&aliases));
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 100].join(", "));
        assert!(refusal(&long).contains("values or"), "{}", refusal(&long));
        // Each level is kept for its alias, with all that is in it.
        let text = "x".repeat(1 << 20);
        let levels = (0..60).fold(text, |inner, level| format!("&a{level} [{inner}]"));
        assert!(refusal(&levels).contains("values or"), "{}", refusal(&levels));
        for deep in ["[".repeat(100_000), "a: ".repeat(1000), "- ".repeat(100_000)] {
            assert!(Node::parse(&deep).is_err());
        }
    }

    #[test]
    fn what_is_no_tree_of_text_is_refused() {
        insta::assert_snapshot!(refusal(""), @"`MLmodel` cannot be read: it is empty");
        insta::assert_snapshot!(refusal("a: &a [*a]"), @"`MLmodel` cannot be read: line 1: an alias of something that contains it");
        insta::assert_snapshot!(refusal("a: *nowhere"), @"`MLmodel` cannot be read: it is no YAML: while parsing node, found unknown anchor at byte 3 line 1 column 4");
        insta::assert_snapshot!(refusal("a: 1\na: 2"), @"`MLmodel` cannot be read: line 2: the key `a` is there twice");
        insta::assert_snapshot!(refusal("[1]: 2"), @"`MLmodel` cannot be read: line 1: a key that is not text");
        insta::assert_snapshot!(refusal("a: [1"), @"`MLmodel` cannot be read: it is no YAML: while parsing a flow sequence, expected ',' or ']' at byte 5 line 2 column 1");
        insta::assert_snapshot!(refusal("\u{0}\u{1}"), @"`MLmodel` cannot be read: it is no YAML: found unprintable character at byte 0 line 1 column 1");
    }
}
