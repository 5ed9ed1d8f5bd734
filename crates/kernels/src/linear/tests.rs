//! Sums to the bit: their order, their blocks, and that nothing else matters.

use std::ops::Range;

use super::*;

#[test]
fn sums_features_in_order_and_adds_the_intercept_last() {
    let model = LinearModel::try_new(vec![1.0, 10.0, 1.0, -1.0, 1.0, 0.0], vec![1.0, 2.0]).expect("a valid model");
    let (mut a, mut b) = ([9.0; 2], [9.0; 2]);
    // In this order 1e8 and -1e8 cancel only after the small value is lost; the intercept is added to what is left.
    model.evaluate(&[&[1e8, 1.0], &[3.0, 2.0], &[-1e8, 3.0]], &mut [&mut a, &mut b]);
    assert_eq!(a, [(1e8f32 + 3.0) - 1e8 + 1.0, 7.0]);
    assert_eq!(b, [1e9 - 3.0 + 2.0, 10.0]);
}

#[test]
fn a_product_is_rounded_with_its_sum_or_before() {
    let x = 1.0 + f32::EPSILON;
    let columns = [vec![1.0], vec![x]];
    let model = LinearModel::try_new(vec![-1.0, x], vec![0.0]).expect("a valid model");
    assert_eq!(evaluate(&model, &columns, 0..1), [[2.0 * f32::EPSILON + f32::EPSILON * f32::EPSILON]]);
    let model = model.with_rounding(Rounding::Twice);
    assert_eq!(evaluate(&model, &columns, 0..1), [[2.0 * f32::EPSILON]]);
}

#[test]
fn features_go_in_blocks() {
    // The first block cancels to nothing; a sum over all features would have lost the small ones.
    let mut weights = vec![0.0; 300];
    (weights[0], weights[255], weights[256]) = (1e8, -1e8, 1.0);
    let model = LinearModel::try_new(weights, vec![0.5]).expect("a valid model");
    let columns = vec![vec![1.0; 600]; 300];
    assert_eq!(evaluate(&model, &columns, 0..600), [vec![1.5; 600]]);
    let inputs = vec![FusedInput::Number(vec![]), FusedInput::Category { categories: 299 }];
    let fused = FusedLinear::try_new(model, inputs).expect("valid inputs");
    let mut sums = [0.0; 3];
    fused.evaluate(&[FusedColumn::Numbers(&[0.0; 3]), FusedColumn::Codes(&[254, 255, 7])], &mut [&mut sums]);
    assert_eq!(sums, [-1e8 + 0.5, 1.5, 0.5]);
}

#[test]
fn any_number_of_rows_gives_the_same_bits() {
    let weights: Vec<f32> = (0..21).map(|i| (i as f32).sin()).collect();
    let model = LinearModel::try_new(weights, vec![0.1, 0.2, 0.3]).expect("a valid model");
    let columns: Vec<Vec<f32>> = (0..7).map(|i| (0..1300).map(|row| ((row * 7 + i) as f32).cos()).collect()).collect();
    let all = evaluate(&model, &columns, 0..1300);
    for range in [0..1, 511..513, 600..1300] {
        let some = evaluate(&model, &columns, range.clone());
        for (all, some) in all.iter().zip(&some) {
            assert_eq!(all[range.clone()], some[..]);
        }
    }
}

#[test]
fn fused_inputs_give_the_bits_of_the_steps() {
    let weights: Vec<f32> = (0..10).map(|i| (i as f32 * 0.7).sin()).collect();
    let model = LinearModel::try_new(weights, vec![0.25, -0.5]).expect("a valid model");
    let steps = vec![PreStep::Fill { replaced: f32::NAN, fill: 0.3 }, PreStep::Scale { offset: 0.1, scale: 1.7 }];
    let inputs = vec![
        FusedInput::Number(steps),
        FusedInput::Category { categories: 3 },
        FusedInput::Number(vec![PreStep::Fill { replaced: -1.0, fill: 0.5 }]),
    ];
    let fused = FusedLinear::try_new(model.clone(), inputs).expect("valid inputs");
    let (x, codes, z) = ([0.7, f32::NAN, -0.2, 0.0], [0, 2, u32::MAX, 1], [1.0, -1.0, 0.2, -0.3]);

    let x_steps = x.map(|x| ((if x.is_nan() { 0.3f32 } else { x }) - 0.1) * 1.7);
    let indicators = [0, 1, 2].map(|k| codes.map(|code| if code == k { 1.0 } else { 0.0 }));
    let z_steps = z.map(|z| if z == -1.0 { 0.5 } else { z });
    let (mut a, mut b, mut c, mut d) = ([0.0; 4], [0.0; 4], [0.0; 4], [0.0; 4]);
    let columns: [&[f32]; 5] = [&x_steps, &indicators[0], &indicators[1], &indicators[2], &z_steps];
    model.evaluate(&columns, &mut [&mut a, &mut b]);
    let columns = [FusedColumn::Numbers(&x), FusedColumn::Codes(&codes), FusedColumn::Numbers(&z)];
    fused.evaluate(&columns, &mut [&mut c, &mut d]);
    assert_eq!((a, b), (c, d));
}

