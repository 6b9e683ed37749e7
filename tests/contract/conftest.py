"""One contract for every database that a ledger can live in: SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import text

from ftjobs.jobs.job import Job, parse_job
from ftjobs.jobs.quote import Quote
from ftjobs.jobs.spec import JobSpec
from ftjobs.jobs.submission import State, Submission, new_id
from ftjobs.ledger.engine import open_engine
from ftjobs.ledger.entries import BillingPrice, Trail
from ftjobs.ledger.month import MonthReport
from ftjobs.ledger.place import Server, ledger_place
from ftjobs.ledger.store import Ledger
from ftjobs.money import Usd, UsdPer1M
from ftjobs.periods import Period
from ftjobs.ranges import Range
from tests.postgres import Databases

NOW = datetime(2027, 6, 1, 12, tzinfo=UTC)
MINI = "gpt-4o-mini-2024-07-18"
PRICE = BillingPrice(UsdPer1M.parse("3.00"), "openai", None, "a page")


class Place(Protocol):
    """Where a ledger can be opened, again and again, also from other processes."""

    @property
    def where(self) -> Path | Server:
        """What names the place to the ledger, to locks and orphans."""
        ...

    @property
    def url(self) -> str:
        """What names the place to a child process."""
        ...

    def open(self, stamp: str = "real") -> Ledger:
        """Open the ledger that lives here."""
        ...

    def sql(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """Run a statement behind the ledger's back, on a connection like its own."""
        ...


