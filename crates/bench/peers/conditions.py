"""A model as a SQL expression, for those who have no other way to run it in their database."""

import onnx
from onnx import helper, numpy_helper

COMPARISONS = {"BRANCH_LEQ": "<=", "BRANCH_LT": "<"}


def expression(model, features):
    """The probability of the second class: of a Gemm with a Sigmoid, or of boosted trees."""
    graph = onnx.load(model).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    trees = [node for node in graph.node if node.op_type.startswith("TreeEnsemble")]
    total = boosting(trees[0], features) if trees else weighted_sum(constants, features)
    return f"1.0::FLOAT / (1.0::FLOAT + exp(-({total})))"


def weighted_sum(constants, features):
    matrix, bias = constants["matrix0"].reshape(-1), constants["bias0"].reshape(-1)[0]
    terms = [f"{name} * {literal(weight)}" for name, weight in zip(features, matrix)]
    return " + ".join([literal(bias), *terms])


def boosting(node, features):
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    kind = "class" if "class_ids" in attributes else "target"

    def keys(prefix):
        return zip(attributes[f"{prefix}_treeids"], attributes[f"{prefix}_nodeids"])

    at = {key: index for index, key in enumerate(keys("nodes"))}
    leaves = dict(zip(keys(kind), attributes[f"{kind}_weights"]))

    def branch(tree, number):
        index = at[tree, number]
        mode = attributes["nodes_modes"][index].decode()
        if mode == "LEAF":
            return literal(leaves.get((tree, number), 0.0))
        question = f"{features[attributes['nodes_featureids'][index]]} {COMPARISONS[mode]} {literal(attributes['nodes_values'][index])}"
        yes, no = (branch(tree, attributes[name][index]) for name in ("nodes_truenodeids", "nodes_falsenodeids"))
        return f"CASE WHEN {question} THEN {yes} ELSE {no} END"

    base = list(attributes.get("base_values", []))[-1:]
    trees = sorted({tree for tree, _ in at})
    return " + ".join([*map(literal, base), *(f"({branch(tree, 0)})" for tree in trees)])


def literal(number):
    return f"({float(number)!r})::FLOAT"
