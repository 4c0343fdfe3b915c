"""Writes small TFLite models and what ai-edge-litert computes with them.

    pip install ai-edge-litert==2.3.0 flatbuffers numpy safetensors
    python3 Tests/Support/TFLite/make_tflite_fixtures.py

Each fixture is NAME.tflite beside NAME.safetensors (tensors input.* and output.*, and where the model
keeps states again.*, what a second run with the same inputs gives). Everything is drawn
from a fixed seed. The engine is the default one, with XNNPACK.
"""
import os

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from safetensors.numpy import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
TYPES = {np.dtype(t): getattr(schema.TensorType, n) for t, n in [
    (np.float32, "FLOAT32"), (np.int32, "INT32"), (np.uint8, "UINT8"), (np.int64, "INT64"),
    (np.bool_, "BOOL"), (np.int16, "INT16"), (np.int8, "INT8"), (np.float16, "FLOAT16")]}
random = np.random.default_rng(20)


class Sketch:
    """One subgraph, built tensor by tensor."""

    def __init__(self):
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.graph.inputs, self.graph.outputs = [], []
        self.model.subgraphs = [self.graph]
        self.data = {}

    def tensor(self, shape, dtype=np.float32, scale=None, zero=0, data=None, axis=0, name=None):
        t = schema.TensorT()
        t.shape, t.type = list(shape), TYPES[np.dtype(dtype)]
        t.name = name or f"t{len(self.graph.tensors)}"
        t.buffer = 0
        if data is not None:
            b = schema.BufferT()
            b.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self.model.buffers.append(b)
            t.buffer = len(self.model.buffers) - 1
        if scale is not None:
            q = schema.QuantizationParametersT()
            scale = np.atleast_1d(np.array(scale, np.float32))
            q.scale = scale
            q.zeroPoint = np.full(scale.size, zero, np.int64)
            q.quantizedDimension = axis
            t.quantization = q
        self.graph.tensors.append(t)
        return len(self.graph.tensors) - 1

    def constant(self, data, **kw):
        data = np.asarray(data)
        return self.tensor(data.shape, data.dtype, data=data, **kw)

    def input(self, data, **kw):
        i = self.tensor(data.shape, data.dtype, **kw)
        self.graph.inputs.append(i)
        self.data[i] = data
        return i

    def op(self, code, inputs, outputs, options=None, custom=None):
        c = schema.OperatorCodeT()
        c.builtinCode = getattr(schema.BuiltinOperator, code)
        c.deprecatedBuiltinCode = min(c.builtinCode, 127)
        c.version = 1
        self.model.operatorCodes.append(c)
        o = schema.OperatorT()
        o.opcodeIndex = len(self.model.operatorCodes) - 1
        o.inputs, o.outputs = list(inputs), list(outputs)
        if options is not None:
            o.builtinOptions = options
            name = type(options).__name__[:-1]
            o.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        self.graph.operators.append(o)

    def write(self, name, outputs):
        self.graph.outputs = list(outputs)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        bytes_ = bytes(builder.Output())
        interpreter = Interpreter(model_content=bytes_, num_threads=1)
        interpreter.allocate_tensors()
        for i, data in self.data.items():
            interpreter.set_tensor(i, data)
        interpreter.invoke()
        io = {}
        for i, data in self.data.items():
            io[f"input.{self.graph.tensors[i].name}"] = np.array(data, order="C")
        for i in outputs:
            out = interpreter.get_tensor(i)
            io[f"output.{self.graph.tensors[i].name}"] = np.array(out, order="C")
        if any(t.isVariable for t in self.graph.tensors):
            interpreter.invoke()
            for i in outputs:
                again = np.array(interpreter.get_tensor(i), order="C")
                io[f"again.{self.graph.tensors[i].name}"] = again
        with open(os.path.join(HERE, name + ".tflite"), "wb") as f:
            f.write(bytes_)
        save_file(io, os.path.join(HERE, name + ".safetensors"))


