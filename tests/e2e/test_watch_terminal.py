"""Watching on a terminal: it fits, gives way to Ctrl-Z, ends at Ctrl-C, and leaves the terminal as it was."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import arrivals, until
from tests.e2e.terminal import ENTER, LEAVE, Terminal, terminal

if TYPE_CHECKING:
    from tests.conftest import Person, Run, Service

Inside = Callable[..., "Run"]
IDLE = 10_000
CTRL_C, CTRL_Z = "\x03", "\x1a"


def tidy(shown: Terminal) -> bool:
    return not shown.is_live and shown.has_cursor


def test_it_follows_the_window_gives_way_to_ctrl_z_comes_back_and_ends_at_ctrl_c(
    person: Person, service: Service, inside: Inside, make_training_file: Callable[[str, int], Path]
) -> None:
    service.settings(job_seconds=1000)
    for nth in range(3):
        inside("submit", str(make_training_file(f"{nth}.jsonl", 10 + nth)), "--model", "gpt-4o-mini", "-q")
    job_ids = [job["id"] for job in reversed(service.jobs())]
    with terminal(person.command("watch"), env=person.env(), cwd=person.home) as shown:
        shown.until(lambda: any(line.startswith("as of ") for line in shown.screen))
        assert shown.is_live
        assert not shown.has_cursor
        assert [line.split()[0] for line in shown.screen[1:4]] == job_ids

        shown.resize(60, 4)
        shown.until(lambda: len(shown.screen[1].split()[0]) < len(job_ids[0]))
        assert all(len(line) <= 60 for line in shown.screen)
        assert shown.screen[1].split()[0] == job_ids[0][:14]
        assert shown.screen[2] == "and 2 more, 2 of them under way"

        shown.type(CTRL_Z)
        shown.until(lambda: "[stopped]" in shown.seen)
        assert tidy(shown)
        before = len(service.requests())
        shown.type("fg\r")
        shown.until(lambda: shown.is_live)
        until(lambda: len(service.requests()) > before)
        assert not shown.has_cursor
        assert shown.seen.rpartition("[stopped]")[2].count(ENTER) == 1

        shown.type(CTRL_C)
        shown.until(lambda: shown.exit_code is not None)
    assert shown.exit_code == 130
    assert tidy(shown)
    left = shown.seen.rpartition(LEAVE)[2]
    assert all(job_id[:14] in left for job_id in job_ids), "the last look stays"
    assert "Stopped watching; the jobs go on." in left
    assert f"`ftjobs watch {' '.join(job_ids)}`" in left


def test_ctrl_c_ends_it_at_once_though_the_service_does_not_answer(
    person: Person, service: Service, inside: Inside, training_file: Path
) -> None:
    service.settings(job_seconds=1000)
    inside("submit", str(training_file), "--model", "gpt-4o-mini")
    path = f"GET /v1/fine_tuning/jobs/{service.jobs()[0]['id']}"
    service.faults({"on": path, "do": "delay", "seconds": 200})
    with terminal(person.command("watch"), env=person.env(), cwd=person.home) as shown:
        shown.until(lambda: arrivals(service, path))
        assert any(line.startswith("asking the service") for line in shown.screen)
        began = time.monotonic()
        shown.type(CTRL_C)
        shown.until(lambda: shown.exit_code is not None)
    assert time.monotonic() - began < 90
    assert shown.exit_code == 130
    assert tidy(shown)
    assert f"`ftjobs watch {service.jobs()[0]['id']}`" in shown.seen


_PAINTER = """
import os, sys, time
from ftjobs.cli.live import Live

def paint(columns, rows):
    return [f"{columns} x {rows}", f"pid {os.getpid()}"]

with Live(paint) as live:
    while True:
        for _ in range(int(sys.argv[1])):  # a signal just before a sleep is acted on after it
            time.sleep(0.05)
        live.refresh()
"""


def painter(naps: int) -> list[str]:
    """Return a command that paints again after so many naps of 50 ms, and imports little."""
    return [sys.executable, "-c", _PAINTER, str(naps)]


def pid(shown: Terminal) -> int:
    shown.until(lambda: len(shown.screen) == 2)
    return int(shown.screen[1].split()[1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_ended_from_elsewhere_it_leaves_the_terminal_as_it_was(person: Person, number: signal.Signals) -> None:
    with terminal(painter(IDLE), env=person.env(), cwd=person.home) as shown:
        os.kill(pid(shown), number)
        shown.until(lambda: shown.exit_code is not None)
    assert shown.exit_code == -number
    assert tidy(shown)


@pytest.mark.parametrize("naps", [1, IDLE])
def test_behind_the_shell_it_writes_nothing_and_in_front_it_is_painted_at_once(person: Person, naps: int) -> None:
    with terminal(painter(naps), env=person.env(), cwd=person.home) as shown:
        command = pid(shown)
        shown.type(CTRL_Z)
        shown.until(lambda: "[stopped]" in shown.seen)
        os.kill(command, signal.SIGCONT)  # what `bg` does
        written = len(shown.seen)
        with pytest.raises(AssertionError, match="in vain"):
            shown.until(lambda: len(shown.seen) > written, within_s=0.5)
        shown.type("fg\r")
        shown.until(lambda: shown.is_live)


def test_it_is_painted_at_once_when_the_window_changes_however_often_it_was_stopped(person: Person) -> None:
    with terminal(painter(IDLE), env=person.env(), cwd=person.home) as shown:
        pid(shown)
        for columns in (70, 80, 90):
            shown.type(CTRL_Z)
            shown.until(lambda: shown.seen.endswith("[stopped]"))
            assert tidy(shown)
            shown.type("fg\r")
            shown.until(lambda: shown.is_live and not shown.has_cursor)
            shown.resize(columns, 9)
            shown.until(lambda: shown.screen[0] == f"{columns} x 9")  # noqa: B023  it is called at once


def seen_of(person: Person, *args: str) -> str:
    """Return all that a command wrote on a terminal until its end."""
    with terminal(person.command(*args), env=person.env(), cwd=person.home) as shown:
        shown.until(lambda: shown.exit_code is not None)
    return shown.seen


def test_plain_on_a_terminal_is_lines_alone_and_pictures_are_for_a_terminal_only(
    person: Person, service: Service, inside: Inside, training_file: Path
) -> None:
    service.settings(job_seconds=2)
    logged = seen_of(person, "submit", str(training_file), "--model", "gpt-4o-mini", "--plain", "-v")
    assert "submission.recorded" in logged
    watched = seen_of(person, "watch", "--plain")
    assert " succeeded, billed $" in watched
    told = seen_of(person, "--plain", "ledger", "--month")
    assert "; status succeeded; " in told
    for words in (["check", str(training_file), "--model", "gpt-4o-mini"], ["show", "last"], ["results", "last"]):
        assert set("█⠒") & set(seen_of(person, *words)), words
        piped = inside(*words)
        assert (piped.code, set("█⠒") & set(piped.out)) == (0, set()), words
    drawn = seen_of(person, "ledger", "--month")
    assert ["█" in each for each in (watched, told, drawn)] == [False, False, True]
    assert "\x1b" not in logged + watched + told + drawn
    assert "per day" not in inside("ledger", "--month").out
