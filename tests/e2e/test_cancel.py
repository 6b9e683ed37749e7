"""`cancel` stops what is asked for, after a yes, and never calls an unknown bill $0."""

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

from tests.conftest import CREATE, Person, Run, Service
from tests.e2e.conftest import UPLOAD, Book, Shell, arrivals, creates, until

ON_CANCEL = "POST /v1/fine_tuning/jobs/*/cancel"
UNKNOWN_BILL = "work done until then may be billed: the bill is unknown until the service tells"


def cancels(service: Service) -> int:
    """Return how many requests to cancel arrived."""
    return sum(row["method"] == "POST" and row["path"].endswith("/cancel") for row in service.requests())


def under_way(service: Service, shell: Shell) -> dict[str, Any]:
    """Return what submitting told of a job that will go on for long."""
    service.settings(job_seconds=1000)
    told = shell.submit()
    assert told.code == 0, told.err
    value: dict[str, Any] = told.json
    return value


def recorded_only(service: Service, shell: Shell) -> dict[str, Any]:
    """Return the submission of a command that died before it sent anything."""
    shell.submit(FTJOBS_FAILPOINT="submission.recorded:kill")
    (submission,) = shell.book.submissions()
    assert submission["state"] == "recorded"
    return submission


def as_told(service: Service, job_id: str, **fields: object) -> str:
    """Return the job's object with some fields told otherwise."""
    return json.dumps({**service.call("GET", f"/v1/fine_tuning/jobs/{job_id}"), **fields})


