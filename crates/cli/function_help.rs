//! `\h`: the functions of a session and what their own documentation says about them.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::logical_expr::Documentation;
use foretell::Session;

use crate::failure::Failure;

/// Columns of running text.
const TEXT_WIDTH: usize = 100;

/// The section of foretell's own functions.
const MODEL_SECTION: &str = "Model Functions";

/// The list of functions, or the explanation of the function `name`.
///
/// # Errors
/// There is no such function.
pub fn text(session: &Session, name: &str) -> Result<String, Failure> {
    let functions = functions(session);
    if name.is_empty() {
        return Ok(list(&functions, &session.model_names()));
    }
    let name = name.trim_end_matches("()").to_lowercase();
    match functions.get(&name).map(|function| &function.documentation) {
        Some(Some(documentation)) => Ok(explain(documentation)),
        Some(None) => Ok(format!("{name}: no documentation\n")),
        None => Err(Failure::message(unknown(&name, &functions))),
    }
}

/// The names of all functions.
pub fn names(session: &Session) -> BTreeSet<String> {
    functions(session).into_keys().collect()
}

type Functions = BTreeMap<String, Function>;

struct Function {
    /// Whether the name is another spelling of a function's name.
    alias: bool,
    documentation: Option<Documentation>,
}

impl Function {
    fn new(name: &str, own_name: &str, documentation: Option<&Documentation>) -> Self {
        Self { alias: name != own_name, documentation: documentation.cloned() }
    }
}

fn functions(session: &Session) -> Functions {
    let state = session.context().state();
    let mut functions = Functions::new();
    for name in state.table_functions().keys() {
        functions.insert(name.clone(), Function::new(name, name, None));
    }
    for (name, function) in state.window_functions() {
        functions.insert(name.clone(), Function::new(name, function.name(), function.documentation()));
    }
    for (name, function) in state.aggregate_functions() {
        functions.insert(name.clone(), Function::new(name, function.name(), function.documentation()));
    }
    for (name, function) in state.scalar_functions() {
        functions.insert(name.clone(), Function::new(name, function.name(), function.documentation()));
    }
    functions
}

/// The names by section: models and what is made for them first. Other spellings are left out.
fn list(functions: &Functions, models: &[String]) -> String {
    let mut sections: BTreeMap<(usize, &str), Vec<&str>> = BTreeMap::new();
    for (name, function) in functions {
        let section = match &function.documentation {
            _ if models.contains(name) => (0, "Models"),
            Some(documentation) if documentation.doc_section.label == MODEL_SECTION => (1, MODEL_SECTION),
            Some(documentation) => (2, documentation.doc_section.label),
            None => (2, "Other Functions"),
        };
        if !function.alias {
            sections.entry(section).or_default().push(name);
        }
    }
    let mut text = String::new();
    for ((_, section), names) in sections {
        text.push_str(&format!("{section}\n{}\n", wrap(&names.join(", "), "  ")));
    }
    text.push_str("\\h NAME explains a function\n");
    text
}

fn explain(documentation: &Documentation) -> String {
    let mut text = format!("{}\n", documentation.syntax_example);
    for syntax in documentation.alternative_syntax.iter().flatten() {
        text.push_str(&format!("{syntax}\n"));
    }
    text.push_str(&format!("\n{}", wrap(&documentation.description, "")));
    if let Some(arguments) = &documentation.arguments {
        text.push_str("\nArguments\n");
        for (name, meaning) in arguments {
            text.push_str(&wrap(&format!("{name}: {meaning}"), "  "));
        }
    }
    if let Some(example) = &documentation.sql_example {
        let lines = example.trim_matches('\n').lines().filter(|line| !line.trim_start().starts_with("```"));
        let lines: String = lines.map(|line| format!("  {line}\n")).collect();
        text.push_str(&format!("\nExample\n{lines}"));
    }
    if let Some(related) = &documentation.related_udfs {
        text.push_str(&format!("\nSee also: {}\n", related.join(", ")));
    }
    text
}

fn unknown(name: &str, functions: &Functions) -> String {
    let near: Vec<&str> = functions.keys().map(String::as_str).filter(|known| known.contains(name)).collect();
    if near.is_empty() {
        return format!("no function `{name}`; `\\h` lists them");
    }
    format!("no function `{name}`; there are {}", near.join(", "))
}

/// Breaks lines between words. Line ends in `text` stay; each line starts with `indent`.
fn wrap(text: &str, indent: &str) -> String {
    let mut wrapped = String::new();
    for paragraph in text.trim().lines() {
        let mut line = indent.to_owned();
        for word in paragraph.split_whitespace() {
            if line.len() + 1 + word.len() > TEXT_WIDTH && line.len() > indent.len() {
                wrapped.push_str(line.trim_end());
                wrapped.push('\n');
                line = indent.to_owned();
            }
            line.push_str(word);
            line.push(' ');
        }
        wrapped.push_str(line.trim_end());
        wrapped.push('\n');
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_broken_between_words() {
        let text = wrap(&"word ".repeat(30), "  ");
        assert_eq!(text.lines().count(), 2);
        assert!(text.lines().all(|line| line.starts_with("  word") && line.len() <= TEXT_WIDTH));
    }
}
