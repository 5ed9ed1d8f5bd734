//! An LSTM whose weights are small integers.

use super::walk::{Product, Weights, walk};
use super::{Cell, Extent};
use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::ops::product::{Extents, add_product, small_integers};
use crate::ops::quant::{fitting, singles};
use crate::value::Value;

/// An LSTM of com.microsoft with quantised weights, [directions, depth, gates]. Its input is quantised as a whole, its state
/// at each step, so that the rows of a batch share a scale.
pub(in crate::ops) fn dynamic_quantize_lstm(call: &Call) -> Outcome<Vec<Value>> {
    let recurrence = call.tensor(2)?.shape();
    let &[directions, hidden, gates] = recurrence else {
        return Err(Fault::invalid(format!("weights of shape {recurrence:?}; they take [D, H, 4 × H]")));
    };
    let extent = Extent::new(call, Cell::Lstm, &[directions, gates, hidden])?;
    let inputs = call.elements::<f32>(0)?;
    if call.tensor(1)?.shape() != [directions, extent.inputs, gates] {
        return Err(Fault::invalid(format!("weights of shape {:?} and {recurrence:?}", call.tensor(1)?.shape())));
    }
    let weights = |direction: usize| -> Outcome<Weights<'_, f32>> {
        Ok(Weights {
            of_input: coded(call, [1, 8, 9], direction, Some(fitting(inputs)))?,
            of_state: vec![coded(call, [2, 10, 11], direction, None)?],
        })
    };
    walk(call, Cell::Lstm, inputs, &extent, weights)
}

/// The product with quantised weights: inputs for them, their scales and their zero points. Rows are quantised to the scale
/// and zero point that are given, or else to what fits them.
fn coded<'a>(
    call: &'a Call,
    [weights, scale, zero]: [usize; 3],
    direction: usize,
    fixed: Option<(f32, f32)>,
) -> Outcome<Product<'a, f32>> {
    let tensor = call.tensor(weights)?;
    let &[directions, depth, columns] = tensor.shape() else {
        return Err(Fault::invalid(format!("weights of shape {:?}", tensor.shape())));
    };
    let own = |index: usize, count: usize| -> Outcome<std::ops::Range<usize>> {
        let fits = count > 0 && count.is_multiple_of(directions) && [1, columns].contains(&(count / directions));
        let length = count.checked_div(directions).unwrap_or(0);
        let range = direction * length..(direction + 1) * length;
        fits.then_some(range).ok_or_else(|| Fault::invalid(format!("input {index} has {count} numbers")))
    };
    call.meter.room(tensor.len(), size_of::<i32>())?;
    let (scales, zeros) = (singles(call.tensor(scale)?)?, small_integers(call.tensor(zero)?)?);
    let scales = scales[own(scale, scales.len())?].to_vec();
    let zeros = &zeros[own(zero, zeros.len())?];
    let codes = &small_integers(tensor)?[direction * depth * columns..][..depth * columns];
    let codes: Vec<i32> = codes.iter().enumerate().map(|(at, code)| code - zeros[at % columns % zeros.len()]).collect();
    Ok(Box::new(move |rows, sums| {
        let (scale, zero) = fixed.unwrap_or_else(|| fitting(rows));
        let code = |value: &f32| ((value / scale).round_ties_even() + zero).clamp(0.0, 255.0) as i32 - zero as i32;
        let extents = Extents { rows: rows.len().checked_div(depth).unwrap_or(0), depth, columns };
        call.meter.work(extents.work())?;
        let mut products = call.filled(sums.len(), 0_i32)?;
        add_product(&rows.iter().map(code).collect::<Vec<_>>(), &codes, extents, &mut products);
        for (at, (sum, product)) in sums.iter_mut().zip(products).enumerate() {
            *sum += product as f32 * (scale * scales[at % columns % scales.len()]);
        }
        Ok(())
    }))
}
