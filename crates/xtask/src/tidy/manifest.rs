//! The part of a `Cargo.toml` that the rules need: the package's name and what it depends on.

/// One dependency.
#[derive(Debug, PartialEq, Eq)]
pub struct Dependency<'a> {
    /// The package, whatever the manifest calls it.
    pub package: &'a str,
    /// Whether only tests, examples and benchmarks have it.
    pub dev: bool,
    /// The line, counted from one.
    pub line: usize,
}

/// A manifest.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Manifest<'a> {
    /// The package's name; a manifest of a workspace alone has none.
    pub package: Option<&'a str>,
    /// Its dependencies in the order of the file.
    pub dependencies: Vec<Dependency<'a>>,
}

/// Reads a manifest as Cargo users write it: one key a line.
pub fn parse(text: &str) -> Manifest<'_> {
    let mut manifest = Manifest::default();
    let mut section = "";
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            section = header.trim_matches('[');
            // `[dependencies.name]`
            if let Some((table, package)) = section.rsplit_once('.')
                && let Some(dev) = dependency_table(table)
            {
                manifest.dependencies.push(Dependency { package, dev, line: number });
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let key = key.split('.').next().unwrap_or(key).trim();
        if section == "package" && key == "name" {
            manifest.package = first_string(value);
        } else if let Some(dev) = dependency_table(section)
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        {
            let package = value.split_once("package").and_then(|(_, rest)| first_string(rest)).unwrap_or(key);
            manifest.dependencies.push(Dependency { package, dev, line: number });
        }
    }
    manifest
}

/// Whether a section lists dependencies, and if so whether for development only. The workspace's own list is none.
fn dependency_table(section: &str) -> Option<bool> {
    let name = match section.strip_prefix("target.") {
        Some(target) => target.rsplit('.').next()?,
        None => section,
    };
    match name {
        "dependencies" | "build-dependencies" => Some(false),
        "dev-dependencies" => Some(true),
        _ => None,
    }
}

fn first_string(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_dependency_is_read() {
        let text = r#"
[package]
name = "foretell-x" # the name
[workspace.dependencies]
skipped = "1"
[dependencies]
a.workspace = true
b = { version = "1", features = [
    "name = x",
] }
# c = "1"
renamed = { package = "d", version = "1" }
[dependencies.e]
version = "1"
[target.'cfg(unix)'.dependencies]
f = "1"
[dev-dependencies]
g = "1"
[[bin]]
name = "h"
"#;
        let manifest = parse(text);
        assert_eq!(manifest.package, Some("foretell-x"));
        let found: Vec<_> = manifest.dependencies.iter().map(|it| (it.package, it.dev, it.line)).collect();
        assert_eq!(
            found,
            [("a", false, 7), ("b", false, 8), ("d", false, 12), ("e", false, 13), ("f", false, 16), ("g", true, 18)]
        );
    }
}
