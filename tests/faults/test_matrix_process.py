"""At every point the process is struck, its disk fails or the world moves on: still paid once, nothing lost.

Linux only, as the faults are: /proc, limits of a running process, a small disk of its own.
"""

from __future__ import annotations

import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from alembic import command as alembic
from alembic.config import Config

from ftjobs.failpoints import POINTS
from tests.conftest import ROOT, Run, Service
from tests.e2e.conftest import MODEL, until
from tests.faults.aftermath import assert_paid_once, entries_lost, finish, missing
from tests.faults.conftest import Desk
from tests.faults.grid import Cell, cells, flaws, parameters
from tests.faults.process import BILLED, GRID, OUTCOMES, REASONS, SIGNALLED, STAGES, Stage, expected
from tests.forks import Command, Forks, forking

OTHER_ACCOUNT: Final = {"OPENAI_PROJECT_ID": "proj_other"}
# A page: what is printed and noted fits, the ledger's journal does not.
A_FILE_AT_MOST: Final = 4096
# So often does nobody sleep between two requests, unless in turns with looking whether a lock is free.
MANY_NAPS: Final = 100

Entries = list[dict[str, Any]]


@dataclass(frozen=True)
class Scene:
    """A command that is stopped at a point, and the world around it."""

    cell: Cell
    service: Service
    desk: Desk
    args: tuple[str, ...]
    command: Command

    def goes_on(self) -> Run:
        """Let the command go on; return what it comes to."""
        self.command.go_on()
        return self.command.end()

    def start_again(self, desk: Desk) -> Command:
        """Start the same command at a desk."""
        return desk.start(*self.args)


def seen(service: Service, desk: Desk) -> Stage:
    """Return what there is now."""
    states = tuple(row["state"] for row in desk.book.submissions()) if has_content(desk) else ()
    return Stage(len(service.jobs()), states, tuple(entry["kind"] for entry in entries_of(desk)))


def entries_of(desk: Desk) -> Entries:
    """Return the entries in the ledger, none where it is a new file."""
    return desk.book.entries() if has_content(desk) else []


def has_content(desk: Desk) -> bool:
    """Return whether there is more than nothing, or an empty file, where the ledger is."""
    return desk.book.path.exists() and desk.book.path.stat().st_size > 0


# What is done to a stopped command; each returns what the command came to.


def _kill(scene: Scene) -> Run:
    scene.command.kill()
    return scene.command.end()


def _signal(number: signal.Signals) -> Callable[[Scene], Run]:
    def send(scene: Scene) -> Run:
        scene.command.signal(number)
        return scene.goes_on()

    return send


def _disk_full(scene: Scene) -> Run:
    filler = scene.desk.book.path.with_name("filler")
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(4096))
    ended = scene.goes_on()
    filler.unlink()
    return ended


def _file_limit(scene: Scene) -> Run:
    """SQLite calls it a disk I/O error, so this stands for a disk that fails, too."""
    resource.prlimit(scene.command.pid, resource.RLIMIT_FSIZE, (A_FILE_AT_MOST, A_FILE_AT_MOST))
    return scene.goes_on()


def _read_only(scene: Scene) -> Run:
    path = scene.desk.book.path
    path.chmod(0o400)
    path.parent.chmod(0o500)
    ended = scene.goes_on()
    path.parent.chmod(0o700)
    path.chmod(0o600)
    return ended


def _busy(scene: Scene) -> Run:
    with scene.desk.book.writing():
        scene.command.go_on()
        time.sleep(1)  # the fault itself: so long does the other program write
    return scene.command.end()


def _busy_for_good(scene: Scene) -> Run:
    with scene.desk.book.writing():
        return scene.goes_on()


def _neighbour(scene: Scene) -> Run:
    neighbour = scene.start_again(scene.desk)
    asked, naps = -1, 0

    def waits() -> bool:
        nonlocal asked, naps
        if asked != (asked := len(scene.service.requests())):
            naps = _naps(neighbour)
        return "another process" in neighbour.told() or _naps(neighbour) - naps > MANY_NAPS

    until(lambda: _has_ended(neighbour) or waits())
    assert _has_ended(neighbour) == (scene.cell.word == "found")
    ended = scene.goes_on()
    follower = neighbour.end()
    assert follower.code == 0, follower.out + follower.err
    if scene.args[0] == "submit":
        assert [job["id"] for job in scene.service.jobs()] == [follower.json["job_id"]] == [ended.json["job_id"]]
    return ended


