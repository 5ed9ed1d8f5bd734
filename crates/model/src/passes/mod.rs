//! Passes that make a program cheaper and leave its answers as they are, to the bit.
//!
//! Each pass is a file of its own, can be switched off, and keeps every wanted column under its id. None of them reorders a
//! sum: what is fused performs the operations it replaces, in their order.

mod cast;
mod constant;
mod dead;
mod dense;
mod fuse_scale;
mod fused;
mod neighbours;
mod one_hot_linear;
mod one_hot_tree;
mod tree_features;
mod uses;

use crate::program::{ColumnId, Program};

/// Which optimisations of a program run. None of them changes an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PassOptions {
    /// Steps whose inputs are constants become constants.
    pub fold_constants: bool,
    /// Casts that change nothing disappear, and of two casts in a row the lossless first one.
    pub simplify_casts: bool,
    /// Scalers and imputers are done by the linear model that reads them.
    pub fuse_scale: bool,
    /// A one-hot encoding read by a linear model becomes a look-up of the category's weights.
    pub one_hot_linear: bool,
    /// A one-hot encoding read by trees becomes a test on the category.
    pub one_hot_tree: bool,
    /// Linear models that follow each other, and what stands between them, become one step.
    pub dense: bool,
    /// Distances of which only the smallest are taken are not kept.
    pub neighbours: bool,
    /// Trees do not read features they never ask about.
    pub tree_features: bool,
    /// Steps that nobody reads disappear.
    pub remove_dead: bool,
}

impl PassOptions {
    /// Every pass on.
    pub const ALL: Self = Self {
        fold_constants: true,
        simplify_casts: true,
        fuse_scale: true,
        one_hot_linear: true,
        one_hot_tree: true,
        dense: true,
        neighbours: true,
        tree_features: true,
        remove_dead: true,
    };

    /// Every pass off.
    pub const NONE: Self = Self {
        fold_constants: false,
        simplify_casts: false,
        fuse_scale: false,
        one_hot_linear: false,
        one_hot_tree: false,
        dense: false,
        neighbours: false,
        tree_features: false,
        remove_dead: false,
    };
}

impl Default for PassOptions {
    fn default() -> Self {
        Self::ALL
    }
}

type Pass = fn(&mut Program, &[ColumnId]);

/// The program with these passes done; the `wanted` columns keep their ids and their values.
pub(crate) fn optimise(mut program: Program, wanted: &[ColumnId], options: &PassOptions) -> Program {
    let passes: [(bool, Pass); 9] = [
        (options.fold_constants, constant::run),
        (options.simplify_casts, cast::run),
        (options.one_hot_linear, one_hot_linear::run),
        (options.dense, dense::run),
        (options.neighbours, neighbours::run),
        (options.fuse_scale, fuse_scale::run),
        (options.one_hot_tree, one_hot_tree::run),
        (options.tree_features, tree_features::run),
        (options.remove_dead, dead::run),
    ];
    for (is_on, pass) in passes {
        if is_on {
            pass(&mut program, wanted);
        }
    }
    program
}

#[cfg(test)]
mod tests;
