//! Dense networks over columns.

use arrow::array::ArrayRef;
use arrow::datatypes::Float32Type;
use foretell_kernels::dense::DenseNetwork;

use super::columns::all_values;
use super::linear::outputs;
use super::wrong_count;
use crate::error::Result;

pub(super) fn run(network: &DenseNetwork, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
    if inputs.len() != network.features() {
        return Err(wrong_count(network.features(), inputs.len()));
    }
    let columns = all_values::<Float32Type>(inputs)?;
    Ok(outputs(network.outputs(), rows, |outputs| network.evaluate(&columns, outputs)))
}
