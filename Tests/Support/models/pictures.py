"""Evaluations of pictures: digits, photos, plates, lines of text, faces, objects."""

import csv
import json
import tempfile

import numpy
from PIL import Image
from safetensors.numpy import load_file

from audio import distance
from tables import accuracy, rows


def photo(runner, folder, file):
    """The picture of a line of labels, in RGB."""
    return Image.open(runner.path(f"{folder}/eval/{file}")).convert("RGB")


def each(runner, model, name, arrays, *options):
    """Outputs of pictures that the model takes one at a time, one behind the other."""
    return runner.run(model, {name: numpy.concatenate(arrays)}, *options)


def mnist(runner):
    """Handwritten digits."""
    data = load_file(runner.path("cls-mnist-cnn/eval/mnist_2000.safetensors"))
    chosen = runner.first(range(2000), 2000)
    images = data["images"][chosen].astype(numpy.float32)[:, None]
    found = runner.run("cls-mnist-cnn/mnist.onnx", {"Input3": images})["Plus214_Output_0"]
    yield ("cls-mnist-cnn", "accuracy %", accuracy(found.argmax(1), data["labels"][chosen]),
           accuracy(data["ref_logits"][chosen].argmax(1), data["labels"][chosen]), len(chosen))


def square(image, size):
    """The middle of a photo, as a square of that size."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side)).resize((size, size), Image.BILINEAR)


def mobilenet(runner):
    """ImageNet classes of photos, some of them accepted by hand; agreement with the reference."""
    folder = "cls-mobilenet-v1-025"
    for file, table, name, score in (
            ("mobilenet_v1_025_224.onnx", "top5_float", "input", 10),
            ("mobilenet_v1_025_224_qdq.onnx", "top5_float", "input", 9)):
        lines = rows(runner.path(f"{folder}/eval/{table}.tsv"))
        x = numpy.stack([numpy.asarray(square(photo(runner, folder, l["file"]), 224)) for l in lines])
        found = runner.run(f"{folder}/{file}", {name: (x / 127.5 - 1).astype(numpy.float32)})["prob"]
        hits, labelled = 0, 0
        for line, row in zip(lines, found):
            accepted = [int(i) for i in line["imagenet_accepted(0-based,1000)"].split(",") if i]
            labelled += bool(accepted)
            hits += row.argmax() - 1 in accepted
        yield (f"{folder}/{file}", "top-1 of labelled %", 100 * hits / labelled, 100 * score / labelled, labelled)


def ctc(row, blank):
    """Classes of the best path, repetitions and blanks left out."""
    best = row.argmax(1)
    return [c for i, c in enumerate(best) if c != blank and (i == 0 or c != best[i - 1])]


def plates(runner):
    """Chinese number plates."""
    folder = "ocr-lprnet-plates"
    names = json.loads(runner.path(f"{folder}/meta.json").read_text())["labels"]
    lines = runner.first(rows(runner.path(f"{folder}/eval/plates.tsv")), 400)
    arrays = []
    for line in lines:
        x = numpy.asarray(photo(runner, folder, line["file"]))[:, :, ::-1].astype(numpy.float32)
        arrays.append(((x - 127.5) * 0.0078125).transpose(2, 0, 1)[None])
    found = each(runner, f"{folder}/lprnet.onnx", "image", arrays)["logits"]
    texts = ["".join(names[c] for c in ctc(row.T, 67)) for row in found]
    wanted = [line["text"] for line in lines]
    yield (folder, "exact plates %", accuracy(texts, wanted),
           accuracy([line["ref_text"] for line in lines], wanted), len(lines))


def line_picture(image, width, height=32):
    """A line of text as the recogniser takes it: its height scaled, its right side filled up."""
    x = numpy.asarray(image.resize((width, height), Image.BILINEAR))[:, :, ::-1].astype(numpy.float32)
    return ((x / 255 - 0.5) / 0.5).transpose(2, 0, 1)


def text_lines(runner):
    """Lines of English text."""
    folder = "ocr-ppocr-en"
    alphabet = [""] + runner.path(f"{folder}/en_dict.txt").read_text().splitlines() + [" "]
    table = runner.path(f"{folder}/eval/lines.tsv")
    lines = runner.first(rows(table), 55)
    errors = theirs = length = 0
    for line in lines:
        image = photo(runner, folder, line["file"])
        width = max(round(image.width * 32 / image.height), 1)
        x = numpy.zeros((1, 3, 32, max(width, 100)), numpy.float32)
        x[0, :, :, :width] = line_picture(image, width)
        output = runner.run(f"{folder}/en_number_mobile_v2.0_rec.onnx", {"x": x})
        text = "".join(alphabet[c] for c in ctc(next(iter(output.values()))[0], 0))
        errors += distance(text, line["text"])
        theirs += distance(line["ref_text"], line["text"])
        length += len(line["text"])
    yield (f"{folder}/rec", "character error %", 100 * errors / length, 100 * theirs / length, len(lines), False)


def text_direction(runner):
    """Lines of text the right way up, or upside down."""
    folder = "ocr-ppocr-en"
    arrays, wanted = [], []
    for line in rows(runner.path(f"{folder}/eval/lines.tsv")):
        image = photo(runner, folder, line["file"])
        image = image.crop((0, 0, min(image.width, 4 * image.height), image.height))
        for turned in (0, 1):
            part = image.rotate(180) if turned else image
            width = min(max(round(part.width * 48 / part.height), 1), 192)
            x = numpy.zeros((1, 3, 48, 192), numpy.float32)
            x[0, :, :, :width] = line_picture(part, width, 48)
            arrays.append(x)
            wanted.append(turned)
    found = each(runner, f"{folder}/ch_ppocr_mobile_v2.0_cls.onnx", "x", arrays)["softmax_0.tmp_0"]
    yield (f"{folder}/cls", "accuracy %", accuracy(found.argmax(1), wanted), 99.09, len(wanted))


def overlap(a, b):
    """Intersection over union of a box with boxes."""
    corner = numpy.maximum(a[:2], b[:, :2])
    size = numpy.clip(numpy.minimum(a[2:], b[:, 2:]) - corner, 0, None)
    inter = size[:, 0] * size[:, 1]
    area = lambda x: (x[..., 2] - x[..., 0]) * (x[..., 3] - x[..., 1])
    return inter / (area(a) + area(b) - inter + 1e-9)


def best_boxes(boxes, scores, limit):
    """Indices of boxes that no better one overlaps by more than `limit`."""
    order = list(numpy.argsort(-scores))
    kept = []
    while order:
        first = order.pop(0)
        kept.append(first)
        order = [i for i, o in zip(order, overlap(boxes[first], boxes[order])) if o <= limit] if order else []
    return kept


def faces(runner):
    """Faces found, less false alarms, over faces there are."""
    folder = "face-ultraface-320"
    for kind in ("rfb", "slim"):
        lines = [json.loads(l) for l in runner.path(f"{folder}/eval/faces_{kind}.jsonl").open()]
        arrays = []
        for line in lines:
            image = photo(runner, folder, line["image"]).resize((320, 240), Image.BILINEAR)
            x = (numpy.asarray(image).astype(numpy.float32) - 127) / 128
            arrays.append(x.transpose(2, 0, 1)[None])
        found = each(runner, f"{folder}/ultraface_{kind}_320.onnx", "input", arrays)
        agree = 0
        for line, scores, boxes in zip(lines, found["scores"][..., 1], found["boxes"]):
            sure = scores > 0.7
            count = len(best_boxes(boxes[sure], scores[sure], 0.3))
            agree += count == len(line["reference"])
        yield (f"{folder}/{kind}", "photos as reference %", 100 * agree / len(lines), 100.0, len(lines))


def grid(size):
    """Cells and strides of the detector's outputs."""
    cells, strides = [], []
    for stride in (8, 16, 32):
        n = size // stride
        y, x = numpy.mgrid[:n, :n]
        cells.append(numpy.stack([x, y], -1).reshape(-1, 2))
        strides.append(numpy.full(n * n, stride))
    return numpy.concatenate(cells), numpy.concatenate(strides)[:, None]


