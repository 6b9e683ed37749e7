"""`results`: what a job left, on this machine; and its program runs as it was printed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Person, Run, Service

Inside = Callable[..., Run]
CONTENT = "GET /v1/files/*/content"


@pytest.fixture
def job_id(service: Service, inside: Inside, training_file: Path) -> str:
    """A job that succeeded."""
    service.settings(job_seconds=0.05, file_seconds=0)
    done = inside("submit", str(training_file), "--model", "gpt-4o-mini", "--wait", "--json")
    assert done.code == 0, done.err
    found: str = service.jobs()[0]["id"]
    return found


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave pictures out, as without the extra: a test of something else need not wait for them."""
    monkeypatch.setattr("ftjobs.reports.drawing.can_draw", lambda: False)


def kept(person: Person, folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (person.home / folder).iterdir()}


def test_results_are_kept_drawn_and_tried(inside: Inside, person: Person, job_id: str) -> None:
    told = inside("results", "last")
    assert (told.code, told.err) == (0, "")
    files = kept(person, f"{job_id}-results")
    assert set(files) == {f"{job_id}-result-1.csv", f"{job_id}-loss.svg", f"{job_id}-loss.png"}
    assert files[f"{job_id}-result-1.csv"].startswith(b"step,train_loss,")
    assert all(name in told.out for name in files)
    assert "loss" in told.out
    assert "step" in told.out
    again = inside("results", "last", "--json")
    value = again.json
    assert (again.code, value["schema"], value["job_id"]) == (0, "ftjobs.results/1", job_id)
    assert [each["written"] for each in value["files"]] == [False] * 3
    assert len(value["curve"]["points"]) > 3
    assert value["fine_tuned_model"].startswith("ft:")
    assert value["snippet"] in told.out + "\n"
    assert kept(person, f"{job_id}-results") == files


@pytest.mark.usefixtures("job_id", "undrawn")
def test_the_printed_program_runs_as_it_is_and_holds_no_key(
    inside: Inside, person: Person, service: Service
) -> None:
    told = inside("results", "last", "-o", "kept")
    program = told.out[told.out.index('"""Asks') :]
    assert person.environ["OPENAI_API_KEY"] not in told.out
    (person.home / "try.py").write_text(program, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "try.py"],
        cwd=person.home,
        env=person.env(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert [line.split()[:2] for line in lines[::3]] == [["---", "fine-tuned:"], ["---", "base:"]]
    assert ["[fine-tuned sandbox model]" in lines[1], "[base sandbox model]" in lines[4]] == [True, True]
    assert all(" prompt, " in line and " completion tokens)" in line for line in lines[2::3])
    asked = [each["path"] for each in service.requests()]
    assert asked.count("/v1/chat/completions") == 2


def test_what_is_not_there_yet_is_said_with_the_loss_so_far(
    inside: Inside, service: Service, person: Person, training_file: Path
) -> None:
    service.settings(job_seconds=1_000)
    assert inside("submit", str(training_file), "--model", "gpt-4o-mini").code == 0
    told, as_json = inside("results", "last"), inside("results", "last", "--json")
    assert told.code == as_json.code == 2
    assert "leaves its results when it ends" in told.err
    assert "ftjobs watch ftjob-" in told.err
    assert (as_json.json["files"], as_json.json["snippet"]) == ([], None)
    assert not list(person.home.glob("*-results"))


@pytest.mark.usefixtures("undrawn")
def test_a_failed_job_has_no_model_to_try(inside: Inside, service: Service, training_file: Path) -> None:
    service.settings(job_seconds=0.05, fail_jobs="exceeded_quota")
    assert inside("submit", str(training_file), "--model", "gpt-4o-mini", "--wait").code == 6
    told = inside("results", "last")
    assert told.code == 6
    assert "exceeded_quota" in told.err
    assert "validation" not in told.out
    assert "\ntraining loss from " in told.out, "the loss until then is told"
    assert "import os" not in told.out
    assert inside("results", "last", "--json").json["status"] == "failed"


def test_a_submission_without_a_job_and_an_unknown_job_are_told_apart(
    inside: Inside, service: Service, training_file: Path
) -> None:
    service.faults({"on": "POST /v1/fine_tuning/jobs", "do": "status", "status": 400})
    assert inside("submit", str(training_file), "--model", "gpt-4o-mini").code == 7
    told = [inside("results", each, "--json") for each in ("last", "ftjob-none")]
    assert [(each.code, each.json["code"]) for each in told] == [(2, "no_job"), (2, "unknown_job")]


def test_a_file_that_is_gone_is_told_and_the_rest_is_given(
    inside: Inside, service: Service, person: Person, job_id: str
) -> None:
    gone = {"on": CONTENT, "do": "status", "status": 404, "times": 9}
    service.faults(gone)
    told = inside("results", "last", "-o", "kept")
    assert told.code == 7
    assert "does not have file" in told.err
    assert "import os" in told.out
    assert set(kept(person, "kept")) == {f"{job_id}-loss.svg", f"{job_id}-loss.png"}, "drawn from its events"
    as_json = inside("results", "last", "-o", "kept", "--json")
    assert (as_json.code, as_json.json["schema"]) == (7, "ftjobs.results/1")
    assert "does not have file" in as_json.json["notes"][0]


def test_a_drawer_that_fails_takes_nothing_else_away(
    inside: Inside, person: Person, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> dict[str, bytes]:
        raise ValueError("no engine")

    monkeypatch.setattr("ftjobs.reports.picture.loss_pictures", fail)
    told = inside("results", "last", "-o", "kept")
    assert (told.code, "no engine" in told.err) == (0, True)
    assert set(kept(person, "kept")) == {f"{job_id}-result-1.csv"}


@pytest.mark.usefixtures("undrawn")
def test_somebody_elses_file_is_left_alone_unless_forced(inside: Inside, person: Person, job_id: str) -> None:
    (person.home / "kept").mkdir()
    mine = person.home / "kept" / f"{job_id}-result-1.csv"
    mine.write_bytes(b"mine")
    told = inside("results", "last", "-o", "kept")
    assert (told.code, mine.read_bytes()) == (2, b"mine")
    assert "add --force" in told.err
    assert inside("results", "last", "-o", "kept", "--force").code == 0
    assert mine.read_bytes().startswith(b"step,")


@pytest.mark.usefixtures("undrawn")
def test_without_the_extra_and_on_a_dumb_terminal_everything_but_pictures_is_there(
    inside: Inside, person: Person, job_id: str
) -> None:
    told = inside("results", "last", "-o", "kept", TERM="dumb")
    assert (told.code, told.out.isascii(), "training loss from" in told.out) == (0, True, True)
    assert "pip install 'ftjobs[report]'" in told.err
    assert set(kept(person, "kept")) == {f"{job_id}-result-1.csv"}
