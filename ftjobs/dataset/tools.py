"""Tools, calls and answers: what may be called, how, and that each call has its answer.

Sources: the API reference's training formats (developers.openai.com, fine-tuning/chat-input) for tools and the
names of functions; its chat message types for calls. That a call must be answered before anyone else speaks is
what chat completions demand; whether a training file is refused over it is not documented, so it is a warning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ftjobs.dataset.parts import check_text
from ftjobs.dataset.problems import Place, Problem

_FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_FORMS = {
    "tools": '{"type": "function", "function": {"name": "…", "parameters": {…}}}',
    "functions": '{"name": "…", "parameters": {…}}',
}
_ERRORS = {"tools": "bad_tools", "functions": "bad_functions"}


def check_tools(owner: Mapping[str, Any], here: Place) -> Iterator[Problem]:
    """Yield the problems of what may be called; `owner` is the object that has the tools."""
    for key in _FORMS:
        if key in owner:
            yield from _check_list(owner[key], key, here.key(key))
    if "parallel_tool_calls" not in owner:
        return
    place = here.key("parallel_tool_calls")
    if not isinstance(owner["parallel_tool_calls"], bool):
        yield place.error("bad_parallel_tool_calls", "parallel_tool_calls must be true or false: set or remove it")
    elif "tools" not in owner:
        yield place.warning("parallel_without_tools", "there are no tools to call in parallel: add or remove them")


def _check_list(tools: object, key: str, place: Place) -> Iterator[Problem]:
    if not isinstance(tools, list):
        yield place.error(_ERRORS[key], f"{key} must be a list, not a string or an object: write it as a list")
        return
    known: set[str] = set()
    for index, tool in enumerate(tools):
        at = place.item(index)
        name = _function_name(tool, key)
        if name is None:
            yield at.error(_ERRORS[key], f"an entry of {key} must be {_FORMS[key]}: write it so")
            continue
        if not _FUNCTION_NAME.fullmatch(name):
            yield at.error(
                "bad_function_name",
                "a function's name is 1 to 64 letters, digits, _ and - without marks: rename it",
            )
        if name in known:
            yield at.warning("duplicate_tool", "an earlier entry has the same name: remove or rename one")
        known.add(name)


def _function_name(tool: object, key: str) -> str | None:
    """Return the name of a well formed entry, else None."""
    match tool if key == "tools" else {"type": "function", "function": tool}:
        case {"type": "function", "function": {"name": str(name), **rest}} if name:
            return name if isinstance(rest.get("parameters", {}), dict) else None
    return None


class Calls:
    """The calls and answers of one conversation as its messages come by; what may be called is the owner's."""

    def __init__(self, owner: Mapping[str, Any]) -> None:
        self._callable = {key: _names(owner.get(key, []), key) for key in _FORMS}
        self._unknown: set[str] = set()
        self._open: dict[str, Place] = {}
        self._answered: set[str] = set()

    def made(self, calls: object, at: Place) -> Iterator[Problem]:
        """Yield the problems of an assistant message's tool_calls, which then await their answers."""
        code = "bad_tool_calls"
        if not isinstance(calls, list) or not calls:
            yield at.error(code, "tool_calls must be a list of at least one call: write it as a list or remove it")
            return
        for index, call in enumerate(calls):
            place = at.item(index)
            if not isinstance(call, dict):
                yield place.error(
                    code, 'a call must be {"id": …, "type": "function", "function": {…}}: write it so'
                )
                continue
            call_id = call.get("id")
            if not isinstance(call_id, str) or not call_id:
                yield place.key("id").error(code, "a call needs an id that is a string: set it")
            elif call_id in self._open:
                yield place.key("id").warning(
                    "duplicate_tool_call_id", "another call of this message has the same id: give each its own"
                )
            else:
                self._open[call_id] = place
            if call.get("type") != "function":
                yield place.key("type").error(code, 'a call\'s type must be "function": set it')
            yield from self._check(call.get("function"), place.key("function"), code, "tools")

    def made_as_function(self, call: object, at: Place) -> Iterator[Problem]:
        """Yield the problems of an assistant message's function_call, the form before tools."""
        yield from self._check(call, at, "bad_function_call", "functions")

    def answered(self, message: Mapping[str, Any], at: Place) -> Iterator[Problem]:
        """Yield the problems of a tool message as the answer to a call."""
        call_id, place = message.get("tool_call_id"), at.key("tool_call_id")
        if not isinstance(call_id, str) or not call_id:
            yield place.error(
                "bad_tool_call_id", "a tool message needs the id of the call that it answers: set it"
            )
        elif call_id in self._answered:
            yield place.warning("answered_twice", "this call has its answer already: keep one of them")
        elif self._open.pop(call_id, None) is not None:
            self._answered.add(call_id)
        else:
            yield place.warning(
                "unmatched_tool_call_id", "no call that awaits its answer has this id: use the call's own id"
            )

    def closed(self, *, at_end: bool = False) -> Iterator[Problem]:
        """Yield a warning for each call without answer, because somebody else speaks or the example ends.

        An example that ends with its calls teaches them, and needs no answers.
        """
        if self._answered or not at_end:
            for place in self._open.values():
                yield place.warning(
                    "unanswered_tool_call", "no tool message answers this call before the next turn: add one"
                )
        self._open.clear()
        self._answered.clear()

    def _check(self, call: object, place: Place, code: str, key: str) -> Iterator[Problem]:
        if not isinstance(call, dict):
            yield place.error(code, 'the called function must be {"name": "…", "arguments": "{…}"}: write it so')
            return
        name = call.get("name")
        if not isinstance(name, str) or not name:
            yield place.key("name").error(code, "the called function needs a name that is a string: set it")
        elif (known := self._callable[key]) is not None and name not in known and name not in self._unknown:
            self._unknown.add(name)
            yield place.key("name").warning(
                "unknown_function",
                f"no entry of {key} has the called function's name: add it, or correct the name",
            )
        yield from _check_arguments(call.get("arguments"), place.key("arguments"), code)


def _names(tools: object, key: str) -> frozenset[str] | None:
    """Return the names of what may be called; None where a broken entry hides one."""
    if not isinstance(tools, list):
        return None
    names = [_function_name(tool, key) for tool in tools]
    return None if None in names else frozenset(name for name in names if name is not None)


def _check_arguments(arguments: object, at: Place, code: str) -> Iterator[Problem]:
    if not isinstance(arguments, str):
        yield at.error(code, "arguments must be a string that holds JSON, not JSON itself: encode it as a string")
        return
    yield from check_text(arguments, at)
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        yield at.warning(
            "arguments_not_json", "arguments cannot be read as JSON: correct them, or the model learns it"
        )
        return
    if not isinstance(value, dict):
        yield at.warning(
            "arguments_not_object", 'arguments are JSON but no object: write them as {"parameter": value, …}'
        )
