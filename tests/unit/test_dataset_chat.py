"""A supervised chat example: what is fine has no problems, what is not is named at its place."""

from __future__ import annotations

from typing import Any

import pytest

from ftjobs.dataset.formats import check_example
from ftjobs.dataset.problems import Place
from tests.unit.training_examples import ANSWER, CALL, CALLED, FUNCTION, REPLY, TOOL, USER, chat, image, problems


def says(**change: object) -> dict[str, Any]:
    """A chat whose assistant message is changed, beside the tool that it may call; None stays None."""
    return chat(USER, {**ANSWER, **change}, tools=[TOOL])


@pytest.mark.parametrize(
    "example",
    [
        chat(USER, ANSWER),
        chat({"role": "system", "content": ""}, {"role": "developer", "content": "d"}, USER, ANSWER),
        chat(USER, {**ANSWER, "weight": 0}, USER, {**ANSWER, "weight": 1}),
        chat({**USER, "name": "ann_B-2"}, {**ANSWER, "name": "a" * 64, "refusal": None}),
        chat(
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            ANSWER,
        ),
        chat(USER, {"role": "assistant", "tool_calls": [CALL]}, tools=[TOOL], parallel_tool_calls=False),
        chat(USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}, tools=[TOOL]),
        chat(
            USER,
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "content": "1", "tool_call_id": "c1"},
            ANSWER,
            tools=[{"type": "function", "function": {"name": "f"}}],
        ),
        chat(USER, {**ANSWER, "tool_calls": None, "function_call": None}, tools=[]),
    ],
)
def test_a_valid_example_has_no_problems(example: dict[str, Any]) -> None:
    assert problems(example) == []


