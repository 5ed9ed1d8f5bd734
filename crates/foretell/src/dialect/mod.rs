//! foretell's own syntax, lowered to what the host understands.
//!
//! Two things are ours: statements about models, which become a [`ModelStatement`], and `MODEL m` and `TABLE t` as arguments
//! of `ml_predict`, which become a literal and a subquery. Everything else passes as it is. Nothing here has effects.

mod model_statement;
mod table_args;

use std::collections::VecDeque;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::parser::ParserError;

use crate::error::{Error, Result};
use crate::script::tokens_of;

pub(crate) use model_statement::{CreateModel, ModelStatement, Parameter};

/// A statement as foretell runs it.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// About a model.
    Model(ModelStatement),
    /// For the host.
    Standard(Box<Statement>),
    /// Nothing but spaces and comments.
    Empty,
}

/// Reads one statement.
pub(crate) fn parse(text: &str) -> Result<Parsed> {
    let (tokens, whole) = tokens_of(text);
    if whole && let Some(statement) = model_statement::parse(&tokens)? {
        return Ok(Parsed::Model(statement));
    }
    // What cannot be cut into words goes to the host's parser as text, for its message.
    let built = if whole {
        DFParserBuilder::new(table_args::lower(&tokens)).build()
    } else {
        DFParserBuilder::new(text).build()
    };
    let mut statements: VecDeque<Statement> =
        built.and_then(|mut parser| parser.parse_statements()).map_err(host_error)?;
    match (statements.pop_front(), statements.is_empty()) {
        (None, _) => Ok(Parsed::Empty),
        (Some(statement), true) => Ok(Parsed::Standard(Box::new(statement))),
        (Some(_), false) => Err(Error::Syntax {
            message: "expected one statement, got several; run them one by one".to_owned(),
            line: 0,
            column: 0,
        }),
    }
}

fn host_error(error: datafusion::error::DataFusionError) -> Error {
    match error {
        datafusion::error::DataFusionError::SQL(error, _) => syntax_error(&error),
        other => Error::Query(other),
    }
}

/// A parser's error with its place, which the parser writes at the end of its message.
fn syntax_error(error: &ParserError) -> Error {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
        ParserError::RecursionLimitExceeded => "the statement is nested too deeply".to_owned(),
    };
    let place = text.rsplit_once(" at Line: ").and_then(|(message, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((message.to_owned(), line.trim().parse().ok()?, column.trim().parse().ok()?))
    });
    let (message, line, column) = place.unwrap_or((text, 0, 0));
    Error::Syntax { message: format!("syntax error: {message}"), line, column }
}
