//! Convolutions beside plain loops, whatever the instructions.

use super::*;
use crate::samples::sequence::numbers;
use crate::samples::windows::axis;

/// The same sums, one after the other.
#[expect(clippy::disallowed_methods, reason = "products of matrices round once")]
fn expected(shape: &Shape, pictures: &[f32], weights: &[f32], bias: &[f32]) -> Vec<f32> {
    let Shape { channels, filters, groups, axes: [height, width] } = *shape;
    let per_group = channels / groups;
    let pixel = |picture: usize, channel: usize, y: usize, x: usize| {
        let inside = |at: usize, axis: &Axis| at.checked_sub(axis.before).filter(|&at| at < axis.image);
        let (Some(y), Some(x)) = (inside(y, &height), inside(x, &width)) else { return 0.0 };
        pictures[((picture * channels + channel) * height.image + y) * width.image + x]
    };
    let mut results = Vec::new();
    for picture in 0..pictures.len() / (channels * height.image * width.image) {
        for filter in 0..filters {
            let first = filter / (filters / groups) * per_group;
            for (y, x) in (0..height.outputs).flat_map(|y| (0..width.outputs).map(move |x| (y, x))) {
                let mut terms = Vec::new();
                for channel in first..first + per_group {
                    for (row, column) in (0..height.kernel).flat_map(|row| (0..width.kernel).map(move |x| (row, x))) {
                        let y = y * height.stride + row * height.dilation;
                        terms.push(pixel(picture, channel, y, x * width.stride + column * width.dilation));
                    }
                }
                let weights = &weights[filter * terms.len()..][..terms.len()];
                let blocks = terms.chunks(BLOCK_DEPTH).zip(weights.chunks(BLOCK_DEPTH));
                results.push(blocks.fold(bias[filter], |total, (terms, weights)| {
                    total + terms.iter().zip(weights).fold(0.0, |sum: f32, (term, weight)| term.mul_add(*weight, sum))
                }));
            }
        }
    }
    results
}

const fn shape(channels: usize, filters: usize, groups: usize, axes: [Axis; 2]) -> Shape {
    Shape { channels, filters, groups, axes }
}

const SHAPES: [Shape; 12] = [
    shape(1, 1, 1, [axis(1, 1, 1, 1, [0, 0]), axis(1, 1, 1, 1, [0, 0])]),
    shape(1, 16, 1, [axis(28, 3, 1, 1, [1, 1]), axis(28, 3, 1, 1, [1, 1])]),
    shape(16, 33, 1, [axis(14, 3, 1, 1, [1, 1]), axis(13, 3, 1, 1, [1, 1])]),
    // More channels and cells than a block has features, and more filters than a block.
    shape(40, 70, 1, [axis(5, 3, 1, 1, [1, 1]), axis(6, 3, 1, 1, [1, 1])]),
    shape(3, 8, 1, [axis(32, 7, 2, 1, [3, 3]), axis(31, 7, 2, 1, [3, 3])]),
    shape(4, 6, 2, [axis(9, 3, 2, 2, [2, 1]), axis(11, 2, 3, 1, [0, 2])]),
    // Each channel by itself.
    shape(8, 8, 8, [axis(10, 3, 1, 1, [1, 1]), axis(10, 3, 2, 1, [1, 0])]),
    shape(8, 16, 8, [axis(7, 3, 1, 3, [3, 3]), axis(7, 3, 1, 3, [3, 3])]),
    // One cell that leaves places out.
    shape(5, 7, 1, [axis(8, 1, 2, 1, [0, 0]), axis(9, 1, 2, 1, [0, 0])]),
    // A series.
    shape(6, 5, 1, [axis(1, 1, 1, 1, [0, 0]), axis(50, 5, 1, 2, [8, 0])]),
    // More zeros than picture, and pictures larger than what is seen of them.
    shape(2, 3, 1, [axis(2, 2, 1, 1, [4, 5]), axis(3, 2, 4, 1, [5, 6])]),
    shape(2, 3, 1, [axis(17, 2, 5, 1, [0, 0]), axis(16, 2, 7, 3, [1, 0])]),
];

#[test]
fn every_form_gives_the_bits_of_plain_loops() {
    for (seed, shape) in SHAPES.iter().enumerate() {
        let seed = seed as u64;
        let Shape { channels, filters, groups, axes: [height, width] } = *shape;
        for count in [1, 2, 7] {
            let mut pictures = numbers(seed, count * channels * height.image * width.image);
            let middle = pictures.len() / 2;
            pictures[middle] = [f32::NAN, f32::INFINITY, 1e30][count % 3];
            let weights = numbers(seed + 100, filters * channels / groups * height.kernel * width.kernel);
            let bias = numbers(seed + 200, filters);
            let expected = expected(shape, &pictures, &weights, &bias);
            for form in Form::all() {
                let mut got = vec![f32::NAN; expected.len()];
                let mut convolution = Convolution::new(*shape).with_form(form);
                // What is left over from other pictures does not matter.
                let others = numbers(seed + 300, pictures.len());
                convolution.evaluate(&others, &weights, &bias, &mut got);
                convolution.evaluate(&pictures, &weights, &bias, &mut got);
                let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
                assert!(got.iter().zip(&expected).all(same), "{shape:?}, {count} pictures, {form}");
            }
        }
    }
}

#[test]
fn planes_are_counted_as_they_are_made() {
    for shape in SHAPES {
        for axis in shape.axes {
            let (cut, extents) = (Cut::new(axis), Extents::of(axis).expect("small extents"));
            assert_eq!((cut.extent, cut.phases.len()), (extents.plane, extents.phases), "{axis:?}");
        }
    }
}

#[test]
fn nothing_is_seen_where_there_are_no_places() {
    let empty = Axis { outputs: 0, ..axis(3, 2, 1, 1, [0, 0]) };
    let mut convolution = Convolution::new(shape(1, 2, 1, [empty, axis(3, 2, 1, 1, [0, 0])]));
    convolution.evaluate(&[1.0; 9], &[1.0; 8], &[0.0; 2], &mut []);
}

#[test]
fn bytes_beyond_counting_are_told() {
    let huge = Axis { image: 1, kernel: 1, stride: 1, dilation: 1, before: 0, outputs: usize::MAX };
    assert_eq!(shape(1, 1, 1, [huge, huge]).bytes(), None);
    let far = Axis { image: 1, kernel: 2, stride: 1, dilation: usize::MAX - 20, before: 0, outputs: 30 };
    assert_eq!(shape(1, 1, 1, [axis(1, 1, 1, 1, [0, 0]), far]).bytes(), None);
    let late = Axis { image: 1, before: usize::MAX, dilation: 1, ..far };
    assert_eq!(shape(1, 1, 1, [late, late]).bytes(), None);
    // As many cells as are not to be had.
    let many = Axis { image: 1, kernel: 1 << 50, stride: 1 << 40, dilation: 1, before: 0, outputs: 1 };
    assert!(shape(1, 1, 1, [axis(1, 1, 1, 1, [0, 0]), many]).bytes().is_some_and(|bytes| bytes > 1 << 50));
    assert!(shape(1, 16, 1, [axis(28, 3, 1, 1, [1, 1]); 2]).bytes().is_some_and(|bytes| bytes < 200_000));
}
