//! The categories of data frames, and which features they belong to.
//!
//! Python keeps the categories of the data frame's categorical columns in the order of the columns, but not which columns
//! these are. What else is in the file tells: the features that were categorical to LightGBM, and the range of each feature's
//! values. (A column of ordered categories is numeric to LightGBM.) Where that leaves room for doubt the file is refused
//! rather than read one way.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, StringArray};
use arrow::datatypes::DataType;
use serde_json::Value;

use super::file::{FORMAT, File, malformed};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::model::DeclaredFeature;

/// Integers up to here are exact as numbers of double precision.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The categories of each feature that has any, of type `Utf8` or `Float64`.
pub(super) fn read(
    file: &File,
    names: &[&str],
    declared: Option<&[DeclaredFeature]>,
    limits: &Limits,
) -> Result<Vec<Option<ArrayRef>>> {
    let lists = lists(file, limits)?;
    let mut of = vec![None; names.len()];
    if lists.is_empty() {
        return Ok(of);
    }
    let candidates = candidates(file, names, declared)?;
    let features = assign(&lists, &candidates).ok_or_else(|| Error::Unsupported {
        format: FORMAT,
        what: format!(
            "has the categories of {} columns of a data frame, and it is not clear which of its {} features these are; \
             declare the features with their types in CREATE MODEL, or train with columns that are not ordered categories",
            lists.len(),
            names.len()
        ),
    })?;
    for (feature, list) in features.into_iter().zip(lists) {
        of[feature] = Some(list);
    }
    Ok(of)
}

/// The lists of categories of a file.
fn lists(file: &File, limits: &Limits) -> Result<Vec<ArrayRef>> {
    let Some(json) = file.pandas_categorical else { return Ok(Vec::new()) };
    Limits::check("bytes of strings", "string_bytes", json.len() as u64, limits.string_bytes)?;
    let lists: Option<Vec<Vec<Value>>> = serde_json::from_str(json).map_err(|error| {
        malformed(format!("`pandas_categorical` is no list of lists ({error}); copy the file again"))
    })?;
    lists.unwrap_or_default().iter().enumerate().map(|(at, list)| categories(at, list)).collect()
}

/// One list: texts, or numbers, as which false and true count as 0 and 1.
fn categories(at: usize, list: &[Value]) -> Result<ArrayRef> {
    let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
    if let Some(texts) = texts.filter(|texts| !texts.is_empty()) {
        return Ok(Arc::new(StringArray::from(texts)));
    }
    let number = |value: &Value| match value {
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        value => value.as_f64().filter(|number| value.is_f64() || number.abs() < EXACT_MAX),
    };
    let numbers: Option<Vec<f64>> = list.iter().map(number).collect();
    let numbers = numbers.ok_or_else(|| Error::Unsupported {
        format: FORMAT,
        what: format!("has categories in list {at} of `pandas_categorical` that are neither all texts nor all numbers"),
    })?;
    Ok(Arc::new(Float64Array::from(numbers)))
}

/// What a file says of a feature's values.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Range {
    /// It was categorical to LightGBM, with codes up to this one if there are any.
    Categorical(Option<f64>),
    Numeric(f64, f64),
    /// It had one value only, so that nothing is known of it.
    Constant,
}

/// A feature that a list of categories may belong to.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    range: Range,
    /// Whether it takes text, if the caller says.
    is_text: Option<bool>,
}

impl Candidate {
    fn fits(&self, list: &ArrayRef) -> bool {
        let last = list.len() as f64 - 1.0;
        let in_range = match self.range {
            Range::Categorical(code) => code.is_none_or(|code| code <= last),
            Range::Numeric(least, greatest) => {
                least >= 0.0 && greatest <= last && least.fract() == 0.0 && greatest.fract() == 0.0
            }
            Range::Constant => true,
        };
        let text_list = *list.data_type() == DataType::Utf8;
        in_range && self.is_text.is_none_or(|is_text| is_text == text_list)
    }

    fn is_categorical(&self) -> bool {
        matches!(self.range, Range::Categorical(_))
    }
}

/// What is known about every feature.
fn candidates(file: &File, names: &[&str], declared: Option<&[DeclaredFeature]>) -> Result<Vec<Candidate>> {
    let infos: Vec<&str> = file.header.text("feature_infos")?.split_ascii_whitespace().collect();
    if infos.len() != names.len() {
        let (got, features) = (infos.len(), names.len());
        return Err(file.header.malformed(format!("`feature_infos` tells of {got} features instead of {features}")));
    }
    let trained = categorical_parameter(file.categorical_feature, names);
    let candidate = |(feature, info): (usize, &&str)| {
        let range = match range(info) {
            Some(Range::Constant) if trained.contains(&feature) => Range::Categorical(None),
            Some(range) => range,
            None => return Err(file.header.malformed(format!("`feature_infos` is wrong for feature {feature}"))),
        };
        let data_type = declared.and_then(|declared| declared.get(feature)?.data_type.as_ref());
        Ok(Candidate { range, is_text: data_type.map(is_text) })
    };
    infos.iter().enumerate().map(candidate).collect()
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => matches!(other, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
    }
}

