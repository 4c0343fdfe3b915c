#!/usr/bin/env python3
"""Computes the values that codes of 2 to 6 bits stand for, and writes them as block_tables.h.

    scripts/block-tables.py [FOLDER]     FOLDER: of block_tables.h; needs numpy, takes minutes

A block is 32 weights: w = scale * table[code], with one of a few tables for each block, chosen by the
low bits of the scale. Blocks of independent numbers, half of them normal, half Laplacian, are encoded
with the tables there are; every value then moves to where the squared error is least (S. Lloyd, "Least
squares quantization in PCM", 1982), over and over. One table is split in two, those again, until there
are enough (Y. Linde, A. Buzo, R. Gray, "An algorithm for vector quantizer design", 1980).
"""

import pathlib
import sys

import numpy

# By bits of a code: how many bits of the scale pick the table.
TABLE_BITS = {2: 4, 3: 4, 4: 3, 5: 2, 6: 1}
BLOCKS = 6000
ROUNDS = 15


def blocks(count):
    random = numpy.random.default_rng(1982)
    normal = random.standard_normal((count // 2, 32))
    return numpy.concatenate([normal, random.laplace(0, 0.5**0.5, (count // 2, 32))])


def half(scale, table, table_bits):
    """The nearest f16 whose low bits are the table's number."""
    bits = numpy.abs(scale).astype(numpy.float16).view(numpy.uint16).astype(numpy.int64)
    size = 1 << table_bits
    bits = (bits - table + size // 2) // size * size + table
    value = numpy.maximum(bits, table).astype(numpy.uint16).view(numpy.float16)
    return numpy.copysign(value.astype(numpy.float64), scale)


def encode(x, tables, table_bits, steps):
    """Error, scale, table and codes of least error for every block."""
    rows = numpy.arange(len(x))
    peak = x[rows, numpy.abs(x).argmax(1)]
    best = numpy.full(len(x), numpy.inf)
    scales, numbers = numpy.zeros(len(x)), numpy.zeros(len(x), int)
    codes = numpy.zeros(x.shape, numpy.int8)
    for number, table in enumerate(tables):
        middles = (table[1:] + table[:-1]) / 2
        for part in numpy.linspace(0.6, 1.15, steps):
            for sign in (1, -1):
                scale = sign * peak / (numpy.abs(table).max() * part)
                for _ in range(2):
                    scale = half(scale, number, table_bits)
                    found = numpy.searchsorted(middles, x / scale[:, None])
                    values = table[found]
                    error = ((x - scale[:, None] * values) ** 2).sum(1)
                    better = error < best
                    best[better], scales[better], numbers[better] = error[better], scale[better], number
                    codes[better] = found[better]
                    below = (values**2).sum(1)
                    scale = numpy.where(below > 0, (x * values).sum(1) / numpy.maximum(below, 1e-9), scale)
                    scale = numpy.where(scale == 0, sign * peak, scale)
    return best, scales, numbers, codes


def improve(x, tables, table_bits, rounds):
    for _ in range(rounds):
        _, scales, numbers, codes = encode(x, tables, table_bits, 5)
        for number in range(len(tables)):
            at = numbers == number
            s, c, w = numpy.repeat(scales[at], 32), codes[at].ravel(), x[at].ravel()
            above = numpy.bincount(c, s * w, len(tables[number]))
            below = numpy.bincount(c, s * s, len(tables[number]))
            values = numpy.where(below > 0, above / numpy.maximum(below, 1e-30), tables[number])
            values.sort()
            tables[number] = values * (127 / numpy.abs(values).max())
    return tables


def tables(bits):
    x = blocks(BLOCKS) * 0.02
    count = 1 << bits
    place = (numpy.arange(count) - (count - 1) / 2) / (count / 2)
    found = [127 * (0.7 * place + 0.3 * place**3)]
    for split in range(TABLE_BITS[bits] + 1):
        if split > 0:
            found = [t + sign * 40 / count for t in found for sign in (1, -1)]
        found = improve(x, found, TABLE_BITS[bits], ROUNDS)
    found = [numpy.rint(t) for t in found]
    # Mirrored by the scale's sign: the longer side is the positive one.
    found = [t if t[-1] == 127 else numpy.sort(-t) for t in found]
    found.sort(key=lambda t: t[0])
    for name, y in (("normal", blocks(4000)[:2000]), ("Laplacian", blocks(4000)[2000:])):
        error = encode(y, found, TABLE_BITS[bits], 12)[0].sum() / (y**2).sum()
        print(f"{bits} bits, {len(found)} tables, {name}: {error:.3e}", file=sys.stderr)
    return found


def lines(bits):
    for table in tables(bits):
        assert len(set(table)) == len(table), "two codes stand for one value"
        values = [int(v) for v in table] + [0] * (16 - len(table))
        text = ", ".join(map(str, values)) + ","
        while text:
            cut = len(text) if len(text) <= 96 else text.rfind(" ", 0, 96)
            yield "    " + text[:cut].strip()
            text = text[cut:].strip()


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "Sources/Device/CKernels")
    out = [
        "// What codes of 2 to 6 bits stand for: table after table, at least 16 bytes each. Made by",
        "// scripts/block-tables.py, which says how.",
        "#pragma once",
        "#include <stdint.h>",
        "",
    ]
    for bits, table_bits in TABLE_BITS.items():
        out.append(f"// Low bits of the scale that pick a table of {1 << bits} values.")
        out.append(f"enum {{ KN_NL{bits}_TABLE_BITS = {table_bits} }};")
        out.append(f"static const int8_t kn_nl{bits}_tables[{(1 << table_bits) * max(16, 1 << bits)}] = {{")
        out += list(lines(bits)) + ["};"]
    (folder / "block_tables.h").write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
