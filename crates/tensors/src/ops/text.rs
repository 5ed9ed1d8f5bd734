//! Text: StringConcat, StringNormalizer, StringSplit, RegexFullMatch, TfIdfVectorizer.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::ops::Range;

use regex::Regex;
use regex_automata::nfa::thompson::{self, pikevm::PikeVM};
use regex_automata::{Anchored, Input, MatchKind};

use super::binary::Pairing;
use super::{Operator, exact, one};
use crate::call::{Call, no_such_type, wrong_type};
use crate::element::ElementType;
use crate::error::{Fault, Outcome};
use crate::shape;
use crate::tensor::{Data, Tensor};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "RegexFullMatch" => exact(regex_full_match),
        "StringConcat" => exact(string_concat),
        "StringNormalizer" => exact(string_normalizer),
        "StringSplit" => exact(string_split),
        "TfIdfVectorizer" => exact(tf_idf_vectorizer),
        _ => return None,
    })
}

fn string_concat(call: &Call) -> Outcome<Vec<Value>> {
    let (left, right) = (call.tensor(0)?, call.tensor(1)?);
    let pairing = Pairing::new(call, left, right)?;
    let other = right.values::<String>().ok_or_else(|| wrong_type(1, ElementType::Text, right.element_type()))?;
    let mut needed = 0_u64;
    let left = call.elements::<String>(0)?;
    pairing.zip(left, other, |a, b| (a.len() + b.len()) as u64).iter().for_each(|length| needed += length);
    call.meter.room_for_bytes(needed)?;
    one(Tensor::new(pairing.shape.clone(), pairing.zip(left, other, |a, b| format!("{a}{b}"))))
}

/// Bytes that the compiled form of an expression may take.
const EXPRESSION_BYTES: usize = 2 << 20;

/// Operations that an expression takes to compile.
const EXPRESSION_WORK: u64 = 1 << 20;

/// A regular expression as RE2 reads it, in which classes such as `\w` are of ASCII only.
fn expression(call: &Call, pattern: &str) -> Outcome<Regex> {
    call.meter.room(EXPRESSION_BYTES, 1)?;
    call.meter.work(EXPRESSION_WORK)?;
    let built = regex::RegexBuilder::new(&ascii_classes(pattern)).size_limit(EXPRESSION_BYTES).build();
    built.map_err(|error| unusable(pattern, &error))
}

fn unusable(pattern: &str, error: &dyn std::fmt::Display) -> Fault {
    Fault::invalid(format!("the expression `{pattern}` cannot be used: {error}"))
}

/// An expression of which the leftmost match counts, the longest if several begin there. What matches nothing is no match.
pub(super) struct Longest {
    /// Finds where a match begins.
    leftmost: Regex,
    /// Finds where the longest that begins there ends; nothing where that is what `leftmost` finds as well.
    longest: Option<PikeVM>,
}

impl Longest {
    pub(super) fn new(call: &Call, pattern: &str) -> Outcome<Self> {
        let leftmost = expression(call, pattern)?;
        if first_is_longest(pattern) {
            return Ok(Self { leftmost, longest: None });
        }
        call.meter.room(EXPRESSION_BYTES, 1)?;
        let longest = PikeVM::builder()
            .configure(PikeVM::config().match_kind(MatchKind::All))
            .thompson(thompson::Config::new().nfa_size_limit(Some(EXPRESSION_BYTES)))
            .build(&ascii_classes(pattern));
        let longest = longest.map_err(|error| unusable(pattern, &error))?;
        Ok(Self { leftmost, longest: Some(longest) })
    }

    /// Whether there is a match of nothing.
    pub(super) fn matches_nothing(&self) -> bool {
        self.leftmost.is_match("")
    }

    /// The matches of a text, one after the other.
    pub(super) fn matches(&self, text: &str) -> Vec<Range<usize>> {
        let mut cache = self.longest.as_ref().map(PikeVM::create_cache);
        let mut matches = Vec::new();
        let mut at = 0;
        while let Some(found) = self.leftmost.find_at(text, at) {
            let mut end = found.end();
            if let (Some(longest), Some(cache)) = (&self.longest, &mut cache) {
                let from_there = Input::new(text).range(found.start()..).anchored(Anchored::Yes);
                end = longest.find_iter(cache, from_there).next().map_or(end, |longest| longest.end());
            }
            if end > found.start() {
                matches.push(found.start()..end);
                at = end;
            } else {
                let Some(next) = text[end..].chars().next() else { break };
                at = end + next.len_utf8();
            }
        }
        matches
    }
}

/// Whether the match that is found first is the longest: of what repeats one part only, as often as it can.
fn first_is_longest(pattern: &str) -> bool {
    let counts = |letter: char| pattern.matches(letter).count();
    let groups = pattern.matches("(?").count();
    counts('|') == 0 && counts('*') + counts('+') + counts('{') + counts('?') - groups <= 1
}

