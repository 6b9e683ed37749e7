"""Price a training file with tiktoken, the short way, without any check: `python small.py FILE`."""

from __future__ import annotations

import json
import sys

import tiktoken

USD_PER_1M = 3.00


def main(path: str) -> None:
    encoding = tiktoken.get_encoding("o200k_base")
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - as a script would have it
        examples = [json.loads(line)["messages"] for line in file]
    tokens = 0
    for messages in examples:
        tokens += 3
        for message in messages:
            tokens += 3 + sum(len(encoding.encode(value)) for value in message.values())
    epochs = 3
    if len(examples) * 3 < 100:
        epochs = min(25, 100 // len(examples))
    elif len(examples) * 3 > 25_000:
        epochs = max(1, 25_000 // len(examples))
    print(f"Dataset tokens: {tokens}")
    print(f"Epochs: {epochs}; estimated cost: ${tokens * epochs / 1e6 * USD_PER_1M:.2f}")


if __name__ == "__main__":
    main(sys.argv[1])
