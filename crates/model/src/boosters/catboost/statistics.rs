//! Statistics of categories ("CTRs"): for a category, or a combination of categories and answers, how often it was there and
//! with which labels.
//!
//! The file keeps the counts for each key that the training met; here they become the value that the trees ask about, in
//! CatBoost's single precision.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::DataType;

use super::features::Columns;
use super::file::{Cell, Ctr, CtrData, Element, File};
use crate::boosters::Assembly;
use crate::error::Result;
use crate::program::{CategoryStatistics, ColumnId, KeyElement, Op};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The sum of the labels, and how many there are.
    Mean,
    /// How often the key was there, beside the count of the most frequent one.
    Counter,
    /// How often each class was there: the share of one.
    Bucket,
    /// How often each class was there: the share of those above one.
    Border,
}

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
        let refuse = |what: &str| assembly.malformed(format!("the statistic `{}` {what}", identifier.escape_default()));
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
        let values: Result<Vec<Vec<f32>>, String> = members.iter().map(|(_, ctr)| table.values(ctr)).collect();
        let values = values.map_err(|what| refuse(&what))?;
        let types = vec![DataType::Float64; members.len()];
        let op = Op::CategoryStatistics(Arc::new(CategoryStatistics::new(elements, &table.keys, values)));
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
            other => return Err(format!("has an element of the unknown kind `{}`", other.escape_default())),
        };
        key.0.push((key.1.len(), element));
        key.1.push(column);
    }
    Ok(key)
}

/// The numbers behind some keys.
struct Table {
    keys: Vec<u64>,
    /// As many for each key.
    numbers: Vec<f64>,
    per_key: usize,
    denominator: f64,
}

impl Table {
    fn read(data: &CtrData) -> Result<Self, String> {
        /// What the file has for a place of its table that is empty.
        const NO_KEY: u64 = u64::MAX;
        let stride = data.hash_stride as usize;
        if stride < 2 || !data.hash_map.len().is_multiple_of(stride) {
            return Err(format!("has {} numbers and keys in rows of {stride}", data.hash_map.len()));
        }
        let denominator = data.counter_denominator as f64;
        let mut table = Self { keys: Vec::new(), numbers: Vec::new(), per_key: stride - 1, denominator };
        for row in data.hash_map.chunks_exact(stride) {
            let Cell::Key(key) = row[0] else { return Err("has a number in the place of a key".to_string()) };
            if key == NO_KEY {
                continue;
            }
            table.keys.push(key);
            for cell in &row[1..] {
                let &Cell::Number(number) = cell else { return Err("has a key in the place of a number".to_string()) };
                table.numbers.push(number);
            }
        }
        Ok(table)
    }

    /// The value for each key, and last that for keys which are not there.
    fn values(&self, ctr: &Ctr) -> Result<Vec<f32>, String> {
        let kind = match (ctr.ctr_type.as_str(), self.per_key) {
            ("BinarizedTargetMeanValue" | "FloatTargetMeanValue", 2) => Kind::Mean,
            ("Counter" | "FeatureFreq", 1) => Kind::Counter,
            ("Buckets", classes) if (ctr.target_border_idx as usize) < classes => Kind::Bucket,
            ("Borders", classes) if (ctr.target_border_idx as usize) + 1 < classes => Kind::Border,
            (kind, numbers) => {
                let (kind, class) = (kind.escape_default(), ctr.target_border_idx);
                return Err(format!("is of kind `{kind}`, with {numbers} numbers for each key, for class {class}"));
            }
        };
        let class = ctr.target_border_idx as usize;
        let value = |numbers: &[f64]| match kind {
            Kind::Mean => ctr.value(numbers[0], numbers[1]),
            Kind::Counter => ctr.value(numbers[0], self.denominator),
            Kind::Bucket => ctr.value(numbers[class], numbers.iter().sum()),
            Kind::Border => ctr.value(numbers[class + 1..].iter().sum(), numbers.iter().sum()),
        };
        let unknown = if kind == Kind::Counter { ctr.value(0.0, self.denominator) } else { ctr.value(0.0, 0.0) };
        Ok(self.numbers.chunks_exact(self.per_key).map(value).chain([unknown]).collect())
    }
}

impl Ctr {
    /// The share of `part` in `whole`, with the prior.
    fn value(&self, part: f64, whole: f64) -> f32 {
        let share = (part as f32 + self.prior_numerator) / (whole as f32 + self.prior_denominator);
        (share + self.shift) * self.scale
    }
}
