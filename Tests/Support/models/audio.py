"""Evaluations of sound: speech recognition, voice activity, noise suppression, tagging, keywords."""

import json
import wave

import numpy
from safetensors.numpy import load_file

from tables import accuracy, auc, rows


def sound(path):
    """Samples from -1 to 1 and their rate."""
    with wave.open(str(path)) as file:
        data = numpy.frombuffer(file.readframes(file.getnframes()), dtype=numpy.int16)
        return data.astype(numpy.float32) / 32768, file.getframerate()


def distance(a, b):
    """Insertions, deletions and replacements between two sequences."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def mel_features(samples):
    """[frames, 40] log mel energies of 8 kHz speech, mean 0 and deviation 1 over the clip."""
    window = 0.5 - 0.5 * numpy.cos(2 * numpy.pi * numpy.arange(200) / 200)
    count = 1 + (len(samples) - 200) // 80
    frames = numpy.stack([samples[i * 80:i * 80 + 200] for i in range(count)]) * window
    power = abs(numpy.fft.rfft(frames, 256)) ** 2
    mel = lambda hertz: 2595 * numpy.log10(1 + hertz / 700)
    points = 700 * (10 ** (numpy.linspace(mel(60), mel(3800), 42) / 2595) - 1)
    bins = numpy.arange(129) * 8000 / 256
    weights = numpy.zeros((129, 40))
    for i in range(40):
        left, centre, right = points[i:i + 3]
        weights[:, i] = numpy.maximum(0, numpy.minimum(
            (bins - left) / (centre - left), (right - bins) / (right - centre)))
    logs = numpy.log(power @ weights + 1e-6)
    return ((logs - logs.mean()) / (logs.std() + 1e-5)).astype(numpy.float32)


def asr(runner):
    """Spoken digits to letters, greedily."""
    folder = "asr-digits-ctc"
    alphabet = json.loads(runner.path(f"{folder}/meta.json").read_text())["labels"]
    lines = runner.first(rows(runner.path(f"{folder}/eval/digits.tsv")), 40)
    errors = reference = length = 0
    for line in lines:
        samples, _ = sound(runner.path(f"{folder}/eval/{line['file']}"))
        features = mel_features(samples)[None]
        found = runner.run(f"{folder}/model.onnx", {"features": features})["logprobs"][0].argmax(1)
        best = [c for i, c in enumerate(found) if c and (i == 0 or c != found[i - 1])]
        text = "".join(alphabet[c] for c in best).strip()
        errors += distance(text, line["text"])
        reference += distance(line["ref_text"], line["text"])
        length += len(line["text"])
    yield (folder, "character error %", 100 * errors / length, 100 * reference / length, len(lines), False)


def vad(runner):
    """Speech or not, frame by frame; the state goes from call to call."""
    folder = "vad-silero-v6"
    clips = [json.loads(line) for line in runner.path(f"{folder}/eval/speech.jsonl").open()]
    # One model's extents have no names that tie the state's batch to the sound's.
    for model, limits in (("silero_vad_16k_op15.onnx", []), ("silero_vad.onnx", ["--limit", "dim_state_1=1"])):
        ours, theirs, labels = [], [], []
        for clip in clips:
            samples, _ = sound(runner.path(f"{folder}/eval/{clip['wav']}"))
            count = len(samples) // 512
            padded = numpy.concatenate([numpy.zeros(64, numpy.float32), samples])
            frames = numpy.stack([padded[i * 512:i * 512 + 576] for i in range(count)])
            inputs = {"input": frames, "sr": numpy.array(16000, numpy.int64)}
            found = runner.run(f"{folder}/{model}", inputs, "--state", "state=stateN", *limits)["output"]
            ours += list(found[:, 0])
            theirs += clip["reference"][model][:count]
            for i in range(count):
                middle = (i * 512 + 256) / 16000
                labels.append(any(w["start"] <= middle < w["end"] for w in clip["speech"]))
        yield (f"{folder}/{model}", "frame ROC AUC %", auc(ours, labels), auc(theirs, labels), len(labels))


def si_sdr(estimate, target):
    """Signal to distortion in decibels, whatever the volume."""
    target = target - target.mean()
    estimate = estimate - estimate.mean()
    part = target * (estimate @ target) / (target @ target)
    return 10 * numpy.log10((part @ part) / ((estimate - part) @ (estimate - part)))


def dtln(runner):
    """Noise taken out of speech by two streaming models."""
    folder = "denoise-dtln"
    yield denoised(runner, f"{folder}/dtln_1.onnx", "activation_2", "tf_op_layer_stack_2",
                   f"{folder}/dtln_2.onnx", "conv1d_3", "tf_op_layer_stack_5", None)


def dtln_tflite(runner):
    """The same with weights of eight bits; the reference is what ai-edge-litert 2.3.0 gives."""
    folder = "denoise-dtln"
    yield denoised(runner, f"{folder}/dtln_dynq_1.tflite", "Identity", "Identity_1",
                   f"{folder}/dtln_dynq_2.tflite", "Identity", "Identity_1", 17.0018)


def denoised(runner, first, mask, first_state, second, block, second_state, known):
    """Signal to distortion behind two models, given their outputs' names; without a known reference it is ONNX's."""
    folder = "denoise-dtln"
    gains, reference = [], []
    lines = rows(runner.path(f"{folder}/eval/pairs.tsv"))
    for line in lines:
        noisy, _ = sound(runner.path(f"{folder}/eval/{line['noisy']}"))
        clean, _ = sound(runner.path(f"{folder}/eval/{line['clean']}"))
        padded = numpy.concatenate([numpy.zeros(384, numpy.float32), noisy])
        count = (len(padded) - 512) // 128 + 1
        frames = numpy.stack([padded[i * 128:i * 128 + 512] for i in range(count)])
        spectra = numpy.fft.rfft(frames)
        masks = runner.run(
            first, {"input_2": abs(spectra).astype(numpy.float32)[:, None]}, "--state",
            f"input_3={first_state}")[mask][:, 0]
        estimates = numpy.fft.irfft(spectra * masks).astype(numpy.float32)
        blocks = runner.run(
            second, {"input_4": estimates[:, None]}, "--state",
            f"input_5={second_state}")[block][:, 0]
        out = numpy.zeros(count * 128 + 384, numpy.float32)
        for i, samples in enumerate(blocks):
            out[i * 128:i * 128 + 512] += samples
        # Overlap and add has put the output behind the input by what was padded.
        length = min(len(clean), count * 128)
        gains.append(si_sdr(out[384:384 + length], clean[:length]) if length + 384 <= len(out)
                     else si_sdr(out[384:], clean[:len(out) - 384]))
        reference.append(float(line["si_sdr_ref_dB"]))
    wanted = known or float(numpy.mean(reference))
    return (first.rsplit("_", 1)[0], "SI-SDR dB", float(numpy.mean(gains)), wanted, len(lines))


def keywords(runner):
    """Twelve spoken words from ready-made features."""
    folder = "kws-dscnn-mlperftiny"
    data = load_file(runner.path(f"{folder}/eval/kws01.safetensors"))
    features, labels = data["features_int8"], data["labels"]
    for file, key in (("kws_dscnn_float32.tflite", "ref_float32_probs"), ("kws_dscnn_int8.tflite", "ref_int8_probs_q")):
        given = features
        if "float" in file:
            given = ((features.astype(numpy.float32) - 83) * 0.5847029).astype(numpy.float32)
        found = next(iter(runner.run(f"{folder}/{file}", {"input_1": given}).values()))
        yield (f"{folder}/{file}", "accuracy %", accuracy(found.argmax(1), labels),
               accuracy(data[key].argmax(1), labels), len(labels))


def tagging(runner):
    """Sounds of ten kinds among 521 classes."""
    folder = "audio-yamnet"
    classes = runner.path(f"{folder}/labels.txt").read_text().splitlines()
    lines = rows(runner.path(f"{folder}/eval/clips.tsv"))
    agree = 0
    for line in lines:
        samples, _ = sound(runner.path(f"{folder}/eval/{line['file']}"))
        starts = range(0, max(len(samples) - 15600, 0) + 1, 7800)
        scores = numpy.mean([
            next(iter(runner.run(f"{folder}/yamnet_int8mel.tflite", {
                "waveform_binary": samples[s:s + 15600]}).values()))[0] for s in starts], axis=0)
        agree += classes[scores.argmax()] == line["ref_top3"].split(";")[0].rsplit(" ", 1)[0]
    yield (folder, "top-1 as reference %", 100 * agree / len(lines), 100.0, len(lines))


EVALUATIONS = [asr, vad, dtln, dtln_tflite, keywords, tagging]
