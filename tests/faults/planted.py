"""One problem of each kind, as a line that is put into a file that is valid but for it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from tests.faults.examples import (
    Example,
    a_completion,
    a_image,
    a_image_chat,
    a_preference,
    a_sharegpt,
    a_with,
)

# ---- one fault

_Spoil = Callable[[Random], bytes]


def _inside(raw: bytes) -> _Spoil:
    """Put bytes into the first text of a line."""
    return lambda chance: a_plain_line(chance).replace(b'"content": "', b'"content": "' + raw, 1)


def _changed(at: int, **changes: list[object]) -> _Spoil:
    ((key, values),) = changes.items()
    return lambda chance: json.dumps(a_with(chance, at, **{key: chance.choice(values)})).encode()


def _beside(**keys: object) -> _Spoil:
    return lambda chance: json.dumps({**a_with(chance, 0), **keys}).encode()


def a_plain_line(chance: Random) -> bytes:
    return json.dumps(a_with(chance, 0)).encode()


def _one_of(*lines: bytes) -> _Spoil:
    return lambda chance: chance.choice(lines)


def _as_line(make: Callable[[Random], Example]) -> _Spoil:
    return lambda chance: json.dumps(make(chance)).encode()


def _is_read(depth: int) -> bool:
    with suppress(RecursionError):
        json.loads("[" * depth + "]" * depth)
        return True
    return False


# From 3.13 on, Python reads what is nested thousands of levels deep.
_TOO_DEEP = [depth for depth in (2000, 10_000, 100_000) if not _is_read(depth)]


def _deep(chance: Random) -> bytes:
    depth = chance.choice(_TOO_DEEP)
    opening, closing = chance.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"[", b"")))
    return b'{"messages": ' + opening * depth + b"1" + closing * depth + b"}"


FAULTS: dict[tuple[str, str], _Spoil] = {
    ("cut line", "invalid_json"): lambda chance: a_plain_line(chance)[: -chance.randint(1, 30)],
    ("trailing comma", "invalid_json"): lambda chance: a_plain_line(chance)[:-1] + b",}",
    ("single quotes", "invalid_json"): _one_of(b"{'messages': []}", b"{messages: []}", b"{", b"\\"),
    ("two on a line", "invalid_json"): lambda chance: (
        a_plain_line(chance) + chance.choice((b"", b" ", b"\r", "\u2028".encode(), b"\x0c")) + a_plain_line(chance)
    ),
    ("mark inside", "invalid_json"): lambda chance: b"\xef\xbb\xbf" * 2 + a_plain_line(chance),
    ("control character", "invalid_json"): lambda chance: _inside(chance.choice((b"\t", b"\x0b", b"\x1f")))(
        chance
    ),
    ("bad escape", "invalid_json"): lambda chance: _inside(chance.choice((b"\\x", b"\\u12", b"\\ud8")))(chance),
    ("bad bytes", "not_utf8"): lambda chance: _inside(
        chance.choice((b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe9"))
    )(chance),
    ("NUL", "nul_byte"): _inside(b"\0"),
    ("constant", "not_json_number"): lambda chance: a_plain_line(chance)[:-1] + b', "a": [-Infinity, NaN]}',
    ("digits", "number_too_long"): lambda chance: a_plain_line(chance)[:-1] + b', "a": %s}' % (b"7" * 4301),
    ("depth", "too_deep"): _deep,
    ("no object", "not_an_object"): _one_of(b"[]", b"1", b"-0", b'"a"', b"null", b"true", b"1e999", b"[{}]"),
    ("no messages", "bad_messages"): _one_of(
        b"{}", b'{"messages": []}', b'{"messages": 1e999}', b'{"message": 1}'
    ),
    ("no message", "bad_message"): lambda chance: json.dumps(
        {"messages": [*a_with(chance, 0)["messages"], chance.choice((None, 1, "hi", [], True))]}
    ).encode(),
    ("role", "bad_role"): _changed(0, role=["human", None, [], {}, 1, "USER", "", "\ud800", "user "]),
    ("no content", "content_missing"): _changed(0, content=[None]),
    ("content", "bad_content"): _changed(1, content=[1, [], {}, True, {"text": "a"}]),
    ("part", "bad_part"): _changed(0, content=[["hi"], [None], [{}], [{"type": "text"}], [{"type": []}]]),
    ("audio", "unknown_part"): _changed(0, content=[[{"type": "input_audio"}], [{"type": ""}]]),
    ("image", "images_unpriced"): _as_line(a_image_chat),
    ("image part", "bad_image_part"): _changed(0, content=[[{"type": "image_url", "image_url": {"url": 1}}]]),
    ("weight", "bad_weight"): _changed(1, weight=[2, -1, True, 1.0, "1", None, [], 10**400]),
    ("user's weight", "misplaced_weight"): _changed(0, weight=[0, 1, None]),
    ("name", "bad_name"): _changed(0, name=["", 3, None, [], {}]),
    ("calls", "bad_tool_calls"): _changed(1, tool_calls=[[], {}, ["f"], "f", 0, False]),
    ("called", "bad_function_call"): _changed(1, function_call=[{"name": "f", "arguments": {}}, 1, [], ""]),
    ("answer", "bad_tool_call_id"): _changed(0, role=["tool"]),
    ("no answer", "no_assistant"): lambda chance: json.dumps(
        {"messages": a_with(chance, 0)["messages"][:1] * chance.randint(1, 3)}
    ).encode(),
    ("tools", "bad_tools"): _beside(tools="[]"),
    ("functions", "bad_functions"): _beside(functions=[{"name": ""}]),
    ("parallel", "bad_parallel_tool_calls"): _beside(parallel_tool_calls=None),
    ("old format", "legacy_prompt_completion"): _as_line(a_completion),
    ("preference", "preference_data"): _as_line(a_preference),
    ("ShareGPT", "sharegpt"): _as_line(a_sharegpt),
}


# ---- one fault in another format, or one warning

_USER: Example = {"role": "user", "content": "hi"}
_ANSWER: Example = {"role": "assistant", "content": "ho"}
_CALL: Example = {"id": "c", "type": "function", "function": {"name": "find", "arguments": "{}"}}
_REPLY: Example = {"role": "tool", "content": "1", "tool_call_id": "c"}
_TOOL: Example = {"type": "function", "function": {"name": "find"}}


def _calls(*calls: Example) -> Example:
    return {"role": "assistant", "tool_calls": list(calls or (_CALL,))}


def _told(*messages: Example, **keys: object) -> _Spoil:
    """Write a chat that has the tool of its calls."""
    return _exactly({"messages": [_USER, *messages], "tools": [_TOOL], **keys})


def _exactly(*examples: object) -> _Spoil:
    return lambda chance: json.dumps(chance.choice(examples)).encode()


def _pair(**change: object) -> Example:
    return {
        "input": {"messages": [_USER]},
        "preferred_output": [_ANSWER],
        "non_preferred_output": [{**_ANSWER, "content": "hm"}],
        **change,
    }


def _of_call(**change: object) -> Example:
    return {**_CALL, "function": {**_CALL["function"], **change}}


def _shown(*urls: str, role: str = "user") -> _Spoil:
    return lambda chance: json.dumps(
        {"messages": [_USER, {"role": role, "content": [a_image(chance, url) for url in urls]}, _ANSWER]}
    ).encode()


_PNG = "data:image/png;base64,"


@dataclass(frozen=True, slots=True)
class Planted:
    """A line that puts one problem into a file of a kind; `error` says whether the file is invalid then."""

    kind: str
    name: str
    code: str
    spoil: _Spoil
    error: bool = True


PLANTED = (
    *(Planted("chat", name, code, spoil) for (name, code), spoil in FAULTS.items()),
    *(
        Planted(kind, f"{kind} {code}", code, spoil)
        for kind, code, spoil in (
            ("chat", "bad_function_name", _told(_ANSWER, tools=[{**_TOOL, "function": {"name": "a b"}}])),
            ("chat", "chosen_rejected", _exactly({"chosen": "a", "rejected": "b", "prompt": "p"})),
            ("images", "misplaced_image", _shown("https://example.com", role="assistant")),
            ("images", "too_many_images", _shown(*["https://example.com"] * 11)),
            ("images", "bad_image_url", _shown("a.png")),
            ("images", "bad_image_data", _shown(_PNG + "AAA")),
            ("images", "image_too_large", _shown(_PNG + "A" * 13_400_000)),
            ("preference", "bad_input", _exactly(_pair(input=[_USER]), {"input": {}}, {})),
            (
                "preference",
                "bad_output",
                _exactly(_pair(preferred_output=[]), _pair(non_preferred_output=[_USER])),
            ),
            ("preference", "chat_data", _exactly({"messages": [_USER]}, {"messages": 1})),
            ("preference", "images_unpriced", _as_line(lambda chance: _pair(input=a_image_chat(chance)))),
            ("reinforcement", "assistant_last", _exactly({"messages": [_USER, _ANSWER]})),
            ("reinforcement", "preference_data", _exactly(_pair())),
            ("completion", "bad_prompt", _exactly({"completion": "c"}, {"prompt": [], "completion": "c"}, {})),
            ("completion", "bad_completion", _exactly({"prompt": "p"}, {"prompt": "p", "completion": None})),
            ("completion", "chat_data", _exactly({"messages": [_USER, _ANSWER]})),
        )
    ),
    *(
        Planted(kind, f"{kind} {code}", code, spoil, error=False)
        for kind, code, spoil in (
            ("chat", "odd_name", _told({**_ANSWER, "name": "a b"})),
            ("chat", "tool_content_list", _told(_calls(), {**_REPLY, "content": [{"type": "text", "text": "1"}]})),
            ("chat", "unanswered_tool_call", _told(_calls(), _ANSWER)),
            ("chat", "unmatched_tool_call_id", _told(_REPLY, _ANSWER)),
            ("chat", "answered_twice", _told(_calls(), _REPLY, _REPLY, _ANSWER)),
            ("chat", "duplicate_tool_call_id", _told(_calls(_CALL, _CALL))),
            ("chat", "unknown_function", _told(_calls(_of_call(name="g")))),
            ("chat", "duplicate_tool", _told(_ANSWER, tools=[_TOOL, _TOOL])),
            ("chat", "arguments_not_json", _told(_calls(_of_call(arguments="{")))),
            ("chat", "arguments_not_object", _told(_calls(_of_call(arguments="[]")))),
            (
                "chat",
                "parallel_without_tools",
                _exactly({"messages": [_USER, _ANSWER], "parallel_tool_calls": True}),
            ),
            ("images", "image_label", _shown(_PNG + "/9j/")),
            (
                "images",
                "image_mode",
                _shown(_PNG + b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(11)).decode()),
            ),
            ("preference", "identical_outputs", _exactly(_pair(non_preferred_output=[_ANSWER]))),
            ("preference", "long_output", _exactly(_pair(preferred_output=[_ANSWER, _ANSWER]))),
            ("preference", "last_not_user", _exactly(_pair(input={"messages": [_USER, _ANSWER]}))),
            (
                "reinforcement",
                "last_not_user",
                _exactly({"messages": [_USER, {"role": "system", "content": "s"}]}),
            ),
            ("completion", "empty_completion", _exactly({"prompt": "p", "completion": " "})),
        )
    ),
)
