"""What the published data preparation notebook does to a chat file, written plainly: `python cookbook.py FILE`.

The other side of the bench. It reads everything into a list, looks for the notebook's format errors, counts each
example with tiktoken (3 per example, 3 per message, every string of a message, 1 for a name) and prints what is in
the file, how long its examples are, how many epochs it would get and what that costs. The rules are from there and
the code is not; the encoding is the one of today's models.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

import tiktoken

ENCODING = "o200k_base"
MAX_EXAMPLE_TOKENS = 65_536
USD_PER_1M = 3.00
TARGET_EPOCHS, MIN_TARGET_EXAMPLES, MAX_TARGET_EXAMPLES = 3, 100, 25_000
MIN_DEFAULT_EPOCHS, MAX_DEFAULT_EPOCHS = 1, 25
ROLES = ("system", "user", "assistant", "function")
KEYS = ("role", "content", "name", "function_call", "weight")


def load(path: str) -> list[Any]:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - as a script would have it
        return [json.loads(line) for line in file]


def format_errors(dataset: list[Any]) -> Counter[str]:
    errors: Counter[str] = Counter()
    for example in dataset:
        if not isinstance(example, dict):
            errors["not an object"] += 1
            continue
        messages = example.get("messages")
        if not messages:
            errors["no list of messages"] += 1
            continue
        for message in messages:
            if "role" not in message or "content" not in message:
                errors["message without role or content"] += 1
            if any(key not in KEYS for key in message):
                errors["unknown key in a message"] += 1
            if message.get("role") not in ROLES:
                errors["unknown role"] += 1
            content = message.get("content")
            if (not content and not message.get("function_call")) or not isinstance(content, str):
                errors["no content"] += 1
        if not any(message.get("role") == "assistant" for message in messages):
            errors["no answer of the assistant"] += 1
    return errors


def tokens_of(encoding: tiktoken.Encoding, messages: list[dict[str, Any]]) -> int:
    tokens = 3
    for message in messages:
        tokens += 3
        for key, value in message.items():
            if isinstance(value, str):
                tokens += len(encoding.encode(value))
            if key == "name":
                tokens += 1
    return tokens


def assistant_tokens_of(encoding: tiktoken.Encoding, messages: list[dict[str, Any]]) -> int:
    return sum(len(encoding.encode(said["content"])) for said in messages if said["role"] == "assistant")


def print_distribution(name: str, values: list[int]) -> None:
    ordered = sorted(values)
    last = len(ordered) - 1
    print(f"{name}: min {ordered[0]}, max {ordered[-1]}, mean {sum(ordered) / len(ordered):.1f}", end=", ")
    print(f"median {ordered[last // 2]}, p5 {ordered[last * 5 // 100]}, p95 {ordered[last * 95 // 100]}")


def epochs_for(examples: int) -> int:
    if examples * TARGET_EPOCHS < MIN_TARGET_EXAMPLES:
        return min(MAX_DEFAULT_EPOCHS, MIN_TARGET_EXAMPLES // examples)
    if examples * TARGET_EPOCHS > MAX_TARGET_EXAMPLES:
        return max(MIN_DEFAULT_EPOCHS, MAX_TARGET_EXAMPLES // examples)
    return TARGET_EPOCHS


def main(path: str) -> None:
    dataset = load(path)
    print(f"Examples: {len(dataset)}")
    errors = format_errors(dataset)
    for error, times in errors.items():
        print(f"{error}: {times}")
    if errors:
        return
    encoding = tiktoken.get_encoding(ENCODING)
    without_system = without_user = 0
    sizes, answers, lengths = [], [], []
    for example in dataset:
        messages = example["messages"]
        without_system += not any(message["role"] == "system" for message in messages)
        without_user += not any(message["role"] == "user" for message in messages)
        sizes.append(len(messages))
        lengths.append(tokens_of(encoding, messages))
        answers.append(assistant_tokens_of(encoding, messages))
    print(f"Without a system message: {without_system}; without a user message: {without_user}")
    print_distribution("Messages per example", sizes)
    print_distribution("Dataset tokens per example", lengths)
    print_distribution("Assistant tokens per example", answers)
    print(f"Over the limit of {MAX_EXAMPLE_TOKENS}: {sum(length > MAX_EXAMPLE_TOKENS for length in lengths)}")
    dataset_tokens = sum(min(length, MAX_EXAMPLE_TOKENS) for length in lengths)
    epochs = epochs_for(len(dataset))
    print(f"Dataset tokens: {dataset_tokens}")
    print(f"Epochs: {epochs}; estimated tokens: {dataset_tokens * epochs}")
    print(f"Estimated cost: ${dataset_tokens * epochs / 1e6 * USD_PER_1M:.2f}")


if __name__ == "__main__":
    main(sys.argv[1])
