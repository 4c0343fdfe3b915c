#!/usr/bin/env python3
"""Writes Tests/Support/Strings: what RE2 says of patterns and texts, and scikit-learn pipelines over text
with what ONNX Runtime makes of them.

    pip install google-re2 scikit-learn skl2onnx onnxruntime && scripts/string-tests.py
"""

import json
import pathlib
import random

import numpy as np
import onnxruntime
import re2
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

OUTPUT = pathlib.Path(__file__).parent.parent / "Tests/Support/Strings"

PATTERNS = r"""
www\.[\w.-]+\.\bcom\b
(\W|^)[\w.\-]{0,25}@(yahoo|gmail)\.com(\W|$)
a*|b+?c{2,3}
(?i)straSSE|K
(?i)[^k]+
[[:alpha:]]+[[:^digit:]]\d{3}
[]a\-z]+
\x41\x{1F600}?\101
\pL+\PN
\p{Lu}\p{^Lu}*
(?s).+
.+
(?m)^a$\n^b$
^a$
\Aa\z
\Bb\B.*|\bb.*
(?P<name>a)(?<other>b)(?:c)
\Q.*+\E+
(((a{0,3}){0,3}){0,3}){0,3}
(a|ab)(c|bcd)(d*)
a{,2}
a{2
x{2,}y
[^\x00-\x{10FFFF}]
(?i:a)b(?i)c
\t\n\v\f\r\a
[\d\-\s]+
[a-c-e]+
|a
()*
(^|a)b
é+中?
[à-ü]+
(?-s).(?s:.)
\s*\S+\s*
(?U)a+
""".strip("\n").split("\n")

BROKEN = r"""
(
)
a)
[
[b-a]
*a
a**
a{2}{3}
a{1001}
a{3,2}
\1
(?=a)
(?<!a)
\pX
\p{Greek
[[:nope:]]
\y
\x{110000}
\xZ0
(?P<n>a
(?z)
""".strip("\n").split("\n")

TEXTS = [
    "", "a", "b", "ab", "abc", "abcd", "aaa", "aaaaaaaa", "www.google.com", "www.bbc.co.uk",
    "account@gmail.com", "not email", "STRASSE", "k", "K", "\u212a", "ſ", "x1", "ab123", "é", "éé中",
    "a\nb", "a\n", "\n", " a ", "A😀A", "AA", ".*+", ".*++", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "xxy", "xy", "a{,2}", "a{2", "ABC", "aBC", "abC", "\t\n\v\f\r\a", "1-2 3", "-", "a-e", "]a-",
    "Üü", "àü", "Ab1", "bcc", "bccc", "bcccc", "ab\x00",
]


def regexes():
    source = random.Random(20)
    patterns = list(PATTERNS)
    pieces = ["a", "b", "c", ".", "[ab]", "[^a]", r"\w", r"\b", "^", "$", "é", "(a|b)", "(?:c|ab)"]
    counts = ["", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,3}", "*?"]
    while len(patterns) < 300:
        text = ""
        for _ in range(source.randint(1, 5)):
            text += source.choice(pieces) + source.choice(counts)
            if source.random() < 0.15:
                text += "|"
        if source.random() < 0.3:
            text = "(" + text + ")" + source.choice(counts)
        patterns.append(text)
    cases = []
    for pattern in patterns:
        compiled = re2.compile(pattern)
        texts = TEXTS if pattern in PATTERNS else [
            "".join(source.choice("aabbcé ") for _ in range(source.randint(0, 6))) for _ in range(30)]
        cases.append([pattern, [[t, compiled.fullmatch(t) is not None] for t in texts]])
    options = re2.Options()
    options.log_errors = False
    for pattern in BROKEN:
        try:
            re2.compile(pattern, options)
        except re2.error:
            continue
        raise SystemExit(f"RE2 takes {pattern}")
    return {"cases": cases, "broken": BROKEN}


