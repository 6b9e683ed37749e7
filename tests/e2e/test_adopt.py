"""`adopt` brings another computer's jobs into this one's ledger, and can be run again whatever happened."""

from __future__ import annotations

import json
import os
import pty
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Person, Run, Service
from tests.e2e.conftest import LISTS, Book
from tests.wire.conftest import job_object
from tests.wire.job_lists import serving

Inside = Callable[..., Run]


@pytest.fixture
def other(person: Person, tmp_path: Path) -> Book:
    """The ledger of a second computer, which `--ledger` names."""
    return Book(tmp_path / "other.sqlite3")


@pytest.fixture
def made(inside: Inside, service: Service, training_file: Path) -> dict[str, Any]:
    """Two jobs that the first computer made and settled."""
    service.settings(job_seconds=0)
    for again in ("one", "two"):
        submit = ("submit", str(training_file), "--model", "gpt-4o-mini", "--again", again, "--tag", "team=search")
        assert inside(*submit).code == 0
    told = inside("status", "--all", "--json")
    assert told.code == 0, told.err
    value: dict[str, Any] = told.json
    return value


def test_another_computer_adopts_what_the_first_one_made_once_and_the_same(
    inside: Inside, service: Service, made: dict[str, Any], other: Book
) -> None:
    there = ("--ledger", str(other.path))
    first = inside("adopt", "--all", *there)
    assert (first.code, first.err) == (0, "")
    line, look = first.out.splitlines()
    billed = sum(Decimal(job["billed_cost_usd"]) for job in made["jobs"])
    assert line == f"adopted 2 jobs (2 with an estimate), settled 2 for ${billed:.4f}"
    assert look == f"see them with: ftjobs --ledger {other.path} status --all"
    before = (other.submissions(), other.entries())
    told = inside("adopt", "--all", "--json", *there)
    assert (told.code, told.json["adopted"], told.json["known"], told.json["job_ids"]) == (0, 0, 2, [])
    assert told.json["billed_cost_usd"] is None
    assert (other.submissions(), other.entries()) == before
    assert inside("status", "--all", "--json", *there).json["jobs"] == made["jobs"]
    assert "team=search" in inside("show", made["jobs"][0]["job_id"], *there).out


def test_a_day_chooses_and_a_job_is_named(
    inside: Inside, service: Service, made: dict[str, Any], other: Book
) -> None:
    there = ("--ledger", str(other.path), "--json")
    assert inside("adopt", "--since", "2999-01-01", *there).json["adopted"] == 0
    named = inside("adopt", made["jobs"][0]["job_id"], *there).json
    assert named["job_ids"] == [made["jobs"][0]["job_id"]]
    rest = inside("adopt", "--since", "2026-01-01T00:00Z", *there).json
    assert (rest["job_ids"], rest["known"]) == ([made["jobs"][1]["job_id"]], 1)


def test_without_any_jobs_it_says_so(inside: Inside, service: Service) -> None:
    done = inside("adopt", "--all")
    assert (done.code, done.out, done.err) == (0, "no jobs to adopt: the service has none of those\n", "")


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        ((), "which_jobs", "--all"),
        (("--all", "--since", "2026-10-01"), "which_jobs", "--all"),
        (("ftjob-1", "--all"), "which_jobs", "--all"),
        (("--since", "yesterday"), "bad_date", "2026-10-05"),
        (("--since", ""), "bad_date", "2026-10-05"),
        (("../files",), "unknown_job", "ftjob-abc"),
        (("",), "unknown_job", "ftjob-abc"),
        (("ftjob-nobody",), "unknown_job", "account"),
    ],
)
@pytest.mark.usefixtures("service")
def test_what_cannot_be_meant_is_said_and_changes_nothing(
    inside: Inside, other: Book, args: tuple[str, ...], code: str, told: str
) -> None:
    done = inside("adopt", *args, "--json", "--ledger", str(other.path))
    assert (done.code, done.json["code"]) == (2, code)
    assert told in done.json["next_step"]
    assert other.submissions() == []


def test_the_sandbox_and_real_jobs_never_mix(inside: Inside, other: Book) -> None:
    assert inside("adopt", "--all", "--profile", "sandbox", "--ledger", str(other.path)).code == 0
    refused = inside("adopt", "--all", "--json", "--ledger", str(other.path))
    assert (refused.code, refused.json["code"]) == (12, "other_stamp")
    assert other.submissions() == []


def test_unknown_bills_are_told_with_what_to_add_and_are_never_nothing(person: Person, inside: Inside) -> None:
    jobs = [
        job_object("ftjob-3", status="succeeded", trained_tokens=10**6, model="gpt-9\x1b[2J"),
        job_object("ftjob-2", status="failed", trained_tokens=None),
        job_object("ftjob-1", status="running"),
    ]
    with serving(jobs) as lists:
        done = inside("adopt", "--all", OPENAI_BASE_URL=lists.base_url)
        assert done.code == 0
        assert done.out.splitlines()[0] == (
            "adopted 3 jobs (none with an estimate), 2 with an unknown bill, 1 still under way"
        )
        unpriced, untold = done.err.splitlines()
        assert "[[price]]" in unpriced
        assert "\x1b" not in done.err
        assert "ftjobs status" in untold
        (person.home / "ftjobs.toml").write_text(
            '[[price]]\nmodel = "gpt-9\\u001b[2J"\ntraining_usd_per_1m = "2.00"\n'.replace("\\u001b[2J", ""),
            encoding="utf-8",
        )
        ledger = inside("ledger", "--json", OPENAI_BASE_URL=lists.base_url).json
        assert (ledger["totals"]["unknown_billed_jobs"], ledger["totals"]["unsettled_jobs"]) == (2, 3)


