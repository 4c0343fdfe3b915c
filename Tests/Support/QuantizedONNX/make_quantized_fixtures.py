"""Writes small quantized ONNX models and what onnxruntime computes with them.

    pip install onnx==1.23 onnxruntime==1.31.1 safetensors
    python3 Tests/Support/QuantizedONNX/make_quantized_fixtures.py

Operators of com.microsoft one by one, and networks quantized by onnxruntime.quantization.
"""
import os
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto as T
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from safetensors.numpy import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
random = np.random.default_rng(7)
U8, I8, I32, F32 = np.uint8, np.int8, np.int32, np.float32


def codes(shape, dtype):
    i = np.iinfo(dtype)
    return random.integers(i.min, i.max + 1, shape).astype(dtype)


def floats(*shape, low=-2, high=2):
    return random.uniform(low, high, shape).astype(F32)


def f(x):
    return np.array(x, F32)


def run(name, model, inputs):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = session.run(None, inputs)
    io = {f"input.{k}": np.ascontiguousarray(v) for k, v in inputs.items()}
    for o, v in zip(session.get_outputs(), outputs):
        io[f"output.{o.name}"] = np.ascontiguousarray(v)
    onnx.save(model, os.path.join(HERE, name + ".onnx"))
    save_file(io, os.path.join(HERE, name + ".safetensors"))


def single(name, op, inputs, constants, output, domain="com.microsoft", **attributes):
    """inputs: names and arrays in order; those in `constants` become initializers."""
    names = [n for n, _ in inputs]
    node = helper.make_node(op, names, ["y"], domain=domain, **attributes)
    info = lambda n, a: helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
    given = [(n, a) for n, a in inputs if n and n not in constants]
    graph = helper.make_graph(
        [node], name, [info(n, a) for n, a in given],
        [helper.make_tensor_value_info("y", helper.np_dtype_to_tensor_dtype(np.dtype(output)), None)],
        [numpy_helper.from_array(a, n) for n, a in inputs if n in constants])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)])
    model.ir_version = 8
    run(name, model, dict(given))


