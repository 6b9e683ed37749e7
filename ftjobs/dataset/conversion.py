"""What `prepare` makes of one line."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from hashlib import blake2b
from typing import Any

from ftjobs.dataset.formats import check_example
from ftjobs.dataset.marks import Marks
from ftjobs.dataset.problems import Place, Problem
from ftjobs.dataset.reading import Line, too_deep

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r?\n\Z")
_OWN_INSTRUCTIONS = ("system", "developer")  # a tuple: a role can be anything


class Kind(Enum):
    """The formats that `prepare` knows."""

    CHAT = auto()
    """`{"messages": …}`: supervised, or with fields for a grader."""
    PREFERENCE = auto()
    """`{"input": …, "preferred_output": …, "non_preferred_output": …}`; `check` says if a part is missing."""
    PROMPT_COMPLETION = auto()
    """`{"prompt": "…", "completion": "…"}`, the one format that is converted."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """One example as it goes out: its bytes with the line's end, and what was done to it.

    `raw` is the source's bytes where nothing had to change. `example` is what they parse to.
    """

    raw: bytes
    example: Mapping[str, Any]
    converted: bool = False
    system_added: bool = False
    system_kept: bool = False
    dropped_keys: tuple[str, ...] = ()
    key_repeated: bool = False


@dataclass(slots=True)
class Changes:
    """How often each change was made in the lines that were written."""

    converted: int = 0
    system_added: int = 0
    system_kept: int = 0
    keys_repeated: int = 0
    dropped_keys: Counter[str] = field(default_factory=Counter)

    def add(self, done: Rewritten) -> None:
        """One written line is counted."""
        self.converted += done.converted
        self.system_added += done.system_added
        self.system_kept += done.system_kept
        self.keys_repeated += done.key_repeated
        self.dropped_keys.update(done.dropped_keys)


def kind_of(example: Mapping[str, Any]) -> Kind | None:
    """Return the format of a parsed line, None for one that `prepare` does not know."""
    match example:
        case {"messages": _}:
            return Kind.CHAT
        case {"preferred_output": _} | {"non_preferred_output": _}:
            return Kind.PREFERENCE
        case {"prompt": str(), "completion": str()}:
            return Kind.PROMPT_COMPLETION
        case _:
            return None


def obstacle(line: Line, system: str | None) -> Problem | None:
    """Return why a line that is not blank cannot be prepared, None where it can."""
    if line.example is None:
        return next(problem for problem in line.problems if problem.severity == "error")
    here = Place(line.number)
    match kind_of(line.example):
        case None:
            return _unknown_format(line.example, here)
        case Kind.PROMPT_COMPLETION:
            return None
        case Kind.CHAT | Kind.PREFERENCE:
            return None if system is None else _system_obstacle(line.example, system, here)


def rewrite(line: Line, marks: Marks, system: str | None) -> Rewritten:
    """Return the example of a line without an `obstacle`, converted where it is prompt/completion.

    A byte order mark is taken off. A rewritten line is compact JSON and keeps its own line end, "\\n" where it
    had none. Another value than the source's is never written.
    """
    raw, example = line.raw.removeprefix(_BOM) if line.number == 1 else line.raw, line.example or {}
    repeated = any(problem.code == "duplicate_key" for problem in line.problems)
    if kind_of(example) is Kind.PROMPT_COMPLETION:
        converted = _converted(example, marks, system)
        return Rewritten(
            _encoded(converted) + _end_of(raw),
            converted,
            converted=True,
            system_added=system is not None,
            dropped_keys=tuple(key for key in example if key not in {"prompt", "completion"}),
            key_repeated=repeated,
        )
    if system is None:
        return Rewritten(raw, example)
    if _has_instructions(_messages(example)):
        return Rewritten(raw, example, system_kept=True)
    longer = _with_system(example, system)
    return Rewritten(_encoded(longer) + _end_of(raw), longer, system_added=True, key_repeated=repeated)


def identity(example: Mapping[str, Any]) -> bytes:
    """Return 16 bytes that two examples share only if they hold the same values, however they are written.

    The BLAKE2b hash of their compact ASCII JSON with sorted keys.
    """
    try:
        canonical = json.dumps(example, sort_keys=True, separators=(",", ":"))
    except RecursionError:
        canonical = repr(len(example))  # then all such examples stay together, which leaks nothing
    return blake2b(canonical.encode("ascii"), digest_size=16).digest()


def _unknown_format(example: Mapping[str, Any], here: Place) -> Problem:
    if "prompt" in example and "completion" in example:
        key = "completion" if isinstance(example["prompt"], str) else "prompt"
        return here.key(key).error(
            f"bad_{key}", f"{key} must be a string to become a message: write it as one, or drop the line"
        )
    unknown = here.error("unknown_format", 'write the example as {"messages": […]}')
    return next(iter(check_example(example, here.line or 0)), unknown)


def _system_obstacle(example: Mapping[str, Any], system: str, here: Place) -> Problem | None:
    messages = _messages(example)
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        return here.key("messages").error(
            "bad_messages", "messages must be a list of messages to take a system text: write it as a list"
        )
    try:
        _encoded(_with_system(example, system))
    except ValueError:
        return here.error("number_too_large", "a number is too large to be written again: write it as a string")
    except RecursionError:
        return too_deep(here)
    return None


def _messages(example: Mapping[str, Any]) -> Any:
    holder = example if "messages" in example else example.get("input")
    return holder.get("messages") if isinstance(holder, dict) else None


def _has_instructions(messages: list[Any]) -> bool:
    return any(message.get("role") in _OWN_INSTRUCTIONS for message in messages if isinstance(message, dict))


def _with_system(example: Mapping[str, Any], system: str) -> dict[str, Any]:
    messages = [_system_message(system), *_messages(example)]
    if "messages" in example:
        return {**example, "messages": messages}
    return {**example, "input": {**example["input"], "messages": messages}}


def _converted(example: Mapping[str, Any], marks: Marks, system: str | None) -> dict[str, Any]:
    return {
        "messages": [
            *([] if system is None else [_system_message(system)]),
            {"role": "user", "content": marks.strip_prompt(example["prompt"])},
            {"role": "assistant", "content": marks.strip_completion(example["completion"])},
        ]
    }


def _system_message(system: str) -> dict[str, str]:
    return {"role": "system", "content": system}


def _encoded(example: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(example, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # a lone surrogate has no bytes of its own, only its escape
        return json.dumps(example, allow_nan=False, separators=(",", ":")).encode("ascii")


def _end_of(raw: bytes) -> bytes:
    found = _LINE_END.search(raw)
    return found[0] if found else b"\n"
