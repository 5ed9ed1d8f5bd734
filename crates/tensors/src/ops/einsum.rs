//! Einsum: sums of products over named axes, two operands at a time.

use super::movement::{spread, transposed};
use super::product::matrix_product;
use super::reduce::summed;
use super::{Operator, one, single};
use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::shape::{self, offsets, strides};
use crate::tensor::Tensor;
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    (op_type == "Einsum").then(|| single(einsum))
}

/// A name of an axis: a letter, or a place in the ellipsis counted from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Ellipsis(usize),
    Letter(char),
}

/// A tensor whose axes have names, each once.
struct Named {
    tensor: Tensor,
    labels: Vec<Label>,
}

fn einsum(call: &Call) -> Outcome<Vec<Value>> {
    let equation = call.required("equation", call.maybe_text("equation")?)?;
    let equation: String = equation.chars().filter(|letter| !letter.is_whitespace()).collect();
    let (terms, result) = match equation.split_once("->") {
        Some((terms, result)) => (terms, Some(result)),
        None => (equation.as_str(), None),
    };
    let terms: Vec<&str> = terms.split(',').collect();
    let tensors = call.tensors()?;
    if terms.len() != tensors.len() {
        return Err(Fault::invalid(format!("equation `{equation}` for {} inputs", tensors.len())));
    }
    let mut operands = Vec::with_capacity(terms.len());
    let mut all: Vec<Label> = Vec::new();
    for (term, tensor) in terms.iter().zip(&tensors) {
        let labels = labels(term, Some(tensor.rank()))?;
        all.extend(&labels);
        operands.push(diagonal(call, tensor, &labels)?);
    }
    let wanted = match result {
        Some(result) => {
            let places = all.iter().filter_map(|label| match label {
                Label::Ellipsis(place) => Some(place + 1),
                Label::Letter(_) => None,
            });
            let letters = result.replace("...", "").chars().count();
            let ellipsis = if result.contains("...") { places.max().unwrap_or(0) } else { 0 };
            labels(result, Some(letters + ellipsis))?
        }
        None => implicit(&all),
    };
    let mut operands = operands.into_iter();
    let mut total = operands.next().ok_or_else(|| Fault::invalid("it has no inputs"))?;
    while let Some(next) = operands.next() {
        let later: Vec<Label> = operands.as_slice().iter().flat_map(|other| other.labels.clone()).collect();
        let needed = |label: &Label| wanted.contains(label) || later.contains(label);
        total = contract(call, total, next, &needed)?;
    }
    let total = summed_away(call, total, &|label| wanted.contains(label))?;
    one(arranged(call, &total, &wanted)?)
}

/// The labels of a term over a tensor of this rank.
fn labels(term: &str, rank: Option<usize>) -> Outcome<Vec<Label>> {
    let broken = || Fault::invalid(format!("the term `{term}` does not fit a value with {rank:?} dimensions"));
    let letters = |part: &str| -> Outcome<Vec<Label>> {
        part.chars().map(|letter| letter.is_alphabetic().then_some(Label::Letter(letter)).ok_or_else(broken)).collect()
    };
    let Some((before, after)) = term.split_once("...") else {
        let all = letters(term)?;
        return if rank.is_none_or(|rank| rank == all.len()) { Ok(all) } else { Err(broken()) };
    };
    let (mut all, after) = (letters(before)?, letters(after)?);
    let hidden = rank.unwrap_or(0).checked_sub(all.len() + after.len()).ok_or_else(broken)?;
    all.extend((0..hidden).rev().map(Label::Ellipsis));
    all.extend(after);
    Ok(all)
}

/// The result of an equation that does not say it: the ellipsis, then the letters that are there once, in order.
fn implicit(all: &[Label]) -> Vec<Label> {
    let mut wanted: Vec<Label> = all.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    wanted.retain(|label| match label {
        Label::Ellipsis(_) => true,
        letter => all.iter().filter(|other| *other == letter).count() == 1,
    });
    // Places of the ellipsis are counted from its end.
    let hidden = wanted.iter().take_while(|label| matches!(label, Label::Ellipsis(_))).count();
    wanted[..hidden].reverse();
    wanted
}