def objects_found(expected, classes):
    """Expected objects that are among the classes: counts by name, several names with |."""
    found = 0
    for names, count in expected.items():
        found += min(count, sum(c in names.split("|") for c in classes))
    return found


def yolox(runner):
    """Objects expected in photos, of 80 kinds."""
    folder = "det-yolox-nano"
    names = json.loads(runner.path(f"{folder}/meta.json").read_text())["labels"]
    lines = [json.loads(l) for l in runner.path(f"{folder}/eval/detections.jsonl").open()]
    arrays, scales = [], []
    for line in lines:
        image = photo(runner, folder, line["image"])
        scale = min(416 / image.width, 416 / image.height)
        small = image.resize((int(image.width * scale), int(image.height * scale)), Image.BILINEAR)
        x = numpy.full((416, 416, 3), 114, numpy.float32)
        x[:small.height, :small.width] = numpy.asarray(small)[:, :, ::-1]
        arrays.append(x.transpose(2, 0, 1)[None])
    found = each(runner, f"{folder}/yolox_nano.onnx", "images", arrays)["output"]
    cells, strides = grid(416)
    ours = theirs = total = 0
    for line, row in zip(lines, found):
        centre, extent = (row[:, :2] + cells) * strides, numpy.exp(row[:, 2:4]) * strides
        boxes = numpy.concatenate([centre - extent / 2, centre + extent / 2], 1)
        scores = row[:, 4:5] * row[:, 5:]
        classes = []
        for c in range(scores.shape[1]):
            sure = scores[:, c] >= 0.4
            classes += [names[c]] * len(best_boxes(boxes[sure], scores[sure, c], 0.45))
        ours += objects_found(line["expected"], classes)
        theirs += objects_found(
            line["expected"], [r["cls"] for r in line["reference"] if r["score"] >= 0.4])
        total += sum(line["expected"].values())
    yield (folder, "objects found %", 100 * ours / total, 100 * theirs / total, total)


