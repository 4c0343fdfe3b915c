"""Calibration inputs of the shared models, as safetensors: input.NAME with items on axis 0, labels where
the data has classes.

    inputs.py MODELS OUT        MODELS: the shared model folder; OUT: where to write NAME.safetensors
"""
import csv
import json
import os
import sys

import numpy as np
from PIL import Image
from safetensors.numpy import load_file, save_file

models, out = sys.argv[1:3]
os.makedirs(out, exist_ok=True)


def save(name, labels=None, **inputs):
    tensors = {"input." + k.replace("__", "/"): np.ascontiguousarray(v) for k, v in inputs.items()}
    if labels is not None:
        tensors["labels"] = np.asarray(labels, np.int64)
    save_file(tensors, f"{out}/{name}.safetensors")


def rows(path, delimiter="\t"):
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE))


def photos(size, crop=False):
    folder = f"{models}/images-open"
    names = sorted(n for n in os.listdir(folder) if n.lower().endswith((".jpg", ".png", ".jpeg")))
    pictures = []
    for name in names:
        picture = Image.open(f"{folder}/{name}").convert("RGB")
        if crop:
            side = min(picture.size)
            left, top = (picture.width - side) // 2, (picture.height - side) // 2
            picture = picture.crop((left, top, left + side, top + side))
        pictures.append(np.asarray(picture.resize(size), np.float32))
    return np.stack(pictures)


def texts(name, folder, sentences, length=32, labels=None, types=True):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(length)
    encoded = tokenizer.encode_batch(sentences)
    keep = [i for i, e in enumerate(encoded) if len(e.ids) >= 4]
    ids = np.zeros((len(keep), length), np.int64)
    mask = np.zeros((len(keep), length), np.int64)
    for row, i in enumerate(keep):
        ids[row, : len(encoded[i].ids)] = encoded[i].ids
        mask[row, : len(encoded[i].ids)] = 1
    inputs = {"input_ids": ids, "attention_mask": mask}
    if types:
        inputs["token_type_ids"] = np.zeros_like(ids)
    save(name, None if labels is None else [labels[i] for i in keep], **inputs)


def mnist():
    data = load_file(f"{models}/cls-mnist-cnn/eval/mnist_2000.safetensors")
    save("mnist", data["labels"], Input3=data["images"][:, None].astype(np.float32))


def resnet8():
    folder = f"{models}/cls-resnet8-cifar10"
    items = rows(f"{folder}/eval/labels.tsv")
    names = json.load(open(f"{folder}/meta.json"))["labels"]
    pictures = []
    for item in items:
        path = f"{folder}/eval/" + next(v for v in item.values() if v.endswith(".jpg"))
        pictures.append(np.asarray(Image.open(path).convert("RGB"), np.float32))
    key = next(k for k in items[0] if "label" in k or "gold" in k)
    labels = [int(i[key]) if i[key].isdigit() else names.index(i[key]) for i in items]
    save("resnet8", labels, input_1=np.stack(pictures))


def kws():
    data = load_file(f"{models}/kws-dscnn-mlperftiny/eval/kws01.safetensors")
    features = (data["features_int8"].astype(np.float32) - 83) * 0.5847029089927673
    save("kws", data["labels"], input_1=features)


def plates():
    folder = f"{models}/ocr-lprnet-plates/eval"
    pictures = []
    for item in rows(f"{folder}/plates.tsv"):
        path = next(v for v in item.values() if v.endswith((".jpg", ".png")))
        rgb = np.asarray(Image.open(f"{folder}/{path}").convert("RGB"), np.float32)
        pictures.append(((rgb[:, :, ::-1] - 127.5) * 0.0078125).transpose(2, 0, 1))
    save("lprnet", image=np.stack(pictures))


def lines():
    folder = f"{models}/ocr-ppocr-en/eval"
    pictures = []
    for item in rows(f"{folder}/lines.tsv"):
        path = next(v for v in item.values() if v.endswith((".jpg", ".png")))
        picture = Image.open(f"{folder}/{path}").convert("RGB")
        width = min(max(round(picture.width * 32 / picture.height), 8), 320)
        bgr = np.asarray(picture.resize((width, 32)), np.float32)[:, :, ::-1]
        padded = np.zeros((3, 32, 320), np.float32)
        padded[:, :, :width] = ((bgr / 255 - 0.5) / 0.5).transpose(2, 0, 1)
        pictures.append(padded)
    save("ppocr-rec", x=np.stack(pictures))