def _other_machine(scene: Scene) -> Run:
    there = scene.start_again(scene.desk.elsewhere("b")).end()
    assert there.code == 0, there.out + there.err
    return scene.goes_on()


def _ledger_gone(scene: Scene) -> Run:
    scene.desk.book.path.unlink()
    return scene.goes_on()


def _has_ended(command: Command) -> bool:
    return Path(f"/proc/{command.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def _naps(command: Command) -> int:
    """Return how often a process went to sleep: whoever waits for a lock does so again and again."""
    lines = Path(f"/proc/{command.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


FAULTS: Final[dict[str, Callable[[Scene], Run]]] = {
    "kill": _kill,
    "term": _signal(signal.SIGTERM),
    "int": _signal(signal.SIGINT),
    "hup": _signal(signal.SIGHUP),
    "disk-full": _disk_full,
    "file-limit": _file_limit,
    "read-only": _read_only,
    "busy": _busy,
    "busy-for-good": _busy_for_good,
    "neighbour": _neighbour,
    "clock-back": _kill,
    "clock-on": _kill,
    "other-machine": _other_machine,
    "other-account": _kill,
    "ledger-gone": _ledger_gone,
}


def _kill_if_running(command: Command) -> None:
    if command.code is None:
        command.kill()


# No capabilities at all: permissions count, even where the tests run as root.
UNPRIVILEGED: Final = """
import ctypes
assert ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()) == 0
"""
CLOCK: Final = """
import datetime, time_machine
time_machine.travel(datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours={}), tick=True).start()
"""
PRELUDES: Final = {
    "read-only": UNPRIVILEGED,
    "clock-back": CLOCK.format(-1),
    "clock-on": CLOCK.format(1),
    "usual umask": "import os\nos.umask(0o022)\n",
}

ForksFor = Callable[[str], Forks]


@pytest.fixture(scope="session")
def forks_for(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForksFor]:
    """Forks that are what a fault needs them to be, each server started when it is first asked for."""
    with ExitStack() as stack:
        yield cache(
            lambda fault: stack.enter_context(forking(tmp_path_factory.mktemp(fault), prelude=PRELUDES[fault]))
        )


@pytest.fixture(scope="session")
def first_schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty ledger of the first schema."""
    path = tmp_path_factory.mktemp("first schema") / "ledger.sqlite3"
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    with pytest.MonkeyPatch.context() as shell:
        shell.setenv("FTJOBS_LEDGER_URL", f"sqlite:///{path}")
        alembic.upgrade(config, "0001")
    return path


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk of half a megabyte at a folder."""
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "ftjobs-tests", folder],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a disk of its own needs root and mount: {mounted.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def as_of_the_first_schema(path: Path, first_schema: Path) -> None:
    """Put a ledger's rows into one of the first schema, which takes its place."""
    old = path.with_name("old")
    shutil.copy(first_schema, old)
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("ATTACH ? AS new", [str(path)])
        for table in ("stamps", "submissions", "jobs", "files", "entries"):
            columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA main.table_info({table})"))
            connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}")
        connection.commit()
    old.chmod(0o600)
    old.replace(path)


@pytest.fixture
def scenes(
    service: Service, desk: Desk, forks_for: ForksFor, first_schema: Path
) -> Iterator[Callable[[Cell], Scene]]:
    """Stop a command at a point, where a fault can be had."""
    with ExitStack() as stack:

        def stop(cell: Cell) -> Scene:
            at, point = desk, cell.point
            if cell.fault == "disk-full":
                stack.enter_context(small_disk(desk.book.path.parent))
            elif cell.fault == "read-only":
                at = replace(desk, forks=forks_for(cell.fault))
            args: tuple[str, ...] = ("submit", str(desk.data), "--model", MODEL)
            if point == "file.waiting":
                service.settings(file_seconds=0.3)
            elif point.startswith(("sync.", "bill.", "ledger.")):
                assert at.run(*args).code == 0
                until(lambda: service.jobs()[0]["finished_at"])
                if point.startswith("ledger."):
                    as_of_the_first_schema(at.book.path, first_schema)
                else:
                    args = ("status",)
            command = at.start(*args, FTJOBS_FAILPOINT=f"{point}:stop")
            stack.callback(_kill_if_running, command)
            assert command.is_stopped()
            return Scene(cell, service, at, args, command)

        yield stop


def _afterwards(scene: Scene, before: Entries, forks_for: ForksFor) -> None:
    """Do what a patient user does; AssertionError unless all is paid once and nothing of `before` is lost."""
    match scene.cell.fault:
        case "other-account":
            _end_in_two_accounts(scene, before)
        case "other-machine":
            _end_on_two_machines(scene, before)
        case fault:
            is_off = fault in {"clock-back", "clock-on"}
            desk = replace(scene.desk, forks=forks_for(fault)) if is_off else scene.desk
            finish(desk)
            assert_paid_once(scene.service, desk, before=before)
            if fault != "ledger-gone":  # it went on with what there was, rather than anew
                assert seen(scene.service, desk) == BILLED


def _end_in_two_accounts(scene: Scene, before: Entries) -> None:
    service, desk = scene.service, scene.desk
    is_open = [entry["kind"] for entry in before] == ["estimate"]  # and not billed
    there = desk.submit(**OTHER_ACCOUNT)
    assert (there.code, there.json["reused"]) == (0, False), there.out + there.err
    until(lambda: all(job["finished_at"] for job in service.jobs()))
    told = desk.run("status", **OTHER_ACCOUNT)
    assert (told.code, told.json.get("code")) == ((3, "other_account") if is_open else (0, None))
    assert finish(desk)[-1].json["job_id"] != there.json["job_id"]
    assert_paid_once(service, desk, jobs=2, before=before)


def _end_on_two_machines(scene: Scene, before: Entries) -> None:
    service, desks = scene.service, [scene.desk, scene.desk.elsewhere("b")]
    answered = [finish(desk)[-1].json["job_id"] for desk in desks]
    assert set(answered) == {job["id"] for job in service.jobs()}
    if scene.cell.word != "twice":
        for desk in desks:
            assert_paid_once(service, desk, before=before if desk is scene.desk else None)
        return
    until(lambda: all(job["finished_at"] for job in service.jobs()))
    for desk, job_id in zip(desks, answered, strict=True):
        assert desk.run("status", "--all").code == 0
        assert desk.book.job_ids() == [job_id]
        assert seen(service, desk) == Stage(2, ("created",), ("estimate", "billed"))
    assert entries_lost(scene.desk.book, before) == []


@pytest.mark.parametrize("cell", list(parameters(GRID)))
def test_a_command_comes_to_what_the_table_says_and_all_is_paid_once(
    cell: Cell, scenes: Callable[[Cell], Scene], service: Service, forks_for: ForksFor
) -> None:
    scene, outcome = scenes(cell), OUTCOMES[cell.word]
    assert seen(service, scene.desk) == STAGES[cell.point][0]
    before = scene.desk.book.entries()

    ended = FAULTS[cell.fault](scene)

    code, error = SIGNALLED[cell.fault] if outcome.code is None else (outcome.code, outcome.error)
    assert ended.code == code, ended.out + ended.err
    assert seen(service, scene.desk) == expected(cell.point, outcome)
    assert "Traceback" not in ended.err
    if code > 0:
        assert ended.json["code"] == error
        assert_two_lines(ended)
    orphans = scene.desk.book.path.with_name("ledger.sqlite3.orphans.jsonl")
    if error == "job_not_recorded":
        (job,) = service.jobs()
        assert job["id"] in ended.json["message"]
        assert (orphans.exists() and job["id"] in orphans.read_text()) == outcome.is_noted
        assert (str(orphans) in ended.json["next_step"]) == outcome.is_noted

    after = entries_of(scene.desk)
    assert cell.fault == "ledger-gone" or missing(before, after) == []
    _afterwards(scene, after, forks_for)
    assert not orphans.exists()


def assert_two_lines(failed: Run) -> None:
    """AssertionError unless a failure says in a line what happened, and in another what to do."""
    lines = [failed.json["message"], failed.json["next_step"]]
    assert [line for line in lines if len(line) < 10 or "\n" in line] == []
    assert "has a bug" not in failed.out + failed.err


def test_the_table_names_every_point_and_every_fault_once() -> None:
    found = flaws(GRID, points=set(POINTS), faults=set(FAULTS), outcomes=set(OUTCOMES), reasons=REASONS)
    assert found == []
    assert list(dict.fromkeys(cell.point for cell in cells(GRID))) == list(POINTS)


def test_a_ledger_that_is_deleted_under_a_command_comes_back_as_private_as_it_was(
    desk: Desk, forks_for: ForksFor
) -> None:
    at = replace(desk, forks=forks_for("usual umask"))
    submitting = at.start_submit(FTJOBS_FAILPOINT="lookup.done:stop")
    assert submitting.is_stopped()
    at.book.path.unlink()
    submitting.go_on()
    assert submitting.end().code == 12
    finish(at)
    assert stat.S_IMODE(at.book.path.stat().st_mode) == 0o600
