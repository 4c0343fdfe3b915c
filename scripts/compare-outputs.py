#!/usr/bin/env python3
"""Compares class probabilities that several builds computed for the same images.

    compare-outputs.py LABELS.safetensors FIRST.safetensors OTHER.safetensors…

The classes must be the same everywhere, every probability within 1e-5 of the first's (other CPUs add
in another order), and at least 98 % of the classes those of the labels. Needs no packages.
"""

import array
import json
import sys
from pathlib import Path

TOLERANCE = 1e-5
LEAST_ACCURACY = 0.98


def tensors(path):
    """Name to (shape, numbers), for F32 and I64."""
    data = Path(path).read_bytes()
    header_bytes = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + header_bytes])
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        start, end = (8 + header_bytes + offset for offset in entry["data_offsets"])
        numbers = array.array({"F32": "f", "I64": "q"}[entry["dtype"]], data[start:end])
        found[name] = (entry["shape"], numbers)
    return found


def probabilities(path):
    (shape, numbers), = (v for k, v in tensors(path).items() if k.startswith("output."))
    classes = shape[-1]
    return [numbers[i : i + classes] for i in range(0, len(numbers), classes)]


def main():
    labels = tensors(sys.argv[1])["labels"][1]
    first = probabilities(sys.argv[2])
    predicted = [row.index(max(row)) for row in first]
    right = sum(a == b for a, b in zip(predicted, labels))
    faults = []
    if len(first) != len(labels):
        faults.append(f"{len(first)} results for {len(labels)} images")
    if right < LEAST_ACCURACY * len(labels):
        faults.append(f"accuracy below {LEAST_ACCURACY}")
    print(f"{sys.argv[2]}: {right} of {len(labels)} right, accuracy {right / len(labels):.4f}")
    for path in sys.argv[3:]:
        rows = probabilities(path)
        worst = max((abs(a - b) for x, y in zip(first, rows) for a, b in zip(x, y)), default=0)
        same = len(rows) == len(first) and [r.index(max(r)) for r in rows] == predicted
        print(f"{path}: {'same' if same else 'OTHER'} classes, largest difference {worst:.2g}")
        if not same or not worst <= TOLERANCE:
            faults.append(f"{path} differs")
    for fault in faults:
        print(f"compare-outputs: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
