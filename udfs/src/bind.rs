//! Matching the arguments of a call with the features of its model, while the statement is planned.

use datafusion_common::{Column, DFSchema, Result, TableReference, plan_datafusion_err, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::{Expr, ExprSchemable, when};
use datafusion_functions::core::expr_fn::get_field;
use foretell_model::{Answer, Feature, Model, OnRefusedRow};

use arrow::datatypes::DataType;

use crate::bound::BoundCall;
use crate::error::to_datafusion;
use crate::predict::{ModelFunc, NamedCall, PredictFunc, PredictProbaFunc, PredictRawFunc, TryPredictFunc};
use crate::source::{NamedModel, nearest};

/// The columns that a call can bind by name.
pub trait Scope {
    /// All columns with their types.
    fn schema(&self) -> &DFSchema;

    /// One column for `candidates` that share a name, if the statement makes them the same (`JOIN ... USING`).
    fn unify(&self, candidates: &[Column]) -> Option<Column>;
}

/// The bound form of `call` if it is one of foretell's functions, else the call itself.
///
/// # Errors
/// A plan error that names model, argument, what was expected and what was got.
pub fn bind_call(call: &ScalarFunction, scope: &dyn Scope) -> Result<Option<Expr>> {
    let Some(request) = Request::of(call)? else { return Ok(None) };
    let model = request.model.model()?;
    let target = Target { name: &request.model.name, model: &model };
    let features = match_features(&target, request.features, scope)?;
    check_types(&target, &features, scope.schema())?;
    let bound = BoundCall::try_new(&request.function, &request.model, request.answer, request.refused)?;
    Ok(Some(bound.call(features)))
}

/// True for a call that [`bind_call`] would replace.
pub fn is_model_call(expr: &Expr) -> bool {
    let Expr::ScalarFunction(call) = expr else { return false };
    let udf = call.func.inner();
    udf.is::<ModelFunc>() || named_call(call).is_some()
}

/// True for a model call that names no feature: `m()`, `m(*)`, `predict('m')`, `predict('m', t.*)`.
pub fn binds_by_name(expr: &Expr) -> bool {
    let Expr::ScalarFunction(call) = expr else { return false };
    let features = match named_call(call) {
        Some(_) => call.args.get(1..).unwrap_or_default(),
        None if call.func.inner().is::<ModelFunc>() => &call.args,
        None => return false,
    };
    features.is_empty() || features.iter().all(is_wildcard)
}

/// The model when `expr` is a call of `predict_proba`.
///
/// # Errors
/// When no model has the name it gives.
pub fn model_of_probabilities(expr: &Expr) -> Result<Option<NamedModel>> {
    match expr {
        Expr::ScalarFunction(call) => match call.func.inner().downcast_ref::<PredictProbaFunc>() {
            Some(function) => function.call.model(&call.args).map(Some),
            None => Ok(None),
        },
        Expr::Alias(alias) => model_of_probabilities(&alias.expr),
        _ => Ok(None),
    }
}

/// What `predict` and its kin share, if `call` is one of them.
fn named_call(call: &ScalarFunction) -> Option<&NamedCall> {
    let udf = call.func.inner();
    udf.downcast_ref::<PredictFunc>()
        .map(|function| &function.call)
        .or_else(|| udf.downcast_ref::<PredictProbaFunc>().map(|function| &function.call))
        .or_else(|| udf.downcast_ref::<PredictRawFunc>().map(|function| &function.call))
        .or_else(|| udf.downcast_ref::<TryPredictFunc>().map(|function| &function.call))
}

/// The model a call goes to.
struct Target<'a> {
    name: &'a str,
    model: &'a Model,
}

/// What a call asks for.
struct Request<'a> {
    function: String,
    model: NamedModel,
    answer: Answer,
    refused: OnRefusedRow,
    features: &'a [Expr],
}

impl<'a> Request<'a> {
    fn of(call: &'a ScalarFunction) -> Result<Option<Self>> {
        let udf = call.func.inner();
        if let Some(function) = udf.downcast_ref::<ModelFunc>() {
            return Ok(Some(Self {
                function: function.model().name.to_string(),
                model: function.model().clone(),
                answer: Answer::Prediction,
                refused: OnRefusedRow::Fail,
                features: &call.args,
            }));
        }
        let Some(named) = named_call(call) else { return Ok(None) };
        Ok(Some(Self {
            function: named.function.to_owned(),
            model: named.model(&call.args)?,
            answer: named.answer,
            refused: named.refused,
            features: call.args.get(1..).unwrap_or_default(),
        }))
    }
}

fn match_features(target: &Target, args: &[Expr], scope: &dyn Scope) -> Result<Vec<Expr>> {
    match args {
        [] => by_name(target, None, scope),
        #[expect(deprecated, reason = "SQL planning still produces it for `*` in a function's arguments")]
        [Expr::Wildcard { qualifier, .. }] => by_name(target, qualifier.as_ref(), scope),
        [only] => single(target, only, scope),
        args => by_position(target, args),
    }
}

