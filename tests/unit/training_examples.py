"""The small examples that the tests of the formats change, and how their problems are written down."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

from ftjobs.dataset.formats import Rules, check_example
from ftjobs.models.catalog import ImageTokens

USER = {"role": "user", "content": "hi"}
ANSWER = {"role": "assistant", "content": "ho"}
FUNCTION = {"name": "f", "arguments": '{"a": 1}'}
CALL = {"id": "c1", "type": "function", "function": FUNCTION}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CALLED = {"role": "assistant", "tool_calls": [CALL]}
REPLY = {"role": "tool", "content": "1", "tool_call_id": "c1"}

WITH_IMAGES = Rules(images=ImageTokens(low_detail=85, base=85, per_tile=170))
CHAT, PREFERENCE, REINFORCEMENT, COMPLETION = (
    Rules("chat"),
    Rules("preference"),
    Rules("reinforcement"),
    Rules("completion"),
)

Found = list[tuple[str, str, str]]


def chat(*messages: object, **keys: object) -> dict[str, Any]:
    return {"messages": list(messages), **keys}


def problems(example: dict[str, Any], rules: Rules = CHAT) -> Found:
    """Return code, severity and path of each problem; all stand on the line that was given."""
    found = list(check_example(example, 7, rules))
    assert all(problem.line == 7 for problem in found)
    assert all(": " in problem.message for problem in found), found
    return [(problem.code, problem.severity, problem.path) for problem in found]


def data_url(content: bytes, label: str) -> str:
    return f"data:{label};base64,{base64.b64encode(content).decode()}"


def png(width: int, height: int, color_type: int = 2) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, color_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def jpeg(width: int, height: int, *, components: int = 3, before: int = 100) -> bytes:
    """A JPEG's first marks, the size behind `before` bytes of application data."""
    application = b"\xff\xe1" + struct.pack(">H", before + 2) + bytes(before)
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, components) + bytes(9)
    return b"\xff\xd8" + application + frame + b"\xff\xd9"


def webp(kind: bytes, width: int, height: int) -> bytes:
    match kind:
        case b"VP8 ":
            body = b"\x30\x01\x00\x9d\x01\x2a" + struct.pack("<HH", width, height)
        case b"VP8L":
            body = b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + bytes(5)
        case _:
            body = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + bytes(4) + b"WEBP" + kind + struct.pack("<I", len(body)) + body


def image(url: str = "https://example.com/a.png", **keys: object) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **keys}}


def shows(*parts: object) -> dict[str, Any]:
    """Return a chat whose user message has these parts."""
    return chat({"role": "user", "content": list(parts)}, ANSWER)
