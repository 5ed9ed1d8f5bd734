//! `late(...)`: one function per model, called by the model's name.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, internal_err, plan_err};
use datafusion_expr::{
    ColumnarValue, Documentation, DocumentationBuilder, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility, scalar_doc_sections::DOC_SECTION_OTHER,
};
use foretell_model::Answer;

use crate::args;
use crate::error::to_datafusion;
use crate::source::NamedModel;

/// The function that a model is. The session's registry of functions is the one place where models are found by name.
#[derive(Debug)]
pub struct ModelFunc {
    model: NamedModel,
    signature: Signature,
    documentation: Documentation,
}

impl ModelFunc {
    /// The function for `model`, with its features as parameter names.
    ///
    /// # Errors
    /// A plan error when the features' names cannot be parameter names, for example twice the same name.
    pub fn try_new(model: NamedModel) -> Result<Self> {
        let names = &model.details.features;
        let distinct: HashSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
        if distinct.len() != names.len() {
            let name = &model.name;
            return plan_err!(
                "model `{name}` has two features of the same name; name them: CREATE MODEL {name} (a, b, ...) FROM ..."
            );
        }
        let signature = Signature::user_defined(Volatility::Immutable).with_parameter_names(names.clone())?;
        let documentation = DocumentationBuilder::new_with_details(
            DOC_SECTION_OTHER,
            format!("Prediction of the model `{}` from `{}`.", model.name, model.details.uri),
            format!("{}({})", model.name, names.join(", ")),
        )
        .build();
        Ok(Self { model, signature, documentation })
    }

    /// As a function to register.
    pub fn into_udf(self) -> ScalarUDF {
        ScalarUDF::from(self)
    }

    /// The model behind the function.
    pub fn model(&self) -> &NamedModel {
        &self.model
    }
}

impl PartialEq for ModelFunc {
    fn eq(&self, other: &Self) -> bool {
        self.model.same(&other.model) && self.model.name == other.model.name
    }
}

impl Eq for ModelFunc {}

impl Hash for ModelFunc {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.model.name.hash(state);
    }
}

impl ScalarUDFImpl for ModelFunc {
    fn name(&self) -> &str {
        &self.model.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        internal_err!("foretell answers return_field_from_args for `{}`", self.model.name)
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs) -> Result<FieldRef> {
        let data_type = self
            .model
            .model()?
            .answer_type(Answer::Prediction)
            .map_err(|error| to_datafusion(&self.model.name, error))?;
        Ok(Arc::new(Field::new(self.name(), data_type, true)))
    }

    fn schema_name(&self, call_args: &[Expr]) -> Result<String> {
        Ok(format!("{}({})", self.model.name, args::display(call_args)?))
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        plan_err!(
            "`{}` was not bound: the session lacks foretell's analyzer rule; register foretell with `foretell::register`",
            self.model.name
        )
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}
