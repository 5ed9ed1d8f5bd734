//! The operators of ai.onnx.ml.

mod encoders;
mod ensembles;
mod linear;
mod maps;
mod scores;
mod svm;
mod tree_classifier;
mod tree_nodes;
mod trees;
mod zip_map;

use crate::error::Result;
use crate::onnx::builder::Builder;
use crate::onnx::fact::Fact;
use crate::onnx::node::Node;

/// Lowers an operator of ai.onnx.ml; `None` if there is none of this name.
pub(crate) fn lower(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Option<Vec<Fact>>> {
    Ok(Some(match node.op_type() {
        "ArrayFeatureExtractor" => super::lookup::array_feature_extractor(builder, node, inputs)?,
        "Binarizer" => encoders::binarizer(builder, node, inputs)?,
        "CastMap" => maps::cast_map(builder, node, inputs)?,
        "CategoryMapper" => encoders::category_mapper(builder, node, inputs)?,
        "DictVectorizer" => maps::dict_vectorizer(builder, node, inputs)?,
        "FeatureVectorizer" => encoders::feature_vectorizer(builder, node, inputs)?,
        "Imputer" => encoders::imputer(builder, node, inputs)?,
        "LabelEncoder" => encoders::label_encoder(builder, node, inputs)?,
        "LinearClassifier" => linear::linear_classifier(builder, node, inputs)?,
        "LinearRegressor" => linear::linear_regressor(builder, node, inputs)?,
        "Normalizer" => encoders::normalizer(builder, node, inputs)?,
        "OneHotEncoder" => encoders::one_hot_encoder(builder, node, inputs)?,
        "SVMClassifier" => svm::classifier(builder, node, inputs)?,
        "SVMRegressor" => svm::regressor(builder, node, inputs)?,
        "Scaler" => encoders::scaler(builder, node, inputs)?,
        "TreeEnsemble" => ensembles::ensemble(builder, node, inputs)?,
        "TreeEnsembleClassifier" => tree_classifier::classifier(builder, node, inputs)?,
        "TreeEnsembleRegressor" => ensembles::regressor(builder, node, inputs)?,
        "ZipMap" => zip_map::zip_map(builder, node, inputs)?,
        _ => return Ok(None),
    }))
}
