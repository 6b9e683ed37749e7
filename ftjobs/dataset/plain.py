"""The common case made fast: blocks of plain chat that are wholly in order, decoded and checked in one go."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Literal

import msgspec

# What a block with one of these has would be told in words: a line's end as on Windows, perhaps a special token.
_TELLING = (b"\r", b"<|")
# With an escaped letter, "<" or "|" a block's bytes do not show what its texts and keys are.
_ESCAPED, _LETTERS = b"\\u00", (b"\\u003", b"\\u006", b"\\u007")


class _Message(msgspec.Struct, tag_field="role", forbid_unknown_fields=True, gc=False):
    content: str


class _System(_Message, tag="system"):
    pass


class _Developer(_Message, tag="developer"):
    pass


class _User(_Message, tag="user"):
    pass


class _Assistant(_Message, tag="assistant"):
    weight: Literal[0, 1] | msgspec.UnsetType = msgspec.UNSET


class _Example(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    messages: list[_System | _Developer | _User | _Assistant]


_ROLES: dict[type[_Message], str] = {
    _System: "system",
    _Developer: "developer",
    _User: "user",
    _Assistant: "assistant",
}
PLAIN_ROLES = tuple(_ROLES.values())
_decode = msgspec.json.Decoder(_Example).decode
_messages, _content = attrgetter("messages"), attrgetter("content")


@dataclass(frozen=True, slots=True)
class PlainBlock:
    """A block of plain chat in which nothing is wrong: its texts in order, and how many messages each example has.

    `speakers` are the roles of the texts, one each.
    """

    texts: list[str]
    speakers: list[str]
    messages: list[int]


def plain_block(lines: list[bytes], block: bytes) -> PlainBlock | None:
    """Return a block whose lines are all plain chat without a problem; None where `check_example` must look.

    `lines` are the block's, without their ends. Plain chat is what PLAIN_ROLES say as strings, with weights. None
    says nothing about the block: this accepts less than the rules do, never more (tests/properties hold that).
    """
    if any(mark in block for mark in _TELLING) or (_ESCAPED in block and any(mark in block for mark in _LETTERS)):
        return None
    try:
        examples = list(map(_decode, lines))
    except (ValueError, RecursionError):  # msgspec's errors are; it refuses all that json does, and more
        return None
    talks = list(map(_messages, examples))
    if not all(talks):
        return None
    said = list(chain.from_iterable(talks))
    kinds = list(map(type, said))
    texts = list(map(_content, said))
    if not (_end_well(talks) and _all_answer(texts, kinds) and _weigh_well(talks, block)):
        return None
    # A key that is in an object twice shows as one name more than there should be; so does a text that ends in it.
    once_each = (
        block.count(b'"messages"') == len(talks)
        and block.count(b'"role"') == len(texts)
        and block.count(b'"content"') == len(texts)
    )
    return PlainBlock(texts, list(map(_ROLES.__getitem__, kinds)), list(map(len, talks))) if once_each else None


def _end_well(talks: list[list[_Message]]) -> bool:
    """Return whether in each somebody asks, and the assistant has the last word."""
    return all(type(talk[-1]) is _Assistant and _User in map(type, talk) for talk in talks)


def _all_answer(texts: list[str], kinds: list[type[_Message]]) -> bool:
    """Return whether no assistant's text is blank."""
    if all(texts) and not any(map(str.isspace, texts)):
        return True
    said = zip(texts, kinds, strict=True)
    return all(kind is not _Assistant or not (not text or text.isspace()) for text, kind in said)


def _weigh_well(talks: list[list[_Message]], block: bytes) -> bool:
    """Return whether something of each is trained on, and no weight is given twice."""
    weights = block.count(b'"weight"')
    if weights:
        for talk in talks:
            given = [message.weight for message in talk if isinstance(message, _Assistant)]
            if all(weight == 0 for weight in given):
                return False
            weights -= sum(weight is not msgspec.UNSET for weight in given)
    return weights == 0
