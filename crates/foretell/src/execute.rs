//! Running statements: one match over their kinds. What changes models, tables or definitions is done here and nowhere else
//! in this crate; the host does the rest.

use std::sync::Arc;

use datafusion::common::{ResolvedTableReference, TableReference, exec_err, plan_err};
use datafusion::datasource::TableType;
use datafusion::error::Result as HostResult;
use datafusion::logical_expr::{
    CreateExternalTable, CreateMemoryTable, CreateView, DdlStatement, DropFunction, LogicalPlan,
};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use foretell_udfs::ModelSource;

use crate::database::{Database, Definition, DefinitionKind, open_external};
use crate::dialect::ModelStatement;
use crate::engine::Engine;
use crate::error::Result;
use crate::planning::bind_plan;
use crate::session::Outcome;
use crate::show;

/// Runs the statements of one session.
pub(crate) struct Executor<'a> {
    pub(crate) ctx: &'a SessionContext,
    pub(crate) engine: &'a Engine,
    pub(crate) database: &'a Database,
}

fn done(message: impl Into<String>) -> Result<Outcome> {
    Ok(Outcome::Done { message: message.into() })
}

impl Executor<'_> {
    /// A statement about models.
    pub(crate) async fn model(&self, statement: ModelStatement) -> Result<Outcome> {
        match statement {
            ModelStatement::Create(create) => done(self.engine.create(create).await?),
            ModelStatement::Drop { name, if_exists } => done(self.engine.drop(&name, if_exists)?),
            ModelStatement::Show => Ok(Outcome::Rows(self.ctx.read_batch(show::models(&self.engine.models().all())?)?)),
            ModelStatement::Describe { name } => {
                let model = self.engine.find(&name)?;
                Ok(Outcome::Rows(self.ctx.read_batch(show::describe(&model)?)?))
            }
        }
    }

    /// A statement of the host's own language; `text` is what the user wrote.
    pub(crate) async fn standard(&self, mut statement: Statement, text: &str) -> Result<Outcome> {
        let query = view_query(&statement);
        let temporary = take_temporary(&mut statement);
        let plan = self.ctx.state().statement_to_plan(statement).await?;
        match plan {
            LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(mut create)) => {
                create.temporary = temporary;
                self.create_table(create).await
            }
            LogicalPlan::Ddl(DdlStatement::CreateView(create)) => self.create_view(create, query).await,
            LogicalPlan::Ddl(DdlStatement::CreateExternalTable(create)) => self.create_external(create, text).await,
            LogicalPlan::Ddl(DdlStatement::DropTable(drop)) => {
                self.drop_table(&drop.name, drop.if_exists, TableType::Base).await
            }
            LogicalPlan::Ddl(DdlStatement::DropView(drop)) => {
                self.drop_table(&drop.name, drop.if_exists, TableType::View).await
            }
            LogicalPlan::Ddl(DdlStatement::DropFunction(drop)) => self.drop_function(drop).await,
            LogicalPlan::Ddl(ddl) => {
                let what = ddl.name().to_owned();
                self.ctx.execute_logical_plan(LogicalPlan::Ddl(ddl)).await?;
                done(what)
            }
            LogicalPlan::Statement(statement) => {
                Ok(Outcome::Rows(self.ctx.execute_logical_plan(LogicalPlan::Statement(statement)).await?))
            }
            LogicalPlan::Dml(dml) => self.change_rows(LogicalPlan::Dml(dml)).await,
            plan => Ok(Outcome::Rows(self.ctx.execute_logical_plan(plan).await?)),
        }
    }

    async fn create_table(&self, create: CreateMemoryTable) -> Result<Outcome> {
        let name = create.name.clone();
        let Some(own) = self.own(&name) else {
            self.ctx.execute_logical_plan(LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create))).await?;
            return done(format!("created table `{name}`"));
        };
        if let Some(definition) = self.database.definition(&own)
            && !create.if_not_exists
        {
            return Ok(exec_err!("`{own}` exists and is {}; drop it first", definition.kind.described())?);
        }
        if self.exists(&own) {
            match (create.if_not_exists, create.or_replace) {
                (true, true) => return Ok(plan_err!("IF NOT EXISTS and OR REPLACE exclude each other")?),
                (true, false) => return done(format!("table `{own}` exists")),
                (false, false) => return Ok(exec_err!("table `{own}` exists; CREATE OR REPLACE TABLE replaces it")?),
                (false, true) => {}
            }
        }
        let rows = self.write_table(&own, create).await?;
        done(format!("created table `{own}`: {rows} rows"))
    }

    async fn create_view(&self, create: CreateView, query: Option<String>) -> Result<Outcome> {
        let Some(own) = self.own(&create.name) else {
            self.ctx.execute_logical_plan(LogicalPlan::Ddl(DdlStatement::CreateView(create))).await?;
            return done("created view");
        };
        self.make_room(&own, create.or_replace, DefinitionKind::View)?;
        bind_plan(Arc::unwrap_or_clone(create.input), &self.ctx.state())?;
        let Some(sql) = query else { return Ok(plan_err!("CREATE VIEW {own} lacks its query")?) };
        self.database.define(&own, Definition { kind: DefinitionKind::View, sql })?;
        done(format!("created view `{own}`"))
    }

    async fn create_external(&self, create: Box<CreateExternalTable>, text: &str) -> Result<Outcome> {
        let Some(own) = self.own(&create.name) else {
            self.ctx.execute_logical_plan(LogicalPlan::Ddl(DdlStatement::CreateExternalTable(create))).await?;
            return done("created external table");
        };
        if create.if_not_exists && self.exists(&own) {
            return done(format!("table `{own}` exists"));
        }
        self.make_room(&own, create.or_replace, DefinitionKind::ExternalTable)?;
        open_external(&create, &self.ctx.state()).await?;
        let definition = Definition { kind: DefinitionKind::ExternalTable, sql: text.to_owned() };
        self.database.define(&own, definition)?;
        done(format!("created external table `{own}`"))
    }

    /// Refuses a definition under a name that is taken, except by one of its kind that it replaces.
    fn make_room(&self, name: &str, or_replace: bool, kind: DefinitionKind) -> HostResult<()> {
        if !self.exists(name) {
            return Ok(());
        }
        match self.database.definition(name) {
            Some(existing) if existing.kind == kind && or_replace => Ok(()),
            Some(existing) if existing.kind == kind => exec_err!("`{name}` exists; OR REPLACE replaces it"),
            _ => exec_err!("`{name}` exists and is something else; drop it first"),
        }
    }

    async fn drop_table(&self, name: &TableReference, if_exists: bool, kind: TableType) -> Result<Outcome> {
        let what = if kind == TableType::View { "view" } else { "table" };
        let Some(own) = self.own(name) else {
            return Ok(plan_err!("`{name}` is not a {what} of this database")?);
        };
        let definition = self.database.definition(&own).map(|definition| definition.kind);
        match (definition, kind) {
            (Some(DefinitionKind::View), TableType::View) | (Some(DefinitionKind::ExternalTable), TableType::Base) => {
                self.database.undefine(&own)?;
            }
            (None, TableType::Base) if self.exists(&own) => self.remove_table(&own).await?,
            (Some(DefinitionKind::View), _) => return Ok(exec_err!("`{own}` is a view; DROP VIEW drops it")?),
            (_, TableType::View) if self.exists(&own) => {
                return Ok(exec_err!("`{own}` is a table; DROP TABLE drops it")?);
            }
            _ if if_exists => return done(format!("no {what} `{own}`")),
            _ => return Ok(exec_err!("no {what} is called `{own}`")?),
        }
        done(format!("dropped {what} `{own}`"))
    }

    async fn drop_function(&self, drop: DropFunction) -> Result<Outcome> {
        if self.engine.models().model(&drop.name).is_some() {
            return done(self.engine.drop(&drop.name, drop.if_exists)?);
        }
        let name = drop.name.clone();
        self.ctx.execute_logical_plan(LogicalPlan::Ddl(DdlStatement::DropFunction(drop))).await?;
        done(format!("dropped function `{name}`"))
    }

    /// The plain name when `name` is in this database's own schema.
    fn own(&self, name: &TableReference) -> Option<String> {
        let ResolvedTableReference { catalog, schema, table } = name.clone().resolve("foretell", "public");
        (&*catalog == "foretell" && &*schema == "public").then(|| table.to_string())
    }

    fn exists(&self, name: &str) -> bool {
        self.ctx.table_exist(TableReference::full("foretell", "public", name)).unwrap_or(false)
    }
}

/// Takes `TEMPORARY` out of `CREATE TEMPORARY TABLE`, which the host's planner refuses; tells whether it was there.
fn take_temporary(statement: &mut Statement) -> bool {
    match statement {
        Statement::Statement(statement) => match statement.as_mut() {
            SqlStatement::CreateTable(create) => std::mem::take(&mut create.temporary),
            _ => false,
        },
        _ => false,
    }
}

/// The text of the query when the statement is `CREATE VIEW`.
fn view_query(statement: &Statement) -> Option<String> {
    match statement {
        Statement::Statement(statement) => match statement.as_ref() {
            SqlStatement::CreateView(view) => Some(view.query.to_string()),
            _ => None,
        },
        _ => None,
    }
}
