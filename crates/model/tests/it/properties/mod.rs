//! What holds for every model: the answer is the referee's, and depends on nothing but the row.
//!
//! The same cases run each time; `PROPTEST_CASES=100000` looks for others. A case that fails is printed as small as it can
//! be made, and becomes a test of its own.

mod models;
mod tables;

use std::cell::Cell;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use foretell_model::{Answer as Ask, LoadOptions, Model, NullPolicy, OnRefusedRow, PassOptions};
use foretell_testing::columns::{encodings, item};
use foretell_testing::counts;
use foretell_testing::referee::{Answer, Category, Pipeline, Transform};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use self::models::pipeline;
use self::tables::{Column, row, table};

/// A model and a table for it.
#[derive(Debug, Clone)]
struct Case {
    pipeline: Pipeline,
    table: Vec<Column>,
}

impl Case {
    fn strategy() -> impl Strategy<Value = Self> {
        pipeline().prop_flat_map(|pipeline| {
            let table = table(&pipeline);
            (Just(pipeline), table).prop_map(|(pipeline, table)| Self { pipeline, table })
        })
    }

    fn rows(&self) -> usize {
        self.table[0].len()
    }

    fn features(&self) -> Vec<ArrayRef> {
        self.table.iter().map(|column| column.plain(self.pipeline.precision)).collect()
    }

    fn model(&self, passes: PassOptions) -> Model {
        let options = LoadOptions { on_null: Some(NullPolicy::Missing), passes, ..LoadOptions::default() };
        Model::from_bytes(&self.pipeline.to_onnx(), &options).expect("a sound model")
    }

    fn answers(&self) -> Vec<Option<Answer>> {
        answers(&self.model(PassOptions::ALL), &self.features(), self.rows())
    }
}

type Checked = Result<(), TestCaseError>;

/// Few cases that are always the same, or as many new ones as the caller asks for.
fn check<S: Strategy>(name: &str, strategy: S, property: impl Fn(S::Value) -> Checked) {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let rng_seed = if asked.is_some() { RngSeed::Random } else { RngSeed::Fixed(1) };
    let config = Config {
        cases: asked.unwrap_or(100),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        rng_seed,
        ..Config::default()
    };
    let good = Cell::new(0);
    let counted = |case| property(case).inspect(|()| good.set(good.get() + 1));
    let checked = TestRunner::new(config).run(&strategy, counted);
    counts::report("Properties", name, &[(name.to_string(), format!("{} cases", good.get()))]);
    if let Err(failure) = checked {
        panic!("{failure}");
    }
}

/// What the engine says about each row; `None` where it says NULL.
fn answers(model: &Model, features: &[ArrayRef], rows: usize) -> Vec<Option<Answer>> {
    let raw = model.run(features, rows, &[Ask::Raw], OnRefusedRow::Null).expect("features that fit").remove(0);
    let scores = raw.as_struct().column_by_name("scores").expect("an output");
    let scores = numbers_of_rows(scores);
    let label = raw.as_struct().column_by_name("label");
    let label_at = |row: usize| match label?.data_type() {
        DataType::Utf8 => Some(Category::Text(label?.as_string::<i32>().value(row).to_string())),
        _ => Some(Category::Integer(label?.as_primitive::<Int64Type>().value(row))),
    };
    let answer = |row: usize| Answer { label: label_at(row), scores: scores[row].clone() };
    (0..rows).map(|row| raw.is_valid(row).then(|| answer(row))).collect()
}

/// The numbers of each row of a column of numbers, lists or structs.
fn numbers_of_rows(array: &ArrayRef) -> Vec<Vec<f64>> {
    let columns: Vec<ArrayRef> = match array.data_type() {
        DataType::Struct(_) => array.as_struct().columns().to_vec(),
        DataType::FixedSizeList(_, width) => {
            let rows = array.len() as u32;
            let values = array.as_fixed_size_list().values();
            let positions = |at: u32| UInt32Array::from_iter_values((0..rows).map(|row| row * *width as u32 + at));
            (0..*width as u32).map(|at| take(values, &positions(at), None).expect("elements")).collect()
        }
        _ => vec![Arc::clone(array)],
    };
    let doubles: Vec<ArrayRef> =
        columns.iter().map(|column| cast(column, &DataType::Float64).expect("numbers")).collect();
    let number = |row: usize| doubles.iter().map(|column| column.as_primitive::<Float64Type>().value(row)).collect();
    (0..array.len()).map(number).collect()
}

