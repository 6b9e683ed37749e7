"""What an answer means, for every status there is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from ftjobs.provider.outcomes import (
    Again,
    Created,
    NoReply,
    NotNow,
    Rejected,
    Reply,
    Uncertain,
    error_of,
    outcome_of_create,
    rejected_error,
    retry_after_s,
    trouble_of_read,
)

NOW = datetime(2027, 6, 1, 12, tzinfo=UTC)
SENT = {"model": "m", "training_file": "file-1", "seed": 7}
JOB = {"object": "fine_tuning.job", "id": "ftjob-1", "status": "queued", "created_at": 1795348800}
EVERY_STATUS = range(100, 1000)
REJECTING = {400, 401, 402, 403, 404, 405, 411, 413, 415, 422}
PASSING = {408, 409, 423, 425, 429, 499}


def reply(status: int, body: object = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, json.dumps(body).encode())


def test_every_status_of_the_create_call_has_its_row() -> None:
    kinds = {status: type(outcome_of_create(reply(status, JOB), sent=SENT, now=NOW)) for status in EVERY_STATUS}
    assert {status for status, kind in kinds.items() if kind is Created} == set(range(200, 300))
    assert {status for status, kind in kinds.items() if kind is Rejected} == REJECTING
    assert {status for status, kind in kinds.items() if kind is NotNow} == {429}
    assert {status for status, kind in kinds.items() if kind is Uncertain} == (
        set(EVERY_STATUS) - set(range(200, 300)) - REJECTING - {429}
    )


def test_without_an_answer_only_what_never_left_is_not_now() -> None:
    assert outcome_of_create(NoReply(sent=True, reason="why"), sent=SENT, now=NOW) == Uncertain("why")
    assert outcome_of_create(NoReply(sent=False, reason="why"), sent=SENT, now=NOW) == NotNow("why", "unreachable")


def test_every_status_of_a_read_has_its_row() -> None:
    troubles = {status: trouble_of_read(reply(status), now=NOW) for status in EVERY_STATUS}
    assert {status for status, trouble in troubles.items() if trouble is None} == set(range(200, 300))
    final = {status for status, trouble in troubles.items() if isinstance(trouble, Rejected)}
    assert final == set(range(400, 500)) - PASSING
    assert all(isinstance(troubles[status], Again) for status in PASSING)


def test_a_read_without_an_answer_may_be_asked_again() -> None:
    for sent in (True, False):
        assert trouble_of_read(NoReply(sent=sent, reason="why"), now=NOW) == Again("why")


@pytest.mark.parametrize("status", [429, 503])
def test_a_read_waits_as_long_as_it_is_told(status: int) -> None:
    assert trouble_of_read(reply(status, retry_after="300"), now=NOW) == Again(f"HTTP {status}", 300)


@pytest.mark.parametrize("code", ["insufficient_quota", "exceeded_quota"])
def test_a_read_does_not_wait_for_money(code: str) -> None:
    answer = reply(429, {"error": {"code": code, "message": "no"}}, retry_after="1")
    assert trouble_of_read(answer, now=NOW) == Rejected(429, code, "no")


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error": {"code": "c", "type": "t", "message": "m"}}, "c", "m"),
        ({"error": {"code": None, "type": "t", "message": "m"}}, "t", "m"),
        ({"error": {"code": "", "type": "t"}}, "t", "no further explanation"),
        ({"error": {"code": 17, "message": ["m"]}}, "http_418", "no further explanation"),
        ({"error": "in words"}, "http_418", "in words"),
        ({"error": None}, "http_418", "no further explanation"),
        ({"error": "Bad Request", "detail": "not in this region"}, "http_418", "not in this region"),
        ({"error": "in words", "detail": ""}, "http_418", "in words"),
        ({"error": {}, "detail": "why"}, "http_418", "why"),
        ({"error": {"code": "c", "message": "m"}, "detail": "why"}, "c", "m"),
        ({"message": "not an envelope"}, "http_418", "no further explanation"),
        ([], "http_418", "no further explanation"),
        ({"error": {"code": "c", "message": "two\n lines\x1b[31m\u202e"}}, "c", "two lines[31m"),
    ],
)
def test_an_error_is_its_code_and_message_on_one_line(body: object, code: str, message: str) -> None:
    assert error_of(reply(418, body)) == (code, message)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"[" * 100_000, b"1" * 5000], ids=len)
def test_an_error_that_is_no_json_has_stand_ins(body: bytes) -> None:
    assert error_of(Reply(500, {}, body)) == ("http_500", "no further explanation")


def test_a_long_message_is_cut() -> None:
    _, message = error_of(reply(400, {"error": {"message": "word " * 1000}}))
    assert len(message) == 300
    assert message.endswith("…")


def test_a_date_to_retry_after_is_seconds_from_now() -> None:
    in_a_minute = format_datetime(NOW + timedelta(seconds=60), usegmt=True)
    assert retry_after_s(reply(503, retry_after=in_a_minute), now=NOW) == 60
    assert retry_after_s(reply(503, retry_after=in_a_minute), now=NOW + timedelta(hours=1)) == 0
    assert retry_after_s(reply(503), now=NOW) is None


@pytest.mark.parametrize(
    ("status", "code", "step"),
    [
        (401, "invalid_api_key", "Check the API key"),
        (402, "x", "Settle the account's billing"),
        (403, "x", "Ask the account's owner"),
        (403, "training_not_available", "This organization may no longer fine-tune here"),
        (404, "model_not_found", "Choose a model"),
        (400, "invalid_n_examples", "Add examples"),
        (429, "insufficient_quota", "Add credit"),
        (422, "x", "Change what the message names"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, code: str, step: str) -> None:
    error = rejected_error(Rejected(status, code, "as told"), doing="the job", submission_id="01K")
    assert error.next_step.startswith(step)
    assert error.message == f"The API refused the job (HTTP {status}): as told"
    assert (error.code, error.exit_code, error.details) == (
        code,
        7,
        {"http_status": status, "submission_id": "01K"},
    )
