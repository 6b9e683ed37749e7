"""Preference data for DPO: {"input": {"messages": …}, "preferred_output": [one], "non_preferred_output": [one]}.

Sources: the guide to direct preference optimization (developers.openai.com/api/docs/guides) and the API
reference's training format fine-tuning/preference-input: text only, one turn, the outputs being the last
assistant message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftjobs.dataset.chat import PRIMING
from ftjobs.dataset.messages import check_messages, message_texts, roles_in
from ftjobs.dataset.problems import Place, Problem
from ftjobs.dataset.rules import Rules
from ftjobs.dataset.tokens import ExampleTexts, only_high, together, uncertain
from ftjobs.dataset.tools import check_tools

OUTPUTS = ("preferred_output", "non_preferred_output")
KEYS = frozenset({"input", *OUTPUTS})
INPUT_KEYS = frozenset({"messages", "tools", "parallel_tool_calls"})


def check_preference(example: Mapping[str, Any], here: Place, rules: Rules) -> Iterator[Problem]:
    """Yield every problem of one example that has at least one of the three keys."""
    yield from _unknown_keys(example, KEYS, here)
    asked = example.get("input")
    if isinstance(asked, dict):
        yield from _check_input(asked, here.key("input"), rules)
    else:
        yield here.key("input").error("bad_input", 'input must be {"messages": […]}: write the prompt so')
        asked = {}
    for key in OUTPUTS:
        yield from _check_output(example.get(key), here.key(key), rules, asked)
    if _same(example.get(OUTPUTS[0]), example.get(OUTPUTS[1])):
        yield here.warning(
            "identical_outputs", "both outputs are the same, so nothing can be preferred: drop the example"
        )


def _unknown_keys(owner: Mapping[str, Any], known: frozenset[str], at: Place) -> Iterator[Problem]:
    for key in owner:
        if key not in known:
            yield at.key(key).warning(
                "unknown_key", "the API knows no such key in preference data: remove it, or check its spelling"
            )


def _check_input(asked: Mapping[str, Any], at: Place, rules: Rules) -> Iterator[Problem]:
    yield from _unknown_keys(asked, INPUT_KEYS, at)
    yield from check_tools({key: asked[key] for key in INPUT_KEYS & asked.keys()}, at)
    messages, place = asked.get("messages"), at.key("messages")
    yield from check_messages(messages, place, rules, asked)
    roles = roles_in(messages)
    if roles and roles[-1] not in ("user", "tool"):
        yield place.item(len(roles) - 1).warning(
            "last_not_user", "the outputs answer the last message: end the input with that of the user or a tool"
        )


def _check_output(output: object, at: Place, rules: Rules, asked: Mapping[str, Any]) -> Iterator[Problem]:
    if not isinstance(output, list) or not output:
        yield at.error("bad_output", "an output must be a list of one assistant message: write it so")
        return
    yield from check_messages(output, at, rules, asked)
    roles = roles_in(output)
    if roles and "assistant" not in roles:
        yield at.error("bad_output", "an output needs an assistant message: give it that role")
    elif len(output) > 1:
        yield at.warning(
            "long_output", "only one turn is trained, an assistant message: move what leads to it into the input"
        )


def _same(one: object, other: object) -> bool:
    try:
        return one is not None and one == other
    except RecursionError:
        return False


def preference_texts(example: Mapping[str, Any], rules: Rules) -> ExampleTexts | None:
    """Return the texts of a preference example; None where neither input nor outputs are there.

    The guide says that the tokens of the training dataset are billed, not whether the prompt counts for each
    output. Low and expected count prompt and both outputs once; high counts prompt and tools twice.
    """
    asked = example.get("input")
    asked = asked if isinstance(asked, dict) else {}
    messages = asked.get("messages")
    outputs = [(key, example[key]) for key in OUTPUTS if isinstance(example.get(key), list)]
    if not isinstance(messages, list) and not outputs:
        return None
    prompt = together(PRIMING, message_texts(messages if isinstance(messages, list) else [], rules.images))
    tools = uncertain(*(asked[key] for key in ("tools", "parallel_tool_calls") if key in asked))
    spoken = (message_texts(output, rules.images, speaker=key) for key, output in outputs)
    return together(prompt, *spoken, tools, only_high(prompt), tools)