/// Fails unless both are the same: numbers to the bit, but any NaN is as good as another.
fn assert_same(got: &[Option<Answer>], expected: &[Option<Answer>], what: &str) -> Checked {
    assert_alike(got, expected, what, |got, expected| got.to_bits() == expected.to_bits())
}

fn assert_alike(
    got: &[Option<Answer>],
    expected: &[Option<Answer>],
    what: &str,
    alike: impl Fn(f64, f64) -> bool,
) -> Checked {
    prop_assert_eq!(got.len(), expected.len(), "{}", what);
    for (row, (got, expected)) in got.iter().zip(expected).enumerate() {
        let same = match (got, expected) {
            (None, None) => true,
            (Some(got), Some(expected)) => {
                let mut scores = got.scores.iter().zip(&expected.scores);
                got.label == expected.label
                    && got.scores.len() == expected.scores.len()
                    && scores.all(|(&got, &expected)| (got.is_nan() && expected.is_nan()) || alike(got, expected))
            }
            _ => false,
        };
        prop_assert!(same, "{what}: row {row} is {got:?} instead of {expected:?}");
    }
    Ok(())
}

/// The exponential and the logarithm of the mathematical library are not fixed to the bit, and a post transform does a few
/// operations on them. The quantile subtracts numbers of nearly the same size.
fn is_close(transform: Transform, got: f64, expected: f64) -> bool {
    let relative = if transform == Transform::Probit { 1e-4 } else { 4.0 * f64::from(f32::EPSILON) };
    got == expected || (got - expected).abs() <= relative * expected.abs().max(f64::from(f32::MIN_POSITIVE))
}

impl Case {
    /// What the referee says. A category that the model does not read may be NULL: `fill` says which one stands for it.
    fn expected(&self, model: &Model, fill: usize) -> Vec<Option<Answer>> {
        let pipeline = &self.pipeline;
        let policies = &model.signature().features[pipeline.numbers..];
        let answer = |at: usize| {
            let mut row = row(pipeline, &self.table, at);
            for ((category, column), feature) in row.categories.iter_mut().zip(&pipeline.categories).zip(policies) {
                if category.is_none() && feature.null_policy == NullPolicy::Missing {
                    *category = Some(column.keys.at(fill % column.keys.len()));
                }
            }
            pipeline.answer(&row)
        };
        (0..self.rows()).map(answer).collect()
    }
}

#[test]
fn the_answer_is_the_referees() {
    check("the answer is the referees", Case::strategy(), |case| {
        let model = case.model(PassOptions::ALL);
        let got = answers(&model, &case.features(), case.rows());
        let transform = case.pipeline.transform();
        for fill in 0..4 {
            let expected = case.expected(&model, fill);
            if transform == Transform::None {
                assert_same(&got, &expected, "the referee")?;
            } else {
                assert_alike(&got, &expected, "the referee", |got, expected| is_close(transform, got, expected))?;
            }
        }
        Ok(())
    });
}

