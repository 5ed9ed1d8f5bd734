//! Windows over pictures, and what they see.

use crate::convolution::Axis;

/// An axis with zeros before and behind the picture.
pub(crate) const fn axis(image: usize, kernel: usize, stride: usize, dilation: usize, pads: [usize; 2]) -> Axis {
    let reach = (kernel - 1) * dilation + 1;
    let outputs = (image + pads[0] + pads[1] - reach) / stride + 1;
    Axis { image, kernel, stride, dilation, before: pads[0], outputs }
}

/// The greatest number of each window over a picture, cell by cell: the first stays unless a greater one follows.
pub(crate) fn greatest([height, width]: [Axis; 2], picture: &[f32]) -> Vec<f32> {
    let cells = |axis: Axis, place: usize| {
        let cell = move |cell: usize| (place * axis.stride + cell * axis.dilation).checked_sub(axis.before);
        (0..axis.kernel).filter_map(cell).filter(move |&at| at < axis.image)
    };
    let places = (0..height.outputs).flat_map(|y| (0..width.outputs).map(move |x| (y, x)));
    let most = |(y, x)| {
        let seen = cells(height, y).flat_map(|y| cells(width, x).map(move |x| picture[y * width.image + x]));
        seen.reduce(|most, x| if x > most { x } else { most }).unwrap_or(f32::NEG_INFINITY)
    };
    places.map(most).collect()
}
