//! The lines of a file: a header, one block of `key=value` lines per tree, and what Python and the command line add.
//!
//! Nothing is copied: a file is a view of its text. Whoever asks for a list says how many elements there must be.

use std::collections::BTreeMap;

pub(super) use crate::encoding::shortened;
use crate::error::{Error, Result};
use crate::limits::Limits;

pub(super) const FORMAT: &str = "LightGBM text";

/// A file, taken apart.
#[derive(Debug)]
pub(super) struct File<'f> {
    pub(super) header: Block<'f>,
    pub(super) trees: Vec<Block<'f>>,
    /// The parameter `categorical_feature` of the training; empty if it is not there.
    pub(super) categorical_feature: &'f str,
    /// The categories of data frames, in JSON.
    pub(super) pandas_categorical: Option<&'f str>,
}

/// Lines of the form `key=value`.
#[derive(Debug)]
pub(super) struct Block<'f> {
    /// What messages call the block, such as `tree 3`.
    pub(super) name: String,
    values: BTreeMap<&'f str, &'f str>,
}

/// An error about the contents of a file.
pub(super) fn malformed(what: impl Into<String>) -> Error {
    Error::Malformed { format: FORMAT, what: what.into() }
}

impl<'f> File<'f> {
    /// Takes a file apart.
    pub(super) fn parse(bytes: &'f [u8], limits: &Limits) -> Result<Self> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| malformed(format!("the file is not UTF-8 at byte {}", error.valid_up_to())))?;
        let mut lines = Lines { rest: text };
        if lines.next() != Some("tree") {
            return Err(malformed("the first line is not `tree`"));
        }
        let mut header = Block::new("the header");
        let mut next = header.read(&mut lines, |line| line.starts_with("Tree=") || line == END_OF_TREES)?;
        let mut trees = Vec::new();
        while let Some(number) = next.and_then(|line| line.strip_prefix("Tree=")) {
            Limits::check("trees", "trees", trees.len() as u64 + 1, limits.trees)?;
            let mut tree = Block::new(format!("tree {}", trees.len()));
            if number != trees.len().to_string() {
                return Err(malformed(format!("{} calls itself {}", tree.name, shortened(number))));
            }
            tree.read(&mut lines, str::is_empty)?;
            trees.push(tree);
            next = lines.find(|line| !line.is_empty());
        }
        check_end(&header, trees.len(), next)?;
        let mut file = Self { header, trees, categorical_feature: "", pandas_categorical: None };
        file.read_rest(&mut lines)?;
        Ok(file)
    }

    /// What stands behind the trees: how often features are asked, the parameters of the training, categories.
    fn read_rest(&mut self, lines: &mut Lines<'f>) -> Result<()> {
        let mut in_parameters = false;
        for line in lines {
            match line {
                "parameters:" => in_parameters = true,
                "end of parameters" => in_parameters = false,
                _ => {}
            }
            if let Some(value) = line.strip_prefix("[categorical_feature:").and_then(|rest| rest.strip_suffix(']')) {
                self.categorical_feature = value.trim();
            } else if let (false, Some(json)) = (in_parameters, line.strip_prefix("pandas_categorical:")) {
                self.pandas_categorical = Some(json);
            }
        }
        match in_parameters {
            true => Err(malformed("the file ends early, among the parameters; copy it again")),
            false => Ok(()),
        }
    }
}

const END_OF_TREES: &str = "end of trees";

/// Checks that no tree is missing at the end. Files of version 2 have no mark behind the last one.
fn check_end(header: &Block, trees: usize, next: Option<&str>) -> Result<()> {
    let sizes = header.get("tree_sizes").map(|sizes| sizes.split_ascii_whitespace().count());
    if let Some(sizes) = sizes.filter(|&sizes| sizes != trees) {
        return Err(malformed(format!("{trees} trees instead of {sizes}; the file ends early, copy it again")));
    }
    let is_marked = header.get("version") != Some("v2");
    match next {
        None if is_marked => Err(malformed("the file ends early, before the end of the trees; copy it again")),
        Some(line) if is_marked && line != END_OF_TREES => {
            Err(malformed(format!("`{}` stands where a tree or the end of the trees should", shortened(line))))
        }
        _ => Ok(()),
    }
}

impl<'f> Block<'f> {
    fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), values: BTreeMap::new() }
    }

    /// Reads lines up to one that ends the block, and returns that one. Empty lines before it count for nothing.
    fn read(&mut self, lines: &mut Lines<'f>, is_end: impl Fn(&str) -> bool) -> Result<Option<&'f str>> {
        for line in lines {
            if is_end(line) {
                return Ok(Some(line));
            }
            // Some keys stand alone and are true by being there.
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            if !line.is_empty() && self.values.insert(key, value).is_some() {
                return Err(self.malformed(format!("`{}` is there twice", shortened(key))));
            }
        }
        Ok(None)
    }

    /// An error about this block.
    pub(super) fn malformed(&self, what: impl Into<String>) -> Error {
        malformed(format!("{}: {}", self.name, what.into()))
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'f str> {
        self.values.get(key).copied()
    }

    /// The value of a key that must be there.
    pub(super) fn text(&self, key: &str) -> Result<&'f str> {
        self.get(key).ok_or_else(|| self.malformed(format!("`{key}` is missing")))
    }

    /// A count, from 0 to `2^31 - 1`.
    pub(super) fn count(&self, key: &str) -> Result<usize> {
        let text = self.text(key)?;
        let count = text.trim().parse::<u32>().ok().filter(|&count| i32::try_from(count).is_ok());
        count
            .map(|count| count as usize)
            .ok_or_else(|| self.malformed(format!("`{key}` is `{}` instead of a count", shortened(text))))
    }

    /// A list of `expected` numbers.
    pub(super) fn list<T: std::str::FromStr>(&self, key: &str, expected: usize) -> Result<Vec<T>> {
        let mut numbers = Vec::new();
        for word in self.text(key)?.split_ascii_whitespace() {
            let number = word.parse().map_err(|_| {
                let (at, word) = (numbers.len(), shortened(word));
                self.malformed(format!("`{key}` has `{word}` at position {at}, which is no number that fits"))
            })?;
            numbers.push(number);
        }
        match numbers.len() == expected {
            true => Ok(numbers),
            false => Err(self.malformed(format!("`{key}` has {} numbers instead of {expected}", numbers.len()))),
        }
    }
}

/// The lines of a text, without their ends.
struct Lines<'f> {
    rest: &'f str,
}

impl<'f> Iterator for Lines<'f> {
    type Item = &'f str;

    fn next(&mut self) -> Option<&'f str> {
        if self.rest.is_empty() {
            return None;
        }
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        Some(line.strip_suffix('\r').unwrap_or(line))
    }
}
