"""What `--json` prints, field by field: names, types, null for unknown, and the sandbox's stamp."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ftjobs.sandbox.state import SandboxState

if TYPE_CHECKING:
    from tests.conftest import Person, Run, Service

ALONE = {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": ""}

Check = Callable[[Any], bool]


def text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def usd(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"-?[0-9]+\.([0-9]{2}|[0-9]{2,8}[1-9])", value))


def pct(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"-?[0-9]+\.[0-9]", value))


def instant(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value))


def day(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"\d{4}-\d\d-\d\d", value))


def maybe(shape: Any) -> Check:
    return lambda value: value is None or fits(value, shape)


def one_of(*values: Any) -> Check:
    return lambda value: any(value == each and type(value) is type(each) for each in values)


def spread(shape: Check) -> dict[str, Check]:
    return {"low": shape, "expected": shape, "high": shape}


def fits(value: Any, shape: Any, at: str = "$") -> bool:
    """Fail with the place unless `value` has exactly the fields of `shape`, each of its kind."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), f"{at} is {value!r}"
        assert set(value) == set(shape), f"{at} has {sorted(set(value) ^ set(shape))} too much or too little"
        return all(fits(value[name], each, f"{at}.{name}") for name, each in shape.items())
    if isinstance(shape, list):
        assert isinstance(value, list), f"{at} is {value!r}"
        return all(fits(item, shape[0], f"{at}[{number}]") for number, item in enumerate(value))
    assert shape(value), f"{at} is {value!r}"
    return True


