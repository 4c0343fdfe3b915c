"""Writes small TFLite models of recurrent layers, branches and loops, and what ai-edge-litert computes.

    pip install ai-edge-litert==2.3.0 flatbuffers numpy safetensors
    python3 Tests/Support/TFLite/make_recurrent_fixtures.py

Beside the fixtures of make_tflite_fixtures.py, in the same form. Weights are scaled so that gates are
neither closed nor open; everything is drawn from a fixed seed.
"""
import numpy as np
from ai_edge_litert import schema_py_generated as schema

import make_tflite_fixtures
from make_tflite_fixtures import Sketch, options

random = np.random.default_rng(44)
NONE = -1


def floats(*shape, scale=1.0):
    return random.uniform(-scale, scale, shape).astype(np.float32)


class Layers(Sketch):
    """A sketch with states, weights in three forms, and more subgraphs."""

    def state(self, *shape, **kw):
        i = self.tensor(shape, **kw)
        self.graph.tensors[i].isVariable = True
        return i

    def weight(self, *shape, hybrid=False, channels=False, scale=0.6):
        w = floats(*shape, scale=scale)
        if not hybrid:
            return self.constant(w)
        most = np.abs(w).max(1, keepdims=True) if channels else np.abs(w).max()
        step = np.maximum(most, 1e-6) / 127
        codes = np.clip(np.rint(w / step), -127, 127).astype(np.int8)
        return self.constant(codes, scale=[float(s) for s in np.ravel(step)])

    def subgraph(self, inputs, build):
        """Adds a subgraph; build gets the tensors of its inputs and returns those of its outputs."""
        outer = self.graph
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs.append(self.graph)
        number = len(self.model.subgraphs) - 1
        given = [self.tensor(shape, dtype) for shape, dtype in inputs]
        self.graph.inputs = given
        self.graph.outputs = build(*given)
        self.graph = outer
        return number


def lstm_weights(s, width, units, outputs, coupled=False, peepholes=False, norms=False,
                 projection=False, bias=True, **kw):
    """The 24 inputs of an LSTM but for its data and states, by number."""
    w = [NONE] * 24
    gates = range(1 if coupled else 0, 4)
    for k in gates:
        w[1 + k] = s.weight(units, width, **kw)
        w[5 + k] = s.weight(units, outputs, **kw)
        if bias:
            w[12 + k] = s.constant(floats(units, scale=0.5))
        if peepholes and k != 2:
            w[9 + (0, 1, None, 2)[k]] = s.weight_vector(units, kw)
        if norms:
            w[20 + k] = s.constant(floats(units, scale=1.5))
    if projection:
        w[16] = s.weight(outputs, units, **kw)
        w[17] = s.constant(floats(outputs))
    return w


def weight_vector(self, units, kw):
    w = floats(units)
    if not kw.get("hybrid"):
        return self.constant(w)
    step = np.abs(w).max() / 127
    return self.constant(np.rint(w / step).astype(np.int8), scale=float(step))


Layers.weight_vector = weight_vector


def lstm(name, time=5, batch=2, width=6, units=7, outputs=None, time_major=False, asymmetric=False,
         cell_clip=0.0, projection_clip=0.0, one_step=False, activation=4, **kw):
    s = Layers()
    outputs = outputs or units
    data = floats(batch, width) if one_step else floats(
        *((time, batch) if time_major else (batch, time)), width)
    w = lstm_weights(s, width, units, outputs, projection=outputs != units, **kw)
    w[0] = s.input(data)
    w[18], w[19] = s.state(batch, outputs), s.state(batch, units)
    if not kw.get("norms"):
        w = w[:20]
    y = s.tensor((*data.shape[:-1], outputs))
    common = dict(fusedActivationFunction=activation, cellClip=cell_clip, projClip=projection_clip,
                  asymmetricQuantizeInputs=asymmetric)
    if one_step:
        s.op("LSTM", w, [y], options("LSTM", **common))
    else:
        s.op("UNIDIRECTIONAL_SEQUENCE_LSTM", w, [y],
             options("UnidirectionalSequenceLSTM", timeMajor=time_major, **common))
    s.write(name, [y])