def options(kind, **kw):
    o = getattr(schema, kind + "OptionsT")()
    for key, value in kw.items():
        assert hasattr(o, key), (kind, key)
        setattr(o, key, value)
    return o


def codes(shape, dtype):
    i = np.iinfo(dtype)
    return random.integers(i.min, i.max + 1, shape).astype(dtype)


def floats(*shape, low=-2, high=2):
    return random.uniform(low, high, shape).astype(np.float32)


def unary(name, code, x, opt=None, y=None, **kw):
    s = Sketch()
    i = s.input(x, **kw)
    o = s.tensor((y or {}).pop("shape", x.shape) if y else x.shape, (y or {}).pop("dtype", x.dtype) if y else x.dtype, **(y or {}))
    s.op(code, [i], [o], opt)
    s.write(name, [o])


def conv(name, x, w, b, opt, xq, wq, yq, out, depthwise=False, x_type=None):
    s = Sketch()
    i = s.input(x, **xq)
    k = s.constant(w, **wq)
    inputs = [i, k] + ([s.constant(b, **({"scale": 1.0} if b.dtype == np.int32 else {}))] if b is not None else [])
    if b is not None and b.dtype == np.int32:
        t = s.graph.tensors[inputs[2]].quantization
        ws = np.atleast_1d(np.array(wq["scale"], np.float32))
        t.scale = (np.float32(xq["scale"]) * ws).astype(np.float32)
        t.zeroPoint = np.zeros(ws.size, np.int64)
    y = s.tensor(out, x.dtype, **yq)
    s.op("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", inputs, [y], opt)
    s.write(name, [y])


def convolutions():
    none = {}
    for act, a in [("none", 0), ("relu", 1), ("relu6", 3)]:
        conv(f"conv_float_{act}", floats(1, 7, 6, 3), floats(5, 3, 3, 3), floats(5),
             options("Conv2D", padding=0, strideW=2, strideH=1, fusedActivationFunction=a), none, none, none, (1, 7, 3, 5))
        for dtype, zero in [(np.int8, -7), (np.uint8, 121)]:
            n = np.dtype(dtype).name
            per = 1 if dtype == np.uint8 else 5
            wq = {"scale": list(random.uniform(0.01, 0.03, per)), "zero": 0 if dtype == np.int8 else 131}
            conv(f"conv_{n}_{act}", codes((1, 7, 6, 3), dtype), np.clip(codes((5, 3, 3, 3), dtype), -127, 255).astype(dtype),
                 random.integers(-900, 900, 5).astype(np.int32),
                 options("Conv2D", padding=0, strideW=2, strideH=1, fusedActivationFunction=a),
                 {"scale": 0.02, "zero": zero}, wq, {"scale": 0.11, "zero": zero + 3}, (1, 7, 3, 5))
    for mult in (1, 2):
        c = 9
        conv(f"depthwise_float_m{mult}", floats(1, 6, 6, c), floats(1, 3, 3, c * mult), floats(c * mult),
             options("DepthwiseConv2D", padding=1, strideW=1, strideH=1, depthMultiplier=mult, fusedActivationFunction=0), none, none, none,
             (1, 4, 4, c * mult), True)
        for dtype, zero in [(np.int8, 5), (np.uint8, 100)]:
            n = np.dtype(dtype).name
            per = 1 if dtype == np.uint8 else c * mult
            wq = {"scale": list(random.uniform(0.01, 0.03, per)), "zero": 0 if dtype == np.int8 else 120, "axis": 3}
            if per == 1:
                wq["axis"] = 0
            conv(f"depthwise_{n}_m{mult}", codes((1, 6, 6, c), dtype), np.clip(codes((1, 3, 3, c * mult), dtype), -127, 255).astype(dtype),
                 random.integers(-900, 900, c * mult).astype(np.int32),
                 options("DepthwiseConv2D", padding=0, strideW=2, strideH=2, depthMultiplier=mult, fusedActivationFunction=1),
                 {"scale": 0.02, "zero": zero}, wq, {"scale": 0.05, "zero": zero - 3}, (1, 3, 3, c * mult), True)
    conv("conv_dilated_int8", codes((1, 9, 9, 4), np.int8), np.clip(codes((6, 3, 3, 4), np.int8), -127, 127).astype(np.int8),
         random.integers(-900, 900, 6).astype(np.int32),
         options("Conv2D", padding=1, strideW=1, strideH=1, dilationWFactor=2, dilationHFactor=2),
         {"scale": 0.02, "zero": 3}, {"scale": list(random.uniform(0.01, 0.03, 6))}, {"scale": 0.1, "zero": -3}, (1, 5, 5, 6))
    conv("conv_grouped_float", floats(1, 5, 5, 8), floats(6, 3, 3, 4), floats(6),
         options("Conv2D", padding=0, strideW=1, strideH=1), none, none, none, (1, 5, 5, 6))