#[test]
fn the_last_pass_may_be_short() {
    let model = LinearModel::try_new(vec![1.0, 2.0, 4.0], vec![0.5]).expect("a valid model");
    let fused = FusedLinear::try_new(model, vec![FusedInput::Category { categories: 3 }]).expect("valid inputs");
    let codes: Vec<u32> = (0..tiles::rows(1) as u32 + 7).map(|row| row % 3).collect();
    let mut sums = vec![0.0; codes.len()];
    fused.evaluate(&[FusedColumn::Codes(&codes)], &mut [&mut sums]);
    let expected: Vec<f32> = codes.iter().map(|&code| [1.5, 2.5, 4.5][code as usize]).collect();
    assert_eq!(sums, expected);
}

#[test]
fn refuses_shapes_that_do_not_fit() {
    let shape = LinearModel::try_new(vec![1.0; 3], vec![0.0; 2]);
    assert_eq!(shape, Err(LinearError::Shape { weights: 3, outputs: 2 }));
    assert!(LinearModel::try_new(vec![], vec![]).is_err());
    let model = LinearModel::try_new(vec![f32::INFINITY, 1.0], vec![0.0]).expect("a valid model");
    let inputs = FusedLinear::try_new(model.clone(), vec![FusedInput::Category { categories: 2 }]);
    assert_eq!(inputs, Err(LinearError::CategoryWeight { feature: 0 }));
    let inputs = FusedLinear::try_new(model, vec![FusedInput::Number(vec![])]);
    assert_eq!(inputs, Err(LinearError::Inputs { got: 1, features: 2 }));
}

fn evaluate(model: &LinearModel, columns: &[Vec<f32>], rows: Range<usize>) -> Vec<Vec<f32>> {
    let columns: Vec<&[f32]> = columns.iter().map(|column| &column[rows.clone()]).collect();
    let mut outputs = vec![vec![0.0; rows.len()]; model.outputs()];
    let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    model.evaluate(&columns, &mut slices);
    outputs
}

