#!/usr/bin/env python3
"""Writes the BERT of a Hugging Face folder as ONNX, the way PyTorch's exporter shapes it.

    export.py FOLDER OUT.onnx

Inputs input_ids, attention_mask, token_type_ids: int64 [batch, sequence]; output
last_hidden_state: float [batch, sequence, hidden]. The nodes follow the usual export (separate
query, key and value products, GELU through Erf), so that ONNX Runtime's own fusions apply.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file


class Graph:
    def __init__(self):
        self.nodes, self.constants, self.count = [], {}, 0

    def add(self, operator, *inputs, **attributes):
        self.count += 1
        output = f"{operator}_{self.count}"
        self.nodes.append(helper.make_node(operator, inputs, [output], output, **attributes))
        return output

    def constant(self, name, array):
        self.constants[name] = numpy_helper.from_array(np.array(array, order="C"), name)
        return name

    def floats(self, name, value):
        return self.constant(name, np.array(value, np.float32))

    def integers(self, name, values):
        return self.constant(name, np.array(values, np.int64))


def bert(weights, config):
    graph = Graph()
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    epsilon = config["layer_norm_eps"]
    weights = {k.removeprefix("bert."): v for k, v in weights.items()}

    def linear(x, name):
        weight = graph.constant(f"{name}.weight", weights[f"{name}.weight"].T)
        bias = graph.constant(f"{name}.bias", weights[f"{name}.bias"])
        return graph.add("Add", graph.add("MatMul", x, weight), bias)

    def layer_norm(x, name):
        scale = graph.constant(f"{name}.weight", weights[f"{name}.weight"])
        bias = graph.constant(f"{name}.bias", weights[f"{name}.bias"])
        return graph.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=epsilon)

    def split_heads(x, order):
        shape = graph.integers("heads", [0, 0, heads, hidden // heads])
        return graph.add("Transpose", graph.add("Reshape", x, shape), perm=order)

    def embedding(name, ids):
        table = f"embeddings.{name}.weight"
        return graph.add("Gather", graph.constant(table, weights[table]), ids)

    length = graph.add(
        "Gather", graph.add("Shape", "input_ids"), graph.integers("one", 1), axis=0
    )
    positions = graph.add(
        "Slice",
        graph.integers("positions", [list(range(config["max_position_embeddings"]))]),
        graph.integers("from", [0]),
        graph.add("Unsqueeze", length, graph.integers("first", [0])),
        graph.integers("sequence_axis", [1]),
    )
    x = graph.add(
        "Add", embedding("word_embeddings", "input_ids"),
        embedding("token_type_embeddings", "token_type_ids"),
    )
    x = graph.add("Add", x, embedding("position_embeddings", positions))
    x = layer_norm(x, "embeddings.LayerNorm")

    mask = graph.add("Unsqueeze", "attention_mask", graph.integers("mask_1", [1]))
    mask = graph.add("Unsqueeze", mask, graph.integers("mask_2", [2]))
    mask = graph.add("Cast", mask, to=TensorProto.FLOAT)
    mask = graph.add("Sub", graph.floats("unmasked", 1), mask)
    mask = graph.add("Mul", mask, graph.floats("far_below", -10000))

    root = graph.floats("root_of_head_width", math.sqrt(hidden // heads))
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}"
        query, key, value = (
            split_heads(linear(x, f"{layer}.attention.self.{part}"), order)
            for part, order in
            (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3]))
        )
        scores = graph.add("Div", graph.add("MatMul", query, key), root)
        scores = graph.add("Softmax", graph.add("Add", scores, mask), axis=-1)
        context = graph.add("Transpose", graph.add("MatMul", scores, value), perm=[0, 2, 1, 3])
        context = graph.add("Reshape", context, graph.integers("joined", [0, 0, hidden]))
        x = graph.add("Add", linear(context, f"{layer}.attention.output.dense"), x)
        x = layer_norm(x, f"{layer}.attention.output.LayerNorm")
        y = linear(x, f"{layer}.intermediate.dense")
        erf = graph.add("Erf", graph.add("Div", y, graph.floats("root_of_two", math.sqrt(2))))
        y = graph.add("Mul", y, graph.add("Add", erf, graph.floats("one_f", 1)))
        y = graph.add("Mul", y, graph.floats("half", 0.5))
        x = graph.add("Add", linear(y, f"{layer}.output.dense"), x)
        x = layer_norm(x, f"{layer}.output.LayerNorm")
    graph.nodes[-1].output[0] = "last_hidden_state"

    ids = ["batch", "sequence"]
    return helper.make_model(
        helper.make_graph(
            graph.nodes, "bert",
            [helper.make_tensor_value_info(name, TensorProto.INT64, ids)
             for name in ("input_ids", "attention_mask", "token_type_ids")],
            [helper.make_tensor_value_info(
                "last_hidden_state", TensorProto.FLOAT, ids + [hidden])],
            list(graph.constants.values()),
        ),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
    )


def main():
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    config = json.loads((folder / "config.json").read_text())
    model = bert(load_file(folder / "model.safetensors"), config)
    onnx.checker.check_model(model)
    onnx.save(model, out)


if __name__ == "__main__":
    main()
