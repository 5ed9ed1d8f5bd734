//! Random programs answer the same, to the bit, whichever passes ran.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Float32Type};
use foretell_kernels::linear::LinearModel;
use foretell_kernels::trees::{Aggregate, Branch, Leaf, LeafWeight, Node, Test, TreeEnsemble, TreeParts};

use super::*;
use crate::program::{BinaryOp, LookupTable, OneHot, Op, Operands, Plan, UnaryOp, run};

const ROWS: usize = 150;
const TEXTS: [&str; 5] = ["a", "b", "c", "d", "e"];

#[test]
fn every_pass_keeps_every_bit() {
    let single: [fn(&mut PassOptions) -> &mut bool; 9] = [
        |options| &mut options.fold_constants,
        |options| &mut options.simplify_casts,
        |options| &mut options.fuse_scale,
        |options| &mut options.one_hot_linear,
        |options| &mut options.one_hot_tree,
        |options| &mut options.dense,
        |options| &mut options.neighbours,
        |options| &mut options.tree_features,
        |options| &mut options.remove_dead,
    ];
    let mut random = Random(7);
    let mut changed = 0;
    for round in 0..300 {
        let (program, wanted) = random_program(&mut random);
        let inputs = random_inputs(&mut random, &program);
        let expected = answer(&program, &wanted, &inputs);
        let options = single.iter().map(|option| {
            let mut options = PassOptions::NONE;
            *option(&mut options) = true;
            options
        });
        for options in options.chain([PassOptions::NONE, PassOptions::ALL]) {
            let optimised = optimise(program.clone(), &wanted, &options);
            assert!(answer(&optimised, &wanted, &inputs) == expected, "round {round}, {options:?}\n{program:#?}");
            changed += usize::from(format!("{:?}", optimised.steps) != format!("{:?}", program.steps));
        }
    }
    assert!(changed > 300, "the passes found only {changed} things to do");
}

/// The bits of every wanted column, NaN having one pattern, and the refused rows with their reasons.
fn answer(program: &Program, wanted: &[ColumnId], inputs: &[ArrayRef]) -> (Vec<Vec<u32>>, Vec<(usize, String)>) {
    let (columns, failures) = run(program, &Plan::new(program, wanted), inputs, ROWS).expect("a sound program");
    let refused: Vec<(usize, String)> = failures.iter().map(|(row, reason)| (row, reason.to_owned())).collect();
    let bits = |column: &ArrayRef| -> Vec<u32> {
        let values = column.as_primitive::<Float32Type>().values().iter().enumerate();
        values
            .filter(|(row, _)| refused.iter().all(|(refused, _)| refused != row))
            .map(|(_, x)| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() })
            .collect()
    };
    (columns.iter().map(bits).collect(), refused)
}

/// A program whose wanted columns are floats.
fn random_program(random: &mut Random) -> (Program, Vec<ColumnId>) {
    let mut program = Program::default();
    program.inputs = [DataType::Float32, DataType::Float32, DataType::Utf8, DataType::Int64]
        .map(|data_type| program.add_column(data_type))
        .to_vec();
    let mut floats = program.inputs[..2].to_vec();
    for step in 0..6 + random.below(14) {
        let node: Arc<str> = Arc::from(format!("node {step}"));
        let outputs = random_step(random, &mut program, &node, &floats);
        floats.extend(outputs.into_iter().filter(|output| *program.data_type(*output) == DataType::Float32));
    }
    let wanted = (0..1 + random.below(3)).map(|_| floats[floats.len() - 1 - random.below(4)]).collect();
    (program, wanted)
}

