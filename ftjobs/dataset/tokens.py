"""How many tokens a text or an example has; estimates by published rules, as a range."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftjobs.ranges import Range

TOKENS_PER_MESSAGE = 3  # both rules: the marks around a message
TOKENS_PER_EXAMPLE = 3  # the cookbook's rule only: the primed reply
TOKENS_PER_NAME = 1  # the cookbook's rule only


@dataclass(frozen=True, slots=True)
class ExampleTexts:
    """What of one example is counted, by the first bound that counts it.

    `low` is counted in every bound, `expected` in expected and high, `high` in high alone. `fixed` are the
    dataset tokens that no text stands for.
    """

    fixed: Range[int]
    low: tuple[str, ...]
    expected: tuple[str, ...]
    high: tuple[str, ...]

    @property
    def characters(self) -> int:
        """Return how much text is held."""
        return sum(map(len, self.low)) + sum(map(len, self.expected)) + sum(map(len, self.high))


def count_texts(texts: Sequence[str], encoding: str) -> list[int]:
    """Return each text's exact token count, in order, as `tiktoken` has it with disallowed_special=().

    `encoding` is "o200k_base" or "cl100k_base". Text that looks like a special token is ordinary text; a lone
    surrogate counts as U+FFFD. Linear in the texts' length. The first call of a process loads the vocabulary.
    """
    if not texts:
        return []
    import toktok

    try:
        counts: list[int] = toktok.batch_count(texts, encoding, threads=1)
    except UnicodeEncodeError:
        counts = toktok.batch_count([_without_lone_surrogates(text) for text in texts], encoding, threads=1)
    return counts


def _without_lone_surrogates(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def example_texts(example: Mapping[str, Any]) -> ExampleTexts | None:
    """Return the texts of a chat example, valid or not; None where it has no list of messages.

    RecursionError where its tools or calls are nested too deeply to be written as JSON.
    """
    messages = example.get("messages")
    if not isinstance(messages, list):
        return None
    objects = [message for message in messages if isinstance(message, dict)]
    low: list[str] = []
    expected: list[str] = []
    high = [_json(example[key]) for key in ("tools", "functions", "parallel_tool_calls") if key in example]
    names = 0
    for message in objects:
        for key, value in message.items():
            if isinstance(value, str):
                (low if key in ("role", "content") else expected).append(value)
                names += key == "name"
            elif key == "content" and isinstance(value, list):
                low += [text for part in value if (text := _part_text(part)) is not None]
            elif key in ("tool_calls", "function_call") and value is not None:
                high.append(_json(value))
    spoken = TOKENS_PER_MESSAGE * len(objects)
    stated = TOKENS_PER_EXAMPLE + spoken + TOKENS_PER_NAME * names
    return ExampleTexts(Range(spoken, stated, stated), tuple(low), tuple(expected), tuple(high))


def _part_text(part: object) -> str | None:
    match part:
        case {"type": "text", "text": str(text)}:
            return text
        case _:
            return None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def count_examples(examples: Sequence[ExampleTexts], encoding: str) -> list[Range[int]]:
    """Return the dataset tokens of each example, in order, not cut to any limit.

    Low is the ChatML rule: 3 + role + content per message. Expected is the rule of the cookbook's data
    preparation notebook: 3 per example and 3 per message + every string of the message + 1 for a name.
    High adds the JSON text of tools, functions and calls, whose billing is not documented.
    """
    texts = [text for example in examples for group in _groups(example) for text in group]
    counts = iter(count_texts(texts, encoding))
    ranges = []
    for example in examples:
        low, expected, high = (sum(next(counts) for _ in group) for group in _groups(example))
        fixed = example.fixed
        ranges.append(Range(fixed.low + low, fixed.expected + low + expected, fixed.high + low + expected + high))
    return ranges


def _groups(example: ExampleTexts) -> tuple[tuple[str, ...], ...]:
    return example.low, example.expected, example.high
