//! The greatest numbers of windows that slide over pictures.
//!
//! A picture is copied with minus infinity around it, so that every window is whole. The greatest numbers along a row are taken
//! for all rows at once, as if they were one long row, and what windows across the end of a row give is left out when the
//! greatest of several rows are taken. Where nothing lies around the picture and the windows fill its rows, it is not copied.
//!
//! Of two zeros with different signs the first stays; NaN is not looked at, so that pictures with NaN are not for this.
//! Deliberately not here: where the greatest numbers lie, means, and more than two axes.

use crate::convolution::Axis;
use crate::forms::Form;
use crate::numbers::copy_few;
use crate::vector::{Loops, Vector};

/// Windows over pictures with the same extents.
pub struct Greatest {
    axes: [Axis; 2],
    form: Form,
    /// A picture with what lies around it; nothing where pictures are taken as they are.
    padded: Vec<f32>,
    /// The greatest numbers along rows, so many for each.
    along: Vec<f32>,
    row: usize,
}

impl Greatest {
    /// Windows over pictures with these extents.
    ///
    /// # Panics
    /// When a kernel has no cells, strides or dilations are zero, or the extents are beyond what can be counted
    /// ([`Self::numbers`]).
    pub fn new(axes: [Axis; 2]) -> Self {
        assert!(axes.iter().all(|axis| axis.kernel > 0 && axis.stride > 0 && axis.dilation > 0), "a kernel that moves");
        let Some(Sizes { rows, row, is_copied }) = Sizes::of(axes) else { panic!("extents that can be counted") };
        let count = rows * row;
        let padded = if is_copied { vec![f32::NEG_INFINITY; count] } else { Vec::new() };
        Self { axes, form: Form::best(), padded, along: vec![0.0; count / axes[1].stride], row }
    }

    /// Numbers that [`Self::new`] takes, and that are looked at for each column of a kernel; `None` if they are beyond what can
    /// be counted.
    pub fn numbers(axes: [Axis; 2]) -> Option<usize> {
        let Sizes { rows, row, .. } = Sizes::of(axes)?;
        rows.checked_mul(row)?.checked_mul(2)
    }

    /// The same windows with these instructions, whose results are the same.
    #[must_use]
    pub fn with_form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// Takes the greatest numbers of all windows over `pictures`, picture by picture and row by row.
    ///
    /// # Panics
    /// When the lengths are not those of a whole number of pictures.
    pub fn evaluate(&mut self, pictures: &[f32], result: &mut [f32]) {
        let [height, width] = self.axes;
        let (pixels, places) = (height.image * width.image, height.outputs * width.outputs);
        if places == 0 || pixels == 0 {
            // Nothing is greater where there is nothing.
            return result.fill(f32::NEG_INFINITY);
        }
        assert!(result.len().is_multiple_of(places), "results of whole pictures");
        assert_eq!(result.len() / places * pixels, pictures.len(), "a result for each picture");
        for (picture, result) in pictures.chunks_exact(pixels).zip(result.chunks_exact_mut(places)) {
            self.form.run(Picture { windows: self, picture, result });
        }
    }
}

/// Extents of a picture with what lies around it.
struct Sizes {
    rows: usize,
    row: usize,
    is_copied: bool,
}

impl Sizes {
    fn of([height, width]: [Axis; 2]) -> Option<Self> {
        let (seen_rows, seen_columns) = (height.seen()?, width.seen()?);
        let fits = width.image.is_multiple_of(width.stride);
        if height.is_inside(seen_rows) && width.is_inside(seen_columns) && fits {
            return Some(Self { rows: height.image, row: width.image, is_copied: false });
        }
        let row = seen_columns.max(width.image.checked_add(width.before)?).checked_next_multiple_of(width.stride)?;
        let rows = seen_rows.max(height.image.checked_add(height.before)?);
        rows.checked_mul(row)?;
        Some(Self { rows, row, is_copied: true })
    }
}

/// One picture.
struct Picture<'a> {
    windows: &'a mut Greatest,
    picture: &'a [f32],
    result: &'a mut [f32],
}