# Interruptions


def many(count: int) -> list[dict[str, Any]]:
    ended = {"status": "succeeded", "trained_tokens": 1000}
    return [job_object(f"ftjob-{n:04d}", created_at=1_790_000_000 - n, **ended) for n in range(count)]


def job_count(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (number,) = connection.execute("SELECT count(*) FROM jobs").fetchone()
    return int(number)


def test_what_was_committed_before_an_interruption_stays_and_the_same_command_goes_on(
    person: Person, inside: Inside, other: Book
) -> None:
    with serving(many(250)) as lists:
        lists.holds_from = 2
        command = ("adopt", "--all", "--ledger", str(other.path))
        process = person.start(*command, OPENAI_BASE_URL=lists.base_url)
        assert lists.held.wait(240)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=240)
        assert process.returncode == 130
        assert err.splitlines()[0] == "error: Interrupted; 200 jobs adopted until then, which stay."
        assert "Run the same command again" in err
        assert job_count(other.path) == 200
        lists.holds_from = None
        lists.release.set()
        done = inside(*command, "--json", OPENAI_BASE_URL=lists.base_url)
        assert (done.json["adopted"], done.json["known"]) == (50, 200)
    assert job_count(other.path) == 250
    assert len(other.entries("billed")) == 250


def test_an_outage_on_the_way_says_what_was_adopted(inside: Inside, service: Service, made: dict[str, Any],
    other: Book, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr("ftjobs.provider.api.PAGE_LIMIT", 1)
    service.faults(
        {"on": LISTS, "do": "status", "status": 503, "skip": 1, "times": 9, "headers": {"retry-after": "0"}}
    )
    there = ("--ledger", str(other.path), "--json")
    done = inside("adopt", "--all", *there)
    assert (done.code, done.json["details"]["adopted"]) == (8, 1)
    assert "1 job adopted until then" in done.json["message"]
    service.faults()
    assert inside("adopt", "--all", *there).json["adopted"] == 1


# A terminal


def test_a_terminal_sees_how_far_it_is_and_stdout_stays_clean(person: Person, other: Book) -> None:
    with serving(many(250)) as lists:
        lists.holds_from = 2
        master, slave = pty.openpty()
        process = subprocess.Popen(
            person.command("adopt", "--all", "--ledger", str(other.path)),
            cwd=person.home,
            env=person.env(OPENAI_BASE_URL=lists.base_url, COLUMNS="60", TERM="xterm"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=slave,
            text=True,
        )
        os.close(slave)
        shown = ""
        while "200" not in shown:
            shown += os.read(master, 4096).decode()
        lists.release.set()
        out, _ = process.communicate(timeout=240)
        os.close(master)
    assert out.startswith("adopted 250 jobs (none with an estimate), settled 250 for ")
    assert "adopting" in shown


# The files


def test_what_the_jobs_left_is_kept_once(
    inside: Inside, service: Service, made: dict[str, Any], other: Book, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    command = ("adopt", "--all", "--save-results", str(folder), "--ledger", str(other.path))
    done = inside(*command)
    assert (done.code, done.out.splitlines()[-1]) == (0, f"kept 2 jobs in {folder}")
    for job in made["jobs"]:
        kept = {path.name for path in (folder / job["job_id"]).iterdir()}
        assert kept == {"job.json", "events.jsonl", "checkpoints.json", f"{job['job_id']}-result-1.csv"}
        assert json.loads((folder / job["job_id"] / "job.json").read_text())["id"] == job["job_id"]
    files = [row for row in service.requests() if row["path"].endswith(("/content", "/events", "/checkpoints"))]
    again = inside(*command, "--json")
    assert (again.code, again.json["known"], again.json["rescued"]["saved"]) == (0, 2, 2)
    after = [row for row in service.requests() if row["path"].endswith(("/content", "/events", "/checkpoints"))]
    assert len(after) == len(files)


def test_a_partial_rescue_is_no_success_and_the_same_command_completes_it(
    inside: Inside, service: Service, made: dict[str, Any], other: Book, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    command = ("adopt", "--all", "--save-results", str(folder), "--ledger", str(other.path), "--json")
    job_id = made["jobs"][0]["job_id"]
    service.faults({"on": f"GET /v1/fine_tuning/jobs/{job_id}/events", "do": "status", "status": 400, "times": 9})
    refused = inside(*command)
    assert (refused.code, refused.json["adopted"]) == (7, 2)
    assert refused.json["rescued"]["unsaved_job_ids"] == [job_id]
    assert any(job_id in note and "same command again" in note for note in refused.json["notes"])
    service.faults()
    assert inside(*command).json["rescued"]["saved"] == 2


def test_a_folder_that_cannot_be_made_stops_it_before_anything_is_asked(
    inside: Inside, service: Service, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    done = inside("adopt", "--all", "--save-results", str(tmp_path / "file"), "--json")
    assert (done.code, done.json["code"]) == (2, "output_unwritable")
    assert service.requests() == []
