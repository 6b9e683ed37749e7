"""The network half of the fault matrix as values: what is asked, what goes wrong with it, and how that ends."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import Literal

from tests.conftest import CREATE
from tests.e2e.conftest import LISTS, UPLOAD

FILE, JOB = "GET /v1/files/*", "GET /v1/fine_tuning/jobs/*"
# Where a redirect leads that would create a job if it were followed with the request that was redirected.
ELSEWHERE = "{elsewhere}"


@dataclass(frozen=True)
class World:
    """How many jobs the service has, the states of the submissions and the kinds of the entries, in order."""

    jobs: int
    states: tuple[str, ...]
    entries: tuple[str, ...]


NOTHING = World(0, (), ())
RECORDED = World(0, ("recorded",), ("estimate",))
VOIDED = World(0, ("rejected",), ("estimate", "void"))
IN_DOUBT = World(0, ("uncertain",), ("estimate",))
UNSEEN = World(1, ("uncertain",), ("estimate",))
CREATED = World(1, ("created",), ("estimate",))
BILLED = World(1, ("created",), ("estimate", "billed"))
TWO_CREATED = World(2, ("created", "created"), ("estimate", "estimate"))
TWO_BILLED = replace(TWO_CREATED, entries=("estimate", "estimate", "billed", "billed"))


@dataclass(frozen=True)
class Request:
    """A request of the protocol, and the command in which it is met.

    The command leaves `untouched` where it gets no further than this request, and `done` where all is well; `sent`
    create requests have left before it. A command can be stopped right before the request at `failpoint`; without
    one it is the first that the command sends. `other` is a body that answers another question.
    """

    meaning: str
    target: str
    command: Literal["submit", "resend", "status"]
    untouched: World
    done: World
    other: str
    failpoint: str | None = None
    sent: int = 0
    sends: int = 1


_A_FILE = json.dumps({"object": "file", "id": "file-of-another", "status": "processed"})
_A_JOB = {
    "object": "fine_tuning.job",
    "id": "ftjob-of-another",
    "status": "succeeded",
    "created_at": 1_700_000_000,
}
_ANOTHER_JOB = json.dumps({**_A_JOB, "training_file": "file-of-another"})
_A_LIST = json.dumps({"object": "list", "data": [], "has_more": False})

REQUESTS = {
    "model": Request("is the model still offered?", "GET /v1/models/*", "submit", NOTHING, CREATED, _A_FILE),
    "lookup": Request(
        "are there jobs of this content already?", LISTS, "submit", RECORDED, CREATED, _A_FILE, "submission.locked"
    ),
    "upload": Request("the training file", UPLOAD, "submit", RECORDED, CREATED, _A_LIST, "upload.started"),
    "file-wait": Request(
        "is the file ready for training?", FILE, "submit", RECORDED, CREATED, _ANOTHER_JOB, "file.waiting"
    ),
    "create": Request("the job", CREATE, "submit", RECORDED, CREATED, _ANOTHER_JOB, "create.sending"),
    "look-again": Request(
        "a create reply was lost: is there a job?",
        LISTS,
        "submit",
        UNSEEN,
        CREATED,
        _A_FILE,
        "create.replied",
        sent=1,
    ),
    "resend": Request("is it safe to create again?", LISTS, "resend", IN_DOUBT, CREATED, _A_FILE),
    "sync-list": Request("what became of two jobs?", LISTS, "status", TWO_CREATED, TWO_BILLED, _A_FILE, sends=0),
    "sync-one": Request("what became of the job?", JOB, "status", CREATED, BILLED, _ANOTHER_JOB, sends=0),
    "revisit": Request(
        "is the job of this content still alive?",
        JOB,
        "submit",
        CREATED,
        CREATED,
        _ANOTHER_JOB,
        "survey.done",
        sends=0,
    ),
}


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a request: a rule of the sandbox, or (without one) nobody listens.

    `code` is the API's own word for it, `told` a part of what a person must be told. `creates` create requests
    arrive where it strikes the create call.
    """

    rule: dict[str, object] = field(default_factory=dict)
    code: str = ""
    told: str = ""
    creates: int = 1
    for_good: bool = False

    @property
    def is_mute(self) -> bool:
        """True where the answer does not come in time."""
        return self.rule.get("do") == "delay"


