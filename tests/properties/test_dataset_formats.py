"""Whatever JSON an example is, each format answers with problems that may be shown, at once and completely."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftjobs.dataset.formats import KNOWN_KEYS, Format, Rules, check_example, example_texts
from ftjobs.models.catalog import ImageTokens

FORMATS: tuple[Format, ...] = ("chat", "preference", "reinforcement", "completion")
SECRET = "sesame\u202e"
WORDS = [SECRET, "", "user", "assistant", "tool", "function", "text", "image_url", "{}", "c1", "low", "\ud800"]

keys = st.sampled_from(
    [*sorted(KNOWN_KEYS), "type", "text", "url", "detail", "id", "arguments", "parameters", "a.b"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(WORDS)
    | st.just("data:image/png;base64," + SECRET),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=25,
)


@pytest.mark.parametrize("wanted", FORMATS)
@settings(deadline=None)
@given(example=st.dictionaries(keys, values, max_size=6))
def test_any_object_gets_problems_that_may_be_shown(wanted: Format, example: dict[str, Any]) -> None:
    rules = Rules(wanted, ImageTokens(85, 85, 170))
    found = list(check_example(example, 5, rules))
    assert found == list(check_example(example, 5, rules))
    for problem in found:
        assert problem.line == 5
        assert SECRET not in problem.message
        assert problem.path.isascii()
        assert len(problem.message) < 300
    example_texts(example, rules)
    json.dumps(example)


BIG = 5_000_000


@pytest.mark.parametrize("wanted", FORMATS)
@pytest.mark.parametrize(
    "text",
    ["a" * BIG, "<|im_" * (BIG // 5), "data:image/png;base64," + "/" * BIG, "[" * BIG, "\U0001f600" * (BIG // 4)],
)
def test_megabytes_in_any_place_are_judged_in_linear_time(wanted: Format, text: str) -> None:
    call = {"id": text, "type": "function", "function": {"name": text, "arguments": text}}
    shown = {"type": "image_url", "image_url": {"url": text, "detail": text}}
    messages: list[dict[str, Any]] = [
        {
            "role": "user",
            "content": [{"type": "text", "text": text}, {**shown, "image_url": {"url": text}}, shown],
        },
        {"role": "assistant", "content": text, "name": text, "tool_calls": [call], text: text},
        {"role": "tool", "content": text, "tool_call_id": text},
        {"role": text, "content": text},
        {"role": "assistant", "content": text},
    ]
    tools = [{"type": "function", "function": {"name": text}}]
    example = {
        "messages": messages,
        "input": {"messages": messages, "tools": tools},
        "preferred_output": messages[-1:],
        "non_preferred_output": [dict(messages[-1])],
        "prompt": text,
        "completion": text,
        "tools": tools,
        text: text,
    }
    start = time.process_time()
    found = list(check_example(example, 1, Rules(wanted, ImageTokens(85, 85, 170))))
    assert time.process_time() - start < 30  # some 1 s; the square of 5 million is days
    assert found
    assert all(len(problem.path) < 600 for problem in found)
