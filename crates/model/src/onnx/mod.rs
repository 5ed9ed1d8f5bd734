//! The reader of ONNX files: a protobuf graph becomes a program over columns.
//!
//! [`decode`] checks the bytes, [`functions`] puts local functions in place, [`graph`] sorts the nodes, [`inputs`] finds the features, [`lower`] walks the nodes with
//! what is known about each value ([`fact`]), and [`interface`] says what the model is for. Shapes are static but for the
//! batch: the first dimension of every input is the number of rows, whatever the file declares for it. Where that is not
//! enough, since lists have any length or rows depend on each other, the graph runs as a whole ([`network`]).

mod builder;
mod decode;
mod defaults;
mod external;
mod fact;
mod functions;
mod graph;
mod inputs;
mod interface;
mod island_values;
mod islands;
mod lower;
mod map_inputs;
mod network;
mod node;
mod nulls;
mod ops;
mod opsets;
mod scan;
mod sparse;
#[cfg(test)]
mod support;
mod tensor;
mod tensor_graph;
mod wire;

use arrow::array::ArrayRef;

use builder::Builder;
pub(crate) use decode::malformed;
pub use external::{external_files, with_external_data};
pub(crate) use graph::names_read;
pub(crate) use inputs::dimensions;
pub use tensor_graph::TensorModel;

use crate::boosters::catboost;
use crate::error::{Error, Result};
use crate::interface::Reading;
use crate::model::LoadOptions;
use crate::program::{ColumnId, Plan, Program};

/// What CatBoost calls itself in the files that it exports.
const CATBOOST: &str = "CatBoost";

/// Reads an ONNX file.
pub(crate) fn read(bytes: &[u8], options: &LoadOptions) -> Result<Reading> {
    let limits = &options.limits;
    let model = decode::decode(bytes, limits)?;
    if model.graph.as_ref().is_none_or(|graph| graph.output.is_empty()) {
        return Err(malformed("the model has no outputs"));
    }
    let version = match model.producer_name.as_str() {
        CATBOOST => catboost::version(&model.producer_version),
        _ => &model.producer_version,
    };
    let producer = format!("{} {version}", model.producer_name).trim().to_string();
    let map_inputs = map_inputs::map_inputs(bytes, &model)?;
    // The converters of LightGBM and XGBoost, and CatBoost; all train with missing values and find a branch for them.
    let knowing = ["onnxmltools", CATBOOST];
    let producer_knows_missing = knowing.iter().any(|name| model.producer_name.eq_ignore_ascii_case(name));
    let (mut model, opsets) = functions::inlined(bytes, model, limits)?;
    if let Some(graph) = &mut model.graph {
        defaults::write_out(graph, &opsets);
    }
    let new_builder = || {
        let mut builder = Builder::new(limits);
        (builder.map_inputs, builder.producer_knows_missing) = (map_inputs.clone(), producer_knows_missing);
        builder
    };
    let mut builder = new_builder();
    let whole = |builder: &mut Builder, model| network::lower_network(builder, model, &opsets, options, bytes.len());
    let lowered = match network::is_needed(&builder, &model, options)? {
        true => whole(&mut builder, model)?,
        false => match lower::lower_model(&mut builder, &model, &opsets, options) {
            Ok(lowered) => lowered,
            Err(error) => {
                let may_help = network::may_help(&builder, &error);
                builder = new_builder();
                // The first error is the one that names what the columns lack.
                may_help.then(|| whole(&mut builder, model)).and_then(Result::ok).ok_or(error)?
            }
        },
    };
    let nulls = nulls::null_policies(&builder, &lowered);
    let interface = interface::interface(&builder.origins, &builder.program, lowered, &nulls, producer)?;
    Ok(Reading { program: builder.program, interface })
}

/// Computes columns of a program without inputs.
fn run_once(program: &Program, wanted: &[ColumnId]) -> Result<Vec<ArrayRef>> {
    let (columns, failures) = crate::program::run(program, &Plan::new(program, wanted), &[], 1)?;
    match failures.first() {
        Some((_, why)) => Err(malformed(format!("a constant cannot be computed: {why}"))),
        None if columns.iter().all(|column| column.len() == 1) => Ok(columns),
        None => Err(Error::Internal("a constant of several rows".to_string())),
    }
}
