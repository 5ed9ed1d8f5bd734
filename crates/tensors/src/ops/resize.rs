//! Resize and Upsample: each axis by itself, as sums of neighbours with weights.

use super::{Operator, exact, one, single};
use crate::call::Call;
use crate::element::ElementType;
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_number};
use crate::shape::{self, around};
use crate::tensor::Tensor;
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "Resize" => single(resize),
        "Upsample" => exact(upsample),
        _ => return None,
    })
}

/// How numbers between places are found.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Nearest(Rounding),
    Linear,
    Cubic(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rounding {
    PreferFloor,
    PreferCeil,
    Floor,
    Ceil,
}

/// How a place of the result is mapped to the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mapping {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    CropAndResize,
}

struct Rules {
    mode: Mode,
    mapping: Mapping,
    antialias: bool,
    exclude_outside: bool,
    extrapolation: f64,
}

/// What becomes of one axis.
struct Along {
    axis: usize,
    scale: f32,
    extent: usize,
    /// Start and end of the part that is looked at, from 0 to 1.
    region: (f32, f32),
}

/// The neighbours of one place of the result, and the weight of each; none outside of the part that is looked at.
type Taps = Option<Vec<(usize, f64)>>;

impl Rules {
    fn new(call: &Call) -> Outcome<Self> {
        let rounding = match call.text("nearest_mode", "round_prefer_floor")? {
            "round_prefer_floor" => Rounding::PreferFloor,
            "round_prefer_ceil" => Rounding::PreferCeil,
            "floor" => Rounding::Floor,
            "ceil" => Rounding::Ceil,
            other => return Err(Fault::invalid(format!("attribute `nearest_mode` is `{other}`"))),
        };
        let mapping = match call.text("coordinate_transformation_mode", "half_pixel")? {
            // The first version has no such attribute.
            _ if call.opset() < 11 => Mapping::Asymmetric,
            "half_pixel" => Mapping::HalfPixel,
            "half_pixel_symmetric" => Mapping::HalfPixelSymmetric,
            "pytorch_half_pixel" => Mapping::PytorchHalfPixel,
            "align_corners" => Mapping::AlignCorners,
            "asymmetric" => Mapping::Asymmetric,
            "tf_crop_and_resize" => Mapping::CropAndResize,
            other => return Err(Fault::unsupported(format!("coordinate transformation `{other}`"))),
        };
        let mode = match call.text("mode", "nearest")? {
            "nearest" if call.opset() < 11 => Mode::Nearest(Rounding::Floor),
            "nearest" => Mode::Nearest(rounding),
            "linear" | "bilinear" => Mode::Linear,
            "cubic" => Mode::Cubic(f64::from(call.float("cubic_coeff_a", -0.75)?)),
            other => return Err(Fault::unsupported(format!("mode `{other}`"))),
        };
        Ok(Self {
            mode,
            mapping,
            antialias: call.flag("antialias", false)?,
            exclude_outside: call.flag("exclude_outside", false)?,
            extrapolation: f64::from(call.float("extrapolation_value", 0.0)?),
        })
    }

    /// Where a place of the result lies in the input. In single precision, as ONNX Runtime computes it.
    fn source(&self, at: usize, own: usize, along: &Along) -> f32 {
        let (at, own, extent, scale) = (at as f32, own as f32, along.extent as f32, along.scale);
        match self.mapping {
            Mapping::HalfPixel => (at + 0.5) / scale - 0.5,
            Mapping::HalfPixelSymmetric => {
                let adjustment = extent / (scale * own);
                own / 2.0 * (1.0 - adjustment) + (at + 0.5) / scale - 0.5
            }
            Mapping::PytorchHalfPixel if extent > 1.0 => (at + 0.5) / scale - 0.5,
            Mapping::PytorchHalfPixel => 0.0,
            Mapping::AlignCorners if extent > 1.0 => at * (own - 1.0) / (extent - 1.0),
            Mapping::AlignCorners => 0.0,
            Mapping::Asymmetric => at / scale,
            Mapping::CropAndResize => {
                let (start, end) = along.region;
                match extent > 1.0 {
                    true => start * (own - 1.0) + at * (end - start) * (own - 1.0) / (extent - 1.0),
                    false => 0.5 * (start + end) * (own - 1.0),
                }
            }
        }
    }