#[test]
fn passes_change_no_bit() {
    let switches: [fn(&mut PassOptions) -> &mut bool; 7] = [
        |passes| &mut passes.fold_constants,
        |passes| &mut passes.simplify_casts,
        |passes| &mut passes.fuse_scale,
        |passes| &mut passes.one_hot_linear,
        |passes| &mut passes.one_hot_tree,
        |passes| &mut passes.tree_features,
        |passes| &mut passes.remove_dead,
    ];
    check("passes change no bit", Case::strategy(), |case| {
        let (features, rows) = (case.features(), case.rows());
        let expected = answers(&case.model(PassOptions::NONE), &features, rows);
        assert_same(&case.answers(), &expected, "all passes")?;
        for (at, switch) in switches.iter().enumerate() {
            let (mut only, mut without) = (PassOptions::NONE, PassOptions::ALL);
            (*switch(&mut only), *switch(&mut without)) = (true, false);
            for passes in [only, without] {
                assert_same(
                    &answers(&case.model(passes), &features, rows),
                    &expected,
                    &format!("pass {at}, {passes:?}"),
                )?;
            }
        }
        Ok(())
    });
}

#[test]
fn the_batch_does_not_matter() {
    let picks = prop_oneof![8 => vec(any::<Index>(), 0..80), 1 => vec(any::<Index>(), 0..1500)];
    let strategy = (Case::strategy(), picks, vec(any::<Index>(), 0..4));
    check("the batch does not matter", strategy, |(case, picks, cuts)| {
        let picks: Vec<usize> = picks.iter().map(|pick| pick.index(case.rows())).collect();
        let one_by_one = case.answers();
        let expected: Vec<_> = picks.iter().map(|&pick| one_by_one[pick].clone()).collect();
        let positions = UInt32Array::from_iter_values(picks.iter().map(|&pick| pick as u32));
        let picked = |column: &ArrayRef| take(column, &positions, None).expect("rows of the table");
        let features: Vec<ArrayRef> = case.features().iter().map(picked).collect();
        let model = case.model(PassOptions::ALL);
        assert_same(&answers(&model, &features, picks.len()), &expected, "one batch")?;
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(picks.len() + 1)).collect();
        ends.extend([0, picks.len()]);
        ends.sort_unstable();
        // Slices of the batch, each in a thread of its own, all with the same model.
        let parts: Vec<_> = std::thread::scope(|scope| {
            let part = |start: usize, end: usize| {
                let slices: Vec<ArrayRef> = features.iter().map(|column| column.slice(start, end - start)).collect();
                let model = &model;
                scope.spawn(move || answers(model, &slices, end - start))
            };
            let threads: Vec<_> = ends.windows(2).map(|ends| part(ends[0], ends[1])).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
        });
        assert_same(&parts, &expected, "slices in threads")
    });
}

#[test]
fn the_column_type_does_not_matter() {
    let strategy = (Case::strategy(), vec((any::<Index>(), any::<Index>()), 8));
    check("the column type does not matter", strategy, |(case, choices)| {
        let (model, expected) = (case.model(PassOptions::ALL), case.answers());
        let spelled = |(column, (data_type, encoding)): (&Column, &(Index, Index))| -> ArrayRef {
            let typed = column.typed(case.pipeline.precision);
            Arc::clone(encoding.get(&encodings(data_type.get(&typed))))
        };
        let features: Vec<ArrayRef> = case.table.iter().zip(&choices).map(spelled).collect();
        let types: Vec<String> = features.iter().map(|feature| feature.data_type().to_string()).collect();
        assert_same(&answers(&model, &features, case.rows()), &expected, &types.join(", "))?;
        if case.pipeline.categories.is_empty() {
            let list = side_by_side(&case.features());
            assert_same(&answers(&model, &[list], case.rows()), &expected, "one list")?;
        }
        Ok(())
    });
}

/// One list column of these columns of one type.
fn side_by_side(columns: &[ArrayRef]) -> ArrayRef {
    let rows = columns[0].len();
    let all: Vec<&dyn Array> = columns.iter().map(|column| column.as_ref()).collect();
    let positions = (0..rows).flat_map(|row| (0..columns.len()).map(move |column| (column * rows + row) as u32));
    let values = concat(&all).expect("columns of one type");
    let values = take(&values, &UInt32Array::from_iter_values(positions), None).expect("all values");
    let width = columns.len() as i32;
    Arc::new(arrow::array::FixedSizeListArray::new(item(values.data_type()), width, values, None))
}
