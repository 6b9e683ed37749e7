"""The reply of the create call is lost: nobody pays twice, and nobody loses a job."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.conftest import CREATE, Service
from tests.e2e.conftest import LISTS, Book, Shell, arrivals, creates, until

LOSSES: dict[str, dict[str, Any]] = {
    "connection dropped": {"do": "drop"},
    "gateway time-out": {"do": "status", "status": 504},
    "empty object": {"do": "garbage"},
    "redirect to itself": {"do": "redirect"},
    "body cut short": {"do": "truncate"},
}


def lost(when: str, loss: dict[str, Any] | None = None, **more: object) -> dict[str, object]:
    return {"on": CREATE, "when": when, **(loss or {"do": "drop"}), **more}


def expect_one_job(service: Service, book: Book) -> dict[str, Any]:
    """The only job there is stands in the ledger, with one estimate; return it."""
    (job,) = service.jobs()
    assert book.job_ids() == [job["id"]]
    assert len(book.entries("estimate")) == 1
    assert book.entries("void") == []
    return job


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_reply_lost_after_processing_ends_with_the_one_job_that_was_made(
    loss: dict[str, Any], service: Service, shell: Shell, book: Book
) -> None:
    service.faults(lost("after", loss))

    done = shell.submit()

    assert done.code == 0, done.out + done.err
    job = expect_one_job(service, book)
    assert done.json["job_id"] == job["id"]
    assert done.json["submission_id"] == job["metadata"]["ftjobs_submission"]
    assert creates(service) == 1
    assert [row["state"] for row in book.submissions()] == ["created"]


@pytest.mark.parametrize("loss", list(LOSSES.values())[1:], ids=list(LOSSES)[1:])  # a drop: below
def test_a_request_lost_before_processing_is_never_sent_again_by_itself(
    loss: dict[str, Any], service: Service, shell: Shell, book: Book
) -> None:
    service.faults(lost("before", loss))

    done = shell.submit()

    assert done.code == 9, done.out + done.err
    assert done.json["schema"] == "ftjobs.error/1"
    assert done.json["code"] == "submission_uncertain"
    (submission,) = book.submissions()
    assert submission["state"] == "uncertain"
    assert done.json["details"]["submission_id"] == submission["id"]
    assert submission["id"] in done.json["next_step"]
    assert creates(service) == 1
    assert service.jobs() == []
    assert len(book.standing_estimates()) == 1


def test_only_resend_creates_after_an_uncertain_outcome_and_it_looks_five_times_first(
    service: Service, shell: Shell, book: Book
) -> None:
    service.faults(lost("before"))
    submission_id = shell.submit().json["details"]["submission_id"]

    again = shell.submit()
    assert (again.code, again.json["details"]["submission_id"]) == (9, submission_id)
    (listed,) = shell.status()
    assert (listed["submission_id"], listed["status"], listed["job_id"]) == (submission_id, "uncertain", None)
    assert creates(service) == 1

    seen = len(arrivals(service, LISTS))
    resent = shell.resend(submission_id, FTJOBS_SETTLE_S="1")
    looks = [look["at"] for look in arrivals(service, LISTS)[seen:]]

    assert resent.code == 0, resent.out + resent.err
    job = expect_one_job(service, book)
    assert (resent.json["submission_id"], resent.json["job_id"]) == (submission_id, job["id"])
    assert creates(service) == 2
    assert len(looks) >= 5
    # The first arrives later than its time by what connecting takes.
    assert looks[-1] - looks[0] >= 0.5

    rerun = shell.submit()
    assert (rerun.code, rerun.json["job_id"], rerun.json["reused"]) == (0, job["id"], True)
    once_more = shell.resend(submission_id)
    assert (once_more.code, once_more.json["job_id"], once_more.json["reused"]) == (0, job["id"], True)
    assert creates(service) == 2


def test_resend_counts_valid_lookups_only_filtered_and_unfiltered(
    service: Service, shell: Shell, book: Book
) -> None:
    assert shell.submit("--again", "earlier").code == 0  # its job echoes our metadata, so filters are believed
    service.faults(lost("before"))
    submission_id = shell.submit().json["details"]["submission_id"]

    silent = {"on": LISTS, "do": "status", "status": 503, "headers": {"retry-after": "0"}, "skip": 2, "times": 30}
    service.faults(silent)
    gave_up = shell.resend(submission_id)
    assert gave_up.code == 8
    assert creates(service) == 2

    service.faults(
        {"on": LISTS, "do": "garbage", "times": 1},
        {"on": LISTS, "do": "garbage", "body": '{"object": "list", "data": []}', "times": 1},
        {"on": LISTS, "do": "garbage", "body": '{"object": "list", "data": null, "has_more": false}', "times": 1},
    )
    seen = len(arrivals(service, LISTS))
    resent = shell.resend(submission_id)

    assert resent.code == 0, resent.out + resent.err
    looks = arrivals(service, LISTS)[seen:]
    filtered = [look for look in looks if "ftjobs_key" in look["query"]]
    assert min(len(filtered), len(looks) - len(filtered)) >= 5
    assert len(looks) >= 5 + 5 + 3
    assert creates(service) == 3
    assert len(service.jobs()) == 2
    assert book.job_ids() == sorted(job["id"] for job in service.jobs())


def test_an_interrupted_resend_starts_over(service: Service, shell: Shell, book: Book) -> None:
    service.faults(lost("before"))
    submission_id = shell.submit().json["details"]["submission_id"]
    seen = len(arrivals(service, LISTS))
    watching = shell.start("submit", "--resend", submission_id, FTJOBS_SETTLE_S="2")
    until(lambda: len(arrivals(service, LISTS)) >= seen + 3)
    watching.send_signal(signal.SIGINT)
    stopped = shell.end(watching)
    assert stopped.code == 130
    assert f"--resend {submission_id}" in stopped.err
    assert creates(service) == 1

    seen = len(arrivals(service, LISTS))
    assert shell.resend(submission_id).code == 0
    assert len(arrivals(service, LISTS)) - seen >= 5
    expect_one_job(service, book)


@pytest.mark.parametrize("by", ["status", "rerun"])
def test_a_job_that_is_listed_late_is_taken_in_by(by: str, service: Service, shell: Shell, book: Book) -> None:
    service.settings(list_lag_s=600)
    service.faults(lost("after"))
    assert shell.submit().code == 9
    service.settings(list_lag_s=0)

    if by == "status":
        (listed,) = shell.status()
        found = listed["job_id"]
    else:
        done = shell.submit()
        assert (done.code, done.json["reused"]) == (0, True)
        found = done.json["job_id"]

    assert found == expect_one_job(service, book)["id"]
    assert creates(service) == 1
    assert [row["state"] for row in book.submissions()] == ["created"]


def test_a_job_that_is_listed_while_resend_watches_is_taken_in(service: Service, shell: Shell, book: Book) -> None:
    service.settings(list_lag_s=600)
    service.faults(lost("after"))
    submission_id = shell.submit().json["details"]["submission_id"]
    seen = len(arrivals(service, LISTS))
    watching = shell.start("submit", "--resend", submission_id, "--json", FTJOBS_SETTLE_S="4")
    until(lambda: len(arrivals(service, LISTS)) >= seen + 2)
    service.settings(list_lag_s=0)

    done = shell.end(watching)

    assert done.code == 0, done.out + done.err
    job = expect_one_job(service, book)
    assert (done.json["job_id"], done.json["reused"]) == (job["id"], True)
    assert creates(service) == 1


def test_a_service_that_drops_metadata_shows_the_job_by_its_own_file(
    service: Service, shell: Shell, book: Book
) -> None:
    service.settings(keep_metadata=False)
    service.faults(lost("after"), lost("after"))
    assert shell.submit().code == 0
    assert shell.submit("--again", "more").code == 0

    jobs = service.jobs()
    assert len(jobs) == 2
    assert book.job_ids() == sorted(job["id"] for job in jobs)
    # A shared file could not tell the two submissions' jobs apart.
    assert len({job["training_file"] for job in jobs}) == 2
    owners = {row["job_id"]: row["training_file_id"] for row in book.submissions()}
    assert owners == {job["id"]: job["training_file"] for job in jobs}
    assert creates(service) == 2
