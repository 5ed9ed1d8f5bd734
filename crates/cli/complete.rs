//! Completion: what could stand at the cursor.
//!
//! Names are looked up when Tab is pressed, never kept: a table created a moment ago is offered at once.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::keywords::{ALL_KEYWORDS, ALL_KEYWORDS_INDEX, RESERVED_FOR_COLUMN_ALIAS};
use foretell::Session;
use foretell::script::keywords;
use tokio::runtime::Handle;

use crate::function_help;
use crate::lexer::{self, Kind};

/// A catalog that answers slower than this is not waited for: the prompt must not hang on a key press.
const LOOKUP_MAX: Duration = Duration::from_millis(500);

/// Words that start a statement.
const STARTS: &[&str] = &[
    "ALTER", "CHECK", "COPY", "CREATE", "DELETE", "DESCRIBE", "DROP", "EXPLAIN", "INSERT", "MERGE", "RESET", "SELECT",
    "SET", "SHOW", "UPDATE", "VALUES", "WITH",
];

/// Words after which a table follows.
const BEFORE_TABLE: &[&str] = &["from", "join", "into", "table", "update", "describe", "desc", "overwrite"];

/// Looks names up in a session.
pub struct Names {
    session: Session,
    workers: Handle,
}

/// What stands before the cursor.
#[derive(Debug, PartialEq)]
pub struct Spot<'a> {
    /// Words and quoted names before the one at the cursor, in lower case, without quotes.
    words: Vec<String>,
    /// What stands before the dot of `name.rest`.
    qualifier: Option<String>,
    /// What is typed so far of the name at the cursor.
    prefix: &'a str,
    /// Whether the cursor is inside text in single quotes.
    in_text: bool,
}

impl<'a> Spot<'a> {
    /// Reads the text before the cursor.
    pub fn new(text: &'a str) -> Self {
        let mut pieces = lexer::pieces(text);
        let mut spot = Spot { words: Vec::new(), qualifier: None, prefix: "", in_text: false };
        match pieces.last() {
            Some(piece) if piece.kind == (Kind::Text { closed: false }) => {
                spot.in_text = true;
                spot.prefix = &text[piece.range.start + 1..];
                pieces.pop();
            }
            Some(piece)
                if piece.kind == Kind::Word || (piece.kind == Kind::Quoted && !closed(&text[piece.range.clone()])) =>
            {
                spot.prefix = &text[piece.range.clone()];
                pieces.pop();
            }
            _ => {}
        }
        let name = |piece: &lexer::Piece| match piece.kind {
            Kind::Word => Some(text[piece.range.clone()].to_lowercase()),
            Kind::Quoted => Some(text[piece.range.clone()].trim_matches('"').to_owned()),
            _ => None,
        };
        if let [.., before, dot] = pieces.as_slice()
            && &text[dot.range.clone()] == "."
        {
            spot.qualifier = name(before);
        }
        spot.words = pieces.iter().filter_map(name).collect();
        spot
    }

    /// Where the name at the cursor starts, counted back from the cursor.
    pub fn typed(&self) -> usize {
        self.prefix.len()
    }

    /// Whether the cursor is inside text in single quotes.
    pub fn in_text(&self) -> bool {
        self.in_text
    }
}

impl Names {
    /// Names of `session`, looked up on `workers`.
    pub fn new(session: Session, workers: Handle) -> Self {
        Self { session, workers }
    }

    /// What could stand at the spot, best first.
    pub fn candidates(&self, spot: &Spot<'_>) -> Vec<String> {
        if spot.in_text {
            return matching(spot.prefix, self.session.model_names());
        }
        let last = spot.words.last().map(String::as_str);
        if let Some(qualifier) = &spot.qualifier {
            return self.qualified(spot, qualifier);
        }
        match last {
            None => matching_keywords(spot.prefix, STARTS),
            Some("model") => matching(spot.prefix, self.session.model_names()),
            Some(word) if BEFORE_TABLE.contains(&word) => {
                let table_functions = self.session.context().state().table_functions().keys().cloned().collect();
                [matching(spot.prefix, self.tables()), matching(spot.prefix, table_functions)].concat()
            }
            Some(_) => self.anything(spot),
        }
    }

    /// Tables, and models for a command that takes one.
    pub fn tables_matching(&self, prefix: &str) -> Vec<String> {
        matching(prefix, self.tables())
    }

    /// Models whose names start with `prefix`.
    pub fn models_matching(&self, prefix: &str) -> Vec<String> {
        matching(prefix, self.session.model_names())
    }

    /// Functions whose names start with `prefix`.
    pub fn functions_matching(&self, prefix: &str) -> Vec<String> {
        matching(prefix, function_help::names(&self.session).into_iter().collect())
    }

    /// Columns of the tables that are named so far, else of all tables; then tables, models, functions and keywords.
    /// With nothing typed the last two are left out, for they are hundreds.
    fn anything(&self, spot: &Spot<'_>) -> Vec<String> {
        let tables = self.tables();
        let mut named: Vec<String> = tables.iter().filter(|table| spot.words.contains(table)).cloned().collect();
        if named.is_empty() {
            named.clone_from(&tables);
        }
        let mut found = matching(spot.prefix, self.columns(named));
        found.extend(matching(spot.prefix, tables));
        found.extend(self.models_matching(spot.prefix));
        if !spot.prefix.is_empty() {
            found.extend(self.functions_matching(spot.prefix));
            found.extend(matching_keywords(spot.prefix, keywords()));
        }
        let mut seen = BTreeSet::new();
        found.retain(|candidate| seen.insert(candidate.clone()));
        found
    }

