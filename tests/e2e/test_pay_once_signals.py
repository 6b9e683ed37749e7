"""Ctrl-C and its kin: they wait while a create call is under way, and elsewhere lose nothing."""

from __future__ import annotations

import signal
import time

import pytest

from tests.conftest import CREATE, Service
from tests.e2e.conftest import LISTS, MODEL, UPLOAD, Book, Shell, arrivals, creates, until

LONG_S = 100  # nobody waits for this


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP)],
)
def test_a_signal_during_the_create_call_waits_until_its_reply_is_recorded(
    number: signal.Signals, code: int, service: Service, shell: Shell, book: Book
) -> None:
    service.faults({"on": CREATE, "do": "delay", "seconds": 1.5, "when": "after"})
    submitting = shell.start_submit()
    until(service.jobs)
    submitting.send_signal(number)

    ended = shell.end(submitting)

    assert ended.code == code, ended.out + ended.err
    assert "must be recorded" in ended.err
    (job,) = service.jobs()
    assert book.job_ids() == [job["id"]]
    assert [row["state"] for row in book.submissions()] == ["created"]
    if number is signal.SIGINT:
        assert ended.json["code"] == "interrupted"
        rerun = shell.submit()
        assert (rerun.code, rerun.json["job_id"], rerun.json["reused"]) == (0, job["id"], True)
    assert len(book.entries()) == creates(service) == 1


def test_a_second_ctrl_c_during_the_create_call_ends_it_and_a_rerun_finds_the_job(
    service: Service, shell: Shell, book: Book
) -> None:
    service.faults({"on": CREATE, "do": "delay", "seconds": LONG_S, "when": "after"})
    submitting = shell.start("submit", str(shell.data), "--model", MODEL)
    until(service.jobs)
    asked = time.monotonic()
    submitting.send_signal(signal.SIGINT)
    assert submitting.stderr
    while "must be recorded" not in (line := submitting.stderr.readline()):
        assert line, "it ended without a word"
    submitting.send_signal(signal.SIGINT)

    ended = shell.end(submitting)

    assert ended.code == 130, ended.out + ended.err
    assert time.monotonic() - asked < LONG_S / 2
    assert book.job_ids() == []
    done = shell.submit()
    assert (done.code, done.json["reused"]) == (0, True), done.out + done.err
    assert book.job_ids() == [done.json["job_id"]] == [job["id"] for job in service.jobs()]
    assert len(book.entries()) == creates(service) == 1


def test_ctrl_c_during_a_create_call_whose_reply_is_lost_leaves_it_uncertain_and_a_rerun_finds_it(
    service: Service, shell: Shell, book: Book
) -> None:
    service.settings(list_lag_s=600)
    service.faults({"on": CREATE, "do": "drop", "when": "after"})
    submitting = shell.start_submit()
    until(lambda: len(arrivals(service, LISTS)) >= 2)  # it looks for the job of the lost reply
    submitting.send_signal(signal.SIGINT)
    ended = shell.end(submitting)
    assert ended.code == 130
    assert [row["state"] for row in book.submissions()] == ["uncertain"]
    service.settings(list_lag_s=0)

    done = shell.submit()

    assert (done.code, done.json["reused"]) == (0, True)
    assert book.job_ids() == [done.json["job_id"]] == [job["id"] for job in service.jobs()]
    assert creates(service) == 1


@pytest.mark.parametrize("on", [LISTS, UPLOAD])
def test_ctrl_c_before_the_create_call_ends_the_command_at_once_and_it_goes_on_later(
    on: str, service: Service, shell: Shell, book: Book
) -> None:
    service.faults({"on": on, "do": "delay", "seconds": LONG_S})
    submitting = shell.start("submit", str(shell.data), "--model", MODEL)
    until(lambda: arrivals(service, on))
    asked = time.monotonic()
    submitting.send_signal(signal.SIGINT)

    ended = shell.end(submitting)

    assert time.monotonic() - asked < LONG_S / 2
    assert creates(service) == 0
    (submission,) = book.submissions()
    assert submission["state"] == "recorded"
    assert ended.code == 130
    assert f"ftjobs submit {shell.data} --model {MODEL}" in ended.err
    assert "Traceback" not in ended.err

    done = shell.submit()
    assert (done.code, done.json["submission_id"]) == (0, submission["id"])
    assert len(service.jobs()) == len(book.entries()) == creates(service) == 1


def test_ctrl_c_while_following_another_process_leaves_that_one_alone(
    service: Service, shell: Shell, book: Book
) -> None:
    service.faults({"on": CREATE, "do": "delay", "seconds": 6, "when": "after"})
    leading = shell.start_submit()
    until(service.jobs)
    leading.send_signal(signal.SIGSTOP)  # it stays amid its create call, however slowly the other one starts
    following = shell.start("submit", str(shell.data), "--model", MODEL)
    assert following.stderr
    assert "another process" in following.stderr.readline()
    following.send_signal(signal.SIGINT)

    assert shell.end(following).code == 130
    leading.send_signal(signal.SIGCONT)
    led = shell.end(leading)

    assert (led.code, led.json["reused"]) == (0, False)
    assert book.job_ids() == [led.json["job_id"]]
    assert creates(service) == 1
