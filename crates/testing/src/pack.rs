//! Reading of packed fixtures: a family of models and answers in one `.tar.gz`, cases in one `.json.gz`.
//!
//! `tests/fixtures/pack.py` writes them. They are here to be trusted, so that whatever is wrong with one is a panic; and no
//! more of the tar format is read than that script writes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

/// What a header of a tar file takes, and what contents are filled up to.
const BLOCK: usize = 512;

/// The files of a family in `tests/fixtures` by name: those in its pack, and those in the folder beside it.
///
/// # Panics
/// When there is no such family, or its pack was not written by `pack.py`.
pub fn family(name: &str) -> BTreeMap<String, Vec<u8>> {
    let path = fixtures().join(format!("{name}.tar.gz"));
    let mut files = if path.exists() { packed(&unzipped(&path)) } else { BTreeMap::new() };
    files.extend(files_in(&fixtures().join(name)));
    assert!(!files.is_empty(), "{} has no family {name}", fixtures().display());
    files
}

/// The version of the library whose own file this is, from the file's name: `v231_frame` is of 2.3.1, `v3_1_3_dart` of 3.1.3,
/// and what has no version is of the one that the fixtures require.
///
/// # Panics
/// When no version is required.
pub fn version(library: &str, file: &str) -> String {
    let parts = file.strip_prefix('v').unwrap_or_default().split('_');
    let parts = parts.take_while(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let digits: Vec<String> = parts.flat_map(str::chars).map(String::from).collect();
    if digits.is_empty() { required(library) } else { digits.join(".") }
}

fn required(library: &str) -> String {
    let requirements =
        fs::read_to_string(fixtures().join("requirements.txt")).expect("the requirements of the fixtures");
    let mut versions = requirements.lines().filter_map(|line| line.strip_prefix(library)?.strip_prefix("=="));
    versions.next().unwrap_or_else(|| panic!("no version of {library} is required")).to_string()
}

/// What a file has in it that gzip made smaller.
///
/// # Panics
/// When there is no such file, or it is no file of gzip.
pub fn unzipped(path: &Path) -> Vec<u8> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{} is in the repository: {error}", path.display()));
    let mut contents = Vec::new();
    GzDecoder::new(file).read_to_end(&mut contents).expect("a file of gzip");
    contents
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

/// The files in a folder, which need not be there.
fn files_in(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("a readable folder").path()).filter(|path| path.is_file());
    let named = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8").to_string();
    paths.map(|path| (named(&path), fs::read(&path).expect("a readable file"))).collect()
}

/// The files in a tar file.
fn packed(tar: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut rest = tar;
    while let Some((header, contents)) = rest.split_first_chunk::<BLOCK>().filter(|(header, _)| header[0] != 0) {
        let size = usize::from_str_radix(text(&header[124..136]), 8).expect("the size of a file, in octal digits");
        files.insert(text(&header[..100]).to_string(), contents[..size].to_vec());
        rest = &contents[size.next_multiple_of(BLOCK)..];
    }
    files
}

/// A field of a header, which ends at its first zero.
fn text(field: &[u8]) -> &str {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    std::str::from_utf8(&field[..end]).expect("a field in UTF-8")
}
