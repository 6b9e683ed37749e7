"""What a submit is asked for is meant: names, tags, and a dry run that says what the real one would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Run, Service

MINI = ("--model", "gpt-4o-mini")
BUDGET = {"FTJOBS_BUDGET__MONTHLY_USD": "0.015"}


@pytest.fixture
def submit(service: Service, inside: Callable[..., Run], training_file: Path) -> Callable[..., Run]:
    """Submit the training file, whose job costs at most $0.0118."""
    return lambda *more, **env: inside("submit", str(training_file), *MINI, *more, **env)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--again", ""), ("--again needs a name", "--again second")),
        (("--again", "  "), ("--again needs a name",)),
        (("--tag", "team="), ("'team='",)),
        (("--tag", "team = search"), ("spaces", "--tag team=search")),
        (("--tag", "team=search", "--tag", "team=ads"), ("'team' is given twice",)),
    ],
)
def test_what_an_empty_variable_or_a_slip_would_mean_is_refused(
    service: Service, submit: Callable[..., Run], options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    told = submit(*options)
    assert (told.code, told.out) == (2, "")
    assert all(word in told.err for word in words), told.err
    assert service.requests() == []


def test_a_dry_run_refuses_what_the_real_command_refuses(service: Service, submit: Callable[..., Run]) -> None:
    for again, options, env, code in (
        ("a", ("--max-cost", "0.001"), {}, "over_max_cost"),
        ("b", (), {"FTJOBS_BUDGET__MONTHLY_USD": "0.001"}, "over_budget"),
    ):
        if again == "b":
            assert submit().code == 0
        for dry in ((), ("--dry-run",)):
            told = submit("--again", again, *options, *dry, "--json", **env)
            assert (told.code, told.json["code"]) == (5, code)


def test_a_dry_run_knows_what_open_jobs_hold(service: Service, submit: Callable[..., Run]) -> None:
    service.settings(job_seconds=1000)
    assert submit("--dry-run", **BUDGET).code == 0
    assert submit(**BUDGET).code == 0
    refused = submit("--again", "more", "--dry-run", "--json", **BUDGET)
    assert (refused.code, refused.json["code"]) == (5, "over_budget")
    assert len(service.jobs()) == 1


def test_a_dry_run_of_what_exists_answers_with_it(service: Service, submit: Callable[..., Run]) -> None:
    made = submit("--json").json
    again = submit("--dry-run", "--json").json
    assert (again["job_id"], again["reused"]) == (made["job_id"], True)
    told = submit("--dry-run").out
    assert f"job {made['job_id']} exists already" in told
    assert told.endswith("nothing was sent\n")
    assert "would submit" not in told


def test_a_dry_run_makes_no_ledger(submit: Callable[..., Run], tmp_path: Path) -> None:
    place = tmp_path / "none.sqlite3"
    assert submit("--dry-run", "--ledger", str(place)).code == 0
    assert not place.exists()


def test_another_tag_on_a_job_that_exists_is_said_to_be_left_out(submit: Callable[..., Run]) -> None:
    assert "tags" not in submit("--tag", "team=search").err
    told = submit("--tag", "team=ads")
    assert told.code == 0
    assert "keeps the tags that it was created with (team=search)" in told.err
    assert "keeps the tags" not in submit("--tag", "team=search").err


def test_from_80_percent_on_a_warning_says_how_much_is_taken(submit: Callable[..., Run]) -> None:
    told = submit(FTJOBS_BUDGET__MONTHLY_USD="0.013")
    assert told.code == 0
    assert (
        "warning: budget $0.0130 this month: $0.00 billed, $0.0118 committed, $0.0012 left (90% taken)" in told.err
    )