@pytest.mark.parametrize(
    ("example", "code", "path"),
    [
        ({}, "bad_messages", ""),
        ({"text": "t"}, "bad_messages", ""),
        ({"messages": []}, "bad_messages", "messages"),
        ({"messages": None}, "bad_messages", "messages"),
        ({"messages": {"role": "user"}}, "bad_messages", "messages"),
        ({"messages": "hi"}, "bad_messages", "messages"),
        (chat(USER, "ho"), "bad_message", "messages[1]"),
        (chat(USER, None), "bad_message", "messages[1]"),
        (chat({"content": "hi"}, ANSWER), "bad_role", "messages[0].role"),
        (chat({**USER, "role": "human"}, ANSWER), "bad_role", "messages[0].role"),
        (chat({**USER, "role": ["user"]}, ANSWER), "bad_role", "messages[0].role"),
        (chat({"role": "user"}, ANSWER), "content_missing", "messages[0].content"),
        (says(content=None), "content_missing", "messages[1].content"),
        (says(content=None, tool_calls=None), "content_missing", "messages[1].content"),
        (
            chat({"role": "user", "content": None}, ANSWER),
            "content_missing",
            "messages[0].content",
        ),
        (says(content=3), "bad_content", "messages[1].content"),
        (says(content=[]), "bad_content", "messages[1].content"),
        (says(content={"text": "ho"}), "bad_content", "messages[1].content"),
        (chat({**USER, "content": ["hi"]}, ANSWER), "bad_part", "messages[0].content[0]"),
        (chat({**USER, "content": [{"text": "hi"}]}, ANSWER), "bad_part", "messages[0].content[0]"),
        (
            chat({**USER, "content": [{"type": "text", "text": "a"}, {"type": "text"}]}, ANSWER),
            "bad_part",
            "messages[0].content[1]",
        ),
        (
            chat({**USER, "content": [{"type": "text", "text": 1}]}, ANSWER),
            "bad_part",
            "messages[0].content[0]",
        ),
        (
            chat({**USER, "content": [{"type": "input_audio"}]}, ANSWER),
            "unknown_part",
            "messages[0].content[0]",
        ),
        (chat({**USER, "content": [image()]}, ANSWER), "images_unpriced", "messages[0].content[0]"),
        (
            chat({**USER, "content": [{"type": "image_url", "content": "u"}]}, ANSWER),
            "bad_image_part",
            "messages[0].content[0]",
        ),
        (
            chat({**USER, "content": [{"type": "image_url", "image_url": "u"}]}, ANSWER),
            "bad_image_part",
            "messages[0].content[0]",
        ),
        (
            chat({**USER, "content": [{"type": "image_url", "image_url": {"url": "u", "detail": []}}]}, ANSWER),
            "bad_image_part",
            "messages[0].content[0]",
        ),
        (says(weight=2), "bad_weight", "messages[1].weight"),
        (says(weight=True), "bad_weight", "messages[1].weight"),
        (says(weight=1.0), "bad_weight", "messages[1].weight"),
        (says(weight=None), "bad_weight", "messages[1].weight"),
        (chat({**USER, "weight": 0}, ANSWER), "misplaced_weight", "messages[0].weight"),
        (says(name=3), "bad_name", "messages[1].name"),
        (says(name=""), "bad_name", "messages[1].name"),
        (says(content=[{"type": "refusal", "refusal": "no"}]), "unknown_part", "messages[1].content[0]"),
        (says(tool_calls={}), "bad_tool_calls", "messages[1].tool_calls"),
        (says(tool_calls=[]), "bad_tool_calls", "messages[1].tool_calls"),
        (says(tool_calls=["f"]), "bad_tool_calls", "messages[1].tool_calls[0]"),
        (says(tool_calls=[{**CALL, "id": None}]), "bad_tool_calls", "messages[1].tool_calls[0].id"),
        (
            says(tool_calls=[CALL, {**CALL, "id": "c2", "type": "x"}]),
            "bad_tool_calls",
            "messages[1].tool_calls[1].type",
        ),
        (
            says(tool_calls=[{**CALL, "function": None}]),
            "bad_tool_calls",
            "messages[1].tool_calls[0].function",
        ),
        (
            says(tool_calls=[{**CALL, "function": {**FUNCTION, "name": 1}}]),
            "bad_tool_calls",
            "messages[1].tool_calls[0].function.name",
        ),
        (
            says(tool_calls=[{**CALL, "function": {**FUNCTION, "arguments": {"a": 1}}}]),
            "bad_tool_calls",
            "messages[1].tool_calls[0].function.arguments",
        ),
        (chat(USER, ANSWER, tools="[]"), "bad_tools", "tools"),
        (chat(USER, ANSWER, tools=None), "bad_tools", "tools"),
        (chat(USER, ANSWER, tools=[TOOL, {"name": "f"}]), "bad_tools", "tools[1]"),
        (chat(USER, ANSWER, tools=[{**TOOL, "function": {"name": ""}}]), "bad_tools", "tools[0]"),
        (
            chat(USER, ANSWER, tools=[{**TOOL, "function": {"name": "f", "parameters": "{}"}}]),
            "bad_tools",
            "tools[0]",
        ),
        (chat(USER, ANSWER, parallel_tool_calls="no"), "bad_parallel_tool_calls", "parallel_tool_calls"),
        (chat(USER), "no_assistant", "messages"),
        (
            chat(USER, {"role": "tool", "content": "1"}, ANSWER),
            "bad_tool_call_id",
            "messages[1].tool_call_id",
        ),
        (
            chat(USER, {"role": "tool", "content": "1", "tool_call_id": 4}, ANSWER),
            "bad_tool_call_id",
            "messages[1].tool_call_id",
        ),
    ],
)
def test_a_broken_example_is_one_error_at_its_place(example: dict[str, Any], code: str, path: str) -> None:
    assert problems(example) == [(code, "error", path)]


