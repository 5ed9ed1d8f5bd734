//! Pad and CenterCropPad.

use super::{Operator, exact, one};
use crate::call::Call;
use crate::element::ElementType;
use crate::error::{Fault, Outcome};
use crate::shape::{self, Places, strides};
use crate::tensor::{Data, Tensor};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "CenterCropPad" => exact(center_crop_pad),
        "Pad" => exact(pad),
        _ => return None,
    })
}

/// What stands where the input has nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Border {
    Constant,
    Edge,
    Reflect,
    Wrap,
}

impl Border {
    /// The place of the input for a place outside of it; `None` for the constant.
    fn place(self, at: i64, extent: i64) -> Option<i64> {
        if (0..extent).contains(&at) {
            return Some(at);
        }
        match self {
            Self::Constant => None,
            _ if extent == 0 => None,
            Self::Edge => Some(at.clamp(0, extent - 1)),
            Self::Wrap => Some(at.rem_euclid(extent)),
            Self::Reflect if extent == 1 => Some(0),
            Self::Reflect => {
                let period = 2 * (extent - 1);
                let at = at.rem_euclid(period);
                Some(at.min(period - at))
            }
        }
    }
}

fn pad(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let rank = input.rank();
    let pads = match call.opset() {
        ..11 => call.maybe_ints("pads")?.or(call.maybe_ints("paddings")?).map(<[i64]>::to_vec),
        _ => call.maybe_integers(1)?,
    };
    let pads = call.required("pads", pads)?;
    let axes = match call.maybe_integers(3)? {
        Some(axes) => shape::axes(&axes, rank)?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(Fault::invalid(format!("{} pads for {} axes", pads.len(), axes.len())));
    }
    let border = match call.text("mode", "constant")? {
        "constant" => Border::Constant,
        "edge" => Border::Edge,
        "reflect" => Border::Reflect,
        "wrap" => Border::Wrap,
        other => return Err(Fault::unsupported(format!("mode `{other}`"))),
    };
    let fill = match (call.opset(), call.maybe_tensor(2)?) {
        (11.., Some(value)) if !value.is_empty() => value.data().take(&[0]),
        (11.., _) => Data::zeros(input.element_type(), 1),
        _ => fill_of(input.element_type(), call.float("value", 0.0)?)?,
    };
    let mut before = vec![0_i64; rank];
    let mut extents: Vec<i64> = input.shape().iter().map(|&extent| extent as i64).collect();
    for (at, &axis) in axes.iter().enumerate() {
        before[axis] = pads[at];
        extents[axis] = extents[axis].saturating_add(pads[at]).saturating_add(pads[at + axes.len()]);
    }
    one(moved(call, input, &before, &shape::extents(&extents)?, border, &fill)?)
}

fn fill_of(element: ElementType, value: f32) -> Outcome<Data> {
    match element {
        ElementType::F32 => Ok(Data::F32(vec![value])),
        ElementType::F64 => Ok(Data::F64(vec![f64::from(value)])),
        ElementType::F16 => Ok(Data::F16(vec![half::f16::from_f32(value)])),
        _ if value == 0.0 => Ok(Data::zeros(element, 1)),
        other => Err(crate::call::no_such_type(other)),
    }
}

/// A window of a tensor that begins `before` places ahead of it.
fn moved(
    call: &Call,
    input: &Tensor,
    before: &[i64],
    extents: &[usize],
    border: Border,
    fill: &Data,
) -> Outcome<Tensor> {
    let count = call.room_for(extents, input.element_type())?;
    let padded = Data::join(&[input.data(), fill]).ok_or_else(|| Fault::invalid("a fill of another type"))?;
    let own = strides(input.shape());
    // Offset of each place of an axis; `None` where the constant stands.
    let tables: Vec<Vec<Option<usize>>> = (0..extents.len())
        .map(|axis| {
            let extent = input.shape()[axis] as i64;
            let place = |at: usize| border.place(at as i64 - before[axis], extent);
            (0..extents[axis]).map(|at| place(at).map(|place| place as usize * own[axis])).collect()
        })
        .collect();
    let mut positions = Vec::with_capacity(count);
    let mut places = Places::new(extents);
    while let Some(place) = places.next() {
        let offset = place.iter().zip(&tables).try_fold(0, |sum, (&at, table)| table[at].map(|offset| sum + offset));
        positions.push(offset.unwrap_or(input.len()));
    }
    Ok(Tensor::of(extents.to_vec(), padded.take(&positions)))
}

/// The tensor in a corner of a larger one, zeros behind it.
pub(super) fn enlarged(call: &Call, input: &Tensor, extents: &[usize]) -> Outcome<Tensor> {
    if extents.len() != input.rank() {
        return Err(Fault::invalid(format!("{:?} in a value of shape {extents:?}", input.shape())));
    }
    let zero = Data::zeros(input.element_type(), 1);
    moved(call, input, &vec![0; extents.len()], extents, Border::Constant, &zero)
}

fn center_crop_pad(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let rank = input.rank();
    let wanted = shape::extents(&call.integers(1)?)?;
    let axes = match call.maybe_ints("axes")? {
        Some(axes) => shape::axes(axes, rank)?,
        None => (0..rank).collect(),
    };
    if axes.len() != wanted.len() {
        return Err(Fault::invalid(format!("{} extents for {} axes", wanted.len(), axes.len())));
    }
    let mut extents = input.shape().to_vec();
    let mut before = vec![0_i64; rank];
    for (&axis, &extent) in axes.iter().zip(&wanted) {
        let own = input.shape()[axis];
        before[axis] = match extent < own {
            true => -(((own - extent) / 2) as i64),
            false => ((extent - own) / 2) as i64,
        };
        extents[axis] = extent;
    }
    let fill = Data::zeros(input.element_type(), 1);
    one(moved(call, input, &before, &extents, Border::Constant, &fill)?)
}