    /// What follows `qualifier.`: the columns of a table or of an alias, or the tables of a schema.
    fn qualified(&self, spot: &Spot<'_>, qualifier: &str) -> Vec<String> {
        let tables = self.tables();
        let table = if tables.iter().any(|table| table == qualifier) {
            qualifier
        } else {
            aliased(&spot.words, &tables, qualifier).unwrap_or(qualifier)
        };
        let columns = matching(spot.prefix, self.columns(vec![table.to_owned()]));
        if columns.is_empty() { matching(spot.prefix, self.tables_in(qualifier)) } else { columns }
    }

    /// The tables of the session's own schema.
    fn tables(&self) -> Vec<String> {
        let options = self.session.context().state().config_options().catalog.clone();
        self.tables_in(&options.default_schema)
    }

    fn tables_in(&self, schema: &str) -> Vec<String> {
        let context = self.session.context();
        let catalog = context.catalog(&context.state().config_options().catalog.default_catalog);
        let schema = catalog.and_then(|catalog| catalog.schema(schema));
        schema.map(|schema| schema.table_names()).unwrap_or_default()
    }

    fn columns(&self, tables: Vec<String>) -> Vec<String> {
        let (sender, columns) = mpsc::channel();
        let context = self.session.context().clone();
        self.workers.spawn(async move {
            let mut columns = Vec::new();
            for table in tables {
                let Ok(provider) = context.table_provider(TableReference::bare(table)).await else { continue };
                columns.extend(provider.schema().fields().iter().map(|field| field.name().clone()));
            }
            // The prompt may have stopped waiting.
            let _ = sender.send(columns);
        });
        columns.recv_timeout(LOOKUP_MAX).unwrap_or_default()
    }
}

/// The table that has the name `alias` in this statement: `table alias` or `table AS alias`. Aliases are looked for
/// before the cursor only.
fn aliased<'a>(words: &'a [String], tables: &[String], alias: &str) -> Option<&'a str> {
    let position = words.iter().enumerate().position(|(index, word)| {
        let before = index.checked_sub(1).map(|before| words[before].as_str());
        word == alias && before.is_some_and(|before| before == "as" || tables.iter().any(|table| table == before))
    })?;
    let table = if words[position - 1] == "as" { position.checked_sub(2)? } else { position - 1 };
    Some(&words[table])
}

/// The names that start with `prefix`, sorted, quoted where SQL needs it.
fn matching(prefix: &str, names: Vec<String>) -> Vec<String> {
    let quoted = prefix.starts_with('"');
    let prefix = prefix.trim_start_matches('"').to_lowercase();
    let names: BTreeSet<String> = names.into_iter().filter(|name| name.to_lowercase().starts_with(&prefix)).collect();
    names.into_iter().map(|name| if quoted || needs_quotes(&name) { quote(&name) } else { name }).collect()
}

/// The keywords that start with `prefix`, in the case the user types.
fn matching_keywords(prefix: &str, keywords: &[&str]) -> Vec<String> {
    let upper = prefix.to_uppercase();
    let lower_case = prefix.chars().any(char::is_lowercase);
    let found = keywords.iter().filter(|keyword| keyword.starts_with(&upper));
    found.map(|keyword| if lower_case { keyword.to_lowercase() } else { (*keyword).to_owned() }).collect()
}

/// Whether `name` means itself only in double quotes.
fn needs_quotes(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    !starts_plain || !name.chars().all(plain) || is_reserved(name)
}

fn is_reserved(name: &str) -> bool {
    let found = ALL_KEYWORDS.binary_search(&name.to_uppercase().as_str());
    found.is_ok_and(|index| RESERVED_FOR_COLUMN_ALIAS.contains(&ALL_KEYWORDS_INDEX[index]))
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn closed(quoted: &str) -> bool {
    quoted.len() > 1 && quoted.ends_with('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_at_the_cursor_is_what_is_completed() {
        let spot = Spot::new("SELECT a FROM \"My T\" t WHERE t.car");
        assert_eq!(spot.words, ["select", "a", "from", "My T", "t", "where", "t"]);
        assert_eq!((spot.qualifier.as_deref(), spot.prefix, spot.in_text), (Some("t"), "car", false));
        assert_eq!(Spot::new("SELECT ").prefix, "");
        assert_eq!(Spot::new("SELECT \"Fo").prefix, "\"Fo");
        let text = Spot::new("SELECT predict('la");
        assert_eq!((text.prefix, text.in_text), ("la", true));
    }

    #[test]
    fn an_alias_leads_to_its_table() {
        let tables = ["flights".to_owned()];
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(aliased(&words("select x from flights f where f"), &tables, "f"), Some("flights"));
        assert_eq!(aliased(&words("select x from flights as f where f"), &tables, "f"), Some("flights"));
        assert_eq!(aliased(&words("select x from flights where g"), &tables, "g"), None);
    }

    #[test]
    fn names_are_quoted_where_sql_needs_it() {
        let names = || vec!["Foo bar".to_owned(), "foo".to_owned(), "order".to_owned()];
        assert_eq!(matching("fo", names()), ["\"Foo bar\"", "foo"]);
        assert_eq!(matching("\"fo", names()), ["\"Foo bar\"", "\"foo\""]);
        assert_eq!(matching("o", names()), ["\"order\""]);
    }

    #[test]
    fn keywords_follow_the_case_that_is_typed() {
        assert_eq!(matching_keywords("sh", STARTS), ["show"]);
        assert_eq!(matching_keywords("SH", STARTS), ["SHOW"]);
    }
}
