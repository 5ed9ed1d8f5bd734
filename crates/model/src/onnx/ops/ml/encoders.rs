//! Operators of ai.onnx.ml on single values: scaling, imputing, encoding.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float32Array, Int64Array, StringArray};
use arrow::compute::{cast, filter, not};
use arrow::datatypes::{DataType, Float32Type, Float64Type};

use crate::error::Result;
use crate::limits::Limits;
use crate::onnx::builder::{Builder, Origin};
use crate::onnx::fact::{Block, Fact};
use crate::onnx::node::Node;
use crate::onnx::ops::axes::input;
use crate::onnx::ops::reduce::across;
use crate::program::{AcrossOp, LookupTable, OneHot, Op};

/// Extent of the second axis, and for each column the feature that ONNX Runtime takes it for: it goes through all elements
/// and counts that many features again and again.
fn by_feature(block: &Block) -> (usize, impl Fn(usize) -> usize + use<>) {
    let width = block.shape.first().copied().unwrap_or(1);
    (width, move |column| column % width.max(1))
}

/// One number per feature; a single one counts for all.
fn per_feature<'v, T>(node: &Node, what: &str, values: &'v [T], width: usize) -> Result<impl Fn(usize) -> &'v T> {
    let single = values.len() == 1;
    if !single && values.len() != width {
        return Err(node.malformed(format!("`{what}` has {} values for {width} features", values.len())));
    }
    Ok(move |position: usize| &values[if single { 0 } else { position }])
}

/// A value of numbers.
fn numbers(builder: &mut Builder, node: &Node, fact: &Fact) -> Result<Block> {
    let block = builder.block(node, fact)?;
    match block.data_type.is_numeric() {
        true => Ok(block),
        false => Err(node.malformed(format!("its input is {} instead of numbers", block.data_type))),
    }
}

/// Scaler: `(x - offset) * scale`.
pub(crate) fn scaler(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let block = numbers(builder, node, input(node, inputs, 0)?)?;
    let offsets = node.floats("offset")?.unwrap_or(&[0.0]);
    let scales = node.floats("scale")?.unwrap_or(&[1.0]);
    let (width, position) = by_feature(&block);
    let offset = per_feature(node, "offset", offsets, width)?;
    let scale = per_feature(node, "scale", scales, width)?;
    let mut columns = Vec::with_capacity(block.columns.len());
    for (at, &column) in block.columns.iter().enumerate() {
        let (offset, scale) = (*offset(position(at)), *scale(position(at)));
        columns.push(builder.one(node, Op::Scale { offset, scale }, vec![column], DataType::Float32)?);
    }
    Ok(vec![Fact::Block(block.with_columns(DataType::Float32, columns))])
}

/// Imputer: one value of each column is replaced.
pub(crate) fn imputer(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let block = builder.block(node, input(node, inputs, 0)?)?;
    let fills: ArrayRef = match (node.floats("imputed_value_floats")?, node.ints("imputed_value_int64s")?) {
        (Some(floats), _) if !floats.is_empty() => Arc::new(Float32Array::from(floats.to_vec())),
        (_, Some(integers)) if !integers.is_empty() => Arc::new(Int64Array::from(integers.to_vec())),
        _ => return Err(node.malformed("it has no values to impute")),
    };
    let replaced: ArrayRef = match node.float("replaced_value_float")? {
        Some(value) => Arc::new(Float32Array::from(vec![value])),
        None => Arc::new(Int64Array::from(vec![node.int_or("replaced_value_int64", 0)?])),
    };
    let fills = cast(&fills, &block.data_type)?;
    let replaced = cast(&replaced, &block.data_type)?;
    let replaces_missing = is_nan(&replaced);
    let (width, position) = by_feature(&block);
    let mut columns = Vec::with_capacity(block.columns.len());
    for (at, &column) in block.columns.iter().enumerate() {
        // Of another number of values than there are features, ONNX Runtime takes the first.
        let fill = fills.slice(if fills.len() == width { position(at) } else { 0 }, 1);
        if replaces_missing {
            builder.missing_aware.insert(builder.program.steps.len());
        }
        let op = Op::Impute { replaced: Arc::clone(&replaced), fill };
        columns.push(builder.one(node, op, vec![column], block.data_type.clone())?);
    }
    Ok(vec![Fact::Block(block.with_columns(block.data_type.clone(), columns))])
}

fn is_nan(value: &ArrayRef) -> bool {
    match value.data_type() {
        DataType::Float32 => value.as_primitive::<Float32Type>().value(0).is_nan(),
        DataType::Float64 => value.as_primitive::<Float64Type>().value(0).is_nan(),
        _ => false,
    }
}

