//! Every script in `sql/` runs, and so does every example of the README.

use std::path::Path;

use crate::util::{foretell, repository};

#[test]
fn every_script_runs() {
    let directory = repository().join("sql");
    let mut scripts: Vec<_> = std::fs::read_dir(&directory)
        .expect("sql/ is a directory")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    scripts.sort();
    assert!(!scripts.is_empty(), "no scripts in {}", directory.display());
    for script in scripts {
        run_script(&script);
    }
}

/// In memory and in a database directory: a script must not depend on either.
fn run_script(script: &Path) {
    let database = tempfile::tempdir().expect("a temporary directory");
    let directory = database.path().join("db");
    for database in [None, directory.to_str()] {
        let output = foretell().args(database).arg("-f").arg(script).output().expect("foretell starts");
        assert!(
            output.status.success(),
            "{} (database {database:?}) failed: {}",
            script.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(!output.stdout.is_empty(), "{} printed nothing", script.display());
    }
}

/// Each fenced `sql` block of the README runs in order in one database; each block marked `text` below it is what it prints.
#[test]
fn the_tour_of_the_readme_prints_what_it_says() {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("README.md");
    let blocks = fenced_blocks(&readme);
    let database = tempfile::tempdir().expect("a temporary directory");
    let mut examples = 0;
    for (position, (language, statement)) in blocks.iter().enumerate() {
        if language != "sql" {
            continue;
        }
        let output = foretell().arg(database.path()).arg("-c").arg(statement).output().expect("foretell starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "README example failed:\n{statement}\n{stderr}");
        if let Some((language, expected)) = blocks.get(position + 1)
            && language == "text"
        {
            let printed = String::from_utf8_lossy(&output.stdout);
            assert_eq!(printed.trim_end(), expected.trim_end(), "README example:\n{statement}");
            examples += 1;
        }
    }
    assert!(examples >= 5, "the README shows the output of {examples} examples only");
}

fn fenced_blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.trim().to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, body)), None) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// The examples of the crate are programs; `cargo test --workspace` has built them beside this test's own program.
#[test]
fn every_example_of_the_crate_runs() {
    let folder = Path::new(env!("CARGO_BIN_EXE_foretell")).with_file_name("examples");
    for example in ["embed", "existing_context"] {
        let output = std::process::Command::new(folder.join(example)).current_dir(repository()).output();
        let output =
            output.unwrap_or_else(|error| panic!("example {example} is not built ({error}): cargo test --workspace"));
        assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stdout.is_empty(), "{example} printed nothing");
    }
}
