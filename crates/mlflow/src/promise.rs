//! What a signature says that comes out of a model, against what the model file gives.
//!
//! A signature describes what a Python function returns, which may be a label, a probability or a table of everything, and
//! users write it by hand. So a promise is kept when some answer of the model is of its kind. That finds the signature of
//! another model; the values themselves are kept nowhere.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use foretell_model::{Model, Signature};
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::mlmodel::MlModel;

/// Something that a model should answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Promise {
    name: Option<String>,
    /// `None` for what may be either.
    is_text: Option<bool>,
    /// Values in a row of a tensor, where they are fixed.
    width: Option<usize>,
}

/// Something that a model answers.
struct Offer {
    name: String,
    is_text: bool,
    /// Values in a row, where they are fixed.
    width: Option<usize>,
}

#[derive(Deserialize)]
struct Spec {
    name: Option<Value>,
    r#type: String,
    #[serde(rename = "tensor-spec")]
    tensor: Option<TensorSpec>,
}

#[derive(Deserialize)]
struct TensorSpec {
    dtype: String,
    shape: Vec<i64>,
}

impl MlModel {
    /// Checks that the model answers what the signature says, as far as its text tells.
    ///
    /// # Errors
    /// [`Error::Outputs`] when it has no such answer.
    pub fn check_outputs(&self, model: &Model) -> Result<()> {
        let offers = offers(model.signature());
        self.promises.iter().try_for_each(|promise| promise.check(&offers)).map_err(Error::Outputs)
    }
}

/// Reads the JSON text that `MLmodel` has under `signature: outputs`.
pub(crate) fn parse(json: &str) -> Result<Vec<Promise>, String> {
    let specs: Vec<Spec> = serde_json::from_str(json).map_err(|error| format!("its outputs: {error}"))?;
    Ok(specs.into_iter().map(promise).collect())
}