/// The expression with the classes that are larger in Unicode written as those of ASCII.
fn ascii_classes(pattern: &str) -> String {
    let mut written = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            written.push(character);
            continue;
        }
        match characters.next() {
            Some('w') => written.push_str("[0-9A-Za-z_]"),
            Some('W') => written.push_str("[^0-9A-Za-z_]"),
            Some('d') => written.push_str("[0-9]"),
            Some('D') => written.push_str("[^0-9]"),
            Some('s') => written.push_str(r"[\t\n\x0C\r ]"),
            Some('S') => written.push_str(r"[^\t\n\x0C\r ]"),
            Some('b') => written.push_str(r"(?-u:\b)"),
            Some(other) => written.extend(['\\', other]),
            None => written.push('\\'),
        }
    }
    written
}

fn regex_full_match(call: &Call) -> Outcome<Vec<Value>> {
    let pattern = call.required("pattern", call.maybe_text("pattern")?)?;
    let whole = expression(call, &format!(r"\A(?:{pattern})\z"))?;
    let texts = call.elements::<String>(0)?;
    call.meter.work(texts.iter().map(|text| text.len() as u64).sum())?;
    call.meter.room(texts.len(), 1)?;
    let matches = texts.iter().map(|text| whole.is_match(text)).collect();
    one(Tensor::new(call.tensor(0)?.shape().to_vec(), matches))
}

fn string_normalizer(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let texts = call.elements::<String>(0)?;
    let as_row = match *input.shape() {
        [_] => false,
        [1, _] => true,
        ref other => return Err(Fault::invalid(format!("a value of shape {other:?}; it takes [C] or [1, C]"))),
    };
    let change: fn(&str) -> String = match call.text("case_change_action", "NONE")? {
        "LOWER" => |text| text.chars().map(|letter| alone(letter, letter.to_lowercase())).collect(),
        "UPPER" => |text| text.chars().map(|letter| alone(letter, letter.to_uppercase())).collect(),
        "NONE" => str::to_string,
        other => return Err(Fault::invalid(format!("attribute `case_change_action` is `{other}`"))),
    };
    let exact = call.flag("is_case_sensitive", false)?;
    let key = |text: &str| if exact { text.to_string() } else { text.to_lowercase() };
    let stopwords: HashSet<String> =
        call.maybe_texts("stopwords")?.unwrap_or_default().iter().map(|word| key(word)).collect();
    let mut kept: Vec<String> =
        texts.iter().filter(|text| !stopwords.contains(&key(text))).map(|text| change(text)).collect();
    if kept.is_empty() {
        kept.push(String::new());
    }
    let shape = if as_row { vec![1, kept.len()] } else { vec![kept.len()] };
    one(Tensor::new(shape, kept))
}

/// The other case of a letter where that is one letter: ONNX Runtime changes one at a time and leaves `ß` as it is.
fn alone(letter: char, mut changed: impl Iterator<Item = char>) -> char {
    match (changed.next(), changed.next()) {
        (Some(other), None) => other,
        _ => letter,
    }
}

fn string_split(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let delimiter = call.text("delimiter", "")?;
    let limit = call.maybe_int("maxsplit")?.and_then(|limit| usize::try_from(limit).ok());
    let split = |text: &String| -> Vec<String> {
        match delimiter {
            "" => split_at_spaces(text, limit),
            _ if text.is_empty() => Vec::new(),
            _ => match limit {
                Some(limit) => text.splitn(limit.saturating_add(1), delimiter).map(str::to_string).collect(),
                None => text.split(delimiter).map(str::to_string).collect(),
            },
        }
    };
    let parts: Vec<Vec<String>> = call.elements::<String>(0)?.iter().map(split).collect();
    let width = parts.iter().map(Vec::len).max().unwrap_or(0);
    let mut extents = input.shape().to_vec();
    extents.push(width);
    call.room_for(&extents, ElementType::Text)?;
    let counts: Vec<i64> = parts.iter().map(|parts| parts.len() as i64).collect();
    let mut padded = Vec::with_capacity(parts.len() * width);
    for mut part in parts {
        part.resize(width, String::new());
        padded.append(&mut part);
    }
    Ok(vec![Tensor::new(extents, padded).into(), Tensor::new(input.shape().to_vec(), counts).into()])
}

