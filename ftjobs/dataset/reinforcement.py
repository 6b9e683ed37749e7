"""Reinforcement data: {"messages": […]} that end with the user, and free fields for the graders.

Sources: the API reference's training format fine-tuning/reinforcement-input (messages and tools are the only
reserved keys, any other may be there for {{ item.… }}) and Azure's guide (the last message must be the user's).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftjobs.dataset.chat import PRIMING
from ftjobs.dataset.messages import check_messages, message_texts, roles_in
from ftjobs.dataset.problems import Place, Problem
from ftjobs.dataset.rules import Rules
from ftjobs.dataset.tokens import ExampleTexts, together, uncertain
from ftjobs.dataset.tools import check_tools


def check_reinforcement(example: Mapping[str, Any], here: Place, rules: Rules) -> Iterator[Problem]:
    """Yield every problem of one example that has messages."""
    yield from check_tools({"tools": example["tools"]} if "tools" in example else {}, here)
    messages, at = example["messages"], here.key("messages")
    yield from check_messages(messages, at, rules, example)
    roles = roles_in(messages)
    if not roles or roles[-1] == "user":
        return
    last = at.item(len(roles) - 1)
    if roles[-1] == "assistant":
        yield last.error(
            "assistant_last",
            "the model is to answer the last message, which is the assistant's: remove it (a field beside "
            "messages can hold it for the grader), or use --method supervised",
        )
    else:
        yield last.warning("last_not_user", "the model is to answer the last message: end with the user's")


def reinforcement_texts(example: Mapping[str, Any], rules: Rules) -> ExampleTexts | None:
    """Return the texts of a reinforcement example; None where it has no list of messages.

    Training is billed by the hour, so this is a measure of the data alone: messages as in chat; tools and the
    fields for the graders are in the high bound.
    """
    messages = example.get("messages")
    if not isinstance(messages, list):
        return None
    beside = [value for key, value in example.items() if key != "messages"]
    return together(PRIMING, message_texts(messages, rules.images), uncertain(*beside))