def products():
    for dtype, zero in [(np.int8, 5), (np.uint8, 100)]:
        n = np.dtype(dtype).name
        for bias in (True, False):
            s = Sketch()
            x = s.input(codes((3, 19), dtype), scale=0.02, zero=zero)
            w = s.constant(np.clip(codes((11, 19), dtype), -127, 255).astype(dtype), scale=0.015, zero=0 if dtype == np.int8 else 130)
            b = s.constant(random.integers(-500, 500, 11).astype(np.int32), scale=0.02 * 0.015) if bias else -1
            y = s.tensor((3, 11), dtype, scale=0.07, zero=zero)
            s.op("FULLY_CONNECTED", [x, w, b], [y], options("FullyConnected", fusedActivationFunction=1 if bias else 0))
            s.write(f"fully_connected_{n}" + ("" if bias else "_plain"), [y])
    s = Sketch()
    x = s.input(floats(2, 3, 10))
    w, b = s.constant(floats(7, 10)), s.constant(floats(7))
    y = s.tensor((2, 3, 7))
    s.op("FULLY_CONNECTED", [x, w, b], [y], options("FullyConnected", fusedActivationFunction=1, keepNumDims=True))
    s.write("fully_connected_float", [y])
    for per in (1, 7):
        s = Sketch()
        x = s.input(floats(3, 32))
        w = s.constant(np.clip(codes((7, 32), np.int8), -127, 127).astype(np.int8), scale=list(random.uniform(0.01, 0.02, per)))
        b = s.constant(floats(7))
        y = s.tensor((3, 7))
        s.op("FULLY_CONNECTED", [x, w, b], [y], options("FullyConnected"))
        s.write(f"fully_connected_hybrid_{per}", [y])
    s = Sketch()
    x = s.input(floats(1, 5, 5, 8))
    w = s.constant(np.clip(codes((6, 3, 3, 8), np.int8), -127, 127).astype(np.int8), scale=list(random.uniform(0.01, 0.02, 6)))
    b = s.constant(floats(6))
    y = s.tensor((1, 5, 5, 6))
    s.op("CONV_2D", [x, w, b], [y], options("Conv2D", padding=0, strideW=1, strideH=1))
    s.write("conv_hybrid", [y])
    s = Sketch()
    x, w = s.input(floats(2, 3, 4)), s.input(floats(2, 5, 4))
    y = s.tensor((2, 3, 5))
    s.op("BATCH_MATMUL", [x, w], [y], options("BatchMatMul", adjY=True))
    s.write("batch_matmul_float", [y])


