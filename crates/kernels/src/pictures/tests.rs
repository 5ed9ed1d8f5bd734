//! Networks beside their layers, each by itself as pictures come and go.

use super::*;
use crate::convolution::Convolution;
use crate::samples::sequence::numbers;
use crate::samples::windows::{axis, greatest};

const fn same(image: usize, kernel: usize) -> Axis {
    axis(image, kernel, 1, 1, [kernel / 2, kernel / 2])
}

/// A convolution with weights of its own.
struct Sample {
    shape: Shape,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Sample {
    fn new(seed: u64, channels: usize, filters: usize, groups: usize, axes: [Axis; 2]) -> Self {
        let shape = Shape { channels, filters, groups, axes };
        let cells = channels / groups * axes[0].kernel * axes[1].kernel;
        Self { shape, weights: numbers(seed, filters * cells), bias: numbers(seed + 1, filters) }
    }

    fn layer(&self) -> Layer<'_> {
        Layer::Convolution { shape: self.shape, weights: &self.weights, bias: &self.bias }
    }
}

/// What a layer makes of pictures, cell by cell.
fn expected(layer: &Layer, pictures: &[f32], count: usize) -> Vec<f32> {
    match *layer {
        Layer::Function(function) => {
            let mut result = pictures.to_vec();
            function.apply_with(Form::all()[0], &mut result);
            result
        }
        Layer::Convolution { shape, weights, bias } => {
            let [height, width] = shape.axes;
            let mut result = vec![f32::NAN; count * shape.filters * height.outputs * width.outputs];
            Convolution::new(shape).with_form(Form::all()[0]).evaluate(pictures, weights, bias, &mut result);
            result
        }
        Layer::Greatest { axes, .. } => {
            let planes = pictures.chunks_exact(axes[0].image * axes[1].image);
            planes.flat_map(|plane| greatest(axes, plane)).collect()
        }
    }
}

fn check(taken: Extents, layers: &[Layer]) {
    // What is left over from other pictures does not matter.
    let mut scratch =
        Scratch { now: vec![f32::NAN; 100], next: vec![f32::NAN; 100_000], around: vec![f32::NAN; 100_000] };
    for count in [1, 3, 70] {
        let mut pictures = numbers(count as u64, count * taken.numbers().expect("small extents"));
        let middle = pictures.len() / 2;
        pictures[middle] = [f32::INFINITY, f32::NAN, 1e30][count % 3];
        let expected = layers.iter().fold(pictures.clone(), |pictures, layer| expected(layer, &pictures, count));
        for form in Form::all() {
            let network = Network::new(form, taken, layers);
            let mut got = vec![f32::NAN; expected.len()];
            network.evaluate(&pictures, &mut got, &mut scratch);
            let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
            let wrong = got.iter().zip(&expected).filter(|pair| !same(*pair)).count();
            assert_eq!(wrong, 0, "{count} pictures of {taken:?}, {form}");
        }
    }
}

#[test]
fn convolutions_have_the_bits_that_they_have_channel_by_channel() {
    let shapes = [
        (1, 16, 1, [same(28, 3), same(28, 3)]),
        (16, 37, 1, [same(14, 3), same(13, 3)]),
        // More channels and cells than a block has features, and several panels.
        (40, 70, 1, [same(5, 3), same(6, 3)]),
        (3, 24, 1, [axis(32, 7, 2, 1, [3, 3]), axis(31, 7, 2, 1, [3, 3])]),
        (4, 48, 1, [axis(9, 3, 2, 2, [2, 1]), axis(11, 2, 3, 1, [0, 2])]),
        (5, 28, 1, [axis(8, 1, 2, 1, [0, 0]), axis(9, 1, 1, 1, [0, 0])]),
        (6, 16, 1, [axis(1, 1, 1, 1, [0, 0]), axis(50, 5, 1, 2, [8, 0])]),
        // More zeros than picture, and pictures larger than what is seen of them.
        (2, 16, 1, [axis(2, 2, 1, 1, [4, 5]), axis(3, 2, 4, 1, [5, 6])]),
        (2, 28, 1, [axis(17, 2, 5, 1, [0, 0]), axis(16, 2, 7, 3, [1, 0])]),
        // Each channel by itself.
        (16, 16, 16, [same(10, 3), axis(10, 3, 2, 1, [1, 0])]),
        (37, 37, 37, [axis(7, 3, 1, 3, [3, 3]), axis(7, 3, 1, 3, [3, 3])]),
        (96, 96, 96, [axis(9, 5, 2, 1, [2, 2]), same(4, 5)]),
    ];
    for (seed, (channels, filters, groups, axes)) in shapes.into_iter().enumerate() {
        let sample = Sample::new(seed as u64, channels, filters, groups, axes);
        assert!(Layer::is_dense(&sample.shape), "{:?}", sample.shape);
        check(Extents { channels, height: axes[0].image, width: axes[1].image }, &[sample.layer()]);
    }
}

