//! What a missing value means for each feature, found by following it through the program.
//!
//! A feature's NULL is "missing" when it may be NaN and every way it takes ends in a step that understands NaN: an imputer
//! that replaces NaN, or trees with a branch for missing values. On the way it may be copied, converted between floats and
//! scaled. A feature that nothing asks about may be missing, too. Trees have such a branch when any of their nodes sends
//! missing values to the true child, or when the file comes from the converters of LightGBM and XGBoost or from CatBoost,
//! which train one for every node. Whatever else a feature meets, its NULL makes the answer NULL.

use super::builder::Builder;
use super::fact::Fact;
use super::lower::Lowered;
use crate::program::{BinaryOp, ColumnId, Op, Operands, Step};
use crate::signature::NullPolicy;

/// The policy of every feature, in the order of the program's inputs.
pub(crate) fn null_policies(builder: &Builder, lowered: &Lowered) -> Vec<NullPolicy> {
    let program = &builder.program;
    let mut read = vec![false; program.columns.len()];
    let mut understood = vec![true; program.columns.len()];
    // Computed, though perhaps never asked about.
    let mut computed = vec![false; program.columns.len()];
    for column in lowered.outputs.iter().flat_map(|(_, fact)| columns_of(fact)) {
        read[column.index()] = true;
        computed[column.index()] = true;
        understood[column.index()] = false;
    }
    for (at, step) in program.steps.iter().enumerate().rev() {
        if step.outputs.iter().any(|output| computed[output.index()]) {
            let types = step.inputs.iter().map(|&input| program.data_type(input));
            let may_refuse = step.op.may_refuse(types);
            for input in step.inputs.iter().map(|input| input.index()) {
                computed[input] = true;
                // What stands for NULL could be a value that the step refuses.
                read[input] |= may_refuse;
                understood[input] &= !may_refuse;
            }
        }
        if !step.outputs.iter().any(|output| read[output.index()]) {
            continue;
        }
        let carries = carries_missing(step, |column| program.data_type(column).is_floating());
        let onwards = carries && step.outputs.iter().all(|output| understood[output.index()]);
        let asked = inputs_asked(step);
        for input in step.inputs.iter().enumerate().filter(|(at, _)| asked[*at]).map(|(_, input)| input.index()) {
            read[input] = true;
            understood[input] &= onwards || builder.missing_aware.contains(&at);
        }
    }
    let policy = |input: &ColumnId| {
        let is_float = program.data_type(*input).is_floating();
        // What nobody reads may be missing, whatever it is.
        match !read[input.index()] || (understood[input.index()] && is_float) {
            true => NullPolicy::Missing,
            false => NullPolicy::Null,
        }
    };
    program.inputs.iter().map(policy).collect()
}

/// Which inputs of a step its outputs depend on.
fn inputs_asked(step: &Step) -> Vec<bool> {
    match &step.op {
        Op::Trees(trees) => trees.used_features(),
        Op::Trees64(trees) => trees.used_features(),
        _ => vec![true; step.inputs.len()],
    }
}

/// True if a NaN that goes into the step comes out of it as NaN.
fn carries_missing(step: &Step, is_float: impl Fn(ColumnId) -> bool) -> bool {
    match &step.op {
        Op::Scale { .. } => true,
        Op::Cast(to) => to.is_floating() && step.inputs.iter().all(|&input| is_float(input)),
        Op::Binary(op, Operands::ConstantLeft(_) | Operands::ConstantRight(_)) => {
            matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div)
                && step.inputs.iter().all(|&input| is_float(input))
        }
        _ => false,
    }
}

fn columns_of(fact: &Fact) -> Vec<ColumnId> {
    match fact {
        Fact::Block(block) => block.columns.clone(),
        Fact::Packed(packed) => vec![packed.column],
        Fact::Ragged(ragged) => vec![ragged.column],
        Fact::Map { columns, .. } => columns.clone(),
        Fact::Sequence(facts) => facts.iter().flat_map(columns_of).collect(),
        Fact::Absent | Fact::Constant(_) | Fact::Dims(_) => Vec::new(),
    }
}