@pytest.mark.parametrize(
    ("example", "code", "path"),
    [
        (chat(USER, ANSWER, answer="9"), "unknown_key", "answer"),
        (says(name="Ann B."), "odd_name", "messages[1].name"),
        (says(name="a" * 65), "odd_name", "messages[1].name"),
        (says(name="ann\n"), "odd_name", "messages[1].name"),
        (
            chat(USER, CALLED, {**REPLY, "content": [{"type": "text", "text": "1"}]}, ANSWER, tools=[TOOL]),
            "tool_content_list",
            "messages[2].content",
        ),
        (says(wieght=1), "unknown_key", "messages[1].wieght"),
        (chat({**USER, "tool_call_id": "c1"}, ANSWER), "unknown_key", "messages[0].tool_call_id"),
        (
            says(tool_calls=[{**CALL, "function": {**FUNCTION, "arguments": "{a: 1}"}}]),
            "arguments_not_json",
            "messages[1].tool_calls[0].function.arguments",
        ),
        (
            says(tool_calls=[{**CALL, "function": {**FUNCTION, "arguments": "[" * 100_000}}]),
            "arguments_not_json",
            "messages[1].tool_calls[0].function.arguments",
        ),
        (chat(USER, ANSWER, USER), "last_not_assistant", "messages[2]"),
        (says(weight=0), "nothing_trained", "messages"),
        (chat({"role": "system", "content": "s"}, ANSWER), "no_user", "messages"),
        (says(content=""), "empty_assistant", "messages[1].content"),
        (says(content=" \n"), "empty_assistant", "messages[1].content"),
        (says(content=[{"type": "text", "text": ""}]), "empty_assistant", "messages[1].content"),
        (says(content="ho<|im_end|>"), "special_token_text", "messages[1].content"),
        (
            chat({**USER, "content": [{"type": "text", "text": "<|endoftext|>"}]}, ANSWER),
            "special_token_text",
            "messages[0].content[0].text",
        ),
        (
            says(tool_calls=[{**CALL, "function": {**FUNCTION, "arguments": '{"a": "<|end|>"}'}}]),
            "special_token_text",
            "messages[1].tool_calls[0].function.arguments",
        ),
        (chat(USER, ANSWER, functions=[{"name": "f"}]), "deprecated_functions", ""),
        (
            chat(USER, {"role": "assistant", "function_call": FUNCTION}, functions=[TOOL["function"]]),
            "deprecated_functions",
            "",
        ),
        (chat(USER, {"role": "function", "name": "f", "content": "1"}, ANSWER), "deprecated_functions", ""),
    ],
)
def test_a_doubtful_example_is_one_warning_at_its_place(example: dict[str, Any], code: str, path: str) -> None:
    assert problems(example) == [(code, "warning", path)]


def test_the_deprecated_forms_are_checked_like_the_new_ones() -> None:
    example = chat(
        USER,
        {"role": "assistant", "function_call": {"name": "f", "arguments": {}}},
        {"role": "function", "content": "1"},
        ANSWER,
        functions=[{"parameters": {}}],
    )
    assert problems(example) == [
        ("bad_functions", "error", "functions[0]"),
        ("bad_function_call", "error", "messages[1].function_call.arguments"),
        ("bad_name", "error", "messages[2].name"),
        ("deprecated_functions", "warning", ""),
    ]


def test_deprecated_functions_are_one_warning_an_example() -> None:
    called = {"role": "assistant", "function_call": FUNCTION}
    assert [code for code, _, _ in problems(chat(USER, called, called, functions=[TOOL["function"]]))] == [
        "deprecated_functions"
    ]


@pytest.mark.parametrize(
    ("role", "advice"),
    [
        ("human", "use user?"),
        ("GPT", "use assistant?"),
        ("User", "use user?"),
        ("asistant", "use assistant?"),
    ],
)
def test_a_slip_in_a_role_is_answered_with_the_role_that_was_meant(role: str, advice: str) -> None:
    (problem,) = check_example(chat({"role": role, "content": "hi"}, ANSWER), 1)
    assert advice in problem.message


def test_an_odd_key_is_shortened_and_escaped_in_a_path() -> None:
    place = Place(1, "messages[0]")
    assert place.key("\x1b[31m\ud800").path == 'messages[0]["\\u001b[31m\\ud800"]'
    assert len(place.key("k" * 1_000_000).path) < 60


def test_every_problem_of_an_example_is_found_at_once() -> None:
    example = chat({"role": "user"}, {"role": "assistant", "content": 1, "weight": 2}, extra=1)
    assert [code for code, _, _ in problems(example)] == [
        "unknown_key",
        "content_missing",
        "bad_content",
        "bad_weight",
    ]