/// One argument: a struct with the features as fields, a list with all of them, or the only feature.
fn single(target: &Target, arg: &Expr, scope: &dyn Scope) -> Result<Vec<Expr>> {
    let data_type = arg.get_type(scope.schema())?;
    match &data_type {
        DataType::Struct(fields) => {
            let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
            let features = &target.model.signature().features;
            features
                .iter()
                .map(|feature| match find_name(&feature.name, &names) {
                    Some(name) => field_of(arg, name, scope),
                    None => missing(target, feature, &names, "field of the struct"),
                })
                .collect()
        }
        list if target.model.signature().takes_as_list(list) => Ok(vec![arg.clone()]),
        _ => by_position(target, std::slice::from_ref(arg)),
    }
}

/// A field of a struct, NULL where the struct is: `get_field` alone would give whatever lies beneath the NULL.
fn field_of(arg: &Expr, name: &str, scope: &dyn Scope) -> Result<Expr> {
    let field = get_field(arg.clone(), name);
    if arg.nullable(scope.schema())? { when(arg.clone().is_not_null(), field).end() } else { Ok(field) }
}

fn by_position(target: &Target, args: &[Expr]) -> Result<Vec<Expr>> {
    let features = &target.model.signature().features;
    if let Some(position) = args.iter().position(is_wildcard) {
        return plan_err!(
            "model `{}`: `*` must be the only argument after the model's name, got it as argument {}",
            target.name,
            position + 1
        );
    }
    if args.len() != features.len() {
        return plan_err!(
            "model `{}` takes {} argument{} ({}), got {}",
            target.name,
            features.len(),
            if features.len() == 1 { "" } else { "s" },
            names_of(features),
            args.len()
        );
    }
    Ok(args.to_vec())
}

#[expect(deprecated, reason = "SQL planning still produces it for `*` in a function's arguments")]
fn is_wildcard(expr: &Expr) -> bool {
    matches!(expr, Expr::Wildcard { .. })
}

fn names_of(features: &[Feature]) -> String {
    const SHOWN: usize = 12;
    let mut names: Vec<&str> = features.iter().take(SHOWN).map(|feature| feature.name.as_str()).collect();
    if features.len() > SHOWN {
        names.push("...");
    }
    names.join(", ")
}

/// The name in `names` that is `wanted`: exactly, or the only one that differs in case alone.
fn find_name<'a>(wanted: &str, names: &[&'a str]) -> Option<&'a str> {
    if let Some(exact) = names.iter().find(|name| **name == wanted) {
        return Some(exact);
    }
    let mut alike = names.iter().filter(|name| name.eq_ignore_ascii_case(wanted));
    match (alike.next(), alike.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

fn by_name(target: &Target, qualifier: Option<&TableReference>, scope: &dyn Scope) -> Result<Vec<Expr>> {
    let columns: Vec<Column> = scope
        .schema()
        .columns()
        .into_iter()
        .filter(|column| {
            qualifier.is_none_or(|wanted| column.relation.as_ref().is_some_and(|have| have.resolved_eq(wanted)))
        })
        .collect();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let unique: Vec<&str> = names.iter().copied().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    let features = &target.model.signature().features;
    features
        .iter()
        .map(|feature| {
            let Some(name) = find_name(&feature.name, &unique) else {
                return missing(target, feature, &unique, "column here");
            };
            let candidates: Vec<Column> = columns.iter().filter(|column| column.name == name).cloned().collect();
            one_of(target, feature, &candidates, scope).map(Expr::Column)
        })
        .collect()
}

fn one_of(target: &Target, feature: &Feature, candidates: &[Column], scope: &dyn Scope) -> Result<Column> {
    if let [only] = candidates {
        return Ok(only.clone());
    }
    scope.unify(candidates).ok_or_else(|| {
        let shown: Vec<String> = candidates.iter().map(|column| format!("`{}`", column.flat_name())).collect();
        plan_datafusion_err!(
            "model `{}`: feature `{}` is ambiguous, it could be {}; give the features one by one or as `table.*`",
            target.name,
            feature.name,
            shown.join(" or ")
        )
    })
}

fn missing<T>(target: &Target, feature: &Feature, names: &[&str], kind: &str) -> Result<T> {
    let near = match nearest(&feature.name, names.iter().copied()) {
        Some(near) => format!("; the nearest is `{near}`"),
        None => String::new(),
    };
    plan_err!(
        "model `{}` needs the feature `{}` ({}), and no {kind} is called so{near}",
        target.name,
        feature.name,
        feature.data_type
    )
}

/// Checks the type of every argument against its feature, or that of the one list against all features.
fn check_types(target: &Target, args: &[Expr], schema: &DFSchema) -> Result<()> {
    let types = args.iter().map(|arg| arg.get_type(schema)).collect::<Result<Vec<_>>>()?;
    target.model.signature().accepts(&types).map_err(|error| to_datafusion(target.name, error))
}
