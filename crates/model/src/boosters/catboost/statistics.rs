//! Statistics of categories ("CTRs"): for a category, or a combination of categories and answers, how often it was there and
//! with which labels.
//!
//! The file keeps the counts for each key that the training met; what the trees ask about is a share of some of them in
//! others.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::DataType;

use super::features::Columns;
use super::file::{Cell, Ctr, CtrData, Element, File};
use crate::boosters::Assembly;
use crate::encoding::shortened;
use crate::error::Result;
use crate::program::{CategoryStatistics, ColumnId, KeyElement, Op, Share, Whole};

/// Adds the statistics of a file, and gives the column of each.
pub(super) fn read(assembly: &mut Assembly, file: &File, columns: &Columns) -> Result<Vec<ColumnId>> {
    let ctrs = &file.features_info.ctrs;
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, ctr) in ctrs.iter().enumerate() {
        groups.entry(&ctr.identifier).or_default().push(at);
    }
    let mut places: Vec<(usize, ColumnId)> = Vec::with_capacity(ctrs.len());
    for (identifier, members) in groups {
        let members: Vec<(usize, &Ctr)> = members.into_iter().map(|at| (at, &ctrs[at])).collect();
        let refuse = |what: &str| assembly.malformed(format!("the statistic `{}` {what}", shortened(identifier)));
        let data = file.ctr_data.as_ref().and_then(|data| data.get(identifier));
        let data = data.ok_or_else(|| {
            refuse("has no numbers in `ctr_data`; train with `final_ctr_computation_mode` at its default")
        })?;
        let elements = &members[0].1.elements;
        if members.iter().any(|(_, ctr)| ctr.elements != *elements) {
            return Err(refuse("is about different things"));
        }
        let (elements, inputs) = key(elements, columns).map_err(|what| refuse(&what))?;
        let table = Table::read(data).map_err(|what| refuse(&what))?;
        let shares: Result<Vec<Share>, String> = members.iter().map(|(_, ctr)| share(ctr, data)).collect();
        let shares = shares.map_err(|what| refuse(&what))?;
        let types = vec![DataType::Float64; members.len()];
        let Table { places: of_keys, numbers } = table;
        let per_key = data.hash_stride as usize - 1;
        let statistics = CategoryStatistics { elements, places: of_keys, numbers, per_key, shares };
        let op = Op::CategoryStatistics(Arc::new(statistics));
        places.extend(members.iter().map(|(at, _)| *at).zip(assembly.push(op, inputs, types)?));
    }
    places.sort_unstable_by_key(|(at, _)| *at);
    Ok(places.into_iter().map(|(_, column)| column).collect())
}

/// What a key is made of, and the columns that this takes.
type Key = (Vec<(usize, KeyElement)>, Vec<ColumnId>);

fn key(elements: &[Element], columns: &Columns) -> Result<Key, String> {
    let mut key: Key = (Vec::new(), Vec::new());
    for element in elements {
        let category = || {
            let index = element.cat_feature_index.ok_or("has an element without `cat_feature_index`")?;
            columns
                .categories
                .get(&index)
                .copied()
                .ok_or_else(|| format!("is about a category {index} that is not there"))
        };
        let (column, element) = match element.combination_element.as_str() {
            "cat_feature_value" => (category()?, KeyElement::Category),
            "cat_feature_exact_value" => {
                let value = element.value.ok_or("has an element without `value`")?;
                (category()?, KeyElement::Equals(f64::from(value)))
            }
            "float_feature" => {
                let index = element.float_feature_index.ok_or("has an element without `float_feature_index`")?;
                let float = columns.floats.get(&index);
                let &(column, nan_is_above) =
                    float.ok_or_else(|| format!("is about a number {index} that is not there"))?;
                let border = f64::from(element.border.ok_or("has an element without `border`")?);
                (column, KeyElement::Above { border, nan_is_above })
            }
            other => return Err(format!("has an element of the unknown kind `{}`", shortened(other))),
        };
        key.0.push((key.1.len(), element));
        key.1.push(column);
    }
    Ok(key)
}

/// The numbers behind some keys: for each key, one after the other, as many as there are in a row of the file but one.
struct Table {
    places: HashMap<u64, u32>,
    numbers: Vec<f64>,
}

impl Table {
    fn read(data: &CtrData) -> Result<Self, String> {
        /// What the file has for a place of its table that is empty.
        const NO_KEY: u64 = u64::MAX;
        let stride = data.hash_stride as usize;
        if stride < 2 || !data.hash_map.len().is_multiple_of(stride) {
            return Err(format!("has {} numbers and keys in rows of {stride}", data.hash_map.len()));
        }
        let mut table = Self { places: HashMap::new(), numbers: Vec::new() };
        for row in data.hash_map.chunks_exact(stride) {
            let Cell::Key(key) = row[0] else { return Err("has a number in the place of a key".to_string()) };
            if key == NO_KEY {
                continue;
            }
            let place = table.places.len() as u32;
            if table.places.insert(key, place).is_some() {
                return Err(format!("has the key {key} twice"));
            }
            for cell in &row[1..] {
                let &Cell::Number(number) = cell else { return Err("has a key in the place of a number".to_string()) };
                table.numbers.push(number);
            }
        }
        Ok(table)
    }
}

/// What a statistic makes of the numbers of a key.
fn share(ctr: &Ctr, data: &CtrData) -> Result<Share, String> {
    let (class, count) = (ctr.target_border_idx as usize, data.hash_stride as usize - 1);
    let (part, whole) = match (ctr.ctr_type.as_str(), count) {
        // The sum of the labels, and how many there are.
        ("BinarizedTargetMeanValue" | "FloatTargetMeanValue", 2) => (0..1, Whole::Sum(1..2)),
        // How often the key was there, beside the most frequent one.
        ("Counter" | "FeatureFreq", 1) => (0..1, Whole::Constant(data.counter_denominator as f32)),
        // How often each class was there: one of them, or those above one.
        ("Buckets", _) if class < count => (class..class + 1, Whole::Sum(0..count)),
        ("Borders", _) if class + 1 < count => (class + 1..count, Whole::Sum(0..count)),
        (kind, _) => {
            let kind = shortened(kind);
            return Err(format!("is of kind `{kind}`, with {count} numbers for each key, for class {class}"));
        }
    };
    let prior = (ctr.prior_numerator, ctr.prior_denominator);
    Ok(Share { part, whole, prior, shift: ctr.shift, scale: ctr.scale })
}