def rnn(name, time=5, batch=2, width=6, units=7, time_major=False, asymmetric=False, one_step=False,
        activation=4, **kw):
    s = Layers()
    data = floats(batch, width) if one_step else floats(
        *((time, batch) if time_major else (batch, time)), width)
    x = s.input(data)
    w = [s.weight(units, width, **kw), s.weight(units, units, **kw), s.constant(floats(units))]
    h = s.state(batch, units)
    y = s.tensor((*data.shape[:-1], units))
    if one_step:
        s.op("RNN", [x, *w, h], [y], options(
            "RNN", fusedActivationFunction=activation, asymmetricQuantizeInputs=asymmetric))
    else:
        s.op("UNIDIRECTIONAL_SEQUENCE_RNN", [x, *w, h], [y], options(
            "SequenceRNN", timeMajor=time_major, fusedActivationFunction=activation,
            asymmetricQuantizeInputs=asymmetric))
    s.write(name, [y])


def both_ways(name, kind, time=5, batch=2, width=4, units=5, merge=False, time_major=False,
              extra=False, hybrid=False):
    """extra: a second input with weights of its own."""
    s = Layers()
    leading = (time, batch) if time_major else (batch, time)
    x = s.input(floats(*leading, width))
    more = s.input(floats(*leading, width)) if extra else NONE
    weigh = lambda *shape: s.weight(*shape, hybrid=hybrid)
    if kind == "RNN":
        half = lambda: [weigh(units, width), weigh(units, units), s.constant(floats(units)), s.state(batch, units)]
        inputs = [x, *half(), *half(), more, NONE, NONE]
        if extra:
            inputs[10], inputs[11] = weigh(units, width), weigh(units, width)
        opt = options("BidirectionalSequenceRNN", timeMajor=time_major, fusedActivationFunction=4, mergeOutputs=merge)
    else:
        half = lambda: lstm_weights(s, width, units, units, hybrid=hybrid)[1:18]
        inputs = [x, *half(), *half()]
        inputs += [s.state(batch, units) for _ in range(4)] + [more] + [NONE] * 8
        if extra:
            inputs[40:48] = [weigh(units, width) for _ in range(8)]
        opt = options("BidirectionalSequenceLSTM", timeMajor=time_major, fusedActivationFunction=4,
                      mergeOutputs=merge, cellClip=0.0, projClip=0.0)
    ys = [s.tensor((*leading, 2 * units))] if merge else [s.tensor((*leading, units)) for _ in range(2)]
    s.op(f"BIDIRECTIONAL_SEQUENCE_{kind}", inputs, ys, opt)
    s.write(name, ys)


def layers():
    lstm("lstm_float")
    lstm("lstm_float_time_major", time_major=True)
    lstm("lstm_float_coupled", coupled=True)
    lstm("lstm_float_coupled_peepholes", coupled=True, peepholes=True)
    lstm("lstm_float_peepholes", peepholes=True)
    lstm("lstm_float_clip", cell_clip=0.3)
    lstm("lstm_float_projection", outputs=4, projection_clip=0.5)
    lstm("lstm_float_norms", norms=True, coupled=False)
    lstm("lstm_float_norms_coupled", norms=True, coupled=True, outputs=3)
    lstm("lstm_float_relu", activation=1)
    lstm("lstm_float_relu6", activation=3)
    lstm("lstm_step_float", one_step=True)
    lstm("lstm_hybrid", hybrid=True)
    lstm("lstm_hybrid_asymmetric", hybrid=True, asymmetric=True)
    lstm("lstm_hybrid_coupled", hybrid=True, coupled=True, time_major=True)
    lstm("lstm_hybrid_projection", hybrid=True, outputs=4, asymmetric=True)
    lstm("lstm_hybrid_peepholes", hybrid=True, peepholes=True)
    rnn("rnn_float")
    rnn("rnn_float_time_major", time_major=True, activation=1)
    rnn("rnn_step_float", one_step=True)
    rnn("rnn_hybrid", hybrid=True)
    rnn("rnn_hybrid_asymmetric", hybrid=True, asymmetric=True)
    both_ways("bidirectional_rnn", "RNN")
    both_ways("bidirectional_rnn_merged", "RNN", merge=True, time_major=True)
    both_ways("bidirectional_rnn_extra", "RNN", extra=True)
    both_ways("bidirectional_lstm", "LSTM")
    both_ways("bidirectional_lstm_merged", "LSTM", merge=True, time_major=True)
    both_ways("bidirectional_lstm_extra", "LSTM", extra=True, time_major=True)
    both_ways("bidirectional_lstm_hybrid", "LSTM", hybrid=True)


