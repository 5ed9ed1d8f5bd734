//! Models come and go here, whichever statement asks for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, DataFusionError, plan_err};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::{ExprSchemable, ScalarUDF};
use foretell_mlflow::Error as MlflowError;
use foretell_model::{DeclaredFeature, Limits, LoadOptions, Model, NullPolicy};
use foretell_udfs::{ModelDetails, ModelFunc, ModelSource, NamedModel, nearest, to_datafusion};

use crate::dialect::{CreateModel, Parameter};
use crate::fetch::{Example, Fetched, fetch};
use crate::options::limits;
use crate::registry::SessionModels;
use crate::store::ModelStore;

/// Names of the options of `CREATE MODEL`.
const OPTIONS: [&str; 4] = ["input_example", "label", "model_type", "on_null"];

/// What `MODEL_TYPE` may say: the first word of a format's name.
const MODEL_TYPES: [&str; 4] = ["ONNX", "XGBOOST", "LIGHTGBM", "CATBOOST"];

/// Creates and drops the models of one session.
#[derive(Debug)]
pub(crate) struct Engine {
    models: Arc<SessionModels>,
    store: ModelStore,
}

/// A model to be made.
#[derive(Debug)]
pub(crate) struct NewModel {
    pub(crate) name: String,
    pub(crate) or_replace: bool,
    pub(crate) temporary: bool,
    pub(crate) features: Option<Vec<DeclaredFeature>>,
    pub(crate) uri: String,
    pub(crate) options: BTreeMap<String, String>,
}

impl Engine {
    pub(crate) fn new(models: &Arc<SessionModels>, store: ModelStore) -> Self {
        Self { models: Arc::clone(models), store }
    }

    pub(crate) fn models(&self) -> &Arc<SessionModels> {
        &self.models
    }

    /// Makes the functions of all stored models known. Their files are read when they are first used.
    pub(crate) fn load_stored(&self) -> Result<()> {
        for model in self.store.stored_models()? {
            self.register(ModelFunc::try_new(model)?.into_udf())?;
        }
        Ok(())
    }

    /// Runs `CREATE MODEL`; says what was done.
    pub(crate) async fn create(&self, statement: CreateModel) -> Result<String> {
        let name = statement.name.clone();
        if statement.if_not_exists && self.models.model(&name).is_some() {
            return Ok(format!("model `{name}` exists"));
        }
        let state = self.models.state()?.read().clone();
        let new = NewModel::of(statement, &state)?;
        let udf = self.make(new, &state, |_| Ok(())).await?;
        self.register(udf)?;
        Ok(format!("created model `{name}`"))
    }

    /// Reads, checks (by `accept`, too) and stores a model; the function it is has yet to be registered.
    pub(crate) async fn make(
        &self,
        new: NewModel,
        state: &SessionState,
        accept: impl FnOnce(&Model) -> Result<()> + Send,
    ) -> Result<ScalarUDF> {
        self.check_name(&new)?;
        check_options(&new.options)?;
        let limits = limits(state.config());
        let example = example_check(&new.options)?;
        let on_null = null_policy(&new.options)?;
        let fetched = fetch(&new.uri, state.runtime_env(), &limits, example).await?;
        let model = load(&new, &fetched, limits, on_null)?;
        check_format(&new, &model)?;
        accept(&model)?;
        let details = ModelDetails {
            uri: new.uri.clone(),
            resolved: fetched.resolved,
            label: new.options.get("label").unwrap_or(&new.name).clone(),
            temporary: new.temporary,
            features: model.signature().features.iter().map(|feature| feature.name.clone()).collect(),
        };
        let named = NamedModel::new(&new.name, details, &Arc::new(model));
        let function = ModelFunc::try_new(named.clone())?;
        if !new.temporary {
            self.store.put(&named, &new.options, &fetched.bytes, new.or_replace)?;
        }
        Ok(function.into_udf())
    }

    /// The model called `name`.
    pub(crate) fn find(&self, name: &str) -> Result<NamedModel> {
        let Some(model) = self.models.model(name) else {
            let names = self.models.names();
            let near = nearest(name, names.iter().map(String::as_str));
            let cure = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return plan_err!("no model is called `{name}`{cure}");
        };
        Ok(model)
    }

    /// Runs `DROP MODEL`; says what was done.
    pub(crate) fn drop(&self, name: &str, if_exists: bool) -> Result<String> {
        if if_exists && self.models.model(name).is_none() {
            return Ok(format!("no model `{name}`"));
        }
        let model = self.find(name)?;
        self.forget(&model)?;
        self.models.state()?.write().deregister_udf(&model.name)?;
        Ok(format!("dropped model `{}`", model.name))
    }

    /// Removes a model from the store, so that it does not come back; its function stays until it is deregistered.
    pub(crate) fn forget(&self, model: &NamedModel) -> Result<()> {
        if model.details.temporary { Ok(()) } else { self.store.remove(&model.name) }
    }

    fn register(&self, udf: ScalarUDF) -> Result<()> {
        self.models.state()?.write().register_udf(Arc::new(udf))?;
        Ok(())
    }

    fn check_name(&self, new: &NewModel) -> Result<()> {
        let name = &new.name;
        if self.models.is_other_function(name)? {
            return plan_err!("`{name}` is a built-in function; give the model another name");
        }
        if !new.or_replace && self.models.model(name).is_some() {
            return plan_err!("model `{name}` exists; CREATE OR REPLACE MODEL replaces it");
        }
        Ok(())
    }
}

