//! `predict_proba('m', ...)['yes']`: a class that the model does not know is an error that says which ones it knows.

use datafusion::common::{DFSchema, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion::logical_expr::{Expr, GetFieldAccess};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::scalar::ScalarValue;
use arrow::datatypes::DataType;
use datafusion::logical_expr::ExprSchemable;
use foretell_udfs::{bind::model_of_probabilities, nearest};

/// Plans brackets behind `predict_proba`; leaves all others to the host.
#[derive(Debug)]
pub(crate) struct ClassAccess;

impl ExprPlanner for ClassAccess {
    fn plan_field_access(
        &self,
        expr: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let Some(model) = model_of_probabilities(&expr.expr)? else { return Ok(PlannerResult::Original(expr)) };
        let Some(wanted) = class_name(&expr.field_access) else { return Ok(PlannerResult::Original(expr)) };
        let DataType::Struct(fields) = expr.expr.get_type(schema)? else { return Ok(PlannerResult::Original(expr)) };
        let classes: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        if classes.contains(&wanted.as_str()) {
            return Ok(PlannerResult::Planned(get_field(expr.expr, wanted)));
        }
        let cure = match nearest(&wanted, classes.iter().copied()) {
            Some(near) => format!("; did you mean '{near}'?"),
            None => String::new(),
        };
        plan_err!("model `{model}` has no class '{wanted}', its classes are {}{cure}", shown(&classes))
    }
}

/// The class that a literal in brackets names; a number names a class with a numeric label.
fn class_name(access: &GetFieldAccess) -> Option<String> {
    match access {
        GetFieldAccess::NamedStructField { name } => name.try_as_str().flatten().map(str::to_owned),
        GetFieldAccess::ListIndex { key } => match key.as_ref() {
            Expr::Literal(ScalarValue::Int64(Some(label)), _) => Some(label.to_string()),
            Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
            Expr::Negative(inner) => match inner.as_ref() {
                Expr::Literal(ScalarValue::Int64(Some(label)), _) => Some(format!("-{label}")),
                _ => None,
            },
            _ => None,
        },
        GetFieldAccess::ListRange { .. } => None,
    }
}

fn shown(classes: &[&str]) -> String {
    const SHOWN: usize = 12;
    let mut shown: Vec<String> = classes.iter().take(SHOWN).map(|class| format!("'{class}'")).collect();
    if classes.len() > SHOWN {
        shown.push(format!("... ({} in all)", classes.len()));
    }
    shown.join(", ")
}
