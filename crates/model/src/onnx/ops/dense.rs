//! Matrix products with constant weights.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use foretell_kernels::linear::LinearModel;
use foretell_kernels::points::{Measure, Points};

use super::axes::input;
use super::broadcast::Element;
use super::elements::show;
use super::elementwise::{binary, binary_column, convert};
use super::rearrange::transpose_block;
use crate::error::Result;
use crate::limits::Limits;
use crate::onnx::builder::Builder;
use crate::onnx::fact::{Axis, Block, Fact, volume};
use crate::onnx::node::Node;
use crate::program::{BinaryOp, ColumnId, Op, ReduceOp, Tensor, UnaryOp};

/// A constant matrix, `rows` by `columns`.
pub(crate) struct Matrix {
    values: ArrayRef,
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl Matrix {
    /// A constant of two dimensions; one of one dimension is a column.
    fn new(node: &Node, tensor: &Tensor, transposed: bool) -> Result<Self> {
        let (rows, columns) = match tensor.shape[..] {
            [rows] => (rows, 1),
            [rows, columns] if transposed => (columns, rows),
            [rows, columns] => (rows, columns),
            _ => return Err(node.unsupported(format!("its weights have {} dimensions", tensor.shape.len()))),
        };
        Ok(Self { values: Arc::clone(&tensor.values), rows, columns, transposed })
    }

    fn position(&self, row: usize, column: usize) -> usize {
        if self.transposed { column * self.rows + row } else { row * self.columns + column }
    }
}

/// Columns multiplied with a constant matrix, plus an intercept per output.
pub(crate) fn multiply(
    builder: &mut Builder,
    node: &Node,
    columns: &[ColumnId],
    matrix: &Matrix,
    intercepts: Option<&[f32]>,
) -> Result<Vec<ColumnId>> {
    if columns.len() != matrix.rows {
        return Err(node.malformed(format!("{} columns and weights for {}", columns.len(), matrix.rows)));
    }
    Limits::check("columns", "columns", matrix.columns as u64, builder.limits.columns)?;
    if *matrix.values.data_type() != DataType::Float32 {
        return multiply_by_steps(builder, node, columns, matrix);
    }
    let values = matrix.values.as_primitive::<Float32Type>().values();
    let mut weights = Vec::with_capacity(values.len());
    for row in 0..matrix.rows {
        weights.extend((0..matrix.columns).map(|column| values[matrix.position(row, column)]));
    }
    let intercepts = intercepts.map_or_else(|| vec![0.0; matrix.columns], <[f32]>::to_vec);
    linear(builder, node, columns, weights, intercepts)
}

/// A linear step, `weights[feature * outputs + output]`.
pub(crate) fn linear(
    builder: &mut Builder,
    node: &Node,
    columns: &[ColumnId],
    weights: Vec<f32>,
    intercepts: Vec<f32>,
) -> Result<Vec<ColumnId>> {
    builder.hold_numbers(weights.len() as u64)?;
    let types = vec![DataType::Float32; intercepts.len()];
    let model = LinearModel::try_new(weights, intercepts).map_err(|error| node.malformed(error.to_string()))?;
    builder.push(node, Op::Linear(Arc::new(model)), columns.to_vec(), types)
}

/// The product in another type than `f32`: a multiplication for each weight, and a sum for each output.
fn multiply_by_steps(
    builder: &mut Builder,
    node: &Node,
    columns: &[ColumnId],
    matrix: &Matrix,
) -> Result<Vec<ColumnId>> {
    let data_type = matrix.values.data_type().clone();
    let mut results = Vec::with_capacity(matrix.columns);
    for column in 0..matrix.columns {
        let mut products = Vec::with_capacity(columns.len());
        for (row, &feature) in columns.iter().enumerate() {
            let weight = Element::Value(matrix.values.slice(matrix.position(row, column), 1));
            let feature = Element::Column(feature);
            products.push(binary_column(builder, node, BinaryOp::Mul, &feature, &weight, &data_type)?);
        }
        results.push(builder.one(node, Op::Reduce(ReduceOp::Sum), products, data_type.clone())?);
    }
    Ok(results)
}

/// MatMul with constant weights on one side.
pub(crate) fn mat_mul(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let (left, right) = (input(node, inputs, 0)?, input(node, inputs, 1)?);
    if let Fact::Constant(weights) = right {
        let block = builder.block(node, left)?;
        return times_matrix(builder, node, &block, weights).map(|block| vec![Fact::Block(block)]);
    }
    if let Fact::Constant(weights) = left {
        // (A B)ᵀ = Bᵀ Aᵀ, so that the weights stand on the right.
        let block = transpose_block(&builder.block(node, right)?);
        if weights.shape.len() != 2 || block.rank() != 2 {
            return Err(node.unsupported(format!("it multiplies constants with {}", show(&block.dims()))));
        }
        let matrix = Matrix::new(node, weights, true)?;
        let product = times(builder, node, &block, &matrix, &[matrix.columns])?;
        return Ok(vec![Fact::Block(transpose_block(&product))]);
    }
    Err(node.unsupported("it multiplies two values that depend on the row"))
}

fn times_matrix(builder: &mut Builder, node: &Node, block: &Block, weights: &Tensor) -> Result<Block> {
    let matrix = Matrix::new(node, weights, false)?;
    let new_axis = if weights.shape.len() == 1 { Vec::new() } else { vec![matrix.columns] };
    times(builder, node, block, &matrix, &new_axis)
}

/// A block whose last axis is replaced by its product with a matrix.
fn times(builder: &mut Builder, node: &Node, block: &Block, matrix: &Matrix, new_axis: &[usize]) -> Result<Block> {
    let Some(last) = block.rank().checked_sub(1) else { return Err(node.malformed("a number is no matrix")) };
    if block.axis(last) == Axis::Batch {
        return Err(node.unsupported(format!("it mixes rows: it sums over the batch of {}", show(&block.dims()))));
    }
    if block.data_type != *matrix.values.data_type() {
        return Err(node.malformed(format!("{} columns and {} weights", block.data_type, matrix.values.data_type())));
    }
    let outer = &block.shape[..block.shape.len() - 1];
    let width = block.shape[block.shape.len() - 1];
    let mut columns = Vec::new();
    for row in 0..volume(outer) {
        let members = &block.columns[row * width..(row + 1) * width];
        columns.extend(multiply(builder, node, members, matrix, None)?);
    }
    let shape = [outer, new_axis].concat();
    Ok(Block { data_type: block.data_type.clone(), shape, batch: block.batch, columns })
}

/// Gemm: `alpha * A * B + beta * C` with constant B.
pub(crate) fn gemm(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let (alpha, beta) = (node.float("alpha")?.unwrap_or(1.0), node.float("beta")?.unwrap_or(1.0));
    let mut block = builder.block(node, input(node, inputs, 0)?)?;
    if block.rank() != 2 {
        return Err(node.malformed(format!("its first input has {} dimensions instead of 2", block.rank())));
    }
    if node.flag("transA", false)? {
        block = transpose_block(&block);
    }
    let Fact::Constant(weights) = input(node, inputs, 1)? else {
        return Err(node.unsupported("its weights depend on the row"));
    };
    if block.axis(1) == Axis::Batch || weights.shape.len() != 2 || block.data_type != *weights.values.data_type() {
        return Err(node.unsupported(format!("it multiplies {} with {:?}", show(&block.dims()), weights.shape)));
    }
    let mut matrix = Matrix::new(node, weights, node.flag("transB", false)?)?;
    matrix.values = scaled(&matrix.values, alpha)?;
    let bias = inputs.get(2).filter(|bias| !bias.is_absent());
    let intercepts = bias.and_then(|bias| row_of(bias, matrix.columns, beta));
    let columns = multiply(builder, node, &block.columns, &matrix, intercepts.as_deref())?;
    let (data_type, batch) = (block.data_type.clone(), block.batch);
    let product = Fact::Block(Block { data_type: data_type.clone(), shape: vec![matrix.columns], batch, columns });
    match bias {
        Some(bias) if intercepts.is_none() || data_type != DataType::Float32 => {
            let bias = times_number(builder, node, bias, beta, &data_type)?;
            binary(builder, node, &[product, bias], BinaryOp::Add)
        }
        _ => Ok(vec![product]),
    }
}

/// A constant that is the same in every row of a result of `width` columns, times `factor`.
fn row_of(bias: &Fact, width: usize, factor: f32) -> Option<Vec<f32>> {
    let Fact::Constant(tensor) = bias else { return None };
    let values = tensor.values.as_primitive_opt::<Float32Type>()?;
    let one_row = tensor.shape.iter().rev().skip(1).all(|&extent| extent == 1);
    match values.len() {
        1 => Some(vec![values.value(0) * factor; width]),
        length if length == width && one_row => Some(values.values().iter().map(|value| value * factor).collect()),
        _ => None,
    }
}

fn times_number(builder: &mut Builder, node: &Node, fact: &Fact, factor: f32, data_type: &DataType) -> Result<Fact> {
    if factor == 1.0 {
        return convert(builder, node, fact, data_type);
    }
    let number: ArrayRef = Arc::new(Float32Array::from(vec![factor]));
    let number = Fact::Constant(Tensor { shape: Vec::new(), values: cast(&number, data_type)? });
    let mut product = binary(builder, node, &[fact.clone(), number], BinaryOp::Mul)?;
    product.pop().ok_or_else(|| node.malformed("no product"))
}

fn scaled(values: &ArrayRef, factor: f32) -> Result<ArrayRef> {
    if factor == 1.0 {
        return Ok(Arc::clone(values));
    }
    Ok(match values.data_type() {
        DataType::Float32 => {
            Arc::new(values.as_primitive::<Float32Type>().unary::<_, Float32Type>(|value| value * factor))
        }
        _ => {
            let wide = cast(values, &DataType::Float64)?;
            let wide = wide.as_primitive::<Float64Type>().unary::<_, Float64Type>(|value| value * f64::from(factor));
            cast(&wide, values.data_type())?
        }
    })
}

/// BatchNormalization with what was measured in training: a factor and a term for each channel, the second axis.
pub(crate) fn normalize(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let block = builder.block(node, input(node, inputs, 0)?)?;
    if node.flag("training_mode", false)? || block.batch != Some(0) || block.data_type != DataType::Float32 {
        return Err(node.unsupported(format!("it normalizes {} of {}", show(&block.dims()), block.data_type)));
    }
    let channels = block.shape.first().copied().unwrap_or(1);
    let [scale, shift, mean, variance] = [1, 2, 3, 4].map(|at| match inputs.get(at) {
        Some(Fact::Constant(tensor)) if tensor.values.len() == channels => {
            Ok(tensor.values.as_primitive_opt::<Float32Type>().map(|values| values.values().clone()))
        }
        _ => Err(node.unsupported("its parameters are not constant numbers, one per channel")),
    });
    let [Some(scale), Some(shift), Some(mean), Some(variance)] = [scale?, shift?, mean?, variance?] else {
        return Err(node.unsupported("its parameters have another type than what it normalizes"));
    };
    let epsilon = node.float("epsilon")?.unwrap_or(1e-5);
    let mut columns = Vec::with_capacity(block.columns.len());
    for (at, &column) in block.columns.iter().enumerate() {
        let channel = at / (block.columns.len() / channels);
        let factor = scale[channel] / (variance[channel] + epsilon).sqrt();
        let term = shift[channel] - mean[channel] * factor;
        let mut result = column;
        for (op, number) in [(BinaryOp::Mul, factor), (BinaryOp::Add, term)] {
            let number = Element::Value(Arc::new(Float32Array::from(vec![number])));
            result = binary_column(builder, node, op, &Element::Column(result), &number, &DataType::Float32)?;
        }
        columns.push(result);
    }
    Ok(vec![Fact::Block(block.with_columns(DataType::Float32, columns))])
}

/// CDist of com.microsoft: the distances between a row and each of some constant points.
pub(crate) fn distances(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let block = builder.block(node, input(node, inputs, 0)?)?;
    let Fact::Constant(points) = input(node, inputs, 1)? else {
        return Err(node.unsupported("its points depend on the row"));
    };
    let [count, features] = points.shape[..] else { return Err(node.malformed("its points are no matrix")) };
    let data_type = block.data_type.clone();
    if block.batch != Some(0) || block.shape != [features] || data_type != *points.values.data_type() {
        return Err(
            node.malformed(format!("it measures from {} to points of {features} features", show(&block.dims())))
        );
    }
    let mut columns = match points.values.as_primitive_opt::<Float32Type>() {
        Some(numbers) => distances_to(builder, node, block.columns, numbers.values(), Measure::ExpandedDistance)?,
        None => double_distances(builder, node, &block.columns, points)?,
    };
    match node.text("metric")?.unwrap_or("sqeuclidean") {
        "sqeuclidean" => {}
        "euclidean" => {
            for column in &mut columns {
                *column = builder.one(node, Op::Unary(UnaryOp::Sqrt), vec![*column], data_type.clone())?;
            }
        }
        other => return Err(node.unsupported(format!("the metric `{other}`"))),
    }
    Ok(vec![Fact::Block(Block { data_type, shape: vec![count], batch: Some(0), columns })])
}

/// One column per point: its distance from the columns.
pub(crate) fn distances_to(
    builder: &mut Builder,
    node: &Node,
    columns: Vec<ColumnId>,
    points: &[f32],
    measure: Measure,
) -> Result<Vec<ColumnId>> {
    builder.hold_numbers(points.len() as u64)?;
    let points = Points::try_new(points, columns.len(), measure).map_err(|error| node.malformed(error.to_string()))?;
    let types = vec![DataType::Float32; points.count()];
    builder.push(node, Op::Distances(Arc::new(points)), columns, types)
}

/// Squared distances in double precision: the differences, and the sum of their squares.
fn double_distances(
    builder: &mut Builder,
    node: &Node,
    columns: &[ColumnId],
    points: &Tensor,
) -> Result<Vec<ColumnId>> {
    let data_type = points.values.data_type();
    let mut distances = Vec::with_capacity(points.shape[0]);
    for point in 0..points.shape[0] {
        let mut differences = Vec::with_capacity(columns.len());
        for (at, &column) in columns.iter().enumerate() {
            let coordinate = Element::Value(points.values.slice(point * columns.len() + at, 1));
            let column = Element::Column(column);
            differences.push(binary_column(builder, node, BinaryOp::Sub, &column, &coordinate, data_type)?);
        }
        distances.push(builder.one(node, Op::Reduce(ReduceOp::SumSquare), differences, data_type.clone())?);
    }
    Ok(distances)
}
