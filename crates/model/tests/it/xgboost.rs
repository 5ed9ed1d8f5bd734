//! Files of XGBoost: what XGBoost itself answers, on every row of every file.

use foretell_model::LoadOptions;

use crate::compare::Tolerance;
use crate::fixtures::load;
use crate::reference::check_all;

/// Sums of single precision agree to the bit; the C library's exponential function may differ in the last one.
const TOLERANCE: Tolerance = Tolerance { relative: 1e-6, floor: 0.0 };

#[test]
fn xgboost_files_answer_as_xgboost_does() {
    let fixtures = load("xgboost", "tests/fixtures/xgboost");
    check_all(&fixtures, &LoadOptions::default(), |_| TOLERANCE);
}
