//! Attention and MultiHeadAttention, as ONNX Runtime's transformer optimiser writes them, and RotaryEmbedding.

use super::super::attention::{count, rotated};
use super::super::heads::Heads;
use super::super::product::matrix_product;
use super::super::{Operator, one, single};
use super::{Standard, given, passed};
use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::shape::{self, spread_strides};
use crate::tensor::Tensor;
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "Attention" => single(attention),
        "MultiHeadAttention" => single(multi_head_attention),
        "RotaryEmbedding" => single(rotary_embedding),
        _ => return None,
    })
}

/// Which inputs say what queries see; they differ between the operators.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inputs {
    pub(super) mask: usize,
    pub(super) bias: Option<usize>,
}

/// The keys that a mask leaves to a query.
enum Mask {
    All,
    /// From the first to before the second place, for each part of the batch.
    Spans(Vec<(i64, i64)>),
    /// A flag for each place, and how far apart those of a part and of a query are.
    Flags(Vec<i64>, [usize; 2]),
}

impl Mask {
    fn new(call: &Call, index: usize, [batch, _, rows, columns]: [usize; 4]) -> Outcome<Self> {
        let Some(mask) = call.maybe_tensor(index)? else { return Ok(Self::All) };
        let flags = call.integers(index)?;
        let misfit = || Fault::unsupported(format!("a mask of shape {:?} for {columns} keys", mask.shape()));
        Ok(match *mask.shape() {
            [length] if length == batch => Self::Spans(flags.iter().map(|&end| (0, end)).collect()),
            [length] if length == 2 * batch => {
                let (ends, starts) = flags.split_at(batch);
                Self::Spans(starts.iter().copied().zip(ends.iter().copied()).collect())
            }
            [parts, keys] if parts == batch && keys == columns => Self::Flags(flags, [columns, 0]),
            [parts, queries, keys] if (parts, queries, keys) == (batch, rows, columns) => {
                Self::Flags(flags, [rows * columns, columns])
            }
            _ => return Err(misfit()),
        })
    }

    fn sees(&self, part: usize, query: usize, key: usize) -> bool {
        match self {
            Self::All => true,
            Self::Spans(spans) => (spans[part].0..spans[part].1).contains(&(key as i64)),
            Self::Flags(flags, [by_part, by_query]) => flags[part * by_part + query * by_query + key] > 0,
        }
    }
}

/// Numbers that are added to the scores, and how far apart they are along [batch, head, query, key].
type Addend<'a> = Option<(&'a [f32], Vec<usize>)>;

fn addend<'a>(call: &Call<'a>, index: Option<usize>, scores: [usize; 4]) -> Outcome<Addend<'a>> {
    let Some(index) = index else { return Ok(None) };
    let Some(bias) = call.maybe_tensor(index)? else { return Ok(None) };
    if shape::broadcast(bias.shape(), &scores)? != scores {
        return Err(Fault::invalid(format!("a bias of shape {:?} for scores of {scores:?}", bias.shape())));
    }
    Ok(Some((call.elements::<f32>(index)?, spread_strides(bias.shape(), &scores))))
}

/// Attention over these queries, keys and values; `past` of the keys come before the first query.
fn weighed(
    call: &Call,
    queries: &Heads<f32>,
    keys: &Heads<f32>,
    values: &Heads<f32>,
    past: usize,
    inputs: Inputs,
) -> Outcome<Tensor> {
    let scale = match call.float("scale", 0.0)? {
        0.0 => 1.0 / (queries.columns as f32).sqrt(),
        scale => scale,
    };
    let hidden = call.float("mask_filter_value", -10_000.0)?;
    let causal = call.flag("unidirectional", false)?;
    let mut scores = queries.product(call, &keys.transposed(call)?)?;
    let mask = Mask::new(call, inputs.mask, scores.shape())?;
    let addend = addend(call, inputs.bias, scores.shape())?;
    let [_, heads, rows, columns] = scores.shape();
    for (line, scores) in scores.values.chunks_mut(columns.max(1)).enumerate() {
        let (part, head, query) = (line / rows / heads, line / rows % heads, line % rows);
        for (key, score) in scores.iter_mut().enumerate() {
            let mut bias = if mask.sees(part, query, key) { 0.0 } else { hidden };
            if causal && key > past + query {
                bias = f32::MIN;
            }
            if let Some((values, steps)) = &addend {
                bias += values[part * steps[0] + head * steps[1] + query * steps[2] + key * steps[3]];
            }
            *score = *score * scale + bias;
        }
    }
    scores.softmax(|value| value);
    scores.product(call, values)?.merged(call)
}

fn attention(call: &Call) -> Outcome<Vec<Value>> {
    let projected = matrix_product(call, call.tensor(0)?, call.tensor(1)?)?;
    let projected = match call.value(2) {
        Some(_) => Standard::new("Add").tensor(call, &[given(&projected), passed(call, 2)])?,
        None => projected,
    };
    attended(call, &projected, 4, Inputs { mask: 3, bias: Some(5) })
}

