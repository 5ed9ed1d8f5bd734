//! Arithmetic of shapes: volumes, strides, axes, broadcasting. Everything is checked; a file may ask for anything.

use crate::error::{Fault, Outcome};

/// Number of places of a shape; `None` if it does not fit.
pub(crate) fn checked_volume(shape: &[usize]) -> Option<usize> {
    // An empty axis makes the volume zero however large the others are, so that it is asked first.
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1_usize, |volume, &extent| volume.checked_mul(extent))
}

/// Number of places of a shape.
pub(crate) fn volume(shape: &[usize]) -> Outcome<usize> {
    span(shape).map(|span| if shape.contains(&0) { 0 } else { span })
}

/// What it takes to walk a shape: its number of places, but empty axes count as one, since the others are walked.
pub(crate) fn span(shape: &[usize]) -> Outcome<usize> {
    check_rank(shape.len())?;
    let span = shape.iter().try_fold(1_usize, |span, &extent| span.checked_mul(extent.max(1)));
    let span = span.filter(|&span| isize::try_from(span).is_ok());
    span.ok_or_else(|| Fault::invalid(format!("a tensor of shape {shape:?} is too large")))
}

/// Refuses values of more dimensions than anybody needs: operators ask each axis about the others.
pub(crate) fn check_rank(rank: usize) -> Outcome<()> {
    const RANK_MAX: usize = 64;
    match rank > RANK_MAX {
        true => Err(Fault::invalid(format!("a value with {rank} dimensions, the most is {RANK_MAX}"))),
        false => Ok(()),
    }
}

/// Distance in elements between neighbours along each axis.
pub(crate) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
    }
    strides
}

/// The axis a possibly negative number means among `rank`.
pub(crate) fn axis(axis: i64, rank: usize) -> Outcome<usize> {
    let shifted = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
    usize::try_from(shifted)
        .ok()
        .filter(|&axis| axis < rank)
        .ok_or_else(|| Fault::invalid(format!("axis {axis} of a value with {rank} dimensions")))
}

/// The axes these numbers mean, each once.
pub(crate) fn axes(numbers: &[i64], rank: usize) -> Outcome<Vec<usize>> {
    let mut axes = Vec::with_capacity(numbers.len());
    for &number in numbers {
        let axis = axis(number, rank)?;
        if axes.contains(&axis) {
            return Err(Fault::invalid(format!("axis {number} is named twice")));
        }
        axes.push(axis);
    }
    Ok(axes)
}

/// An extent read from a file or computed by a graph.
pub(crate) fn extent(number: i64) -> Outcome<usize> {
    usize::try_from(number).map_err(|_| Fault::invalid(format!("a dimension of {number}")))
}

/// Extents read from a file or computed by a graph.
pub(crate) fn extents(numbers: &[i64]) -> Outcome<Vec<usize>> {
    numbers.iter().map(|&number| extent(number)).collect()
}

/// The position a possibly negative index means.
pub(crate) fn index(index: i64, extent: usize) -> Outcome<usize> {
    let shifted = if index < 0 { index.saturating_add(extent as i64) } else { index };
    usize::try_from(shifted)
        .ok()
        .filter(|&position| position < extent)
        .ok_or_else(|| Fault::invalid(format!("index {index} of an axis with {extent} places")))
}

/// The shape that both shapes are spread to.
pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Outcome<Vec<usize>> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| match (axis + shape.len()).checked_sub(rank) {
        Some(axis) => shape[axis],
        None => 1,
    };
    (0..rank)
        .map(|axis| match (extent(a, axis), extent(b, axis)) {
            (1, other) | (other, 1) => Ok(other),
            (one, other) if one == other => Ok(one),
            _ => Err(Fault::invalid(format!("shapes {a:?} and {b:?} do not go together"))),
        })
        .collect()
}

/// The shape that all shapes are spread to.
pub(crate) fn broadcast_all<'s>(shapes: impl IntoIterator<Item = &'s [usize]>) -> Outcome<Vec<usize>> {
    shapes.into_iter().try_fold(Vec::new(), |all, shape| broadcast(&all, shape))
}

/// How the elements of a tensor are met when it is spread to a larger shape.
#[derive(Debug)]
pub(crate) enum Spread {
    /// Over and over, in order; once if it is as large as the result.
    Repeat(usize),
    /// At these positions.
    At(Vec<usize>),
}

impl Spread {
    /// Spreads `from` to `to`, which [`broadcast`] gave.
    pub(crate) fn new(from: &[usize], to: &[usize]) -> Self {
        let leading = from.iter().take_while(|&&extent| extent == 1).count();
        let tail = &from[leading..];
        if to.ends_with(tail) {
            return Self::Repeat(tail.iter().product());
        }
        Self::At(offsets(to, &spread_strides(from, to)))
    }

    /// The position of the element for place `at` of the result.
    #[inline]
    pub(crate) fn at(&self, at: usize) -> usize {
        match self {
            Self::Repeat(length) => at % length,
            Self::At(positions) => positions[at],
        }
    }
}

/// Strides of `from` along the axes of `to`; zero where one element serves all places.
pub(crate) fn spread_strides(from: &[usize], to: &[usize]) -> Vec<usize> {
    let own = strides(from);
    let missing = to.len() - from.len();
    (0..to.len())
        .map(|axis| match axis.checked_sub(missing) {
            Some(axis) if from[axis] != 1 => own[axis],
            _ => 0,
        })
        .collect()
}

/// The offset of every place of a shape, in row-major order, for these strides.
pub(crate) fn offsets(shape: &[usize], strides: &[usize]) -> Vec<usize> {
    let count = checked_volume(shape).unwrap_or(0);
    let mut all = Vec::with_capacity(count);
    let Some((&inner, outer)) = shape.split_last() else { return vec![0] };
    if count == 0 {
        return all;
    }
    let step = strides[outer.len()];
    let mut place = Places::new(outer);
    while let Some(at) = place.next() {
        let base: usize = at.iter().zip(strides).map(|(place, stride)| place * stride).sum();
        all.extend((0..inner).map(|along| base + along * step));
    }
    all
}

/// The places of a shape in row-major order.
pub(crate) struct Places {
    shape: Vec<usize>,
    at: Vec<usize>,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Before,
    Inside,
    After,
}

impl Places {
    pub(crate) fn new(shape: &[usize]) -> Self {
        let state = if shape.contains(&0) { State::After } else { State::Before };
        Self { shape: shape.to_vec(), at: vec![0; shape.len()], state }
    }

    /// The next place; this is no iterator since the place is lent.
    pub(crate) fn next(&mut self) -> Option<&[usize]> {
        match self.state {
            State::Before => {
                self.state = State::Inside;
                Some(&self.at)
            }
            State::Inside => {
                for axis in (0..self.shape.len()).rev() {
                    self.at[axis] += 1;
                    if self.at[axis] < self.shape[axis] {
                        return Some(&self.at);
                    }
                    self.at[axis] = 0;
                }
                self.state = State::After;
                None
            }
            State::After => None,
        }
    }
}

/// The product of the extents before an axis, its own, and of those after it.
pub(crate) fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}
