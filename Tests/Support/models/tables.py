"""Evaluations of rows of numbers: tables, series, recommendations, bytes."""

import csv
import json

import numpy
from safetensors.numpy import load_file


def rows(path, delimiter="\t"):
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE))


def accuracy(found, wanted):
    return 100 * float(numpy.mean(numpy.asarray(found) == numpy.asarray(wanted)))


def auc(scores, labels):
    """Area under the ROC curve, ties counted half."""
    order = numpy.argsort(scores, kind="stable")
    sorted_scores = numpy.asarray(scores)[order]
    ranks = numpy.empty(len(scores))
    start = 0
    for end in range(1, len(scores) + 1):
        if end == len(scores) or sorted_scores[end] != sorted_scores[start]:
            ranks[order[start:end]] = (start + end + 1) / 2
            start = end
    labels = numpy.asarray(labels, dtype=bool)
    positive, negative = labels.sum(), (~labels).sum()
    return 100 * (ranks[labels].sum() - positive * (positive + 1) / 2) / (positive * negative)


def nbeats(runner):
    """Symmetric percentage error of forecasts."""
    data = load_file(runner.path("ts-nbeats-m4-hourly/eval/test.safetensors"))
    found = runner.run("ts-nbeats-m4-hourly/model.onnx", {"history": data["input.history"]})["forecast"]

    def smape(forecast):
        target = data["target"].astype(numpy.float64)
        return float(numpy.mean(200 * abs(target - forecast) / (abs(target) + abs(forecast))))
    yield ("ts-nbeats-m4-hourly", "sMAPE %", smape(found), 11.4147, len(found), False)


def magika(runner):
    """File types from the first and last bytes."""
    labels = rows(runner.path("filetype-magika-v3_3/eval/labels.tsv"))
    data = load_file(runner.path("filetype-magika-v3_3/eval/features.safetensors"))
    found = runner.run("filetype-magika-v3_3/model.onnx", {"bytes": data["input.bytes"]})["target_label"]
    names = json.loads(runner.path("filetype-magika-v3_3/meta.json").read_text())["labels"]
    ours = [names[i] for i in found.argmax(1)]
    yield ("filetype-magika-v3_3", "accuracy %", accuracy(ours, [r["label"] for r in labels]), 100.0, len(ours))


def twotower(runner):
    """Rank of the item that a user took next among all he had not seen."""
    lines = runner.first(rows(runner.path("rec-twotower-movietweetings/eval/leave_last_out.tsv")), 600)
    folder = "rec-twotower-movietweetings"
    names = json.loads(runner.path(f"{folder}/meta.json").read_text())["genres"]
    items_by_index = {int(r["index"]): r["genres"].split("|") for r in rows(runner.path(f"{folder}/items.tsv"))}
    genres = numpy.zeros((max(items_by_index) + 1, len(names)), numpy.float32)
    for index, of in items_by_index.items():
        for name in of:
            if name in names:
                genres[index, names.index(name)] = 1
    histories = [[int(i) for i in line["history(item indices)"].split(",")] for line in lines]
    padded = numpy.zeros((len(lines), 30), dtype=numpy.int64)
    for row, history in zip(padded, histories):
        row[30 - min(len(history), 30):] = history[-30:]
    users = runner.run(f"{folder}/user_tower.onnx", {"history": padded})["user"]
    items = runner.run(f"{folder}/item_tower.onnx", {
        "item": numpy.arange(len(genres), dtype=numpy.int64), "genres": genres})["vector"]
    scores = users @ items.T
    ranks = []
    for row, history, line in zip(scores, histories, lines):
        target = int(line["target"])
        row = row.copy()
        row[[i for i in history if i != target] + [0]] = -numpy.inf
        ranks.append(int((row > row[target]).sum()) + 1)
    theirs = [int(line["ref_rank"]) for line in lines]
    recall = lambda r: 100 * float(numpy.mean(numpy.asarray(r) <= 20))
    yield (folder, "recall@20 %", recall(ranks), recall(theirs), len(lines))


def digits(runner):
    """8x8 digits: forest, logistic regression, boosted trees."""
    data = load_file(runner.path("tab-digits-rf/eval/digits_test.safetensors"))
    for file, key, score in (("rf.onnx", "rf", 97.41), ("logreg.onnx", "logreg", 96.11),
                             ("xgb_multi.json", "xgb", 95.19)):
        found = runner.run(f"tab-digits-rf/{file}", {only_input(file, "X"): data["input.X"]})
        scores = widest(found)
        yield (f"tab-digits-rf/{file}", "accuracy %", accuracy(scores.argmax(1), data["labels"]), score, len(scores))


def only_input(file, name):
    """Tree libraries name no inputs: the importer calls them features."""
    return name if file.endswith(".onnx") else "features"


def widest(outputs):
    """The output that holds scores: real numbers, most of them."""
    return max((a for a in outputs.values() if a.dtype.kind == "f"), key=lambda a: a.size)


def adult(runner):
    """Income over 50,000 from a census row."""
    lines = rows(runner.path("tab-adult-gbt/eval/adult_test.tsv"))
    columns = list(lines[0])[:14]
    features = numpy.array([[float(l[c]) if l[c] else numpy.nan for c in columns] for l in lines], numpy.float32)
    labels = [int(l["label"]) for l in lines]
    for file, key in (("xgb.onnx", "ref_xgb"), ("xgb.json", "ref_xgb"), ("xgb.ubj", "ref_xgb"),
                      ("lgbm.txt", "ref_lgbm")):
        scores = widest(runner.run(f"tab-adult-gbt/{file}", {"features": features}))
        positive = scores.reshape(len(lines), -1)[:, -1]
        theirs = [float(l[key]) for l in lines]
        yield (f"tab-adult-gbt/{file}", "ROC AUC %", auc(positive, labels), auc(theirs, labels), len(lines))


EVALUATIONS = [nbeats, magika, twotower, digits, adult]
