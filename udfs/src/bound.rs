//! A call tied to one model: what runs.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use foretell_model::{Answer, Model, NullPolicy, OnRefusedRow};

use crate::error::to_datafusion;
use crate::source::NamedModel;

/// A model, the answer wanted of it, and one argument per feature.
///
/// Two bound calls are equal when they ask the same model for the same answer, so that equal calls on equal arguments are
/// computed once. A plan operator that shares one run between several answers can take [`Self::model`] and [`Self::answer`]
/// over.
#[derive(Debug)]
pub struct BoundCall {
    model: Arc<Model>,
    model_name: Arc<str>,
    answer: Answer,
    refused: OnRefusedRow,
    name: String,
    signature: Signature,
}

impl BoundCall {
    /// The call of `function` bound to `named`.
    ///
    /// # Errors
    /// Whatever reading the model answers.
    pub fn try_new(function: &str, named: &NamedModel, answer: Answer, refused: OnRefusedRow) -> Result<Self> {
        let name = if function == &*named.name { function.to_owned() } else { format!("{function}['{}']", named.name) };
        let signature = Signature::user_defined(Volatility::Immutable);
        Ok(Self { model: named.model()?, model_name: Arc::clone(&named.name), answer, refused, name, signature })
    }

    /// The expression that calls this on `features`.
    pub fn call(self, features: Vec<Expr>) -> Expr {
        ScalarUDF::from(self).call(features)
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// The model's name when the call was bound.
    pub fn model_name(&self) -> &str {
        &self.model_name
    }

    /// What is asked of it.
    pub fn answer(&self) -> Answer {
        self.answer
    }

    fn run(&self, features: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let mut answers = self
            .model
            .run(features, rows, &[self.answer], self.refused)
            .map_err(|error| to_datafusion(&self.model_name, error))?;
        match answers.pop() {
            Some(answer) => Ok(answer),
            None => internal_err!("foretell: model `{}` gave no answer", self.model_name),
        }
    }
}

impl PartialEq for BoundCall {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.model, &other.model)
            && self.answer == other.answer
            && self.refused == other.refused
            && self.name == other.name
    }
}

impl Eq for BoundCall {}

impl Hash for BoundCall {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for BoundCall {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        self.model.answer_type(self.answer).map_err(|error| to_datafusion(&self.model_name, error))
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(&self.name, self.return_type(&[])?, true)))
    }

    fn is_strict(&self) -> bool {
        let features = &self.model.signature().features;
        !features.is_empty() && features.iter().all(|feature| feature.null_policy == NullPolicy::Null)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let features = args.args.iter().map(|arg| arg.to_array_of_size(rows)).collect::<Result<Vec<_>>>()?;
        let answer = self.run(&features, rows)?;
        if constant {
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&answer, 0)?))
        } else {
            Ok(ColumnarValue::Array(answer))
        }
    }
}
