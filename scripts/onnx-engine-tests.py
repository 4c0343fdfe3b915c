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


def fused(random):
    """What ONNX Runtime's optimiser writes."""
    def case(name, operator, inputs, weights, outputs=("y",), order=None, **attributes):
        return Case(name, operator, inputs, list(outputs), weights, domain="com.microsoft",
                    order=order or [*inputs, *weights], **attributes)

    x = floats(random, 2, 5, 24)
    bias = floats(random, 24)
    yield case("gelu", "Gelu", {"x": x}, {})
    yield case("bias_gelu", "BiasGelu", {"x": x}, {"b": bias})
    yield case("fast_gelu", "FastGelu", {"x": x}, {})
    yield case("fast_gelu_bias", "FastGelu", {"x": x}, {"b": bias})
    yield case("quick_gelu", "QuickGelu", {"x": x}, {}, alpha=1.3)
    square = floats(random, 2, 24, 24)
    for a, b in ((0, 0), (1, 0), (0, 1), (1, 1)):
        yield case(f"fused_matmul_{a}{b}", "FusedMatMul", {"x": square}, {"w": floats(random, 2, 24, 24)},
                   transA=a, transB=b, alpha=0.5)
    rows = floats(random, 7, 12)
    for name, more in (("Relu", {}), ("LeakyRelu", {"activation_alpha": 0.3}), ("Tanh", {})):
        yield case(f"fused_gemm_{name.lower()}", "FusedGemm", {"x": rows},
                   {"w": floats(random, 12, 9), "c": floats(random, 9)}, activation=name, alpha=0.7, beta=0.5,
                   **more)
    image = floats(random, 1, 3, 9, 8)
    kernel = {"w": floats(random, 4, 3, 3, 3), "b": floats(random, 4)}
    yield case("fused_conv_relu", "FusedConv", {"x": image}, kernel, activation="Relu", pads=[1, 1, 1, 1])
    yield case("fused_conv_clip", "FusedConv", {"x": image}, kernel, activation="Clip",
               activation_params=[-0.5, 0.8], strides=[2, 2])
    yield case("fused_conv_sum", "FusedConv", {"x": image, "z": floats(random, 1, 4, 7, 6)}, kernel,
               order=["x", "w", "b", "z"], activation="Relu")
    skip = {"x": x, "skip": floats(random, 2, 5, 24)}
    norm = {"gamma": bias + 1, "beta": floats(random, 24)}
    yield case("skip_layer_norm", "SkipLayerNormalization", skip, norm)
    yield case("skip_layer_norm_bias", "SkipLayerNormalization", skip, norm | {"bias": bias},
               outputs=("y", "", "", "sum"), epsilon=1e-5)
    yield case("skip_rms_norm", "SkipSimplifiedLayerNormalization", skip, {"gamma": bias}, epsilon=1e-5)
    yield case("skip_rms_norm_bias", "SkipSimplifiedLayerNormalization", skip, {"gamma": bias, "bias": bias},
               outputs=("y", "", "", "sum"), epsilon=1e-5)
    yield Case("rms_norm", "SimplifiedLayerNormalization", {"x": x}, ["y"], {"gamma": bias},
               order=["x", "gamma"], axis=-1, epsilon=1e-5)
    # The optimiser writes it under the standard's name in models of any opset.
    yield Case("layer_norm_of_old_opset", "LayerNormalization", {"x": x}, ["y"], norm, order=["x", "gamma", "beta"],
               opset=11, epsilon=1e-5)
    ids = random.integers(0, 30, (2, 5)).astype(numpy.int32)
    kinds = random.integers(0, 2, (2, 5)).astype(numpy.int32)
    tables = {"words": floats(random, 30, 24), "places": floats(random, 8, 24), "kinds_table": floats(random, 2, 24)}
    mask = numpy.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], numpy.int32)
    yield case("embed_layer_norm", "EmbedLayerNormalization", {"ids": ids, "kinds": kinds, "mask": mask},
               tables | norm, outputs=("y", "lengths"),
               order=["ids", "kinds", "words", "places", "kinds_table", "gamma", "beta", "mask"])
    del tables["kinds_table"]
    yield case("embed_layer_norm_words", "EmbedLayerNormalization", {"ids": ids}, tables | norm,
               outputs=("y", "lengths"), order=["ids", "", "words", "places", "", "gamma", "beta"])
    packed = {"w": floats(random, 24, 72, scale=0.3), "b": floats(random, 72)}
    masks = {"none": None, "rows": mask, "lengths": numpy.array([5, 3], numpy.int32),
             "ends": numpy.array([5, 4, 0, 1], numpy.int32),
             "square": random.integers(0, 2, (2, 5, 5)).astype(numpy.int32)}
    for name, m in masks.items():
        for causal in (0, 1):
            given = {"x": x} | ({} if m is None else {"m": m})
            yield case(f"attention_{name}_{causal}", "Attention", given, packed,
                       order=["x", "w", "b"] + ([] if m is None else ["m"]), num_heads=4, unidirectional=causal)
    yield case("attention_widths", "Attention", {"x": x},
               {"w": floats(random, 24, 16 + 16 + 8, scale=0.3), "b": floats(random, 40)}, num_heads=4,
               qkv_hidden_sizes=[16, 16, 8])
    yield case("attention_bias", "Attention", {"x": x, "bias": floats(random, 2, 4, 5, 5)}, packed,
               order=["x", "w", "b", "", "", "bias"], num_heads=4)
    yield case("attention_past", "Attention", {"x": x, "past": floats(random, 2, 2, 4, 3, 6)}, packed,
               order=["x", "w", "b", "", "past"], outputs=("y", "present"), num_heads=4, unidirectional=1)
    q, k, v = (floats(random, 2, n, 24) for n in (5, 7, 7))
    yield case("mha", "MultiHeadAttention", {"q": q, "k": k, "v": v}, {}, num_heads=4)
    yield case("mha_bias", "MultiHeadAttention", {"q": q, "k": k, "v": v}, {"b": floats(random, 72)}, num_heads=4,
               scale=0.3)
    lengths = numpy.array([7, 4], numpy.int32)
    yield case("mha_lengths", "MultiHeadAttention", {"q": q, "k": k, "v": v, "m": lengths}, {},
               order=["q", "k", "v", "", "m"], num_heads=4)
    rows01 = numpy.array([[1] * 7, [1] * 5 + [0] * 2], numpy.int32)
    yield case("mha_rows", "MultiHeadAttention",
               {"q": q, "k": k, "v": v, "m": rows01, "bias": floats(random, 1, 4, 5, 7)}, {},
               order=["q", "k", "v", "", "m", "bias"], num_heads=4)
    yield case("mha_past", "MultiHeadAttention",
               {"q": q, "k": q * 0.5, "v": q + 1, "pk": floats(random, 2, 4, 3, 6), "pv": floats(random, 2, 4, 3, 6)},
               {}, order=["q", "k", "v", "", "", "", "pk", "pv"], outputs=("y", "k_all", "v_all"), num_heads=4)
    yield case("mha_causal", "MultiHeadAttention", {"q": q, "k": q * 0.5, "v": q + 1}, {}, num_heads=4,
               unidirectional=1)
    angles = floats(random, 16, 8)
    turns = {"cos": numpy.cos(angles), "sin": numpy.sin(angles)}
    heads = floats(random, 2, 4, 5, 16)
    for interleaved in (0, 1):
        yield case(f"rotary_{interleaved}", "RotaryEmbedding",
                   {"x": heads, "at": random.integers(0, 16, (2, 5)).astype(numpy.int64)}, turns,
                   interleaved=interleaved)
        yield case(f"rotary_flat_{interleaved}", "RotaryEmbedding",
                   {"x": floats(random, 2, 5, 64), "at": numpy.array([3], numpy.int64)}, turns,
                   interleaved=interleaved)
    yield case("expand_dims", "ExpandDims", {"x": x}, {"axis": numpy.array(1, numpy.int32)})
    width, groups, count = 16, 2, 4
    for rotary in (0, 1):
        query = floats(random, 1, 5, count * width)
        key, value = floats(random, 1, 5, groups * width), floats(random, 1, 5, groups * width)
        order = ["q", "k", "v", "pk", "pv", "last", "total"] + (["cos", "sin"] if rotary else [])
        yield case(f"gqa_prompt_{rotary}", "GroupQueryAttention",
                   {"q": query, "k": key, "v": value},
                   {"last": numpy.array([4], numpy.int32),
                    "total": numpy.array([5], numpy.int32)} | (turns if rotary else {}),
                   order=[n if n not in ("pk", "pv") else "" for n in order],
                   outputs=("y", "k_all", "v_all"), num_heads=count, kv_num_heads=groups, do_rotary=rotary)
        one = floats(random, 1, 1, count * width)
        past = floats(random, 1, groups, 6, width)
        yield case(f"gqa_step_{rotary}", "GroupQueryAttention",
                   {"q": one, "k": floats(random, 1, 1, groups * width), "v": floats(random, 1, 1, groups * width),
                    "pk": past, "pv": past * 0.5},
                   {"last": numpy.array([6], numpy.int32), "total": numpy.array([7], numpy.int32)}
                   | (turns if rotary else {}), order=order,
                   outputs=("y", "k_all", "v_all"), num_heads=count, kv_num_heads=groups, do_rotary=rotary)
    packed_query = floats(random, 1, 5, (count + 2 * groups) * width)
    yield case("gqa_packed", "GroupQueryAttention", {"q": packed_query},
               {"last": numpy.array([4], numpy.int32), "total": numpy.array([5], numpy.int32)} | turns,
               order=["q", "", "", "", "", "last", "total", "cos", "sin"], outputs=("y", "k_all", "v_all"),
               num_heads=count, kv_num_heads=groups, do_rotary=1)


