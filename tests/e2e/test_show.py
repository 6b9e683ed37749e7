"""`show`: the whole trail of one job, with what the service tells of its way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Person, Run, Service

Inside = Callable[..., Run]
MINI = "gpt-4o-mini"


def test_show_tells_timeline_loss_checkpoints_and_events(
    service: Service, inside: Inside, training_file: Path
) -> None:
    service.settings(job_seconds=0.05, file_seconds=0)
    assert inside("submit", str(training_file), "--model", MINI, "--wait").code == 0
    told = inside("show", "last", TERM="dumb")
    assert (told.code, told.err) == (0, "")
    for word in ("timeline (UTC)", "first metrics", "training loss from ", "STEP", ":ckpt-step-", "in all "):
        assert word in told.out, word
    assert "Training began." not in told.out
    listed = inside("show", "last", "--events", TERM="dumb").out
    assert listed.splitlines()[-1].endswith("The job succeeded.")
    assert "Training began." in listed
    value = inside("show", "last", "--json").json
    assert value["has_all_events"] is True
    assert value["events"][-1]["message"] == "The job succeeded."
    assert [each["step"] for each in value["checkpoints"]] == sorted(each["step"] for each in value["checkpoints"])
    assert len(value["curve"]["points"]) > 3


def test_what_belongs_to_a_job_is_asked_for_only_where_there_is_one(
    service: Service, inside: Inside, training_file: Path
) -> None:
    service.faults({"on": "POST /v1/fine_tuning/jobs", "do": "status", "status": 400})
    assert inside("submit", str(training_file), "--model", MINI).code == 7
    before = len(service.requests())
    told = inside("show", "last", OPENAI_API_KEY="")
    assert (told.code, told.err, len(service.requests())) == (0, "", before), "it needs no key either"


def test_a_failed_job_is_explained_with_the_next_step(
    service: Service, inside: Inside, training_file: Path
) -> None:
    service.settings(job_seconds=0.05, fail_jobs="daily_rate_limit_exceeded")
    assert inside("submit", str(training_file), "--model", MINI, "--wait").code == 6
    told = inside("show", "last").out
    assert "daily_rate_limit_exceeded: The sandbox was told to fail this job." in told
    assert "1 job created here in the last 24 hours" in told
    value = inside("show", "last", "--json").json
    assert value["failure"]["next_step"].startswith("Submit again")
    assert value["error"]["code"] == value["failure"]["code"]


def test_a_service_that_is_away_leaves_the_ledgers_trail_and_one_note(
    service: Service, inside: Inside, training_file: Path
) -> None:
    service.settings(job_seconds=0.05, file_seconds=0)
    assert inside("submit", str(training_file), "--model", MINI, "--wait").code == 0
    parts = ("events", "checkpoints")
    refused = {"do": "status", "status": 401, "times": 99}
    service.faults(*({"on": f"GET /v1/fine_tuning/jobs/*/{part}", **refused} for part in parts))
    told = inside("show", "last")
    assert told.code == 0
    assert "billed $0.0" in told.out
    assert "STEP" not in told.out
    assert told.err.count("This is what the ledger has.") == 1


def test_a_key_that_is_missing_hides_nothing_of_the_ledger(
    service: Service, inside: Inside, person: Person, training_file: Path
) -> None:
    service.settings(job_seconds=0.05, file_seconds=0)
    assert inside("submit", str(training_file), "--model", MINI, "--wait").code == 0
    told = inside("show", "last", OPENAI_API_KEY="")
    assert told.code == 0
    assert told.err.count("note: ") == 1
    assert "billed $0.0" in told.out