def at_a_terminal(person: Person, answer: str | None, *args: str) -> Run:
    """Run a command at a terminal of 60 cells, where somebody types the answer; None is Ctrl-C at the question."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        person.command(*args),
        cwd=person.home,
        env=person.env(COLUMNS="60", NO_COLOR="1"),
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
        start_new_session=True,
    )
    os.close(slave)
    shown = ""
    while "[y/N]" not in shown:
        shown += os.read(master, 4096).decode()
    if answer is None:
        process.send_signal(signal.SIGINT)
    else:
        os.write(master, answer.encode())
    out, _ = process.communicate(timeout=240)
    try:
        while more := os.read(master, 4096):
            shown += more.decode()
    except OSError:
        pass  # the terminal's other end is gone
    os.close(master)
    return Run(process.returncode, out, shown)


# A job that goes on


def test_a_job_is_cancelled_and_its_bill_is_unknown_not_nothing(
    service: Service, shell: Shell, inside: Callable[..., Run], book: Book
) -> None:
    job = under_way(service, shell)
    told = inside("cancel", job["job_id"], "--yes")
    assert (told.code, told.err) == (0, "")
    assert told.out == f"job {job['job_id']} cancelled\n{UNKNOWN_BILL}\n"
    assert service.jobs()[0]["status"] == "cancelled"
    assert cancels(service) == 1
    assert book.entries("billed", "void") == []
    (shown,) = inside("status", "last", "--json").json["jobs"]
    assert (shown["status"], shown["billed_cost_usd"], shown["trained_tokens"]) == ("cancelled", None, None)
    table = inside("status", "last").out
    assert "unknown" in table
    assert "$0.00" not in table


@pytest.mark.parametrize("named", ["job", "submission", "prefix of the job", "last"])
def test_a_job_is_named_as_everywhere(
    service: Service, shell: Shell, inside: Callable[..., Run], named: str
) -> None:
    job = under_way(service, shell)
    names = {
        "job": job["job_id"],
        "submission": job["submission_id"],
        "prefix of the job": job["job_id"][:10],
        "last": "last",
    }
    told = inside("cancel", names[named], "-y", "--json")
    assert (told.code, told.err) == (0, "")
    value = told.json
    assert value["schema"] == "ftjobs.jobs/1"
    (shown,) = value["jobs"]
    assert (shown["job_id"], shown["status"]) == (job["job_id"], "cancelled")
    assert (shown["billed_cost_usd"], shown["billed_basis"], shown["trained_tokens"]) == (None, None, None)


def test_trained_tokens_that_the_service_tells_are_billed(
    service: Service, shell: Shell, inside: Callable[..., Run], book: Book
) -> None:
    job = under_way(service, shell)
    body = as_told(service, job["job_id"], status="cancelled", finished_at=1_795_000_000, trained_tokens=1_000_001)
    service.faults({"on": ON_CANCEL, "do": "garbage", "body": body})
    told = inside("cancel", "last", "--yes")
    assert (told.code, told.out) == (0, f"job {job['job_id']} cancelled\nbilled $3.00\n")
    (entry,) = book.entries("billed")
    assert (entry["tokens"], Decimal(entry["amount_nano_usd"])) == (1_000_001, Decimal("3000003000"))


def test_a_job_that_stops_later_is_not_called_cancelled(
    service: Service, shell: Shell, inside: Callable[..., Run]
) -> None:
    job = under_way(service, shell)
    service.faults(
        {"on": ON_CANCEL, "do": "garbage", "body": as_told(service, job["job_id"], status="cancelling")}
    )
    told = inside("cancel", "last", "--yes")
    assert told.code == 0
    first, *rest = told.out.splitlines()
    assert first == f"the service took the request to cancel job {job['job_id']}; it is cancelling until it stops"
    assert rest == [UNKNOWN_BILL, f"watch it with: ftjobs watch {job['job_id']}"]


def test_a_job_has_one_submit_until_it_is_cancelled_and_a_new_one_after(
    service: Service, shell: Shell, inside: Callable[..., Run]
) -> None:
    job = under_way(service, shell)
    again = shell.submit()
    assert (again.json["job_id"], again.json["reused"]) == (job["job_id"], True)
    assert inside("cancel", "last", "--yes").code == 0
    anew = shell.submit()
    assert (anew.code, anew.json["reused"]) == (0, False)
    assert anew.json["job_id"] != job["job_id"]
    assert creates(service) == len(service.jobs()) == 2


# What has ended


def test_a_job_that_the_ledger_knows_to_have_ended_costs_no_request(
    service: Service, shell: Shell, inside: Callable[..., Run], book: Book
) -> None:
    job = shell.submit("--wait").out.splitlines()[0]
    job_id = json.loads(job)["job_id"]
    asked, before = len(service.requests()), book.path.read_bytes()
    told = inside("cancel", "last")
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith(f"job {job_id} has ended already (succeeded), nothing was sent\nbilled $0.0")
    assert len(service.requests()) == asked
    assert book.path.read_bytes() == before
    assert inside("cancel", "last", "--json").json["jobs"][0]["status"] == "succeeded"


def test_a_job_that_ended_unseen_is_billed_and_not_cancelled(
    service: Service, shell: Shell, inside: Callable[..., Run], book: Book
) -> None:
    job = shell.submit().json
    until(lambda: service.jobs()[0]["status"] == "succeeded")
    told = inside("cancel", job["job_id"], "--yes")
    assert told.code == 0
    assert "has ended already (succeeded), nothing was sent\nbilled $0.0" in told.out
    assert cancels(service) == 0
    assert len(book.entries("billed")) == 1


def test_cancelling_twice_says_so(service: Service, shell: Shell, inside: Callable[..., Run]) -> None:
    job = under_way(service, shell)
    assert inside("cancel", "last", "--yes").code == 0
    told = inside("cancel", "last", "--yes")
    assert (told.code, told.out) == (
        0,
        f"job {job['job_id']} has ended already (cancelled), nothing was sent\n{UNKNOWN_BILL}\n",
    )
    assert cancels(service) == 1


# The question


def test_without_a_terminal_yes_is_needed_and_nothing_is_asked_of_anybody(
    service: Service, shell: Shell, inside: Callable[..., Run]
) -> None:
    under_way(service, shell)
    asked = len(service.requests())
    told = inside("cancel", "last")
    assert (told.code, told.out) == (2, "")
    assert "--yes" in told.err
    as_json = inside("cancel", "last", "--json").json
    assert (as_json["schema"], as_json["code"], as_json["exit_code"]) == ("ftjobs.error/1", "not_confirmed", 2)
    assert len(service.requests()) == asked


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_a_yes_at_the_terminal_cancels(service: Service, shell: Shell, person: Person, answer: str) -> None:
    job = under_way(service, shell)
    told = at_a_terminal(person, answer, "cancel", "last")
    assert told.code == 0
    assert f"Cancel job {job['job_id']} (" in told.err
    assert service.jobs()[0]["status"] == "cancelled"
    assert "may be billed" in told.err
    assert told.out == f"job {job['job_id']} cancelled\n{UNKNOWN_BILL}\n"


@pytest.mark.parametrize("answer", ["\n", "n\n", "maybe\n", "\x04"], ids=["Enter", "n", "maybe", "end of input"])
def test_anything_else_at_the_terminal_leaves_the_job_alone(
    service: Service, shell: Shell, person: Person, answer: str
) -> None:
    under_way(service, shell)
    told = at_a_terminal(person, answer, "cancel", "last")
    assert (told.code, told.out) == (2, "")
    assert "Nothing was cancelled." in told.err
    assert cancels(service) == 0


def test_the_question_names_the_state_of_this_moment(service: Service, shell: Shell, person: Person) -> None:
    under_way(service, shell)
    job_id = service.jobs()[0]["id"]
    running = as_told(service, job_id, status="running")
    service.faults({"on": "GET /v1/fine_tuning/jobs/*", "do": "garbage", "body": running})
    assert "(running, gpt-4o-mini-2024-07-18)" in at_a_terminal(person, "n\n", "cancel", "last").err


def test_ctrl_c_at_the_question_leaves_the_job_alone(service: Service, shell: Shell, person: Person) -> None:
    job = under_way(service, shell)
    told = at_a_terminal(person, None, "cancel", "last")
    assert (told.code, told.out) == (130, "")
    assert f"the ledger has job {job['job_id']} as " in told.err
    assert "Traceback" not in told.err
    assert cancels(service) == 0


# What the service may do instead


def test_a_no_is_told_in_the_services_words_after_a_look_at_the_job(
    service: Service, shell: Shell, inside: Callable[..., Run], book: Book
) -> None:
    job = shell.submit("--tag", "a=b").json
    until(lambda: service.jobs()[0]["status"] == "succeeded")
    early = as_told(service, job["job_id"], status="running", finished_at=None, trained_tokens=None)
    service.faults({"on": "GET /v1/fine_tuning/jobs/*", "do": "garbage", "body": early})
    told = inside("cancel", "last", "--yes")
    assert (told.code, told.out) == (7, "")
    assert f"The API refused to cancel job {job['job_id']} (HTTP 400): Job {job['job_id']} has ended." in told.err
    assert f"It has ended (succeeded); `ftjobs show {job['job_id']}`" in told.err
    assert cancels(service) == 1
    assert len(book.entries("billed")) == 1


def test_a_no_to_a_job_that_goes_on_says_that_it_goes_on(
    service: Service, shell: Shell, inside: Callable[..., Run]
) -> None:
    job = under_way(service, shell)
    service.faults({"on": ON_CANCEL, "do": "status", "status": 405})
    told = inside("cancel", "last", "--yes", "--json")
    assert (told.code, told.json["details"]["http_status"]) == (7, 405)
    assert "It goes on (" in told.json["next_step"]
    assert told.json["details"]["job_id"] == job["job_id"]


def test_a_service_without_this_request_does_not_make_the_job_missing(
    service: Service, shell: Shell, inside: Callable[..., Run]
) -> None:
    under_way(service, shell)
    service.faults({"on": ON_CANCEL, "do": "status", "status": 404})
    told = inside("cancel", "last", "--yes", "--json")
    assert (told.code, told.json["details"]["http_status"]) == (7, 404)
    assert told.json["code"] != "job_missing"


@pytest.mark.parametrize("skip", [0, 1], ids=["before the question", "after the request"])
def test_a_job_that_the_service_does_not_have_is_missing(
    service: Service, shell: Shell, inside: Callable[..., Run], skip: int
) -> None:
    job = under_way(service, shell)
    service.faults(
        {"on": ON_CANCEL, "do": "status", "status": 404},
        {"on": "GET /v1/fine_tuning/jobs/*", "do": "status", "status": 404, "skip": skip},
    )
    told = inside("cancel", "last", "--yes", "--json")
    assert (told.code, told.json["code"]) == (7, "job_missing")
    assert told.json["details"]["job_id"] == job["job_id"]


def test_a_lost_reply_is_made_up_for_by_a_look_at_the_job(
    service: Service, shell: Shell, inside: Callable[..., Run]
) -> None:
    job = under_way(service, shell)
    service.faults({"on": ON_CANCEL, "do": "drop", "when": "after"})
    told = inside("cancel", "last", "--yes")
    assert (told.code, told.out) == (0, f"job {job['job_id']} cancelled\n{UNKNOWN_BILL}\n")
    assert cancels(service) == 1


@pytest.mark.parametrize(
    "fault",
    [{"do": "drop"}, {"do": "garbage"}, {"do": "status", "status": 503}, {"do": "redirect"}],
    ids=lambda fault: str(fault["do"]),
)
def test_a_request_that_came_to_nothing_is_not_called_a_cancel(
    service: Service, shell: Shell, inside: Callable[..., Run], fault: dict[str, object]
) -> None:
    job = under_way(service, shell)
    service.faults({"on": ON_CANCEL, **fault})
    told = inside("cancel", "last", "--yes", "--json")
    assert (told.code, told.json["code"]) == (8, "cancel_unknown")
    assert told.json["next_step"] == "Run the same command again."
    assert told.json["details"]["job_id"] == job["job_id"]
    assert cancels(service) == 1, "sent once, and nowhere else"
    assert inside("cancel", "last", "--yes").code == 0, "as the next step says"


def test_where_nobody_can_tell_nothing_is_claimed(
    service: Service, shell: Shell, inside: Callable[..., Run]
) -> None:
    job = under_way(service, shell)
    service.faults(
        {"on": ON_CANCEL, "do": "drop", "when": "after"},
        {"on": "GET /v1/fine_tuning/jobs/*", "do": "status", "status": 403, "skip": 1, "times": 1},
    )
    told = inside("cancel", "last", "--yes")
    assert told.code == 8
    assert f"Nobody knows whether job {job['job_id']} is cancelled" in told.err
    assert inside("status", "last", "--json").json["jobs"][0]["status"] == "cancelled"


def test_a_ledger_that_cannot_be_written_does_not_hide_the_cancel(service: Service, shell: Shell) -> None:
    job = under_way(service, shell)
    with closing(sqlite3.connect(shell.book.path)) as connection, connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON jobs WHEN NEW.raw LIKE '%\"cancelled\"%'"
            " BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    told = shell.run("cancel", "last", "--yes", "--json")
    assert (told.code, told.json["code"]) == (12, "job_not_recorded")
    assert told.json["message"].startswith(f"Job {job['job_id']} is cancelled, but ")


def test_ctrl_c_during_the_request_waits_until_the_answer_is_recorded(
    service: Service, shell: Shell, book: Book
) -> None:
    job = under_way(service, shell)
    service.faults({"on": ON_CANCEL, "do": "delay", "seconds": 1.5, "when": "after"})
    cancelling = shell.start("cancel", "last", "--yes")
    until(lambda: service.jobs()[0]["status"] == "cancelled")
    cancelling.send_signal(signal.SIGINT)
    ended = shell.end(cancelling)
    assert (ended.code, ended.out) == (130, "")
    assert "the answer must be recorded" in ended.err
    assert f"Interrupted; the ledger has job {job['job_id']} as cancelled." in ended.err
    (row,) = book.rows("SELECT raw FROM jobs")
    assert json.loads(row["raw"])["status"] == "cancelled"


# A submission without a job


def test_an_unsent_submission_is_abandoned_without_a_word_to_the_service(
    service: Service, shell: Shell, inside: Callable[..., Run], book: Book
) -> None:
    submission = recorded_only(service, shell)
    asked = len(service.requests())
    told = inside("cancel", submission["id"], "--yes")
    assert (told.code, told.err) == (0, "")
    assert told.out == f"submission {submission['id']} abandoned; it was never sent, so nothing is billed\n"
    assert len(service.requests()) == asked
    (kept,) = book.submissions()
    assert (kept["state"], kept["error_code"], kept["holds_key"]) == ("abandoned", "cancelled", 0)
    assert len(book.entries("void")) == 1
    assert book.standing_estimates() == []


def test_abandoning_needs_no_key_for_the_service(
    service: Service, shell: Shell, inside: Callable[..., Run]
) -> None:
    recorded_only(service, shell)
    told = inside("cancel", "last", "--yes", "--json", OPENAI_API_KEY="")
    assert (told.code, told.json["jobs"][0]["status"]) == (0, "abandoned")


def test_an_abandoned_submission_frees_its_key_and_is_over(
    service: Service, shell: Shell, inside: Callable[..., Run], book: Book
) -> None:
    submission = recorded_only(service, shell)
    assert inside("cancel", "last", "--yes").code == 0
    again = inside("cancel", submission["id"])
    assert again.code == 0
    assert (
        again.out == f"submission {submission['id']} is abandoned already; it created no job, nothing was sent\n"
    )
    assert len(book.entries("void")) == 1
    anew = shell.submit()
    assert (anew.code, anew.json["reused"]) == (0, False)
    assert anew.json["submission_id"] != submission["id"]


def test_abandoning_is_asked_too(service: Service, shell: Shell, person: Person, book: Book) -> None:
    submission = recorded_only(service, shell)
    told = at_a_terminal(person, "\n", "cancel", "last")
    assert told.code == 2
    assert f"Abandon submission {submission['id']}?" in told.err
    assert book.submissions()[0]["state"] == "recorded"
    assert at_a_terminal(person, "y\n", "cancel", "last").code == 0
    assert book.submissions()[0]["state"] == "abandoned"


def test_a_submission_that_another_process_works_on_is_left_to_it(
    service: Service, shell: Shell, inside: Callable[..., Run], book: Book
) -> None:
    service.faults({"on": UPLOAD, "do": "delay", "seconds": 2})
    submitting = shell.start_submit()
    until(lambda: arrivals(service, UPLOAD))
    told = inside("cancel", "last", "--yes", "--json")
    assert (told.code, told.json["code"]) == (8, "submission_busy")
    assert shell.end(submitting).code == 0
    assert book.submissions()[0]["state"] == "created"


@pytest.mark.parametrize("point", ["create.sending", "create.replied"])
def test_a_submission_that_may_have_a_job_is_refused(
    service: Service, shell: Shell, inside: Callable[..., Run], book: Book, point: str
) -> None:
    shell.submit(FTJOBS_FAILPOINT=f"{point}:kill")
    (submission,) = book.submissions()
    asked = len(service.requests())
    told = inside("cancel", "last", "--yes", "--json")
    assert (told.code, told.json["code"]) == (9, "submission_uncertain")
    assert "ftjobs status" in told.json["next_step"]
    assert f"ftjobs submit --resend {submission['id']}" in told.json["next_step"]
    assert len(service.requests()) == asked
    assert book.submissions() == [submission]


def test_an_uncertain_submission_is_cancelled_once_its_job_is_found(
    service: Service, shell: Shell, inside: Callable[..., Run], book: Book
) -> None:
    service.settings(job_seconds=1000, list_lag_s=600)
    service.faults({"on": CREATE, "do": "drop", "when": "after"})
    assert shell.submit().code == 9
    assert inside("cancel", "last", "--yes").code == 9
    assert [row["state"] for row in book.submissions()] == ["uncertain"]
    service.settings(list_lag_s=0)
    assert inside("status").code == 0
    assert inside("cancel", "last", "--yes").code == 0
    assert [job["status"] for job in service.jobs()] == ["cancelled"]


# Bad input


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("ftjob-nothing",), "unknown_job"),
        (("",), "unknown_job"),
        (("last",), "unknown_job"),
        ((), "usage"),
        (("a", "b"), "usage"),
        (("last", "--now"), "unknown_option"),
    ],
)
def test_what_names_nothing_is_a_slip(inside: Callable[..., Run], args: tuple[str, ...], code: str) -> None:
    told = inside("cancel", *args, "--yes", "--json")
    assert (told.code, told.json["code"]) == (2, code)


def test_a_prefix_of_two_jobs_cancels_neither(
    service: Service,
    shell: Shell,
    inside: Callable[..., Run],
    make_training_file: Callable[[str, int], Path],
) -> None:
    under_way(service, shell)
    under_way(service, shell.on(make_training_file("other.jsonl", 13)))
    told = inside("cancel", "ftjob-", "--yes", "--json")
    assert (told.code, told.json["code"]) == (2, "ambiguous_job")
    assert cancels(service) == 0


def test_a_missing_job_is_asked_for_again_and_cancelled_where_it_turns_up(
    service: Service, inside: Callable[..., Run], training_file: Path
) -> None:
    service.settings(job_seconds=60)
    job_id = inside("submit", str(training_file), "--model", "gpt-4o-mini", "--json").json["job_id"]
    gone = {"on": f"GET /v1/fine_tuning/jobs/{job_id}", "do": "status", "status": 404}
    service.faults({**gone, "times": 3})
    inside("status")
    assert "missing" in inside("status").out
    refused = inside("cancel", job_id, "--yes", "--json")
    assert (refused.code, refused.json["code"]) == (7, "job_missing")
    assert "it may still run, and be billed" in refused.json["next_step"]
    assert service.jobs()[0]["status"] != "cancelled"
    assert inside("cancel", job_id, "--yes").code == 0
    assert service.jobs()[0]["status"] == "cancelled"


def test_a_missing_job_leaves_no_results_and_a_bare_watch_says_that_it_is_missing(
    service: Service, inside: Callable[..., Run], training_file: Path
) -> None:
    service.settings(job_seconds=60)
    job_id = inside("submit", str(training_file), "--model", "gpt-4o-mini", "--json").json["job_id"]
    gone = {"on": f"GET /v1/fine_tuning/jobs/{job_id}", "do": "status", "status": 404, "times": 50}
    service.faults(gone, {**gone, "on": f"{gone['on']}/events"})
    inside("status")
    inside("status")
    told = inside("results", job_id)
    assert (told.code, "does not know job" in told.err, "ftjobs watch" in told.err) == (7, True, False)
    watched = inside("watch")
    assert (watched.code, watched.err) == (0, "no job is under way; 1 missing, see: ftjobs status\n")
