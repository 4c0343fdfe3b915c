#!/usr/bin/env python3
"""Writes Sources/Device/Tokenizers/UnicodeTables.swift: what BERT text cleaning does to each scalar.

Published BERT vocabularies were made by tokenizers that mix Unicode versions (categories near 8,
decompositions near 13, case mappings of the newest one), so tables of any single version give
other ids for a few hundred scalars. This script therefore asks the PyPI package `tokenizers` what
becomes of every scalar and stores the answers; combining classes come from Python's unicodedata.

    pip install tokenizers==0.23.3 && scripts/unicode-tables.py
"""

import pathlib
import unicodedata

import tokenizers
from tokenizers import normalizers, pre_tokenizers

OUTPUT = pathlib.Path(__file__).parent.parent / "Sources/Device/Tokenizers/UnicodeTables.swift"
HANGUL = range(0xAC00, 0xD7A4)
CLASSES = ["other", "whitespace", "controlWhitespace", "control", "punctuation", "ideograph", "mark"]


def normalizer(**chosen):
    options = dict(
        clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**(options | chosen)).normalize_str


clean = normalizer(clean_text=True)
space = normalizer(handle_chinese_chars=True)
strip = normalizer(strip_accents=True)
lower = normalizer(lowercase=True)
split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
scalars = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def scalar_class(c):
    text = chr(c)
    words = [word for word, _ in split("a" + text + "b")]
    control = clean(text) == ""
    found = []
    if words == ["a", "b"]:
        found.append("controlWhitespace" if control else "whitespace")
    elif control:
        found.append("control")
    if words == ["a", text, "b"]:
        found.append("punctuation")
    if space(text) != text:
        found.append("ideograph")
    if strip("a" + text) == "a":
        found.append("mark")
    assert len(found) <= 1, (hex(c), found)
    return CLASSES.index(found[0] if found else "other")


def class_ranges():
    """start << 11 | combining class << 3 | class, one entry per run of equal scalars."""
    ranges, last = [], None
    for c in range(0x110000):
        if 0xD800 <= c < 0xE000:
            value = 0
        else:
            kind, order = scalar_class(c), unicodedata.combining(chr(c))
            # Of a mark that goes only whether it is a starter matters.
            value = (min(order, 1) if kind == CLASSES.index("mark") else order) << 3 | kind
        if value != last:
            ranges.append(c << 11 | value)
            last = value
    return ranges


def decompositions():
    """key << 42 | first << 21 | second, 0 for none; first may have an entry of its own."""
    found = {}
    for c in scalars:
        if c in HANGUL or scalar_class(c) == CLASSES.index("mark"):
            continue
        result = [ord(x) for x in strip("a" + chr(c))[1:]]
        if result != [c]:
            found[c] = result
    packed = []
    for c, result in found.items():
        # A dropped starter ends a run of marks that are put in order; the runtime does not see it,
        # so a kept starter must open the result and no dropped one may follow a kept mark.
        assert unicodedata.combining(chr(result[0])) == 0, hex(c)
        run = False
        for part in unicodedata.normalize("NFD", chr(c)):
            if unicodedata.combining(part) == 0:
                assert ord(part) in result or not run, hex(c)
                run = False
            elif ord(part) in result:
                run = True
        if len(result) > 2:
            prefix = [k for k, v in found.items() if v == result[:-1]]
            assert len(result) == 3 and len(prefix) == 1, hex(c)
            result = [prefix[0], result[-1]]
        assert 1 <= len(result) <= 2, hex(c)
        assert result[0] > 0, hex(c)
        packed.append(c << 42 | result[0] << 21 | (result[1] if len(result) == 2 else 0))
    return packed


def lower_case():
    """Runs first, last, step, difference as first << 43 | last << 22 | step << 21 | (difference +
    2^20): step 0 is every scalar, step 1 every other one."""
    pairs = []
    for c in scalars:
        result = lower(chr(c))
        if result != chr(c):
            # One scalar alone grows: U+0130 becomes i and a dot above, which Swift code handles.
            assert len(result) == 1 or c == 0x130, hex(c)
            if c >= 0x80 and len(result) == 1:
                pairs.append((c, ord(result) - c))
    runs = []
    for c, difference in pairs:
        if runs:
            first, last, step, old = runs[-1]
            if old == difference and c - last in (1, 2) and step in (0, c - last):
                runs[-1] = (first, c, c - last, old)
                continue
        runs.append((c, c, 0, difference))
    for first, last, step, difference in runs:
        assert abs(difference) < 1 << 20
    return [
        first << 43 | last << 22 | (1 if step == 2 else 0) << 21 | difference + (1 << 20)
        for first, last, step, difference in runs
    ]


def literal(name, kind, comment, values, digits, per_line):
    lines = [f"  /// {line}" for line in comment]
    lines.append(f"  static let {name}: [{kind}] = [")
    for at in range(0, len(values), per_line):
        lines.append("    " + ", ".join(f"0x{v:0{digits}x}" for v in values[at:at + per_line]) + ",")
    return "\n".join(lines + ["  ]"])


def main():
    tables = [
        literal("classRanges", "UInt32",
                ["Runs of scalars of one class, ascending: start << 11 | combining class << 3 | class."],
                class_ranges(), 8, 8),
        literal("decompositions", "UInt64",
                ["What a scalar is once its accents are gone: key << 42 | first << 21 | second (0: none).",
                 "`first` may have an entry of its own."],
                decompositions(), 16, 4),
        literal("lowerCaseRuns", "UInt64",
                ["Beyond ASCII: first << 43 | last << 22 | every other one << 21 | difference + 2^20."],
                lower_case(), 16, 4),
    ]
    OUTPUT.write_text(
        "// What BERT text cleaning does to each scalar, as scripts/unicode-tables.py measured it on the\n"
        f"// PyPI package tokenizers {tokenizers.__version__}; generated, do not edit.\n\n"
        "// swift-format-ignore-file\n\n"
        "/// Sorted tables; `ScalarClass.swift` reads them.\n"
        "enum UnicodeTables {\n" + "\n\n".join(tables) + "\n}\n")


main()
