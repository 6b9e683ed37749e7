"""What becomes of a command that stops at a point while the world changes: the table, and what its words mean.

A row is a point of `ftjobs.failpoints`, a column what is done there. The first command is `submit`; `status` on a
job that has ended in the rows `sync.*` and `bill.*`; `submit` of a job that is in a ledger of the first schema in
the rows `ledger.*`. A star puts a cell into the quick cross-section.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal


@dataclass(frozen=True)
class Stage:
    """What there is: jobs on the service, states of the ledger's submissions, kinds of its entries."""

    jobs: int
    states: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What a command comes to: exit code, error code, and what there is right after.

    No `code`: its end is the signal's, see SIGNALLED. `leaves`: what was at the point, what there is when all goes
    well, or the jobs of the point and an empty ledger. `is_noted`: the job's id stands in the orphans file.
    """

    meaning: str
    code: int | None
    error: str | None
    leaves: Literal["point", "end", "blank"] | Stage
    is_noted: bool = False


EMPTY: Final = Stage(0)
RECORDED: Final = Stage(0, ("recorded",), ("estimate",))
SENDING: Final = Stage(0, ("sending",), ("estimate",))
SENT: Final = replace(SENDING, jobs=1)
CREATED: Final = Stage(1, ("created",), ("estimate",))
BILLED: Final = Stage(1, ("created",), ("estimate", "billed"))
ADOPTED: Final = Stage(1, ("abandoned", "created"), ("estimate", "void", "estimate"))

# At each point: what there is, and what there is once the command is done.
STAGES: Final[Mapping[str, tuple[Stage, Stage]]] = {
    "survey.done": (EMPTY, CREATED),
    "submission.recording": (EMPTY, CREATED),
    "submission.recorded": (RECORDED, CREATED),
    "submission.locked": (RECORDED, CREATED),
    "lookup.done": (RECORDED, CREATED),
    "upload.started": (RECORDED, CREATED),
    "upload.sending": (RECORDED, CREATED),
    "upload.done": (RECORDED, CREATED),
    "file.waiting": (RECORDED, CREATED),
    "create.sending": (SENDING, CREATED),
    "create.sent": (SENT, CREATED),
    "create.replied": (SENT, CREATED),
    "job.recording": (SENT, CREATED),
    "job.recorded": (CREATED, CREATED),
    "sync.fetched": (CREATED, BILLED),
    "bill.settling": (CREATED, BILLED),
    "bill.settled": (BILLED, BILLED),
    "ledger.backed_up": (CREATED, CREATED),
    "ledger.migrating": (CREATED, CREATED),
    "ledger.migrated": (CREATED, CREATED),
}

OUTCOMES: Final[Mapping[str, Outcome]] = {
    "ended": Outcome("the signal ends it where it is", None, None, "point"),
    "held": Outcome("the signal waits until the reply is recorded, then ends it", None, None, CREATED),
    "done": Outcome("it does what it would have done", 0, None, "end"),
    "led": Outcome("it does so, and the neighbour waits for it", 0, None, "end"),
    "found": Outcome("the neighbour did it meanwhile, and it finds that", 0, None, "end"),
    "adopted": Outcome("it takes the job that is there instead of creating one", 0, None, ADOPTED),
    "twice": Outcome("it creates one more: its last look was over", 0, None, replace(CREATED, jobs=2)),
    "refused": Outcome("it goes no further without its ledger", 12, "ledger_unavailable", "point"),
    "outwaited": Outcome("it waits half a minute, then says who holds the ledger", 12, "ledger_busy", "point"),
    "told": Outcome("it made the job and can only tell its id", 12, "job_not_recorded", SENT),
    "noted": Outcome("it made the job and notes it beside the ledger", 12, "job_not_recorded", SENT, True),
    "blank": Outcome("it goes no further, and leaves no ledger", 12, "ledger_unavailable", "blank"),
    "orphan": Outcome("it made the job and notes it where the ledger was", 12, "job_not_recorded", Stage(1), True),
}

# How a command ends that a signal ends: exit code and error code.
SIGNALLED: Final[Mapping[str, tuple[int, str | None]]] = {
    "kill": (-9, None),
    "term": (-15, None),
    "int": (130, "interrupted"),
    "hup": (-1, None),
    "clock-back": (-9, None),
    "clock-on": (-9, None),
    "other-account": (-9, None),
}

REASONS: Final[Mapping[str, str]] = {
    "own": "the command is inside a transaction: the ledger's write lock is its own, nobody else can have it",
}

PROCESS: Final = """
point                 kill     term     int      hup      clock-back  clock-on  other-account
survey.done           ended    ended*   ended    ended    ended       ended     ended
submission.recording  ended    ended    ended    ended    ended       ended     ended
submission.recorded   ended    ended    ended    ended    ended       ended     ended*
submission.locked     ended    ended    ended    ended*   ended       ended     ended
lookup.done           ended    ended    ended    ended    ended*      ended     ended
upload.started        ended    ended    ended    ended    ended       ended     ended
upload.sending        ended    ended    ended*   ended    ended       ended     ended
upload.done           ended*   ended    ended    ended    ended       ended     ended
file.waiting          ended    ended    ended    ended    ended       ended     ended
create.sending        ended    held     held     held     ended       ended     ended
create.sent           ended    held     held*    held     ended       ended     ended*
create.replied        ended    held     held     held     ended       ended     ended
job.recording         ended    held*    held     held     ended       ended     ended
job.recorded          ended    held     held     held     ended       ended     ended
sync.fetched          ended    ended    ended    ended    ended       ended     ended
bill.settling         ended*   ended    ended    ended    ended       ended     ended
bill.settled          ended    ended    ended    ended    ended       ended*    ended
ledger.backed_up      ended    ended    ended    ended    ended       ended     ended
ledger.migrating      ended    ended    ended    ended    ended       ended     ended
ledger.migrated       ended    ended    ended    ended    ended       ended     ended
"""

DISK: Final = """
point                 disk-full  file-limit  read-only  ledger-gone  busy   busy-for-good
survey.done           refused    refused     refused    blank        done   outwaited
submission.recording  refused    refused     refused*   blank        (own)  (own)
submission.recorded   refused    refused     refused    blank        done   outwaited
submission.locked     refused    refused     refused    blank        done   outwaited
lookup.done           refused    refused     refused    blank        done   outwaited
upload.started        refused*   refused     refused    blank        done   outwaited
upload.sending        refused    refused     refused    blank        done   outwaited
upload.done           refused    refused     refused    blank        done   outwaited
file.waiting          refused    refused*    refused    blank        done   outwaited
create.sending        told       noted       told       orphan*      done   noted
create.sent           told       noted*      told       orphan       done   noted
create.replied        told*      noted       told       orphan       done   noted
job.recording         noted      noted       told       blank        (own)  (own)
job.recorded          done       done        done       blank*       done   done*
sync.fetched          refused    refused     refused    blank        done*  outwaited
bill.settling         refused    refused     refused    blank        (own)  (own)
bill.settled          done       done        done       blank        done   done
ledger.backed_up      refused    refused*    refused    blank        done   outwaited
ledger.migrating      done       refused     refused    blank        (own)  (own)
ledger.migrated       refused*   refused     refused    blank        done   outwaited
"""

WORLD: Final = """
point                 neighbour  other-machine
survey.done           found      adopted
submission.recording  led        adopted
submission.recorded   found*     adopted
submission.locked     led        adopted*
lookup.done           led        twice*
upload.started        led        twice
upload.sending        led        twice
upload.done           led        twice
file.waiting          led        twice
create.sending        led        twice
create.sent           led        done
create.replied        led        done
job.recording         led        done
job.recorded          led        done
sync.fetched          found      done
bill.settling         led        done
bill.settled          found      done
ledger.backed_up      led        done
ledger.migrating      led*       done
ledger.migrated       found      done
"""


def _side_by_side(*panels: str) -> str:
    rows = zip(*(panel.strip().splitlines() for panel in panels), strict=True)
    return "\n".join(" ".join([first, *(line.partition(" ")[2] for line in more)]) for first, *more in rows)


GRID: Final = _side_by_side(PROCESS, DISK, WORLD)


def expected(point: str, outcome: Outcome) -> Stage:
    """Return what there is right after a command came to this at that point."""
    here, end = STAGES[point]
    match outcome.leaves:
        case "point":
            return here
        case "end":
            return end
        case "blank":
            return Stage(here.jobs)
        case Stage() as stage:
            return stage
