//! Values between the places of an image: AffineGrid, GridSample, RoiAlign.

use super::resize::cubic;
use super::{Operator, one, single};
use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_real};
use crate::shape::{self, Places, strides};
use crate::tensor::Tensor;
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "AffineGrid" => single(affine_grid),
        "GridSample" => single(grid_sample),
        "RoiAlign" => single(roi_align),
        _ => return None,
    })
}

/// Where each place of an image comes from under a linear map of coordinates from -1 to 1.
fn affine_grid(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, maps: &[T]) -> Outcome<Tensor> {
        let extents = shape::extents(&call.integers(1)?)?;
        let shape = call.tensor(0)?.shape();
        let misfit = || Fault::invalid(format!("maps of shape {shape:?} for an image of shape {extents:?}"));
        let [batch, _, image @ ..] = &extents[..] else { return Err(misfit()) };
        let axes = image.len();
        if !(2..=3).contains(&axes) || shape != [*batch, axes, axes + 1] {
            return Err(misfit());
        }
        let aligned = call.flag("align_corners", false)?;
        let coordinate = |at: usize, extent: usize| match (aligned, extent) {
            (true, 1) => 1.0,
            (true, _) => 2.0 * at as f64 / (extent as f64 - 1.0) - 1.0,
            (false, _) => (2.0 * at as f64 + 1.0) / extent as f64 - 1.0,
        };
        let result_shape = [&[*batch], image, &[axes]].concat();
        let count = call.room_for(&result_shape, T::TYPE)?;
        let mut results = Vec::with_capacity(count);
        for map in maps.chunks(axes * (axes + 1)) {
            let mut places = Places::new(image);
            while let Some(place) = places.next() {
                // Coordinates are in the opposite order of the axes.
                let here: Vec<f64> =
                    place.iter().zip(image).rev().map(|(&at, &extent)| coordinate(at, extent)).collect();
                for row in map.chunks(axes + 1) {
                    let sum = here.iter().zip(row).fold(0.0, |sum, (here, weight)| sum + here * weight.to_f64());
                    results.push(T::from_f64(sum + row[axes].to_f64()));
                }
            }
        }
        Ok(Tensor::new(result_shape, results))
    }
    one(by_real!(call.tensor(0)?.data(), values => typed(call, values))?)
}

/// What stands for places outside of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outside {
    Zeros,
    Border,
    Reflection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    Nearest,
    Linear,
    Cubic,
}

/// How a coordinate becomes neighbours and their weights.
struct Sampling {
    between: Between,
    outside: Outside,
    aligned: bool,
}

impl Sampling {
    fn new(call: &Call) -> Outcome<Self> {
        let between = match call.text("mode", "linear")? {
            "nearest" => Between::Nearest,
            "linear" | "bilinear" => Between::Linear,
            "cubic" | "bicubic" => Between::Cubic,
            other => return Err(Fault::invalid(format!("attribute `mode` is `{other}`"))),
        };
        let outside = match call.text("padding_mode", "zeros")? {
            "zeros" => Outside::Zeros,
            "border" => Outside::Border,
            "reflection" => Outside::Reflection,
            other => return Err(Fault::invalid(format!("attribute `padding_mode` is `{other}`"))),
        };
        Ok(Self { between, outside, aligned: call.flag("align_corners", false)? })
    }

    /// The ends of an axis, between which coordinates are inside.
    fn ends(&self, extent: usize) -> (f64, f64) {
        if self.aligned { (0.0, extent as f64 - 1.0) } else { (-0.5, extent as f64 - 0.5) }
    }

    /// The place that a coordinate from -1 to 1 means, in the precision it has.
    fn place<T: Number>(&self, coordinate: T, extent: usize) -> f64 {
        let (half, extent) = (T::from_f64(0.5), T::from_f64(extent as f64));
        let from_zero = coordinate.plus(T::ONE);
        let place = match self.aligned {
            true => from_zero.times(half).times(extent.minus(T::ONE)),
            false => from_zero.times(extent).minus(T::ONE).times(half),
        };
        place.to_f64()
    }

    /// A place outside as the place inside that stands for it.
    fn inside(&self, place: f64, extent: usize) -> f64 {
        let (low, high) = self.ends(extent);
        match self.outside {
            _ if (low..=high).contains(&place) => place,
            Outside::Zeros => place,
            Outside::Border => place.clamp(0.0, extent as f64 - 1.0),
            Outside::Reflection => reflected(place, low, high),
        }
    }

