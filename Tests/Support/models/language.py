"""Evaluations of text: entities, sentiment, sentence embeddings."""

import json
import os

import numpy
from tokenizers import Tokenizer

from tables import accuracy, rows


def batches(runner, model, encodings, output, *options, size=64):
    """Rows of an output, mask by mask: texts of about one length go together, padded with zeros."""
    order = sorted(range(len(encodings)), key=lambda i: len(encodings[i]))
    found = [None] * len(encodings)
    for start in range(0, len(order), size):
        chosen = order[start:start + size]
        width = max(len(encodings[i]) for i in chosen)
        ids = numpy.zeros((len(chosen), width), numpy.int64)
        mask = numpy.zeros((len(chosen), width), numpy.int64)
        for row, i in enumerate(chosen):
            ids[row, :len(encodings[i])] = encodings[i]
            mask[row, :len(encodings[i])] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
        results = runner.run(model, inputs, *options)[output]
        for row, i in enumerate(chosen):
            found[i] = results[row]
    return found


def entities(tags):
    """Spans (kind, first, end) of BIO tags; an I- that continues nothing begins a span."""
    spans, start, kind = set(), 0, None
    for i, tag in enumerate(list(tags) + ["O"]):
        if kind is not None and tag != "I-" + kind:
            spans.add((kind, start, i))
            kind = None
        if tag != "O" and kind is None:
            start, kind = i, tag[2:]
    return spans


def f1(found, wanted):
    pairs = [(entities(f), entities(w)) for f, w in zip(found, wanted)]
    hits = sum(len(f & w) for f, w in pairs)
    return 200 * hits / max(sum(len(f) + len(w) for f, w in pairs), 1)


def ner(runner):
    """Named entities, a tag per word."""
    folder = "ner-minilm-l3"
    labels = json.loads(runner.path(f"{folder}/meta.json").read_text())["labels"]
    tokenizer = Tokenizer.from_file(str(runner.path(f"{folder}/tokenizer.json")))
    lines = [json.loads(line) for line in runner.path(f"{folder}/eval/sentences.jsonl").open()]
    encoded = [tokenizer.encode(line["tokens"], is_pretokenized=True) for line in lines]
    logits = batches(runner, f"{folder}/model.onnx", [e.ids for e in encoded], "logits")
    found = []
    for line, e, row in zip(lines, encoded, logits):
        tags = ["O"] * len(line["tokens"])
        seen = set()
        for at, word in enumerate(e.word_ids):
            if word is not None and word not in seen:
                seen.add(word)
                tags[word] = labels[row[at].argmax()]
        found.append(tags)
    gold, theirs = [line["gold"] for line in lines], [line["ref"] for line in lines]
    yield (folder, "entity F1 %", f1(found, gold), f1(theirs, gold), len(lines))


def sentiment(runner):
    """Good or bad, from a sentence."""
    folder = "text-sentiment-minilm-l3"
    tokenizer = Tokenizer.from_file(str(runner.path(f"{folder}/hf/tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.enable_truncation(128)
    for file in ("uci", "sst2_dev"):
        lines = runner.first(rows(runner.path(f"{folder}/eval/{file}.tsv")), 300)
        encoded = [tokenizer.encode(line["text"]).ids for line in lines]
        logits = batches(runner, f"{folder}/hf", encoded, "logits")
        wanted = [int(line["label"]) for line in lines]
        theirs = [float(l["ref_logit_pos"]) > float(l["ref_logit_neg"]) for l in lines]
        yield (f"{folder}/{file}", "accuracy %", accuracy([row.argmax() for row in logits], wanted),
               accuracy(numpy.array(theirs, int), wanted), len(lines))


def ranks(values):
    """Ranks, mean ones where values are the same."""
    values = numpy.asarray(values)
    order = numpy.argsort(values, kind="stable")
    result = numpy.empty(len(values))
    start = 0
    for end in range(1, len(values) + 1):
        if end == len(values) or values[order[end]] != values[order[start]]:
            result[order[start:end]] = (start + end - 1) / 2
            start = end
    return result


def minilm(runner):
    """Cosines of sentence embeddings against what people say; KNAPSACK_MINILM names the model."""
    model = os.environ.get("KNAPSACK_MINILM")
    if not model:
        return
    tokenizer = Tokenizer.from_file(f"{model}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(128)
    lines = runner.first(rows(runner.path("emb-minilm-l6-v2/eval/stsb.tsv")), 150)
    texts = [line[f"sentence{i}"] for line in lines for i in (1, 2)]
    found = batches(runner, model, [tokenizer.encode(t).ids for t in texts], "sentence_embedding")
    vectors = numpy.stack(found)
    vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = (vectors[::2] * vectors[1::2]).sum(1)
    gold = [float(line["gold_0_5"]) for line in lines]
    spearman = lambda v: 100 * float(numpy.corrcoef(ranks(v), ranks(gold))[0, 1])
    yield ("emb-minilm-l6-v2", "Spearman x100", spearman(cosines),
           spearman([float(line["ref_cosine"]) for line in lines]), len(lines))


def languages(runner):
    """The language of a sentence, of 176."""
    folder = "fasttext-lid176"
    lines = rows(runner.path(f"{folder}/eval/udhr.tsv"))
    found = runner.labels(f"{folder}/lid.176.ftz", [line["text"] for line in lines])
    found = [label.removeprefix("__label__") for label in found]
    wanted = [line["lang"] for line in lines]
    yield (folder, "accuracy %", accuracy(found, wanted),
           accuracy([line["ref_lang"] for line in lines], wanted), len(lines))


EVALUATIONS = [ner, sentiment, minilm, languages]