@dataclass(frozen=True)
class SqlitePlace:
    """A file."""

    path: Path

    @property
    def where(self) -> Path:
        return self.path

    @property
    def url(self) -> str:
        return str(self.path)

    def open(self, stamp: str = "real") -> Ledger:
        return Ledger(self.path, stamp=stamp)

    def sql(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        return _run(self.path, statement, values)


@dataclass(frozen=True)
class PostgresPlace:
    """A database that was made for the test."""

    url: str

    @property
    def where(self) -> Server:
        found = ledger_place(self.url)
        assert isinstance(found, Server)
        return found

    def open(self, stamp: str = "real") -> Ledger:
        return Ledger(self.where, stamp=stamp)

    def sql(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        return _run(self.where, statement, values)


def _run(where: Path | Server, statement: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
    engine = open_engine(where, stamp="real")
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        result = connection.execute(text(statement), values)
        return [tuple(row) for row in result] if result.returns_rows else []


def at(url: str) -> Place:
    """Return the place that a process was told."""
    return PostgresPlace(url) if "://" in url else SqlitePlace(Path(url))


@pytest.fixture
def sqlite(tmp_path: Path) -> SqlitePlace:
    """A file that is not there yet."""
    return SqlitePlace(tmp_path / "ledger.sqlite3")


@pytest.fixture
def postgresql(databases: Databases) -> Iterator[PostgresPlace]:
    """A database with the tables of a ledger."""
    with databases.fresh() as url:
        yield PostgresPlace(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> Place:
    """An empty place, once for every database."""
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def ledger(place: Place) -> Ledger:
    """A new ledger."""
    return place.open()


@pytest.fixture
def usual_umask() -> Iterator[None]:
    """Let new files be readable by everybody, unless somebody takes care."""
    before = os.umask(0o022)
    yield
    os.umask(before)


# Values


def a_quote(per_1m: str = "3.00", *, price_list: str = "openai") -> Quote:
    """Return a quote whose high cost is `per_1m` dollars, the expected one 80% and the low one 50% of it."""
    return Quote(
        dataset_tokens=Range.exactly(250_000),
        epochs=Range(2, 3, 4),
        estimated_tokens=Range(500_000, 800_000, 1_000_000),
        usd_per_1m=UsdPer1M.parse(per_1m),
        price_list=price_list,
        price_source="a page",
        effective_from=None,
        estimated_on=NOW.date(),
        examples=100,
    )


def a_submission(
    number: int = 1,
    *,
    key: str | None = None,
    at: datetime = NOW,
    per_1m: str = "3.00",
    state: State = "recorded",
    has_quote: bool = True,
    job: Job | None = None,
) -> Submission:
    """Return the submission of this number: other numbers have other ids and other keys."""
    spec = JobSpec(MINI, MINI, "gpt-4o-mini", 3, "ab" * 32, 1000)
    return Submission(
        id=new_id(at, number.to_bytes(10)),
        key=key or f"{number:064x}",
        state=state,
        profile="openai",
        account="https://api.openai.com/v1/||",
        recorded_at=at,
        spec=spec,
        quote=a_quote(per_1m) if has_quote else None,
        tags={"team": "search"},
        job=job,
    )


def a_job(
    number: int = 1,
    status: str = "running",
    *,
    created: datetime = NOW,
    finished: datetime | None = None,
    trained_tokens: int | None = None,
    **more: object,
) -> Job:
    """Return a job as the API tells it; one that ended does so an hour after it was created, unless told."""
    if finished is None and status in {"succeeded", "failed", "cancelled"}:
        finished = created + timedelta(hours=1)
    return parse_job(
        {
            "object": "fine_tuning.job",
            "id": f"ftjob-{number:04d}",
            "status": status,
            "model": MINI,
            "created_at": int(created.timestamp()),
            "finished_at": int(finished.timestamp()) if finished else None,
            "trained_tokens": trained_tokens,
            **more,
        }
    )


def created(ledger: Ledger, number: int = 1, *, at: datetime = NOW, per_1m: str = "3.00") -> Submission:
    """Return a recorded submission whose job is running."""
    submission = a_submission(number, at=at, per_1m=per_1m)
    ledger.record(submission)
    ledger.attach(submission.id, a_job(number, created=at), now=at)
    return ledger.get(submission.id)


def ended(
    ledger: Ledger,
    number: int = 1,
    *,
    at: datetime = NOW,
    finished: datetime | None = None,
    trained_tokens: int | None,
    status: str = "succeeded",
) -> Submission:
    """Return a submission whose job has been seen at its end; nothing is billed yet."""
    submission = created(ledger, number, at=at)
    end = a_job(number, status, created=at, finished=finished, trained_tokens=trained_tokens)
    ledger.see(end, now=end.finished_at or at)
    return ledger.get(submission.id)


def trail_of(ledger: Ledger, submission: Submission) -> Trail:
    """Return the submission's trail."""
    (trail,) = ledger.trails([submission.id])
    return trail


def report_of(ledger: Ledger, period: Period | None, *, as_of: datetime | None = None) -> MonthReport:
    """Return what the ledger reports of a period."""
    with ledger.listing(period, as_of=as_of) as found:
        return found.report()


ENTRY_COLUMNS = "submission_id, kind, seq, tokens, amount_nano_usd, basis, source, occurred_at, recorded_at"
VALUES = ":id, :kind, :seq, NULL, :amount, :basis, 'a person', :at, :at"
INSERT_ENTRY = f"INTO entries ({ENTRY_COLUMNS}) VALUES ({VALUES})"


def add_entry(place: Place, submission_id: str, amount: Usd, *, seq: int = 0, **more: str) -> None:
    """Write an entry behind the ledger's back, as a later version would: an adjustment, unless told."""
    values = {"kind": "adjustment", "basis": "manual", "at": "2027-06-01T18:00:00.000000Z"} | more
    place.sql(f"INSERT {INSERT_ENTRY}", id=submission_id, amount=amount.nano, seq=seq, **values)


# Other processes

_PRELUDE = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from conftest import *\n"
_PATIENCE_S = 90.0


def ready() -> None:
    """In a child: tell that everything is loaded, and wait until the parent lets go."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def tell(value: object) -> None:
    """In a child: hand a value to the parent."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


@dataclass
class Crew:
    """Python processes that share a place with the test; each gets the place's URL as sys.argv[1]."""

    url: str
    _started: list[tuple[subprocess.Popen[str], threading.Timer]] = field(default_factory=list)

    def start(self, script: str, *args: object, under: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Start a process that runs `script` with this module's names in scope, `under` another command."""
        process = subprocess.Popen(
            [*under, sys.executable, "-c", _PRELUDE + script, self.url, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        deadline = threading.Timer(_PATIENCE_S, process.kill)
        deadline.daemon = True
        deadline.start()
        self._started.append((process, deadline))
        return process

    def race(self, script: str, times: int) -> list[Any]:
        """Let `times` processes begin at the same moment; return what each told. A process that fails fails us."""
        processes = [self.start(script, number) for number in range(times)]
        for process in processes:
            assert self.hear(process) == "ready"
        for process in processes:
            self.release(process)
        told = [process.communicate()[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * times
        return [json.loads(line) for line in told]

    def hear(self, process: subprocess.Popen[str]) -> str:
        """Return the next line that the process prints; empty where it ended."""
        assert process.stdout is not None
        return process.stdout.readline().strip()

    def release(self, process: subprocess.Popen[str]) -> None:
        """Let a process that is ready go on."""
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()

    def dismiss(self) -> None:
        """Kill and collect whatever still runs."""
        for process, deadline in self._started:
            deadline.cancel()
            process.kill()
            with process:
                pass


@pytest.fixture
def crew(place: Place) -> Iterator[Crew]:
    """Other processes at the same place."""
    hired = Crew(place.url)
    yield hired
    hired.dismiss()
