//! `CREATE FUNCTION m(...) LANGUAGE onnx AS 'uri'`: the standard statement under `CREATE MODEL`, for any SessionContext.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use async_trait::async_trait;
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::execution::context::{FunctionFactory, RegisterFunction};
use datafusion::logical_expr::{CreateFunction, Expr, OperateFunctionArg};
use foretell_model::{DeclaredFeature, Model};

use crate::engine::{Engine, NewModel};

/// Makes models out of `CREATE FUNCTION ... LANGUAGE onnx`; passes other languages to the factory that was there before.
#[derive(Debug)]
pub(crate) struct ModelFunctionFactory {
    engine: Arc<Engine>,
    others: Option<Arc<dyn FunctionFactory>>,
}

impl ModelFunctionFactory {
    pub(crate) fn new(engine: &Arc<Engine>, others: Option<Arc<dyn FunctionFactory>>) -> Self {
        Self { engine: Arc::clone(engine), others }
    }
}

#[async_trait]
impl FunctionFactory for ModelFunctionFactory {
    async fn create(&self, state: &SessionState, statement: CreateFunction) -> Result<RegisterFunction> {
        let language = statement.params.language.as_ref().map(|language| language.value.to_lowercase());
        match (language.as_deref(), &self.others) {
            (Some("onnx"), _) => {}
            (_, Some(others)) => return others.create(state, statement).await,
            (Some(other), None) => return plan_err!("LANGUAGE is onnx, got {other}"),
            (None, None) => return plan_err!("CREATE FUNCTION {} lacks LANGUAGE onnx", statement.name),
        }
        let Some(uri) = statement.params.function_body.as_ref().and_then(text) else {
            return plan_err!(
                "CREATE FUNCTION {} LANGUAGE onnx needs AS 'path or address of the file'",
                statement.name
            );
        };
        let new = NewModel {
            name: statement.name.clone(),
            or_replace: statement.or_replace,
            temporary: statement.temporary,
            features: features(statement.args.as_deref().unwrap_or_default())?,
            uri,
            options: BTreeMap::new(),
        };
        let returns = statement.return_type.as_ref();
        let udf = self.engine.make(new, state, |model| check_return_type(&statement.name, model, returns)).await?;
        Ok(RegisterFunction::Scalar(Arc::new(udf)))
    }
}

fn text(body: &Expr) -> Option<String> {
    match body {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        _ => None,
    }
}

/// The features named in the statement; `None` takes the file's own.
fn features(args: &[OperateFunctionArg]) -> Result<Option<Vec<DeclaredFeature>>> {
    if args.is_empty() {
        return Ok(None);
    }
    let declared = args.iter().map(|arg| match &arg.name {
        Some(name) => {
            let name = if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() };
            Ok(DeclaredFeature { name, data_type: Some(arg.data_type.clone()) })
        }
        None => {
            plan_err!("name every argument of the function or leave the list empty, got one of type {}", arg.data_type)
        }
    });
    declared.collect::<Result<_>>().map(Some)
}

/// The type after RETURNS says what kind of answer is expected; the model's own type is what the function returns.
fn check_return_type(name: &str, model: &Model, declared: Option<&DataType>) -> Result<()> {
    let Some(declared) = declared else { return Ok(()) };
    let actual = &model.signature().prediction;
    let same_kind = declared.is_null()
        || (declared.is_numeric() && actual.is_numeric())
        || (declared.is_string() && actual.is_string())
        || (declared.is_list() && actual.is_list())
        || declared == actual;
    if same_kind {
        return Ok(());
    }
    plan_err!("function `{name}` is declared to return {declared}, the model returns {actual}")
}
