//! Attention, RotaryEmbedding, SwiGLU, and the parts FlexAttention is made of.
//!
//! Values of half precision are computed in single precision and rounded after each step, as the text of ONNX has the
//! steps; so a chain of simple operators gives the same.

use super::heads::Heads;
use super::{Operator, exact, one, restored, rounding, single, widened};
use crate::call::{Call, no_such_type, wrong_type};
use crate::element::ElementType;
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_real};
use crate::shape::{self, spread_strides};
use crate::tensor::{Data, Tensor};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "Attention" => exact(attention),
        "RotaryEmbedding" => single(rotary_embedding),
        "SwiGLU" => exact(swiglu),
        _ => return None,
    })
}

/// Numbers times a factor, rounded.
fn scale<T: Number>(values: &mut [T], factor: f64, round: fn(f64) -> f64) {
    let factor = T::from_f64(round(factor));
    values.iter_mut().for_each(|value| *value = T::from_f64(round(value.times(factor).to_f64())));
}

fn rounded<T: Number>(values: &mut [T], round: fn(f64) -> f64) {
    values.iter_mut().for_each(|value| *value = T::from_f64(round(value.to_f64())));
}

/// The products of queries and keys, both scaled by the root of `factor`, so that nothing overflows.
fn scores<T: Number>(
    call: &Call,
    mut queries: Heads<T>,
    mut keys: Heads<T>,
    factor: f64,
    round: fn(f64) -> f64,
) -> Outcome<Heads<T>> {
    scale(&mut queries.values, factor.sqrt(), round);
    scale(&mut keys.values, factor.sqrt(), round);
    let mut scores = queries.product(call, &keys.transposed(call)?)?;
    rounded(&mut scores.values, round);
    Ok(scores)
}

/// What stands for a scale that is not given.
fn default_scale(width: usize) -> f64 {
    1.0 / (width as f64).sqrt()
}

fn attention(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, queries: &[T]) -> Outcome<Vec<Value>> {
        let heads = |index: usize, count: Option<usize>| -> Outcome<Option<Heads<T>>> {
            let Some(tensor) = call.maybe_tensor(index)? else { return Ok(None) };
            let tensor = widened(tensor);
            let values = tensor.values::<T>().ok_or_else(|| wrong_type(index, T::TYPE, tensor.element_type()))?;
            Heads::new(call, values, tensor.shape(), count).map(Some)
        };
        let element = call.tensor(0)?.element_type();
        let round = rounding(element);
        let shape = call.tensor(0)?.shape();
        let queries = Heads::new(call, queries, shape, count(call, "q_num_heads")?)?;
        let others = count(call, "kv_num_heads")?;
        let given = |index: usize| heads(index, others)?.ok_or_else(|| missing(index));
        let (mut keys, mut values) = (given(1)?, given(2)?);
        let mut past = 0;
        if let (Some(past_keys), Some(past_values)) = (heads(4, None)?, heads(5, None)?) {
            past = past_keys.rows;
            (keys, values) = (past_keys.followed_by(call, &keys)?, past_values.followed_by(call, &values)?);
        }
        if values.rows != keys.rows {
            return Err(Fault::invalid(format!("{} values for {} keys", values.rows, keys.rows)));
        }
        let factor = call.maybe_float("scale")?.map_or_else(|| default_scale(queries.columns), f64::from);
        let mut scores = scores(call, queries, keys.clone(), factor, round)?;
        let mode = call.int("qk_matmul_output_mode", 0)?;
        let wanted = |now: i64| mode == now && call.node.outputs.get(3).is_some_and(|name| !name.is_empty());
        let kept = |scores: &Heads<T>, now: i64| wanted(now).then(|| scores.tensor());
        let mut shown = kept(&scores, 0);
        soften(&mut scores.values, f64::from(call.float("softcap", 0.0)?), round);
        shown = shown.or_else(|| kept(&scores, 1));
        let masked = Bias::<T>::new(call, &scores, past)?.add_to(&mut scores, round);
        shown = shown.or_else(|| kept(&scores, 2));
        let precision = call.element_attribute("softmax_precision")?.unwrap_or(element);
        scores.softmax(rounding(precision));
        for row in masked {
            scores.values[row * scores.columns..][..scores.columns].fill(T::ZERO);
        }
        rounded(&mut scores.values, round);
        shown = shown.or_else(|| kept(&scores, 3));
        let result = scores.product(call, &values)?;
        let result = if shape.len() == 3 { result.merged(call)? } else { result.tensor() };
        let values_type = call.tensor(2)?.element_type();
        let mut outputs = vec![
            restored(&result, element).into(),
            restored(&keys.tensor(), element).into(),
            restored(&values.tensor(), values_type).into(),
        ];
        outputs.extend(shown.map(|shown| restored(&shown, element).into()));
        Ok(outputs)
    }
    by_real!(widened(call.tensor(0)?).data(), values => typed(call, values))
}

