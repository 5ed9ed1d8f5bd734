//! What `predict`, `predict_proba`, `predict_raw` and `try_predict` share: a model's name as the first argument.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{Expr, ReturnFieldArgs, Signature, Volatility};
use foretell_model::{Answer, OnRefusedRow};

use crate::args;
use crate::error::to_datafusion;
use crate::source::{ModelSource, NamedModel};

/// A function whose first argument names the model. It has a type but cannot run: binding replaces it.
#[derive(Debug, Clone)]
pub(crate) struct NamedCall {
    pub(crate) function: &'static str,
    pub(crate) answer: Answer,
    pub(crate) refused: OnRefusedRow,
    pub(crate) source: Arc<dyn ModelSource>,
    pub(crate) signature: Signature,
}

impl NamedCall {
    pub(crate) fn new(
        function: &'static str,
        answer: Answer,
        refused: OnRefusedRow,
        source: &Arc<dyn ModelSource>,
    ) -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { function, answer, refused, source: Arc::clone(source), signature }
    }

    /// The model that the call's first argument names.
    pub(crate) fn model(&self, call_args: &[Expr]) -> Result<NamedModel> {
        args::named_model(self.function, call_args.first().and_then(args::literal), &self.source)
    }

    /// The type of the answer; nullable, since a missing feature may make it NULL.
    pub(crate) fn return_field(&self, call_args: &ReturnFieldArgs) -> Result<FieldRef> {
        let literal = call_args.scalar_arguments.first().copied().flatten();
        let named = args::named_model(self.function, literal, &self.source)?;
        let data_type = named.model()?.answer_type(self.answer).map_err(|error| to_datafusion(&named.name, error))?;
        Ok(Arc::new(Field::new(self.function, data_type, true)))
    }

    pub(crate) fn schema_name(&self, call_args: &[Expr]) -> Result<String> {
        Ok(format!("{}({})", self.function, args::display(call_args)?))
    }

    /// Any arguments may follow the name; binding checks them where it can say more.
    pub(crate) fn coerce(types: &[DataType]) -> Vec<DataType> {
        types.to_vec()
    }

    pub(crate) fn not_bound<T>(&self) -> Result<T> {
        plan_err!(
            "`{}` was not bound to a model: the session lacks foretell's analyzer rule; register foretell with `foretell::register`",
            self.function
        )
    }
}

impl PartialEq for NamedCall {
    fn eq(&self, other: &Self) -> bool {
        self.function == other.function && Arc::ptr_eq(&self.source, &other.source)
    }
}

impl Eq for NamedCall {}

impl Hash for NamedCall {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.hash(state);
    }
}

/// Implements the host's trait for a struct that holds one [`NamedCall`] as `call`.
macro_rules! named_call_udf {
    ($function:ident) => {
        impl datafusion_expr::ScalarUDFImpl for $function {
            fn name(&self) -> &str {
                self.call.function
            }

            fn signature(&self) -> &datafusion_expr::Signature {
                &self.call.signature
            }

            fn coerce_types(
                &self,
                types: &[arrow::datatypes::DataType],
            ) -> datafusion_common::Result<Vec<arrow::datatypes::DataType>> {
                Ok(super::NamedCall::coerce(types))
            }

            fn return_type(
                &self,
                _types: &[arrow::datatypes::DataType],
            ) -> datafusion_common::Result<arrow::datatypes::DataType> {
                datafusion_common::internal_err!("foretell answers return_field_from_args for `{}`", self.call.function)
            }

            fn return_field_from_args(
                &self,
                args: datafusion_expr::ReturnFieldArgs,
            ) -> datafusion_common::Result<arrow::datatypes::FieldRef> {
                self.call.return_field(&args)
            }

            fn schema_name(&self, args: &[datafusion_expr::Expr]) -> datafusion_common::Result<String> {
                self.call.schema_name(args)
            }

            fn invoke_with_args(
                &self,
                _args: datafusion_expr::ScalarFunctionArgs,
            ) -> datafusion_common::Result<datafusion_expr::ColumnarValue> {
                self.call.not_bound()
            }

            fn documentation(&self) -> Option<&datafusion_expr::Documentation> {
                self.doc()
            }
        }
    };
}
pub(crate) use named_call_udf;