fn random_step(random: &mut Random, program: &mut Program, node: &Arc<str>, floats: &[ColumnId]) -> Vec<ColumnId> {
    const F32: DataType = DataType::Float32;
    let pick = floats[random.below(floats.len())];
    match random.below(11) {
        0 => program.push(node, Op::Constant(number(random.finite())), vec![], [F32]),
        1 => {
            let op = [BinaryOp::Add, BinaryOp::Mul, BinaryOp::Max][random.below(3)];
            program.push(node, Op::Binary(op, Operands::Columns), vec![pick, floats[random.below(floats.len())]], [F32])
        }
        2 => program.push(node, Op::Scale { offset: random.finite(), scale: random.finite() }, vec![pick], [F32]),
        3 => {
            let op = Op::Impute { replaced: number(f32::NAN), fill: number(random.finite()) };
            program.push(node, op, vec![pick], [F32])
        }
        4 => {
            let wide = program.push(node, Op::Cast(DataType::Float64), vec![pick], [DataType::Float64])[0];
            program.push(node, Op::Cast(F32), vec![wide], [F32])
        }
        5 => program.push(node, Op::Cast(F32), vec![program.inputs[3]], [F32]),
        6 => program.push(node, Op::Unary(UnaryOp::Tanh), vec![pick], [F32]),
        7 => {
            let (keys, values): (ArrayRef, ArrayRef) =
                (Arc::new(StringArray::from(vec!["a", "c"])), Arc::new(Float32Array::from(vec![1.5, -2.0])));
            let table = LookupTable::try_new(&keys, &values, &number(0.25)).expect("a table");
            program.push(node, Op::Lookup(Arc::new(table)), vec![program.inputs[2]], [F32])
        }
        8 => {
            let features = random_features(random, program, node, floats);
            let outputs = 1 + random.below(2);
            let weights = (0..features.len() * outputs).map(|_| random.finite()).collect();
            let model = LinearModel::try_new(weights, vec![random.finite(); outputs]).expect("a model");
            program.push(node, Op::Linear(Arc::new(model)), features, vec![F32; outputs])
        }
        9 => {
            let features = random_features(random, program, node, floats);
            random_layers(random, program, node, features)
        }
        _ => {
            let features = random_features(random, program, node, floats);
            let trees = TreeEnsemble::try_new(random_trees(random, features.len())).expect("sound parts");
            program.push(node, Op::Trees(Arc::new(trees)), features, [F32])
        }
    }
}

/// Linear models one after the other, with functions and arithmetic between them.
fn random_layers(
    random: &mut Random,
    program: &mut Program,
    node: &Arc<str>,
    mut columns: Vec<ColumnId>,
) -> Vec<ColumnId> {
    const F32: DataType = DataType::Float32;
    for _ in 0..1 + random.below(3) {
        let outputs = 1 + random.below(6);
        let weights = (0..columns.len() * outputs).map(|_| random.finite()).collect();
        let model = LinearModel::try_new(weights, vec![random.finite(); outputs]).expect("a model");
        columns = program.push(node, Op::Linear(Arc::new(model)), columns, vec![F32; outputs]);
        for _ in 0..random.below(3) {
            let function = [UnaryOp::Relu, UnaryOp::Tanh, UnaryOp::Softplus, UnaryOp::Neg][random.below(4)];
            let binary = [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Div, BinaryOp::Min, BinaryOp::Max][random.below(5)];
            let is_left = random.below(3) == 0;
            let is_function = random.below(2) == 0;
            for column in &mut columns {
                let constant = number(random.finite());
                let op = match (is_function, is_left) {
                    (true, _) => Op::Unary(function),
                    (false, true) => Op::Binary(binary, Operands::ConstantLeft(constant)),
                    (false, false) => Op::Binary(binary, Operands::ConstantRight(constant)),
                };
                *column = program.push(node, op, vec![*column], [F32])[0];
            }
        }
    }
    columns
}