fn missing(index: usize) -> Fault {
    Fault::invalid(format!("input {index} is missing"))
}

/// A number of heads.
pub(super) fn count(call: &Call, name: &str) -> Outcome<Option<usize>> {
    call.maybe_int(name)?.map(shape::extent).transpose()
}

/// Bends numbers so that none is larger than the cap, if there is one.
fn soften<T: Number>(values: &mut [T], cap: f64, round: fn(f64) -> f64) {
    if cap > 0.0 {
        let bend = |value: f64| round(round(round(value / cap).tanh()) * cap);
        values.iter_mut().for_each(|value| *value = T::from_f64(bend(value.to_f64())));
    }
}

/// More keys than there can be.
const LENGTH_MAX: i64 = 1 << 48;

/// A mask that is given.
struct Mask<T> {
    values: Vec<T>,
    /// How far apart its numbers are along [batch, head, query].
    steps: [usize; 3],
    /// How many keys it has; keys beyond are not seen.
    keys: usize,
}

/// What is added to the scores: a mask that is given, and minus infinity for keys that a query must not see.
struct Bias<T> {
    mask: Option<Mask<T>>,
    /// The keys before those of the first query, for each part of the batch.
    offsets: Vec<i64>,
    causal: bool,
    /// How far a query sees, to the left and to the right.
    window: [Option<i64>; 2],
    /// How many keys there are, for each part of the batch.
    lengths: Option<Vec<i64>>,
}

impl<T: Number> Bias<T> {
    fn new(call: &Call, scores: &Heads<T>, past: usize) -> Outcome<Self> {
        call.meter.room(scores.batch, size_of::<i64>())?;
        // Beyond any number of keys a length means the same.
        let lengths = call.maybe_integers(6)?;
        let lengths: Option<Vec<i64>> =
            lengths.map(|lengths| lengths.into_iter().map(|length| length.clamp(-LENGTH_MAX, LENGTH_MAX)).collect());
        if lengths.as_ref().is_some_and(|lengths| lengths.len() != scores.batch) {
            return Err(Fault::invalid(format!("input 6 needs {} lengths", scores.batch)));
        }
        let offsets = match &lengths {
            Some(lengths) if past == 0 => lengths.iter().map(|&length| length - scores.rows as i64).collect(),
            _ => vec![past as i64; scores.batch],
        };
        let side = |name: &str| -> Outcome<Option<i64>> { Ok(Some(call.int(name, -1)?).filter(|&size| size >= 0)) };
        Ok(Self {
            mask: Self::mask(call, scores)?,
            offsets,
            causal: call.flag("is_causal", false)?,
            window: [side("left_window_size")?, side("right_window_size")?],
            lengths,
        })
    }

    fn mask(call: &Call, scores: &Heads<T>) -> Outcome<Option<Mask<T>>> {
        let Some(mask) = call.maybe_tensor(3)? else { return Ok(None) };
        let mask = widened(mask);
        call.meter.room(mask.len(), T::TYPE.width())?;
        let values: Vec<T> = match mask.data() {
            Data::Bool(seen) => seen.iter().map(|&seen| if seen { T::ZERO } else { T::LOWEST }).collect(),
            Data::F32(values) => values.iter().map(|value| T::from_f64(value.to_f64())).collect(),
            Data::F64(values) => values.iter().map(|value| T::from_f64(*value)).collect(),
            other => return Err(no_such_type(other.element_type())),
        };
        let keys = mask.shape().last().copied().unwrap_or(1);
        let seen = [&scores.shape()[..3], &[keys]].concat();
        let misfit = || Fault::invalid(format!("a mask of shape {:?} for {:?}", mask.shape(), scores.shape()));
        if keys > scores.columns || mask.rank() > 4 || shape::broadcast(&seen, mask.shape())? != seen {
            return Err(misfit());
        }
        // A mask for one key is for the first, not for all.
        let steps = match spread_strides(mask.shape(), &seen)[..] {
            [by_part, by_head, by_query, _] => [by_part, by_head, by_query],
            _ => return Err(misfit()),
        };
        Ok(Some(Mask { values, steps, keys }))
    }

