"""A submission's lock is the kernel's: it dies with its process, and a second process waits."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from ftjobs.errors import LedgerError
from ftjobs.ledger.locks import submission_lock, submission_lock_if_free
from ftjobs.ledger.place import Server
from tests.contract.conftest import Crew, Place

ID = "01J00000000000000000000000"
HOLD = f"""
from ftjobs.ledger.locks import submission_lock
with submission_lock(at(sys.argv[1]).where, "{ID}", on_wait=lambda: tell("waiting")):
    tell("held")
    sys.stdin.readline()
tell("let go")
"""


def is_free(ledger: Path | Server) -> bool:
    with submission_lock_if_free(ledger, ID) as free:
        return free


def test_a_second_process_says_that_it_waits_and_goes_on_when_the_first_is_killed(
    place: Place, crew: Crew
) -> None:
    first, second = crew.start(HOLD), None
    assert crew.hear(first) == '"held"'
    assert not is_free(place.where)
    second = crew.start(HOLD)
    assert crew.hear(second) == '"waiting"'
    first.kill()
    assert crew.hear(second) == '"held"'
    assert not is_free(place.where)
    crew.release(second)
    assert crew.hear(second) == '"let go"'
    assert second.wait() == 0
    assert is_free(place.where)


def test_a_second_process_goes_on_when_the_first_is_done(place: Place, crew: Crew) -> None:
    first, second = crew.start(HOLD), crew.start(HOLD)
    heard = {crew.hear(first), crew.hear(second)}
    assert heard == {'"held"', '"waiting"'}
    for process in (first, second):
        crew.release(process)
    assert first.wait() == second.wait() == 0


def test_another_submission_is_not_waited_for(place: Place, crew: Crew) -> None:
    first = crew.start(HOLD)
    assert crew.hear(first) == '"held"'
    waits: list[str] = []
    with submission_lock(place.where, "01JANOTHER", on_wait=lambda: waits.append("waited")):
        assert waits == []


def test_threads_of_one_process_exclude_each_other_too(place: Place) -> None:
    waits, done = threading.Event(), threading.Event()

    def second() -> None:
        with submission_lock(place.where, ID, on_wait=waits.set):
            done.set()

    with submission_lock(place.where, ID):
        assert not is_free(place.where)
        worker = threading.Thread(target=second)
        worker.start()
        assert waits.wait(120)
        assert not done.is_set()
    worker.join(10)
    assert done.is_set()


def test_an_error_inside_lets_the_lock_go(place: Place) -> None:
    with pytest.raises(KeyError), submission_lock(place.where, ID):
        raise KeyError
    assert is_free(place.where)


def test_locks_beside_a_file_are_private(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    with submission_lock(path, ID):
        folder = path.with_name("ledger.sqlite3.locks")
        (lock,) = folder.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600


def test_a_folder_that_cannot_hold_locks_is_a_ledger_error(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    path.with_name("ledger.sqlite3.locks").write_text("in the way")
    with pytest.raises(LedgerError) as refused, submission_lock(path, ID):
        raise AssertionError("locked nothing")
    assert refused.value.code == "ledger_unavailable"
    with pytest.raises(LedgerError):
        is_free(path)