    /// The neighbours of a place and their weights; those that are zero are left out.
    fn taps(&self, place: f64, extent: usize) -> Vec<(usize, f64)> {
        if !place.is_finite() {
            return Vec::new();
        }
        let place = if self.between == Between::Nearest { place.round_ties_even() } else { place };
        // Between cubes, as PyTorch and ONNX Runtime have it, only the neighbours are moved inside.
        let place = if self.between == Between::Cubic { place } else { self.inside(place, extent) };
        let first = place.floor();
        let (steps, weight): (std::ops::RangeInclusive<i32>, fn(f64) -> f64) = match self.between {
            Between::Nearest => (0..=0, |_| 1.0),
            Between::Linear => (0..=1, |distance| 1.0 - distance.abs()),
            Between::Cubic => (-1..=2, |distance| cubic(distance, -0.75)),
        };
        steps
            .filter_map(|step| {
                let neighbour = first + f64::from(step);
                let weight = weight(neighbour - place);
                let neighbour = match self.outside {
                    Outside::Zeros => neighbour,
                    Outside::Border => neighbour.clamp(0.0, extent as f64 - 1.0),
                    Outside::Reflection => {
                        let (low, high) = self.ends(extent);
                        reflected(neighbour, low, high).trunc().clamp(0.0, extent as f64 - 1.0)
                    }
                };
                (0.0..extent as f64).contains(&neighbour).then_some((neighbour as usize, weight))
            })
            .collect()
    }
}

/// A place beyond an end, counted back from there as often as needed.
fn reflected(place: f64, low: f64, high: f64) -> f64 {
    let range = high - low;
    if range <= 0.0 {
        return low;
    }
    let beyond = (place - low).rem_euclid(2.0 * range);
    low + if beyond > range { 2.0 * range - beyond } else { beyond }
}

fn grid_sample(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Tensor> {
        let (input, grid) = (call.tensor(0)?.shape(), call.tensor(1)?);
        let misfit = || Fault::invalid(format!("a grid of shape {:?} for {input:?}", grid.shape()));
        let ([batch, channels, image @ ..], [parts, places @ .., axes]) = (input, grid.shape()) else {
            return Err(misfit());
        };
        if batch != parts || *axes != image.len() || places.len() != image.len() || image.contains(&0) {
            return Err(misfit());
        }
        let coordinates: Vec<T> = by_real!(grid.data(), values => {
            Ok(values.iter().map(|value| T::from_f64(value.to_f64())).collect())
        })?;
        let sampling = Sampling::new(call)?;
        let count = shape::volume(places)?;
        let (pixels, steps) = (shape::volume(image)?, strides(image));
        let result_shape = [&[*batch, *channels], places].concat();
        let mut results = call.filled(shape::volume(&result_shape)?, T::ZERO)?;
        let most = if sampling.between == Between::Cubic { 4_u64 } else { 2 };
        call.meter.work((results.len() as u64).saturating_mul(most.saturating_pow(*axes as u32)))?;
        for part in 0..*batch {
            for at in 0..count {
                let point = &coordinates[(part * count + at) * axes..][..*axes];
                // Coordinates are in the opposite order of the axes.
                let taps: Vec<Vec<(usize, f64)>> = (0..*axes)
                    .map(|axis| sampling.taps(sampling.place(point[axes - 1 - axis], image[axis]), image[axis]))
                    .collect();
                let taps = crossed(&taps, &steps);
                for channel in 0..*channels {
                    let plane = &values[(part * channels + channel) * pixels..][..pixels];
                    let sum = taps.iter().fold(0.0, |sum, &(place, weight)| sum + plane[place].to_f64() * weight);
                    results[(part * channels + channel) * count + at] = T::from_f64(sum);
                }
            }
        }
        Ok(Tensor::new(result_shape, results))
    }
    one(by_real!(call.tensor(0)?.data(), values => typed(call, values))?)
}

/// The neighbours along each axis as neighbours in an image.
fn crossed(taps: &[Vec<(usize, f64)>], steps: &[usize]) -> Vec<(usize, f64)> {
    taps.iter().zip(steps).fold(vec![(0, 1.0)], |all, (taps, step)| {
        all.iter()
            .flat_map(|&(place, weight)| taps.iter().map(move |&(at, share)| (place + at * step, weight * share)))
            .collect()
    })
}

/// How the samples of a cell become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pooling {
    Average,
    Max,
}

/// A rectangle of an image, cut into cells that are sampled.
struct Region {
    start: [f64; 2],
    cell: [f64; 2],
    samples: [usize; 2],
}

impl Region {
    /// `corners` are x and y of the start and of the end.
    fn new(corners: &[f64], cells: [usize; 2], ratio: usize, half_pixel: bool) -> Self {
        let start = [corners[1], corners[0]];
        let extent = |axis: usize| {
            let extent = corners[3 - axis] - corners[1 - axis];
            // An empty region has the size of a place.
            if half_pixel { extent } else { extent.max(1.0) }
        };
        let cell = [extent(0) / cells[0] as f64, extent(1) / cells[1] as f64];
        let samples = cell.map(|size| if ratio > 0 { ratio } else { size.ceil().max(0.0) as usize });
        Self { start, cell, samples }
    }