def _status(
    status: int, code: str = "server_error", *, creates: int = 1, wait: str | None = None, when: str = "before"
) -> Fault:
    body = {"error": {"message": "As the test wants it.", "type": "some_type", "param": None, "code": code}}
    headers = {} if wait is None else {"retry-after": wait}
    rule = {"do": "status", "status": status, "headers": headers, "body": json.dumps(body), "when": when}
    return Fault(rule, code, f"HTTP {status}", creates)


def _body(text: str, told: str = "unusable") -> Fault:
    return Fault({"do": "garbage", "body": text}, told=told)


def _redirect(status: int, location: str | None = None) -> Fault:
    target = {} if location is None else {"location": location}
    return Fault({"do": "redirect", "status": status, **target}, told=f"HTTP {status}")


# Asked again, each of these may pass.
_PASSING = {
    "refused": Fault(told="refused"),
    "drop-before": Fault({"do": "drop", "when": "before"}),
    "drop-after": Fault({"do": "drop", "when": "after"}),
    "mute-before": Fault({"do": "delay", "seconds": 100, "when": "before"}, told="ReadTimeout"),
    "mute-after": Fault({"do": "delay", "seconds": 100, "when": "after"}, told="ReadTimeout"),
    "408": _status(408, "timeout"),
    "409": _status(409, "conflict"),
    "429-1s": _status(429, "rate_limit_exceeded", wait="1", creates=2),
    "429-bare": _status(429, "rate_limit_exceeded", creates=2),
    "429-day": _status(429, "daily_rate_limit_exceeded"),
    "500": _status(500),
    "500-after": _status(500, when="after"),
    "502": _status(502),
    "503": _status(503, wait="0"),
    "504": _status(504),
    **{str(status): _redirect(status) for status in (301, 302, 303, 307, 308)},
    **{f"{status}-away": _redirect(status, ELSEWHERE) for status in (301, 302, 303, 307, 308)},
    "cut-before": Fault({"do": "truncate", "body": '{"object": "list", "data": ['}),
    "cut-after": Fault({"do": "truncate", "when": "after"}),
    "{}": _body("{}"),
    "{}-after": replace(_body("{}"), rule={"do": "garbage", "when": "after"}),
    "html": Fault(
        {"do": "garbage", "body": "<html>busy</html>", "headers": {"content-type": "text/html"}}, told="unusable"
    ),
    "other": _body("{other}", told=""),
    "empty": _body(""),
    "null": _body("null"),
    "null-data": _body('{"object": "list", "data": null, "has_more": false}'),
    "no-has-more": _body('{"object": "list", "data": []}'),
    "stuck": _body('{"object": "list", "data": [], "has_more": true}'),
    "circle": _body(json.dumps({"object": "list", "data": [_A_JOB], "has_more": True})),
}
_ONE_MORE_CHANCE = {"429-1s", "429-bare"}
# The first answer ends the command, so that nothing can be told apart by how many there are.
_ENDING = {
    "429-hour": _status(429, "rate_limit_exceeded", wait="3600"),
    "429-quota": _status(429, "insufficient_quota", wait="1"),
    "400": _status(400, "invalid_value"),
    "401": _status(401, "invalid_api_key"),
    "403": _status(403, "training_not_available"),
    "404": _status(404, "not_found"),
}
FAULTS = {
    **{name: fault for name, fault in _PASSING.items() if name != "circle"},
    **_ENDING,
    # Four attempts at most, each after a lookup that found nothing; where nobody listens none arrives.
    **{
        f"{name}-all": replace(
            fault, for_good=True, creates=4 if name in _ONE_MORE_CHANCE else int(name != "refused")
        )
        for name, fault in _PASSING.items()
    },
}


def kind_of(fault: str) -> str:
    """Return what a fault is an example of: which of the redirects and 5xx, and how often, varies it only."""
    once = fault.removesuffix("-all")
    if re.fullmatch(r"50\d", once):
        return "5xx"
    return re.sub(r"^30\d", "redirect", once)


@dataclass(frozen=True)
class Outcome:
    """How a command ends: what that means for a person, the exit code, and what is so directly after it."""

    meaning: str
    exit_code: int
    leaves: Literal["untouched", "done"] | World
    error: str | None = None


