//! The backend suite of the `onnx` package: every case, with the tolerances of its own runner.
//!
//! Operators of ai.onnx run on the tensor evaluator, those of ai.onnx.ml, which work on columns, through `Model`.
//! `tests/fixtures/make_backend_suite.py` packs the suite. What does not pass is listed with its reason in
//! `tests/fixtures/backend/not_passing.txt`, which must match what happens here both ways; `UPDATE=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;
use std::{env, fs};

use foretell_testing::counts;
use tract_onnx::pb::ModelProto;

use crate::backend_columns::{Answered, through_model};
use crate::suite::{Alone, Case, Suite, folder};

/// Numbers around zero that are NumPy's rounding, or ours, after a transform of numbers up to a hundred in single precision.
const ROUNDED: (&str, f64) = ("test_dft", 1e-5);

/// What we decided against, since ONNX Runtime answers otherwise; its answers are among the cases of `onnxruntime.bin`.
const DECIDED: (&str, &str) =
    ("test_resize_downsample_scales_", "ONNX Runtime maps aligned corners to whole numbers of places, and so do we");

#[test]
fn the_backend_suite_passes() {
    let mut failures = String::new();
    let mut counts = Counts::default();
    for kind in ["node", "simple", "pytorch-converted", "pytorch-operator"] {
        for (suite, case) in cases(kind) {
            let domain = domain(&suite.model(&case));
            let result = check(&suite, &case, domain);
            counts.add(domain, result.as_ref().err());
            if let Err(reason) = result {
                writeln!(failures, "{kind}/{}: {reason}", case.name).expect("text can be written");
            }
        }
    }
    counts.report();
    let list = folder().join("not_passing.txt");
    if env::var_os("UPDATE").is_some() {
        fs::write(&list, &failures).expect("the list can be written");
    }
    let listed = fs::read_to_string(&list).unwrap_or_default();
    let differing = |ours: &str, others: &str| -> Vec<String> {
        ours.lines().filter(|line| !others.lines().any(|other| other == *line)).map(str::to_string).collect()
    };
    let (new, gone) = (differing(&failures, &listed), differing(&listed, &failures));
    let message = format!("not listed:\n{}\nlisted, but not so:\n{}", new.join("\n"), gone.join("\n"));
    assert!(new.is_empty() && gone.is_empty(), "{message}");
}

/// The cases of a kind, with their tolerances.
fn cases(kind: &str) -> impl Iterator<Item = (Rc<Suite>, Case)> {
    let mut suite = Suite::read(kind);
    let cases = std::mem::take(&mut suite.cases);
    let suite = Rc::new(suite);
    cases.into_iter().map(move |case| {
        let rounded = case.name.starts_with(ROUNDED.0);
        (Rc::clone(&suite), if rounded { Case { absolute: ROUNDED.1, ..case } } else { case })
    })
}

fn check(suite: &Suite, case: &Case, domain: &str) -> Result<(), String> {
    let result = match domain {
        "ai.onnx.ml" => match through_model(suite, case) {
            Answered::Alike => Ok(()),
            Answered::Otherwise(why) | Answered::Refused(why) => Err(why),
            Answered::NotPosed => Err("it cannot be posed as columns".to_string()),
        },
        _ => suite.check(case),
    };
    match case.name.starts_with(DECIDED.0) {
        true => result.map_err(|why| format!("{}: {why}", DECIDED.1)),
        false => result,
    }
}

/// Answers of tract that are not the suite's, and why: an island is compared with the evaluator when it is loaded, but half
/// precision leaves room.
const TRACT: [(&str, &str); 2] = [
    ("test_attention_4d_causal_fp16_expanded", "the rounding of a softmax of half precision"),
    ("test_causal_conv_with_state_silu_fp16_expanded", "the rounding of a sigmoid of half precision"),
];