def elementwise():
    every = np.arange(-128, 128).astype(np.int8).reshape(1, 4, 4, 16)
    for dtype, flip in [(np.int8, 0), (np.uint8, 128)]:
        n = np.dtype(dtype).name
        x = (every.astype(np.int16) + flip).astype(dtype)
        lo = -128 + flip
        for code, y in [("LOGISTIC", (1 / 256, lo)), ("TANH", (1 / 128, flip)), ("QUANTIZE", (0.031, flip - 9))]:
            unary(f"{code.lower()}_{n}", code, x, None, {"scale": y[0], "zero": y[1]}, scale=0.047, zero=flip + 3)
        unary(f"softmax_{n}", "SOFTMAX", x.reshape(8, 32), options("Softmax", beta=1.0), {"scale": 1 / 256, "zero": lo}, scale=0.047, zero=flip + 3)
        unary(f"leaky_relu_{n}", "LEAKY_RELU", x, options("LeakyRelu", alpha=0.1), {"scale": 0.05, "zero": flip + 1}, scale=0.047, zero=flip + 3)
        unary(f"dequantize_{n}", "DEQUANTIZE", x, None, {"dtype": np.float32}, scale=0.047, zero=flip + 3)
        unary(f"quantize_from_float_{n}", "QUANTIZE", floats(1, 5, 5, 8, low=-9, high=9), None, {"dtype": dtype, "scale": 0.06, "zero": flip - 4})
        unary(f"average_pool_{n}", "AVERAGE_POOL_2D", codes((1, 7, 6, 5), dtype), options("Pool2D", padding=0, strideW=2, strideH=2, filterWidth=3, filterHeight=3, fusedActivationFunction=1),
              {"shape": (1, 4, 3, 5), "scale": 0.05, "zero": flip - 100}, scale=0.05, zero=flip - 100)
        unary(f"max_pool_{n}", "MAX_POOL_2D", codes((1, 7, 6, 5), dtype), options("Pool2D", padding=1, strideW=2, strideH=2, filterWidth=3, filterHeight=2),
              {"shape": (1, 3, 2, 5), "scale": 0.05, "zero": flip - 10}, scale=0.05, zero=flip - 10)
        for op in ("ADD", "SUB", "MUL"):
            s = Sketch()
            a = s.input(codes((2, 4, 5, 3), dtype), scale=0.031, zero=flip + 4)
            b = s.input(codes((1, 1, 5, 3), dtype), scale=0.072, zero=flip - 9)
            y = s.tensor((2, 4, 5, 3), dtype, scale=0.081 if op != "MUL" else 0.15, zero=flip + 2)
            kind = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul"}[op]
            s.op(op, [a, b], [y], options(kind, fusedActivationFunction=1 if op == "ADD" else 0))
            s.write(f"{op.lower()}_{n}", [y])
        s = Sketch()
        x0 = s.input(codes((1, 6, 5, 4), dtype), scale=0.031, zero=flip + 4)
        axes = s.constant(np.array([1, 2], np.int32))
        y = s.tensor((1, 1, 1, 4), dtype, scale=0.02, zero=flip + 2)
        s.op("MEAN", [x0, axes], [y], options("Reducer", keepDims=True))
        s.write(f"mean_{n}", [y])
        s = Sketch()
        x0 = s.input(codes((1, 5, 4, 3), dtype), scale=0.031, zero=flip + 4)
        size = s.constant(np.array([9, 8], np.int32))
        y = s.tensor((1, 9, 8, 3), dtype, scale=0.031, zero=flip + 4)
        s.op("RESIZE_BILINEAR", [x0, size], [y], options("ResizeBilinear", halfPixelCenters=True))
        s.write(f"resize_bilinear_{n}", [y])
        s = Sketch()
        x0 = s.input(codes((1, 3, 4, 2), dtype), scale=0.031, zero=flip + 4)
        pads = s.constant(np.array([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32))
        y = s.tensor((1, 6, 5, 2), dtype, scale=0.031, zero=flip + 4)
        s.op("PAD", [x0, pads], [y], options("Pad"))
        s.write(f"pad_{n}", [y])
    s = Sketch()
    a = s.input(codes((2, 5), np.uint8), scale=0.031, zero=130)
    b = s.input(codes((2, 5), np.uint8), scale=0.05, zero=100)
    y = s.tensor((2, 10), np.uint8, scale=0.05, zero=110)
    s.op("CONCATENATION", [a, b], [y], options("Concatenation", axis=1))
    s.write("concat_uint8", [y])
    for code in ("LOGISTIC", "TANH", "RELU", "RELU6", "EXP", "ABS", "NEG", "FLOOR", "HARD_SWISH", "ELU", "SIN", "COS", "ROUND"):
        unary(f"{code.lower()}_float", code, floats(1, 3, 4, 5, low=-4, high=4))
    for code in ("LOG", "SQRT", "RSQRT"):
        unary(f"{code.lower()}_float", code, floats(1, 3, 4, 5, low=0.1, high=4))
    unary("softmax_float", "SOFTMAX", floats(3, 7), options("Softmax", beta=0.7))
    unary("l2_normalization_float", "L2_NORMALIZATION", floats(3, 7), options("L2Norm"))
    for op in ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "FLOOR_DIV", "FLOOR_MOD", "POW"):
        s = Sketch()
        low = 0.5 if op == "POW" else -3
        a, b = s.input(floats(2, 3, 4, low=low)), s.input(floats(3, 1, low=low))
        y = s.tensor((2, 3, 4))
        s.op(op, [a, b], [y])
        s.write(f"{op.lower()}_float", [y])
    for op in ("FLOOR_DIV", "FLOOR_MOD", "ADD", "MUL"):
        s = Sketch()
        b0 = random.integers(1, 7, (3, 1)).astype(np.int32) * random.choice([-1, 1], (3, 1)).astype(np.int32)
        a, b = s.input(random.integers(-50, 50, (2, 3, 4)).astype(np.int32)), s.input(b0)
        y = s.tensor((2, 3, 4), np.int32)
        s.op(op, [a, b], [y])
        s.write(f"{op.lower()}_int32", [y])


