"""The right format for model and method; data of another format is one error that names the way."""

from __future__ import annotations

from typing import Any

import pytest

from ftjobs.dataset.formats import KNOWN_KEYS, Format, Rules, check_example, example_texts, rules_for
from ftjobs.models.catalog import CatalogModel, ImageTokens, load_catalog
from tests.unit.training_examples import ANSWER, CALL, USER, WITH_IMAGES, chat, problems

PAIR = {"input": chat(USER), "preferred_output": [ANSWER], "non_preferred_output": [USER]}
CHOSEN = {"prompt": "p", "chosen": "a", "rejected": "b"}
LEGACY = {"prompt": "p", "completion": "c"}
SHAREGPT = {"conversations": [{"from": "human", "value": "hi"}], "tools": "[]"}


def model(name: str) -> CatalogModel:
    found = load_catalog().find(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("wanted", "example", "code", "way"),
    [
        ("chat", PAIR, "preference_data", "--method dpo"),
        ("chat", CHOSEN, "chosen_rejected", "preferred_output"),
        ("chat", {"chosen": [ANSWER], "rejected": [ANSWER]}, "chosen_rejected", "--method dpo"),
        ("chat", LEGACY, "legacy_prompt_completion", "`ftjobs prepare SRC -o OUT`"),
        ("chat", SHAREGPT, "sharegpt", "messages"),
        ("chat", {"text": "t"}, "bad_messages", '{"messages": […]}'),
        ("preference", chat(USER, ANSWER), "chat_data", "--method supervised"),
        ("preference", chat(USER), "chat_data", "--method reinforcement"),
        ("preference", {"messages": "hi"}, "chat_data", "preferred_output"),
        ("preference", CHOSEN, "chosen_rejected", "preferred_output"),
        ("preference", LEGACY, "legacy_prompt_completion", "ftjobs prepare"),
        ("preference", SHAREGPT, "sharegpt", "messages"),
        ("preference", {"input": chat(USER)}, "bad_input", "preferred_output"),
        ("reinforcement", PAIR, "preference_data", "--method dpo"),
        ("reinforcement", CHOSEN, "chosen_rejected", "--method dpo"),
        ("reinforcement", LEGACY, "legacy_prompt_completion", "ftjobs prepare"),
        ("reinforcement", SHAREGPT, "sharegpt", "messages"),
        ("completion", chat(USER, ANSWER), "chat_data", "--model"),
        ("completion", PAIR, "preference_data", "--method dpo"),
        ("completion", CHOSEN, "chosen_rejected", "--method dpo"),
        ("completion", SHAREGPT, "sharegpt", "messages"),
    ],
)
def test_data_of_another_format_is_one_error_that_says_what_to_do(
    wanted: Format, example: dict[str, Any], code: str, way: str
) -> None:
    (problem,) = check_example(example, 3, Rules(wanted))
    assert (problem.line, problem.code, problem.severity, problem.path) == (3, code, "error", "")
    assert way in problem.message


@pytest.mark.parametrize("wanted", ["chat", "preference", "reinforcement"])
def test_data_of_another_format_has_nothing_to_count(wanted: Format) -> None:
    assert example_texts(LEGACY, Rules(wanted)) is None
    assert example_texts(SHAREGPT, Rules(wanted)) is None


def test_an_answerless_chat_is_told_of_the_method_that_takes_it() -> None:
    (problem,) = check_example(chat(USER), 1)
    assert problem.code == "no_assistant"
    assert "--method reinforcement" in problem.message


@pytest.mark.parametrize(
    ("name", "method", "wanted"),
    [
        ("gpt-4.1-mini", "supervised", Rules("chat")),
        ("gpt-4o", "supervised", WITH_IMAGES),
        ("gpt-4o", "dpo", Rules("preference")),
        ("o4-mini", "reinforcement", Rules("reinforcement")),
        ("davinci-002", "supervised", Rules("completion")),
        ("babbage-002", "supervised", Rules("completion")),
    ],
)
def test_model_and_method_say_what_a_file_is_held_to(name: str, method: str, wanted: Rules) -> None:
    assert rules_for(model(name), method) == wanted


def test_a_model_that_the_catalog_does_not_know_takes_the_methods_own_format() -> None:
    assert rules_for(None, "supervised") == Rules("chat")
    assert rules_for(None, "dpo") == Rules("preference")


def test_a_method_that_nobody_knows_is_a_bug() -> None:
    with pytest.raises(ValueError, match="distillation"):
        rules_for(None, "distillation")


def test_rules_can_be_part_of_a_key() -> None:
    priced = Rules(images=ImageTokens(85, 85, 170))
    assert {priced: 1}[WITH_IMAGES] == 1
    assert len({Rules(), priced, Rules("preference"), Rules(max_images=64)}) == 4


def test_every_known_key_is_a_plain_word() -> None:
    assert {"messages", "input", "prompt", "weight", "tool_call_id"} <= KNOWN_KEYS
    assert all(key.isidentifier() for key in KNOWN_KEYS)


SECRET = "sesame"
SPOILT = chat(
    {"role": SECRET, "content": [{"type": SECRET, "text": SECRET}, SECRET]},
    {"role": "user", "content": f"{SECRET}<|im_end|>", "name": [SECRET], "weight": SECRET},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": SECRET, "detail": "low"}}]},
    {"role": "user", "content": "a", "name": f"{SECRET} {SECRET}"},
    {"role": "assistant", "tool_calls": [{"id": 1, "type": SECRET, "function": {"name": 2, "arguments": SECRET}}]},
    {"role": "assistant", "tool_calls": [{**CALL, "id": SECRET, "function": {"name": SECRET, "arguments": "[]"}}]},
    {"role": "tool", "content": SECRET, "tool_call_id": SECRET + SECRET},
    SECRET,
    tools=[{"type": "function", "function": {"name": f"{SECRET}!"}}] * 2,
    functions=[SECRET],
    parallel_tool_calls=SECRET,
)


@pytest.mark.parametrize(
    ("example", "rules", "at_least"),
    [
        (SPOILT, WITH_IMAGES, 18),
        (
            {"input": SPOILT, "preferred_output": SPOILT["messages"], "non_preferred_output": SECRET},
            Rules("preference"),
            25,
        ),
        (SPOILT, Rules("reinforcement"), 14),
        ({"prompt": [SECRET], "completion": f"{SECRET}<|im_end|>"}, Rules("completion"), 2),
    ],
)
def test_a_problem_says_what_to_do_and_quotes_no_training_text(
    example: dict[str, Any], rules: Rules, at_least: int
) -> None:
    found = list(check_example(example, 1, rules))
    assert len(found) >= at_least
    for problem in found:
        assert SECRET not in problem.message + problem.path
        assert ": " in problem.message
        assert len(problem.message) < 300


@pytest.mark.parametrize("wanted", ["chat", "preference", "reinforcement", "completion"])
def test_a_code_has_one_severity(wanted: Format) -> None:
    examples = [
        SPOILT,
        PAIR,
        CHOSEN,
        LEGACY,
        SHAREGPT,
        {},
        chat(USER),
        chat(USER, ANSWER),
        {"preferred_output": 1},
    ]
    severities: dict[str, set[str]] = {}
    for example in examples:
        for code, severity, _ in problems(example, Rules(wanted)):
            severities.setdefault(code, set()).add(severity)
    assert all(len(found) == 1 for found in severities.values()), severities