/// The elements at which axes of one name agree.
fn diagonal(call: &Call, tensor: &Tensor, labels: &[Label]) -> Outcome<Named> {
    let own = strides(tensor.shape());
    let mut unique: Vec<Label> = Vec::new();
    let (mut extents, mut moves): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for (axis, label) in labels.iter().enumerate() {
        match unique.iter().position(|other| other == label) {
            Some(at) if extents[at] == tensor.shape()[axis] => moves[at] += own[axis],
            Some(_) => return Err(Fault::invalid(format!("{:?} along one axis", tensor.shape()))),
            None => {
                unique.push(*label);
                extents.push(tensor.shape()[axis]);
                moves.push(own[axis]);
            }
        }
    }
    if unique.len() == labels.len() {
        return Ok(Named { tensor: tensor.clone(), labels: unique });
    }
    call.room_for(&extents, tensor.element_type())?;
    Ok(Named { tensor: call.taken(tensor, &offsets(&extents, &moves), extents)?, labels: unique })
}

/// Sums over the axes that nobody needs.
fn summed_away(call: &Call, named: Named, needed: &dyn Fn(&Label) -> bool) -> Outcome<Named> {
    let axes: Vec<usize> = (0..named.labels.len()).filter(|&axis| !needed(&named.labels[axis])).collect();
    if axes.is_empty() {
        return Ok(named);
    }
    let tensor = summed(call, &named.tensor, &axes)?;
    Ok(Named { tensor, labels: named.labels.into_iter().filter(needed).collect() })
}

/// The tensor with its axes in this order; an axis it lacks has one place.
fn arranged(call: &Call, named: &Named, order: &[Label]) -> Outcome<Tensor> {
    let mut axes = Vec::with_capacity(order.len());
    let mut extents = named.tensor.shape().to_vec();
    for label in order {
        axes.push(named.labels.iter().position(|other| other == label).unwrap_or_else(|| {
            extents.push(1);
            extents.len() - 1
        }));
    }
    shape::axes(&axes.iter().map(|&axis| axis as i64).collect::<Vec<_>>(), extents.len())?;
    transposed(call, &named.tensor.with_shape(extents), &axes)
}

/// The product of two operands, summed over the axes that both have and nobody else needs.
fn contract(call: &Call, left: Named, right: Named, needed: &dyn Fn(&Label) -> bool) -> Outcome<Named> {
    let left = summed_away(call, left, &|label| needed(label) || right.labels.contains(label))?;
    let right = summed_away(call, right, &|label| needed(label) || left.labels.contains(label))?;
    let both = |label: &&Label| right.labels.contains(label);
    let batch: Vec<Label> = left.labels.iter().filter(both).filter(|label| needed(label)).copied().collect();
    let gone: Vec<Label> = left.labels.iter().filter(both).filter(|label| !needed(label)).copied().collect();
    let only = |own: &[Label], other: &[Label]| -> Vec<Label> {
        own.iter().filter(|label| !other.contains(label)).copied().collect()
    };
    let (of_left, of_right) = (only(&left.labels, &right.labels), only(&right.labels, &left.labels));
    let extent = |label: &Label| -> Outcome<usize> {
        let find = |named: &Named| {
            named.labels.iter().position(|other| other == label).map_or(1, |axis| named.tensor.shape()[axis])
        };
        Ok(shape::broadcast(&[find(&left)], &[find(&right)])?[0])
    };
    let extents = |labels: &[Label]| labels.iter().map(&extent).collect::<Outcome<Vec<usize>>>();
    let (batch_extents, gone_extents) = (extents(&batch)?, extents(&gone)?);
    let (left_extents, right_extents) = (extents(&of_left)?, extents(&of_right)?);
    let (rows, columns) = (shape::volume(&left_extents)?, shape::volume(&right_extents)?);
    let (depth, count) = (shape::volume(&gone_extents)?, shape::volume(&batch_extents)?);
    let left_order = [&batch[..], &of_left, &gone].concat();
    let right_order = [&batch[..], &gone, &of_right].concat();
    let left = arranged(call, &left, &left_order)?;
    let right = arranged(call, &right, &right_order)?;
    let left = spread(call, &left, &[&batch_extents[..], &left_extents, &gone_extents].concat())?;
    let right = spread(call, &right, &[&batch_extents[..], &gone_extents, &right_extents].concat())?;
    let (left, right) = (left.with_shape(vec![count, rows, depth]), right.with_shape(vec![count, depth, columns]));
    let product = matrix_product(call, &left, &right)?;
    let tensor = product.with_shape([batch_extents, left_extents, right_extents].concat());
    Ok(Named { tensor, labels: [batch, of_left, of_right].concat() })
}
