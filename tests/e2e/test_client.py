"""The library does what the command line does, with the same guarantees: one job, one ledger."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ftjobs import Ftjobs
from ftjobs.errors import (
    ConfigError,
    DatasetError,
    RejectedError,
    SpendRefusedError,
    UncertainError,
    UsageError,
    WaitTimeoutError,
)
from ftjobs.money import Usd
from tests.conftest import CREATE, Person, Service
from tests.e2e.conftest import Book, Shell, creates
from tests.wire.conftest import job_object
from tests.wire.job_lists import JOBS, JobLists, serving

MODEL = "gpt-4o-mini"


@pytest.fixture
def jobs(person: Person, monkeypatch: pytest.MonkeyPatch) -> Ftjobs:
    """The library in the shell of a person."""
    for name, value in person.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(person.home)
    return Ftjobs()


def test_the_library_and_the_command_line_share_a_job(
    jobs: Ftjobs, shell: Shell, service: Service, training_file: Path, book: Book
) -> None:
    done = jobs.submit(training_file, model=MODEL, tags={"team": "search"})
    assert (done.reused, creates(service)) == (False, 1)
    again = shell.submit("--tag", "team=search").json
    assert (again["reused"], again["job_id"]) == (True, service.jobs()[0]["id"])
    assert jobs.submit(str(training_file), model=MODEL).reused
    assert (creates(service), len(book.standing_estimates())) == (1, 1)


def test_an_estimate_is_a_range_and_needs_neither_key_nor_service(
    jobs: Ftjobs, training_file: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    found = jobs.estimate(training_file, model=MODEL, epochs=2)
    assert found.cost is not None
    assert Usd(0) < found.cost.low <= found.cost.expected <= found.cost.high
    assert found.epochs.count.expected == 2
    assert service.requests() == []
    with pytest.raises(ConfigError):
        jobs.submit(training_file, model=MODEL)


def test_sync_settles_and_the_ledger_totals_what_was_billed(
    jobs: Ftjobs, service: Service, training_file: Path
) -> None:
    service.settings(job_seconds=0)
    job = jobs.submit(training_file, model=MODEL).submission.job
    assert job is not None
    (trail,) = jobs.sync()
    assert trail.submission.status == "succeeded"
    assert trail.billed is not None
    assert jobs.sync() == []
    assert [each.submission.id for each in jobs.sync(job.id)] == [trail.submission.id]
    report = jobs.ledger()
    assert (report.totals.jobs, report.totals.billed) == (1, trail.billed)
    assert jobs.ledger("2001-01").totals.jobs == 0
    with pytest.raises(ValueError, match="period"):
        jobs.ledger("the other day")


def test_watching_yields_a_snapshot_of_each_job_until_all_have_ended(
    jobs: Ftjobs, service: Service, training_file: Path
) -> None:
    service.settings(job_seconds=1.5)
    job = jobs.submit(training_file, model=MODEL).submission.job
    assert job is not None
    looks = list(jobs.watch("last"))
    assert {len(look) for look in looks} == {1}
    ((trail, progress),) = looks[-1]
    assert (trail.submission.status, progress.fraction) == ("succeeded", 1.0)
    assert trail.billed is not None
    shares = [look[0].progress.fraction or 0 for look in looks]
    assert shares == sorted(shares)
    assert list(jobs.watch()) == []


def test_watching_ends_at_the_time_out_and_survives_an_outage(
    jobs: Ftjobs, service: Service, training_file: Path
) -> None:
    service.settings(job_seconds=60)
    jobs.submit(training_file, model=MODEL)
    service.faults({"on": "GET /v1/fine_tuning/jobs/*", "do": "status", "status": 503, "times": 4})
    looks = []
    with pytest.raises(WaitTimeoutError):
        for look in jobs.watch(timeout_s=4):
            looks.append(look)
    assert len(looks) > 1


def test_money_is_not_spent_without_consent(
    jobs: Ftjobs, service: Service, training_file: Path, person: Person
) -> None:
    (person.home / "ftjobs.toml").write_text('confirm_above_usd = "0.00"\n')
    careful = Ftjobs()
    with pytest.raises(SpendRefusedError, match="nobody"):
        careful.submit(training_file, model=MODEL)
    with pytest.raises(SpendRefusedError, match="--max-cost"):
        careful.submit(training_file, model=MODEL, max_cost="0.000001")
    assert creates(service) == 0
    assert not careful.submit(training_file, model=MODEL, max_cost="1.00").reused


def test_a_lost_reply_is_uncertain_and_nothing_is_sent_twice(
    jobs: Ftjobs, service: Service, training_file: Path
) -> None:
    service.settings(list_lag_s=3600)
    service.faults({"on": CREATE, "do": "drop", "when": "after"})
    for _ in range(2):
        with pytest.raises(UncertainError) as caught:
            jobs.submit(training_file, model=MODEL)
        assert "ftjobs submit --resend" in caught.value.next_step
    assert creates(service) == 1


def test_bad_input_is_an_error_that_says_what_to_do(
    jobs: Ftjobs, service: Service, make_training_file: Callable[[str, int], Path]
) -> None:
    with pytest.raises(UsageError, match="gpt-4o-mni"):
        jobs.estimate(make_training_file("a.jsonl", 12), model="gpt-4o-mni")
    with pytest.raises(DatasetError):
        jobs.submit(make_training_file("b.jsonl", 3), model=MODEL)
    with pytest.raises(UsageError, match="suffix"):
        jobs.submit(make_training_file("a.jsonl", 12), model=MODEL, suffix="a b")
    with pytest.raises(UsageError, match="no job"):
        jobs.sync("ftjob-nobody")
    assert service.requests() == []


def test_the_validation_file_goes_along(
    jobs: Ftjobs, service: Service, training_file: Path, make_training_file: Callable[[str, int], Path]
) -> None:
    held_out = make_training_file("held-out.jsonl", 2)
    held_out.write_text(held_out.read_text().replace("order", "parcel"))
    jobs.submit(training_file, model=MODEL, validation=held_out)
    assert service.jobs()[0]["validation_file"] is not None


def test_importing_the_package_imports_no_part_of_it() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import ftjobs, sys; print([m for m in sys.modules if m.startswith('ftjobs.')])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("library", "flags"),
    [
        ({"lr_multiplier": 2}, ("--lr-multiplier", "2")),
        ({"epochs": 3.0}, ("--epochs", "3")),
        ({"epochs": True}, ("--epochs", "1")),
        ({"batch_size": 8.0}, ("--batch-size", "8")),
        ({"seed": 42.0}, ("--seed", "42")),
    ],
)
def test_the_same_number_in_another_type_makes_no_second_job(
    jobs: Ftjobs, shell: Shell, training_file: Path, library: dict[str, Any], flags: tuple[str, ...]
) -> None:
    made = shell.submit(*flags).json
    if "lr_multiplier" in library:
        again = jobs.submit(training_file, model=MODEL, **library)
        assert (again.reused, again.submission.id) == (True, made["submission_id"])
    else:
        with pytest.raises(UsageError):
            jobs.submit(training_file, model=MODEL, **library)
    assert len(shell.book.job_ids()) == 1


def test_objects_of_their_own_on_threads_make_one_job(jobs: Ftjobs, service: Service, training_file: Path) -> None:
    assert jobs.ledger().totals.jobs == 0  # the ledger is made before they race for it
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: Ftjobs().submit(training_file, model=MODEL).reused, range(4)))
    assert sorted(done) == [False, True, True, True]
    assert creates(service) == 1


def test_watching_leaves_the_patience_of_a_later_submit_alone(
    jobs: Ftjobs, service: Service, training_file: Path
) -> None:
    service.settings(job_seconds=0)
    jobs.submit(training_file, model=MODEL)
    assert len(list(jobs.watch("last"))) == 1
    assert jobs._app.patience is None


def test_a_job_that_may_not_be_seen_any_more_ends_the_watch_of_no_other(
    inside: Any, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [job_object(f"ftjob-{number}", status="running") for number in range(3)]
    answer = JobLists.answer

    def strict(self: JobLists, target: str) -> tuple[int, dict[str, Any]]:
        if target == f"{JOBS}/ftjob-1":
            return 403, {"error": {"message": "not yours", "code": "forbidden"}}
        return answer(self, target)

    monkeypatch.setattr(JobLists, "answer", strict)
    with serving(jobs) as lists:
        for name, value in {**person.env(), "OPENAI_BASE_URL": lists.base_url}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(person.home)
        assert inside("adopt", "--all", OPENAI_BASE_URL=lists.base_url).code == 0
        lists.jobs = [jobs[0], jobs[2]]
        seen: list[list[str]] = []
        with pytest.raises(RejectedError, match="not yours"):  # once it is the only one left
            for look in Ftjobs().watch():
                seen.append([each.trail.submission.status for each in look])
                for job in lists.jobs:
                    job.update(status="succeeded", trained_tokens=10)
    assert sorted(seen[-1]) == ["running", "succeeded", "succeeded"]