#[test]
fn windows_have_their_greatest_number() {
    let shapes = [
        [axis(28, 2, 2, 1, [0, 0]), axis(28, 2, 2, 1, [0, 0])],
        [axis(8, 3, 2, 1, [1, 1]), axis(9, 3, 2, 1, [1, 1])],
        [axis(5, 3, 1, 1, [1, 1]), axis(6, 3, 1, 2, [2, 0])],
        [axis(1, 1, 1, 1, [0, 0]), axis(40, 5, 4, 3, [0, 7])],
        [axis(11, 1, 2, 1, [0, 0]), axis(10, 4, 5, 1, [3, 0])],
        // Windows that see nothing of the picture.
        [axis(2, 1, 1, 1, [2, 2]), axis(3, 2, 1, 1, [3, 4])],
        [axis(4, 2, 1, 3, [5, 1]), axis(3, 3, 2, 2, [4, 3])],
    ];
    for (channels, axes) in [1, 3, 16, 20].into_iter().flat_map(|channels| shapes.map(|axes| (channels, axes))) {
        let taken = Extents { channels, height: axes[0].image, width: axes[1].image };
        check(taken, &[Layer::Greatest { channels, axes }]);
    }
}

#[test]
fn layers_follow_each_other() {
    let halves = |image: usize| axis(image, 2, 2, 1, [0, 0]);
    let first = Sample::new(1, 3, 16, 1, [same(20, 3); 2]);
    let each = Sample::new(3, 16, 16, 16, [same(10, 3); 2]);
    let last = Sample::new(5, 16, 32, 1, [axis(10, 1, 1, 1, [0, 0]); 2]);
    let layers = [
        first.layer(),
        Layer::Function(Function::LeakyRelu(0.1)),
        Layer::Greatest { channels: 16, axes: [halves(20); 2] },
        each.layer(),
        Layer::Function(Function::Relu),
        last.layer(),
        Layer::Function(Function::Sigmoid),
    ];
    check(Extents { channels: 3, height: 20, width: 20 }, &layers);
    check(Extents { channels: 3, height: 20, width: 20 }, &[]);
    check(Extents { channels: 3, height: 5, width: 1 }, &[Layer::Function(Function::Relu)]);
}

#[test]
fn layers_that_do_not_follow_each_other_are_told() {
    let sample = Sample::new(1, 3, 16, 1, [same(20, 3); 2]);
    let taken = Extents { channels: 3, height: 20, width: 20 };
    assert!(Sizes::of(taken, &[sample.layer()]).is_some());
    assert_eq!(Sizes::of(taken, &[sample.layer(), sample.layer()]), None);
    let vast = Extents { channels: usize::MAX, height: 2, width: 1 };
    assert_eq!(Sizes::of(vast, &[]), None);
    let far = Axis { image: 1, kernel: 2, stride: 1, dilation: usize::MAX, before: 0, outputs: 2 };
    let shape = Shape { channels: 1, filters: 16, groups: 1, axes: [far; 2] };
    let layer = Layer::Convolution { shape, weights: &[], bias: &[] };
    assert_eq!(Sizes::of(Extents { channels: 1, height: 1, width: 1 }, &[layer]), None);
}

#[test]
fn pictures_without_places_have_no_result() {
    let empty = Axis { outputs: 0, ..axis(3, 2, 1, 1, [0, 0]) };
    let sample = Sample::new(1, 1, 16, 1, [empty, same(3, 3)]);
    let network = Network::new(Form::best(), Extents { channels: 1, height: 3, width: 3 }, &[sample.layer()]);
    network.evaluate(&[1.0; 9], &mut [], &mut Scratch::default());
}

#[test]
fn matrices_are_turned() {
    for (height, width) in [(1, 9), (9, 1), (3, 40), (40, 3), (8, 8), (16, 24), (29, 13), (13, 29), (0, 5)] {
        let matrix = numbers(7, height * width);
        for form in Form::all() {
            let mut turned = vec![f32::NAN; height * width];
            turn(form, &matrix, width, &mut turned);
            for (row, column) in (0..height).flat_map(|row| (0..width).map(move |column| (row, column))) {
                assert_eq!(turned[column * height + row], matrix[row * width + column], "{height} x {width}, {form}");
            }
        }
    }
}