def basic_lstm():
    s = Layers()
    units, width, batch = 4, 5, 2
    x, h = s.input(floats(batch, width)), s.input(floats(batch, units))
    w, b = s.weight(4 * units, width + units), s.constant(floats(4 * units))
    c = s.input(floats(batch, units))
    ys = [s.tensor((batch, units)), s.tensor((batch, units)), s.tensor((batch, width + units)),
          s.tensor((batch, 4 * units))]
    s.op("LSTM", [x, h, w, b, c], ys, options(
        "LSTM", fusedActivationFunction=4, cellClip=0.0, projClip=0.0, kernelType=1))
    s.write("lstm_basic", ys[:2])


def control():
    for value in (True, False):
        s = Layers()
        c, x = s.input(np.array(value)), s.input(floats(2, 3))
        shape = [((2, 3), np.float32)]

        def double(a):
            y = s.tensor((2, 3))
            s.op("ADD", [a, a], [y], options("Add"))
            return [y]

        def through(a):
            return [a]
        then, other = s.subgraph(shape, double), s.subgraph(shape, through)
        y, z = s.tensor((2, 3)), s.tensor((2, 3))
        s.op("IF", [c, x], [y], options("If", thenSubgraphIndex=then, elseSubgraphIndex=other))
        s.op("NEG", [y], [z], options("Neg"))
        s.write(f"if_{str(value).lower()}", [z])
    # Fibonacci numbers below a bound; the count and a value that is only handed on come out too.
    s = Layers()
    start = [s.input(np.array([v], np.int32)) for v in (0, 1, 0)]
    step = s.input(floats(3))
    shapes = [((1,), np.int32)] * 3 + [((3,), np.float32)]

    def below(a, b, n, w):
        y = s.tensor((1,), np.bool_)
        s.op("LESS", [b, s.constant(np.array([40], np.int32))], [y], options("Less"))
        return [y]

    def advance(a, b, n, w):
        total, count = s.tensor((1,), np.int32), s.tensor((1,), np.int32)
        s.op("ADD", [a, b], [total], options("Add"))
        s.op("ADD", [n, s.constant(np.array([1], np.int32))], [count], options("Add"))
        return [b, total, count, w]
    condition, body = s.subgraph(shapes, below), s.subgraph(shapes, advance)
    ys = [s.tensor(shape, dtype) for shape, dtype in shapes]
    s.op("WHILE", [*start, step], ys,
         options("While", condSubgraphIndex=condition, bodySubgraphIndex=body))
    z = s.tensor((3,))
    s.op("NEG", [ys[3]], [z], options("Neg"))
    s.write("while_fibonacci", [*ys[:3], z])
    # A loop in a loop: the inner one doubles until a bound that the outer one raises.
    s = Layers()
    n, x = s.input(np.array(0, np.int32)), s.input(np.array([1, 2], np.float32))
    shapes = [((), np.int32), ((2,), np.float32)]

    def outer_goes_on(k, v):
        y = s.tensor((), np.bool_)
        s.op("LESS", [k, s.constant(np.array(3, np.int32))], [y], options("Less"))
        return [y]

    def inner_goes_on(k, v):
        low, y = s.tensor(()), s.tensor((), np.bool_)
        s.op("REDUCE_MAX", [v, s.constant(np.array([0], np.int32))], [low], options("Reducer"))
        bound, real = s.tensor(()), s.tensor(())
        s.op("CAST", [k], [real], options("Cast"))
        s.op("ADD", [real, s.constant(np.array(9, np.float32))], [bound], options("Add"))
        s.op("LESS", [low, bound], [y], options("Less"))
        return [y]

    def inner_body(k, v):
        y = s.tensor((2,))
        s.op("ADD", [v, v], [y], options("Add"))
        return [k, y]
    inner = s.subgraph(shapes, inner_goes_on), s.subgraph(shapes, inner_body)

    def outer_body(k, v):
        m, w, next_k, half = s.tensor((), np.int32), s.tensor((2,)), s.tensor((), np.int32), s.tensor((2,))
        s.op("WHILE", [k, v], [m, w],
             options("While", condSubgraphIndex=inner[0], bodySubgraphIndex=inner[1]))
        s.op("ADD", [m, s.constant(np.array(1, np.int32))], [next_k], options("Add"))
        s.op("MUL", [w, s.constant(np.array(0.3, np.float32))], [half], options("Mul"))
        return [next_k, half]
    outer = s.subgraph(shapes, outer_goes_on), s.subgraph(shapes, outer_body)
    ys = [s.tensor(shape, dtype) for shape, dtype in shapes]
    s.op("WHILE", [n, x], ys, options("While", condSubgraphIndex=outer[0], bodySubgraphIndex=outer[1]))
    s.write("while_nested", ys)


