//! The labels of a classifier.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use serde_json::Value;

use super::file::ClassParams;
use crate::boosters::Assembly;
use crate::error::Result;
use crate::limits::Limits;

/// The labels of a file, and for each output the position of its label among them.
#[derive(Debug)]
pub(super) struct Labels {
    pub(super) classes: ArrayRef,
    pub(super) of_output: Vec<usize>,
}

impl Labels {
    /// Labels for a classifier of this many outputs, each of which is a class; one output tells two classes apart.
    pub(super) fn read(assembly: &Assembly, params: Option<&ClassParams>, outputs: usize) -> Result<Self> {
        let count = outputs.max(2);
        let Some(params) = params else {
            return Ok(Self { classes: assembly.numbered_classes(count)?, of_output: (0..count).collect() });
        };
        let refuse = |what: &str| assembly.malformed(format!("`model_info.class_params` {what}"));
        let mapped: Option<Vec<usize>> = params.class_to_label.iter().map(|&label| whole(label)).collect();
        let mapped = mapped.ok_or_else(|| refuse("has a `class_to_label` that is no position"))?;
        let classes = match (params.class_names.is_empty(), params.classes_count as usize) {
            (false, _) => typed(params).ok_or_else(|| refuse("has `class_names` of another type than it says"))?,
            (true, 0) => assembly.numbered_classes(count)?,
            (true, labels) => assembly.numbered_classes(labels)?,
        };
        Limits::check("classes", "classes", classes.len() as u64, assembly.limits().classes)?;
        let of_output = if mapped.is_empty() { (0..count).collect() } else { mapped };
        let mut seen = vec![false; classes.len()];
        let fits = of_output.len() == count
            && of_output.iter().all(|&at| seen.get_mut(at).is_some_and(|seen| !std::mem::replace(seen, true)));
        match fits && (outputs > 1 || classes.len() == 2) {
            true => Ok(Self { classes, of_output }),
            false => {
                let (got, classes) = (of_output.len(), classes.len());
                Err(refuse(&format!("puts {got} classes into {classes} labels, the trees have {outputs} outputs")))
            }
        }
    }
}

fn whole(number: f64) -> Option<usize> {
    (number >= 0.0 && number < f64::from(u32::MAX) && number.fract() == 0.0).then_some(number as usize)
}

/// The labels in their own type.
fn typed(params: &ClassParams) -> Option<ArrayRef> {
    let names = &params.class_names;
    Some(match params.class_label_type.as_str() {
        "Integer" => Arc::new(Int64Array::from(names.iter().map(Value::as_i64).collect::<Option<Vec<_>>>()?)),
        "Float" => Arc::new(Float64Array::from(names.iter().map(Value::as_f64).collect::<Option<Vec<_>>>()?)),
        "Boolean" => Arc::new(BooleanArray::from(names.iter().map(Value::as_bool).collect::<Option<Vec<_>>>()?)),
        _ => Arc::new(StringArray::from(names.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?)),
    })
}