# COCO counts 91 kinds of which it names 80.
KINDS = [i for i in range(91) if i not in (11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90)]
DETECTORS = [
    # Folder, model, evaluation, lowest score of the reference's boxes, what its recipe says.
    ("det-ssd-mobilenet-v1-uint8", "ssd_mobilenet_v1_uint8.tflite", "detections", 0.4,
     {"layout": "NHWC", "input": "normalized_input_image_tensor"}, {"head": "ranked", "threshold": 0.4}),
    ("det-yolox-nano", "yolox_nano.onnx", "detections", 0.4,
     {"input": "images", "channels": "bgr", "letterbox": 114}, {"head": "grid", "threshold": 0.4}),
    ("face-ultraface-320", "ultraface_rfb_320.onnx", "faces_rfb", 0.7,
     {"scale": 1 / 128, "shift": -127 / 128},
     {"head": "scored", "outputs": ["boxes", "scores"], "background": True, "threshold": 0.7, "overlap": 0.3}),
]


def shared(a, b):
    """The area that two boxes share as part of what they cover together."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def detectors(runner):
    """From photos to boxes in pixels by the task: as many as the reference's, at the same places."""
    for folder, model, table, least, before, after in DETECTORS:
        names = json.loads(runner.path(f"{folder}/meta.json").read_text()).get("labels", ["face"])
        lines = [json.loads(l) for l in runner.path(f"{folder}/eval/{table}.jsonl").open()]
        with tempfile.TemporaryDirectory() as place:
            files = []
            for i, line in enumerate(lines):
                files.append(f"{place}/{i:03}.ppm")
                photo(runner, folder, line["image"]).save(files[-1])
            if after["head"] == "ranked":
                names = [names[KINDS.index(i)] if i in KINDS else "-" for i in range(91)]
            recipe = {"task": "object-detection", "labels": names, "preprocessing": before, "postprocessing": after}
            found = runner.results(recipe, f"{folder}/{model}", files)
        same = ours = theirs = 0
        for line, result in zip(lines, found):
            reference = [r for r in line["reference"] if r["score"] >= least]
            free = list(result["objects"])
            ours, theirs = ours + len(free), theirs + len(reference)
            for r in reference:
                near = [o for o in free if o["label"] == r.get("cls", "face") and shared(o["box_pixels"], r["box"]) > 0.8]
                if near:
                    free.remove(near[0])
                    same += 1
        # Boxes that only one of both has count against us.
        yield (folder, "boxes as reference %", 200 * same / (ours + theirs), 100.0, theirs)