    fn taps(&self, at: usize, own: usize, along: &Along) -> Taps {
        let source = self.source(at, own, along);
        let last = own as f32 - 1.0;
        if self.mapping == Mapping::CropAndResize && !(0.0..=last).contains(&source) {
            return None;
        }
        if let Mode::Nearest(rounding) = self.mode {
            let place = match rounding {
                Rounding::PreferFloor if source == source.trunc() + 0.5 => source.floor(),
                Rounding::PreferFloor | Rounding::PreferCeil => (source + 0.5).floor(),
                Rounding::Floor => source.floor(),
                Rounding::Ceil => source.ceil(),
            };
            return Some(vec![(place.clamp(0.0, last) as usize, 1.0)]);
        }
        let left = f64::from(source).floor();
        let ratio = f64::from(source) - left;
        let scale = f64::from(along.scale).min(1.0);
        let stretch = if self.antialias { scale } else { 1.0 };
        let (reach, weight): (f64, Box<dyn Fn(f64) -> f64>) = match self.mode {
            Mode::Cubic(a) => (2.0, Box::new(move |distance| cubic(distance, a))),
            _ => (1.0, Box::new(|distance: f64| (1.0 - distance.abs()).max(0.0))),
        };
        let cells = (reach / stretch).ceil() as i64;
        let mut taps: Vec<(i64, f64)> =
            (1 - cells..=cells).map(|step| (left as i64 + step, weight((step as f64 - ratio) * stretch))).collect();
        if self.exclude_outside {
            taps.retain(|(place, _)| (0..own as i64).contains(place));
        }
        if self.exclude_outside || self.antialias {
            let sum: f64 = taps.iter().map(|(_, weight)| weight).sum();
            taps.iter_mut().for_each(|(_, weight)| *weight /= sum);
        }
        // What is outside is as the edge.
        Some(taps.into_iter().map(|(place, weight)| (place.clamp(0, own as i64 - 1) as usize, weight)).collect())
    }
}

pub(super) fn cubic(distance: f64, a: f64) -> f64 {
    match distance.abs() {
        x if x <= 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
        x if x < 2.0 => ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a,
        _ => 0.0,
    }
}

/// What each axis of a Resize becomes.
fn plan(call: &Call, input: &Tensor) -> Outcome<Vec<Along>> {
    let rank = input.rank();
    let axes = match call.maybe_ints("axes")? {
        Some(axes) => shape::axes(axes, rank)?,
        None => (0..rank).collect(),
    };
    let (scales_at, sizes_at) = if call.opset() < 11 { (1, usize::MAX) } else { (2, 3) };
    let given = |index: usize| call.value(index).and_then(Value::tensor).filter(|tensor| !tensor.is_empty());
    let region = match given(1).filter(|_| call.opset() >= 11) {
        Some(_) => numbers(call, 1)?,
        None => Vec::new(),
    };
    let region = |at: usize| match region.len() == 2 * axes.len() {
        true => (region[at], region[axes.len() + at]),
        false => (0.0, 1.0),
    };
    let misfit = |count: usize| Fault::invalid(format!("{count} numbers for {} axes", axes.len()));
    let own = |at: usize| input.shape()[axes[at]];
    if let Some(scales) = given(scales_at) {
        let scales =
            if scales.element_type() == ElementType::F32 { numbers(call, scales_at)? } else { return Err(misfit(0)) };
        if scales.len() != axes.len() || scales.iter().any(|scale| scale.is_nan() || *scale <= 0.0) {
            return Err(misfit(scales.len()));
        }
        let extent = |at: usize| (own(at) as f32 * scales[at]).floor() as usize;
        return Ok((0..axes.len())
            .map(|at| Along { axis: axes[at], scale: scales[at], extent: extent(at), region: region(at) })
            .collect());
    }
    let sizes = match given(sizes_at) {
        Some(_) => shape::extents(&call.integers(sizes_at)?)?,
        None => return Err(Fault::invalid("it has neither scales nor sizes")),
    };
    if sizes.len() != axes.len() {
        return Err(misfit(sizes.len()));
    }
    let scale = |at: usize| sizes[at] as f32 / own(at).max(1) as f32;
    let all = (0..axes.len()).map(scale);
    let common = match call.text("keep_aspect_ratio_policy", "stretch")? {
        "stretch" => None,
        "not_larger" => all.reduce(f32::min),
        "not_smaller" => all.reduce(f32::max),
        other => return Err(Fault::invalid(format!("attribute `keep_aspect_ratio_policy` is `{other}`"))),
    };
    Ok((0..axes.len())
        .map(|at| Along {
            axis: axes[at],
            scale: common.unwrap_or_else(|| scale(at)),
            extent: common.map_or(sizes[at], |common| (common * own(at) as f32 + 0.5).floor() as usize),
            region: region(at),
        })
        .collect())
}

