"""The least that a script can do with tiktoken, line by line, without any check: `python counting.py FILE`."""

from __future__ import annotations

import json
import sys

import tiktoken


def main(path: str) -> None:
    encode = tiktoken.get_encoding("o200k_base").encode
    tokens = 0
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - as a script would have it
        for line in file:
            tokens += 3
            for message in json.loads(line)["messages"]:
                tokens += 3 + len(encode(message["role"])) + len(encode(message["content"]))
    print(f"Dataset tokens: {tokens}")


if __name__ == "__main__":
    main(sys.argv[1])
