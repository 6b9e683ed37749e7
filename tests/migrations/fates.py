"""Children that open a ledger and meet their fate: killed at a statement, a step or a byte, or out of room."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import alembic.command  # noqa: F401 - what a command imports late is here before the fork
from sqlalchemy import Engine, event

import ftjobs.cli.ledger
import ftjobs.ledger.orphans
import ftjobs.ledger.store
import ftjobs.reports.month  # noqa: F401
from ftjobs.cli.main import main
from tests.migrations.released import backups

# Nothing in the month: what a command prints there is not what is tested.
QUIET = ("ledger", "1999", "--json")

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])
Fate = Callable[[Path, int], None]
_PATIENCE_S = 240


@dataclass(frozen=True)
class Ended:
    """A command that ended, by a signal where `code` is negative."""

    code: int
    out: bytes

    @property
    def json(self) -> Any:
        """The one JSON object on stdout."""
        return json.loads(self.out)


def command_in_child(path: Path, *args: str, fate: Fate | None = None, number: int = 0) -> Ended:
    """Run `ftjobs ARGS` on the ledger in a process of its own that meets this fate."""
    (ended,) = commands_at_once(path, *args, times=1, fate=fate, number=number)
    return ended


def commands_at_once(path: Path, *args: str, times: int, fate: Fate | None = None, number: int = 0) -> list[Ended]:
    """Run `ftjobs ARGS` on the ledger in so many processes that begin at the same moment."""
    order = _Order(path, args, fate, number)
    barrier = _FORKS.Barrier(times)
    started = []
    for _ in range(times):
        receiver, sender = _FORKS.Pipe(duplex=False)
        process = _FORKS.Process(target=order.carry_out, args=(sender, barrier), daemon=True)
        process.start()
        sender.close()
        started.append((process, receiver))
    ended = []
    for process, receiver in started:
        with receiver, os.fdopen(os.dup(receiver.fileno()), "rb") as told:
            out = told.read()
        process.join(_PATIENCE_S)
        assert process.exitcode is not None, "it hung"
        ended.append(Ended(process.exitcode, out))
    return ended


@dataclass(frozen=True)
class _Order:
    """A command for a child, in the shell of the test."""

    path: Path
    args: tuple[str, ...]
    fate: Fate | None
    number: int
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def carry_out(self, sender: Connection, barrier: Barrier) -> None:
        """In the child: meet the fate on the way through the command."""
        os.environ.clear()
        os.environ.update(self.environ)
        os.umask(0o022)
        # A pipe, since a limit on the size of files must not concern what is printed.
        os.dup2(sender.fileno(), 1)
        sender.close()
        if self.fate is not None:
            self.fate(self.path, self.number)
        barrier.wait(_PATIENCE_S)
        signal.alarm(_PATIENCE_S)  # whoever waits for more output than this waits in vain
        code = main([*self.args, "--ledger", f"sqlite:///{self.path}"])
        sys.stdout.flush()
        os._exit(code)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at_statement(path: Path, number: int) -> None:
    """Die at this statement after the backup. Changed pages are spilled at once: the file is half changed."""
    seen = 0

    def spill(connection: Any, record: object) -> None:
        connection.execute("PRAGMA cache_size=1")
        connection.execute("PRAGMA cache_spill=1")

    def count(*_: object) -> None:
        nonlocal seen
        seen += bool(backups(path))
        if seen == number:
            _die()

    event.listen(Engine, "connect", spill)
    event.listen(Engine, "after_cursor_execute", count)


def killed_at_step(path: Path, number: int) -> None:
    """Die just before this opening, renaming or removing of a backup."""
    seen = 0

    def hook(name: str, args: tuple[object, ...]) -> None:
        nonlocal seen
        if name in {"open", "os.rename", "os.remove", "sqlite3.connect"} and f"{path.name}.before-" in str(
            args[0]
        ):
            seen += 1
            if seen == number:
                _die()

    sys.addaudithook(hook)


def killed_at_byte(path: Path, number: int) -> None:
    """Die when any file grows beyond this many bytes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (number, number))


def disk_full_at_byte(path: Path, number: int) -> None:
    """Write nothing beyond this many bytes of any file, from the beginning."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (number, number))


def disk_full_after_the_backup(path: Path, number: int) -> None:
    """Write nothing beyond this many bytes of any file, once the backup gets its name."""

    def hook(name: str, args: tuple[object, ...]) -> None:
        if name in {"os.rename", "os.link"}:
            disk_full_at_byte(path, number)

    sys.addaudithook(hook)


def witnessed(path: Path, number: int) -> None:
    """Write down each backup that gets its name and each change of the revision."""
    file = os.open(path.with_name("witness"), os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    def hook(name: str, args: tuple[object, ...]) -> None:
        if name in {"os.rename", "os.link"} and ".before-" in str(args[0]):
            os.write(file, b"backed up\n")

    def watch(conn: object, cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE alembic_version"):
            os.write(file, b"migrated\n")

    sys.addaudithook(hook)
    event.listen(Engine, "after_cursor_execute", watch)


def beside_a_writer(path: Path, number: int) -> None:
    """As the backup begins, let another process half change the file, and take that back a little later."""
    met = False

    def hook(name: str, args: tuple[object, ...]) -> None:
        nonlocal met
        if met or name != "open" or ".before-" not in str(args[0]):
            return
        met = True
        begun, begins = os.pipe()
        before = path.read_bytes()
        if os.fork() == 0:
            _half_change(path, begins)
        os.read(begun, 1)
        if path.read_bytes() == before:
            os._exit(99)  # there was nothing that a backup could get wrong

    sys.addaudithook(hook)


def _half_change(path: Path, begins: int) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA cache_size=1")
    connection.execute("PRAGMA cache_spill=1")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE files SET account = 'half', sha256 = 'changed'")
    os.write(begins, b".")
    time.sleep(0.3)  # a backup that does not wait for us is done by then, and torn
    connection.execute("ROLLBACK")
    os._exit(0)
