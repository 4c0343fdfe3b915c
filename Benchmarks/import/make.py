#!/usr/bin/env python3
"""Writes FILE: an ONNX model of 25 layers with 105 MB of weights, for the import benchmark."""

import sys

import numpy
from onnx import TensorProto, helper, numpy_helper

WIDTH, LAYERS = 1024, 25

random = numpy.random.default_rng(1)
nodes, weights, value = [], [], "x"
for i in range(LAYERS):
    matrix = random.standard_normal((WIDTH, WIDTH), dtype=numpy.float32) / 32
    weights.append(numpy_helper.from_array(matrix, f"w{i}"))
    weights.append(numpy_helper.from_array(numpy.zeros(WIDTH, numpy.float32), f"b{i}"))
    nodes.append(helper.make_node("MatMul", [value, f"w{i}"], [f"m{i}"], name=f"product{i}"))
    nodes.append(helper.make_node("Add", [f"m{i}", f"b{i}"], [f"a{i}"], name=f"bias{i}"))
    nodes.append(helper.make_node("Relu", [f"a{i}"], [f"r{i}"], name=f"relu{i}"))
    value = f"r{i}"
shape = ["rows", WIDTH]
graph = helper.make_graph(
    nodes, "large", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
    [helper.make_tensor_value_info(value, TensorProto.FLOAT, shape)], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
with open(sys.argv[1], "wb") as file:
    file.write(model.SerializeToString())
