"""A shell in front of a misbehaving service, and the ledger as plain SQLite sees it."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CREATE, Person, Run, Service
from tests.forks import Forks, forking

LISTS = "GET /v1/fine_tuning/jobs"
UPLOAD = "POST /v1/files"
MODEL = "gpt-4o-mini"


def until(holds: Callable[[], object], *, within_s: float = 120) -> None:
    """Return once `holds` is true; AssertionError after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"waited {within_s:g} s in vain"
        time.sleep(0.05)


def arrivals(service: Service, target: str) -> list[dict[str, Any]]:
    """Return the requests that arrived for a method and path, oldest first."""
    return [each for each in service.requests() if f"{each['method']} {each['path']}" == target]


def creates(service: Service) -> int:
    """Return how many create requests arrived, whatever became of them."""
    return len(arrivals(service, CREATE))


@dataclass(frozen=True)
class Book:
    """A ledger file, read without a line of the product's code."""

    path: Path

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Return what a query finds; nothing where there is no ledger yet."""
        if not self.path.exists():
            return []
        with closing(sqlite3.connect(self.path, timeout=60)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]

    def run(self, statement: str) -> None:
        """Execute a statement and commit it."""
        with closing(sqlite3.connect(self.path, timeout=60)) as connection, connection:
            connection.execute(statement)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the ledger's write lock for the length of the block, as another program would."""
        with closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")

    def submissions(self) -> list[dict[str, Any]]:
        """Return the submissions with their `job_id`, in the order in which they were recorded."""
        return self.rows(
            "SELECT s.*, j.id AS job_id FROM submissions s LEFT JOIN jobs j ON j.submission_id = s.id"
            " ORDER BY s.rowid"
        )

    def entries(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the entries of these kinds, oldest first."""
        found = self.rows("SELECT * FROM entries ORDER BY id")
        return [entry for entry in found if not kinds or entry["kind"] in kinds]

    def standing_estimates(self) -> list[dict[str, Any]]:
        """Return the estimate entries that were not taken back."""
        voided = {entry["submission_id"] for entry in self.entries("void")}
        return [entry for entry in self.entries("estimate") if entry["submission_id"] not in voided]

    def job_ids(self) -> list[str]:
        """Return the ids of the recorded jobs, sorted."""
        return [row["id"] for row in self.rows("SELECT id FROM jobs ORDER BY id")]


@dataclass(frozen=True)
class Shell:
    """A person at work on one training file; no command of theirs ever prints the API key."""

    person: Person
    data: Path
    forks: Forks
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def book(self) -> Book:
        """The ledger that these commands write."""
        return Book(self.person.home / "data" / "ftjobs" / "ledger.sqlite3")

    def on(self, data: Path) -> Shell:
        """Return the same shell with another training file."""
        return replace(self, data=data)

    def run(self, *args: str, **env: str) -> Run:
        """Run `ftjobs ARGS` to its end."""
        return self._keyless(self.forks.run(self.person, *args, **env))

    def submit(self, *more: str, **env: str) -> Run:
        """Run `ftjobs submit` on the training file to its end, with --json."""
        return self.run(*self._submit(*more), **env)

    def start(self, *args: str, **env: str) -> subprocess.Popen[str]:
        """Start `ftjobs ARGS`."""
        process = self.person.start(*args, **env)
        self.started.append(process)
        return process

    def start_submit(self, *more: str, **env: str) -> subprocess.Popen[str]:
        """Start `ftjobs submit` on the training file, with --json."""
        return self.start(*self._submit(*more), **env)

    def end(self, process: subprocess.Popen[str]) -> Run:
        """Return what a started command came to, once it has ended by itself or by a signal."""
        out, err = process.communicate(timeout=120)
        return self._keyless(Run(process.returncode, out, err))

    def kill(self, process: subprocess.Popen[str]) -> None:
        """Kill a started command, which must still be running."""
        assert process.poll() is None, "it ended before it could be killed"
        process.kill()
        self.end(process)

    def resend(self, submission_id: str, **env: str) -> Run:
        """Run `ftjobs submit --resend` to its end, with --json."""
        return self.run("submit", "--resend", submission_id, "--json", **env)

    def status(self) -> list[dict[str, Any]]:
        """Run `ftjobs status --all` and return its jobs."""
        told = self.run("status", "--all", "--json")
        assert told.code == 0, told.err
        jobs: list[dict[str, Any]] = told.json["jobs"]
        return jobs

    def _submit(self, *more: str) -> list[str]:
        return ["submit", str(self.data), "--model", MODEL, "--json", *more]

    def _keyless(self, ran: Run) -> Run:
        assert self.person.environ["OPENAI_API_KEY"] not in ran.out + ran.err
        return ran


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Commands as processes of their own that need not import everything again."""
    with forking(tmp_path_factory.mktemp("forks")) as served:
        yield served


@dataclass(frozen=True)
class Hasty(Person):
    """Somebody whose commands are forks, but where standard input matters or what is read on import."""

    forks: Forks = field(kw_only=True, repr=False)

    def run(self, *args: str, stdin: str | None = None, **env: str) -> Run:
        """Run `ftjobs ARGS` to its end."""
        if stdin is not None or env.keys() & {"PYTHONPATH", "OPENAI_LOG"}:
            return super().run(*args, stdin=stdin, **env)
        return self.forks.run(self, *args, **env)


@pytest.fixture
def person(person: Person, forks: Forks) -> Person:
    """A user whose shell points at the service, with quick polls; how they start up is tested by `start_up`."""
    return Hasty(person.home, person.environ, forks=forks)


@pytest.fixture
def shell(person: Person, training_file: Path, forks: Forks) -> Iterator[Shell]:
    """A shell that points at the service; what is still running at the end of the test is killed."""
    shell = Shell(person, training_file, forks)
    yield shell
    for process in shell.started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def book(shell: Shell) -> Book:
    """The ledger of the shell."""
    return shell.book
