"""Preference data (DPO): a prompt and two outputs, one preferred; what is not so is named at its place."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.training_examples import (
    ANSWER,
    CALLED,
    PREFERENCE,
    REPLY,
    TOOL,
    USER,
    WITH_IMAGES,
    Found,
    chat,
    image,
    problems,
)

WORSE = {"role": "assistant", "content": "hm"}


def pair(**change: object) -> dict[str, Any]:
    return {"input": chat(USER), "preferred_output": [ANSWER], "non_preferred_output": [WORSE], **change}


def asks(*messages: object, **keys: object) -> dict[str, Any]:
    return pair(input=chat(*messages, **keys))


def found(example: dict[str, Any]) -> Found:
    return problems(example, PREFERENCE)


@pytest.mark.parametrize(
    "example",
    [
        pair(),
        asks({"role": "system", "content": "s"}, USER, ANSWER, USER),
        asks(USER, CALLED, REPLY, tools=[TOOL]),
        asks(USER, tools=[], parallel_tool_calls=True),
        pair(input=chat(USER, tools=[TOOL]), preferred_output=[CALLED]),
        pair(preferred_output=[{**ANSWER, "name": "ann"}]),
    ],
)
def test_a_pair_of_different_answers_is_fine(example: dict[str, Any]) -> None:
    assert found(example) == []


@pytest.mark.parametrize(
    ("example", "code", "path"),
    [
        (pair(input=None), "bad_input", "input"),
        (pair(input=[USER]), "bad_input", "input"),
        (pair(input={}), "bad_messages", "input.messages"),
        (pair(input={"messages": []}), "bad_messages", "input.messages"),
        (asks("hi"), "bad_message", "input.messages[0]"),
        (asks({**USER, "role": "human"}), "bad_role", "input.messages[0].role"),
        (asks({"role": "user"}), "content_missing", "input.messages[0].content"),
        (asks(USER, tools="[]"), "bad_tools", "input.tools"),
        (asks(USER, parallel_tool_calls=1), "bad_parallel_tool_calls", "input.parallel_tool_calls"),
        (pair(preferred_output=None), "bad_output", "preferred_output"),
        (pair(preferred_output="ho"), "bad_output", "preferred_output"),
        (pair(preferred_output=ANSWER), "bad_output", "preferred_output"),
        (pair(non_preferred_output=[]), "bad_output", "non_preferred_output"),
        (pair(non_preferred_output=[USER]), "bad_output", "non_preferred_output"),
        (pair(preferred_output=["ho"]), "bad_message", "preferred_output[0]"),
        (pair(preferred_output=[{"role": "assistant"}]), "content_missing", "preferred_output[0].content"),
        (asks({"role": "user", "content": [image()]}), "images_unpriced", "input.messages[0].content[0]"),
    ],
)
def test_a_broken_pair_is_one_error_at_its_place(example: dict[str, Any], code: str, path: str) -> None:
    assert found(example) == [(code, "error", path)]


@pytest.mark.parametrize(
    ("example", "code", "path"),
    [
        (pair(extra=1), "unknown_key", "extra"),
        (asks(USER, functions=[]), "unknown_key", "input.functions"),
        (asks({**USER, "weight": 0}), "unknown_key", "input.messages[0].weight"),
        (pair(preferred_output=[{**ANSWER, "weight": 1}]), "unknown_key", "preferred_output[0].weight"),
        (pair(non_preferred_output=[ANSWER]), "identical_outputs", ""),
        (
            pair(non_preferred_output=[{**ANSWER, "content": " "}]),
            "empty_assistant",
            "non_preferred_output[0].content",
        ),
        (pair(preferred_output=[ANSWER, WORSE]), "long_output", "preferred_output"),
        (asks(USER, ANSWER), "last_not_user", "input.messages[1]"),
        (asks({"role": "system", "content": "s"}), "last_not_user", "input.messages[0]"),
        (pair(preferred_output=[CALLED]), "unknown_function", "preferred_output[0].tool_calls[0].function.name"),
        (
            pair(preferred_output=[{**ANSWER, "content": "<|im_end|>"}]),
            "special_token_text",
            "preferred_output[0].content",
        ),
    ],
)
def test_a_doubtful_pair_is_one_warning_at_its_place(example: dict[str, Any], code: str, path: str) -> None:
    assert found(example) == [(code, "warning", path)]


def test_every_problem_of_a_pair_is_found_at_once() -> None:
    example = {"input": 1, "preferred_output": 2, "extra": 3}
    assert [code for code, _, _ in found(example)] == ["unknown_key", "bad_input", "bad_output", "bad_output"]


def test_outputs_that_are_nested_too_deeply_to_be_compared_are_no_crash() -> None:
    def deep() -> list[Any]:
        value: list[Any] = []
        for _ in range(100_000):
            value = [value]
        return value

    example = pair(
        preferred_output=[{**ANSWER, "name": deep()}], non_preferred_output=[{**ANSWER, "name": deep()}]
    )
    assert [code for code, _, _ in found(example)] == ["bad_name", "bad_name"]


def test_the_guide_takes_text_alone_whatever_the_model_takes_elsewhere() -> None:
    assert problems(chat({"role": "user", "content": [image()]}, ANSWER), WITH_IMAGES) == []
    assert found(asks({"role": "user", "content": [image()]})) != []
