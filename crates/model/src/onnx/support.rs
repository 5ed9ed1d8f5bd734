//! The tables of operators and formats in `crates/model/README.md`, made of what the code says of itself.
//!
//! Which operators there are at all is in `tests/fixtures/onnx_operators.tsv`, from the `onnx` package and onnxruntime.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use foretell_testing::{pack, page};
use tract_onnx::pb::{ModelProto, NodeProto};

use super::builder::Builder;
use super::lower::Scope;
use super::node::Node;
use super::opsets::Opsets;
use crate::error::Error;
use crate::format::Format;
use crate::island;
use crate::limits::Limits;

#[test]
fn the_readme_has_every_operator() {
    let table = format!("{}\n{}\n{}", table("ai.onnx.ml"), table("ai.onnx"), own_table());
    page::check_section(&readme(), "operators", &table);
}

#[test]
fn the_readme_has_every_format() {
    let formats =
        [Format::Onnx, Format::XgboostJson, Format::XgboostUbjson, Format::LightgbmText, Format::CatboostJson];
    let lines: String = formats.into_iter().map(format_line).collect();
    let table = format!("| format | how it is saved | compared with the library |\n|---|---|---|\n{lines}");
    page::check_section(&readme(), "formats", &table);
}

fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// An operator of the list.
struct Operator {
    domain: String,
    name: String,
    /// The versions that define it, the one that took it out negative.
    versions: Vec<i64>,
}

fn operators() -> Vec<Operator> {
    let list = include_str!("../../tests/fixtures/onnx_operators.tsv");
    let operator = |line: &str| {
        let parts: Vec<&str> = line.split('\t').collect();
        let versions = parts[2].split(' ').map(|version| version.parse().expect("a version")).collect();
        Operator { domain: parts[0].to_string(), name: parts[1].to_string(), versions }
    };
    list.lines().map(operator).collect()
}

impl Operator {
    /// The domain as files write it.
    fn domain(&self) -> &str {
        if self.domain == "ai.onnx" { "" } else { &self.domain }
    }

    /// The newest version that has it.
    fn version(&self) -> i64 {
        self.versions.iter().copied().max().unwrap_or(1)
    }

    /// Whether it becomes steps over columns: whatever is wrong with a node that has nothing but its name, it is not that
    /// nobody knows it.
    fn on_columns(&self) -> bool {
        let limits = Limits::default();
        let mut builder = Builder::new(&limits);
        let opsets = Opsets::new(&ModelProto::default());
        let (domain, op_type) = (self.domain().to_string(), self.name.clone());
        let proto = NodeProto { domain, op_type, ..NodeProto::default() };
        let lowered = Scope::new(&opsets, None).lower_natively(&mut builder, &Node::new(&proto, self.version()));
        !matches!(lowered, Err(Error::UnsupportedOperator { why, .. }) if why == self.refusal())
    }

    fn in_tract(&self) -> bool {
        matches!(self.domain(), "" | "com.microsoft") && island::tract_knows(&self.name)
    }

    fn in_evaluator(&self) -> bool {
        foretell_tensors::is_known(self.domain(), &self.name)
    }

    fn is_supported(&self) -> bool {
        self.on_columns() || self.in_tract() || self.in_evaluator()
    }

    /// Why it is left out on purpose; empty if it is not.
    fn refusal(&self) -> &'static str {
        foretell_tensors::refusal(self.domain(), &self.name)
    }

    fn line(&self) -> String {
        let versions: Vec<String> = self.versions.iter().map(i64::to_string).collect();
        let columns = if self.on_columns() { "yes" } else { "" };
        let engines = [(self.in_tract(), "tract"), (self.in_evaluator(), "evaluator")];
        let tensors: Vec<&str> = engines.into_iter().filter(|(has, _)| *has).map(|(_, engine)| engine).collect();
        let tensors = match self.is_supported() {
            true => tensors.join(", "),
            false if self.refusal().is_empty() => "not supported".to_string(),
            false => format!("refused: {}", self.refusal()),
        };
        format!("| {} | {} | {columns} | {tensors} |\n", self.name, versions.join(", "))
    }
}

const HEAD: &str = "| operator | versions | columns | tensors |\n|---|---|---|---|\n";

/// All operators of a set.
fn table(domain: &str) -> String {
    let all: Vec<Operator> = operators().into_iter().filter(|operator| operator.domain == domain).collect();
    let count = |is: fn(&Operator) -> bool| all.iter().filter(|operator| is(operator)).count();
    let lines: String = all.iter().map(Operator::line).collect();
    format!(
        "### {domain}\n\n{} of {} operators: {} over columns, {} in tract, {} in the evaluator.\n\n{HEAD}{lines}",
        count(Operator::is_supported),
        all.len(),
        count(Operator::on_columns),
        count(Operator::in_tract),
        count(Operator::in_evaluator)
    )
}

/// The operators of onnxruntime's own set that there are; of the others, most belong to one device or to training.
fn own_table() -> String {
    let all: Vec<Operator> = operators().into_iter().filter(|operator| operator.domain == "com.microsoft").collect();
    let known: Vec<&Operator> = all.iter().filter(|operator| operator.is_supported()).collect();
    let lines: String = known.iter().map(|operator| operator.line()).collect();
    format!("### com.microsoft\n\n{} of {} operators:\n\n{HEAD}{lines}", known.len(), all.len())
}

/// A format, and the versions of the library whose files are among the fixtures.
fn format_line(format: Format) -> String {
    let (name, saved, family, suffix) = match format {
        Format::Onnx => ("ONNX", "every exporter to ONNX", "zoo", ".onnx"),
        Format::XgboostJson => ("XGBoost JSON", "`save_model(\"model.json\")`", "xgboost", ".json"),
        Format::XgboostUbjson => ("XGBoost UBJSON", "`save_model(\"model.ubj\")`", "xgboost", ".ubj"),
        Format::LightgbmText => ("LightGBM text", "`save_model(\"model.txt\")`", "lightgbm", ".txt"),
        Format::CatboostJson => ("CatBoost JSON", "`save_model(\"model.json\", format=\"json\")`", "catboost", ".json"),
    };
    let files = pack::family(family);
    let models: Vec<&String> = files.keys().filter(|file| file.ends_with(suffix)).collect();
    let versions: BTreeSet<String> = match format {
        Format::Onnx => BTreeSet::new(),
        _ => models.iter().map(|file| pack::version(family, file)).collect(),
    };
    let versions: Vec<String> = versions.into_iter().collect();
    let versions = if versions.is_empty() { String::new() } else { format!(" of {}", versions.join(", ")) };
    format!("| {name} | {saved} | {} files{versions} |\n", models.len())
}
