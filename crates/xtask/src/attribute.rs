//! Reads the `user_doc` attribute of a SQL function from its source text.

use crate::Result;
use crate::source::{Source, matching_end};

/// What a function's `user_doc` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct UserDoc {
    /// The heading under which the function stands.
    pub section: String,
    /// What it does.
    pub description: String,
    /// How it is called.
    pub syntax: String,
    /// Other ways to call it.
    pub alternatives: Vec<String>,
    /// A call and its answer, fenced.
    pub example: Option<String>,
    /// Names and descriptions.
    pub arguments: Vec<(String, String)>,
    /// Functions to see as well.
    pub related: Vec<String>,
}

/// The `user_doc` of a file; `None` if it has none.
///
/// # Errors
/// When the attribute is not written as DataFusion's macro wants it, or lacks what a page needs.
pub fn user_doc(text: &str) -> Result<Option<UserDoc>> {
    let source = Source::new(text);
    let Some(start) = source.code().find("#[user_doc(") else { return Ok(None) };
    let end = matching_end(source.code().as_bytes(), start + 1);
    let mut cursor = Cursor { rest: text[start..end].trim_start_matches("#[user_doc") };
    let mut doc = UserDoc::default();
    for property in cursor.list()? {
        doc.set(property)?;
    }
    for (name, value) in [("description", &doc.description), ("syntax_example", &doc.syntax), ("label", &doc.section)] {
        if value.is_empty() {
            return Err(format!("`user_doc` has no `{name}`").into());
        }
    }
    Ok(Some(doc))
}

impl UserDoc {
    fn set(&mut self, Property { name, value }: Property<'_>) -> Result {
        match (name, value) {
            ("description", Value::Text(text)) => self.description = text,
            ("syntax_example", Value::Text(text)) => self.syntax = text,
            ("alternative_syntax", Value::Text(text)) => self.alternatives.push(text),
            ("sql_example", Value::Text(text)) => self.example = Some(text),
            ("doc_section", Value::List(list)) => self.section = field(&list, "label")?.to_owned(),
            ("argument", Value::List(list)) => {
                self.arguments.push((field(&list, "name")?.to_owned(), field(&list, "description")?.to_owned()));
            }
            ("standard_argument", Value::List(list)) => {
                let what = field(&list, "prefix").unwrap_or("The");
                let description =
                    format!("{what} expression: a constant, a column, a function, or operators on these.");
                self.arguments.push((field(&list, "name")?.to_owned(), description));
            }
            ("related_udf", Value::List(list)) => self.related.push(field(&list, "name")?.to_owned()),
            _ => return Err(format!("`user_doc` does not know `{name}` in this form").into()),
        }
        Ok(())
    }
}

fn field<'a>(list: &'a [Property<'_>], name: &str) -> Result<&'a str> {
    let value = list.iter().find(|property| property.name == name).map(|property| &property.value);
    match value {
        Some(Value::Text(text)) => Ok(text),
        _ => Err(format!("`user_doc` has a list without `{name} = \"...\"`").into()),
    }
}

struct Property<'a> {
    name: &'a str,
    value: Value<'a>,
}

enum Value<'a> {
    Text(String),
    List(Vec<Property<'a>>),
}

/// What is left to read.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// `(name = "text", name(...), ...)`
    fn list(&mut self) -> Result<Vec<Property<'a>>> {
        self.expect('(')?;
        let mut list = Vec::new();
        loop {
            if self.take(')') {
                return Ok(list);
            }
            let name = self.word();
            let value = if self.take('=') { Value::Text(self.string()?) } else { Value::List(self.list()?) };
            list.push(Property { name, value });
            if !self.take(',') {
                self.expect(')')?;
                return Ok(list);
            }
        }
    }

    fn word(&mut self) -> &'a str {
        self.skip_blanks();
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// A string or raw string, as the program would see it.
    fn string(&mut self) -> Result<String> {
        self.skip_blanks();
        if let Some(raw) = self.rest.strip_prefix('r') {
            let hashes = raw.len() - raw.trim_start_matches('#').len();
            let end = format!("\"{}", "#".repeat(hashes));
            let inside = raw[hashes..].strip_prefix('"').and_then(|inside| inside.split_once(&end));
            let (text, rest) = inside.ok_or("`user_doc` has a string that does not end")?;
            self.rest = rest;
            return Ok(text.to_owned());
        }
        self.expect('"')?;
        let mut text = String::new();
        let mut characters = self.rest.chars();
        loop {
            match characters.next().ok_or("`user_doc` has a string that does not end")? {
                '"' => break,
                '\\' => match characters.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some(plain @ ('"' | '\\' | '\'')) => text.push(plain),
                    Some('\n') => characters = characters.as_str().trim_start().chars(),
                    other => return Err(format!("`user_doc` has an escape that is not read here: {other:?}").into()),
                },
                plain => text.push(plain),
            }
        }
        self.rest = characters.as_str();
        Ok(text)
    }

    fn take(&mut self, wanted: char) -> bool {
        self.skip_blanks();
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, wanted: char) -> Result {
        if self.take(wanted) {
            return Ok(());
        }
        let got = self.rest.chars().next().map_or_else(|| "the end".to_owned(), |got| format!("`{got}`"));
        Err(format!("`user_doc`: expected `{wanted}`, got {got}").into())
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
        while let Some(comment) = self.rest.strip_prefix("//") {
            self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_is_read() {
        let text = r###"
//! Not this: #[user_doc(description = "no")]
#[user_doc(
    doc_section(label = "Section"), // why
    description = "A \"quoted\" \\ line, \
                   continued.\nNext",
    syntax_example = "f(a, [b])",
    alternative_syntax = "a f b",
    sql_example = r#"```sql
> SELECT f("a)]");
```"#,
    argument(name = "a", description = "The a."),
    standard_argument(name = "b", prefix = "Number"),
    related_udf(name = "g"),
)]
/// Doc.
pub struct F;
"###;
        let doc = user_doc(text).expect("reads").expect("is there");
        let expected = UserDoc {
            section: "Section".to_owned(),
            description: "A \"quoted\" \\ line, continued.\nNext".to_owned(),
            syntax: "f(a, [b])".to_owned(),
            alternatives: vec!["a f b".to_owned()],
            example: Some("```sql\n> SELECT f(\"a)]\");\n```".to_owned()),
            arguments: vec![
                ("a".to_owned(), "The a.".to_owned()),
                (
                    "b".to_owned(),
                    "Number expression: a constant, a column, a function, or operators on these.".to_owned(),
                ),
            ],
            related: vec!["g".to_owned()],
        };
        assert_eq!(doc, expected);
    }

    #[test]
    fn no_attribute_is_no_doc() {
        assert_eq!(user_doc("struct F; // #[user_doc(x)]").expect("reads"), None);
    }

    #[test]
    fn what_a_page_needs_must_be_there() {
        let error = |text: &str| user_doc(text).expect_err("fails").to_string();
        assert_eq!(error("#[user_doc(syntax_example = \"f()\")]"), "`user_doc` has no `description`");
        assert_eq!(error("#[user_doc(description \"f()\")]"), "`user_doc`: expected `(`, got `\"`");
        assert_eq!(error("#[user_doc(colour = \"red\")]"), "`user_doc` does not know `colour` in this form");
        assert_eq!(
            error("#[user_doc(argument(name = \"a\"))]"),
            "`user_doc` has a list without `description = \"...\"`"
        );
        assert_eq!(error("#[user_doc(description = \"open"), "`user_doc` has a string that does not end");
    }
}
