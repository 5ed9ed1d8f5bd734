//! Adding foretell to a SessionContext that the host already has.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use foretell_udfs::{ModelSource, register_all};

use crate::engine::Engine;
use crate::function_factory::ModelFunctionFactory;
use crate::options::ForetellOptions;
use crate::planning::{BindModels, ClassAccess, ExplainModels, MlPredict};
use crate::registry::SessionModels;
use crate::store::ModelStore;

/// Teaches `ctx` models: `CREATE FUNCTION m() LANGUAGE onnx AS 'file.onnx'`, `DROP FUNCTION m`, `m(...)`, `predict('m', ...)`
/// and the other functions, `FROM ml_predict('m', (SELECT ...))`, how models are computed in `EXPLAIN`, and the settings
/// `foretell.*`.
///
/// Works on a context with its own rules, catalogs and functions; they stay. Calling it twice changes nothing more.
///
/// # Errors
/// When the context refuses a function.
///
/// # Examples
/// ```
/// # use datafusion::prelude::SessionContext;
/// # #[tokio::main]
/// # async fn main() -> datafusion::error::Result<()> {
/// let ctx = SessionContext::new();
/// foretell::register(&ctx)?;
/// ctx.sql("CREATE FUNCTION late() LANGUAGE onnx AS '../../sql/models/late.onnx'").await?;
/// let answer = ctx.sql("SELECT late(5.0, 400.0, 17, 'UA', 'EWR', 'ORD') AS late").await?.collect().await?;
/// assert_eq!(answer[0].num_rows(), 1);
/// # Ok(())
/// # }
/// ```
pub fn register(ctx: &SessionContext) -> Result<()> {
    register_with(ctx, ModelStore::default()).map(drop)
}

/// As [`register`], with a place for models that outlive the session.
pub(crate) fn register_with(ctx: &SessionContext, store: ModelStore) -> Result<Arc<Engine>> {
    let models = Arc::new(SessionModels::new(ctx.state_weak_ref()));
    let source: Arc<dyn ModelSource> = Arc::clone(&models) as _;
    let engine = Arc::new(Engine::new(&models, store));
    let state_ref = ctx.state_ref();
    let mut state = state_ref.write();
    if state.config().options().extensions.get::<ForetellOptions>().is_none() {
        let factory = ModelFunctionFactory::new(&engine, state.function_factory().cloned());
        let planner = ExplainModels::new(state.query_planner());
        *state = with_rules(SessionStateBuilder::new_from_existing(state.clone()))
            .with_query_planner(Arc::new(planner))
            .with_function_factory(Some(Arc::new(factory)))
            .build();
        state.config_mut().options_mut().extensions.insert(ForetellOptions::default());
        state.register_relation_planner(Arc::new(MlPredict::new(&source)))?;
        register_all(&mut *state, &source)?;
    }
    drop(state);
    engine.load_stored()?;
    Ok(engine)
}

/// Binding must come before the host's own analysis, class names before the host's reading of brackets.
fn with_rules(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    let analyzer = builder.analyzer().get_or_insert_default();
    analyzer.rules.insert(0, Arc::new(BindModels));
    builder.expr_planners().get_or_insert_default().insert(0, Arc::new(ClassAccess));
    builder
}
