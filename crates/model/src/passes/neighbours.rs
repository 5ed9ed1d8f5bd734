//! Distances from constant points of which only the smallest are taken become a search for the nearest points.
//!
//! So nearest-neighbour models are exported: a column of distances for each point of the training data, perhaps the square root of
//! each, and the smallest few of them. What is fused keeps no column per point; its answers are those of sorting them.
//!
//! Deliberately not here: distances that others read as well, such as all those below a radius, and farthest points.

use std::collections::HashSet;
use std::sync::Arc;

use foretell_kernels::neighbours::{Distance, Neighbours};

use super::uses::Uses;
use crate::program::{ColumnId, Op, Program, UnaryOp};

pub(super) fn run(program: &mut Program, wanted: &[ColumnId]) {
    let uses = Uses::of(program, wanted);
    let mut absorbed = HashSet::new();
    for at in 0..program.steps.len() {
        let Some(search) = Search::of(program, &uses, at) else { continue };
        program.steps[at].op = Op::Neighbours(Arc::new(search.neighbours));
        program.steps[at].inputs = search.features;
        absorbed.extend(search.absorbed);
    }
    let mut at = 0;
    program.steps.retain(|_| {
        at += 1;
        !absorbed.contains(&(at - 1))
    });
}

/// What a step that takes the smallest distances does together with those before it.
struct Search {
    neighbours: Neighbours,
    /// The columns that distances are measured from.
    features: Vec<ColumnId>,
    /// The steps that are done as well.
    absorbed: Vec<usize>,
}

impl Search {
    fn of(program: &Program, uses: &Uses, at: usize) -> Option<Self> {
        let Op::TopK { take, largest: false } = program.steps[at].op else { return None };
        let taken = &program.steps[at].inputs;
        let (roots, measured) = match roots(program, uses, taken) {
            Some((steps, measured)) => (Some(steps), measured),
            None => (None, taken.clone()),
        };
        let (step, _) = uses.writer(*measured.first()?)?;
        let Op::Distances(points) = &program.steps[step].op else { return None };
        let is_read_here = |column: &ColumnId| uses.is_read_once(*column);
        if program.steps[step].outputs != measured || !taken.iter().chain(&measured).all(is_read_here) {
            return None;
        }
        let distance = if roots.is_some() { Distance::Root } else { Distance::Measured };
        let neighbours = Neighbours::try_new(points.as_ref().clone(), take, distance).ok()?;
        let absorbed = roots.into_iter().flatten().chain([step]).collect();
        Some(Self { neighbours, features: program.steps[step].inputs.clone(), absorbed })
    }
}

/// The steps that take the square roots which these columns are, and the columns that they read.
fn roots(program: &Program, uses: &Uses, columns: &[ColumnId]) -> Option<(Vec<usize>, Vec<ColumnId>)> {
    let root = |column: &ColumnId| {
        let (step, _) = uses.writer(*column)?;
        let is_root = matches!(program.steps[step].op, Op::Unary(UnaryOp::Sqrt));
        is_root.then(|| Some((step, *program.steps[step].inputs.first()?)))?
    };
    columns.iter().map(root).collect::<Option<Vec<_>>>().map(|pairs| pairs.into_iter().unzip())
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, AsArray, Float32Array};
    use arrow::datatypes::DataType::{Float32, Int64};
    use arrow::datatypes::{Float32Type, Int64Type};
    use foretell_kernels::points::{Measure, Points};

    use super::*;
    use crate::program::{Plan, RowFailures, Step, run as run_program};

    const POINTS: usize = 90;
    const TAKE: usize = 4;

    /// A program, the columns of the distances that are sorted, and what comes out of it.
    fn search(measure: Measure, has_roots: bool, take: usize) -> (Program, Vec<ColumnId>, Vec<ColumnId>) {
        let mut program = Program::default();
        program.inputs = (0..3).map(|_| program.add_column(Float32)).collect();
        let node: Arc<str> = Arc::from("node");
        // Small whole numbers: many points are as far as others.
        let points: Vec<f32> = (0..POINTS * 3).map(|at| (at * at % 7) as f32).collect();
        let points = Points::try_new(&points, 3, measure).expect("points");
        let op = Op::Distances(Arc::new(points));
        let mut distances = program.push(&node, op, program.inputs.clone(), vec![Float32; POINTS]);
        if has_roots {
            let root = |&column: &ColumnId| program.push(&node, Op::Unary(UnaryOp::Sqrt), vec![column], [Float32])[0];
            distances = distances.iter().map(root).collect();
        }
        let types = [vec![Float32; take], vec![Int64; take]].concat();
        let found = program.push(&node, Op::TopK { take, largest: false }, distances.clone(), types);
        (program, distances, found)
    }

    fn answer(program: &Program, wanted: &[ColumnId]) -> Vec<Vec<i64>> {
        let column = |by: usize| -> ArrayRef {
            let value = |at: usize| if at == 5 { f32::NAN } else { (at * by % 9) as f32 };
            Arc::new((0..150).map(|at| Some(value(at))).collect::<Float32Array>())
        };
        let (columns, failures): (Vec<ArrayRef>, RowFailures) =
            run_program(program, &Plan::new(program, wanted), &[column(2), column(5), column(7)], 150)
                .expect("numbers");
        assert!(failures.is_empty());
        let bits = |column: &ArrayRef| match column.as_primitive_opt::<Float32Type>() {
            Some(numbers) => numbers.values().iter().map(|x| i64::from(x.to_bits())).collect(),
            None => column.as_primitive::<Int64Type>().values().to_vec(),
        };
        columns.iter().map(bits).collect()
    }

    #[test]
    fn a_search_keeps_every_bit() {
        for measure in [Measure::SquaredDistance, Measure::ExpandedDistance, Measure::ManhattanDistance] {
            // Few are kept in order, many are gathered.
            for (has_roots, take) in [(false, TAKE), (true, TAKE), (false, POINTS - 20), (true, POINTS)] {
                let (mut program, _, found) = search(measure, has_roots, take);
                let expected = answer(&program, &found);
                run(&mut program, &found);
                let names: Vec<&str> = program.steps.iter().map(|step| step.op.name()).collect();
                assert_eq!(names, ["Neighbours"]);
                assert_eq!(answer(&program, &found), expected, "{measure:?}, {take} of them");
            }
        }
    }

    #[test]
    fn distances_that_others_read_or_that_are_moved_stay() {
        let unchanged = |mut program: Program, wanted: &[ColumnId]| {
            let steps = program.steps.len();
            run(&mut program, wanted);
            assert_eq!(program.steps.len(), steps);
        };
        let (program, distances, found) = search(Measure::SquaredDistance, true, TAKE);
        unchanged(program, &[found[0], distances[3]]);
        let (mut program, _, found) = search(Measure::SquaredDistance, false, TAKE);
        let Some(Step { inputs, .. }) = program.steps.last_mut() else { panic!("the smallest are taken") };
        inputs.swap(0, 1);
        unchanged(program, &found);
        let (mut program, _, found) = search(Measure::SquaredDistance, false, TAKE);
        let Some(Step { op, .. }) = program.steps.last_mut() else { panic!("the smallest are taken") };
        *op = Op::TopK { take: TAKE, largest: true };
        unchanged(program, &found);
    }
}
