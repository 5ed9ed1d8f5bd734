//! Random models, small ones with numbers that meet: thresholds, categories and features come from the same few values.

use foretell_testing::referee::{
    Aggregate, Branch, CategoryColumn, Classes, Encoder, End, Forest, Keys, Linear, Norm, Pipeline, Precision, Step,
    Test, Transform, Tree,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// The texts that are categories, and some that are not.
pub const TEXTS: [&str; 6] = ["", "yes", "no", "NO", "a longer text than a view keeps in line", "ünïcode"];
/// The integers that are categories, and some that are not.
pub const INTEGERS: [i64; 6] = [0, 1, -1, 2, 7, 100];

/// A number that a `float` holds.
pub fn single() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (-8..=8_i32).prop_map(|quarters| f64::from(quarters) / 4.0),
        4 => (-9_999..=9_999_i32).prop_map(|hundredths| f64::from(hundredths as f32 / 100.0)),
        1 => select(vec![-0.0, f64::from(f32::MIN_POSITIVE), 16_777_216.0, 1e-40_f32.into()]),
        2 => (-1e3_f32..1e3).prop_map(f64::from),
    ]
}

/// What a branch compares with: any number, also those that are none.
fn threshold() -> impl Strategy<Value = f64> {
    prop_oneof![20 => single(), 1 => select(vec![f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::from(f32::MIN)])]
}

/// A model with at least one feature.
pub fn pipeline() -> impl Strategy<Value = Pipeline> {
    let categories = prop_oneof![3 => Just(0), 2 => 1..=2_usize];
    let precision = prop_oneof![4 => Just(Precision::Single), 1 => Just(Precision::Double)];
    (0..=4_usize, categories, precision)
        .prop_filter("no features", |(numbers, categories, _)| numbers + categories > 0)
        .prop_flat_map(|(numbers, categories, precision)| {
            let steps = if numbers == 0 { vec(step(1), 0..=0) } else { vec(step(numbers), 0..=3) };
            (Just((numbers, precision)), steps, vec(category_column(), categories))
        })
        .prop_map(|((numbers, precision), steps, categories)| Pipeline {
            numbers,
            precision,
            steps,
            categories,
            end: End::Features,
        })
        .prop_flat_map(|pipeline| {
            let width = pipeline.width();
            (Just(pipeline), end(width))
        })
        .prop_map(|(pipeline, end)| Pipeline { end, ..pipeline })
}

fn step(width: usize) -> impl Strategy<Value = Step> {
    let per_feature = move || prop_oneof![vec(single(), 1), vec(single(), width)];
    let pairs = move |count| (vec(single(), count), vec(single(), count));
    let scale = prop_oneof![pairs(1), pairs(width)];
    let replaced = prop_oneof![2 => Just(f64::NAN), 1 => single()];
    prop_oneof![
        (replaced, per_feature()).prop_map(|(replaced, fills)| Step::Impute { replaced, fills }),
        scale.prop_map(|(offsets, scales)| Step::Scale { offsets, scales }),
        select(vec![Norm::Max, Norm::L1, Norm::L2]).prop_map(Step::Normalize),
        single().prop_map(Step::Binarize),
    ]
}

fn keys(count: usize) -> impl Strategy<Value = Keys> {
    let texts = subsequence(TEXTS.to_vec(), count).prop_shuffle();
    prop_oneof![
        texts.prop_map(|texts| Keys::Texts(texts.into_iter().map(str::to_string).collect())),
        subsequence(INTEGERS.to_vec(), count).prop_shuffle().prop_map(Keys::Integers),
    ]
}

fn category_column() -> impl Strategy<Value = CategoryColumn> {
    (1..=4_usize).prop_flat_map(keys).prop_flat_map(|keys| {
        let numbers =
            (vec(single(), keys.len()), single()).prop_map(|(values, default)| Encoder::Numbers { values, default });
        let one_hot = any::<bool>().prop_map(|unknown_is_zeros| Encoder::OneHot { unknown_is_zeros });
        (Just(keys), prop_oneof![numbers, one_hot]).prop_map(|(keys, encoder)| CategoryColumn { keys, encoder })
    })
}

fn transform() -> impl Strategy<Value = Transform> {
    use Transform::{Logistic, None, Probit, Softmax, SoftmaxZero};
    prop_oneof![4 => Just(None), 1 => select(vec![Logistic, Softmax, SoftmaxZero, Probit])]
}

fn classes(count: usize) -> impl Strategy<Value = Classes> {
    (keys(count), transform(), any::<bool>()).prop_map(|(labels, transform, zip_map)| Classes {
        labels,
        transform,
        zip_map,
    })
}

fn end(width: usize) -> impl Strategy<Value = End> {
    prop_oneof![
        1 => Just(End::Features),
        3 => regressor(width),
        2 => ensemble(width),
        3 => (2..=4_usize).prop_flat_map(move |labels| tree_classifier(width, labels)),
        2 => (1..=3_usize).prop_flat_map(move |outputs| linear(width, outputs)).prop_flat_map(|linear| {
            (Just(linear), transform()).prop_map(|(linear, transform)| End::LinearRegressor(linear, transform))
        }),
        2 => (2..=4_usize).prop_flat_map(move |labels| linear_classifier(width, labels)),
    ]
}