def operators():
    for t in (U8, I8):
        n = np.dtype(t).name
        z = lambda v: np.array(v + (128 if t == U8 else 0), t)
        a, b = codes((2, 3, 4, 5), t), codes((3, 1, 5), t)
        q = {"as", "az", "bs", "bz", "ys", "yz"}
        for op in ("QLinearAdd", "QLinearMul"):
            single(f"{op.lower()}_{n}", op, [("a", a), ("as", f(0.031)), ("az", z(4)), ("b", b), ("bs", f(0.072)), ("bz", z(-9)),
                                             ("ys", f(0.081 if op == "QLinearAdd" else 0.15)), ("yz", z(2))], q, t)
        x = np.arange(256).astype(U8).view(t).reshape(1, 4, 8, 8)
        k = {"xs", "xz", "ys", "yz"}
        base = [("x", x), ("xs", f(0.047)), ("xz", z(3))]
        single(f"qlinearsigmoid_{n}", "QLinearSigmoid", base + [("ys", f(1 / 256)), ("yz", z(-128))], k, t)
        single(f"qlinearleakyrelu_{n}", "QLinearLeakyRelu", base + [("ys", f(0.05)), ("yz", z(1))], k, t, alpha=0.1)
        single(f"qlinearsoftmax_{n}", "QLinearSoftmax", base + [("ys", f(1 / 256)), ("yz", z(-128))], k, t, axis=-1, opset=13)
        single(f"qlinearglobalaveragepool_{n}", "QLinearGlobalAveragePool", base + [("ys", f(0.02)), ("yz", z(2))], k, t)
        single(f"qlinearaveragepool_{n}", "QLinearAveragePool", base + [("ys", f(0.04)), ("yz", z(2))], k, t,
               kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1])
        single(f"qlinearconcat_{n}", "QLinearConcat",
               [("ys", f(0.05)), ("yz", z(0)), ("a", codes((2, 3), t)), ("as", f(0.02)), ("az", z(1)), ("b", codes((2, 4), t)), ("bs", f(0.05)), ("bz", z(0))],
               q, t, axis=1)
        single(f"qlinearconv_{n}", "QLinearConv",
               [("x", codes((2, 6, 7, 8), t)), ("xs", f(0.02)), ("xz", z(5)), ("w", codes((4, 3, 3, 3), I8)), ("ws", floats(4, low=0.01, high=0.03)), ("wz", np.zeros(4, I8)),
                ("ys", f(0.3)), ("yz", z(-3)), ("b", random.integers(-900, 900, 4).astype(I32))],
               {"xs", "xz", "w", "ws", "wz", "ys", "yz", "b"}, t, domain="", group=2, pads=[1, 1, 1, 1], strides=[2, 1])
        single(f"qlinearconv_depthwise_{n}", "QLinearConv",
               [("x", codes((1, 9, 7, 8), t)), ("xs", f(0.02)), ("xz", z(5)), ("w", codes((9, 1, 3, 3), I8)), ("ws", floats(9, low=0.01, high=0.03)), ("wz", np.zeros(9, I8)),
                ("ys", f(0.1)), ("yz", z(-3))],
               {"xs", "xz", "w", "ws", "wz", "ys", "yz"}, t, domain="", group=9, pads=[1, 1, 1, 1])
        single(f"qlinearconv_1d_{n}", "QLinearConv",
               [("x", codes((1, 3, 11), t)), ("xs", f(0.02)), ("xz", z(5)), ("w", codes((5, 3, 3), U8)), ("ws", f(0.02)), ("wz", np.array(140, U8)),
                ("ys", f(0.2)), ("yz", z(-3))],
               {"xs", "xz", "w", "ws", "wz", "ys", "yz"}, t, domain="", dilations=[2]) if t == U8 else None
    single("qgemm", "QGemm", [("x", codes((3, 9), U8)), ("xs", f(0.02)), ("xz", np.array(120, U8)), ("w", codes((7, 9), I8)), ("ws", floats(7, low=0.01, high=0.03)), ("wz", np.zeros(7, I8)),
                              ("b", random.integers(-900, 900, 7).astype(I32)), ("ys", f(0.15)), ("yz", np.array(130, U8))],
           {"xs", "xz", "w", "ws", "wz", "b", "ys", "yz"}, U8, transB=1, alpha=1.0)
    single("qgemm_float", "QGemm", [("x", codes((3, 9), U8)), ("xs", f(0.02)), ("xz", np.array(120, U8)), ("w", codes((9, 7), I8)), ("ws", f(0.02)), ("wz", np.array(0, I8)),
                                    ("b", random.integers(-900, 900, 7).astype(I32))],
           {"xs", "xz", "w", "ws", "wz", "b"}, F32, alpha=0.5)
    single("dynamicquantizematmul", "DynamicQuantizeMatMul", [("x", floats(2, 3, 16)), ("w", codes((16, 9), I8)), ("ws", floats(9, low=0.01, high=0.02)), ("wz", np.zeros(9, I8)), ("b", floats(9))],
           {"w", "ws", "wz", "b"}, F32)
    single("matmulintegertofloat", "MatMulIntegerToFloat", [("x", codes((3, 16), U8)), ("w", codes((16, 9), I8)), ("xs", f(0.02)), ("ws", floats(9, low=0.01, high=0.02)), ("xz", np.array(99, U8)), ("wz", np.zeros(9, I8)), ("b", floats(9))],
           {"w", "xs", "xz", "ws", "wz", "b"}, F32)
    single("matmulinteger", "MatMulInteger", [("x", codes((2, 3, 16), U8)), ("w", codes((16, 9), I8)), ("xz", np.array(99, U8)), ("wz", codes((9,), I8))], {"w", "wz", "xz"}, I32, domain="")
    for bits, block, zeros in ((4, 32, True), (4, 16, False)):
        k, n = 50, 6
        blocks = -(-k // block)
        inputs = [("x", floats(3, k)), ("w", codes((n, blocks, block * bits // 8), U8)), ("s", floats(n * blocks, low=0.01, high=0.05))]
        if zeros:
            inputs.append(("z", codes((n * -(-blocks * bits // 8),), U8)))
        single(f"matmulnbits_{block}", "MatMulNBits", inputs, {"w", "s", "z"}, F32, K=k, N=n, bits=bits, block_size=block)


def edges():
    """Real numbers to integers and back: of known shape, and as many as the data says."""
    x = np.concatenate([floats(4, 37, low=-9, high=9), (np.arange(74).reshape(2, 37) - 37).astype(F32) / 8])
    for t, zero in ((U8, 100), (I8, -20)):
        n = np.dtype(t).name
        single(f"quantizelinear_{n}", "QuantizeLinear", [("x", x), ("s", f(0.0625 if t == I8 else 0.071)), ("z", np.array(zero, t))], {"s", "z"}, t, domain="")
    nodes = [
        helper.make_node("NonZero", ["x"], ["places"]),
        helper.make_node("Cast", ["places"], ["real"], to=T.FLOAT),
        helper.make_node("QuantizeLinear", ["real", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("Transpose", ["d"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "open", [helper.make_tensor_value_info("x", T.FLOAT, [5, 7])], [helper.make_tensor_value_info("y", T.FLOAT, None)],
        [numpy_helper.from_array(f(0.25), "s"), numpy_helper.from_array(np.array(3, U8), "z")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    run("quantizelinear_open", model, {"x": np.maximum(floats(5, 7), 0)})


class Data(CalibrationDataReader):
    def __init__(self, batches):
        self.batches = iter(batches)

    def get_next(self):
        return next(self.batches, None)


def networks():
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], group=8, pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Clip", ["c2", "lo", "hi"], ["r2"]),
        helper.make_node("Conv", ["r2", "w3"], ["c3"]),
        helper.make_node("Add", ["c3", "r2"], ["a"]),
        helper.make_node("Sigmoid", ["c3"], ["s"]),
        helper.make_node("Mul", ["a", "s"], ["m"]),
        helper.make_node("Concat", ["m", "r2"], ["cat"], axis=1),
        helper.make_node("MaxPool", ["cat"], ["mp"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("LeakyRelu", ["mp"], ["l"], alpha=0.1),
        helper.make_node("GlobalAveragePool", ["l"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "w4", "b4"], ["z"], transB=1),
        helper.make_node("Softmax", ["z"], ["y"], axis=-1),
    ]
    weights = {"w1": floats(8, 3, 3, 3, low=-0.4, high=0.4), "b1": floats(8), "w2": floats(8, 1, 3, 3, low=-0.5, high=0.5), "b2": floats(8),
               "w3": floats(8, 8, 1, 1, low=-0.5, high=0.5), "w4": floats(5, 16), "b4": floats(5), "lo": f(0), "hi": f(6)}
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", T.FLOAT, [1, 3, 16, 16])], [helper.make_tensor_value_info("y", T.FLOAT, [1, 5])],
        [numpy_helper.from_array(a, n) for n, a in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net.onnx")
        onnx.save(model, path)
        data = [{"x": floats(1, 3, 16, 16)} for _ in range(8)]
        for name, kw in {
            "qdq_u8s8_channel": dict(quant_format=QuantFormat.QDQ, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True),
            "qdq_s8s8": dict(quant_format=QuantFormat.QDQ, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8),
            "qdq_u8u8": dict(quant_format=QuantFormat.QDQ, activation_type=QuantType.QUInt8, weight_type=QuantType.QUInt8),
            "qoperator_u8s8": dict(quant_format=QuantFormat.QOperator, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8),
        }.items():
            out = os.path.join(folder, name + ".onnx")
            quantize_static(path, out, Data(list(data)), **kw)
            run(name, onnx.load(out), data[0])


if __name__ == "__main__":
    operators()
    networks()
    edges()