REVIEWS = [
    ("A fine film, warm and funny!", "good"), ("Dull, slow and far too long.", "bad"),
    ("I loved every minute of it", "good"), ("The worst script of the year", "bad"),
    ("Funny, warm, well acted", "good"), ("Too long; the acting is dull", "bad"),
    ("A minute too short: I loved it", "good"), ("Slow script, worst acting", "bad"),
]
PEOPLE = [
    ("clerk", "Köln", 31.0, "stays"), ("farmer", "Bonn", 52.0, "leaves"),
    ("clerk", "Bonn", 24.0, "leaves"), ("teacher", "Köln", 47.0, "stays"),
    ("farmer", "Köln", 38.0, "stays"), ("teacher", "Bonn", 29.0, "leaves"),
    ("clerk", "Köln", 61.0, "stays"), ("farmer", "Bonn", 33.0, "leaves"),
]


def run(name, model, inputs):
    path = OUTPUT / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())
    session = onnxruntime.InferenceSession(str(path))
    outputs = session.run(None, inputs)

    def plain(array):
        array = np.asarray(array)
        return {"shape": list(array.shape), "values": array.ravel().tolist()}

    return {
        "inputs": {k: plain(v) for k, v in inputs.items()},
        "outputs": {o.name: plain(v) for o, v in zip(session.get_outputs(), outputs)},
    }


def models():
    found = {}
    texts, grades = zip(*REVIEWS)
    rows = np.array(list(texts) + ["warm film", "nothing known here", ""], dtype=object)[:, None]
    vectorizers = {
        "counts": CountVectorizer(ngram_range=(1, 2)),
        "tfidf": TfidfVectorizer(stop_words=["the", "and"], token_pattern="[a-zA-Z]+"),
    }
    for name, vectorizer in vectorizers.items():
        model = LogisticRegression() if name == "tfidf" else MultinomialNB()
        pipeline = Pipeline([("words", vectorizer), ("model", model)]).fit(texts, grades)
        exported = to_onnx(
            pipeline, initial_types=[("text", StringTensorType([None, 1]))],
            options={id(model): {"zipmap": False}}, target_opset={"": 18, "ai.onnx.ml": 3})
        found[name] = run(name, exported, {"text": rows})
    table = [list(p[:3]) for p in PEOPLE]
    labels = [p[3] for p in PEOPLE]
    asked = PEOPLE + [("pilot", "Bonn", 40.0, ""), ("clerk", "Ulm", 20.0, "")]
    for name, encoder, model in [
            ("onehot", OneHotEncoder(handle_unknown="ignore"), LogisticRegression()),
            ("ordinal", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
             DecisionTreeClassifier(max_depth=3, random_state=0))]:
        columns = ColumnTransformer([("text", encoder, [0, 1]), ("number", StandardScaler(), [2])])
        pipeline = Pipeline([("columns", columns), ("model", model)])
        pipeline.fit(np.array(table, dtype=object), labels)
        exported = to_onnx(
            pipeline, initial_types=[
                ("job", StringTensorType([None, 1])), ("town", StringTensorType([None, 1])),
                ("age", FloatTensorType([None, 1]))],
            options={id(model): {"zipmap": name == "ordinal"}},
            target_opset={"": 18, "ai.onnx.ml": 3})
        inputs = {
            "job": np.array([[p[0]] for p in asked], dtype=object),
            "town": np.array([[p[1]] for p in asked], dtype=object),
            "age": np.array([[p[2]] for p in asked], dtype=np.float32),
        }
        if name == "ordinal":
            # A list of maps: the probabilities stay a tensor here.
            path = OUTPUT / f"{name}.onnx"
            path.write_bytes(exported.SerializeToString())
            session = onnxruntime.InferenceSession(str(path))
            classes, maps = session.run(None, inputs)
            order = sorted(maps[0])
            found[name] = {
                "inputs": {k: {"shape": list(v.shape), "values": v.ravel().tolist()}
                           for k, v in inputs.items()},
                "outputs": {
                    "output_label": {"shape": [len(asked)], "values": classes.tolist()},
                    "output_probability": {
                        "shape": [len(asked), len(order)],
                        "values": [m[k] for m in maps for k in order]},
                },
            }
        else:
            found[name] = run(name, exported, inputs)
    return found


def main():
    OUTPUT.mkdir(exist_ok=True)
    for name, value in [("regex", regexes()), ("models", models())]:
        (OUTPUT / f"{name}.json").write_text(
            json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


main()
