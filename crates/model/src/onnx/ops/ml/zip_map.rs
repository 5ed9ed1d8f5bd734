//! ZipMap: probabilities under their class labels. It leaves no step; the struct is built where answers leave the model.

use arrow::array::Array;
use arrow::datatypes::DataType;

use super::scores::class_labels;
use crate::error::Result;
use crate::onnx::builder::Builder;
use crate::onnx::fact::Fact;
use crate::onnx::node::Node;
use crate::onnx::ops::axes::input;

/// ZipMap.
pub(crate) fn zip_map(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let classes = class_labels(builder, node, "classlabels_int64s", "classlabels_strings")?;
    let block = builder.block(node, input(node, inputs, 0)?)?;
    if block.columns.len() != classes.len() {
        return Err(node.malformed(format!("{} scores for {} classes", block.columns.len(), classes.len())));
    }
    let columns = builder.cast(node, &block.columns, &DataType::Float32)?;
    Ok(vec![Fact::Map { classes, columns }])
}
