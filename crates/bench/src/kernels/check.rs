//! That everyone gives the same answers: how fast a wrong number comes is of no interest.

use super::worker::Answers;
use crate::Result;

/// What two answers may differ by: that much of the larger.
const RELATIVE: f32 = 1e-5;
/// And that much besides, since a probability is one less another.
const ABSOLUTE: f32 = 1e-6;

/// Compares what `peer` answered with what foretell answered, and fails if more than `differing_max` of a thousand rows
/// differ.
pub fn compare(peer: &str, ours: &Answers, theirs: &Answers, differing_max: usize) -> Result<usize> {
    let rows = ours.values.len() / ours.width;
    if theirs.values.len() / theirs.width != rows {
        return Err(format!("{peer} answered {} rows of {rows}", theirs.values.len() / theirs.width).into());
    }
    let pairs: Vec<(&[f32], &[f32])> =
        ours.values.chunks_exact(ours.width).zip(theirs.values.chunks_exact(theirs.width)).collect();
    let mut differing = 0;
    let mut first = None;
    for (row, (ours, theirs)) in pairs.iter().enumerate() {
        let (ours, theirs) = common(peer, ours, theirs)?;
        if !ours.iter().zip(theirs).all(|(left, right)| are_close(*left, *right)) {
            differing += 1;
            first = first.or_else(|| Some(format!("row {row}: foretell {ours:?}, {peer} {theirs:?}")));
        }
    }
    match first {
        Some(first) if differing * 1000 > differing_max * rows => {
            Err(format!("{peer} differs from foretell in {differing} of {rows} rows, first in {first}").into())
        }
        _ => Ok(differing),
    }
}

/// The numbers that both give: some give the second of two classes alone.
fn common<'a>(peer: &str, ours: &'a [f32], theirs: &'a [f32]) -> Result<(&'a [f32], &'a [f32])> {
    match (ours.len(), theirs.len()) {
        (left, right) if left == right => Ok((ours, theirs)),
        (2, 1) => Ok((&ours[1..], theirs)),
        (1, 2) => Ok((ours, &theirs[1..])),
        (left, right) => Err(format!("foretell gives {left} numbers for a row, {peer} {right}").into()),
    }
}

fn are_close(left: f32, right: f32) -> bool {
    (left - right).abs() <= RELATIVE * left.abs().max(right.abs()) + ABSOLUTE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(values: &[f32], width: usize) -> Answers {
        Answers { values: values.to_vec(), width }
    }

    #[test]
    fn the_second_of_two_classes_is_enough() {
        let ours = answers(&[0.25, 0.75, 0.5, 0.5], 2);
        assert_eq!(compare("it", &ours, &answers(&[0.75, 0.500_001], 1), 0).expect("the same"), 0);
        let error = compare("it", &ours, &answers(&[0.75, 0.6], 1), 0).expect_err("differs").to_string();
        assert_eq!(error, "it differs from foretell in 1 of 2 rows, first in row 1: foretell [0.5], it [0.6]");
        assert_eq!(compare("it", &ours, &answers(&[0.75, 0.6], 1), 500).expect("half may differ"), 1);
    }

    #[test]
    fn other_shapes_are_no_answers() {
        let ours = answers(&[0.25, 0.75], 2);
        assert!(compare("it", &ours, &answers(&[0.1, 0.2, 0.7], 3), 1000).is_err());
        assert!(compare("it", &ours, &answers(&[0.1, 0.2, 0.7], 1), 1000).is_err());
        assert!(compare("it", &ours, &answers(&[f32::NAN], 1), 0).is_err());
    }
}
