"""Supervised chat data: {"messages": […], "tools": […], "parallel_tool_calls": …}.

Sources: the guide to supervised fine-tuning (developers.openai.com/api/docs/guides/supervised-fine-tuning) and the
API reference's training format fine-tuning/chat-input; what the service's answer to is unknown is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftjobs.dataset.messages import check_messages, message_texts, roles_in
from ftjobs.dataset.problems import Place, Problem
from ftjobs.dataset.rules import Rules
from ftjobs.dataset.tokens import TOKENS_PER_EXAMPLE, ExampleTexts, together, uncertain
from ftjobs.dataset.tools import check_tools
from ftjobs.ranges import Range

KEYS = frozenset({"messages", "tools", "parallel_tool_calls", "functions"})
PRIMING = ExampleTexts(Range(0, TOKENS_PER_EXAMPLE, TOKENS_PER_EXAMPLE), ())


def check_chat(example: Mapping[str, Any], here: Place, rules: Rules) -> Iterator[Problem]:
    """Yield every problem of one example that has messages."""
    for key in example:
        if key not in KEYS:
            yield here.key(key).warning(
                "unknown_key", "the API knows no such key in an example: remove it, or check its spelling"
            )
    yield from check_tools(example, here)
    messages, at = example["messages"], here.key("messages")
    yield from check_messages(messages, at, rules, example, weights=True)
    if not isinstance(messages, list) or not messages:
        return
    if "functions" in example or any(_is_legacy(message) for message in messages):
        yield here.warning(
            "deprecated_functions", "functions and function_call are deprecated: use tools and tool_calls"
        )
    if roles := roles_in(messages):
        yield from _check_conversation(messages, roles, at)


def _is_legacy(message: object) -> bool:
    if not isinstance(message, dict):
        return False
    return message.get("function_call") is not None or message.get("role") == "function"


def _check_conversation(messages: list[Any], roles: list[str], at: Place) -> Iterator[Problem]:
    if "assistant" not in roles:
        yield at.error(
            "no_assistant",
            "there is no assistant message to learn from: add the answer, "
            "or use --method reinforcement if a grader is to judge it",
        )
        return
    if roles[-1] != "assistant":
        yield at.item(len(roles) - 1).warning(
            "last_not_assistant", "nothing is learnt after the last assistant message: end with the answer"
        )
    if all(message.get("weight") == 0 for message in messages if message["role"] == "assistant"):
        yield at.warning(
            "nothing_trained", "every assistant message has weight 0: give one weight 1 or drop the example"
        )
    if "user" not in roles:
        yield at.warning("no_user", "there is no user message: add the request that the answer belongs to")


def chat_texts(example: Mapping[str, Any], rules: Rules) -> ExampleTexts | None:
    """Return the texts of a chat example; None where it has no list of messages.

    Tools, functions and parallel_tool_calls are in the high bound alone: their billing is not documented.
    """
    messages = example.get("messages")
    if not isinstance(messages, list):
        return None
    tools = [example[key] for key in ("tools", "functions", "parallel_tool_calls") if key in example]
    return together(PRIMING, message_texts(messages, rules.images), uncertain(*tools))
