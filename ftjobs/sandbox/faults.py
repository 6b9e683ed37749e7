"""Misbehaviour on demand.

`PUT /sandbox/faults` takes a JSON list of rules, `GET /sandbox/faults` shows what is left of them. They are
part of the stored state, so they hold for every process that serves it. A rule:

    {"on": "POST /v1/fine_tuning/jobs", "do": "drop", "when": "after", "times": 1, "skip": 0}

`on`     method and exact path, from /v1 on whatever the personality's root; `*` stands for one path segment
`times`  how many requests it spoils, 1 if absent
`skip`   how many matching requests it lets through first, 0 if absent
`when`   "before" (the request is never processed; if absent) or "after" (it is, and its answer is replaced)
`do`     "drop"      closes the connection without an answer
         "status"    answers `status` with `headers` and `body` (an error envelope if absent)
         "delay"     waits `seconds`, then goes on
         "garbage"   answers 200 with `body` as given ("{}" if absent) and `headers`
         "redirect"  answers `status` (307 if absent) to `location` (the same address if absent)
         "truncate"  declares a longer body than it sends, then closes: `body`, else the true answer ("after")

Of the rules left, the first whose `on` fits a request decides about it, alone: it skips, or it strikes.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass, field
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_FIELDS_OF = {
    "drop": (),
    "status": ("status", "headers", "body"),
    "delay": ("seconds",),
    "garbage": ("headers", "body"),
    "redirect": ("status", "location"),
    "truncate": ("body",),
}
_NEEDED = {"status": "status", "delay": "seconds"}
_SERVER_ERROR = 500
_BODILESS = (204, 304)


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule, as the module describes it; a field that its `do` does not use keeps its default."""

    on: str
    do: str
    when: str = "before"
    times: int = 1
    skip: int = 0
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    seconds: float = 0.0
    location: str | None = None

    def fits(self, method: str, path: str) -> bool:
        """Say whether the rule is about this request."""
        wanted_method, _, wanted_path = self.on.partition(" ")
        wanted, given = wanted_path.split("/"), path.split("/")
        return (
            wanted_method == method
            and len(wanted) == len(given)
            and all(want in ("*", have) for want, have in zip(wanted, given, strict=True))
        )

    def shown(self) -> dict[str, object]:
        """Return the rule as `GET /sandbox/faults` shows it: only the fields that its `do` knows."""
        names = ("on", "do", "when", "times", "skip", *_FIELDS_OF[self.do])
        return {name: value for name, value in asdict(self).items() if name in names}


def _sendable(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and value.isascii() and value.isprintable()


def _whole(value: Any, least: int, most: float = math.inf) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _target(value: Any) -> bool:
    method, _, path = value.partition(" ") if isinstance(value, str) else ("", "", "")
    return bool(method.isupper() and path.startswith("/v1/"))


def _headers(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_sendable, (*value, *value.values())))


_GOOD: dict[str, Callable[[Any], bool]] = {
    "on": _target,
    "when": lambda value: value in ("before", "after"),
    "times": lambda value: _whole(value, 1),
    "skip": lambda value: _whole(value, 0),
    "status": lambda value: _whole(value, 200, 599),
    "headers": _headers,
    "body": lambda value: isinstance(value, str),
    "seconds": lambda value: _whole(value, 0) or (isinstance(value, float) and 0 <= value < math.inf),
    "location": _sendable,
}


def parse_faults(document: object) -> list[Fault]:
    """Return the rules of a `PUT /sandbox/faults` body; ValueError says which rule is wrong and why."""
    if not isinstance(document, list):
        raise ValueError("the faults must be a JSON list of rules")
    return [_parse(number, rule) for number, rule in enumerate(document)]


