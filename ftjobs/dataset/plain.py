"""The common case made fast: blocks of plain chat that are wholly in order, decoded and checked in one go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

# Where a block has one of these, its bytes do not show what its texts and keys are: an escaped "<", "|" or letter.
# The others would be told in words: a line's end as on Windows, perhaps a special token.
_TELLING = (b"\r", b"<|", b"\\u003", b"\\u006", b"\\u007")


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
    if any(mark in block for mark in _TELLING):
        return None
    try:
        examples = [_decode(line) for line in lines]
    except (ValueError, RecursionError):  # msgspec's errors are; it refuses all that json does, and more
        return None
    texts: list[str] = []
    speakers: list[str] = []
    sizes: list[int] = []
    for example in examples:
        messages = example.messages
        kinds = [type(message) for message in messages]
        if not kinds or kinds[-1] is not _Assistant or _User not in kinds:
            return None
        said = [message.content for message in messages]
        for kind, text in zip(kinds, said, strict=True):
            if kind is _Assistant and (not text or text.isspace()):
                return None
        texts += said
        speakers += [_ROLES[kind] for kind in kinds]
        sizes.append(len(kinds))
    weights = block.count(b'"weight"')
    if weights:
        for example in examples:
            given = [message.weight for message in example.messages if isinstance(message, _Assistant)]
            if all(weight == 0 for weight in given):
                return None
            weights -= sum(weight is not msgspec.UNSET for weight in given)
    # A key that is in an object twice shows as one name more than there should be; so does a text that ends in it.
    once_each = (
        weights == 0
        and block.count(b'"messages"') == len(sizes)
        and block.count(b'"role"') == len(texts)
        and block.count(b'"content"') == len(texts)
    )
    return PlainBlock(texts, speakers, sizes) if once_each else None
