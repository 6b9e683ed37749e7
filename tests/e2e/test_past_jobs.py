"""What the ledger remembers helps with the next job: where its kind lands, what is unusual, the whole trail."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.conftest import Person, Run, Service

MINI = "gpt-4o-mini"


@pytest.fixture
def five_jobs(service: Service, inside: Callable[..., Run], training_file: Path) -> None:
    """Five jobs of one kind that succeeded and were billed."""
    service.settings(job_seconds=0.05)
    for number in range(5):
        done = inside("submit", str(training_file), "--model", MINI, "--again", f"n{number}", "--wait")
        assert done.code == 0, done.err


@pytest.mark.usefixtures("five_jobs")
def test_an_estimate_says_where_earlier_jobs_landed_and_leaves_its_range_as_counted(
    inside: Callable[..., Run], training_file: Path
) -> None:
    bills = [job["trained_tokens"] for job in inside("ledger", "--json").json["jobs"]]
    told = inside("estimate", str(training_file), "--model", f"{MINI},gpt-4o", "--json").json["estimates"]
    mini, other = told
    known = mini["calibration"]
    assert known["jobs"] == 5
    assert known["estimated_tokens"] == {"low": min(bills), "high": max(bills)}
    cost = {bound: Decimal(amount) for bound, amount in known["estimated_cost_usd"].items()}
    assert cost == {"low": Decimal(min(bills) * 3) / 10**6, "high": Decimal(max(bills) * 3) / 10**6}
    assert other["calibration"] is None
    assert mini["estimated_tokens"] == other["estimated_tokens"]
    text = inside("estimate", str(training_file), "--model", MINI).out
    assert f"your last 5 jobs on gpt-4o-mini-2024-07-18 landed at {known['landed_at']} × estimate" in text
    asked = inside("submit", str(training_file), "--model", MINI, "--again", "next", FTJOBS_CONFIRM_ABOVE_USD="0")
    assert asked.code == 5
    assert "note: your last 5 jobs" in asked.err


@pytest.mark.usefixtures("five_jobs")
def test_spending_far_above_the_past_is_told_before_it_is_paid_and_afterwards(
    service: Service, inside: Callable[..., Run], make_training_file: Callable[[str, int], Path]
) -> None:
    service.settings(job_seconds=1000)
    dear = str(make_training_file("dear.jsonl", 400))
    submitted = inside("submit", dear, "--model", "gpt-4.1", "--epochs", "20", "--yes")
    assert submitted.code == 0
    assert "note: unusual spending: an estimate of $" in submitted.err
    shown = inside("status", "last")
    assert "unusual spending" in shown.err
    said = inside("status", "last", "--json").json["jobs"][0]["unusual"]
    assert [note.partition(":")[0] for note in said] == ["unusual spending"]
    assert "unusual spending" in inside("ledger", "--month").out
    in_ledger = inside("ledger", "--json").json["jobs"]
    assert [len(job["unusual"]) for job in in_ledger] == [0] * 5 + [1]
    assert "unusual spending" in inside("show", "last").out


@pytest.mark.usefixtures("five_jobs")
def test_show_is_the_whole_trail_of_one_job(inside: Callable[..., Run], training_file: Path) -> None:
    told = inside("show", "last")
    assert (told.code, told.err) == (0, "")
    lines = told.out.splitlines()
    facts = {line.partition("  ")[0]: line.partition("  ")[2].strip() for line in lines[: lines.index("")]}
    assert facts["job"].startswith("ftjob-")
    assert facts["job"].endswith("(succeeded)")
    assert facts["model"] == "gpt-4o-mini-2024-07-18 (gpt-4o-mini), supervised"
    assert facts["again"] == "n4"
    assert {"submission", "parameters", "training file", "estimate", "price source"} <= facts.keys()
    assert any(line.startswith("billed $") and "variance -" in line for line in lines)
    assert any(line.startswith("variance by epochs $0.00, token count -$") for line in lines)

    value = inside("show", "last", "--json").json
    (job,) = inside("status", "last", "--json").json["jobs"]
    assert value["schema"] == "ftjobs.job/1"
    assert {key: value[key] for key in job} == job
    assert [entry["kind"] for entry in value["entries"]] == ["estimate", "billed"]
    assert sum(Decimal(entry["amount_usd"]) for entry in value["entries"][1:]) == Decimal(job["billed_cost_usd"])
    assert value["hyperparameters"] == {"n_epochs": 8}
    assert value["estimate"]["estimated_cost_usd"]["expected"] == value["entries"][0]["amount_usd"]
    assert Decimal(value["variance_bridge"]["variance_usd"]) == Decimal(job["billed_cost_usd"]) - Decimal(
        job["estimated_cost_usd"]
    )
    assert str(training_file) not in told.out + json.dumps(value)


def test_show_settles_what_ended_and_needs_no_service_for_what_it_has(
    service: Service, person: Person, inside: Callable[..., Run], training_file: Path
) -> None:
    service.settings(job_seconds=0.05)
    assert inside("submit", str(training_file), "--model", MINI).code == 0
    away = inside("show", "last", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert away.code == 0
    assert "This is what the ledger has." in away.err
    assert "not billed yet; up to $0.0" in away.out
    inside("watch")
    settled = inside("show", "last")
    assert (settled.code, settled.err) == (0, "")
    assert "billed $0.0" in settled.out


def test_show_says_that_a_submission_that_created_nothing_costs_nothing(
    service: Service, inside: Callable[..., Run], training_file: Path
) -> None:
    service.faults({"on": "POST /v1/fine_tuning/jobs", "do": "status", "status": 400})
    assert inside("submit", str(training_file), "--model", MINI).code == 7
    told = inside("show", "last")
    assert told.code == 0
    assert "none yet (rejected)" in told.out
    assert "nothing was created, so nothing is due" in told.out


def test_show_without_such_a_job_says_how_to_find_one(inside: Callable[..., Run]) -> None:
    told = inside("show", "ftjob-none", "--json")
    assert (told.code, told.json["code"]) == (2, "unknown_job")
    assert "status --all" in told.json["next_step"]
