"""Logs on stderr that hold no secret, and the rules for all printed text: redaction and cleaning."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, TextIO

MASK: Final = "***"

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_SHORTEST_SECRET: Final = 4  # masking "x", a local server's key, would garble every line and protect nothing
_SHORTEST_KEY: Final = 16  # shorter than any real key, longer than a word that stands in other words by chance

_SPACES = re.compile(r"[\t-\r\x85\u2028\u2029]+")
# C0, C1, what changes the direction, and what has no width: a terminal obeys them, a reader does not see them.
INVISIBLE: Final = r"\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f"
_CONTROLS = re.compile(rf"[\x00-\x1f{INVISIBLE}]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")

_BEARER = re.compile(r"(?i)\b(bearer)\s+[^\s'\",;]+")
_API_KEY = re.compile(r"\bsk-[A-Za-z0-9_-]{8,}")
_URL_PASSWORD = re.compile(r"(://[^/\s:@]*):[^/\s]+@")

_LIBRARIES: Final = ("openai", "httpx2", "httpcore2", "httpx", "httpcore", "uvicorn")
_UVICORN_CHILDREN: Final = ("uvicorn.error", "uvicorn.access", "uvicorn.asgi")

_secrets: set[str] = set()


def clean(text: str) -> str:
    """Return `text` as one harmless line: no line breaks, controls or zero-width characters, no lone surrogates.

    For everything that came from a file or the network, before a terminal sees it.
    """
    if text.isascii() and text.isprintable():
        return text
    return _mended(_CONTROLS.sub("", _SPACES.sub(" ", text)))


def register_secret(text: str) -> None:
    """`redact` masks `text` from now on, wherever it appears; texts under 4 characters are let be."""
    if len(text) >= _SHORTEST_SECRET:
        _secrets.add(text)


def redact(text: str) -> str:
    """Return `text` with registered secrets, bearer tokens, `sk-` keys and URL passwords masked."""
    text = _without_secrets(text)
    text = _BEARER.sub(rf"\1 {MASK}", text)
    text = _API_KEY.sub(MASK, text)
    return _URL_PASSWORD.sub(rf"\1:{MASK}@", text)


def storable(value: object) -> Any:
    """Return JSON values as they may be kept: lone surrogates mended, and in texts whole keys masked.

    Names stay, and so does what only resembles a key: short ones, as local servers take, stand in ids and words
    that are facts.
    """
    return value if _is_storable(value) else _storable(value)


def _is_storable(value: object) -> bool:
    """Return whether there is nothing to change: one look at the whole text is a tenth of a walk through it."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        return False
    keys = [json.dumps(secret, ensure_ascii=False)[1:-1] for secret in _secrets if len(secret) >= _SHORTEST_KEY]
    return not (_SURROGATES.search(text) or any(key in text for key in keys))


def _storable(value: object) -> Any:
    match value:
        case str():
            return _without_secrets(_mended(value), shortest=_SHORTEST_KEY)
        case Mapping():
            return {_mended(key): _storable(item) for key, item in value.items()}
        case list():
            return [_storable(item) for item in value]
        case float() if not math.isfinite(value):
            return str(value)
        case _:
            return value


def _without_secrets(text: str, *, shortest: int = 0) -> str:
    for secret in sorted(_secrets, key=len, reverse=True):
        if len(secret) >= shortest:
            text = text.replace(secret, MASK)
    return text


def _mended(text: str) -> str:
    if _SURROGATES.search(text):
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def scrub_text(text: str) -> str:
    """Return `text` cleaned, then redacted: in this order, or a control character could split a key."""
    return redact(clean(text))


def scrub(value: object) -> Any:
    """Return `value` as JSON values with every text in it redacted and cleaned; other types become text."""
    match value:
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case Mapping():
            return {scrub_text(str(key)): scrub(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [scrub(item) for item in value]
        case _:
            return scrub_text(str(value))


def scrub_lines(text: str) -> str:
    """Return `text` with each of its lines scrubbed; for tracebacks."""
    return "\n".join(scrub_text(line) for line in text.split("\n"))


def use_color(stream: TextIO | None) -> bool:
    """Return whether `stream` is a terminal that shows colours; NO_COLOR and TERM=dumb say no."""
    if stream is None or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


@dataclass(frozen=True, slots=True)
class _Style:
    json: bool
    plain: bool
    threshold: int
    stream: TextIO | None  # None: sys.stderr as it is when the first event is shown


_style = _Style(json=False, plain=False, threshold=_LEVELS["warning"], stream=None)


def configure(
    *, style: Literal["human", "json"], verbosity: int, plain: bool = False, stream: TextIO | None = None
) -> None:
    """Events from now on appear on `stream` (default: stderr) in `style`, and libraries' own logs nowhere.

    A `verbosity` of -1 shows errors only, 0 warnings too (JSON: info too), 1 everything; `plain` has no colour.
    """
    global _style  # noqa: PLW0603  # one process has one stderr; loggers are made before it is configured
    match verbosity:
        case _ if verbosity > 0:
            level = "debug"
        case 0:
            level = "info" if style == "json" else "warning"
        case _:
            level = "error"
    _style = _Style(json=style == "json", plain=plain, threshold=_LEVELS[level], stream=stream)
    _structlog.cache_clear()
    silence_libraries()


def are_json() -> bool:
    """Return whether events appear as JSON."""
    return _style.json


def silence_libraries() -> None:
    """Libraries that would log headers, bodies or URLs print nothing, before or after they are imported.

    The SDK sets its own logger's level on import (OPENAI_LOG=debug): an end to propagation outlives that.
    """
    import logging

    for name in (*_LIBRARIES, *_UVICORN_CHILDREN):
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False
        logger.setLevel(logging.CRITICAL + 1)


class Log:
    """A named source of events; structlog is imported when the first one passes the threshold."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, event: str, /, **fields: object) -> None:
        """The event is shown with -v."""
        self._emit("debug", event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """The event is shown with -v, or as JSON."""
        self._emit("info", event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """The event is shown unless -q."""
        self._emit("warning", event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """The event is shown."""
        self._emit("error", event, fields)

    def _emit(self, level: str, event: str, fields: dict[str, object]) -> None:
        if _LEVELS[level] >= _style.threshold:
            getattr(_structlog(), level)(event, **{"logger": self._name, **fields})


def get_logger(name: str) -> Log:
    """Return the log of one module: `log = get_logger(__name__)`; costs nothing."""
    return Log(name)


def _scrub_event(_logger: object, _method: str, event: Mapping[str, object]) -> dict[str, Any]:
    return {key: scrub_lines(str(value)) if key == "exception" else scrub(value) for key, value in event.items()}


@cache
def _structlog() -> Any:
    import structlog

    stream = _style.stream or sys.stderr
    renderer = (
        structlog.processors.JSONRenderer()
        if _style.json
        else structlog.dev.ConsoleRenderer(
            colors=use_color(stream) and not _style.plain,
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,  # plain: pretty tracebacks show locals, and one may be a key
        _scrub_event,
        renderer,
    ]
    return structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(0),
        context_class=dict,
        cache_logger_on_first_use=False,
    )