    /// Whether the query sees the key, whatever the mask says.
    fn sees(&self, part: usize, query: usize, key: usize) -> bool {
        let ahead = key as i64 - (query as i64 + self.offsets[part]);
        let [left, right] = self.window;
        (!self.causal || ahead <= 0)
            && left.is_none_or(|left| -ahead <= left)
            && right.is_none_or(|right| ahead <= right)
            && self.lengths.as_ref().is_none_or(|lengths| (key as i64) < lengths[part])
    }

    fn at(&self, [part, head, query, key]: [usize; 4]) -> T {
        let given = match &self.mask {
            None => T::ZERO,
            Some(mask) if key >= mask.keys => T::LOWEST,
            Some(Mask { values, steps, .. }) => values[part * steps[0] + head * steps[1] + query * steps[2] + key],
        };
        if self.sees(part, query, key) { given } else { T::LOWEST }
    }

    /// Adds the bias; gives the rows that see no key.
    fn add_to(&self, scores: &mut Heads<T>, round: fn(f64) -> f64) -> Vec<usize> {
        let [_, heads, rows, columns] = scores.shape();
        let mut blind = Vec::new();
        for (row, line) in scores.values.chunks_mut(columns.max(1)).enumerate() {
            let place = [row / rows / heads, row / rows % heads, row % rows];
            let mut sees = false;
            for (key, score) in line.iter_mut().enumerate() {
                let bias = self.at([place[0], place[1], place[2], key]);
                sees |= bias != T::LOWEST;
                *score = T::from_f64(round(score.plus(bias).to_f64()));
            }
            if !sees {
                blind.push(row);
            }
        }
        blind
    }
}

/// Attention whose scores and probabilities a graph of the file may change.
pub(crate) fn flex_attention(
    call: &Call,
    change_scores: &dyn Fn(Tensor) -> Outcome<Tensor>,
    change_shares: &dyn Fn(Tensor) -> Outcome<Tensor>,
) -> Outcome<Vec<Value>> {
    fn scores_of<T: Number>(call: &Call, queries: &[T], element: ElementType) -> Outcome<Tensor> {
        let (shape, keys) = (call.tensor(0)?.shape(), widened(call.tensor(1)?));
        let values = keys.values::<T>().ok_or_else(|| wrong_type(1, T::TYPE, keys.element_type()))?;
        let (queries, keys) = (Heads::new(call, queries, shape, None)?, Heads::new(call, values, keys.shape(), None)?);
        let factor = call.maybe_float("scale")?.map_or_else(|| default_scale(queries.columns), f64::from);
        Ok(scores(call, queries, keys, factor, rounding(element))?.tensor())
    }
    /// The numbers of a tensor in another precision, and its matrices.
    fn heads_in<T: Number>(call: &Call, tensor: &Tensor) -> Outcome<Heads<T>> {
        let values: Vec<T> = by_real!(widened(tensor).data(), values => {
            Ok(values.iter().map(|value| T::from_f64(value.to_f64())).collect())
        })?;
        Heads::new(call, &values, tensor.shape(), None)
    }
    fn weighed<T: Number>(
        call: &Call,
        precision: ElementType,
        scores: &Tensor,
        change_scores: &dyn Fn(Tensor) -> Outcome<Tensor>,
        change_shares: &dyn Fn(Tensor) -> Outcome<Tensor>,
    ) -> Outcome<Tensor> {
        let scores = restored(&heads_in::<T>(call, scores)?.tensor(), precision);
        let mut shares = heads_in::<T>(call, &change_scores(scores)?)?;
        shares.softmax(rounding(precision));
        let shares = heads_in::<T>(call, &change_shares(restored(&shares.tensor(), precision))?)?;
        let mut result = shares.product(call, &heads_in::<T>(call, call.tensor(2)?)?)?;
        rounded(&mut result.values, rounding(precision));
        Ok(result.tensor())
    }
    let (queries, to) = (call.tensor(0)?, call.tensor(2)?.element_type());
    let element = queries.element_type();
    let scores = by_real!(widened(queries).data(), values => scores_of(call, values, element))?;
    let usual = if element == ElementType::F64 { ElementType::F64 } else { ElementType::F32 };
    let precision = call.element_attribute("softmax_precision")?.unwrap_or(usual);
    let result = match precision {
        ElementType::F64 => weighed::<f64>(call, precision, &scores, change_scores, change_shares)?,
        _ => weighed::<f32>(call, precision, &scores, change_scores, change_shares)?,
    };
    let result = match to {
        ElementType::F64 => heads_in::<f64>(call, &result)?.tensor(),
        _ => restored(&heads_in::<f32>(call, &result)?.tensor(), to),
    };
    one(result)
}

