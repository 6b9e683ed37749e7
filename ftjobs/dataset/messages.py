"""Messages: what each must look like, and which texts of it are counted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftjobs.dataset.images import image_tokens
from ftjobs.dataset.parts import check_content, count_images
from ftjobs.dataset.problems import KEY_LENGTH, Place, Problem
from ftjobs.dataset.rules import Rules
from ftjobs.dataset.tokens import TOKENS_PER_MESSAGE, TOKENS_PER_NAME, ExampleTexts, as_json
from ftjobs.dataset.tools import Calls
from ftjobs.errors import nearest
from ftjobs.models.catalog import ImageTokens
from ftjobs.ranges import Range

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_COMMON_KEYS = frozenset({"role", "content", "name"})
_ROLE_KEYS = {
    "assistant": _COMMON_KEYS | {"tool_calls", "function_call", "refusal"},
    "tool": _COMMON_KEYS | {"tool_call_id"},
}
MESSAGE_KEYS = frozenset[str]({"weight"}).union(*_ROLE_KEYS.values())

_FOREIGN_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def check_messages(
    messages: object, at: Place, rules: Rules, owner: Mapping[str, Any], *, weights: bool = False
) -> Iterator[Problem]:
    """Yield every problem of a list of messages, one by one; `owner` is the object that has their tools.

    `weights` says whether assistant messages may have one, as supervised training takes it (0 or 1).
    """
    if not isinstance(messages, list) or not messages:
        yield at.error("bad_messages", "messages must be a list of at least one message: write it as a list")
        return
    calls = Calls(owner)
    images = 0
    for index, message in enumerate(messages):
        if isinstance(message, dict):
            yield from _check_message(message, at.item(index), rules, calls, weights=weights)
            images += count_images(message)
        else:
            yield at.item(index).error(
                "bad_message", 'a message must be an object: write it as {"role": …, "content": …}'
            )
    yield from calls.closed(at_end=True)
    if rules.images is not None and images > rules.max_images:
        yield at.error(
            "too_many_images",
            f"the example has {images} images and may have {rules.max_images}: split it or leave some out",
        )


def roles_in(messages: object) -> list[str] | None:
    """Return the roles of a list of messages; None where something is wrong with one: that is an error already."""
    if not isinstance(messages, list):
        return None
    roles: list[Any] = [message.get("role") if isinstance(message, dict) else None for message in messages]
    return None if any(role not in ROLES for role in roles) else roles


def _check_message(
    message: Mapping[str, Any], at: Place, rules: Rules, calls: Calls, *, weights: bool
) -> Iterator[Problem]:
    role = message.get("role")
    known = isinstance(role, str) and role in ROLES
    if not known:
        yield at.key("role").error("bad_role", _role_advice(role))
    elif role != "tool":
        yield from calls.closed()
    allowed = _ROLE_KEYS.get(str(role), _COMMON_KEYS) if known else MESSAGE_KEYS
    for key in message:
        if key not in allowed and not (key == "weight" and weights):
            yield at.key(key).warning(
                "unknown_key",
                "the API knows no such key in a message of this role: remove it, or check its spelling",
            )
    yield from check_content(message, at, rules)
    yield from _check_name(message, at.key("name"))
    if "weight" in message and weights:
        yield from _check_weight(message["weight"], role, at.key("weight"))
    if message.get("tool_calls") is not None:
        yield from calls.made(message["tool_calls"], at.key("tool_calls"))
    if message.get("function_call") is not None:
        yield from calls.made_as_function(message["function_call"], at.key("function_call"))
    if role == "tool":
        yield from calls.answered(message, at)


def _role_advice(role: object) -> str:
    known = ", ".join(ROLES[:-1])
    if not isinstance(role, str):
        return f"a message needs a role: set it to one of {known}"
    word = role[:KEY_LENGTH].lower()
    meant = _FOREIGN_ROLES.get(word) or nearest(word, ROLES)
    return f"the role is none of {known}: " + (f"use {meant}?" if meant else "use one of them")


def _check_name(message: Mapping[str, Any], place: Place) -> Iterator[Problem]:
    """The pattern is what chat completions answer with; that training asks for it is not documented."""
    if "name" not in message and message.get("role") != "function":
        return
    name = message.get("name")
    if not isinstance(name, str) or not name:
        yield place.error("bad_name", "name must be a string that is not empty: set or remove it")
    elif not _NAME.fullmatch(name):
        yield place.warning(
            "odd_name", "the API takes names of 1 to 64 letters, digits, _ and - without marks: rename it"
        )


def _check_weight(weight: object, role: object, place: Place) -> Iterator[Problem]:
    if role != "assistant":
        yield place.error("misplaced_weight", "only an assistant message may have a weight: remove it")
    elif type(weight) is not int or weight not in (0, 1):
        yield place.error("bad_weight", "weight must be the number 0 (do not train on it) or 1: set or remove it")


def message_texts(messages: Sequence[Any], images: ImageTokens | None, speaker: str | None = None) -> ExampleTexts:
    """Return the texts of messages, valid or not, each its role's own, or all `speaker`'s; without any priming.

    RecursionError where calls are nested too deeply to be written as JSON.
    """
    low: list[str] = []
    expected: list[str] = []
    high: list[str] = []
    speakers: list[str] = []
    spoken = names = 0
    pictures: list[Range[int]] = []
    for message in messages:
        if not isinstance(message, dict):
            continue
        spoken += TOKENS_PER_MESSAGE
        before = len(low)
        for key, value in message.items():
            if isinstance(value, str):
                (low if key in ("role", "content") else expected).append(value)
                names += TOKENS_PER_NAME if key == "name" else 0
            elif key == "content" and isinstance(value, list):
                low += [text for part in value if (text := _part_text(part)) is not None]
                if images is not None:
                    pictures += [image_tokens(part, images) for part in value if _is_image(part)]
            elif key in ("tool_calls", "function_call") and value is not None:
                high.append(as_json(value))
        speakers += [speaker or _speaker(message)] * (len(low) - before)
    seen = [sum(getattr(picture, bound) for picture in pictures) for bound in ("low", "expected", "high")]
    fixed = Range(spoken + seen[0], spoken + names + seen[1], spoken + names + seen[2])
    return ExampleTexts(fixed, tuple(low), tuple(expected), tuple(high), tuple(speakers))


def _speaker(message: Mapping[str, Any]) -> str:
    role = message.get("role")
    return role if isinstance(role, str) and role in ROLES else "other"


def _part_text(part: object) -> str | None:
    match part:
        case {"type": "text", "text": str(text)}:
            return text
        case _:
            return None


def _is_image(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") == "image_url"