impl NewModel {
    fn of(statement: CreateModel, state: &SessionState) -> Result<Self> {
        let CreateModel { name, or_replace, temporary, parameters, uri, options, .. } = statement;
        let features = match parameters {
            Some(parameters) => Some(declared(parameters, state)?),
            None => None,
        };
        Ok(Self { name, or_replace, temporary, features, uri, options })
    }
}

fn declared(parameters: Vec<Parameter>, state: &SessionState) -> Result<Vec<DeclaredFeature>> {
    parameters
        .into_iter()
        .map(|Parameter { name, data_type }| {
            let data_type = match data_type {
                Some(sql) => Some(arrow_type(&sql.to_string(), state)?),
                None => None,
            };
            Ok(DeclaredFeature { name, data_type })
        })
        .collect()
}

/// The Arrow type of a SQL type, as a cast in this session would make it.
fn arrow_type(sql: &str, state: &SessionState) -> Result<DataType> {
    let empty = DFSchema::empty();
    state.create_logical_expr(&format!("CAST(NULL AS {sql})"), &empty)?.get_type(&empty)
}

fn check_options(options: &BTreeMap<String, String>) -> Result<()> {
    for (name, value) in options {
        if !OPTIONS.contains(&name.as_str()) {
            let near = nearest(name, OPTIONS);
            let cure = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return plan_err!("CREATE MODEL has no option `{name}`, it has {}{cure}", OPTIONS.join(", "));
        }
        if name == "model_type" && !MODEL_TYPES.iter().any(|known| value.eq_ignore_ascii_case(known)) {
            return plan_err!("MODEL_TYPE is one of {}, got '{value}'", MODEL_TYPES.join(", "));
        }
    }
    Ok(())
}

/// The file is of the type that the statement says, if it says one.
fn check_format(new: &NewModel, model: &Model) -> Result<()> {
    let format = model.signature().format;
    let is_of = |given: &String| format.split(' ').next().is_some_and(|first| first.eq_ignore_ascii_case(given));
    match new.options.get("model_type") {
        Some(given) if !is_of(given) => {
            plan_err!("`{}` is a model of format {format}, MODEL_TYPE says '{given}'; it may be left out", new.uri)
        }
        _ => Ok(()),
    }
}

/// The model in what was read, its features named by the statement, by MLflow's signature or by the file, in this order.
fn load(new: &NewModel, fetched: &Fetched, limits: Limits, on_null: Option<NullPolicy>) -> Result<Model> {
    let refused = |error| refused(&new.uri, error);
    let options = LoadOptions { limits, on_null, ..LoadOptions::default() };
    let Some(mlmodel) = &fetched.mlmodel else {
        let options = LoadOptions { features: new.features.clone(), ..options };
        return Model::from_bytes(&fetched.bytes, &options).map_err(refused);
    };
    let feature_count = new.features.as_ref().map(Vec::len).or_else(|| mlmodel.feature_count());
    let mut model = Model::from_bytes(&fetched.bytes, &LoadOptions { feature_count, ..options }).map_err(refused)?;
    let unfit =
        |error: MlflowError| DataFusionError::External(Box::new(error)).context(format!("cannot use `{}`", new.uri));
    match mlmodel.name_features(&mut model) {
        // Whoever names the features says that the signature is wrong.
        Err(MlflowError::Signature(_)) if new.features.is_some() => {}
        fits => {
            fits.map_err(unfit)?;
            if example_check(&new.options)? == Example::Check {
                mlmodel.check_outputs(&model).map_err(unfit)?;
                fetched.example.iter().try_for_each(|json| mlmodel.answer_example(&model, json)).map_err(unfit)?;
            }
        }
    }
    new.features.iter().try_for_each(|features| model.declare(features)).map_err(refused)?;
    Ok(model)
}

fn example_check(options: &BTreeMap<String, String>) -> Result<Example> {
    match options.get("input_example").map(|value| value.to_lowercase()).as_deref() {
        None | Some("check") => Ok(Example::Check),
        Some("skip") => Ok(Example::Skip),
        Some(other) => plan_err!("input_example is 'check' or 'skip', got '{other}'"),
    }
}

fn null_policy(options: &BTreeMap<String, String>) -> Result<Option<NullPolicy>> {
    match options.get("on_null").map(|value| value.to_lowercase()).as_deref() {
        None => Ok(None),
        Some("missing") => Ok(Some(NullPolicy::Missing)),
        Some("null") => Ok(Some(NullPolicy::Null)),
        Some("error") => Ok(Some(NullPolicy::Error)),
        Some(other) => plan_err!("on_null is 'missing', 'null' or 'error', got '{other}'"),
    }
}

/// The error about a file that is no usable model, which names the file.
fn refused(uri: &str, error: foretell_model::Error) -> DataFusionError {
    match error {
        foretell_model::Error::Limit { .. } => DataFusionError::ResourcesExhausted(format!("`{uri}`: {error}")),
        foretell_model::Error::Signature(_) => DataFusionError::Plan(format!("`{uri}`: {error}")),
        error => DataFusionError::External(Box::new(error)).context(format!("cannot use `{uri}`")),
    }
}

/// A stored model, read again when it is first used.
pub(crate) fn reload(name: &str, bytes: &[u8], load: &LoadOptions) -> Result<Arc<Model>> {
    Model::from_bytes(bytes, load).map(Arc::new).map_err(|error| to_datafusion(name, error))
}
