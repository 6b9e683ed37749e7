"""The same command again, at the same time, or from a home without a ledger: still one job."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from ftjobs.sandbox.serving import serve_in_background
from tests.conftest import CREATE, Service
from tests.e2e.conftest import LISTS, MODEL, UPLOAD, Book, Shell, arrivals, creates, until


def test_the_same_command_twice_answers_with_the_same_job_and_again_makes_one_more(
    service: Service, shell: Shell, book: Book
) -> None:
    first, second = shell.submit(), shell.submit()
    assert (first.code, first.json["reused"]) == (0, False)
    assert (second.code, second.json["reused"]) == (0, True)
    assert len(service.jobs()) == creates(service) == 1

    more, more_again = shell.submit("--again", "x"), shell.submit("--again", "x")
    assert (more.code, more.json["reused"]) == (0, False)
    assert (more_again.code, more_again.json["reused"]) == (0, True)

    pairs = [(ran.json["submission_id"], ran.json["job_id"]) for ran in (first, second, more, more_again)]
    assert (pairs[0], pairs[2]) == (pairs[1], pairs[3])
    assert pairs[0][0] != pairs[2][0]
    assert {job["id"] for job in service.jobs()} == {pairs[0][1], pairs[2][1]}
    assert len(service.jobs()) == creates(service) == len(book.entries("estimate")) == 2


@pytest.mark.parametrize("processes", [2, 6])
def test_the_same_command_at_the_same_time_makes_one_job(
    processes: int, service: Service, shell: Shell, book: Book
) -> None:
    # The first to get there stays long enough in the create call for all others to arrive.
    service.faults({"on": CREATE, "do": "delay", "seconds": processes, "when": "after"})
    started = [shell.start_submit() for _ in range(processes)]
    ended = [shell.end(process) for process in started]

    assert [ran.code for ran in ended] == [0] * processes, [ran.err for ran in ended]
    assert Counter(ran.json["reused"] for ran in ended) == {False: 1, True: processes - 1}
    (job,) = service.jobs()
    assert {ran.json["job_id"] for ran in ended} == {job["id"]}
    assert len({ran.json["submission_id"] for ran in ended}) == 1
    assert len(book.submissions()) == len(book.entries()) == creates(service) == 1
    assert len(arrivals(service, UPLOAD)) == 1
    assert any("another process" in ran.err for ran in ended)


def test_whoever_waited_for_an_uncertain_create_call_does_not_send_another(
    service: Service, shell: Shell, book: Book
) -> None:
    service.faults({"on": CREATE, "do": "drop", "times": 2})
    ended = [shell.end(process) for process in [shell.start_submit(), shell.start_submit()]]
    assert [ran.code for ran in ended] == [9, 9]
    assert creates(service) == 1
    assert [row["state"] for row in book.submissions()] == ["uncertain"]


def test_a_failed_job_frees_its_content_for_a_new_one(service: Service, shell: Shell, book: Book) -> None:
    service.settings(fail_jobs=True)
    first = shell.submit()
    assert (first.code, first.json["reused"]) == (0, False)
    service.settings(fail_jobs=False)
    until(lambda: service.jobs()[0]["status"] == "failed")  # which the ledger does not know yet

    second = shell.submit()

    assert (second.code, second.json["reused"]) == (0, False), second.out + second.err
    assert second.json["submission_id"] != first.json["submission_id"]
    assert len(service.jobs()) == creates(service) == 2
    assert [row["holds_key"] for row in book.submissions()] == [0, 1]
    # What the failed job is billed nobody has told, so its estimate stays committed.
    assert len(book.standing_estimates()) == 2

    book.path.unlink()
    third = shell.submit()
    assert (third.json["job_id"], third.json["reused"]) == (second.json["job_id"], True)


def test_a_file_that_changes_between_survey_and_upload_creates_nothing(
    service: Service, shell: Shell, book: Book
) -> None:
    service.faults({"on": LISTS, "do": "delay", "seconds": 1})
    submitting = shell.start_submit()
    until(lambda: arrivals(service, LISTS))  # surveyed and recorded, not uploaded yet
    with shell.data.open("a", encoding="utf-8") as data:
        data.write(shell.data.read_text(encoding="utf-8").splitlines()[0] + "\n")

    stopped = shell.end(submitting)

    assert stopped.code == 4, stopped.out + stopped.err
    assert stopped.json["code"] == "dataset_changed"
    assert creates(service) == 0
    assert book.standing_estimates() == []
    done = shell.submit()
    assert (done.code, done.json["reused"]) == (0, False)
    (job,) = service.jobs()
    assert book.job_ids() == [job["id"]]
    # The upload of the wrong bytes is not taken for the right ones.
    assert len(arrivals(service, UPLOAD)) == 2


def test_without_consent_above_the_limit_nothing_is_recorded_and_both_ways_out_are_named(
    service: Service, shell: Shell, book: Book
) -> None:
    refused = shell.submit(FTJOBS_CONFIRM_ABOVE_USD="0.005")
    assert refused.code == 5
    assert refused.json["code"] == "no_consent"
    assert "--yes" in refused.json["next_step"]
    assert "--max-cost" in refused.json["next_step"]
    assert book.submissions() == []
    assert creates(service) == len(arrivals(service, UPLOAD)) == 0

    agreed = shell.submit("--max-cost", "1", FTJOBS_CONFIRM_ABOVE_USD="0.005")
    assert (agreed.code, agreed.json["reused"]) == (0, False)
    # A job that exists costs nothing more, so it needs no consent.
    rerun = shell.submit(FTJOBS_CONFIRM_ABOVE_USD="0.005")
    assert (rerun.code, rerun.json["reused"]) == (0, True)
    assert len(service.jobs()) == 1


def test_parallel_submits_cannot_overspend_the_budget_together(service: Service, shell: Shell, book: Book) -> None:
    plan = shell.submit("--dry-run")
    high_nano = int(float(plan.json["estimate"]["estimated_cost_usd"]["high"]) * 1e9 + 0.5)
    limit = f"{(2 * high_nano + high_nano // 2) / 1e9:.9f}"  # room for two of three
    started = [shell.start_submit("--again", f"n{nth}", FTJOBS_BUDGET__MONTHLY_USD=limit) for nth in range(3)]

    ended = [shell.end(process) for process in started]

    assert sorted(ran.code for ran in ended) == [0, 0, 5], [ran.err for ran in ended]
    assert {ran.json["code"] for ran in ended if ran.code} == {"over_budget"}
    assert len(service.jobs()) == creates(service) == 2
    committed = sum(entry["high_nano_usd"] for entry in book.standing_estimates())
    assert committed == 2 * high_nano
    assert len(book.submissions()) == 2


def test_without_its_ledger_the_same_command_adopts_the_job_with_its_estimate(
    service: Service, shell: Shell, book: Book
) -> None:
    first = shell.submit("--tag", "team=support")
    (before,) = book.entries("estimate")
    book.path.unlink()

    second = shell.submit()

    assert (second.code, second.json["reused"]) == (0, True), second.out + second.err
    assert second.json["submission_id"] == first.json["submission_id"]
    assert second.json["job_id"] == first.json["job_id"]
    (job,) = service.jobs()
    assert creates(service) == len(arrivals(service, UPLOAD)) == 1
    assert book.job_ids() == [job["id"]]
    (after,) = book.standing_estimates()
    assert after["submission_id"] == first.json["submission_id"]
    same = (
        "tokens",
        "amount_nano_usd",
        "low_nano_usd",
        "high_nano_usd",
        "nano_usd_per_1m",
        "price_list",
        "source",
    )
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    owner = next(row for row in book.submissions() if row["job_id"])
    assert json.loads(owner["tags"]) == {"team": "support"}

    until(lambda: service.jobs()[0]["status"] == "succeeded")
    (listed,) = [each for each in shell.status() if each["job_id"]]
    assert listed["trained_tokens"] == service.jobs()[0]["trained_tokens"]
    assert len(book.entries("billed")) == len(book.standing_estimates()) == creates(service) == 1


def test_two_jobs_of_one_submission_are_both_recorded_and_reported(
    service: Service, shell: Shell, book: Book
) -> None:
    service.settings(list_lag_s=600)
    service.faults({"on": CREATE, "do": "drop", "when": "after"})
    submission_id = shell.submit().json["details"]["submission_id"]
    service.settings(list_lag_s=0)
    (made,) = service.jobs()
    sent = {name: made[name] for name in ("model", "training_file", "seed", "metadata", "method")}
    twin = service.call("POST", "/v1/fine_tuning/jobs", sent)  # what a retrying proxy would have done

    done = shell.submit()

    assert (done.code, done.json["submission_id"]) == (0, submission_id), done.out + done.err
    jobs = {made["id"], twin["id"]}
    assert set(book.job_ids()) == jobs
    (other,) = jobs - {done.json["job_id"]}
    assert other in done.err
    owners = {row["job_id"]: row["id"] for row in book.submissions()}
    assert owners[done.json["job_id"]] == submission_id
    assert owners[other] != submission_id
    assert sorted(entry["submission_id"] for entry in book.standing_estimates()) == sorted(owners.values())
    assert creates(service) == 2  # the lost one and the twin: none of ours came after them

    until(lambda: all(job["status"] == "succeeded" for job in service.jobs()))
    assert {each["job_id"] for each in shell.status()} == jobs
    assert sorted(entry["submission_id"] for entry in book.entries("billed")) == sorted(owners.values())


@pytest.mark.parametrize("keeps_metadata", [True, False])
def test_jobs_of_other_people_on_the_account_are_never_taken_for_ours(
    keeps_metadata: bool, service: Service, shell: Shell, book: Book
) -> None:
    service.settings(keep_metadata=keeps_metadata)
    other = shell.submit("--again", "other").json
    service.faults({"on": CREATE, "do": "drop"})
    assert shell.submit().code == 9
    (ours,) = [each for each in book.submissions() if each["id"] != other["submission_id"]]
    like_ours = {"model": MODEL, "training_file": other["file_id"]}
    marks = {"ftjobs": "1", "ftjobs_submission": "01HZZZZZZZZZZZZZZZZZZZZZZZ", "ftjobs_key": "0" * 64}
    strangers = [
        service.call("POST", "/v1/fine_tuning/jobs", {**like_ours, "seed": seed, "metadata": metadata})["id"]
        for seed, metadata in enumerate([{}, {"ftjobs": "1"}, marks, {**marks, "ftjobs_submission": ""}])
    ]

    assert shell.submit().code == 9
    assert book.job_ids() == [other["job_id"]]
    resent = shell.resend(ours["id"])

    assert resent.code == 0, resent.out + resent.err
    assert resent.json["job_id"] not in strangers
    assert set(book.job_ids()) == {other["job_id"], resent.json["job_id"]}
    left = {job["id"]: job["status"] for job in service.jobs()}
    assert set(left) == {*strangers, other["job_id"], resent.json["job_id"]}
    assert "cancelled" not in left.values()


def test_the_sandbox_profile_pays_once_too(shell: Shell) -> None:
    """Served in the command's own process; metadata is believed from the first request on."""
    folder = shell.person.home / "data" / "ftjobs" / "sandbox"
    sandbox = ("--profile", "sandbox")
    book = Book(folder / "ledger.sqlite3")
    # A second server over the same state is the test's window into it.
    with serve_in_background(folder) as base_url:
        inside = Service(base_url)
        inside.settings(job_seconds=0.5, file_seconds=0)
        inside.faults({"on": CREATE, "do": "drop", "when": "after"})

        first, second = shell.submit(*sandbox), shell.submit(*sandbox)

        assert (first.code, first.json["reused"]) == (0, False), first.out + first.err
        assert (second.code, second.json["reused"]) == (0, True)
        (job,) = inside.jobs()
        assert first.json["sandbox"] is True
        assert first.json["job_id"] == second.json["job_id"] == job["id"]
        assert creates(inside) == 1
        assert all("ftjobs_key" in look["query"] for look in arrivals(inside, LISTS)[:2])

        book.path.unlink()
        adopted = shell.submit(*sandbox)
        assert (adopted.code, adopted.json["reused"]) == (0, True), adopted.out + adopted.err
        assert adopted.json["submission_id"] == first.json["submission_id"]
        assert len(book.standing_estimates()) == creates(inside) == 1
    assert not shell.book.path.exists()
