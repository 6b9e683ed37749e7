"""The formats of training data: one example in, its problems or its countable texts out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftjobs.dataset import chat, completion, messages, preference
from ftjobs.dataset.chat import chat_texts, check_chat
from ftjobs.dataset.completion import check_completion, completion_texts
from ftjobs.dataset.preference import check_preference, preference_texts
from ftjobs.dataset.problems import Place, Problem
from ftjobs.dataset.reinforcement import check_reinforcement, reinforcement_texts
from ftjobs.dataset.rules import CHAT, Format, Rules, rules_for
from ftjobs.dataset.tokens import ExampleTexts

__all__ = ["CHAT", "KNOWN_KEYS", "Format", "Rules", "check_example", "example_texts", "rules_for"]

# The keys that a message may name: any other could be training text.
KNOWN_KEYS = chat.KEYS | preference.KEYS | preference.INPUT_KEYS | {*completion.KEYS} | messages.MESSAGE_KEYS


def check_example(example: Mapping[str, Any], line: int, rules: Rules = CHAT) -> Iterator[Problem]:
    """Yield every problem of one parsed line as data of `rules.format`.

    Data of another format is one error that says which method takes it, or how to convert it.
    """
    here = Place(line)
    match rules.format:
        case "chat" if "messages" in example:
            yield from check_chat(example, here, rules)
        case "reinforcement" if "messages" in example:
            yield from check_reinforcement(example, here, rules)
        case "preference" if any(key in example for key in preference.OUTPUTS):
            yield from check_preference(example, here, rules)
        case "completion" if any(key in example for key in completion.KEYS) and not _is_chosen(example):
            yield from check_completion(example, here)
        case _:
            yield _other_format(example, here, rules.format)


def example_texts(example: Mapping[str, Any], rules: Rules = CHAT) -> ExampleTexts | None:
    """Return what is counted of an example, valid or not; None where it is not of `rules.format` at all.

    RecursionError where its tools or calls are nested too deeply to be written as JSON.
    """
    match rules.format:
        case "chat":
            return chat_texts(example, rules)
        case "preference":
            return preference_texts(example, rules)
        case "reinforcement":
            return reinforcement_texts(example, rules)
        case "completion":
            return completion_texts(example)


def _is_chosen(example: Mapping[str, Any]) -> bool:
    return "chosen" in example and "rejected" in example


def _other_format(example: Mapping[str, Any], here: Place, wanted: Format) -> Problem:
    if any(key in example for key in preference.OUTPUTS):
        return here.error(
            "preference_data",
            "this is preference data (DPO): use --method dpo, with a model that takes it",
        )
    if _is_chosen(example):
        return here.error(
            "chosen_rejected",
            'this is preference data in another form: write {"input": {"messages": […]}, "preferred_output": '
            '[{"role": "assistant", …}], "non_preferred_output": […]} and use --method dpo',
        )
    if "messages" in example:
        return _chat_data(example, here, wanted)
    if "prompt" in example and "completion" in example:
        return here.error(
            "legacy_prompt_completion",
            "prompt/completion is the format of retired models: convert the file to chat data with "
            "`ftjobs prepare SRC -o OUT`",
        )
    if "conversations" in example:
        return here.error(
            "sharegpt",
            "this is the ShareGPT format: rename conversations to messages, from to role (human is user, "
            "gpt is assistant) and value to content",
        )
    if wanted == "preference":
        return here.error(
            "bad_input",
            'the example has no outputs: write it as {"input": {"messages": […]}, "preferred_output": […], '
            '"non_preferred_output": […]}',
        )
    if wanted == "completion":
        return here.error("bad_prompt", 'write the example as {"prompt": "…", "completion": "…"}')
    return here.error("bad_messages", 'the example has no messages: write it as {"messages": […]}')


def _chat_data(example: Mapping[str, Any], here: Place, wanted: Format) -> Problem:
    if wanted == "completion":
        return here.error(
            "chat_data", "this model takes prompt/completion, not messages: choose a chat model with --model"
        )
    spoken = example["messages"]
    answered = isinstance(spoken, list) and "assistant" in [
        message.get("role") for message in spoken if isinstance(message, dict)
    ]
    method = "supervised" if answered else "reinforcement"
    return here.error(
        "chat_data",
        f"this is chat data and not preference data: use --method {method}, or write pairs as "
        '{"input": {"messages": […]}, "preferred_output": […], "non_preferred_output": […]}',
    )
