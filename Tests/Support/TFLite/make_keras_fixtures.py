"""Writes small recurrent Keras models as TensorFlow converts them, and what ai-edge-litert computes.

    pip install ai-edge-litert==2.3.0 tensorflow-cpu==2.21.0 tf_keras==2.21.0 safetensors
    python3 Tests/Support/TFLite/make_keras_fixtures.py

Keras 3 gives loops (WHILE), its predecessor tf_keras layers in one piece: each needs a process of its
own. Fixtures are in the form of make_tflite_fixtures.py, their names start with keras_.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main(library):
    import importlib
    import numpy as np
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter
    from safetensors.numpy import save_file
    keras = importlib.import_module(library)
    layer = keras.layers
    keras.utils.set_random_seed(7)
    random = np.random.default_rng(8)

    def write(name, layers, kind="float", batch=1, shape=(6, 5), stateful=False):
        model = keras.Sequential([keras.Input(shape=shape, batch_size=batch), *layers])
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        sample = lambda: random.standard_normal((batch, *shape)).astype(np.float32)
        if kind != "float":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "int8":
            converter.representative_dataset = lambda: ([sample()] for _ in range(50))
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        data = converter.convert()
        interpreter = Interpreter(model_content=data, num_threads=1)
        interpreter.allocate_tensors()
        given, wanted = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        x = sample()
        if kind == "int8":
            scale, zero = given["quantization"]
            x = np.clip(np.rint(x / scale) + zero, -128, 127).astype(np.int8)
        tensors = {f"input.{given['name']}": x}
        for role in ("output", "again") if stateful else ("output",):
            interpreter.set_tensor(given["index"], x)
            interpreter.invoke()
            tensors[f"{role}.{wanted['name']}"] = interpreter.get_tensor(wanted["index"]).copy()
        with open(os.path.join(HERE, f"keras_{name}.tflite"), "wb") as f:
            f.write(data)
        save_file(tensors, os.path.join(HERE, f"keras_{name}.safetensors"))

    if library == "keras":
        write("while_lstm", [layer.LSTM(5)])
        write("while_gru_both_ways", [layer.Bidirectional(layer.GRU(3, return_sequences=True))], batch=2)
        write("while_rnn", [layer.SimpleRNN(7, return_sequences=True)])
        write("while_gru_dynamic", [layer.GRU(24)], "dynamic", shape=(4, 20))
        write("stateful_lstm", [layer.LSTM(5, stateful=True)], stateful=True)
    else:
        write("lstm", [layer.LSTM(7, return_sequences=True), layer.LSTM(4)], stateful=True)
        write("lstm_dynamic", [layer.LSTM(18)], "dynamic", shape=(4, 20), stateful=True)
        write("lstm_int8", [layer.LSTM(7, return_sequences=True), layer.LSTM(4)], "int8", stateful=True)
        write("lstm_int8_wide", [layer.LSTM(20)], "int8", shape=(9, 17), stateful=True)
        both = layer.Bidirectional(layer.LSTM(3, return_sequences=True))
        write("lstm_both_ways", [both], stateful=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        for library in ("keras", "tf_keras"):
            legacy = {"TF_USE_LEGACY_KERAS": "1"} if library == "tf_keras" else {}
            subprocess.run([sys.executable, __file__, library], check=True, env={**os.environ, **legacy})
