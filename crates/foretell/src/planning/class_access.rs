//! `predict_proba('m', ...)['yes']`: a class that the model does not know is an error that says which ones it knows.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, plan_err};
use datafusion::error::Result;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::ExprSchemable;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion::logical_expr::{Expr, GetFieldAccess, lit};
use datafusion::scalar::ScalarValue;
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
        let Some(named) = model_of_probabilities(&expr.expr)? else { return Ok(PlannerResult::Original(expr)) };
        let Some(wanted) = class_name(&expr.field_access) else { return Ok(PlannerResult::Original(expr)) };
        let model = named.model()?;
        let Some(classes) = &model.signature().classes else { return Ok(PlannerResult::Original(expr)) };
        let classes = class_names(classes)?;
        let Some(position) = classes.iter().position(|class| *class == wanted) else {
            let cure = match nearest(&wanted, classes.iter().map(String::as_str)) {
                Some(near) => format!("; did you mean '{near}'?"),
                None => String::new(),
            };
            return plan_err!(
                "model `{}` has no class '{wanted}', its classes are {}{cure}",
                named.name,
                shown(&classes)
            );
        };
        match expr.expr.get_type(schema)? {
            DataType::Struct(_) => Ok(PlannerResult::Planned(get_field(expr.expr, wanted))),
            // Too many classes for a struct: the list has them in the order of the classes, and SQL counts from 1.
            _ => {
                let key = Box::new(lit(position as i64 + 1));
                Ok(PlannerResult::Original(RawFieldAccessExpr {
                    field_access: GetFieldAccess::ListIndex { key },
                    expr: expr.expr,
                }))
            }
        }
    }
}

/// The labels as they are written in brackets.
fn class_names(classes: &ArrayRef) -> Result<Vec<String>> {
    (0..classes.len()).map(|class| Ok(ScalarValue::try_from_array(classes, class)?.to_string())).collect()
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

fn shown(classes: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut shown: Vec<String> = classes.iter().take(SHOWN).map(|class| format!("'{class}'")).collect();
    if classes.len() > SHOWN {
        shown.push(format!("... ({} in all)", classes.len()));
    }
    shown.join(", ")
}
