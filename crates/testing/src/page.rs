//! Sections of pages that are written from the code, such as tables of what there is.
//!
//! A section stands between `<!-- NAME -->` and `<!-- /NAME -->`; the rest of the page is nobody's business here.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::{env, fs};

/// Tests in other threads write other sections of the same page.
static PAGES: Mutex<()> = Mutex::new(());

/// Fails unless the section of the page has this text; with `UPDATE=1` it is written instead.
///
/// # Panics
/// When the page has no such section, or another text in it.
pub fn check_section(page: &Path, name: &str, text: &str) {
    let _one_at_a_time = PAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let whole = fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let sections = whole.split_once(&start).and_then(|(before, rest)| Some((before, rest.split_once(&end)?)));
    let Some((before, (found, after))) = sections else {
        panic!("{} has no section between `{}` and `{end}`", page.display(), start.trim_end());
    };
    let expected = format!("\n{}\n\n", text.trim());
    if env::var_os("UPDATE").is_some() {
        fs::write(page, [before, &start, &expected, &end, after].concat()).expect("the page can be written");
        return;
    }
    let differing = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    let differing = differing.map_or(String::new(), |(found, expected)| format!(":\n- {found}\n+ {expected}"));
    let update = format!("the section `{name}` of {} is stale, `UPDATE=1` writes it anew", page.display());
    assert!(found == expected, "{update}{differing}");
}
