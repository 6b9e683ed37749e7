"""Pictures in training data: what a URL holds, how large the picture is and how many tokens it takes.

Sources: the guide to vision fine-tuning (developers.openai.com/api/docs/guides/vision-fine-tuning) for sizes,
formats and `detail`; the guide to images and vision for the tile rule.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, Literal

from ftjobs.models.catalog import ImageTokens
from ftjobs.ranges import Range

MAX_IMAGE_BYTES = 10_000_000  # "at most 10 MB"; whether MiB are meant is not said
DETAILS = ("auto", "low", "high")

_WEB = re.compile(r"https?://[^\s]", re.IGNORECASE)
_LABEL = re.compile(r"data:([a-zA-Z0-9.+-]{1,40}/[a-zA-Z0-9.+-]{1,40})?(?:;[a-zA-Z0-9=._-]{1,40}){0,3};base64,")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*+={0,2}")
_HEAD_CHARACTERS = 262_144  # a multiple of 4; a JPEG's size stands behind what cameras and editors write first

# The tile rule: shrink to fit a square of 2048, then shrink the shorter side to 768, then count squares of 512.
_LONG_SIDE, _SHORT_SIDE, _TILE = 2048, 768, 512
_MOST_TILES = ceil(_LONG_SIDE / _TILE) * ceil(_SHORT_SIDE / _TILE)
_USUAL_TILES = 4  # the guide's own example, a square picture; also any photograph of 4:3

Kind = Literal["jpeg", "png", "webp"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as its first bytes tell: width and height in pixels, None where they do not.

    `color` is False where the picture is neither RGB nor RGBA, None where the first bytes do not say. `label`
    is the media type that the URL claims.
    """

    kind: Kind
    label: str
    size: tuple[int, int] | None = None
    color: bool | None = None


class NotAPictureError(ValueError):
    """A URL that no picture can be had from; the code is that of the problem, the message what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def is_web_url(url: str) -> bool:
    """Return whether `url` is an http or https URL."""
    return _WEB.match(url) is not None


def picture_in(url: str) -> Picture:
    """Return the picture of a data URL; linear time, at most _HEAD_CHARACTERS of it are copied.

    Raises NotAPictureError: no base64 data URL, more than MAX_IMAGE_BYTES, or neither JPEG, PNG nor WEBP by its
    first bytes.
    """
    label = _LABEL.match(url)
    if label is None:
        raise NotAPictureError(
            "bad_image_url",
            'an image\'s url must begin with https://, http:// or "data:image/png;base64,": correct it',
        )
    begin = label.end()
    encoded = len(url) - begin
    if encoded // 4 * 3 - url.endswith("=") - url.endswith("==") > MAX_IMAGE_BYTES:
        raise NotAPictureError(
            "image_too_large", f"the image is larger than {MAX_IMAGE_BYTES:,} bytes: make it smaller"
        )
    if encoded % 4 or not encoded or _BASE64.fullmatch(url, begin) is None:
        raise NotAPictureError("bad_image_data", "the image is not base64 from end to end: encode it again")
    picture = _read(a2b_base64(url[begin : begin + _HEAD_CHARACTERS]), (label[1] or "").lower())
    if picture is None:
        raise NotAPictureError(
            "bad_image_data", "the image is neither JPEG, PNG nor WEBP by its first bytes: convert it"
        )
    return picture


def _read(head: bytes, label: str) -> Picture | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        if head[12:16] != b"IHDR" or len(head) < 26:
            return Picture("png", label)
        size = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
        return Picture("png", label, _positive(size), head[25] in (2, 6))
    if head.startswith(b"\xff\xd8\xff"):
        return _read_jpeg(head, label)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Picture("webp", label, _positive(_webp_size(head)))
    return None


def _read_jpeg(head: bytes, label: str) -> Picture:
    at = 2
    while at + 10 <= len(head) and head[at] == 0xFF:
        mark = head[at + 1]
        if mark == 0xFF:  # filling before a mark
            at += 1
        elif mark == 0x01 or 0xD0 <= mark <= 0xD7:  # marks that stand alone
            at += 2
        elif 0xC0 <= mark <= 0xCF and mark not in (0xC4, 0xC8, 0xCC):
            size = int.from_bytes(head[at + 7 : at + 9], "big"), int.from_bytes(head[at + 5 : at + 7], "big")
            return Picture("jpeg", label, _positive(size), head[at + 9] == 3)
        else:
            at += 2 + max(2, int.from_bytes(head[at + 2 : at + 4], "big"))
    return Picture("jpeg", label)


def _webp_size(head: bytes) -> tuple[int, int]:
    if len(head) < 30:
        return 0, 0
    match head[12:16]:
        case b"VP8 ":
            width, height = head[26:28], head[28:30]
            return int.from_bytes(width, "little") & 0x3FFF, int.from_bytes(height, "little") & 0x3FFF
        case b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
        case _:
            return 0, 0


def _positive(size: tuple[int, int]) -> tuple[int, int] | None:
    return size if all(size) else None


def image_tokens(part: dict[str, Any], tokens: ImageTokens) -> Range[int]:
    """Return the dataset tokens of a content part of type image_url, well formed or not.

    `detail: low` is one number. Else the tile rule: with a known size its tiles, where it is not known between
    one tile and the most that there can be, expected the four of the guide's example. Whether a small picture is
    enlarged is not said (measured once, not), so the high bound enlarges it. `auto`, also where nothing is
    said, may choose low.
    """
    image = part.get("image_url")
    if not isinstance(image, dict) or not isinstance(url := image.get("url"), str):
        return Range.exactly(0)
    detail = image.get("detail", "auto")
    if detail == "low":
        return Range.exactly(tokens.low_detail)
    try:
        size = None if is_web_url(url) else picture_in(url).size
    except NotAPictureError:
        size = None
    tiles = Range(1, _USUAL_TILES, _MOST_TILES) if size is None else _tiles(*size)
    high_detail = tiles.map(lambda count: tokens.base + tokens.per_tile * count)
    if detail == "high":
        return high_detail
    return Range(min(tokens.low_detail, high_detail.low), high_detail.expected, high_detail.high)


def _tiles(width: int, height: int) -> Range[int]:
    scale = min(Fraction(1), Fraction(_LONG_SIDE, max(width, height)))
    short, long = sorted((width * scale, height * scale))
    shrunk = min(Fraction(1), _SHORT_SIDE / short)
    stated = ceil(long * shrunk / _TILE) * ceil(short * shrunk / _TILE)
    enlarged = ceil(long * _SHORT_SIDE / short / _TILE) * ceil(Fraction(_SHORT_SIDE, _TILE))
    return Range(stated, stated, max(stated, min(enlarged, _MOST_TILES)))
