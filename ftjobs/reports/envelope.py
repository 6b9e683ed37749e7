"""The one JSON shape of everything `--json` prints."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from ftjobs.logs import INVISIBLE, clean
from ftjobs.money import Usd, UsdPer1M
from ftjobs.periods import iso

__all__ = ["clean", "dumps", "envelope", "in_ascii"]

# Legal in JSON text, but a terminal or a line reader would act on them; C0 is escaped by json itself.
_UNSAFE = re.compile(f"[{INVISIBLE}]")
_NOT_ASCII = re.compile(r"[^\x00-\x7e]")
_UTF16_UNIT = re.compile("[0-9a-f]{4}")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def envelope(what: str, version: int = 1, *, sandbox: bool = False, **fields: object) -> dict[str, Any]:
    """Return `{"schema": "ftjobs.<what>/<version>", …fields}`; "sandbox": true is there only where it is."""
    stamp = {"sandbox": True} if sandbox else {}
    return {"schema": f"ftjobs.{what}/{version}", **stamp, **fields}


def dumps(value: Mapping[str, object], *, ascii_only: bool = False) -> str:
    """Return one line of JSON that any strict reader takes.

    Usd and UsdPer1M become decimal strings, instants ISO UTC, dates ISO; lone surrogates U+FFFD. TypeError
    on any other type and on a naive datetime, ValueError on NaN and infinities.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    if _SURROGATES.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return in_ascii(text) if ascii_only else _UNSAFE.sub(_escaped, text)


def in_ascii(text: str) -> str:
    """Return the same JSON in ASCII: other characters stand in its strings alone."""
    return _NOT_ASCII.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return _UTF16_UNIT.sub(r"\\u\g<0>", match[0].encode("utf-16-be").hex())


def _plain(value: object) -> str:
    match value:
        case Usd() | UsdPer1M():
            return value.plain()
        case datetime() if value.tzinfo is not None:
            return iso(value)
        case date() if not isinstance(value, datetime):
            return value.isoformat()
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON form here")
