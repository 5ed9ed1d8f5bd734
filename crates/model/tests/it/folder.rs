//! Cases that need not be in the repository: generated ones, by the thousand, in the folder that a variable names.
//!
//!     FORETELL_CASES=/tmp/cases cargo test --workspace --test it -- folder --nocapture
//!
//! The files are laid out as those of `tests/fixtures/zoo`, see `tests/fixtures/README.md`. Without the variable there is
//! nothing to check; a case that finds something goes to the fixtures.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};

use foretell_model::{LoadOptions, Model};

use crate::compare::{ONNX, Tolerance};
use crate::fixtures::{Fixture, load};
use crate::reference::{check, options};

/// Names the folder.
const FOLDER: &str = "FORETELL_CASES";
/// Between an answer and that of the library whose file it is.
const LIBRARY: Tolerance = Tolerance { relative: 1e-6, floor: 1e-12 };

#[test]
fn the_cases_of_a_folder_answer_as_the_reference_does() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let fixtures = load(&folder);
    let (mut refused, mut differing) = (Vec::new(), Vec::new());
    for fixture in &fixtures {
        let outcome = catch_unwind(AssertUnwindSafe(|| outcome(fixture)));
        match outcome.unwrap_or_else(|_| Outcome::Differs("a panic, see above".to_string())) {
            Outcome::Agrees => {}
            Outcome::Refused(why) => refused.push(format!("refused: {}: {why}", fixture.name)),
            Outcome::Differs(how) => differing.push(format!("differs: {}: {how}", fixture.name)),
        }
    }
    let agreeing = fixtures.len() - refused.len() - differing.len();
    println!("{} cases: {agreeing} agree, {} refused, {} differ", fixtures.len(), refused.len(), differing.len());
    refused.extend(differing);
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

enum Outcome {
    Agrees,
    /// foretell does not take the model.
    Refused(String),
    Differs(String),
}

fn outcome(fixture: &Fixture) -> Outcome {
    let model = match Model::from_bytes(&fixture.model, &LoadOptions::default()) {
        Ok(model) => model,
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    let checked = match model.signature().format {
        "ONNX" => check(fixture, &options(), ONNX),
        _ => check(fixture, &LoadOptions::default(), LIBRARY),
    };
    match checked {
        Ok(()) => Outcome::Agrees,
        Err(how) => Outcome::Differs(how),
    }
}
