#!/usr/bin/env python3
"""Trains small fastText models and writes them with their answers, for the importers' tests.

    fasttext-tests.py FOLDER
    KNAPSACK_FASTTEXT_TESTS=FOLDER swift test -c release --filter FastTextTests

Needs fasttext-wheel. The texts are made up: words of several scripts, some of which go with one label.
Each case becomes FOLDER/NAME/model.bin or model.ftz, texts.txt and expected.tsv. A line of that is, for
classifiers, labels and probabilities of the best three; for word vectors, the text's vector.
"""

import random
import sys
from pathlib import Path

import fasttext

LABELS = ["__label__" + name for name in ["rain", "Sonne", "снег", "風", "a-b", "x2", "fog"]]
STEMS = "der wind über ветер снегом 天気 風が été naïve ice sun-shine don't 42 ça ß ﬁ 🌧️ x".split()


def text(source, label):
    words = []
    for _ in range(source.randint(3, 12)):
        stem = source.choice(STEMS)
        own = source.random() < 0.5
        words.append(stem + (str(LABELS.index(label)) if own else str(source.randint(10, 40))))
    return " ".join(words)


def write_corpus(folder):
    source = random.Random(5)
    lines = []
    for _ in range(3000):
        # Some labels are far more frequent than others.
        label = LABELS[min(int(source.expovariate(0.6)), len(LABELS) - 1)]
        lines.append(f"{label} {text(source, label)}")
    (folder / "train.txt").write_text("\n".join(lines) + "\n")
    texts = [text(source, source.choice(LABELS)) for _ in range(60)]
    texts += [
        "wholly unknown words", "__label__rain wind1", "__label__other wind2", "wind1\twind2\x0bwind3",
        "  spaces   everywhere  ", "x", "ß", "🌧️", "</s> wind1", "wind" * 200,
    ]
    (folder / "texts.txt").write_text("\n".join(texts) + "\n")
    return texts


def supervised(folder):
    train = str(folder / "train.txt")
    common = dict(input=train, epoch=8, dim=12, lr=0.5, thread=1, verbose=0, bucket=3000, seed=1)
    pieces = dict(minn=2, maxn=4)

    def model(**more):
        return fasttext.train_supervised(**(common | more))

    def quantized(model, **more):
        model.quantize(input=train, thread=1, verbose=0, **more)
        return model

    yield "softmax", model()
    yield "softmax-pieces", model(**pieces)
    yield "hierarchical", model(loss="hs", wordNgrams=2)
    yield "negative", model(loss="ns", neg=3, **pieces)
    yield "one-against-all", model(loss="ova", wordNgrams=3, minn=1, maxn=2)
    yield "no-buckets", model(bucket=0, minn=0, maxn=0)
    yield "quantized", quantized(model(wordNgrams=2, **pieces))
    yield "quantized-norms", quantized(model(dim=11, loss="hs", **pieces), qnorm=True)
    yield "quantized-cut", quantized(
        model(wordNgrams=2, **pieces), cutoff=400, retrain=True, qnorm=True, dsub=3)
    yield "quantized-cut-words", quantized(model(loss="ova"), cutoff=300)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    root = Path(sys.argv[1])
    root.mkdir(parents=True, exist_ok=True)
    texts = write_corpus(root)

    def save(name, model, lines, texts=texts):
        folder = root / "cases" / name
        folder.mkdir(parents=True, exist_ok=True)
        quantized = model.is_quantized()
        model.save_model(str(folder / ("model.ftz" if quantized else "model.bin")))
        (folder / "texts.txt").write_text("\n".join(texts) + "\n")
        (folder / "expected.tsv").write_text("\n".join(lines) + "\n")

    for name, model in supervised(root):
        # The method around this one wants an older numpy.
        answers = [model.f.predict(line + "\n", 3, 0.0, "strict") for line in texts]
        save(name, model, ["\t".join(f"{w}\t{p!r}" for p, w in answer) for answer in answers])
    for kind in ["skipgram", "cbow"]:
        for name, options in [("", {}), ("-words", {"minn": 0, "maxn": 0})]:
            model = fasttext.train_unsupervised(
                str(root / "train.txt"), model=kind, dim=10, epoch=2, thread=1, verbose=0,
                bucket=2000, **options)
            # For a label fastText reads a row of pieces, or where there are none behind its table.
            known = [line for line in texts if not options or "__label__" not in line]
            save(kind + name, model, [
                "\t".join(repr(float(x)) for x in model.get_sentence_vector(line))
                for line in known], known)
    print(f"{len(list((root / 'cases').iterdir()))} models")


if __name__ == "__main__":
    main()
