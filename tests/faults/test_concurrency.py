"""Sixteen processes on one ledger: one job for one content, and nobody hears of a locked database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import CREATE, Run, Service
from tests.e2e.conftest import MODEL, UPLOAD, arrivals, creates, until
from tests.faults.aftermath import assert_paid_once
from tests.faults.conftest import Desk
from tests.forks import forking

PROCESSES = 16


def assert_no_trouble(ended: list[Run]) -> None:
    assert [run.code for run in ended] == [0] * len(ended), [run.out + run.err for run in ended]
    assert [run.err for run in ended if "locked" in run.err or "busy" in run.err] == []


@pytest.mark.parametrize("ledger_exists", [True, False])
def test_sixteen_submits_of_one_file_make_one_job(ledger_exists: bool, service: Service, desk: Desk) -> None:
    if ledger_exists:
        assert desk.run("ledger").code == 0
    # The first to get there stays in the create call until all others have arrived.
    service.faults({"on": CREATE, "do": "delay", "seconds": 2, "when": "after"})
    started = [desk.start_submit() for _ in range(PROCESSES)]
    ended = [command.end() for command in started]

    assert_no_trouble(ended)
    assert Counter(run.json["reused"] for run in ended) == {False: 1, True: PROCESSES - 1}
    assert len({(run.json["submission_id"], run.json["job_id"]) for run in ended}) == 1
    assert len(arrivals(service, UPLOAD)) == creates(service) == len(desk.book.entries()) == 1
    assert_paid_once(service, desk)


def test_sixteen_submits_of_different_files_make_a_job_each(
    service: Service, desk: Desk, make_training_file: Callable[[str, int], Path]
) -> None:
    files = [make_training_file(f"{nth}.jsonl", 10 + nth) for nth in range(PROCESSES)]
    started = [desk.start("submit", str(file), "--model", MODEL) for file in files]
    ended = [command.end() for command in started]

    assert_no_trouble(ended)
    assert {run.json["reused"] for run in ended} == {False}
    assert creates(service) == PROCESSES
    assert_paid_once(service, desk, jobs=PROCESSES)


def test_sixteen_processes_that_sync_the_same_jobs_bill_each_once(
    service: Service, desk: Desk, make_training_file: Callable[[str, int], Path]
) -> None:
    for nth in range(3):
        assert desk.run("submit", str(make_training_file(f"{nth}.jsonl", 10 + nth)), "--model", MODEL).code == 0
    commands = [("watch",), ("status",), ("ledger", "--month")]
    started = [desk.start(*commands[nth % len(commands)]) for nth in range(PROCESSES)]
    ended = [command.end() for command in started]

    assert [run.code for run in ended] == [0] * PROCESSES, [run.out + run.err for run in ended]
    assert_paid_once(service, desk, jobs=3)


def test_while_sixteen_submit_a_seventeenth_that_writes_for_long_only_makes_them_wait(
    service: Service, desk: Desk, make_training_file: Callable[[str, int], Path]
) -> None:
    """A second writer, as a backup or another program would be."""
    assert desk.run("ledger").code == 0
    files = [make_training_file(f"{nth}.jsonl", 10 + nth) for nth in range(PROCESSES)]
    with desk.book.writing():
        started = [desk.start("submit", str(file), "--model", MODEL) for file in files]
        until(lambda: all("estimate" in command.told() for command in started))  # what comes next is recording
        assert desk.book.submissions() == []
    ended = [command.end() for command in started]

    assert_no_trouble(ended)
    assert_paid_once(service, desk, jobs=PROCESSES)


# Each process notes how long it waited for the write lock of the database.
_TIMED = """
import time
import ftjobs.ledger.engine as engine

def timed(connection, really=engine._on_begin):
    began = time.monotonic()
    really(connection)
    with open(WAITS, "a") as file:
        file.write(f"{time.monotonic() - began}\\n")

engine._on_begin = timed
"""


@pytest.mark.soak
def test_the_longest_wait_for_the_ledger_stays_far_below_the_busy_timeout(
    service: Service, desk: Desk, tmp_path: Path, make_training_file: Callable[[str, int], Path]
) -> None:
    waits = tmp_path / "waits"
    assert desk.run("ledger").code == 0
    files = [make_training_file(f"{nth}.jsonl", 10 + nth) for nth in range(PROCESSES)]
    with forking(tmp_path / "timed", prelude=f"WAITS = {str(waits)!r}\n{_TIMED}") as timed:
        timing = replace(desk, forks=timed)
        ended = [each.end() for each in [timing.start("submit", str(file), "--model", MODEL) for file in files]]

    assert_no_trouble(ended)
    waited_s = [float(line) for line in waits.read_text().splitlines()]
    print(f"{len(waited_s)} transactions, the longest wait for one was {max(waited_s):.2f} s")
    assert len(waited_s) > PROCESSES
    assert max(waited_s) < 10