def layouts():
    s = Sketch()
    x = s.input(floats(2, 5, 6, 3))
    c = lambda *v: s.constant(np.array(v, np.int32))
    y = s.tensor((2, 2, 3))
    s.op("STRIDED_SLICE", [x, c(0, 1, -1, 0), c(2, 5, 0, 3), c(1, 2, 1, 1)], [y],
         options("StridedSlice", beginMask=1, endMask=1, shrinkAxisMask=4))
    s.write("strided_slice", [y])
    s = Sketch()
    x = s.input(floats(4, 6))
    y = s.tensor((4, 1, 3))
    s.op("STRIDED_SLICE", [x, c(0, 0, 5), c(4, 0, -7), c(1, 1, -2)], [y], options("StridedSlice", newAxisMask=2))
    s.write("strided_slice_new_axis", [y])
    s = Sketch()
    x = s.input(floats(1, 4, 6, 8))
    y = s.tensor((1, 8, 12, 2))
    s.op("DEPTH_TO_SPACE", [x], [y], options("DepthToSpace", blockSize=2))
    s.write("depth_to_space", [y])
    s = Sketch()
    x = s.input(floats(1, 4, 6, 2))
    y = s.tensor((1, 2, 3, 8))
    s.op("SPACE_TO_DEPTH", [x], [y], options("SpaceToDepth", blockSize=2))
    s.write("space_to_depth", [y])
    s = Sketch()
    x = s.input(floats(1, 5, 6, 2))
    y = s.tensor((6, 2, 3, 2))
    s.op("SPACE_TO_BATCH_ND", [x, c(3, 2), s.constant(np.array([[0, 1], [0, 0]], np.int32))], [y])
    s.write("space_to_batch", [y])
    s = Sketch()
    x = s.input(floats(6, 2, 3, 2))
    y = s.tensor((1, 5, 6, 2))
    s.op("BATCH_TO_SPACE_ND", [x, c(3, 2), s.constant(np.array([[0, 1], [0, 0]], np.int32))], [y])
    s.write("batch_to_space", [y])
    s = Sketch()
    x = s.input(floats(2, 7, 3))
    ys = [s.tensor((2, n, 3)) for n in (2, 4, 1)]
    s.op("SPLIT_V", [x, c(2, -1, 1), c(1)], ys, options("SplitV", numSplits=3))
    s.write("split_v", ys)
    s = Sketch()
    x = s.input(floats(3, 4, 5))
    y = s.tensor((5, 3, 4))
    s.op("TRANSPOSE", [x, c(2, 0, 1)], [y])
    s.write("transpose", [y])
    s = Sketch()
    x = s.input(floats(3, 8))
    v, i = s.tensor((3, 4)), s.tensor((3, 4), np.int32)
    s.op("TOPK_V2", [x, s.constant(np.array(4, np.int32))], [v, i])
    s.write("topk", [v, i])
    s = Sketch()
    x = s.input(codes((3, 8), np.int8), scale=0.1, zero=2)
    y = s.tensor((3,), np.int32)
    s.op("ARG_MAX", [x, s.constant(np.array(1, np.int32))], [y], options("ArgMax", outputType=2))
    s.write("arg_max_int8", [y])
    s = Sketch()
    x = s.input(floats(2, 5, 4))
    y = s.tensor((2, 3, 4))
    s.op("GATHER", [x, c(4, 0, 2)], [y], options("Gather", axis=1))
    s.write("gather", [y])
    s = Sketch()
    x = s.input(floats(1, 5, 4, 3))
    y = s.tensor((1, 10, 7, 3))
    s.op("RESIZE_NEAREST_NEIGHBOR", [x, c(10, 7)], [y], options("ResizeNearestNeighbor", halfPixelCenters=True))
    s.write("resize_nearest", [y])
    for name, kw in [("half", {"halfPixelCenters": True}), ("aligned", {"alignCorners": True}), ("legacy", {})]:
        s = Sketch()
        x = s.input(floats(1, 5, 4, 3))
        y = s.tensor((1, 9, 7, 3))
        s.op("RESIZE_BILINEAR", [x, c(9, 7)], [y], options("ResizeBilinear", **kw))
        s.write(f"resize_bilinear_{name}", [y])
    s = Sketch()
    w, x = s.constant(floats(5, 3, 3, 4)), s.input(floats(1, 4, 5, 4))
    y = s.tensor((1, 8, 10, 5))
    s.op("TRANSPOSE_CONV", [c(1, 8, 10, 5), w, x], [y], options("TransposeConv", padding=0, strideW=2, strideH=2))
    s.write("transpose_conv", [y])
    s = Sketch()
    x = s.input(floats(1, 6, 6, 4))
    a, p, y = s.tensor((1, 6, 6, 4)), s.tensor((1, 3, 3, 4)), s.tensor((1, 4))
    s.op("RELU", [x], [a])
    s.op("AVERAGE_POOL_2D", [a], [p], options("Pool2D", padding=0, strideW=2, strideH=2, filterWidth=3, filterHeight=3))
    s.op("MEAN", [p, c(1, 2)], [y], options("Reducer"))
    s.write("pool_and_mean", [y])
    s = Sketch()
    x = s.input(floats(3, 4))
    y = s.tensor((3, 4), np.bool_)
    s.op("LESS", [x, s.constant(np.array(0.3, np.float32))], [y])
    z = s.tensor((3, 4))
    s.op("SELECT_V2", [y, x, s.constant(np.array(9, np.float32))], [z])
    s.write("less_select", [z])
    s = Sketch()
    x = s.input(floats(2, 6))
    y = s.tensor((2, 6))
    s.op("CUMSUM", [x, s.constant(np.array(1, np.int32))], [y], options("Cumsum", exclusive=True))
    s.write("cumsum", [y])


if __name__ == "__main__":
    for f in (convolutions, products, elementwise, layouts):
        f()
