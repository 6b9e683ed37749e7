"""The process dies without a word: the same command again ends with one job, or says that it cannot know."""

from __future__ import annotations

import pytest

from tests.conftest import CREATE, Service
from tests.e2e.conftest import LISTS, UPLOAD, Book, Shell, creates, until


def delayed(on: str, when: str) -> dict[str, object]:
    return {"on": on, "do": "delay", "seconds": 60, "when": when}


@pytest.mark.parametrize(
    ("on", "when"),
    [(LISTS, "before"), (UPLOAD, "after"), ("GET /v1/files/*", "after")],
    ids=["looking", "uploaded without a reply", "waiting for the file"],
)
def test_killed_before_the_create_call_the_same_command_goes_on_with_the_submission(
    on: str, when: str, service: Service, shell: Shell, book: Book
) -> None:
    service.faults(delayed(on, when))
    dying = shell.start_submit()
    until(lambda: service.call("GET", "/sandbox/faults") == [])  # the fault has struck
    shell.kill(dying)
    (submission,) = book.submissions()
    assert submission["state"] == "recorded"

    done = shell.submit()

    assert (done.code, done.json["reused"]) == (0, False), done.out + done.err
    assert done.json["submission_id"] == submission["id"]
    (job,) = service.jobs()
    assert book.job_ids() == [job["id"]]
    assert len(book.entries()) == len(book.submissions()) == creates(service) == 1


def test_killed_after_the_service_made_the_job_the_same_command_takes_it_in(
    service: Service, shell: Shell, book: Book
) -> None:
    service.faults(delayed(CREATE, "after"))
    dying = shell.start_submit()
    until(service.jobs)
    shell.kill(dying)
    assert [row["state"] for row in book.submissions()] == ["sending"]

    done = shell.submit()

    assert (done.code, done.json["reused"]) == (0, True), done.out + done.err
    (job,) = service.jobs()
    assert book.job_ids() == [job["id"]] == [done.json["job_id"]]
    assert len(book.entries()) == creates(service) == 1


def test_killed_while_the_request_is_on_its_way_only_resend_creates(
    service: Service, shell: Shell, book: Book
) -> None:
    service.faults(delayed(CREATE, "before"))  # a request whose sender is gone by then is not processed
    dying = shell.start_submit()
    until(lambda: creates(service))
    shell.kill(dying)
    (submission,) = book.submissions()
    assert submission["state"] == "sending"

    (listed,) = shell.status()
    assert (listed["status"], listed["job_id"]) == ("uncertain", None)
    again = shell.submit()
    assert (again.code, again.json["details"]["submission_id"]) == (9, submission["id"])
    assert creates(service) == 1

    done = shell.resend(submission["id"])
    assert done.code == 0, done.out + done.err
    (job,) = service.jobs()
    assert book.job_ids() == [job["id"]] == [done.json["job_id"]]
    assert len(book.entries()) == 1