/// Attention over the queries, keys and values that lie side by side in a value [batch, rows, columns].
pub(super) fn attended(call: &Call, projected: &Tensor, past: usize, inputs: Inputs) -> Outcome<Vec<Value>> {
    if call.flag("do_rotary", false)? {
        return Err(Fault::unsupported("its attribute `do_rotary` is set"));
    }
    let misfit = || Fault::invalid(format!("queries, keys and values of shape {:?}", projected.shape()));
    let heads = call.required("num_heads", count(call, "num_heads")?)?;
    let (&[batch, rows, width], Some(numbers)) = (projected.shape(), projected.values::<f32>()) else {
        return Err(misfit());
    };
    let sizes = match call.maybe_ints("qkv_hidden_sizes")?.map(shape::extents).transpose()? {
        Some(sizes) if !sizes.is_empty() => sizes,
        _ => vec![width / 3; 3],
    };
    let &[of_queries, of_keys, of_values] = &sizes[..] else { return Err(misfit()) };
    if sizes.iter().try_fold(0_usize, |sum, &size| sum.checked_add(size)) != Some(width) {
        return Err(misfit());
    }
    let part = |start: usize, length: usize| -> Outcome<Heads<f32>> {
        let lines = numbers.chunks(width.max(1));
        let columns: Vec<f32> = lines.flat_map(|line| line[start..][..length].iter().copied()).collect();
        Heads::new(call, &columns, &[batch, rows, length], Some(heads))
    };
    let queries = part(0, of_queries)?;
    let (mut keys, mut values) = (part(of_queries, of_keys)?, part(of_queries + of_keys, of_values)?);
    let mut before = 0;
    if let Some(past_tensor) = call.maybe_tensor(past)? {
        let &[2, ref shape @ ..] = past_tensor.shape() else { return Err(misfit()) };
        let (past_keys, past_values) = call.elements::<f32>(past)?.split_at(past_tensor.len() / 2);
        let (past_keys, past_values) =
            (Heads::new(call, past_keys, shape, None)?, Heads::new(call, past_values, shape, None)?);
        before = past_keys.rows;
        (keys, values) = (past_keys.followed_by(call, &keys)?, past_values.followed_by(call, &values)?);
    }
    let mut outputs = one(weighed(call, &queries, &keys, &values, before, inputs)?)?;
    if keys.columns == values.columns {
        let both = [&keys.values[..], &values.values].concat();
        outputs.push(Tensor::new([&[2], &keys.shape()[..]].concat(), both).into());
    }
    Ok(outputs)
}

fn multi_head_attention(call: &Call) -> Outcome<Vec<Value>> {
    let heads = call.required("num_heads", count(call, "num_heads")?)?;
    let bias = call.maybe_tensor(3)?.map(|_| call.elements::<f32>(3)).transpose()?;
    let width = call.tensor(0)?.shape().last().copied().unwrap_or(0);
    // The bias of queries and keys is as wide as a query; that of values is what is left.
    let read = |index: usize, start: usize, length: usize| -> Outcome<Heads<f32>> {
        let tensor = call.tensor(index)?;
        let values = call.elements::<f32>(index)?;
        let Some(bias) = bias.filter(|_| tensor.rank() == 3) else {
            return Heads::new(call, values, tensor.shape(), Some(heads));
        };
        let part = bias.get(start..start.saturating_add(length)).filter(|_| tensor.shape()[2] == length);
        let part = part.ok_or_else(|| Fault::invalid(format!("a bias of {} for {:?}", bias.len(), tensor.shape())))?;
        let biased: Vec<f32> = values.iter().enumerate().map(|(at, value)| value + part[at % length]).collect();
        Heads::new(call, &biased, tensor.shape(), Some(heads))
    };
    if call.value(1).is_none() || call.value(2).is_none() {
        return Err(Fault::unsupported("keys and values in the tensor of the queries"));
    }
    let queries = read(0, 0, width)?;
    let rest = bias.map_or(0, |bias| bias.len().saturating_sub(2 * width));
    let (mut keys, mut values) = (read(1, width, width)?, read(2, 2 * width, rest)?);
    let mut past = 0;
    if let (Some(past_keys), Some(past_values)) = (call.maybe_tensor(6)?, call.maybe_tensor(7)?) {
        let past_keys = Heads::new(call, call.elements::<f32>(6)?, past_keys.shape(), None)?;
        let past_values = Heads::new(call, call.elements::<f32>(7)?, past_values.shape(), None)?;
        past = past_keys.rows;
        (keys, values) = (past_keys.followed_by(call, &keys)?, past_values.followed_by(call, &values)?);
    }
    let result = weighed(call, &queries, &keys, &values, past, Inputs { mask: 4, bias: Some(5) })?;
    Ok(vec![result.into(), keys.tensor().into(), values.tensor().into()])
}

/// As that of ONNX, with the positions before the caches.
fn rotary_embedding(call: &Call) -> Outcome<Vec<Value>> {
    if call.float("scale", 1.0)? != 1.0 || call.flag("is_packed_batching", false)? {
        return Err(Fault::unsupported("its attribute `scale` or `is_packed_batching` is set"));
    }
    // Without a number of heads, the caches say how wide one is.
    let caches = [call.tensor(2)?, call.tensor(3)?];
    let input = call.tensor(0)?;
    let heads = match call.int("num_heads", 0)? {
        0 => {
            let width = caches[0].shape().last().map_or(0, |half| 2 * half);
            let columns = input.shape().last().copied().unwrap_or(0);
            columns.checked_div(width).ok_or_else(|| Fault::invalid("caches without columns"))? as i64
        }
        heads => heads,
    };
    let mut node = call.node.clone();
    node.attributes.insert("num_heads".to_string(), crate::graph::Attribute::Int(heads));
    let positions = call.integers(1)?;
    rotated(&Call { node: &node, kept: None, ..*call }, caches, Some(&positions))
}