/// Pseudo-random numbers, the same ones each time.
fn numbers(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// Every kind of input, in runs that are no multiple of what is read side by side, over more than one block.
fn every_kind_of_input() -> Vec<FusedInput> {
    let scale = |at: usize| PreStep::Scale { offset: at as f32 * 0.1, scale: 1.5 };
    let fill = PreStep::Fill { replaced: f32::NAN, fill: 0.25 };
    let mut inputs = vec![FusedInput::Number(vec![]); 7];
    inputs.extend([1, 2, 15, 16, 31, 32, 63, 64, 100].map(|categories| FusedInput::Category { categories }));
    inputs.extend((0..6).map(|at| FusedInput::Number(vec![scale(at)])));
    inputs.extend([FusedInput::Number(vec![fill]), FusedInput::Number(vec![fill, scale(3)])]);
    inputs
}

#[test]
fn all_instructions_give_the_same_bits_and_so_do_dictionaries() {
    const ROWS: usize = 4500;
    let inputs = every_kind_of_input();
    let features = inputs.iter().map(FusedInput::width).sum::<usize>();
    assert!(features > BLOCK_FEATURES, "more than one block");
    for (outputs, rounding) in [(1, Rounding::Once), (3, Rounding::Once), (1, Rounding::Twice), (2, Rounding::Once)] {
        let mut number = numbers(7);
        let mut weights: Vec<f32> = (0..features * outputs).map(|_| number()).collect();
        let mut intercepts = vec![0.5; outputs];
        if outputs == 2 {
            // Two outputs with opposite signs are computed once.
            weights.as_chunks_mut::<2>().0.iter_mut().for_each(|[first, second]| *second = -*first);
            intercepts[1] = -0.5;
        }
        let model = LinearModel::try_new(weights, intercepts).expect("a valid model").with_rounding(rounding);
        assert_eq!(model.mirrored.is_some(), outputs == 2);
        let fused = FusedLinear::try_new(model.clone(), inputs.clone()).expect("valid inputs");
        let numbers: Vec<Vec<f32>> = inputs.iter().map(|_| (0..ROWS).map(|_| number() * 3.0).collect()).collect();
        let numbers: Vec<Vec<f32>> = numbers
            .into_iter()
            .map(|column| column.into_iter().map(|x| if x > 2.9 { f32::NAN } else { x }).collect())
            .collect();
        // Some values of the dictionaries are no category, and some keys are no value.
        let values: Vec<Vec<u32>> = inputs.iter().map(|input| (0..input.width() as u32 + 2).rev().collect()).collect();
        let keys: Vec<Vec<i32>> = values
            .iter()
            .map(|values| (0..ROWS).map(|_| (number() * (values.len() as f32 + 1.0)) as i32).collect())
            .collect();
        let code = |values: &[u32], key: i32| usize::try_from(key).ok().and_then(|key| values.get(key)).copied();
        let codes: Vec<Vec<u32>> = keys
            .iter()
            .zip(&values)
            .map(|(keys, values)| keys.iter().map(|&key| code(values, key).unwrap_or(u32::MAX)).collect())
            .collect();
        let expected = spread(&model, &inputs, &numbers, &codes);
        for form in Form::all() {
            for is_dictionary in [false, true] {
                let columns: Vec<FusedColumn> = (0..inputs.len())
                    .map(|at| match (&inputs[at], is_dictionary) {
                        (FusedInput::Number(_), _) => FusedColumn::Numbers(&numbers[at]),
                        (_, true) => FusedColumn::Dictionary { keys: &keys[at], codes: &values[at] },
                        (_, false) => FusedColumn::Codes(&codes[at]),
                    })
                    .collect();
                let mut got = vec![vec![0.0; ROWS]; outputs];
                fused.evaluate_with(form, &columns, &mut got.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>());
                assert_same_bits(&got, &expected, &format!("{form}, dictionaries: {is_dictionary}, {rounding:?}"));
            }
        }
    }
}

/// The sums as the text of [`Rounding`] has them: row by row, with every indicator multiplied.
fn spread(model: &LinearModel, inputs: &[FusedInput], numbers: &[Vec<f32>], codes: &[Vec<u32>]) -> Vec<Vec<f32>> {
    let features = |row: usize| -> Vec<f32> {
        let input = |at: usize| match &inputs[at] {
            FusedInput::Number(steps) => {
                let mut x = [numbers[at][row]];
                steps.iter().for_each(|step| step.apply(&mut x));
                x.to_vec()
            }
            FusedInput::Category { categories } => {
                (0..*categories as u32).map(|code| if code == codes[at][row] { 1.0 } else { 0.0 }).collect()
            }
        };
        (0..inputs.len()).flat_map(input).collect()
    };
    let rows: Vec<Vec<f32>> = (0..numbers[0].len()).map(features).collect();
    let score = |features: &[f32], output: usize| {
        let mut total = model.intercepts[output];
        let terms: Vec<(f32, f32)> =
            features.iter().enumerate().map(|(at, &x)| (x, model.weights_of(at)[output])).collect();
        for block in terms.chunks(model.rounding.block_features()) {
            total += block.iter().fold(0.0, |sum, &(x, weight)| match model.rounding {
                Rounding::Once => round_once(sum, x, weight),
                Rounding::Twice => sum + x * weight,
            });
        }
        total
    };
    (0..model.outputs()).map(|output| rows.iter().map(|features| score(features, output)).collect()).collect()
}

fn round_once(sum: f32, x: f32, weight: f32) -> f32 {
    let mut sums = [sum];
    crate::fused::add_product(&mut sums, &[x], weight);
    sums[0]
}

fn assert_same_bits(got: &[Vec<f32>], expected: &[Vec<f32>], what: &str) {
    for (got, expected) in got.iter().flatten().zip(expected.iter().flatten()) {
        let same = got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan();
        assert!(same, "{what}: {got} instead of {expected}");
    }
}

#[test]
fn opposites_of_zero_are_zero() {
    let model = LinearModel::try_new(vec![1.0, -1.0, -1.0, 1.0], vec![0.0, -0.0]).expect("a valid model");
    let outputs = evaluate(&model, &[vec![2.0, 0.0, -0.0, f32::MIN_POSITIVE], vec![2.0, 0.0, 0.0, 1.0]], 0..4);
    assert_eq!(outputs[0].iter().map(|x| x.to_bits()).collect::<Vec<_>>()[..3], [0; 3]);
    assert_eq!(outputs[1].iter().map(|x| x.to_bits()).collect::<Vec<_>>()[..3], [0; 3]);
    assert_eq!(outputs[0][3], -outputs[1][3]);
}