OUTCOMES = {
    "absorbed": Outcome("all is well, as if nothing had happened", 0, "done"),
    "found": Outcome("the create reply was lost, and the job was found", 0, "done"),
    "later": Outcome("nothing was lost or changed: the same command later goes on", 8, "untouched", "unavailable"),
    "ended": Outcome("the API said no: nothing was created, the submission is voided", 7, VOIDED, "as told"),
    "denied": Outcome("the API said no to a question: all stays as it was known", 7, "untouched", "as told"),
    "noted": Outcome("the job is gone at the service: a note says so, the ledger keeps it", 0, "untouched"),
    "uncertain": Outcome("no job was made, which cannot be known", 9, IN_DOUBT, "submission_uncertain"),
    "unseen": Outcome("a job was made, which cannot be seen", 9, UNSEEN, "submission_uncertain"),
}

REASONS = {
    "once": "the create call is sent once, so that one spoiled request is all of them",
    "list": "only an answer that should be a list can be a broken list",
}
# The faults are many, so here a row is a fault and a column a request.
GRID = """
fault           model     lookup    upload   file-wait create     look-again resend    sync-list sync-one  revisit
refused         absorbed  absorbed  absorbed absorbed  absorbed*  found      absorbed  absorbed  absorbed  absorbed
drop-before     absorbed  absorbed  absorbed absorbed  uncertain  found*     absorbed  absorbed  absorbed  absorbed
drop-after      absorbed  absorbed  absorbed absorbed  found*     found      absorbed  absorbed  absorbed  absorbed
mute-before     absorbed  absorbed  absorbed absorbed  uncertain  found      absorbed  absorbed  absorbed  absorbed
mute-after      absorbed  absorbed  absorbed absorbed  found*     found      absorbed  absorbed  absorbed  absorbed
408             absorbed  absorbed* absorbed absorbed  uncertain  found      absorbed  absorbed  absorbed  absorbed
409             absorbed  absorbed  absorbed absorbed  uncertain  found      absorbed  absorbed  absorbed  absorbed
429-1s          absorbed  absorbed  absorbed absorbed* absorbed   found      absorbed  absorbed  absorbed  absorbed
429-bare        absorbed  absorbed  absorbed absorbed  absorbed   found      absorbed  absorbed  absorbed  absorbed
429-day         absorbed  absorbed  absorbed absorbed  later      found      absorbed  absorbed* absorbed  absorbed
500             absorbed  absorbed  absorbed absorbed  uncertain* found      absorbed  absorbed  absorbed  absorbed
500-after       absorbed  absorbed  absorbed absorbed  found      found*     absorbed  absorbed  absorbed  absorbed
502             absorbed  absorbed  absorbed absorbed  uncertain  found      absorbed  absorbed  absorbed  absorbed
503             absorbed  absorbed  absorbed absorbed  uncertain  found      absorbed  absorbed  absorbed* absorbed
504             absorbed  absorbed  absorbed absorbed  uncertain  found      absorbed  absorbed  absorbed  absorbed
301             absorbed  absorbed  absorbed absorbed  uncertain  found      absorbed  absorbed  absorbed  absorbed
302             absorbed  absorbed  absorbed absorbed  uncertain  found      absorbed  absorbed  absorbed  absorbed
303             absorbed  absorbed  absorbed absorbed  uncertain  found      absorbed* absorbed  absorbed  absorbed
307             absorbed  absorbed  absorbed absorbed  uncertain  found      absorbed  absorbed  absorbed  absorbed
308             absorbed  absorbed  absorbed absorbed  uncertain  found      absorbed  absorbed  absorbed  absorbed
301-away        absorbed  absorbed  absorbed absorbed  uncertain  found      absorbed  absorbed  absorbed  absorbed
302-away        absorbed  absorbed  absorbed absorbed  uncertain  found      absorbed  absorbed  absorbed  absorbed
303-away        absorbed  absorbed  absorbed absorbed  uncertain  found      absorbed  absorbed  absorbed  absorbed
307-away        absorbed  absorbed  absorbed absorbed  uncertain  found      absorbed  absorbed  absorbed  absorbed
308-away        absorbed  absorbed  absorbed absorbed  uncertain  found      absorbed  absorbed  absorbed  absorbed
cut-before      absorbed  absorbed  absorbed absorbed  uncertain  found      absorbed  absorbed  absorbed  absorbed
cut-after       absorbed  absorbed  absorbed absorbed  found*     found      absorbed  absorbed  absorbed  absorbed
{}              absorbed  absorbed  absorbed absorbed  uncertain  found      absorbed  absorbed  absorbed  absorbed
{}-after        absorbed  absorbed  absorbed absorbed  found      found      absorbed  absorbed  absorbed  absorbed
html            absorbed  absorbed  absorbed absorbed* uncertain  found      absorbed  absorbed  absorbed  absorbed
other           absorbed  absorbed  absorbed absorbed  uncertain* found      absorbed  absorbed  absorbed  absorbed
empty           absorbed  absorbed  absorbed absorbed  uncertain  found*     absorbed  absorbed  absorbed  absorbed
null            absorbed  absorbed  absorbed absorbed  uncertain* found      absorbed  absorbed  absorbed  absorbed
null-data       (list)    absorbed  (list)   (list)    (list)     found*     absorbed  absorbed  (list)    (list)
no-has-more     (list)    absorbed  (list)   (list)    (list)     found      absorbed* absorbed  (list)    (list)
stuck           (list)    absorbed  (list)   (list)    (list)     found      absorbed  absorbed* (list)    (list)
429-hour        later     later     later    later     later*     unseen     later     later     later     later
429-quota       absorbed  ended     ended    ended     ended      unseen     denied    denied*   denied    denied
400             absorbed  ended     ended    ended     ended*     unseen     denied    denied    denied    denied
401             absorbed  ended     ended    ended     ended      unseen     denied*   denied    denied    denied
403             absorbed  ended     ended*   ended     ended      unseen     denied    denied    denied    denied
404             absorbed  ended     ended    later*    ended      unseen     denied    denied    noted*    denied
refused-all     later     later     later    later     later      unseen     later     later     later     later
drop-before-all later     later     later    later     (once)     unseen     later     later     later     later
drop-after-all  later     later     later    later     (once)     unseen*    later     later     later     later
mute-before-all later*    later     later    later     (once)     unseen     later     later     later     later
mute-after-all  later     later     later    later     (once)     unseen     later*    later     later     later
408-all         later     later     later    later     (once)     unseen     later     later     later     later
409-all         later     later     later    later     (once)     unseen     later     later*    later     later
429-1s-all      later     later     later    later     later      unseen     later     later     later     later
429-bare-all    later     later     later    later     later*     unseen     later     later     later     later
429-day-all     later     later     later    later     (once)     unseen     later     later     later     later
500-all         later     later     later    later     (once)     unseen     later     later     later     later
500-after-all   later     later     later    later     (once)     unseen     later     later     later     later
502-all         later     later     later    later     (once)     unseen     later     later     later     later
503-all         later     later     later    later     (once)     unseen     later     later     later     later
504-all         later     later     later    later     (once)     unseen     later     later     later     later
301-all         later     later     later    later     (once)     unseen     later     later     later     later
302-all         later     later     later    later     (once)     unseen     later     later     later     later
303-all         later     later     later    later     (once)     unseen     later     later     later     later
307-all         later     later     later    later     (once)     unseen     later     later     later     later
308-all         later     later     later    later     (once)     unseen     later     later     later     later
301-away-all    later     later     later    later     (once)     unseen     later     later     later     later
302-away-all    later     later     later    later     (once)     unseen     later     later     later     later
303-away-all    later     later     later    later     (once)     unseen     later     later     later     later
307-away-all    later     later*    later    later     (once)     unseen     later     later     later     later
308-away-all    later     later     later    later     (once)     unseen     later     later     later     later
cut-before-all  later     later     later*   later     (once)     unseen     later     later     later     later
cut-after-all   later     later     later    later     (once)     unseen     later     later     later*    later
{}-all          later     later     later    later*    (once)     unseen     later     absorbed  later     later
{}-after-all    later     later     later    later     (once)     unseen     later     absorbed  later     later*
html-all        later     later     later    later     (once)     unseen     later     absorbed  later     later
other-all       absorbed* later     later    later     (once)     unseen     later     absorbed  later     later
empty-all       later     later     later    later     (once)     unseen     later     absorbed  later     later
null-all        later     later     later    later     (once)     unseen     later     absorbed  later     later
null-data-all   (list)    later     (list)   (list)    (list)     unseen     later     absorbed  (list)    (list)
no-has-more-all (list)    later     (list)   (list)    (list)     unseen     later     absorbed  (list)    (list)
stuck-all       (list)    later     (list)   (list)    (list)     unseen     later     absorbed  (list)    (list)
circle-all      (list)    later     (list)   (list)    (list)     unseen     later*    absorbed  (list)    (list)
"""