    /// The neighbours of a sample of a cell, and their weights; none if it lies outside.
    fn taps(&self, cell: [usize; 2], sample: [usize; 2], image: [usize; 2]) -> Option<[(usize, f64); 4]> {
        let along = |axis: usize| {
            let within = (sample[axis] as f64 + 0.5) * self.cell[axis] / self.samples[axis] as f64;
            let place = self.start[axis] + cell[axis] as f64 * self.cell[axis] + within;
            if !(-1.0..=image[axis] as f64).contains(&place) || image[axis] == 0 {
                return None;
            }
            let last = image[axis] - 1;
            let place = place.clamp(0.0, last as f64);
            let low = place.floor() as usize;
            let share = place - low as f64;
            Some([(low, 1.0 - share), ((low + 1).min(last), share)])
        };
        let ([top, bottom], [left, right]) = (along(0)?, along(1)?);
        let tap = |row: (usize, f64), column: (usize, f64)| (row.0 * image[1] + column.0, row.1 * column.1);
        Some([tap(top, left), tap(top, right), tap(bottom, left), tap(bottom, right)])
    }
}

fn roi_align(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Tensor> {
        let (input, regions) = (call.tensor(0)?.shape(), call.tensor(1)?.shape());
        let (&[batch, channels, height, width], &[count, 4]) = (input, regions) else {
            return Err(Fault::invalid(format!("regions of shape {regions:?} for {input:?}")));
        };
        let parts = call.integers(2)?;
        if parts.len() != count {
            return Err(Fault::invalid(format!("{} parts of the batch for {count} regions", parts.len())));
        }
        let usual = if call.opset() < 16 { "output_half_pixel" } else { "half_pixel" };
        let half_pixel = call.text("coordinate_transformation_mode", usual)? == "half_pixel";
        let pooling = match call.text("mode", "avg")? {
            "avg" => Pooling::Average,
            "max" => Pooling::Max,
            other => return Err(Fault::invalid(format!("attribute `mode` is `{other}`"))),
        };
        let cells = [shape::extent(call.int("output_height", 1)?)?, shape::extent(call.int("output_width", 1)?)?];
        let ratio = shape::extent(call.int("sampling_ratio", 0)?)?;
        let scale = f64::from(call.float("spatial_scale", 1.0)?);
        let offset = if half_pixel { 0.5 } else { 0.0 };
        let result_shape = vec![count, channels, cells[0], cells[1]];
        let mut results = call.filled(shape::volume(&result_shape)?, T::ZERO)?;
        let (pixels, per_region) = (height * width, shape::volume(&[channels, cells[0], cells[1]])?);
        for (at, corners) in call.elements::<T>(1)?.chunks(4).enumerate() {
            let part = shape::index(parts[at], batch)?;
            let corners: Vec<f64> = corners.iter().map(|corner| corner.to_f64() * scale - offset).collect();
            let region = Region::new(&corners, cells, ratio, half_pixel);
            let samples = (region.samples[0] as u64).saturating_mul(region.samples[1] as u64);
            call.meter.work((per_region as u64).saturating_mul(samples.saturating_mul(4)))?;
            let image = &values[part * channels * pixels..][..channels * pixels];
            let result = &mut results[at * per_region..][..per_region];
            pooled(&region, pooling, image, [height, width], cells, result);
        }
        Ok(Tensor::new(result_shape, results))
    }
    one(by_real!(call.tensor(0)?.data(), values => typed(call, values))?)
}

/// All cells of a region, for each channel.
fn pooled<T: Number>(
    region: &Region,
    pooling: Pooling,
    planes: &[T],
    image: [usize; 2],
    cells: [usize; 2],
    result: &mut [T],
) {
    let [rows, columns] = region.samples;
    let count = rows.saturating_mul(columns).max(1) as f64;
    for (at, result) in result.iter_mut().enumerate() {
        let cell = [at / cells[1] % cells[0], at % cells[1]];
        let plane = &planes[at / (cells[0] * cells[1]) * image[0] * image[1]..];
        let (mut sum, mut greatest) = (0.0, None::<f64>);
        for sample in 0..rows * columns {
            let taps = region.taps(cell, [sample / columns, sample % columns], image);
            // A sample outside counts as zero.
            let weighed = taps.map_or([0.0; 4], |taps| taps.map(|(place, weight)| plane[place].to_f64() * weight));
            sum += weighed.iter().sum::<f64>();
            // As ONNX Runtime has it, the greatest of the weighed neighbours.
            greatest =
                weighed.into_iter().fold(greatest, |most, value| Some(most.map_or(value, |most| most.max(value))));
        }
        *result = T::from_f64(match pooling {
            Pooling::Average => sum / count,
            Pooling::Max => greatest.unwrap_or(0.0),
        });
    }
}
