"""Tools, calls and answers: each call is declared, well formed and answered, or it is said what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.training_examples import ANSWER, CALL, CALLED, FUNCTION, REPLY, TOOL, USER, chat, problems

OTHER = {**CALL, "id": "c2"}
TWO_CALLS = {"role": "assistant", "tool_calls": [CALL, OTHER]}
OTHER_REPLY = {**REPLY, "tool_call_id": "c2"}
CALL_PATH = "messages[1].tool_calls[0]"


def told(*messages: object, **keys: object) -> dict[str, Any]:
    """A chat with the tool that its calls are of."""
    return chat(USER, *messages, **{"tools": [TOOL], **keys})


def called(**change: object) -> dict[str, Any]:
    return told({"role": "assistant", "tool_calls": [{**CALL, "function": {**FUNCTION, **change}}]})


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


@pytest.mark.parametrize(
    "example",
    [
        told(CALLED),
        told(CALLED, REPLY, ANSWER),
        told(TWO_CALLS, OTHER_REPLY, REPLY, ANSWER),
        told(TWO_CALLS),
        told(CALLED, REPLY, CALLED, REPLY, ANSWER),
        told(CALLED, REPLY, CALLED),
        told(CALLED, REPLY, ANSWER, USER, CALLED, REPLY, ANSWER),
        told(CALLED, parallel_tool_calls=False),
        chat(USER, ANSWER, tools=[], parallel_tool_calls=True),
        told(ANSWER, tools=[TOOL, named("g"), named("a" * 64), named("get_a-B9")]),
        called(arguments="{}"),
        called(arguments=' {"a": [1]}\n'),
    ],
)
def test_calls_that_are_declared_and_answered_are_fine(example: dict[str, Any]) -> None:
    assert problems(example) == []


@pytest.mark.parametrize(
    ("example", "code", "path"),
    [
        (told(CALLED, ANSWER), "unanswered_tool_call", CALL_PATH),
        (told(CALLED, USER, ANSWER), "unanswered_tool_call", CALL_PATH),
        (told(CALLED, {"role": "system", "content": "s"}, ANSWER), "unanswered_tool_call", CALL_PATH),
        (told(CALLED, CALLED, REPLY, ANSWER), "unanswered_tool_call", CALL_PATH),
        (told(TWO_CALLS, REPLY, ANSWER), "unanswered_tool_call", "messages[1].tool_calls[1]"),
        (told(CALLED, REPLY, REPLY, ANSWER), "answered_twice", "messages[3].tool_call_id"),
        (told(REPLY, ANSWER), "unmatched_tool_call_id", "messages[1].tool_call_id"),
        (told(REPLY, CALLED), "unmatched_tool_call_id", "messages[1].tool_call_id"),
        (told(CALLED, REPLY, ANSWER, REPLY, ANSWER), "unmatched_tool_call_id", "messages[4].tool_call_id"),
        (
            told({"role": "assistant", "tool_calls": [CALL, CALL]}, REPLY, ANSWER),
            "duplicate_tool_call_id",
            "messages[1].tool_calls[1].id",
        ),
        (called(name="g"), "unknown_function", f"{CALL_PATH}.function.name"),
        (told(CALLED, tools=[]), "unknown_function", f"{CALL_PATH}.function.name"),
        (chat(USER, CALLED), "unknown_function", f"{CALL_PATH}.function.name"),
        (chat(USER, CALLED, REPLY, CALLED), "unknown_function", f"{CALL_PATH}.function.name"),
        (told(ANSWER, tools=[TOOL, TOOL]), "duplicate_tool", "tools[1]"),
        (chat(USER, ANSWER, parallel_tool_calls=True), "parallel_without_tools", "parallel_tool_calls"),
        (called(arguments=""), "arguments_not_json", f"{CALL_PATH}.function.arguments"),
        (called(arguments="9" * 5000), "arguments_not_json", f"{CALL_PATH}.function.arguments"),
        (called(arguments="[1]"), "arguments_not_object", f"{CALL_PATH}.function.arguments"),
        (called(arguments="null"), "arguments_not_object", f"{CALL_PATH}.function.arguments"),
    ],
)
def test_what_may_confuse_the_model_is_one_warning_at_its_place(
    example: dict[str, Any], code: str, path: str
) -> None:
    assert problems(example) == [(code, "warning", path)]


@pytest.mark.parametrize("name", ["get weather", "a.b", "é", "a" * 65, "f\n"])
def test_a_function_name_that_the_reference_forbids_is_an_error(name: str) -> None:
    assert problems(told(ANSWER, tools=[named(name)])) == [("bad_function_name", "error", "tools[0]")]


def test_an_example_that_ends_amid_its_answers_lacks_the_rest() -> None:
    assert problems(told(TWO_CALLS, REPLY)) == [
        ("unanswered_tool_call", "warning", "messages[1].tool_calls[1]"),
        ("last_not_assistant", "warning", "messages[2]"),
    ]


def test_a_broken_entry_of_tools_hides_no_further_names() -> None:
    assert problems(told(CALLED, tools=[{"name": "f"}])) == [("bad_tools", "error", "tools[0]")]


def test_a_message_whose_role_is_unknown_does_not_end_the_answers() -> None:
    example = told(CALLED, {"role": "tools", "content": "1"}, REPLY, ANSWER)
    assert [code for code, _, _ in problems(example)] == ["bad_role"]


def test_functions_know_their_own_names() -> None:
    asked = {"role": "assistant", "function_call": FUNCTION}
    declared = chat(USER, asked, functions=[{"name": "f"}])
    assert [code for code, _, _ in problems(declared)] == ["deprecated_functions"]
    other = chat(USER, asked, functions=[{"name": "g"}])
    assert problems(other)[0] == ("unknown_function", "warning", "messages[1].function_call.name")