fn test(may_be_set: bool) -> impl Strategy<Value = Test> {
    let one = (0..6, threshold()).prop_map(|(mode, threshold)| match mode {
        0 => Test::Leq(threshold),
        1 => Test::Lt(threshold),
        2 => Test::Gte(threshold),
        3 => Test::Gt(threshold),
        4 => Test::Eq(threshold),
        _ => Test::Neq(threshold),
    });
    let set = vec(single(), 1..5).prop_map(Test::In);
    if may_be_set { prop_oneof![2 => one, 1 => set].boxed() } else { one.boxed() }
}

fn tree(width: usize, leaf: BoxedStrategy<Vec<(usize, f64)>>, may_be_set: bool) -> impl Strategy<Value = Tree> {
    leaf.prop_map(Tree::Leaf).prop_recursive(6, 32, 2, move |below| {
        (0..width, test(may_be_set), any::<bool>(), below.clone(), below).prop_map(
            |(feature, test, missing_is_yes, yes, no)| {
                Tree::Branch(Box::new(Branch { feature, test, missing_is_yes, yes, no }))
            },
        )
    })
}

fn aggregate() -> impl Strategy<Value = Aggregate> {
    prop_oneof![3 => Just(Aggregate::Sum), 2 => select(vec![Aggregate::Average, Aggregate::Min, Aggregate::Max])]
}

fn base_values(outputs: usize) -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![Just(Vec::new()), vec(single(), outputs)]
}

fn regressor(width: usize) -> impl Strategy<Value = End> {
    (1..=3_usize).prop_flat_map(move |outputs| {
        // Some outputs, at least one.
        let outputs_of_leaf = subsequence((0..outputs).collect::<Vec<_>>(), 1..=outputs).prop_shuffle();
        let leaf = (outputs_of_leaf, vec(single(), outputs))
            .prop_map(|(outputs, weights)| outputs.into_iter().zip(weights).collect());
        let trees = vec(tree(width, leaf.boxed(), false), 1..=4);
        (trees, aggregate(), base_values(outputs), transform()).prop_map(
            move |(trees, aggregate, base_values, transform)| {
                End::TreeRegressor(Forest { trees, outputs, aggregate, base_values }, transform)
            },
        )
    })
}

fn ensemble(width: usize) -> impl Strategy<Value = End> {
    (1..=3_usize).prop_flat_map(move |outputs| {
        let leaf = (0..outputs, single()).prop_map(|weight| vec![weight]);
        let trees = vec(tree(width, leaf.boxed(), true), 1..=4);
        (trees, aggregate(), transform()).prop_map(move |(trees, aggregate, transform)| {
            End::TreeEnsemble(Forest { trees, outputs, aggregate, base_values: Vec::new() }, transform)
        })
    })
}

/// Which classes the leaves have weights for: of two classes often one.
fn scored(labels: usize) -> impl Strategy<Value = Vec<usize>> {
    let all = Just((0..labels).collect());
    if labels == 2 { prop_oneof![Just(vec![0]), Just(vec![1]), all].boxed() } else { all.boxed() }
}

fn tree_classifier(width: usize, labels: usize) -> impl Strategy<Value = End> {
    let base_counts = if labels == 2 { vec![0, 1, 2] } else { vec![0, labels] };
    let weight = prop_oneof![Just(-1.0), Just(1.0)];
    (scored(labels), select(base_counts), weight, classes(labels))
        .prop_filter("what no exporter writes, and the engine refuses", |(scored, base_count, _, classes)| {
            let quantile_of_one = scored.len() == 1 && classes.transform == Transform::Probit;
            let base_of_second = scored[..] == [1] && *base_count > 0;
            !quantile_of_one && !base_of_second
        })
        .prop_flat_map(move |(scored, base_count, sign, classes)| {
            let leaf = vec(single(), scored.len()).prop_map(move |weights| {
                let signed = |weight: f64| if sign > 0.0 { weight.abs() } else { weight };
                scored.iter().copied().zip(weights.into_iter().map(signed)).collect()
            });
            (vec(tree(width, leaf.boxed(), false), 1..=4), vec(single(), base_count), Just(classes))
        })
        .prop_map(move |(trees, base_values, classes)| {
            let forest = Forest { trees, outputs: labels, aggregate: Aggregate::Sum, base_values };
            End::TreeClassifier(forest, classes)
        })
}

fn linear(width: usize, outputs: usize) -> impl Strategy<Value = Linear> {
    (vec(vec(single(), width), outputs), vec(single(), outputs))
        .prop_map(|(coefficients, intercepts)| Linear { coefficients, intercepts })
}

fn linear_classifier(width: usize, labels: usize) -> impl Strategy<Value = End> {
    let outputs = if labels == 2 { vec![1, 2] } else { vec![labels] };
    (select(outputs), classes(labels))
        .prop_filter("the engine refuses PROBIT of one score for two classes", |(outputs, classes)| {
            *outputs > 1 || classes.transform != Transform::Probit
        })
        .prop_flat_map(move |(outputs, classes)| (linear(width, outputs), Just(classes)))
        .prop_map(|(linear, classes)| End::LinearClassifier(linear, classes))
}
