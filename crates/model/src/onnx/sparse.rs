//! Sparse constants: they are made dense before anything else looks at the graph, so that all others know one kind of constant.

use foretell_tensors::{Data, dense};
use tract_onnx::pb::attribute_proto::AttributeType as Kind;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto};

use super::decode::{check_volume, malformed};
use super::fact::span;
use super::tensor::read_island_tensor;
use crate::error::Result;
use crate::limits::Limits;

/// Elements that a sparse constant may have for each one that the file holds, however many columns the limits allow.
const ELEMENTS_PER_VALUE: u64 = 64;

/// Puts ordinary constants in the place of all sparse ones: of graphs, of their bodies, and of Constant nodes.
///
/// # Errors
/// When one is broken, or they have too many elements together.
pub(super) fn make_dense(model: &mut ModelProto, limits: &Limits) -> Result<()> {
    let mut filler = Filler { limits, elements: 0, allowed: limits.columns };
    if let Some(graph) = &mut model.graph {
        filler.graph(graph)?;
    }
    model.functions.iter_mut().flat_map(|function| &mut function.node).try_for_each(|node| filler.node(node))
}

struct Filler<'l> {
    limits: &'l Limits,
    /// Elements made so far, and how many there may be. Zeros cost the file nothing.
    elements: u64,
    allowed: u64,
}

impl Filler<'_> {
    fn graph(&mut self, graph: &mut GraphProto) -> Result<()> {
        for sparse in std::mem::take(&mut graph.sparse_initializer) {
            graph.initializer.push(self.filled(&sparse)?);
        }
        graph.node.iter_mut().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, node: &mut NodeProto) -> Result<()> {
        node.attribute.iter_mut().try_for_each(|attribute| self.attribute(attribute))
    }

    fn attribute(&mut self, attribute: &mut AttributeProto) -> Result<()> {
        if let Some(sparse) = attribute.sparse_tensor.take() {
            // The only attribute of this kind is one of Constant.
            let value = Some(self.filled(&sparse)?);
            let (name, kind) = ("value".to_string(), Kind::Tensor as i32);
            *attribute = AttributeProto { name, r#type: kind, t: value, ..AttributeProto::default() };
        }
        let mut bodies = attribute.g.iter_mut().chain(&mut attribute.graphs);
        bodies.try_for_each(|graph| self.graph(graph))
    }

    /// A sparse constant with its zeros.
    fn filled(&mut self, sparse: &SparseTensorProto) -> Result<TensorProto> {
        let broken = || malformed("a sparse tensor whose values and positions do not fit");
        let (Some(values), Some(indices)) = (&sparse.values, &sparse.indices) else { return Err(broken()) };
        let (name, data_type) = (values.name.clone(), values.data_type);
        let shape = check_volume(&name, &sparse.dims, self.limits)?;
        let values = read_island_tensor(values, self.limits)?;
        let indices = read_island_tensor(indices, self.limits)?;
        self.elements = self.elements.saturating_add(span(&shape));
        self.allowed = self.allowed.saturating_add(ELEMENTS_PER_VALUE.saturating_mul(values.len() as u64));
        Limits::check("elements of sparse tensors", "columns", self.elements, self.allowed)?;
        let places = indices.values::<i64>().ok_or_else(broken)?;
        let positions = positions(places, indices.shape(), &shape).ok_or_else(broken)?;
        let filled = dense(&shape, &values, &positions);
        let filled = filled.map_err(|fault| malformed(format!("the sparse tensor `{name}`: {fault}")))?;
        let raw_data = raw(filled.data()).ok_or_else(|| malformed(format!("the sparse tensor `{name}` holds text")))?;
        Ok(TensorProto { name, data_type, dims: sparse.dims.clone(), raw_data, ..TensorProto::default() })
    }
}

/// Positions counted through all elements; the file has them so, or by axis. `None` where they do not fit the shape.
fn positions(places: &[i64], form: &[usize], shape: &[usize]) -> Option<Vec<i64>> {
    match *form {
        [_] => Some(places.to_vec()),
        [_, rank] if rank == shape.len() && rank > 0 => places
            .chunks_exact(rank)
            .map(|place| {
                let mut axes = place.iter().zip(shape);
                axes.try_fold(0_i64, |at, (&index, &extent)| {
                    let extent = i64::try_from(extent).ok()?;
                    (0..extent).contains(&index).then(|| at * extent + index)
                })
            })
            .collect(),
        _ => None,
    }
}

/// The bytes of elements as a file has them; `None` for text and for types of which several elements share a byte.
fn raw(data: &Data) -> Option<Vec<u8>> {
    macro_rules! bytes {
        ($($variant:ident),*) => {
            match data {
                Data::Bool(values) => values.iter().map(|&value| u8::from(value)).collect(),
                $(Data::$variant(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),)*
                Data::Text(_) | Data::Narrow(..) => return None,
            }
        };
    }
    Some(bytes!(I8, I16, I32, I64, U8, U16, U32, U64, F16, Bf16, F32, F64))
}
