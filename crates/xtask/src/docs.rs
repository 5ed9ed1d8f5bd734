//! The pages about SQL functions: a table in the README and a reference in `udfs/`.
//!
//! A function is documented once, in its `user_doc`; the shell's help shows the same text.

use std::fmt::Write;
use std::path::Path;

use crate::Result;
use crate::attribute::{UserDoc, user_doc};
use crate::tidy::is_function;
use crate::tree::Tree;

const README: &str = "README.md";
const REFERENCE: &str = "udfs/README.md";
const TABLE_BEGIN: &str = "<!-- functions -->";
const TABLE_END: &str = "<!-- /functions -->";

const REFERENCE_HEAD: &str = "\
# SQL functions

<!-- Written by `cargo xtask docs` from the `user_doc` of each function; change it there. -->

The functions that foretell adds to [those of DataFusion](https://datafusion.apache.org/user-guide/sql/index.html).
A model is a function as well: after `CREATE MODEL late FROM 'late.onnx'`, `late(...)` is its prediction.
";

/// A SQL function: its name, which is the name of its file, and its documentation.
type Function<'a> = (&'a str, UserDoc);

/// Writes both pages; leaves a page alone that is right already.
///
/// # Errors
/// When a `user_doc` cannot be read, the README has no place for the table, or a file cannot be written.
pub fn write(root: &Path) -> Result {
    let tree = Tree::read(root)?;
    for (path, page) in pages(&tree)? {
        if tree.text(path) != Some(&page) {
            std::fs::write(root.join(path), page).map_err(|error| format!("{path}: {error}"))?;
            println!("wrote {path}");
        }
    }
    Ok(())
}

/// Compares both pages with what `write` would write.
///
/// # Errors
/// When one of them differs, or for the reasons of `write`.
pub fn check(root: &Path) -> Result {
    let tree = Tree::read(root)?;
    for (path, page) in pages(&tree)? {
        if tree.text(path) != Some(&page) {
            return Err(
                format!("{path} does not say what the functions' `user_doc` says; run `cargo xtask docs`").into()
            );
        }
    }
    Ok(())
}

/// Both pages as they should be.
fn pages(tree: &Tree) -> Result<[(&'static str, String); 2]> {
    let functions = functions(tree)?;
    Ok([(REFERENCE, reference(&functions)), (README, readme(tree, &functions)?)])
}

/// All functions, sorted by family and name.
fn functions(tree: &Tree) -> Result<Vec<Function<'_>>> {
    let mut functions = Vec::new();
    for (path, text) in tree.texts(is_function) {
        let doc = user_doc(text).map_err(|error| format!("{path}: {error}"))?;
        let doc = doc.ok_or_else(|| format!("{path}: a SQL function carries `user_doc`"))?;
        let name = path.rsplit('/').next().and_then(|file| file.strip_suffix(".rs")).unwrap_or(path);
        if !doc.syntax.starts_with(&format!("{name}(")) {
            return Err(format!("{path}: `syntax_example` must begin with `{name}(`, got `{}`", doc.syntax).into());
        }
        functions.push((name, doc));
    }
    Ok(functions)
}

/// The README with a new table between the markers.
fn readme(tree: &Tree, functions: &[Function<'_>]) -> Result<String> {
    let text = tree.text(README).ok_or("there is no README.md")?;
    let (before, rest) = text.split_once(TABLE_BEGIN).ok_or_else(|| format!("{README} has no `{TABLE_BEGIN}`"))?;
    let (_, after) =
        rest.split_once(TABLE_END).ok_or_else(|| format!("{README} has no `{TABLE_END}` below the other"))?;
    let mut table = String::from("| Function | Answer |\n|---|---|\n");
    for (name, doc) in functions {
        let answer = doc.description.replace('\n', " ").replace('|', "\\|");
        line(&mut table, format_args!("| [`{name}`]({REFERENCE}#{name}) | {answer} |"));
    }
    Ok(format!("{before}{TABLE_BEGIN}\n{table}{TABLE_END}{after}"))
}

/// The reference, one section after the other.
fn reference(functions: &[Function<'_>]) -> String {
    let mut sections: Vec<&str> = Vec::new();
    for (_, doc) in functions {
        if !sections.contains(&doc.section.as_str()) {
            sections.push(&doc.section);
        }
    }
    let mut page = REFERENCE_HEAD.to_owned();
    for section in sections {
        line(&mut page, format_args!("\n## {section}"));
        for (name, doc) in functions.iter().filter(|(_, doc)| doc.section == section) {
            entry(&mut page, name, doc);
        }
    }
    page
}

fn entry(page: &mut String, name: &str, doc: &UserDoc) {
    line(page, format_args!("\n### `{name}`\n\n{}\n", doc.description));
    for syntax in std::iter::once(&doc.syntax).chain(&doc.alternatives) {
        line(page, format_args!("    {syntax}"));
    }
    if !doc.arguments.is_empty() {
        line(page, format_args!(""));
    }
    for (argument, description) in &doc.arguments {
        line(page, format_args!("- `{argument}`: {description}"));
    }
    if let Some(example) = &doc.example {
        line(page, format_args!("\n{}", example.trim()));
    }
    if !doc.related.is_empty() {
        let related: Vec<String> = doc.related.iter().map(|other| format!("[`{other}`](#{other})")).collect();
        line(page, format_args!("\nSee also {}.", related.join(", ")));
    }
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(page, "{text}").expect("a String takes every write");
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTION: &str = r##"
#[user_doc(
    doc_section(label = "Model Functions"),
    description = "Rates a | b.",
    syntax_example = "rate(model, [a | b])",
    sql_example = "```sql\n> SELECT rate('m');\n```",
    argument(name = "model", description = "Its name."),
    related_udf(name = "rank")
)]
struct RateFunc;
"##;

    fn tree(readme: &str) -> Tree {
        Tree::of(&[("README.md", readme), ("udfs/src/predict/mod.rs", ""), ("udfs/src/predict/rate.rs", FUNCTION)])
    }

    #[test]
    fn the_table_stands_between_its_markers() {
        let tree = tree("# foretell\n\n<!-- functions -->\nold\n<!-- /functions -->\n\nMore.\n");
        let functions = functions(&tree).expect("reads");
        let expected = "# foretell\n\n<!-- functions -->\n| Function | Answer |\n|---|---|\n| [`rate`](udfs/README.md#rate) | Rates a \\| b. |\n<!-- /functions -->\n\nMore.\n";
        assert_eq!(readme(&tree, &functions).expect("has markers"), expected);
    }

    #[test]
    fn a_readme_without_markers_is_an_error() {
        let error = readme(&tree("# foretell"), &[]).expect_err("no markers");
        assert_eq!(error.to_string(), "README.md has no `<!-- functions -->`");
    }

    #[test]
    fn the_reference_says_all() {
        let tree = tree("");
        let page = reference(&functions(&tree).expect("reads"));
        let expected = "
## Model Functions

### `rate`

Rates a | b.

    rate(model, [a | b])

- `model`: Its name.

```sql
> SELECT rate('m');
```

See also [`rank`](#rank).
";
        assert_eq!(page.strip_prefix(REFERENCE_HEAD), Some(expected));
    }

    #[test]
    fn the_file_has_the_name_of_the_function() {
        let tree = Tree::of(&[("udfs/src/predict/other.rs", FUNCTION)]);
        let error = functions(&tree).expect_err("differs").to_string();
        assert!(error.contains("must begin with `other(`"), "{error}");
    }
}
