"""What the sandbox bills: its own count, on purpose not the product's.

A message counts 3 + its role + its content (o200k_base, special-token text as ordinary text). Content parts
count their text, an image part 85. A `name` counts as text; `tool_calls`, `function_call` and the `tools` of
an example count as compact JSON; ids, weights and other fields count nothing. A preference example counts its
input and both outputs, once each. An example loses what exceeds 65,536.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

EXAMPLE_LIMIT = 65_536
MESSAGE_OVERHEAD = 3
IMAGE = 85
_BATCH = 512
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


class ExampleError(ValueError):
    """A line of a training file that cannot be used; the message names the line."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")


@dataclass(frozen=True, slots=True)
class Count:
    """A training file in numbers: its examples and the billable tokens of one epoch."""

    examples: int
    epoch_tokens: int


def jsonl_problem(path: Path) -> str | None:
    """Return why a file is not JSONL; None where it is."""
    try:
        return None if sum(1 for _ in _objects(path)) else "The file is empty."
    except ExampleError as error:
        return f"The file is not JSONL: {error}."


def count(path: Path, method: str) -> Count:
    """Return the count of a file for "supervised" or "dpo"; ExampleError where a line is unusable."""
    import toktok

    weighed = (_weigh(line, example, method) for line, example in _objects(path))
    examples = epoch_tokens = 0
    while batch := list(islice(weighed, _BATCH)):
        texts = [
            text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for _, ts in batch for text in ts
        ]
        counts = iter(toktok.batch_count(texts, "o200k_base"))
        for fixed, own_texts in batch:
            examples += 1
            epoch_tokens += min(fixed + sum(islice(counts, len(own_texts))), EXAMPLE_LIMIT)
    return Count(examples, epoch_tokens)


def auto_epochs(examples: int) -> int:
    """Return the epochs that "auto" stands for: 3, more for few examples (to 25), fewer for many (to 1)."""
    epochs, few, many = 3, 100, 25_000
    if examples * epochs < few:
        return min(25, few // examples)
    return max(1, many // examples) if examples * epochs > many else epochs


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line.decode())
            except (ValueError, RecursionError):
                raise ExampleError(number, "not a JSON value in UTF-8") from None
            if not isinstance(value, dict):
                raise ExampleError(number, "not a JSON object")
            yield number, value


def _weigh(line: int, example: dict[str, Any], method: str) -> tuple[int, list[str]]:
    """Return what an example counts apart from its texts, and its texts."""
    must_answer: list[Any]
    if method == "dpo":
        given = example.get("input")
        holder = given if isinstance(given, dict) else {}
        preferred, other = example.get("preferred_output"), example.get("non_preferred_output")
        prompts, must_answer = [holder.get("messages")], [preferred, other]
    else:
        holder = example
        prompts, must_answer = [], [example.get("messages")]
    fixed = 0
    texts = [_compact(holder["tools"])] if holder.get("tools") else []
    for messages in prompts + must_answer:
        if not isinstance(messages, list) or not messages:
            raise ExampleError(line, f"a {method} example lacks a list of messages")
        for message in messages:
            if not isinstance(message, dict) or message.get("role") not in _ROLES:
                raise ExampleError(line, "a message is not an object with a known role")
            fixed += MESSAGE_OVERHEAD + _read(message, texts)
    if not all(any(message["role"] == "assistant" for message in messages) for messages in must_answer):
        raise ExampleError(line, "nothing to learn: no assistant message")
    return fixed, texts


def _read(message: dict[str, Any], texts: list[str]) -> int:
    """Add the texts of a message to `texts`; return what its images count."""
    texts.append(message["role"])
    content = message.get("content")
    parts: list[Any] = content if isinstance(content, list) else [{"text": content}]
    objects = [part for part in parts if isinstance(part, dict)]
    strings = [message.get("name"), *(part.get("text", part.get("refusal")) for part in objects)]
    texts.extend(text for text in strings if isinstance(text, str))
    texts.extend(_compact(message[key]) for key in ("tool_calls", "function_call") if message.get(key))
    return IMAGE * sum(1 for part in objects if part.get("type") == "image_url")


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