def tflite_photos(runner):
    """ImageNet classes of photos by the TFLite models, float and integer."""
    for folder, file, table, last, score in (
            ("cls-mobilenet-v1-025", "mobilenet_v1_025_224_float.tflite", "top5_float", "", 10),
            ("cls-mobilenet-v1-025", "mobilenet_v1_025_224_uint8.tflite", "top5_uint8", "", 7),
            ("cls-mobilenet-v2-uint8", "mobilenet_v2_1.0_224_uint8.tflite", "top5", "", 13)):
        lines = rows(runner.path(f"{folder}/eval/{table}.tsv"))
        x = numpy.stack([numpy.asarray(square(photo(runner, folder, l["file"]), 224)) for l in lines])
        if "float" in file:
            x = (x / 127.5 - 1).astype(numpy.float32)
        found = next(iter(runner.run(f"{folder}/{file}", {"input": x}).values()))
        hits = labelled = 0
        for line, row in zip(lines, found):
            accepted = [int(i) for i in line["imagenet_accepted(0-based,1000)"].split(",") if i]
            labelled += bool(accepted)
            hits += int(row.argmax()) - 1 in accepted
        yield (f"{folder}/{file}", "top-1 of labelled %", 100 * hits / labelled, 100 * score / labelled, labelled)


def cifar(runner):
    """Small pictures of ten kinds."""
    folder = "cls-resnet8-cifar10"
    lines = runner.first(rows(runner.path(f"{folder}/eval/labels.tsv")), 1000)
    x = numpy.stack([numpy.asarray(photo(runner, folder, l["file"])) for l in lines])
    labels = [int(l["label"]) for l in lines]
    for file, name, key in (("resnet8_float32.tflite", "input_1", "ref_float32"),
                            ("resnet8_int8.tflite", "input_1_int8", "ref_int8")):
        given = x.astype(numpy.float32) if "float" in file else (x.astype(numpy.int16) - 128).astype(numpy.int8)
        found = next(iter(runner.run(f"{folder}/{file}", {name: given}).values()))
        yield (f"{folder}/{file}", "accuracy %", accuracy(found.argmax(1), labels),
               accuracy([int(l[key]) for l in lines], labels), len(lines))


def pose(runner):
    """Confidence in the joints of a whole person."""
    folder = "pose-movenet-lightning-int8"
    image = photo(runner, folder, "../../images-open/test_data_squat.jpg")
    side = max(image.size)
    padded = Image.new("RGB", (side, side))
    padded.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    x = numpy.asarray(padded.resize((192, 192), Image.BILINEAR))[None]
    found = next(iter(runner.run(f"{folder}/movenet_lightning_int8.tflite", {"serving_default_input:0": x}).values()))
    yield (folder, "mean joint score %", 100 * float(found[..., 2].mean()), 73.41, 17)


def ssd(runner):
    """Objects expected in photos, by a model that selects its boxes itself."""
    folder = "det-ssd-mobilenet-v1-uint8"
    names = json.loads(runner.path(f"{folder}/meta.json").read_text())["labels"]
    lines = [json.loads(l) for l in runner.path(f"{folder}/eval/detections.jsonl").open()]
    x = numpy.stack([
        numpy.asarray(photo(runner, folder, l["image"]).resize((300, 300), Image.BILINEAR)) for l in lines])
    found = runner.run(f"{folder}/ssd_mobilenet_v1_uint8.tflite", {"normalized_input_image_tensor": x})
    classes, scores = (found[f"TFLite_Detection_PostProcess{i}"] for i in (":1", ":2"))
    ours = theirs = total = 0
    for line, c, s in zip(lines, classes, scores):
        seen = [names[KINDS.index(int(k))] for k, score in zip(c, s) if score >= 0.4 and int(k) in KINDS]
        ours += objects_found(line["expected"], seen)
        theirs += objects_found(
            line["expected"], [r["cls"] for r in line["reference"] if r["score"] >= 0.4])
        total += sum(line["expected"].values())
    yield (folder, "objects found %", 100 * ours / total, 100 * theirs / total, total)


EVALUATIONS = [
    mnist, mobilenet, plates, text_lines, text_direction, faces, yolox, detectors, tflite_photos, cifar, pose, ssd]
