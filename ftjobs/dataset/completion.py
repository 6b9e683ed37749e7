"""Prompt/completion data, for models and services that still take it: {"prompt": "…", "completion": "…"}.

Source: the API reference's training format for completion models: two strings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftjobs.dataset.parts import check_text
from ftjobs.dataset.problems import Place, Problem
from ftjobs.dataset.tokens import ExampleTexts
from ftjobs.ranges import Range

KEYS = ("prompt", "completion")


def check_completion(example: Mapping[str, Any], here: Place) -> Iterator[Problem]:
    """Yield every problem of one example that has a prompt or a completion."""
    for key in example:
        if key not in KEYS:
            yield here.key(key).warning(
                "unknown_key", "only prompt and completion are trained on: remove the key, or check its spelling"
            )
    for key in KEYS:
        text, place = example.get(key), here.key(key)
        if not isinstance(text, str):
            yield place.error(f"bad_{key}", f"{key} must be a string: set it")
            continue
        yield from check_text(text, place)
        if key == "completion" and not text.strip():
            yield place.warning("empty_completion", "the completion is empty: fill it in or drop the example")


def completion_texts(example: Mapping[str, Any]) -> ExampleTexts | None:
    """Return prompt and completion as they stand, with nothing added; None where neither is a string."""
    texts = {key: text for key in KEYS if isinstance(text := example.get(key), str)}
    return ExampleTexts(Range.exactly(0), tuple(texts.values()), speakers=tuple(texts)) if texts else None
