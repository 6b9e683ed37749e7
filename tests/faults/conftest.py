"""People whose commands are forks: a fault, a moment or a neighbour each costs a fraction of a second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.conftest import Person, Run, Service
from tests.e2e.conftest import MODEL, Book
from tests.forks import Command, Forks, forking


@dataclass(frozen=True)
class Desk:
    """A person at one machine, with one training file."""

    forks: Forks
    person: Person
    data: Path

    @property
    def book(self) -> Book:
        """The ledger of this machine."""
        return Book(self.person.home / "data" / "ftjobs" / "ledger.sqlite3")

    def elsewhere(self, name: str) -> Desk:
        """Return the same person at another machine: same account and file, a ledger of its own."""
        home = self.person.home.with_name(name)
        home.mkdir(exist_ok=True)
        return replace(self, person=Person(home, self.person.environ))

    def start(self, *args: str, **env: str) -> Command:
        """Start `ftjobs ARGS --json`."""
        return self.forks.start(self.person, *args, "--json", **env)

    def run(self, *args: str, **env: str) -> Run:
        """Run `ftjobs ARGS --json` to its end."""
        return self.start(*args, **env).end()

    def start_submit(self, *more: str, **env: str) -> Command:
        """Start `ftjobs submit` on the training file."""
        return self.start("submit", str(self.data), "--model", MODEL, *more, **env)

    def submit(self, *more: str, **env: str) -> Run:
        """Run `ftjobs submit` on the training file to its end."""
        return self.start_submit(*more, **env).end()


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Commands as forks of one process."""
    with forking(tmp_path_factory.mktemp("forks") / "printed") as served:
        yield served


@pytest.fixture
def desk(forks: Forks, service: Service, person: Person, training_file: Path) -> Desk:
    """A person in front of the service; files are ready and jobs end within a blink."""
    service.settings(job_seconds=0.3, file_seconds=0)
    return Desk(forks, replace(person, environ={**person.environ, "FTJOBS_SETTLE_S": "0.2"}), training_file)