/// The features that the training parameter names: positions, or names behind `name:`.
fn categorical_parameter(text: &str, names: &[&str]) -> HashSet<usize> {
    match text.strip_prefix("name:") {
        Some(listed) => {
            let listed: HashSet<&str> = listed.split(',').collect();
            (0..names.len()).filter(|&feature| listed.contains(names[feature])).collect()
        }
        None => text.split(',').filter_map(|position| position.trim().parse().ok()).collect(),
    }
}

/// `[least:greatest]`, codes between colons, or `none`.
fn range(info: &str) -> Option<Range> {
    if info == "none" {
        return Some(Range::Constant);
    }
    if let Some(inner) = info.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let (least, greatest) = inner.split_once(':')?;
        return Some(Range::Numeric(least.parse().ok()?, greatest.parse().ok()?));
    }
    let codes: Option<Vec<f64>> = info.split(':').map(|code| code.parse().ok()).collect();
    Some(Range::Categorical(codes?.into_iter().reduce(f64::max)))
}

/// The feature of each list, if there is just one way to give every list a feature that it fits, in order, and every
/// feature that was categorical a list as far as there are enough.
fn assign(lists: &[ArrayRef], candidates: &[Candidate]) -> Option<Vec<usize>> {
    /// Room for the table of ways, in elements.
    const WAYS_MAX: usize = 1 << 24;
    let categorical: Vec<usize> = (0..candidates.len()).filter(|&at| candidates[at].is_categorical()).collect();
    if categorical.len() == lists.len() {
        let fit = categorical.iter().zip(lists).all(|(&at, list)| candidates[at].fits(list));
        return fit.then_some(categorical);
    }
    let all_have_lists = categorical.len() < lists.len();
    let width = lists.len() + 1;
    if candidates.len().checked_mul(width)? > WAYS_MAX {
        return None;
    }
    // `ways[feature * width + taken]`: in how many ways, up to 2, the lists from `taken` on go to features from `feature` on.
    let mut ways = vec![0_u8; (candidates.len() + 1) * width];
    ways[candidates.len() * width + lists.len()] = 1;
    for (at, candidate) in candidates.iter().enumerate().rev() {
        for taken in 0..width {
            let pass = if all_have_lists && candidate.is_categorical() { 0 } else { ways[(at + 1) * width + taken] };
            let fits = lists.get(taken).is_some_and(|list| candidate.fits(list));
            let take = if fits { ways[(at + 1) * width + taken + 1] } else { 0 };
            ways[at * width + taken] = (pass + take).min(2);
        }
    }
    if ways[0] != 1 {
        return None;
    }
    let mut features = Vec::with_capacity(lists.len());
    for (at, candidate) in candidates.iter().enumerate() {
        let taken = features.len();
        let Some(list) = lists.get(taken) else { break };
        if candidate.fits(list) && ways[(at + 1) * width + taken + 1] == 1 {
            features.push(at);
        }
    }
    Some(features)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATEGORICAL: Range = Range::Categorical(Some(1.0));

    fn assigned(ranges: &[Range], lists: &[&[&str]]) -> Option<Vec<usize>> {
        let candidates: Vec<Candidate> = ranges.iter().map(|&range| Candidate { range, is_text: None }).collect();
        let lists: Vec<ArrayRef> =
            lists.iter().map(|list| Arc::new(StringArray::from(list.to_vec())) as ArrayRef).collect();
        assign(&lists, &candidates)
    }

    #[test]
    fn lists_go_to_the_features_that_were_categorical() {
        let (two, three) = (&["a", "b"][..], &["a", "b", "c"][..]);
        let numeric = |greatest| Range::Numeric(0.0, greatest);
        assert_eq!(assigned(&[numeric(9.5), CATEGORICAL, CATEGORICAL], &[two, three]), Some(vec![1, 2]));
        assert_eq!(assigned(&[Range::Categorical(Some(2.0))], &[two]), None, "a code beyond the list");
        // An ordered category is numeric, between the categorical features or behind them.
        assert_eq!(assigned(&[CATEGORICAL, numeric(2.0), numeric(9.5)], &[two, three]), Some(vec![0, 1]));
        assert_eq!(assigned(&[CATEGORICAL, numeric(2.0), numeric(1.0)], &[two, three]), None, "either of two");
        assert_eq!(assigned(&[CATEGORICAL, numeric(2.0), numeric(1.0)], &[two, three, two]), Some(vec![0, 1, 2]));
        assert_eq!(assigned(&[CATEGORICAL, Range::Constant], &[two, two]), Some(vec![0, 1]));
        // Fewer lists than categorical features.
        assert_eq!(assigned(&[CATEGORICAL, Range::Categorical(Some(2.0))], &[three]), None);
        assert_eq!(assigned(&[Range::Categorical(Some(7.0)), CATEGORICAL], &[two]), Some(vec![1]));
    }

    #[test]
    fn what_the_file_says_of_a_feature() {
        assert_eq!(range("none"), Some(Range::Constant));
        assert_eq!(range("[-3:1e+05]"), Some(Range::Numeric(-3.0, 1e5)));
        assert_eq!(range("-1:2:4:0"), Some(Range::Categorical(Some(4.0))));
        assert_eq!(range("[1]"), None);
        assert_eq!(categorical_parameter("1,3", &["a", "b"]), HashSet::from([1, 3]));
        assert_eq!(categorical_parameter("name:b,c", &["a", "b"]), HashSet::from([1]));
        assert!(categorical_parameter("", &["a"]).is_empty());
    }
}