/// The same cases on the way that queries take: rows of columns instead of tensors. What `Model` answers is what the suite
/// expects; what it does not take it refuses.
#[test]
fn cases_that_can_be_posed_as_columns_are_answered_alike() {
    let mut otherwise = Vec::new();
    let mut refusals: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut of_tract = Vec::new();
    let mut alike = 0;
    for kind in ["node", "pytorch-converted", "pytorch-operator"] {
        for (suite, case) in cases(kind).filter(|(_, case)| !case.name.starts_with(DECIDED.0)) {
            match through_model(&suite, &case) {
                Answered::Alike => alike += 1,
                Answered::Otherwise(_) if TRACT.iter().any(|(name, _)| *name == case.name) => of_tract.push(case.name),
                Answered::Otherwise(why) => otherwise.push(format!("{kind}/{}: {why}", case.name)),
                Answered::Refused(why) => refusals.entry(why).or_default().push(case.name.clone()),
                Answered::NotPosed => {}
            }
        }
    }
    for (why, cases) in &refusals {
        println!("{} refused, such as {}: {why}", cases.len(), cases[0]);
    }
    let refused: usize = refusals.values().map(Vec::len).sum();
    let lines = [
        ("answered alike", alike),
        ("refused", refused),
        ("answered otherwise by tract, as is known", of_tract.len()),
        ("answered otherwise", otherwise.len()),
    ];
    let lines = lines.map(|(what, count)| (format!("posed as columns: {what}"), count.to_string()));
    lines.iter().for_each(|(what, count)| println!("{what}: {count}"));
    counts::report("Backend suite of onnx", "columns", &lines);
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n"));
    let stale: Vec<&str> =
        TRACT.iter().map(|(name, _)| *name).filter(|name| !of_tract.iter().any(|of| of == name)).collect();
    assert!(stale.is_empty(), "listed, but alike or refused: {}", stale.join(", "));
}

/// Operators beyond the suite, with the answers of ONNX Runtime.
#[test]
fn operators_answer_as_onnxruntime_on_tensors() {
    let suite = Suite::read("onnxruntime");
    let failures: Vec<String> = suite
        .cases
        .iter()
        .filter_map(|case| suite.check(case).err().map(|why| format!("{}: {why}", case.name)))
        .collect();
    let (failed, all) = (failures.len(), suite.cases.len());
    let line = ("operators on tensors, as ONNX Runtime answers".to_string(), counts::of(all - failed, all));
    println!("{}: {}", line.0, line.1);
    counts::report("Operator cases", "tensors", &[line]);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A row's answer must not depend on the rows beside it by an accident of arithmetic, such as another order of a sum: of all
/// cases, the first row alone has the bits it has in the batch, or, where the operator itself mixes rows, quite another answer.
#[test]
fn a_row_alone_has_the_bits_it_has_in_a_batch() {
    let mut same = 0;
    let mut rounded = Vec::new();
    for kind in ["node", "pytorch-converted", "pytorch-operator", "onnxruntime"] {
        for (suite, case) in cases(kind) {
            for [inputs, _] in &case.data_sets {
                match suite.row_alone(&case, inputs) {
                    Some(Alone::Same) => same += 1,
                    Some(Alone::Rounded(what)) => rounded.push(format!("{kind}/{}: {what}", case.name)),
                    Some(Alone::Other) | None => {}
                }
            }
        }
    }
    println!("{same} first rows have the bits they have in a batch");
    assert!(same > 300, "most operators work row by row");
    assert!(rounded.is_empty(), "{}", rounded.join("\n"));
}

/// How many cases there are of each operator set, how many of them pass, and why the others do not.
#[derive(Default)]
struct Counts {
    /// Passed and all, by the name of the operator set.
    domains: BTreeMap<&'static str, (usize, usize)>,
    reasons: BTreeMap<String, usize>,
}

impl Counts {
    fn add(&mut self, domain: &'static str, failure: Option<&String>) {
        let (passed, all) = self.domains.entry(domain).or_default();
        *passed += usize::from(failure.is_none());
        *all += 1;
        if let Some(failure) = failure {
            *self.reasons.entry(reason(failure)).or_default() += 1;
        }
    }

    fn report(&self) {
        let passed =
            self.domains.iter().map(|(domain, &(passed, all))| ((*domain).to_string(), counts::of(passed, all)));
        let mut reasons: Vec<(&String, &usize)> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let reasons = reasons.into_iter().map(|(reason, count)| (format!("  not passed: {reason}"), count.to_string()));
        let lines: Vec<(String, String)> = passed.chain(reasons).collect();
        lines.iter().for_each(|(what, count)| println!("{what}: {count}"));
        counts::report("Backend suite of onnx", "cases", &lines);
    }
}

/// The operator set that a case is about.
fn domain(model: &ModelProto) -> &'static str {
    let of = |domain: &str| model.opset_import.iter().any(|import| import.domain == domain);
    match () {
        () if of("ai.onnx.ml") => "ai.onnx.ml",
        () if of("ai.onnx.preview.training") => "ai.onnx.preview.training",
        () => "ai.onnx",
    }
}

/// What a failure has in common with others: the operator that is not there, why it is not, or that the answer differs.
fn reason(failure: &str) -> String {
    match failure.split_once(" is not supported") {
        Some((_, why)) if !why.is_empty() => why.trim_start_matches(": ").to_string(),
        Some((operator, _)) => {
            operator.split('`').nth(1).map_or_else(|| failure.to_string(), |name| format!("no {name}"))
        }
        None => "the answer differs".to_string(),
    }
}