fn numbers(call: &Call, index: usize) -> Outcome<Vec<f32>> {
    by_number!(call.tensor(index)?.data(), values => Ok(values.iter().map(|value| value.to_f32()).collect()))
}

fn resize(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Tensor> {
        let input = call.tensor(0)?;
        let rules = Rules::new(call)?;
        let mut extents = input.shape().to_vec();
        let mut numbers: Vec<f64> = values.iter().map(|value| value.to_f64()).collect();
        for along in plan(call, input)? {
            let own = extents[along.axis];
            let same = along.extent == own && along.scale == 1.0 && along.region == (0.0, 1.0);
            if !same {
                numbers = resized(call, &rules, &numbers, &mut extents, &along)?;
            }
        }
        // Integers are rounded, and cut to their range.
        let back = |number: f64| T::from_f64(if T::IS_FLOAT { number } else { number.round_ties_even() });
        Ok(Tensor::new(extents, numbers.into_iter().map(back).collect()))
    }
    one(by_number!(call.tensor(0)?.data(), values => typed(call, values))?)
}

/// One axis resized.
fn resized(call: &Call, rules: &Rules, values: &[f64], extents: &mut [usize], along: &Along) -> Outcome<Vec<f64>> {
    let (outer, own, inner) = around(extents, along.axis);
    extents[along.axis] = along.extent;
    let count = shape::volume(extents)?;
    call.meter.room(count, size_of::<f64>())?;
    call.meter.room(along.extent, size_of::<Taps>())?;
    if own == 0 && count > 0 {
        return Err(Fault::invalid("nothing cannot be made larger"));
    }
    let taps: Vec<Taps> = (0..along.extent).map(|at| rules.taps(at, own, along)).collect();
    let most = taps.iter().flatten().map(Vec::len).max().unwrap_or(1);
    call.meter.work((count as u64).saturating_mul(most as u64))?;
    let mut results = Vec::with_capacity(count);
    for row in 0..outer {
        for taps in &taps {
            for column in 0..inner {
                results.push(match taps {
                    None => rules.extrapolation,
                    Some(taps) => {
                        taps.iter().map(|&(at, weight)| values[(row * own + at) * inner + column] * weight).sum()
                    }
                });
            }
        }
    }
    Ok(results)
}

/// Resize before it had its name; scales were an attribute once.
fn upsample(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let scales = match call.maybe_floats("scales")? {
        Some(scales) => scales.to_vec(),
        None => numbers(call, 1)?,
    };
    let scales = Value::from(Tensor::vector(scales));
    let inputs = [Some(Value::from(input.clone())), Some(scales)];
    let node = crate::graph::Node { opset: 10, ..call.node.clone() };
    single(resize).run(&Call { node: &node, inputs: &inputs, meter: call.meter, kept: None })
}