/// Some columns, scaled ones and encodings, whole or in part.
fn random_features(random: &mut Random, program: &mut Program, node: &Arc<str>, floats: &[ColumnId]) -> Vec<ColumnId> {
    let mut features = Vec::new();
    for _ in 0..1 + random.below(4) {
        let pick = floats[random.below(floats.len())];
        match random.below(3) {
            0 => features.push(pick),
            1 => {
                let scale = Op::Scale { offset: random.finite(), scale: random.finite() };
                features.extend(program.push(node, scale, vec![pick], [DataType::Float32]));
            }
            _ => {
                let (source, categories): (ColumnId, ArrayRef) = if random.below(2) == 0 {
                    (program.inputs[2], Arc::new(StringArray::from(TEXTS[..2 + random.below(3)].to_vec())))
                } else {
                    (program.inputs[3], Arc::new(Int64Array::from(vec![0, 1, 2])))
                };
                let width = categories.len();
                let one_hot = OneHot::try_new(categories, random.below(4) != 0).expect("categories");
                let types = vec![DataType::Float32; width];
                let mut indicators = program.push(node, Op::OneHot(Arc::new(one_hot)), vec![source], types);
                indicators.truncate(if random.below(4) == 0 { 1 } else { width });
                features.extend(indicators);
            }
        }
    }
    features
}

fn random_trees(random: &mut Random, features: usize) -> TreeParts<f32> {
    let mut parts = TreeParts {
        nodes: vec![],
        roots: vec![],
        leaf_weights: vec![],
        members: vec![0.0, 1.0, 2.0],
        category_bits: vec![0b101, 0b1],
        features,
        outputs: 1,
        base_values: vec![random.finite()],
        aggregate: [Aggregate::Sum, Aggregate::Average, Aggregate::Max][random.below(3)],
    };
    for _ in 0..1 + random.below(3) {
        let root = random_node(random, &mut parts, 3);
        parts.roots.push(root);
    }
    parts
}

fn random_node(random: &mut Random, parts: &mut TreeParts<f32>, depth: usize) -> u32 {
    let node = if depth == 0 {
        parts.leaf_weights.push(LeafWeight { output: 0, weight: random.finite() });
        Node::Leaf(Leaf { first: parts.leaf_weights.len() as u32 - 1, count: 1 })
    } else {
        let t = random.finite();
        let member = Test::Member { first: random.below(2) as u32, count: random.below(2) as u32 };
        let category = Test::Category { first: random.below(2) as u32, count: 1 };
        Node::Branch(Branch {
            feature: random.below(parts.features) as u32,
            test: [
                Test::Leq(0.5),
                Test::Leq(t),
                Test::Lt(t),
                Test::Gte(t),
                Test::Gt(t),
                Test::Eq(t),
                Test::Neq(t),
                member,
                category,
            ][random.below(9)],
            missing_tracks_true: random.below(2) == 0,
            true_child: random_node(random, parts, depth - 1),
            false_child: random_node(random, parts, depth - 1),
        })
    };
    parts.nodes.push(node);
    parts.nodes.len() as u32 - 1
}

fn random_inputs(random: &mut Random, program: &Program) -> Vec<ArrayRef> {
    let column = |data_type: &DataType| -> ArrayRef {
        match data_type {
            DataType::Float32 => Arc::new((0..ROWS).map(|_| Some(random.value())).collect::<Float32Array>()),
            DataType::Utf8 => {
                Arc::new((0..ROWS).map(|_| Some(TEXTS[random.below(TEXTS.len())])).collect::<StringArray>())
            }
            _ => Arc::new((0..ROWS).map(|_| Some(random.below(4) as i64)).collect::<Int64Array>()),
        }
    };
    program.inputs.iter().map(|input| program.data_type(*input)).map(column).collect()
}

fn number(value: f32) -> ArrayRef {
    Arc::new(Float32Array::from(vec![value]))
}

/// A xorshift generator.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn finite(&mut self) -> f32 {
        [0.0, -0.0, 0.5, 1.0, -1.25, 0.1, 3.7, -2.0][self.below(8)]
    }

    fn value(&mut self) -> f32 {
        match self.below(10) {
            0 => f32::NAN,
            1 => f32::INFINITY,
            _ => self.finite() + self.below(100) as f32 / 64.0,
        }
    }
}
