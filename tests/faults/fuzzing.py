"""Training files made from a seed: valid ones, valid ones with one fault planted, and mutilated ones."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.faults.examples import (
    ODD_TEXTS,
    RAW,
    Example,
    a_any_example,
    a_completion,
    a_enough,
    a_example,
    a_function_chat,
    a_image_chat,
    a_laid_out,
    a_line,
    a_preference,
    a_sharegpt,
    a_tool_chat,
    a_with,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """The one error of a file that is valid but for it."""

    line: int
    code: str


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """A file and what its maker knows about it: `examples` of a valid one, else the `fault`, else neither."""

    content: bytes
    story: str
    examples: int | None = None
    fault: Fault | None = None


def training_file(seed: int) -> TrainingFile:
    """Return the file of this seed, always the same."""
    chance = Random(seed)
    return chance.choices((_valid, _planted, _restructured, _mangled, _foreign), (20, 25, 30, 22, 3))[0](chance)


def _valid(chance: Random) -> TrainingFile:
    lines = [a_line(chance, a_example(chance)) for _ in range(a_enough(chance))]
    content, _ = a_laid_out(chance, lines)
    return TrainingFile(content, "valid", examples=len(lines))


def _planted(chance: Random) -> TrainingFile:
    lines = [a_line(chance, a_example(chance)) for _ in range(a_enough(chance))]
    place = chance.randrange(len(lines))
    name, code = chance.choice(list(FAULTS))
    lines[place] = FAULTS[name, code](chance)
    content, numbers = a_laid_out(chance, lines)
    return TrainingFile(content, f"planted {name}", fault=Fault(numbers[place], code))


def _restructured(chance: Random) -> TrainingFile:
    made = [a_any_example(chance) for _ in range(chance.randint(1, 14))]
    lines = []
    for example in made:
        for _ in range(chance.choice((0, 1, 1, 2, 5))):
            _restructure(chance, example)
        line = a_line(chance, example)
        lines.append(_with_a_key_twice(chance, line) if chance.random() < 0.1 else line)
    content, _ = a_laid_out(chance, lines)
    return TrainingFile(content, "restructured")


def _mangled(chance: Random) -> TrainingFile:
    lines = [a_line(chance, a_any_example(chance)) for _ in range(chance.randint(1, 14))]
    content, _ = a_laid_out(chance, lines)
    story = ["mangled"]
    for _ in range(chance.choice((1, 1, 2, 4, 12))):
        mangle = chance.choice(_MANGLES)
        content = mangle(chance, content)
        story.append(mangle.__name__.strip("_"))
    return TrainingFile(content, " ".join(story))


def _foreign(chance: Random) -> TrainingFile:
    content, _ = a_laid_out(chance, [a_line(chance, a_example(chance), ascii_only=True) for _ in range(11)])
    encoding = chance.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-7"))
    made = chance.choice(
        (
            gzip.compress(content, mtime=0),
            content.decode().encode(encoding),
            chance.randbytes(chance.choice((1, 2, 3, 4, 5, 100, 20_000))),
            b"",
            b"\n" * chance.randint(1, 500),
            b"\r\n" * chance.randint(1, 500),
            b"\r" * chance.randint(1, 500),
            b"\0" * chance.randint(1, 500),
            b"\xef\xbb\xbf",
            b"\xff\xfe",
            b"[" + b",".join(content.split(b"\n")) + b"]",
        )
    )
    return TrainingFile(made, "no JSON lines at all")


# ---- one fault

_Spoil = Callable[[Random], bytes]


def _inside(raw: bytes) -> _Spoil:
    """Put bytes into the first text of a line."""
    return lambda chance: _plain_line(chance).replace(b'"content": "', b'"content": "' + raw, 1)


def _changed(at: int, **changes: list[object]) -> _Spoil:
    ((key, values),) = changes.items()
    return lambda chance: json.dumps(a_with(chance, at, **{key: chance.choice(values)})).encode()


def _beside(**keys: object) -> _Spoil:
    return lambda chance: json.dumps({**a_with(chance, 0), **keys}).encode()


def _plain_line(chance: Random) -> bytes:
    return json.dumps(a_with(chance, 0)).encode()


def _one_of(*lines: bytes) -> _Spoil:
    return lambda chance: chance.choice(lines)


def _as_line(make: Callable[[Random], Example]) -> _Spoil:
    return lambda chance: json.dumps(make(chance)).encode()


def _deep(chance: Random) -> bytes:
    depth = chance.choice((2000, 10_000, 100_000))
    opening, closing = chance.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"[", b"")))
    return b'{"messages": ' + opening * depth + b"1" + closing * depth + b"}"


FAULTS: dict[tuple[str, str], _Spoil] = {
    ("cut line", "invalid_json"): lambda chance: _plain_line(chance)[: -chance.randint(1, 30)],
    ("trailing comma", "invalid_json"): lambda chance: _plain_line(chance)[:-1] + b",}",
    ("single quotes", "invalid_json"): _one_of(b"{'messages': []}", b"{messages: []}", b"{", b"\\"),
    ("two on a line", "invalid_json"): lambda chance: (
        _plain_line(chance) + chance.choice((b"", b" ", b"\r", "\u2028".encode(), b"\x0c")) + _plain_line(chance)
    ),
    ("mark inside", "invalid_json"): lambda chance: b"\xef\xbb\xbf" * 2 + _plain_line(chance),
    ("control character", "invalid_json"): lambda chance: _inside(chance.choice((b"\t", b"\x0b", b"\x1f")))(
        chance
    ),
    ("bad escape", "invalid_json"): lambda chance: _inside(chance.choice((b"\\x", b"\\u12", b"\\ud8")))(chance),
    ("bad bytes", "not_utf8"): lambda chance: _inside(
        chance.choice((b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe9"))
    )(chance),
    ("NUL", "nul_byte"): _inside(b"\0"),
    ("constant", "not_json_number"): lambda chance: _plain_line(chance)[:-1] + b', "a": [-Infinity, NaN]}',
    ("digits", "number_too_long"): lambda chance: _plain_line(chance)[:-1] + b', "a": %s}' % (b"7" * 4301),
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


# ---- mutations of the tree

_WRONG: tuple[object, ...] = (
    *(None, True, False, 0, 1, -1, 2, 1.5, 1e308, 10**400, -(10**400)),
    *(
        "",
        "x",
        "user",
        "assistant",
        "tool",
        "text",
        "image_url",
        "{}",
        "\ud800",
        "a" * 5000,
        "[" * 3000,
        *ODD_TEXTS[:8],
    ),
    *([], {}, [[]], [{}], [None], {"a": {}}, {"": ""}, {"type": "text"}, {"type": "image_url"}, {"role": "user"}),
    *(f"raw:{name}" for name in RAW),
)
_KEYS = (
    *("messages", "role", "content", "name", "weight", "tool_calls", "function_call", "tool_call_id", "tools"),
    *("functions", "type", "text", "id", "function", "arguments", "parameters", "prompt", "", "Role", "\ud800"),
    *("conversations", "k" * 3000, "a.b[0]", "\u202e", "\0", "wieght"),
)


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container of a tree with each key or index in it."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in pairs:
        yield tree, key
        yield from _places(value)


def _restructure(chance: Random, example: Example) -> None:
    places = list(_places(example))
    if not places:
        example[chance.choice(_KEYS)] = deepcopy(chance.choice(_WRONG))
        return
    container, key = chance.choice(places)
    value = container[key]
    match chance.randrange(8):
        case 0:
            del container[key]
        case 1 if isinstance(container, list):
            container[key:key] = [deepcopy(value) for _ in range(chance.choice((1, 2, 40)))]
        case 1 | 2 if isinstance(container, dict):
            container[chance.choice(_KEYS)] = container.pop(key)
        case 3:
            container[key] = chance.choice(
                ([value], {"a": value}, {"type": value}, json.dumps(value), [value] * 9)
            )
        case 4:
            other, at = chance.choice(places)
            container[key], other[at] = deepcopy(other[at]), deepcopy(value)
        case 5 if isinstance(value, dict | list):
            value.clear()
        case _:
            container[key] = deepcopy(chance.choice(_WRONG))


def _with_a_key_twice(chance: Random, line: bytes) -> bytes:
    key = chance.choice((b'"messages"', b'"role"', b'"content"', b'"weight"'))
    return line.replace(key, key + chance.choice((b":1,", b':"user",', b":[],")) + key, 1)


def wrong_everywhere() -> bytes:
    """Return a file in which each place of three rich examples has had each wrong value once."""
    chance = Random("everywhere")
    lines = []
    for example in (a_tool_chat(chance), a_function_chat(chance), a_image_chat(chance)):
        for number, _ in enumerate(_places(example)):
            for wrong in _WRONG:
                if wrong in ("raw:100000 unclosed", "raw:20000 digits", "raw:5000 deep objects"):
                    continue  # size without news: the file would be three times as long
                spoilt = deepcopy(example)
                container, key = list(_places(spoilt))[number]
                container[key] = wrong
                lines.append(a_line(chance, spoilt, ascii_only=True))
    return b"\n".join(lines)


def nested_at_each_depth(depths: range) -> bytes:
    """Return a file whose lines have tools, and then calls, that are nested ever deeper."""
    lines = []
    for depth in depths:
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
            deep = opening * depth + b"1" + closing * depth
            lines.append(_plain_line(Random(depth))[:-1] + b', "tools": %s}' % deep)
            lines.append(_plain_line(Random(depth))[:-2] + b', {"role": "assistant", "tool_calls": %s}]}' % deep)
    return b"\n".join(lines)


# ---- mutations of the bytes

_SNIPPETS = (
    *(b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xff\xfe", "\u2028".encode(), "\x85".encode()),
    *(b"\n", b"\r", b"\r\n", b"\n\n\n", b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\\ud800", b"\\u0000"),
    *(b"NaN", b"1e999", b"-0", b"null", b"{}\n", b"[]\n", b"[" * 3000, b'{"a":' * 3000, b"9" * 5000),
    *(b'"messages":', b'"weight":2,', b"<|im_end|>", b"a" * 20_000),
)
_Mangle = Callable[[Random, bytes], bytes]


def _at(chance: Random, content: bytes) -> int:
    return chance.randint(0, len(content))


def _flip(chance: Random, content: bytes) -> bytes:
    at = _at(chance, content)
    return (
        content[:at] + bytes(byte ^ 1 << chance.randrange(8) for byte in content[at : at + 1]) + content[at + 1 :]
    )


def _insert(chance: Random, content: bytes) -> bytes:
    at = _at(chance, content)
    return content[:at] + chance.choice(_SNIPPETS) + content[at:]


def _delete(chance: Random, content: bytes) -> bytes:
    at = _at(chance, content)
    return content[:at] + content[at + chance.choice((1, 1, 2, 10, 300)) :]


def _repeat(chance: Random, content: bytes) -> bytes:
    at = _at(chance, content)
    return content[:at] + content[at : at + chance.choice((1, 20, 500))] * 3 + content[at:]


def _truncate(chance: Random, content: bytes) -> bytes:
    return content[: _at(chance, content)]


def _behead(chance: Random, content: bytes) -> bytes:
    return content[_at(chance, content) :]


def _shuffle_lines(chance: Random, content: bytes) -> bytes:
    lines = content.split(b"\n")
    chance.shuffle(lines)
    return b"\n".join(lines)


def _end_lines_otherwise(chance: Random, content: bytes) -> bytes:
    return content.replace(
        b"\n", chance.choice((b"\r", b"\r\n", b"\n\r", b"\n\n", "\u2028".encode(), b"", b"\n\0"))
    )


def _break_lines(chance: Random, content: bytes) -> bytes:
    return content.replace(chance.choice((b", ", b":", b"{", b"e", b" ")), b"\n", chance.choice((1, 5, -1)))


def _randomize(chance: Random, content: bytes) -> bytes:
    at = _at(chance, content)
    noise = chance.randbytes(chance.choice((1, 4, 64)))
    return content[:at] + noise + content[at + len(noise) :]


_MANGLES: tuple[_Mangle, ...] = (
    *(_flip, _flip, _insert, _insert, _insert, _delete, _repeat, _truncate, _behead),
    *(_shuffle_lines, _end_lines_otherwise, _break_lines, _randomize),
)