def spectra(random):
    """Fourier transforms and mel filters."""
    for length in (16, 20, 31):
        for onesided in (0, 1):
            yield Case(f"dft_{length}_{onesided}", "DFT", {"x": floats(random, 2, length, 1)}, ["y"], order=["x"],
                       axis=1, onesided=onesided)
    yield Case("dft_inverse", "DFT", {"x": floats(random, 2, 12, 2)}, ["y"], order=["x"], axis=1, inverse=1)
    window = numpy.hanning(16).astype(numpy.float32)
    yield Case("stft", "STFT", {"x": floats(random, 2, 100, 1)}, ["y"],
               {"step": numpy.array(8, numpy.int64), "window": window, "length": numpy.array(16, numpy.int64)},
               order=["x", "step", "window", "length"], onesided=1)
    yield Case("mel_weights", "MelWeightMatrix", {}, ["y"],
               {"bands": numpy.array(8, numpy.int64), "length": numpy.array(64, numpy.int64),
                "rate": numpy.array(8000, numpy.int64), "low": numpy.array(60, numpy.float32),
                "high": numpy.array(3800, numpy.float32)}, order=["bands", "length", "rate", "low", "high"])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    folder = Path(sys.argv[1])
    random = numpy.random.default_rng(7)
    count = 0
    for family in (recurrent, fused, spectra):
        for case in family(random):
            case.write(folder)
            count += 1
    print(f"{count} cases written")


if __name__ == "__main__":
    main()