/// OneHotEncoder: a new last axis, one position per category.
pub(crate) fn one_hot_encoder(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let block = builder.block(node, input(node, inputs, 0)?)?;
    let categories: ArrayRef = match (node.texts("cats_strings")?, node.ints("cats_int64s")?) {
        (Some(texts), _) if !texts.is_empty() => Arc::new(StringArray::from(texts)),
        (_, Some(integers)) if !integers.is_empty() => Arc::new(Int64Array::from(integers.to_vec())),
        _ => return Err(node.malformed("it has no categories")),
    };
    let is_text = block.data_type == DataType::Utf8;
    if is_text != (*categories.data_type() == DataType::Utf8) {
        return Err(node.malformed(format!("{} categories for a {} column", categories.data_type(), block.data_type)));
    }
    let width = categories.len();
    let encoder = Arc::new(OneHot::try_new(categories, node.flag("zeros", true)?)?);
    let mut columns = Vec::with_capacity(block.columns.len() * width);
    for &column in &block.columns {
        let column = if is_text { column } else { builder.cast(node, &[column], &DataType::Int64)?[0] };
        columns.extend(builder.push(
            node,
            Op::OneHot(Arc::clone(&encoder)),
            vec![column],
            vec![DataType::Float32; width],
        )?);
    }
    let shape = [&block.shape[..], &[width]].concat();
    Ok(vec![Fact::Block(Block { data_type: DataType::Float32, shape, batch: block.batch, columns })])
}

/// LabelEncoder of all operator sets.
pub(crate) fn label_encoder(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let block = builder.block(node, input(node, inputs, 0)?)?;
    if let Some(classes) = node.texts("classes_strings")? {
        let positions = Int64Array::from_iter_values(0..classes.len() as i64);
        return texts_and_integers(builder, node, &block, classes, positions);
    }
    let (mut keys, mut values) = (encoder_side(builder, node, "keys")?, encoder_side(builder, node, "values")?);
    check_pairs(node, &keys, &values)?;
    let default = encoder_default(builder, node, values.data_type())?;
    if node.opset < NAN_KEYS_OPSET && keys.data_type().is_floating() {
        // There NaN equals nothing.
        let numbers = not(&nans(&keys)?)?;
        (keys, values) = (filter(&keys, &numbers)?, filter(&values, &numbers)?);
    }
    let keys = if *keys.data_type() == block.data_type { keys } else { cast(&keys, &block.data_type)? };
    let table = LookupTable::try_new(&keys, &values, &default)?;
    lookup(builder, node, &block, &keys, &values, table)
}

/// From this operator set on a NaN key of a LabelEncoder stands for NaN.
const NAN_KEYS_OPSET: i64 = 4;

fn nans(numbers: &ArrayRef) -> Result<BooleanArray> {
    let numbers = cast(numbers, &DataType::Float64)?;
    Ok(numbers.as_primitive::<Float64Type>().values().iter().map(|number| Some(number.is_nan())).collect())
}

fn encoder_side(builder: &Builder, node: &Node, side: &str) -> Result<ArrayRef> {
    if let Some(tensor) = node.tensor(&format!("{side}_tensor"), builder.limits)? {
        return Ok(tensor.values);
    }
    if let Some(texts) = node.texts(&format!("{side}_strings"))?.filter(|texts| !texts.is_empty()) {
        return Ok(Arc::new(StringArray::from(texts)));
    }
    if let Some(integers) = node.ints(&format!("{side}_int64s"))?.filter(|integers| !integers.is_empty()) {
        return Ok(Arc::new(Int64Array::from(integers.to_vec())));
    }
    match node.floats(&format!("{side}_floats"))? {
        Some(floats) if !floats.is_empty() => Ok(Arc::new(Float32Array::from(floats.to_vec()))),
        _ => Err(node.malformed(format!("it has no {side}"))),
    }
}

fn encoder_default(builder: &Builder, node: &Node, data_type: &DataType) -> Result<ArrayRef> {
    if let Some(tensor) = node.tensor("default_tensor", builder.limits)? {
        return Ok(cast(&tensor.values, data_type)?);
    }
    Ok(match data_type {
        DataType::Utf8 => Arc::new(StringArray::from(vec![node.text("default_string")?.unwrap_or("_Unused")])),
        integer if integer.is_integer() => cast(&Int64Array::from(vec![node.int_or("default_int64", -1)?]), integer)?,
        _ => cast(&Float32Array::from(vec![node.float("default_float")?.unwrap_or(-0.0)]), data_type)?,
    })
}