def suppression():
    corners = random.uniform(0, 1, (24, 2))
    boxes = np.concatenate([corners, corners + random.uniform(0.1, 0.5, (24, 2))], 1).astype(np.float32)
    scores = random.permutation(24).astype(np.float32) / 24
    for version in (4, 5):
        s = Layers()
        b, c = s.input(boxes), s.input(scores)
        inputs = [b, c, s.constant(np.array(12, np.int32)), s.constant(np.array(0.3, np.float32)),
                  s.constant(np.array(0.2, np.float32))]
        ys = [s.tensor((12,), np.int32)]
        if version == 5:
            inputs.append(s.constant(np.array(0, np.float32)))
            ys.append(s.tensor((12,)))
        ys.append(s.tensor((), np.int32))
        s.op(f"NON_MAX_SUPPRESSION_V{version}", inputs, ys, options(f"NonMaxSuppressionV{version}"))
        s.write(f"suppression_v{version}", ys)


def memory_filters():
    batch, width, units, rank, steps = 2, 6, 3, 2, 5
    filters = units * rank
    for name, hybrid, asymmetric in (("float", False, False), ("hybrid", True, False),
                                     ("hybrid_asymmetric", True, True)):
        s = Layers()
        x = s.input(floats(batch, width))
        inputs = [x, s.weight(filters, width, hybrid=hybrid), s.constant(floats(filters, steps)),
                  s.constant(floats(units)), s.state(batch, filters * steps)]
        if hybrid:
            inputs[2] = s.weight(filters, steps, hybrid=True)
        y = s.tensor((batch, units))
        s.op("SVDF", inputs, [y], options(
            "SVDF", rank=rank, fusedActivationFunction=0, asymmetricQuantizeInputs=asymmetric))
        s.write(f"svdf_{name}", [y])
    s = Layers()
    i8 = lambda *shape: random.integers(-127, 128, shape).astype(np.int8)
    x = s.input(i8(batch, width), scale=0.01, zero=4)
    inputs = [
        x, s.constant(i8(filters, width), scale=0.006),
        s.constant(random.integers(-30000, 30000, (filters, steps)).astype(np.int16), scale=2.0 ** -15),
        s.constant(random.integers(-9000, 9000, units).astype(np.int32), scale=2.0 ** -27),
        s.state(batch, filters * steps, dtype=np.int16, scale=2.0 ** -12)]
    y = s.tensor((batch, units), np.int8, scale=0.02, zero=-128)
    s.op("SVDF", inputs, [y], options("SVDF", rank=rank, fusedActivationFunction=1))
    s.write("svdf_int8", [y])


def pixels():
    """Filters of one pixel and 8 bits over real numbers: XNNPACK quantizes each pixel by itself."""
    for stride in (1, 2):
        s = Layers()
        x = s.input(floats(1, 5, 6, 8))
        w = np.clip(random.integers(-127, 128, (6, 1, 1, 8)), -127, 127).astype(np.int8)
        w = s.constant(w, scale=[float(v) for v in random.uniform(0.01, 0.02, 6)])
        y = s.tensor((1, 5, 6, 6) if stride == 1 else (1, 3, 3, 6))
        s.op("CONV_2D", [x, w, s.constant(floats(6))], [y],
             options("Conv2D", padding=0, strideW=stride, strideH=stride))
        s.write(f"conv_hybrid_pixel_{stride}", [y])


if __name__ == "__main__":
    for f in (layers, basic_lstm, memory_filters, control, suppression, pixels):
        f()
