//! Losses: NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss.

use super::reduce::Across;
use super::{Operator, one, single};
use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_real};
use crate::shape::{self, around};
use crate::tensor::Tensor;
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "NegativeLogLikelihoodLoss" => single(negative_log_likelihood_loss),
        "SoftmaxCrossEntropyLoss" => single(softmax_cross_entropy_loss),
        _ => return None,
    })
}

fn negative_log_likelihood_loss(call: &Call) -> Outcome<Vec<Value>> {
    one(by_real!(call.tensor(0)?.data(), values => loss(call, values))?)
}

fn softmax_cross_entropy_loss(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Vec<Value>> {
        let shape = call.tensor(0)?.shape();
        if shape.len() < 2 {
            return Err(misfit(call));
        }
        call.room_for(shape, T::TYPE)?;
        let logs = Across::LogSoftmax.lines(values, around(shape, 1), |value| value);
        Ok(vec![loss(call, &logs)?.into(), Tensor::new(shape.to_vec(), logs).into()])
    }
    by_real!(call.tensor(0)?.data(), values => typed(call, values))
}

fn misfit(call: &Call) -> Fault {
    let shape = |index: usize| call.tensor(index).map_or_else(|_| Vec::new(), |tensor| tensor.shape().to_vec());
    Fault::invalid(format!("classes of shape {:?} for a value of shape {:?}", shape(1), shape(0)))
}

/// What the right classes lack in their logarithms of probability [N, C, ...].
fn loss<T: Number>(call: &Call, logs: &[T]) -> Outcome<Tensor> {
    let (shape, classes) = (call.tensor(0)?.shape(), call.tensor(1)?);
    let (count, places) = match shape {
        [batch, count, places @ ..] if classes.shape() == [&[*batch], places].concat() => {
            (*count, shape::volume(places)?)
        }
        _ => return Err(misfit(call)),
    };
    let weights = match call.maybe_tensor(2)? {
        Some(weights) if weights.len() == count => Some(call.elements::<T>(2)?),
        Some(weights) => return Err(Fault::invalid(format!("{} weights for {count} classes", weights.len()))),
        None => None,
    };
    let ignored = call.maybe_int("ignore_index")?;
    call.meter.work(classes.len() as u64)?;
    let mut losses = call.filled(classes.len(), T::ZERO)?;
    let mut total_weight = 0.0;
    for (at, class) in call.integers(1)?.into_iter().enumerate() {
        if Some(class) == ignored {
            continue;
        }
        // A class is no position: a negative one does not count from the end.
        let class = shape::index(shape::extent(class)? as i64, count)?;
        let (part, place) = (at / places.max(1), at % places.max(1));
        let weight = weights.map_or(T::ONE, |weights| weights[class]);
        losses[at] = weight.times(logs[(part * count + class) * places + place]).negated();
        total_weight += weight.to_f64();
    }
    let sum = || losses.iter().map(|loss| loss.to_f64()).sum::<f64>();
    Ok(match call.text("reduction", "mean")? {
        "none" => Tensor::new(classes.shape().to_vec(), losses),
        "sum" => Tensor::scalar(T::from_f64(sum())),
        "mean" => Tensor::scalar(T::from_f64(sum() / total_weight)),
        other => return Err(Fault::invalid(format!("attribute `reduction` is `{other}`"))),
    })
}