def _parse(number: int, rule: object) -> Fault:
    kind = rule.get("do") if isinstance(rule, dict) else None
    if not isinstance(rule, dict) or not isinstance(kind, str) or kind not in _FIELDS_OF:
        raise ValueError(f"rule {number} must be an object whose `do` is one of {', '.join(_FIELDS_OF)}")
    known = {"on", "do", "when", "times", "skip", *_FIELDS_OF[kind]}
    if unknown := sorted(set(rule) - known):
        raise ValueError(f"rule {number}: {kind} knows no field {', '.join(map(repr, unknown))}")
    if kind in _NEEDED and _NEEDED[kind] not in rule:
        raise ValueError(f"rule {number}: {kind} needs `{_NEEDED[kind]}`")
    for name, value in rule.items():
        if name != "do" and not _GOOD[name](value):
            raise ValueError(f"rule {number}: {value!r} is no value for `{name}`")
    if "on" not in rule:
        raise ValueError(f"rule {number} needs `on`")
    if kind == "redirect" and not _whole(rule.setdefault("status", 307), 301, 308):
        raise ValueError(f"rule {number}: a redirect's `status` is from 301 to 308")
    return Fault(**rule)


class Misbehaving:
    """An ASGI application that answers for `app`, except where a fault strikes.

    `arrived` takes method, path and query of every API request and returns the fault that strikes it, if any.
    The server must offer `scope["state"]["close_connection"]`, as `serving` does.
    """

    def __init__(self, app: App, *, arrived: Callable[[str, str, str], Awaitable[Fault | None]]) -> None:
        self._app = app
        self._arrived = arrived

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's
        if not scope["path"].startswith("/v1/"):
            return await self._app(scope, receive, send)
        fault = await self._arrived(scope["method"], scope["path"], scope["query_string"].decode("latin-1"))
        if fault is None:
            return await self._app(scope, receive, send)
        if fault.do == "delay" and fault.when == "before":
            await asyncio.sleep(fault.seconds)
            return await self._app(scope, receive, send)

        body_ended = False

        async def receive_and_note_end() -> Message:
            nonlocal body_ended
            message = await receive()
            body_ended = not message.get("more_body", False)
            return message

        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        if fault.when == "after":
            await self._app(scope, receive_and_note_end, keep)
        # Closing over an unread body is a reset, not an end, and the client may lose what it was answered.
        while not body_ended:
            await receive_and_note_end()
        return await _strike(fault, answer, scope, receive, send)


async def _strike(fault: Fault, answer: list[Message], scope: Scope, receive: Receive, send: Send) -> None:
    match fault.do:
        case "drop":
            await _close(scope, receive)
        case "delay":
            await asyncio.sleep(fault.seconds)
            for message in answer:
                await send(message)
        case "truncate":
            true_body = b"".join(message.get("body", b"") for message in answer)
            whole = true_body if fault.body is None else fault.body.encode()
            body = whole[: len(whole) // 2] if fault.body is None else whole
            status = answer[0]["status"] if answer else 200
            await _answer(send, status, {"content-length": str(len(whole) + 64)}, body, more=True)
            await _close(scope, receive)
        case "redirect":
            path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
            itself = path + (f"?{query}" if query else "")
            await _answer(send, fault.status, {"location": fault.location or itself}, b"")
        case "garbage":
            await _answer(send, 200, fault.headers, ("{}" if fault.body is None else fault.body).encode())
        case _:
            body = _envelope(fault.status) if fault.body is None else fault.body.encode()
            body = b"" if fault.status in _BODILESS else body
            await _answer(send, fault.status, fault.headers, body)


def _envelope(status: int) -> bytes:
    kind = "server_error" if status >= _SERVER_ERROR else "invalid_request_error"
    message = f"The sandbox was told to answer {status}."
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": None}}).encode()


async def _answer(send: Send, status: int, headers: dict[str, str], body: bytes, *, more: bool = False) -> None:
    lower = {name.lower(): value for name, value in headers.items()}
    sent = {"content-type": "application/json", "content-length": str(len(body)), **lower}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def _close(scope: Scope, receive: Receive) -> None:
    """Close the connection once everything written has left, without ending the answer."""
    scope["state"]["close_connection"]()
    # An ASGI call that returns before the server knows of the loss would be answered with a 500.
    while (await receive())["type"] != "http.disconnect":
        pass
