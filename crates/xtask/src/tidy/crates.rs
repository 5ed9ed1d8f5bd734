//! Who may import whom, and that there is one Arrow and one DataFusion.

use super::manifest::{self, Dependency};
use super::{Violation, manifest::Manifest};
use crate::tree::Tree;

/// Each crate of ours and those of ours it may import. `ALL` is for what is never shipped.
const IMPORTS: [(&str, &[&str]); 17] = [
    ("foretell-kernels", &[]),
    ("foretell-tensors", &["foretell-kernels"]),
    ("foretell-model", &["foretell-kernels", "foretell-tensors"]),
    ("foretell-mlflow", &["foretell-model"]),
    ("foretell-model-fuzz", &["foretell-mlflow", "foretell-model", "foretell-tensors", "foretell-testing"]),
    ("foretell-udfs", &["foretell-model"]),
    ("foretell-query", &["foretell-model", "foretell-udfs"]),
    ("foretell-warehouse", &["foretell-model"]),
    ("foretell", &["foretell-model", "foretell-mlflow", "foretell-udfs", "foretell-query", "foretell-warehouse"]),
    ("foretell-cli", DOOR),
    ("foretell-server", DOOR),
    ("foretell-cluster", DOOR),
    ("foretell-ffi", DOOR),
    ("foretell-python", DOOR),
    ("foretell-testing", ALL),
    ("foretell-bench", ALL),
    ("foretell-xtask", &[]),
];
const DOOR: &[&str] = &["foretell-model", "foretell-udfs", "foretell-query", "foretell"];
const ALL: &[&str] =
    &["foretell-kernels", "foretell-tensors", "foretell-model", "foretell-udfs", "foretell-query", "foretell"];

/// The packages of which `Cargo.lock` holds exactly one version.
const ONE_VERSION: [&str; 2] = ["arrow", "datafusion"];

/// Checks the dependencies of every manifest among our own crates.
pub fn check_imports(tree: &Tree, found: &mut Vec<Violation>) {
    for (path, text) in tree.texts(|path| path == "Cargo.toml" || path.ends_with("/Cargo.toml")) {
        let Manifest { package, dependencies } = manifest::parse(text);
        let Some(package) = package else { continue };
        let Some((_, allowed)) = IMPORTS.iter().find(|(name, _)| *name == package) else {
            let what = format!("`{package}` is new: say in {} what it may import", file!());
            found.push(Violation::new(path, 1, "imports", what));
            continue;
        };
        let ours = dependencies.iter().filter(|dependency| dependency.package.starts_with("foretell"));
        for wrong in ours.filter(|dependency| !may_import(allowed, dependency)) {
            let what = match wrong.package {
                "foretell-testing" => "`foretell-testing` belongs in [dev-dependencies]".to_owned(),
                import => format!("`{package}` must not import `{import}`"),
            };
            found.push(Violation::new(path, wrong.line, "imports", what));
        }
    }
}

fn may_import(allowed: &[&str], dependency: &Dependency<'_>) -> bool {
    allowed.contains(&dependency.package) || (dependency.dev && dependency.package == "foretell-testing")
}

/// Checks that the packages everything shares are there once.
pub fn check_versions(tree: &Tree, found: &mut Vec<Violation>) {
    let path = "Cargo.lock";
    let lines: Vec<&str> = tree.text(path).unwrap_or_default().lines().collect();
    for package in ONE_VERSION {
        let name = format!("name = \"{package}\"");
        let places: Vec<usize> = (0..lines.len()).filter(|at| lines[*at] == name).collect();
        if places.is_empty() {
            found.push(Violation::new(path, 1, "one-version", format!("no `{package}`; expected exactly one version")));
        }
        for place in places.iter().skip(1) {
            let version = lines.get(place + 1).and_then(|line| line.split('"').nth(1)).unwrap_or("unknown");
            let what = format!(
                "a second version of `{package}`, {version}; `cargo tree -i {package}@{version}` shows who wants it"
            );
            found.push(Violation::new(path, place + 1, "one-version", what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(package: &str, sections: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"{package}\"\n{sections}\n");
        let mut found = Vec::new();
        check_imports(&Tree::of(&[("x/Cargo.toml", &text)]), &mut found);
        found.iter().map(|violation| format!("{}: {}", violation.line, violation.what)).collect()
    }

    #[test]
    fn imports_go_one_way() {
        assert!(
            imports("foretell-model", "[dependencies]\narrow = \"1\"\nforetell-kernels.workspace = true").is_empty()
        );
        assert_eq!(
            imports("foretell-model", "[dependencies]\nforetell-udfs.workspace = true"),
            ["4: `foretell-model` must not import `foretell-udfs`"]
        );
        assert_eq!(
            imports("foretell-server", "[dev-dependencies]\nforetell-cli = { path = \"..\" }"),
            ["4: `foretell-server` must not import `foretell-cli`"]
        );
        assert_eq!(
            imports("foretell-cli", "[dependencies]\nforetell-warehouse.workspace = true"),
            ["4: `foretell-cli` must not import `foretell-warehouse`"]
        );
    }

    #[test]
    fn the_test_kit_is_for_tests() {
        assert!(imports("foretell-udfs", "[dev-dependencies]\nforetell-testing.workspace = true").is_empty());
        assert_eq!(
            imports("foretell-udfs", "[dependencies]\nforetell-testing.workspace = true"),
            ["4: `foretell-testing` belongs in [dev-dependencies]"]
        );
    }

    #[test]
    fn a_new_crate_must_be_placed() {
        assert_eq!(imports("foretell-new", "").len(), 1);
    }

    #[test]
    fn one_version_of_what_all_share() {
        let lock = |versions: &[(&str, &str)]| {
            let text: String = versions
                .iter()
                .map(|(name, version)| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\n"))
                .collect();
            let mut found = Vec::new();
            check_versions(&Tree::of(&[("Cargo.lock", &text)]), &mut found);
            found.iter().map(|violation| (violation.line, violation.what.clone())).collect::<Vec<_>>()
        };
        assert_eq!(lock(&[("arrow", "1.0.0"), ("arrow-array", "2.0.0"), ("datafusion", "1.0.0")]), []);
        let two = lock(&[("arrow", "1.0.0"), ("arrow", "2.0.0"), ("datafusion", "1.0.0")]);
        assert_eq!(two.len(), 1);
        assert!(two[0].0 == 6 && two[0].1.contains("2.0.0"), "{two:?}");
        assert_eq!(lock(&[("arrow", "1.0.0")]).len(), 1);
    }
}