PROBLEM = {
    "line": maybe(whole),
    "code": text,
    "severity": one_of("error", "warning"),
    "message": text,
    "path": lambda value: isinstance(value, str),
}
LENGTHS = {
    **dict.fromkeys(("shortest", "p5", "median", "p95", "longest"), whole),
    "longest_5pct_share_pct": str.isdigit,
    "bins": [{"start": whole, "stop": whole, "examples": whole}],
}
DATASET = {
    "path": text,
    "sha256": lambda value: bool(re.fullmatch("[0-9a-f]{64}", value)),
    "bytes": whole,
    "examples": whole,
    "dataset_tokens": whole,
    "dataset_tokens_range": {"low": whole, "high": whole},
    "truncated_examples": whole,
    "lost_tokens": whole,
    "tokens_by_role": lambda value: all(map(whole, value.values())),
    "lengths": maybe(LENGTHS),
    "problem_counts": lambda value: all(map(whole, value.values())),
    "problems": [PROBLEM],
}
ESTIMATE = {
    "model": text,
    "base_model": text,
    "method": one_of("supervised"),
    "epochs": {**spread(whole), "source": one_of("rule", "pinned", "auto")},
    "estimated_tokens": spread(whole),
    "estimated_cost_usd": maybe(spread(usd)),
    "cost_per_epoch_usd": maybe(spread(usd)),
    "bounds": maybe(spread(text)),
    "calibration": maybe(
        {
            "jobs": whole,
            "landed_at": text,
            "estimated_tokens": {"low": whole, "high": whole},
            "estimated_cost_usd": maybe({"low": usd, "high": usd}),
        }
    ),
    "price": maybe(
        {"usd_per_1m": usd, "usd_per_hour": maybe(usd), "list": text, "effective_from": maybe(day), "source": text}
    ),
    "shutdown_date": maybe(day),
    "warnings": [text],
}
SUBMISSION = {
    "schema": one_of("ftjobs.submission/1"),
    "submission_id": maybe(lambda value: bool(re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", value))),
    "job_id": maybe(lambda value: value.startswith("ftjob-")),
    "status": text,
    "reused": one_of(True, False),
    "file_id": maybe(lambda value: value.startswith("file-")),
    "estimate": ESTIMATE,
}
BRIDGE = {
    "epochs_usd": usd,
    "token_count_usd": usd,
    "price_usd": usd,
    "other_usd": usd,
    "variance_usd": usd,
    "jobs_without_epochs": whole,
}
BUDGET = {
    "profile": maybe(text),
    "tag": maybe(text),
    "limit_usd": usd,
    "billed_usd": usd,
    "commitment_usd": usd,
    "headroom_usd": usd,
    "warns": one_of(True, False),
}
JOB = {
    "submission_id": text,
    "job_id": maybe(text),
    "profile": text,
    "status": text,
    "base_model": text,
    "fine_tuned_model": maybe(text),
    "examples": whole,
    "epochs": whole,
    "estimated_tokens": whole,
    "estimated_cost_usd": usd,
    "trained_tokens": maybe(whole),
    "billed_cost_usd": maybe(usd),
    "billed_basis": maybe(one_of("trained_tokens", "hours", "manual")),
    "variance_pct": maybe(pct),
    "variance_bridge": maybe(BRIDGE),
    "progress": maybe(lambda value: 0 <= value <= 1),
    "estimated_finish": maybe(instant),
    "created_at": instant,
    "finished_at": maybe(instant),
    "error": maybe({"code": maybe(text), "message": maybe(text)}),
    "tags": lambda value: isinstance(value, dict),
    "unusual": [text],
}
JOBS = {"schema": one_of("ftjobs.jobs/1"), "jobs": [JOB]}
LEDGER = {
    "schema": one_of("ftjobs.ledger/1"),
    "period": {"start": maybe(instant), "end": maybe(instant)},
    "as_of": maybe(instant),
    "digest": lambda value: bool(re.fullmatch("[0-9a-f]{64}", value)),
    "jobs": [JOB],
    "totals": {
        "jobs": whole,
        "unsettled_jobs": whole,
        "estimated_tokens": whole,
        "estimated_cost_usd": usd,
        "trained_tokens": whole,
        "billed_cost_usd": usd,
        "settled_estimated_cost_usd": maybe(usd),
        "variance_usd": maybe(usd),
        "variance_pct": maybe(pct),
        "variance_bridge": maybe(BRIDGE),
        "commitment_usd": usd,
        "unknown_billed_jobs": whole,
        "hosting_cost_usd": usd,
        "hosted_jobs": whole,
    },
    "budgets": [BUDGET],
}
ERROR = {
    "schema": one_of("ftjobs.error/1"),
    "code": text,
    "message": text,
    "next_step": text,
    "exit_code": whole,
    "details": lambda value: isinstance(value, dict),
}
CHECK = {
    "schema": one_of("ftjobs.check/1"),
    "dataset": DATASET,
    "problems": [PROBLEM],
    "validation": maybe(DATASET),
    "epoch_cost_usd": maybe(spread(usd)),
}
ESTIMATES = {"schema": one_of("ftjobs.estimate/1"), "dataset": DATASET, "estimates": [ESTIMATE]}


def one(run: Run, shape: dict[str, Any], *, code: int = 0) -> Any:
    """Return the one line of JSON that a command printed, once it has the shape."""
    assert run.code == code, run
    assert run.out.count("\n") == 1, run.out
    value = json.loads(run.out)
    fits(value, shape)
    return value


def test_check_prints_the_dataset_and_every_problem(person: Person, training_file: Path) -> None:
    clean = one(person.run("check", str(training_file), "--model", "gpt-4o-mini", "--json", **ALONE), CHECK)
    assert (clean["dataset"]["examples"], [each["code"] for each in clean["problems"]]) == (12, ["few_examples"])
    assert clean["dataset"]["bytes"] == training_file.stat().st_size
    with training_file.open("a") as data:
        data.write("not json\n")
    found = one(
        person.run("--json", "check", str(training_file), "--model", "gpt-4o-mini", **ALONE), CHECK, code=4
    )
    assert [(each["line"], each["code"], each["severity"]) for each in found["problems"]] == [
        (None, "few_examples", "warning"),
        (13, "invalid_json", "error"),
    ]
    assert found["problems"] == found["dataset"]["problems"]


def test_estimate_prints_models_side_by_side_and_null_for_an_unknown_price(
    person: Person, training_file: Path
) -> None:
    run = person.run("estimate", str(training_file), "--model", "gpt-4o-mini,gpt-4", "--json", **ALONE)
    value = one(run, ESTIMATES)
    known, unknown = value["estimates"]
    assert (known["model"], known["base_model"]) == ("gpt-4o-mini", "gpt-4o-mini-2024-07-18")
    assert known["epochs"] == {"low": 8, "expected": 8, "high": 8, "source": "rule"}
    assert known["estimated_tokens"]["expected"] == 8 * value["dataset"]["dataset_tokens"]
    assert known["price"]["usd_per_1m"] == "3.00"
    assert (unknown["estimated_cost_usd"], unknown["price"]) == (None, None)
    assert unknown["shutdown_date"] == "2026-10-23"
    assert any("unknown" in warning for warning in unknown["warnings"])


def test_a_job_is_the_same_object_from_submit_to_ledger(
    person: Person, service: Service, inside: Callable[..., Run], training_file: Path
) -> None:
    submit = ["submit", str(training_file), "--model", "gpt-4o-mini", "--tag", "team=support", "--json"]
    planned = one(inside(*submit, "--dry-run"), SUBMISSION)
    assert (planned["status"], planned["submission_id"], planned["job_id"]) == ("planned", None, None)
    assert not [each for each in service.requests() if each["method"] == "POST"]

    service.settings(job_seconds=1000)
    created = one(person.run(*submit), SUBMISSION)
    assert created["reused"] is False
    assert created["estimate"] == planned["estimate"]
    answered = one(inside(*submit), SUBMISSION)
    assert answered["reused"] is True
    assert [answered[name] for name in ("submission_id", "job_id", "file_id")] == [
        created[name] for name in ("submission_id", "job_id", "file_id")
    ]
    assert len(service.jobs()) == 1

    (open_job,) = one(person.run("status", "--json"), JOBS)["jobs"]
    assert (open_job["submission_id"], open_job["job_id"]) == (created["submission_id"], created["job_id"])
    assert open_job["tags"] == {"team": "support"}
    assert open_job["estimated_cost_usd"] == created["estimate"]["estimated_cost_usd"]["expected"]
    unknown = ("fine_tuned_model", "trained_tokens", "billed_cost_usd", "variance_pct", "finished_at", "error")
    assert [open_job[name] for name in unknown] == [None] * len(unknown)


def test_what_ended_is_billed_in_watch_status_and_ledger_alike(
    person: Person, service: Service, inside: Callable[..., Run], training_file: Path
) -> None:
    created = one(inside("--json", "submit", str(training_file), "--model", "gpt-4o-mini"), SUBMISSION)
    watched = person.run("watch", "--json")
    assert watched.code == 0
    lines = [json.loads(line) for line in watched.out.splitlines()]
    for line in lines:
        fits(line, JOBS)
    (ended,) = lines[-1]["jobs"]
    assert ended["status"] == "succeeded"
    assert ended["trained_tokens"] == service.jobs()[0]["trained_tokens"]
    assert (ended["billed_basis"], ended["progress"]) == ("trained_tokens", 1.0)
    assert one(inside("status", "last", "--json"), JOBS)["jobs"] == [ended]

    ledger = one(person.run("ledger", "--month", "--json"), LEDGER)
    assert ledger["jobs"] == [ended]
    totals = ledger["totals"]
    assert (totals["jobs"], totals["unsettled_jobs"], totals["unknown_billed_jobs"]) == (1, 0, 0)
    assert totals["billed_cost_usd"] == ended["billed_cost_usd"]
    assert totals["settled_estimated_cost_usd"] == created["estimate"]["estimated_cost_usd"]["expected"]
    assert totals["variance_pct"] == ended["variance_pct"]
    of_all_time = one(inside("ledger", "--json"), LEDGER)
    assert (of_all_time["period"], of_all_time["digest"]) == ({"start": None, "end": None}, ledger["digest"])


def test_in_the_sandbox_and_only_there_every_object_is_stamped(
    person: Person, inside: Callable[..., Run], training_file: Path
) -> None:
    SandboxState(person.home / "data/ftjobs/sandbox").change_settings({"job_seconds": 0.3, "file_seconds": 0})

    def stamped(shape: dict[str, Any]) -> dict[str, Any]:
        return {**shape, "sandbox": one_of(True)}

    def run(*args: str) -> Run:
        return inside("--profile", "sandbox", *args, "--json", **ALONE)

    named = [str(training_file), "--model", "gpt-4o-mini"]
    one(run("check", *named), stamped(CHECK))
    one(run("estimate", *named), stamped(ESTIMATES))
    one(run("submit", *named, "--dry-run"), stamped(SUBMISSION))
    one(run("submit", *named), stamped(SUBMISSION))
    watched = run("watch")
    assert watched.out
    for line in watched.out.splitlines():
        fits(json.loads(line), stamped(JOBS))
    one(run("status"), stamped(JOBS))
    one(run("ledger"), stamped(LEDGER))
    one(run("status", "ftjob-none"), stamped(ERROR), code=2)


@pytest.mark.parametrize("args", [["status", "ftjob-none"], ["ledger", "2026-13"], ["no-such-verb"]])
def test_a_failure_is_one_error_object_too(person: Person, args: list[str]) -> None:
    value = one(person.run(*args, "--json", **ALONE), ERROR, code=2)
    assert value["exit_code"] == 2


def test_an_empty_ledger_is_an_object_with_empty_lists(inside: Callable[..., Run]) -> None:
    assert one(inside("status", "--json", **ALONE), JOBS)["jobs"] == []
    assert one(inside("watch", "--json", **ALONE), JOBS)["jobs"] == []
    empty = one(inside("ledger", "2026-10-05", "--json", **ALONE), LEDGER)
    assert empty["period"] == {"start": "2026-10-05T00:00:00Z", "end": "2026-10-06T00:00:00Z"}
    assert (empty["jobs"], empty["totals"]["variance_pct"]) == ([], None)