/// The words of a text; after `limit` cuts the rest is the last one.
fn split_at_spaces(text: &str, limit: Option<usize>) -> Vec<String> {
    let mut rest = text.trim_start();
    let mut words = Vec::new();
    while !rest.is_empty() {
        if limit.is_some_and(|limit| words.len() == limit) {
            words.push(rest.to_string());
            break;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        words.push(rest[..end].to_string());
        rest = rest[end..].trim_start();
    }
    words
}

/// The n-grams of a TfIdfVectorizer, and the column of each.
struct Pool<T> {
    columns: HashMap<Vec<T>, usize>,
    width: usize,
}

impl<T: Clone + Eq + Hash> Pool<T> {
    fn new(call: &Call, items: &[T]) -> Outcome<Self> {
        let starts = call.required("ngram_counts", call.maybe_ints("ngram_counts")?)?;
        let columns_of = call.required("ngram_indexes", call.maybe_ints("ngram_indexes")?)?;
        let mut columns = HashMap::with_capacity(columns_of.len());
        let mut next = columns_of.iter();
        for (at, &start) in starts.iter().enumerate() {
            let end = starts.get(at + 1).map_or(Ok(items.len()), |&end| shape::extent(end))?;
            let part = items.get(shape::extent(start)?..end);
            let part = part.ok_or_else(|| Fault::invalid("attribute `ngram_counts` does not fit the pool"))?;
            for gram in part.chunks(at + 1) {
                let column = next.next().ok_or_else(|| Fault::invalid("attribute `ngram_indexes` is too short"))?;
                columns.insert(gram.to_vec(), shape::extent(*column)?);
            }
        }
        let width = columns.values().max().map_or(0, |greatest| greatest.saturating_add(1));
        Ok(Self { columns, width })
    }

    /// How often each n-gram is in a row of items.
    fn count(&self, items: &[T], grams: &Grams, counts: &mut [f32]) {
        for length in grams.least..=grams.most {
            let skips = if length == 1 { 0 } else { grams.skips };
            for step in 1..=skips + 1 {
                let reach = (length - 1) * step;
                for start in 0..items.len().saturating_sub(reach) {
                    let gram: Vec<T> = (0..length).map(|at| items[start + at * step].clone()).collect();
                    if let Some(&column) = self.columns.get(&gram) {
                        counts[column] += 1.0;
                    }
                }
            }
        }
    }
}

/// Which n-grams are looked for.
struct Grams {
    least: usize,
    most: usize,
    skips: usize,
}

fn tf_idf_vectorizer(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    match (input.data(), call.maybe_texts("pool_strings")?, call.maybe_ints("pool_int64s")?) {
        (Data::Text(items), Some(pool), _) => vectors(call, items, pool),
        (Data::I64(_) | Data::I32(_), _, Some(pool)) => vectors(call, &call.integers(0)?, pool),
        (data, ..) => Err(no_such_type(data.element_type())),
    }
}

fn vectors<T: Clone + Eq + Hash>(call: &Call, items: &[T], pool: &[T]) -> Outcome<Vec<Value>> {
    let pool = Pool::new(call, pool)?;
    let number = |name: &str| -> Outcome<usize> { shape::extent(call.required(name, call.maybe_int(name)?)?) };
    let grams = Grams {
        least: number("min_gram_length")?.max(1),
        most: number("max_gram_length")?,
        skips: number("max_skip_count")?,
    };
    let mode = call.required("mode", call.maybe_text("mode")?)?;
    let weights = match (mode, call.maybe_floats("weights")?) {
        ("TF", _) | ("IDF" | "TFIDF", None) => None,
        ("IDF" | "TFIDF", Some(weights)) => Some(weights),
        (other, _) => return Err(Fault::invalid(format!("mode `{other}`"))),
    };
    let (rows, length, mut extents) = match *call.tensor(0)?.shape() {
        [] => (1, 1, Vec::new()),
        [length] => (1, length, Vec::new()),
        [rows, length] => (rows, length, vec![rows]),
        ref other => return Err(Fault::invalid(format!("a value of shape {other:?}; it takes [C] or [N, C]"))),
    };
    extents.push(pool.width);
    let longest = (grams.most as u64).saturating_mul(grams.skips as u64 + 1);
    call.meter.work((items.len() as u64).saturating_mul(longest))?;
    let mut counts = call.filled(shape::volume(&extents)?, 0.0_f32)?;
    for row in 0..rows {
        let counts = &mut counts[row * pool.width..][..pool.width];
        pool.count(&items[row * length..][..length], &grams, counts);
    }
    // Weights are in the order of the pool, as the columns are.
    if mode != "TF" {
        let columns = call.maybe_ints("ngram_indexes")?.unwrap_or_default();
        let mut factors = vec![1.0_f32; pool.width];
        for (&column, &weight) in columns.iter().zip(weights.unwrap_or_default()) {
            factors[shape::index(column, pool.width)?] = weight;
        }
        for (at, count) in counts.iter_mut().enumerate() {
            let times = if mode == "IDF" { count.min(1.0) } else { *count };
            *count = times * factors[at % pool.width];
        }
    }
    one(Tensor::new(extents, counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_re2() {
        assert_eq!(ascii_classes(r"^[\w.\-]{0,25}@\D$\\w"), r"^[[0-9A-Za-z_].\-]{0,25}@[^0-9]$\\w");
    }

    #[test]
    fn an_expression_that_chooses_may_have_a_longer_match() {
        let plain = [r"(?u)\b\w\w+\b", "[a-z]+", r"\w{2,}", "."];
        assert!(plain.iter().all(|pattern| first_is_longest(pattern)));
        let others = ["a|ab", "[a-z]+?", "a?(ab)?", "[?]+"];
        assert!(!others.iter().any(|pattern| first_is_longest(pattern)));
    }
}
