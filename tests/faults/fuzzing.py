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
    a_prompt,
    a_tool_chat,
)
from tests.faults.planted import PLANTED, a_plain_line


@dataclass(frozen=True, slots=True)
class Fault:
    """The one error of a file that is valid but for it, or a warning that it must have."""

    line: int
    code: str
    error: bool = True


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """A file and what its maker knows about it: `examples` of a valid one, else the `fault`, else neither.

    `options` say what it is checked for.
    """

    content: bytes
    story: str
    examples: int | None = None
    fault: Fault | None = None
    options: tuple[str, ...] = ("--model", "gpt-4o-mini")


@dataclass(frozen=True, slots=True)
class Kind:
    """A format, on a model that takes it: the options of the command, and a maker of valid examples."""

    options: tuple[str, ...]
    make: Callable[[Random], Example]


KINDS = {
    "chat": Kind(("--model", "gpt-4o-mini"), a_example),
    "images": Kind(("--model", "gpt-4o"), a_image_chat),
    "preference": Kind(("--model", "gpt-4o-mini", "--method", "dpo"), a_preference),
    "reinforcement": Kind(("--model", "o4-mini", "--method", "reinforcement"), a_prompt),
    "completion": Kind(("--model", "davinci-002"), a_completion),
}


def _a_kind(chance: Random) -> Kind:
    return KINDS[chance.choices(list(KINDS), (60, 10, 10, 10, 10))[0]]


def training_file(seed: int) -> TrainingFile:
    """Return the file of this seed, always the same."""
    chance = Random(seed)
    return chance.choices((_valid, _planted, _restructured, _mangled, _foreign), (20, 25, 30, 22, 3))[0](chance)


def _valid(chance: Random) -> TrainingFile:
    kind = _a_kind(chance)
    lines = [a_line(chance, kind.make(chance)) for _ in range(a_enough(chance))]
    if chance.random() < 0.1:
        lines.append(lines[0])
    content, _ = a_laid_out(chance, lines)
    return TrainingFile(content, "valid", examples=len(lines), options=kind.options)


def _planted(chance: Random) -> TrainingFile:
    planted = chance.choice(PLANTED)
    kind = KINDS[planted.kind]
    lines = [a_line(chance, kind.make(chance)) for _ in range(a_enough(chance))]
    place = chance.randrange(len(lines))
    lines[place] = planted.spoil(chance)
    content, numbers = a_laid_out(chance, lines)
    fault = Fault(numbers[place], planted.code, planted.error)
    return TrainingFile(content, f"planted {planted.name}", fault=fault, options=kind.options)


def _restructured(chance: Random) -> TrainingFile:
    kind = _a_kind(chance)
    made = [
        kind.make(chance) if chance.random() < 0.5 else a_any_example(chance) for _ in range(chance.randint(1, 14))
    ]
    lines = []
    for example in made:
        for _ in range(chance.choice((0, 1, 1, 2, 5))):
            _restructure(chance, example)
        line = a_line(chance, example)
        lines.append(_with_a_key_twice(chance, line) if chance.random() < 0.1 else line)
    content, _ = a_laid_out(chance, lines)
    return TrainingFile(content, "restructured", options=kind.options)


def _mangled(chance: Random) -> TrainingFile:
    kind = _a_kind(chance)
    lines = [a_line(chance, kind.make(chance)) for _ in range(chance.randint(1, 14))]
    content, _ = a_laid_out(chance, lines)
    story = ["mangled"]
    for _ in range(chance.choice((1, 1, 2, 4, 12))):
        mangle = chance.choice(_MANGLES)
        content = mangle(chance, content)
        story.append(mangle.__name__.strip("_"))
    return TrainingFile(content, " ".join(story), options=kind.options)


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
            lines.append(a_plain_line(Random(depth))[:-1] + b', "tools": %s}' % deep)
            lines.append(a_plain_line(Random(depth))[:-2] + b', {"role": "assistant", "tool_calls": %s}]}' % deep)
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
