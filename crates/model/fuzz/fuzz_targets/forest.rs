//! Sound files of XGBoost, LightGBM and CatBoost with hostile numbers.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| foretell_model_fuzz::boosters::load_and_run_forest(bytes));
