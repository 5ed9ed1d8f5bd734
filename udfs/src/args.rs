//! The arguments of calls: literal model names and who may follow them. All such messages are born here.

use std::sync::Arc;

use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::Expr;

use crate::source::{ModelSource, NamedModel, nearest};

/// The text of a literal, whichever string type it has.
fn text(value: &ScalarValue) -> Option<&str> {
    value.try_as_str().flatten()
}

/// The model that a literal first argument of `function` names.
pub(crate) fn named_model(
    function: &str,
    literal: Option<&ScalarValue>,
    source: &Arc<dyn ModelSource>,
) -> Result<NamedModel> {
    let Some(name) = literal.and_then(text) else {
        return plan_err!("`{function}` takes the model's name as its first argument, a text literal such as 'churn'");
    };
    match source.model(name) {
        Some(model) => Ok(model),
        None => unknown_model(name, source),
    }
}

fn unknown_model<T>(name: &str, source: &Arc<dyn ModelSource>) -> Result<T> {
    let names = source.names();
    match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => plan_err!("no model is called `{name}`; did you mean `{near}`?"),
        None if names.is_empty() => {
            plan_err!("no model is called `{name}`; there are none yet: CREATE MODEL {name} FROM 'file.onnx'")
        }
        None => plan_err!("no model is called `{name}`; SHOW MODELS lists those there are"),
    }
}

/// The literal behind an expression, if it is one.
pub(crate) fn literal(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        Expr::Alias(alias) => literal(&alias.expr),
        Expr::Cast(cast) => literal(&cast.expr),
        _ => None,
    }
}

/// Arguments as a reader would write them, for column names.
pub(crate) fn display(args: &[Expr]) -> Result<String> {
    let mut shown = Vec::with_capacity(args.len());
    for arg in args {
        shown.push(match arg {
            Expr::Literal(value, _) => match text(value) {
                Some(text) => format!("'{text}'"),
                None => value.to_string(),
            },
            other => other.schema_name().to_string(),
        });
    }
    Ok(shown.join(", "))
}
