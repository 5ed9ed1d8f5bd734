//! `FROM ml_predict('m', (SELECT ...))` and BigQuery's `ML.PREDICT`: the input's columns, then the prediction's.

use std::sync::Arc;

use datafusion::common::{plan_datafusion_err, plan_err};
use datafusion::error::Result;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, lit, when};
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, FunctionArg, FunctionArgExpr, ObjectName, Query, TableFactor, Value,
};
use foretell_model::Answer;
use foretell_udfs::{LabelProbabilitiesFunc, ModelSource, NamedModel, predict_proba_udf, predict_udf};

/// Plans calls of `ml_predict` in FROM.
#[derive(Debug)]
pub(crate) struct MlPredict {
    source: Arc<dyn ModelSource>,
}

impl MlPredict {
    pub(crate) fn new(source: &Arc<dyn ModelSource>) -> Self {
        Self { source: Arc::clone(source) }
    }
}

impl RelationPlanner for MlPredict {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        match relation {
            TableFactor::Table { name, alias, args: Some(args), .. } if is_ml_predict(&name) => {
                let call = Call::read(args.args)?;
                let input = context.plan(call.input)?;
                let plan = self.predictions(&call.model, input, call.threshold)?;
                Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
            }
            other => Ok(RelationPlanning::Original(Box::new(other))),
        }
    }
}

impl MlPredict {
    /// `input` with `predicted_<label>` and, for a classifier with probabilities, `predicted_<label>_probs`.
    fn predictions(&self, name: &str, input: LogicalPlan, threshold: Option<f64>) -> Result<LogicalPlan> {
        let name_literal = || lit(name);
        let Some(named) = self.source.model(name) else {
            // The function says what names there are.
            return LogicalPlanBuilder::from(input)
                .project(vec![predict_udf(&self.source).call(vec![name_literal()])])?
                .build();
        };
        let model = named.model()?;
        let column = format!("predicted_{}", named.details.label);
        let mut columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
        let probabilities = predict_proba_udf(&self.source).call(vec![name_literal()]);
        let prediction = match threshold {
            Some(threshold) => above_threshold(&named, &probabilities, threshold)?,
            None => predict_udf(&self.source).call(vec![name_literal()]),
        };
        columns.push(prediction.alias(&column));
        if let (Some(classes), true) = (&model.signature().classes, model.answer_type(Answer::Probabilities).is_ok()) {
            let pairs = ScalarUDF::from(LabelProbabilitiesFunc::new(Arc::clone(classes)));
            columns.push(pairs.call(vec![probabilities]).alias(format!("{column}_probs")));
        }
        LogicalPlanBuilder::from(input).project(columns)?.build()
    }
}

/// The second of two classes where its probability reaches `threshold`, else the first; NULL stays NULL.
fn above_threshold(named: &NamedModel, probabilities: &Expr, threshold: f64) -> Result<Expr> {
    let model = named.model()?;
    let classes = match &model.signature().classes {
        Some(classes) if classes.len() == 2 && model.signature().has_probabilities => classes,
        _ => {
            return plan_err!(
                "`threshold` needs a classifier with two classes and probabilities, model `{}` is {}",
                named.name,
                model.signature().task.as_str()
            );
        }
    };
    if !(0.0..=1.0).contains(&threshold) {
        return plan_err!("`threshold` is a probability from 0 to 1, got {threshold}");
    }
    let label = |position| ScalarValue::try_from_array(classes, position).map(|label| Expr::Literal(label, None));
    let text = |position| -> Result<String> { Ok(ScalarValue::try_from_array(classes, position)?.to_string()) };
    let positive = get_field(probabilities.clone(), text(1)?);
    when(positive.clone().gt_eq(lit(threshold)), label(1)?).when(positive.lt(lit(threshold)), label(0)?).end()
}

fn is_ml_predict(name: &ObjectName) -> bool {
    let name = name.to_string();
    name.eq_ignore_ascii_case("ml_predict") || name.eq_ignore_ascii_case("ml.predict")
}

/// The arguments of one call.
struct Call {
    model: String,
    input: TableFactor,
    threshold: Option<f64>,
}

impl Call {
    fn read(args: Vec<FunctionArg>) -> Result<Self> {
        const USAGE: &str = "`ml_predict` takes a model and a query: ml_predict('model', (SELECT ...)) or \
                             ML.PREDICT(MODEL model, TABLE table)";
        let (mut model, mut input, mut threshold) = (None, None, None);
        for (position, arg) in args.into_iter().enumerate() {
            let (name, value) = match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => (None, value),
                FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), .. } => {
                    (Some(name.value.to_lowercase()), value)
                }
                _ => return plan_err!("{USAGE}"),
            };
            match (name.as_deref(), position) {
                (Some("model"), _) | (None, 0) => {
                    model = Some(model_name(&value).ok_or_else(|| plan_datafusion_err!("{USAGE}"))?)
                }
                (Some("input"), _) | (None, 1) => {
                    input = Some(relation(value).ok_or_else(|| plan_datafusion_err!("{USAGE}"))?)
                }
                (Some("threshold"), _) => threshold = Some(number(&value)?),
                (None, 2) => threshold = settings(value)?,
                _ => return plan_err!("{USAGE}"),
            }
        }
        match (model, input) {
            (Some(model), Some(input)) => Ok(Self { model, input, threshold }),
            _ => plan_err!("{USAGE}"),
        }
    }
}

fn model_name(value: &SqlExpr) -> Option<String> {
    match value {
        SqlExpr::Value(value) => value.value.clone().into_string(),
        _ => None,
    }
}

/// A subquery or a name in FROM's own form.
fn relation(value: SqlExpr) -> Option<TableFactor> {
    let derived = |subquery: Box<Query>| TableFactor::Derived { lateral: false, subquery, alias: None, sample: None };
    let table = |name: ObjectName| TableFactor::Table {
        name,
        alias: None,
        args: None,
        with_hints: vec![],
        version: None,
        with_ordinality: false,
        partitions: vec![],
        json_path: None,
        sample: None,
        index_hints: vec![],
    };
    match value {
        SqlExpr::Subquery(query) => Some(derived(query)),
        SqlExpr::Identifier(name) => Some(table(ObjectName::from(vec![name]))),
        SqlExpr::CompoundIdentifier(names) => Some(table(ObjectName::from(names))),
        _ => None,
    }
}

/// `STRUCT(0.55 AS threshold)`.
fn settings(value: SqlExpr) -> Result<Option<f64>> {
    let SqlExpr::Struct { values, .. } = value else {
        return plan_err!("the third argument of `ml_predict` is STRUCT(... AS threshold), got {value}");
    };
    let mut threshold = None;
    for value in values {
        match value {
            SqlExpr::Named { expr, name } if name.value.eq_ignore_ascii_case("threshold") => {
                threshold = Some(number(&expr)?);
            }
            other => return plan_err!("`ml_predict` knows the setting `threshold`, got {other}"),
        }
    }
    Ok(threshold)
}

fn number(value: &SqlExpr) -> Result<f64> {
    if let SqlExpr::Value(value) = value
        && let Value::Number(text, _) = &value.value
        && let Ok(number) = text.to_string().parse()
    {
        return Ok(number);
    }
    plan_err!("`threshold` is a number, got {value}")
}