/// Texts to integers, or integers to texts, whichever the input asks for; the last of equal ones counts.
fn texts_and_integers(
    builder: &mut Builder,
    node: &Node,
    block: &Block,
    texts: Vec<&str>,
    integers: Int64Array,
) -> Result<Vec<Fact>> {
    let (texts, integers): (ArrayRef, ArrayRef) = (Arc::new(StringArray::from(texts)), Arc::new(integers));
    check_pairs(node, &texts, &integers)?;
    let (keys, values) = if block.data_type == DataType::Utf8 { (texts, integers) } else { (integers, texts) };
    let table = LookupTable::of_last(&keys, &values, &encoder_default(builder, node, values.data_type())?)?;
    lookup(builder, node, block, &keys, &values, table)
}

/// CategoryMapper.
pub(crate) fn category_mapper(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let block = builder.block(node, input(node, inputs, 0)?)?;
    let integers = Int64Array::from(node.ints("cats_int64s")?.unwrap_or_default().to_vec());
    texts_and_integers(builder, node, &block, node.texts("cats_strings")?.unwrap_or_default(), integers)
}

fn check_pairs(node: &Node, keys: &ArrayRef, values: &ArrayRef) -> Result<()> {
    match keys.len() == values.len() {
        true => Ok(()),
        false => Err(node.malformed(format!("{} keys and {} values", keys.len(), values.len()))),
    }
}

fn lookup(
    builder: &mut Builder,
    node: &Node,
    block: &Block,
    keys: &ArrayRef,
    values: &ArrayRef,
    table: LookupTable,
) -> Result<Vec<Fact>> {
    let columns = builder.cast(node, &block.columns, keys.data_type())?;
    let table = Arc::new(table);
    let data_type = values.data_type().clone();
    let mut results = Vec::with_capacity(columns.len());
    for column in columns {
        let result = builder.one(node, Op::Lookup(Arc::clone(&table)), vec![column], data_type.clone())?;
        if matches!(builder.origins.get(&column), Some(Origin::Label(_))) {
            builder.note(&[result], &Origin::Label(Arc::clone(values)));
        }
        results.push(result);
    }
    Ok(vec![Fact::Block(block.with_columns(data_type, results))])
}

/// Binarizer.
pub(crate) fn binarizer(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let block = numbers(builder, node, input(node, inputs, 0)?)?;
    let threshold = f64::from(node.float("threshold")?.unwrap_or(0.0));
    let mut columns = Vec::with_capacity(block.columns.len());
    for &column in &block.columns {
        columns.push(builder.one(node, Op::Binarize { threshold }, vec![column], DataType::Float32)?);
    }
    let columns = builder.cast(node, &columns, &block.data_type)?;
    Ok(vec![Fact::Block(block.with_columns(block.data_type.clone(), columns))])
}

/// Normalizer: along the last axis.
pub(crate) fn normalizer(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let op = match node.text("norm")?.unwrap_or("MAX") {
        "MAX" => AcrossOp::NormMax,
        "L1" => AcrossOp::NormL1,
        "L2" => AcrossOp::NormL2,
        other => return Err(node.malformed(format!("a norm `{other}`; expected MAX, L1 or L2"))),
    };
    let block = numbers(builder, node, input(node, inputs, 0)?)?;
    let Some(last) = block.shape.len().checked_sub(1).filter(|&last| block.batch != Some(last + 1)) else {
        return Err(node.unsupported("it mixes rows: it works along the batch"));
    };
    across(builder, node, &block, &[last], op)
}

/// FeatureVectorizer: all inputs side by side, as floats, each cut or filled up with zeros to its length.
pub(crate) fn feature_vectorizer(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let lengths = node.ints("inputdimensions")?;
    if let Some(lengths) = lengths.filter(|lengths| lengths.len() != inputs.len()) {
        return Err(node.malformed(format!("{} lengths for {} inputs", lengths.len(), inputs.len())));
    }
    let mut columns = Vec::new();
    for (at, fact) in inputs.iter().enumerate() {
        let block = builder.block(node, fact)?;
        if block.batch != Some(0) || block.shape.len() > 1 {
            return Err(node.unsupported("an input that is not one row of features per row"));
        }
        let features = builder.cast(node, &block.columns, &DataType::Float32)?;
        let length = lengths.map_or(features.len() as u64, |lengths| lengths[at].max(0) as u64);
        Limits::check("columns", "columns", length, builder.limits.columns)?;
        let length = length as usize;
        columns.extend(features.iter().take(length));
        if let Some(missing) = length.checked_sub(features.len()).filter(|&missing| missing > 0) {
            let zero = builder.constant(node, Arc::new(Float32Array::from(vec![0.0])))?;
            columns.extend(std::iter::repeat_n(zero, missing));
        }
    }
    let shape = vec![columns.len()];
    Ok(vec![Fact::Block(Block { data_type: DataType::Float32, shape, batch: Some(0), columns })])
}
