"""What a supervised chat example must look like: one example in, its problems out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ftjobs.dataset.problems import KEY_LENGTH, Place, Problem
from ftjobs.errors import nearest

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
EXAMPLE_KEYS = frozenset({"messages", "tools", "parallel_tool_calls", "functions"})
_COMMON_KEYS = frozenset({"role", "content", "name", "weight"})
_ROLE_KEYS = {
    "assistant": _COMMON_KEYS | {"tool_calls", "function_call", "refusal"},
    "tool": _COMMON_KEYS | {"tool_call_id"},
}
MESSAGE_KEYS = frozenset[str]().union(*_ROLE_KEYS.values())

_FOREIGN_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}
_IMAGE_DETAILS = ("auto", "low", "high")
_SPECIAL_TOKEN = re.compile(
    r"<\|(?:endoftext|endofprompt|startoftext|fim_prefix|fim_middle|fim_suffix|im_start|im_end|im_sep"
    r"|start|end|message|channel|return|call|constrain)\|>"
)


def check_example(example: Mapping[str, Any], line: int) -> Iterator[Problem]:
    """Yield every problem of one parsed line as supervised chat data.

    Rules: https://platform.openai.com/docs/guides/supervised-fine-tuning and the API reference's chat message
    types; what the service's answer to is unknown is a warning.
    """
    here = Place(line)
    if "messages" not in example:
        yield _other_format(example, here)
        return
    for key in example:
        if key not in EXAMPLE_KEYS:
            yield here.key(key).warning(
                "unknown_key", "the API knows no such key in an example: remove it, or check its spelling"
            )
    yield from _check_tools(example, here)
    messages = example["messages"]
    at = here.key("messages")
    if not isinstance(messages, list) or not messages:
        yield at.error("bad_messages", "messages must be a list of at least one message: write it as a list")
        return
    called: set[str] = set()
    for index, message in enumerate(messages):
        if isinstance(message, dict):
            yield from _check_message(message, at.item(index), called)
        else:
            yield at.item(index).error(
                "bad_message", 'a message must be an object: write it as {"role": …, "content": …}'
            )
    if "functions" in example or any(_is_legacy(message) for message in messages):
        yield here.warning(
            "deprecated_functions", "functions and function_call are deprecated: use tools and tool_calls"
        )
    yield from _check_conversation(messages, at)


def _other_format(example: Mapping[str, Any], here: Place) -> Problem:
    if "prompt" in example and "completion" in example:
        return here.error(
            "legacy_prompt_completion",
            'prompt/completion is the format of retired models: convert each line to {"messages": […]}; '
            "`ftjobs prepare SRC -o OUT` will do it in a later version",
        )
    if (
        "preferred_output" in example
        or "non_preferred_output" in example
        or example.keys() >= {"chosen", "rejected"}
    ):
        return here.error(
            "preference_data",
            'this is preference data (DPO), not supervised chat data: give {"messages": […]} lines; '
            "a later version will price preference data",
        )
    if "conversations" in example:
        return here.error(
            "sharegpt",
            "this is the ShareGPT format: rename conversations to messages, from to role (human is user, "
            "gpt is assistant) and value to content",
        )
    return here.error("bad_messages", 'the example has no messages: write it as {"messages": […]}')


def _is_legacy(message: object) -> bool:
    if not isinstance(message, dict):
        return False
    return message.get("function_call") is not None or message.get("role") == "function"


def _check_message(message: Mapping[str, Any], at: Place, called: set[str]) -> Iterator[Problem]:
    role = message.get("role")
    known = isinstance(role, str) and role in ROLES
    if not known:
        yield at.key("role").error("bad_role", _role_advice(role))
    allowed = _ROLE_KEYS.get(str(role), _COMMON_KEYS) if known else MESSAGE_KEYS
    for key in message:
        if key not in allowed:
            yield at.key(key).warning(
                "unknown_key",
                "the API knows no such key in a message of this role: remove it, or check its spelling",
            )
    yield from _check_content(message, at)
    if "name" in message or role == "function":
        name = message.get("name")
        if not isinstance(name, str) or not name:
            yield at.key("name").error("bad_name", "name must be a string that is not empty: set or remove it")
    if "weight" in message:
        yield from _check_weight(message["weight"], role, at.key("weight"))
    if message.get("tool_calls") is not None:
        yield from _check_tool_calls(message["tool_calls"], at.key("tool_calls"), called)
    if message.get("function_call") is not None:
        yield from _check_call(message["function_call"], at.key("function_call"), "bad_function_call")
    if role == "tool":
        call_id, place = message.get("tool_call_id"), at.key("tool_call_id")
        if not isinstance(call_id, str) or not call_id:
            yield place.error(
                "bad_tool_call_id", "a tool message needs the id of the call that it answers: set it"
            )
        elif call_id not in called:
            yield place.warning(
                "unmatched_tool_call_id", "no earlier tool call has this id: use the call's own id"
            )


def _role_advice(role: object) -> str:
    known = ", ".join(ROLES[:-1])
    if not isinstance(role, str):
        return f"a message needs a role: set it to one of {known}"
    word = role[:KEY_LENGTH].lower()
    meant = _FOREIGN_ROLES.get(word) or nearest(word, ROLES)
    return f"the role is none of {known}: " + (f"use {meant}?" if meant else "use one of them")


def _check_weight(weight: object, role: object, place: Place) -> Iterator[Problem]:
    if role != "assistant":
        yield place.error("misplaced_weight", "only an assistant message may have a weight: remove it")
    elif type(weight) is not int or weight not in (0, 1):
        yield place.error("bad_weight", "weight must be the number 0 (do not train on it) or 1: set or remove it")


def _check_content(message: Mapping[str, Any], at: Place) -> Iterator[Problem]:
    place = at.key("content")
    from_assistant = message.get("role") == "assistant"
    calls = from_assistant and (message.get("tool_calls") or message.get("function_call"))
    content = message.get("content")
    match content:
        case None if calls:
            return
        case None:
            yield place.error("content_missing", "the message has no content: give it a string")
            return
        case str():
            yield from _check_text(content, place)
            texts: list[object] = [content]
        case [_, *_]:
            texts = []
            for index, part in enumerate(content):
                yield from _check_part(part, place.item(index))
                texts.append(part.get("text") if isinstance(part, dict) else None)
        case _:
            yield place.error(
                "bad_content", "content must be a string or a list of parts: write it as one of them"
            )
            return
    if not from_assistant or calls:
        return
    if all(isinstance(text, str) and not text.strip() for text in texts):
        yield place.warning("empty_assistant", "the assistant's answer is empty: fill it in or drop the example")


def _check_part(part: object, place: Place) -> Iterator[Problem]:
    match part:
        case {"type": "text", "text": str(text)}:
            yield from _check_text(text, place.key("text"))
        case {"type": "text"}:
            yield place.error("bad_part", 'a text part must be {"type": "text", "text": "…"}: write it so')
        case {"type": "image_url", "image_url": {"url": str(), **rest}} if (
            rest.get("detail", "auto") in _IMAGE_DETAILS
        ):
            yield place.error(
                "images_unpriced", "this version cannot price images: leave out the examples that have them"
            )
        case {"type": "image_url"}:
            yield place.error(
                "bad_image_part",
                'an image part must be {"type": "image_url", "image_url": {"url": "…"}}: write it so',
            )
        case {"type": str()}:
            yield place.error("unknown_part", "only parts of type text can be priced: remove the part")
        case _:
            yield place.error(
                "bad_part", 'a part must be an object with a type: write {"type": "text", "text": "…"}'
            )


def _check_text(text: str, place: Place) -> Iterator[Problem]:
    if special := _SPECIAL_TOKEN.search(text):
        yield place.warning(
            "special_token_text",
            f"the text has {special.group()}, which counts as ordinary text here: remove it if it was a mark",
        )


def _check_tool_calls(calls: object, at: Place, called: set[str]) -> Iterator[Problem]:
    code = "bad_tool_calls"
    if not isinstance(calls, list) or not calls:
        yield at.error(code, "tool_calls must be a list of at least one call: write it as a list or remove it")
        return
    for index, call in enumerate(calls):
        place = at.item(index)
        if not isinstance(call, dict):
            yield place.error(code, 'a call must be {"id": …, "type": "function", "function": {…}}: write it so')
            continue
        call_id = call.get("id")
        if isinstance(call_id, str) and call_id:
            called.add(call_id)
        else:
            yield place.key("id").error(code, "a call needs an id that is a string: set it")
        if call.get("type") != "function":
            yield place.key("type").error(code, 'a call\'s type must be "function": set it')
        yield from _check_call(call.get("function"), place.key("function"), code)


def _check_call(call: object, place: Place, code: str) -> Iterator[Problem]:
    if not isinstance(call, dict):
        yield place.error(code, 'the called function must be {"name": "…", "arguments": "{…}"}: write it so')
        return
    if not isinstance(call.get("name"), str) or not call["name"]:
        yield place.key("name").error(code, "the called function needs a name that is a string: set it")
    arguments = call.get("arguments")
    at = place.key("arguments")
    if not isinstance(arguments, str):
        yield at.error(code, "arguments must be a string that holds JSON, not JSON itself: encode it as a string")
        return
    yield from _check_text(arguments, at)
    try:
        json.loads(arguments)
    except (ValueError, RecursionError):
        yield at.warning(
            "arguments_not_json", "arguments cannot be read as JSON: correct them, or the model learns it"
        )


def _check_tools(example: Mapping[str, Any], here: Place) -> Iterator[Problem]:
    for key, code in (("tools", "bad_tools"), ("functions", "bad_functions")):
        if key not in example:
            continue
        place = here.key(key)
        if not isinstance(example[key], list):
            yield place.error(code, f"{key} must be a list, not a string or an object: write it as a list")
            continue
        for index, tool in enumerate(example[key]):
            if not _is_tool(tool if key == "tools" else {"type": "function", "function": tool}):
                yield place.item(index).error(code, f"an entry of {key} must be {_TOOL_FORMS[key]}: write it so")
    if not isinstance(example.get("parallel_tool_calls", True), bool):
        yield here.key("parallel_tool_calls").error(
            "bad_parallel_tool_calls", "parallel_tool_calls must be true or false: set or remove it"
        )


_TOOL_FORMS = {
    "tools": '{"type": "function", "function": {"name": "…", "parameters": {…}}}',
    "functions": '{"name": "…", "parameters": {…}}',
}


def _is_tool(tool: object) -> bool:
    match tool:
        case {"type": "function", "function": {"name": str(name), **rest}}:
            return bool(name) and isinstance(rest.get("parameters", {}), dict)
        case _:
            return False


def _check_conversation(messages: list[Any], at: Place) -> Iterator[Problem]:
    roles = [message.get("role") if isinstance(message, dict) else None for message in messages]
    if any(role not in ROLES for role in roles):
        return  # already an error; what is missing beside it cannot be said
    if "assistant" not in roles:
        yield at.error(
            "no_assistant",
            "there is no assistant message to learn from: add the answer "
            "(data for reinforcement has none, and this version cannot price it)",
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
