"""Prompt/completion data: two strings, of which the second says something."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.training_examples import COMPLETION, problems


@pytest.mark.parametrize(
    "example",
    [
        {"prompt": "p", "completion": "c"},
        {"prompt": "", "completion": " c\n"},
    ],
)
def test_two_strings_are_fine(example: dict[str, Any]) -> None:
    assert problems(example, COMPLETION) == []


@pytest.mark.parametrize(
    ("example", "code", "severity", "path"),
    [
        ({"prompt": None, "completion": "c"}, "bad_prompt", "error", "prompt"),
        ({"completion": "c"}, "bad_prompt", "error", "prompt"),
        ({"prompt": ["p"], "completion": "c"}, "bad_prompt", "error", "prompt"),
        ({"prompt": "p"}, "bad_completion", "error", "completion"),
        ({"prompt": "p", "completion": 1}, "bad_completion", "error", "completion"),
        ({}, "bad_prompt", "error", ""),
        ({"text": "t"}, "bad_prompt", "error", ""),
        ({"prompt": "p", "completion": " \n"}, "empty_completion", "warning", "completion"),
        ({"prompt": "p", "completion": "c<|endoftext|>"}, "special_token_text", "warning", "completion"),
        ({"prompt": "<|im_end|>", "completion": "c"}, "special_token_text", "warning", "prompt"),
        ({"prompt": "p", "completion": "c", "label": 1}, "unknown_key", "warning", "label"),
    ],
)
def test_what_is_wrong_is_named_at_its_place(example: dict[str, Any], code: str, severity: str, path: str) -> None:
    assert problems(example, COMPLETION) == [(code, severity, path)]
