"""How fast a file could be decoded or tokenized if nothing else were done: `python floors.py FILE THREADS`.

Prints one JSON object of seconds: the vocabulary's load, decoding alone and tokenizing the decoded texts alone.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import toktok

_BLOCK_BYTES = 8_000_000


def decoder() -> tuple[str, Callable[[bytes], Any], Callable[[Any], list[str]]]:
    """Return the faster decoder that is installed: its name, bytes → example, example → texts."""
    try:
        import msgspec
    except ImportError:
        return "json", json.loads, lambda example: [message["content"] for message in example["messages"]]
    message = msgspec.defstruct("Message", [("role", str), ("content", str)], gc=False)
    example = msgspec.defstruct("Example", [("messages", list[message])], gc=False)  # type: ignore[valid-type]
    decode = msgspec.json.Decoder(example).decode
    return "msgspec", decode, lambda example: [message.content for message in example.messages]


def blocks(path: str) -> Iterator[list[bytes]]:
    with open(path, "rb") as file:  # noqa: PTH123 - as a script would have it
        while lines := file.readlines(_BLOCK_BYTES):
            yield lines


def main(path: str, threads: int) -> None:
    began = time.perf_counter()
    toktok.batch_count(["x"], "o200k_base", threads=1)
    vocabulary_s = time.perf_counter() - began
    name, decode, texts_of = decoder()
    decode_s = tokenize_s = 0.0
    for lines in blocks(path):
        began = time.perf_counter()
        examples = [decode(line) for line in lines]
        decode_s += time.perf_counter() - began
        texts = [text for example in examples for text in texts_of(example)]
        began = time.perf_counter()
        toktok.batch_count(texts, "o200k_base", threads=threads)
        tokenize_s += time.perf_counter() - began
    seconds = {"vocabulary_s": vocabulary_s, "decode_s": decode_s, "tokenize_s": tokenize_s}
    print(json.dumps({"decoder": name, **seconds}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