/// Pairs of numbers turned by the angle of their position.
fn rotary_embedding(call: &Call) -> Outcome<Vec<Value>> {
    let positions = call.maybe_integers(3)?;
    rotated(call, [call.tensor(1)?, call.tensor(2)?], positions.as_deref())
}

/// The first input turned; the caches hold cosines and sines, for each position or for each row.
pub(super) fn rotated(call: &Call, caches: [&Tensor; 2], positions: Option<&[i64]>) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T], caches: [&Tensor; 2], positions: Option<&[i64]>) -> Outcome<Tensor> {
        let shape = call.tensor(0)?.shape();
        let mut all = Heads::new(call, values, shape, count(call, "num_heads")?)?;
        let turned = match shape::extent(call.int("rotary_embedding_dim", 0)?)? {
            0 => all.columns,
            some => some,
        };
        let half = turned / 2;
        let misfit = || Fault::invalid(format!("{:?} turned by {:?}", all.shape(), caches[0].shape()));
        let fits = caches[0].shape() == caches[1].shape() && caches[0].shape().last() == Some(&half) && half > 0;
        if turned > all.columns || !turned.is_multiple_of(2) || !fits {
            return Err(misfit());
        }
        let entries = caches[0].len() / half;
        let row_of = |part: usize, row: usize| match positions {
            None if entries == all.batch * all.rows => Ok(part * all.rows + row),
            None => Err(misfit()),
            // One position for all parts is that of the first row.
            Some(&[first]) if all.batch * all.rows != 1 => shape::index(first.saturating_add(row as i64), entries),
            Some(positions) if positions.len() == all.batch * all.rows => {
                shape::index(positions[part * all.rows + row], entries)
            }
            Some(_) => Err(misfit()),
        };
        let count = shape::volume(&[all.batch, all.rows])?;
        call.meter.room(count, size_of::<usize>())?;
        let mut angles = Vec::with_capacity(count);
        for part in 0..all.batch {
            for row in 0..all.rows {
                angles.push(row_of(part, row)?);
            }
        }
        let cache = |at: usize| caches[at].values::<T>().ok_or_else(|| no_such_type(caches[at].element_type()));
        let (cosines, sines) = (cache(0)?, cache(1)?);
        let interleaved = call.flag("interleaved", false)?;
        let [_, heads, rows, columns] = all.shape();
        for (line, values) in all.values.chunks_mut(columns.max(1)).enumerate() {
            let angle = angles[line / rows / heads * rows + line % rows] * half;
            for at in 0..half {
                let (one, other) = if interleaved { (2 * at, 2 * at + 1) } else { (at, at + half) };
                let (x, y) = (values[one], values[other]);
                let (cosine, sine) = (cosines[angle + at], sines[angle + at]);
                values[one] = cosine.times(x).minus(sine.times(y));
                values[other] = sine.times(x).plus(cosine.times(y));
            }
        }
        if shape.len() == 3 { all.merged(call) } else { Ok(all.tensor()) }
    }
    one(by_real!(call.tensor(0)?.data(), values => typed(call, values, caches, positions))?)
}

/// The first half of a gated layer's input, bent, times the second.
fn swiglu(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, gate: &[T], other: &Tensor, round: fn(f64) -> f64) -> Outcome<Tensor> {
        let alpha = f64::from(call.float("alpha", 1.0)?);
        let values = other.values::<T>().ok_or_else(|| wrong_type(1, T::TYPE, other.element_type()))?;
        let swish = |gate: f64| round(gate * round(1.0 / (1.0 + (-alpha * gate).exp())));
        let results = gate.iter().zip(values);
        let results = results.map(|(gate, value)| T::from_f64(round(swish(gate.to_f64()) * value.to_f64())));
        Ok(Tensor::new(other.shape().to_vec(), results.collect()))
    }
    let (gate, other) = (call.tensor(0)?, call.tensor(1)?);
    if gate.shape() != other.shape() {
        return Err(Fault::invalid(format!("a gate of shape {:?} for {:?}", gate.shape(), other.shape())));
    }
    let element = gate.element_type();
    call.room_for(gate.shape(), element)?;
    let (gate, other) = (widened(gate), widened(other));
    let result = by_real!(gate.data(), values => typed(call, values, &other, rounding(element)))?;
    one(restored(&result, element))
}