def recommender():
    folder = f"{models}/rec-twotower-movietweetings"
    history = []
    for item in rows(f"{folder}/eval/leave_last_out.tsv"):
        key = next(k for k in item if "hist" in k)
        seen = [int(x) for x in item[key].replace(",", " ").split()][-30:]
        history.append([0] * (30 - len(seen)) + seen)
    save("twotower", history=np.asarray(history, np.int64))


def speech():
    data = load_file(f"{models}/asr-digits-ctc/io.safetensors")
    import wave

    folder = f"{models}/asr-digits-ctc"
    mel = np.loadtxt(f"{folder}/mel_40x129.csv", delimiter=",")
    clips = []
    for name in sorted(os.listdir(f"{folder}/eval/wav")):
        with wave.open(f"{folder}/eval/wav/{name}") as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768
        count = 1 + (len(samples) - 200) // 80
        frames = np.stack([samples[i * 80 : i * 80 + 200] for i in range(count)])
        power = np.abs(np.fft.rfft(frames * np.hanning(201)[:200], 256)) ** 2
        features = np.log(power @ mel.T + 1e-6)
        features = (features - features.mean()) / (features.std() + 1e-5)
        clips.append(features.astype(np.float32))
    length = min(len(c) for c in clips + [data["input.features"][0]])
    save("asr", features=np.stack([c[:length] for c in clips]))


def files():
    """Real files of this machine, as magika reads them: 1,024 bytes of the beginning and of the end."""
    roots = ["/usr/share", "/usr/lib", "/usr/include", "/etc", "/usr/bin"]
    by_kind = {}
    for root in roots:
        for folder, _, names in sorted(os.walk(root)):
            for name in sorted(names):
                path = f"{folder}/{name}"
                kind = os.path.splitext(name)[1][:8]
                if len(by_kind.setdefault(kind, [])) < 12 and os.path.isfile(path):
                    if not os.path.islink(path) and 64 < os.path.getsize(path) < 1 << 26:
                        by_kind[kind].append(path)
    rows = []
    for path in sorted(sum(by_kind.values(), []))[::1]:
        with open(path, "rb") as file:
            content = file.read()
        head, tail = content[:4096].lstrip()[:1024], content[-4096:].rstrip()[-1024:]
        row = np.full(2048, 256, np.int32)
        row[: len(head)] = list(head)
        row[2048 - len(tail) :] = list(tail)
        rows.append(row)
    step = max(len(rows) // 400, 1)
    known = load_file(f"{models}/filetype-magika-v3_3/eval/features.safetensors")["input.bytes"]
    save("magika", bytes=np.concatenate([known, np.stack(rows[::step][:400]).astype(known.dtype)]))


def all():
    mnist()
    resnet8()
    kws()
    plates()
    lines()
    recommender()
    speech()
    files()
    save("nbeats", history=load_file(f"{models}/ts-nbeats-m4-hourly/eval/test.safetensors")["input.history"])
    save("mobilenet", input=photos((224, 224), crop=True) / 127.5 - 1)
    save("yolox", images=photos((416, 416))[:, :, :, ::-1].transpose(0, 3, 1, 2))
    save("ultraface", input=((photos((320, 240)) - 127) / 128).transpose(0, 3, 1, 2))
    sentiment = rows(f"{models}/text-sentiment-minilm-l3/eval/uci.tsv")
    texts("sentiment", f"{models}/text-sentiment-minilm-l3/hf", [r["text"] for r in sentiment],
          labels=[int(r["label"]) for r in sentiment])
    ner = [json.loads(line) for line in open(f"{models}/ner-minilm-l3/eval/sentences.jsonl")]
    texts("ner", f"{models}/ner-minilm-l3", [" ".join(r["tokens"]) for r in ner], types=False)
    minilm = os.environ.get("KNAPSACK_MINILM")
    if minilm:
        pairs = rows(f"{models}/emb-minilm-l6-v2/eval/stsb.tsv")
        texts("minilm", minilm, [r["sentence1"] for r in pairs])


all()