impl Loops for Picture<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { windows: Greatest { axes: [height, width], padded, along, row, .. }, picture, result } = self;
        let row = *row;
        let picture = match padded.is_empty() {
            true => picture,
            false => {
                let places = padded.chunks_exact_mut(row).skip(height.before);
                for (line, place) in picture.chunks_exact(width.image).zip(places) {
                    copy_few(line, &mut place[width.before..][..width.image]);
                }
                &padded[..]
            }
        };
        for cell in 0..width.kernel {
            let seen = picture.get(cell * width.dilation..).unwrap_or_default();
            match width.stride {
                1 => every::<1>(cell == 0, seen, along),
                2 => every::<2>(cell == 0, seen, along),
                3 => every::<3>(cell == 0, seen, along),
                stride => {
                    let seen = seen.iter().step_by(stride);
                    along
                        .iter_mut()
                        .zip(seen)
                        .for_each(|(most, x)| *most = if cell == 0 { *x } else { greater(*most, *x) });
                }
            }
        }
        let row = row / width.stride;
        for (at, result) in result.chunks_exact_mut(width.outputs).enumerate() {
            copy_few(&along[at * height.stride * row..], result);
            for cell in 1..height.kernel {
                let other = &along[(at * height.stride + cell * height.dilation) * row..][..width.outputs];
                result.iter_mut().zip(other).for_each(|(most, x)| *most = greater(*most, *x));
            }
        }
    }
}

#[inline(always)]
fn greater(most: f32, x: f32) -> f32 {
    if x > most { x } else { most }
}

/// Takes every `N`-th number, or what is greater of it and the one that is there.
#[inline(always)]
fn every<const N: usize>(is_first: bool, seen: &[f32], along: &mut [f32]) {
    let (whole, rest) = seen.as_chunks::<N>();
    match is_first {
        true => along.iter_mut().zip(whole).for_each(|(most, seen)| *most = seen[0]),
        false => along.iter_mut().zip(whole).for_each(|(most, seen)| *most = greater(*most, seen[0])),
    }
    if let (Some(most), Some(&seen)) = (along.get_mut(whole.len()), rest.first()) {
        *most = if is_first { seen } else { greater(*most, seen) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::sequence::numbers;
    use crate::samples::windows::{axis, greatest};

    #[test]
    fn windows_have_their_greatest_number() {
        let shapes = [
            [axis(28, 2, 2, 1, [0, 0]), axis(28, 2, 2, 1, [0, 0])],
            [axis(7, 2, 2, 1, [0, 0]), axis(7, 2, 2, 1, [0, 0])],
            [axis(8, 3, 2, 1, [1, 1]), axis(9, 3, 2, 1, [1, 1])],
            [axis(5, 3, 1, 1, [1, 1]), axis(6, 3, 1, 2, [2, 0])],
            [axis(9, 3, 3, 1, [0, 0]), axis(9, 3, 3, 1, [0, 0])],
            [axis(1, 1, 1, 1, [0, 0]), axis(40, 5, 4, 3, [0, 7])],
            [axis(11, 1, 2, 1, [0, 0]), axis(10, 4, 5, 1, [3, 0])],
            // Windows that see nothing of the picture.
            [axis(2, 1, 1, 1, [2, 2]), axis(3, 2, 1, 1, [3, 4])],
        ];
        for (seed, axes) in shapes.into_iter().enumerate() {
            let pixels = axes[0].image * axes[1].image;
            let mut pictures = numbers(seed as u64, 3 * pixels);
            pictures[pixels] = f32::NEG_INFINITY;
            pictures[2 * pixels - 1] = f32::INFINITY;
            let expected: Vec<f32> =
                pictures.chunks_exact(pixels).flat_map(|picture| greatest(axes, picture)).collect();
            for form in Form::all() {
                let mut got = vec![f32::NAN; expected.len()];
                Greatest::new(axes).with_form(form).evaluate(&pictures, &mut got);
                assert_eq!(got, expected, "{axes:?}, {form}");
            }
        }
    }

    #[test]
    fn extents_beyond_counting_are_told() {
        let huge = Axis { image: 1, kernel: 2, stride: 1, dilation: usize::MAX, before: 0, outputs: 2 };
        assert_eq!(Greatest::numbers([huge, huge]), None);
    }
}
