#!/usr/bin/env python3
"""Writes small ONNX models with inputs and ONNX Runtime's outputs, for operators the node tests neglect.

    onnx-engine-tests.py FOLDER
    KNAPSACK_ENGINE_TESTS=FOLDER swift test -c release --filter EngineTests

Each case becomes FOLDER/NAME/model.onnx and io.safetensors (keys input.NAME and output.NAME). Weights are
initializers, as in real models; numbers are random from a fixed seed.
"""

import sys
from pathlib import Path

import numpy
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

KINDS = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32, "int64": TensorProto.INT64,
         "bool": TensorProto.BOOL}


class Case:
    """One model of one node: inputs that are given at run time, weights, attributes."""

    def __init__(self, name, operator, inputs, outputs, weights=None, domain="", opset=17, **attributes):
        self.name, self.operator, self.domain, self.opset = name, operator, domain, opset
        self.inputs, self.weights = inputs, weights or {}
        self.outputs, self.attributes = outputs, attributes

    def write(self, folder):
        order = self.attributes.pop("order")
        node = helper.make_node(
            self.operator, order, self.outputs, domain=self.domain, **self.attributes)
        value = lambda name, a: helper.make_tensor_value_info(name, KINDS[a.dtype.name], a.shape)
        graph = helper.make_graph(
            [node], self.name, [value(n, a) for n, a in self.inputs.items()],
            [helper.make_empty_tensor_value_info(n) for n in self.outputs if n],
            [numpy_helper.from_array(a, n) for n, a in self.weights.items()])
        opsets = [helper.make_opsetid("", self.opset)]
        if self.domain:
            opsets.append(helper.make_opsetid(self.domain, 1))
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        data = model.SerializeToString()
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        results = session.run(None, self.inputs)
        tensors = {f"input.{n}": a for n, a in self.inputs.items()}
        for output, result in zip(session.get_outputs(), results):
            tensors[f"output.{output.name}"] = result
        path = folder / self.name
        path.mkdir(parents=True, exist_ok=True)
        (path / "model.onnx").write_bytes(data)
        save_file({n: numpy.ascontiguousarray(a) for n, a in tensors.items()}, path / "io.safetensors")


def floats(random, *shape, scale=1.0):
    return (random.standard_normal(shape) * scale).astype(numpy.float32)


def recurrent(random):
    """Layers of every kind, direction and option."""
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}

    def layer(name, kind, time=6, batch=3, width=5, hidden=8, direction="forward", given=(),
              layout=0, **attributes):
        directions = 2 if direction == "bidirectional" else 1
        columns = gates[kind] * hidden
        inputs = {"x": floats(random, time, batch, width)}
        weights = {
            "w": floats(random, directions, columns, width, scale=0.5),
            "r": floats(random, directions, columns, hidden, scale=0.3)}
        extra = {
            "b": lambda: floats(random, directions, 2 * columns, scale=0.5),
            "lengths": lambda: random.integers(1, time + 1, batch).astype(numpy.int32),
            "h": lambda: floats(random, directions, batch, hidden),
            "c": lambda: floats(random, directions, batch, hidden),
            "p": lambda: floats(random, directions, 3 * hidden, scale=0.5)}
        order = ["x", "w", "r"]
        for key, make in extra.items():
            if key in given:
                (weights if key in "bp" else inputs)[key] = make()
            order.append(key if key in given else "")
        if kind != "LSTM":
            order = order[:6]
        outputs = ["y", "y_h", "y_c"][:3 if kind == "LSTM" else 2]
        return Case(name, kind, inputs, outputs, weights, order=order, hidden_size=hidden,
                    direction=direction, **attributes)

    every = {"RNN": ("b", "lengths", "h"), "GRU": ("b", "lengths", "h"),
             "LSTM": ("b", "lengths", "h", "c", "p")}
    for kind in gates:
        low = kind.lower()
        for direction in ("forward", "reverse", "bidirectional"):
            yield layer(f"{low}_{direction}", kind, direction=direction)
            yield layer(f"{low}_{direction}_bias_state", kind, direction=direction, given=("b", "h"))
            yield layer(f"{low}_{direction}_everything", kind, direction=direction, given=every[kind])
        yield layer(f"{low}_clip", kind, given=every[kind], clip=0.4)
        yield layer(f"{low}_long", kind, time=40, batch=1, width=33, hidden=70, given=("b",),
                    direction="bidirectional")
    for direction in ("forward", "reverse", "bidirectional"):
        yield layer(f"gru_after_{direction}", "GRU", direction=direction, given=every["GRU"],
                    linear_before_reset=1)
    yield layer("gru_after_clip", "GRU", given=("b",), linear_before_reset=1, clip=0.5)
    yield layer("lstm_input_forget", "LSTM", given=("b", "p"), input_forget=1)
    functions = ["Relu", "Tanh", "Sigmoid", "Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh",
                 "HardSigmoid", "Elu", "Softsign", "Softplus"]
    takes_alpha = {"Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu"}
    takes_beta = {"Affine", "ScaledTanh", "HardSigmoid"}
    for function in functions:
        more = {}
        if function in takes_alpha:
            more["activation_alpha"] = [0.4]
        if function in takes_beta:
            more["activation_beta"] = [0.3]
        yield layer(f"rnn_{function.lower()}", "RNN", given=("b",), activations=[function], **more)
    yield layer("lstm_functions", "LSTM", given=("b",), activations=["HardSigmoid", "Softsign", "Elu"],
                activation_alpha=[0.3, 0.7], activation_beta=[0.4])
    yield layer("lstm_functions_two_ways", "LSTM", given=("b",), direction="bidirectional",
                activations=["Sigmoid", "LeakyRelu", "Tanh", "HardSigmoid", "Softsign", "Elu"],
                activation_alpha=[0.2, 0.3, 0.7], activation_beta=[0.4])
    yield layer("gru_functions", "GRU", given=("b",), activations=["HardSigmoid", "ScaledTanh"],
                activation_alpha=[0.3, 0.7], activation_beta=[0.4, 0.9])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    folder = Path(sys.argv[1])
    random = numpy.random.default_rng(7)
    count = 0
    for family in (recurrent,):
        for case in family(random):
            case.write(folder)
            count += 1
    print(f"{count} cases written")


if __name__ == "__main__":
    main()