fn promise(spec: Spec) -> Promise {
    let name = spec.name.and_then(|name| name.as_str().map(str::to_owned));
    match spec.tensor {
        Some(TensorSpec { dtype, shape }) => {
            let mut extents = shape.iter().skip(1).map(|&extent| usize::try_from(extent).ok());
            let width = extents.try_fold(1, |width: usize, extent| Some(width.saturating_mul(extent?)));
            Promise { name, is_text: is_text(&dtype), width }
        }
        None => Promise { name, is_text: is_text(&spec.r#type), width: None },
    }
}

/// Whether a type of a column or of a tensor is text; `None` for one that may hold anything.
fn is_text(kind: &str) -> Option<bool> {
    const NUMBERS: [&str; 8] = ["boolean", "integer", "long", "float", "double", "bool", "int", "uint"];
    match kind {
        "string" | "str" => Some(true),
        number if NUMBERS.contains(&number.trim_end_matches(|letter: char| letter.is_ascii_digit())) => Some(false),
        _ => None,
    }
}

/// What the model answers: its prediction, its probabilities and every output of the file.
fn offers(signature: &Signature) -> Vec<Offer> {
    let offer = |name: &str, data_type: &DataType| {
        let (is_text, width) = content(data_type);
        Offer { name: name.to_owned(), is_text, width }
    };
    let outputs = signature.outputs.iter().map(|output| offer(&output.name, &output.data_type));
    let classes = signature.class_count();
    let probabilities = signature.has_probabilities.then(|| Offer {
        name: "probabilities".to_owned(),
        is_text: false,
        width: Some(classes),
    });
    outputs.chain([offer("prediction", &signature.prediction)]).chain(probabilities).collect()
}

/// Whether a type holds text, and how many values.
fn content(data_type: &DataType) -> (bool, Option<usize>) {
    match data_type {
        DataType::FixedSizeList(item, size) => {
            let (is_text, width) = content(item.data_type());
            (is_text, width.zip(usize::try_from(*size).ok()).map(|(width, size)| width.saturating_mul(size)))
        }
        DataType::List(item) | DataType::LargeList(item) => (content(item.data_type()).0, None),
        DataType::Struct(fields) => {
            let fields: Vec<_> = fields.iter().map(|field| content(field.data_type())).collect();
            let width = fields.iter().try_fold(0, |sum: usize, (_, width)| Some(sum.saturating_add((*width)?)));
            (fields.iter().any(|(is_text, _)| *is_text), width)
        }
        DataType::Dictionary(_, value) => content(value),
        data_type => (data_type.is_string(), Some(1)),
    }
}

impl Promise {
    fn check(&self, offers: &[Offer]) -> Result<(), String> {
        let named: Vec<&Offer> = offers.iter().filter(|offer| Some(&offer.name) == self.name.as_ref()).collect();
        let candidates = if named.is_empty() { offers.iter().collect() } else { named };
        if candidates.iter().any(|offer| self.is_kept_by(offer)) {
            return Ok(());
        }
        let name = self.name.as_ref().map_or_else(String::new, |name| format!(" `{name}`"));
        let given: BTreeSet<String> = candidates
            .iter()
            .map(|offer| format!("`{}` with {}", offer.name, amount(Some(offer.is_text), offer.width)))
            .collect();
        let given: Vec<String> = given.into_iter().collect();
        Err(format!("the output{name} has {}, the file gives {}", amount(self.is_text, self.width), given.join(", ")))
    }

    fn is_kept_by(&self, offer: &Offer) -> bool {
        let is_kind = self.is_text.is_none_or(|is_text| is_text == offer.is_text);
        is_kind && self.width.zip(offer.width).is_none_or(|(promised, offered)| promised == offered)
    }
}

/// "a number", "3 texts", "values".
fn amount(is_text: Option<bool>, width: Option<usize>) -> String {
    let what = match is_text {
        None => "value",
        Some(true) => "text",
        Some(false) => "number",
    };
    match width {
        Some(1) => format!("a {what}"),
        Some(width) => format!("{width} {what}s"),
        None => format!("{what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers() -> Vec<Offer> {
        let offer = |name: &str, is_text, width| Offer { name: name.to_owned(), is_text, width };
        vec![offer("label", true, Some(1)), offer("probabilities", false, Some(3)), offer("scores", false, None)]
    }

    fn checked(json: &str) -> Result<(), String> {
        parse(json)?.iter().try_for_each(|promise| promise.check(&offers()))
    }

    #[test]
    fn an_answer_of_the_kind_is_enough() {
        for json in [
            "[]",
            r#"[{"type": "string", "required": true}]"#,
            r#"[{"type": "double", "name": "risk"}, {"type": "object", "properties": {}, "name": "label"}]"#,
            r#"[{"type": "string", "name": "label"}, {"type": "array", "items": {"type": "double"}, "name": "x"}]"#,
            r#"[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}]"#,
            r#"[{"type": "tensor", "tensor-spec": {"dtype": "object", "shape": [-1]}}]"#,
            r#"[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1, -1]}, "name": 0}]"#,
        ] {
            assert_eq!(checked(json), Ok(()), "{json}");
        }
    }

    #[test]
    fn a_promise_that_no_answer_keeps_is_named() {
        let refusal = |json: &str| checked(json).expect_err("refused");
        insta::assert_snapshot!(refusal(r#"[{"type": "long", "name": "label"}]"#), @"the output `label` has numbers, the file gives `label` with a text");
        let numbers = |json: &str| {
            let offers = vec![Offer { name: "variable".to_owned(), is_text: false, width: Some(1) }];
            parse(json).expect("JSON")[0].check(&offers).expect_err("refused")
        };
        insta::assert_snapshot!(numbers(r#"[{"type": "string"}]"#), @"the output has texts, the file gives `variable` with a number");
        insta::assert_snapshot!(numbers(r#"[{"type": "tensor", "name": "y", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}}]"#), @"the output `y` has 4 numbers, the file gives `variable` with a number");
        insta::assert_snapshot!(refusal("{}"), @"its outputs: invalid type: map, expected a sequence at line 1 column 0");
    }
}
