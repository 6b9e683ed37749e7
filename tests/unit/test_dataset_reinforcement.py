"""Reinforcement data: a prompt that waits for its answer, and anything beside it for the graders."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.training_examples import ANSWER, CALLED, REINFORCEMENT, REPLY, TOOL, USER, chat, problems

SYSTEM = {"role": "system", "content": "s"}


@pytest.mark.parametrize(
    "example",
    [
        chat(USER),
        chat({"role": "developer", "content": "d"}, USER),
        chat(USER, ANSWER, USER, answer="9", reference={"deep": [1]}, metadata=None),
        chat(USER, tools=[TOOL], parallel_tool_calls="free", functions="free"),
    ],
)
def test_a_prompt_with_free_fields_is_fine(example: dict[str, Any]) -> None:
    assert problems(example, REINFORCEMENT) == []


@pytest.mark.parametrize(
    ("example", "code", "path"),
    [
        (chat(USER, ANSWER), "assistant_last", "messages[1]"),
        (chat(USER, CALLED, tools=[TOOL]), "assistant_last", "messages[1]"),
        (chat(), "bad_messages", "messages"),
        ({"messages": "hi"}, "bad_messages", "messages"),
        (chat("hi"), "bad_message", "messages[0]"),
        (chat({**USER, "role": "human"}), "bad_role", "messages[0].role"),
        (chat(USER, tools={}), "bad_tools", "tools"),
        ({"answer": "9"}, "bad_messages", ""),
    ],
)
def test_what_leaves_the_model_nothing_to_answer_is_one_error(
    example: dict[str, Any], code: str, path: str
) -> None:
    assert problems(example, REINFORCEMENT) == [(code, "error", path)]


@pytest.mark.parametrize(
    ("example", "code", "path"),
    [
        (chat(USER, SYSTEM), "last_not_user", "messages[1]"),
        (chat(USER, CALLED, REPLY, tools=[TOOL]), "last_not_user", "messages[2]"),
        (chat(USER, {**ANSWER, "weight": 0}, USER), "unknown_key", "messages[1].weight"),
    ],
)
def test_a_doubtful_prompt_is_one_warning(example: dict[str, Any], code: str, path: str) -> None:
    assert problems(example, REINFORCEMENT) == [(code, "warning", path)]
