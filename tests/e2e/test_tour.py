"""The tour keeps the five promises, touches nothing of the user's, and leaves nothing behind, however it ends."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from ftjobs.cli import tour as the_tour
from ftjobs.cli.main import main
from ftjobs.cli.tour import STEPS, Step
from ftjobs.sandbox.state import SandboxState
from tests.conftest import Person

# A user with a key, a ledger and settings of their own: none of it may matter.
A_REAL_ONE = {
    "OPENAI_API_KEY": "sk-real-0123456789",
    "FTJOBS_PROFILE": "openai",
    "FTJOBS_BUDGET__MONTHLY_USD": "0",
}


@pytest.fixture
def temporary(person: Person) -> Path:
    """The folder in which the person's programs make temporary files."""
    folder = person.home / "temporary"
    folder.mkdir()
    return folder


@pytest.mark.slow
def test_every_promise_is_kept_and_nothing_of_the_users_is_touched(person: Person, temporary: Path) -> None:
    told = person.run("sandbox", TMPDIR=str(temporary), **A_REAL_ONE)
    assert told.code == 0, told
    assert [line[2:] for line in told.out.splitlines() if line.startswith("$ ")][1:] == [s.command for s in STEPS]
    assert "\x1b" not in told.out + told.err
    assert told.out.count(" exists already (") == 2
    assert " created (" not in told.out
    assert "3 submits, one of them killed and one without a ledger: 1 job at the service." in told.out
    before, lost = (part.partition("billed $")[2][:6] for part in told.out.split("$ ftjobs ledger --month")[1:])
    assert before == lost > "0.0"
    assert "--max-cost" in told.out.splitlines()[-2]
    assert [each.name for each in person.home.iterdir()] == [temporary.name]
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_it_leaves_nothing(person: Person, temporary: Path, number: signal.Signals) -> None:
    process = person.start("sandbox", TMPDIR=str(temporary))
    assert process.stdout
    for line in process.stdout:
        if line.startswith("$ ftjobs estimate"):
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "error: The tour was stopped" in err
    assert "Traceback" not in err
    assert list(temporary.iterdir()) == []


def test_whoever_stops_reading_is_told_nothing(person: Person, temporary: Path) -> None:
    process = person.start("sandbox", TMPDIR=str(temporary))
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, "")
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("asked", [[], ["--json"]])
def test_a_command_that_does_not_do_what_it_should_fails_the_tour(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(the_tour, "STEPS", (Step("ftjobs prices no-such-model", "Wrong."), Step("rm never")))
    assert main(["sandbox", *asked]) == 1
    out, err = capfd.readouterr()
    assert "ended with exit code 2 where 0 was due" in (out if asked else err)
    assert "rm never" not in out
    if asked:
        told = json.loads(out)
        assert told["code"] == "tour_failed"
        assert "no-such-model" in told["details"]["printed"]


def test_a_second_job_fails_the_tour(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(the_tour, "STEPS", (Step("rm support.jsonl"),))
    monkeypatch.setattr(SandboxState, "jobs", lambda _self: (["one", "two"], False))
    assert main(["sandbox"]) == 1
    assert "made 2 jobs" in capfd.readouterr().err
