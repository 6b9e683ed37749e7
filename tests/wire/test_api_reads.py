"""Reads: what is believed, what is asked again, and when asking ends."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import httpx
import httpx2
import pytest
import respx

from ftjobs.errors import RejectedError, UnavailableError
from ftjobs.provider.objects import RemoteFile
from ftjobs.provider.retrying import RetryPolicy
from tests.conftest import Service
from tests.wire.conftest import FILE, JOBS, MINI, URL, Accounts, job_object, page_of

LIST = "GET /v1/fine_tuning/jobs"
THREE = RetryPolicy(attempts=3)
JOB_URL = f"{JOBS}/ftjob-1"


# Pages: "no jobs" is believed only of a page that says so in full.


@pytest.mark.parametrize(
    ("more", "after"),
    [(False, None), (True, "ftjob-2")],
)
def test_a_true_page_is_its_jobs_and_the_next_cursor(
    account: Accounts, httpx2_mock: respx.MockRouter, more: bool, after: str | None
) -> None:
    body = page_of(job_object("ftjob-3"), job_object("ftjob-2"), more=more)
    httpx2_mock.get(JOBS).respond(json=body)
    page = account().api.list_jobs(after="ftjob-4")
    assert [job.id for job in page.jobs] == ["ftjob-3", "ftjob-2"]
    assert page.after == after


LIES: dict[str, object] = {
    "an empty object": {},
    "a list": [],
    "null": None,
    "no object": {"data": [], "has_more": False},
    "another object": {"object": "fine_tuning.job", "data": [], "has_more": False},
    "no data": {"object": "list", "has_more": False},
    "null data": {"object": "list", "data": None, "has_more": False},
    "data that is an object": {"object": "list", "data": {}, "has_more": False},
    "no has_more": {"object": "list", "data": []},
    "null has_more": {"object": "list", "data": [], "has_more": None},
    "has_more as text": {"object": "list", "data": [], "has_more": "false"},
    "has_more as a number": {"object": "list", "data": [], "has_more": 0},
    "more, but no data": page_of(more=True),
    "a job without an id": page_of({**job_object(), "id": None}),
    "a job without a status": page_of({**job_object(), "status": None}),
    "something that is no job": page_of({"object": "model", "id": "m"}),
    "a null job": {"object": "list", "data": [None], "has_more": False},
    "a cursor that does not move": page_of(job_object("ftjob-8"), job_object("ftjob-9"), more=True),
    "a job before the cursor again": page_of(job_object("ftjob-9"), job_object("ftjob-8"), more=True),
    "an error in a 200": {"error": {"message": "busy"}},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_page_that_lies_is_asked_for_again_and_never_read_as_no_jobs(
    account: Accounts, httpx2_mock: respx.MockRouter, lie: str
) -> None:
    route = httpx2_mock.get(JOBS).respond(content=json.dumps(LIES[lie]))
    asked = account(policy=THREE)
    with pytest.raises(UnavailableError) as caught:
        asked.api.list_jobs(after="ftjob-9")
    assert route.call_count == 3
    assert len(asked.waits) == 2
    assert "an unusable answer" in caught.value.message
    assert (caught.value.code, caught.value.exit_code) == ("unavailable", 8)


NO_JSON = {
    "nothing": b"",
    "a web page": b"<html>busy</html>",
    "half a list": b'{"object": "list", "data": [',
    "too deep": b"[" * 100_000,
    "no text": b"\xff",
}


@pytest.mark.parametrize("body", NO_JSON)
def test_a_page_that_is_no_json_is_asked_for_again(
    account: Accounts, httpx2_mock: respx.MockRouter, body: str
) -> None:
    route = httpx2_mock.get(JOBS).mock(
        side_effect=[httpx.Response(200, content=NO_JSON[body]), httpx.Response(200, json=page_of(job_object()))]
    )
    assert len(account().api.list_jobs().jobs) == 1
    assert route.call_count == 2


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "garbage"},
        {"do": "garbage", "body": '{"object": "list", "data": null, "has_more": false}'},
        {"do": "truncate", "when": "after"},
        {"do": "drop"},
        {"do": "redirect", "location": "/v1/models"},
        {"do": "status", "status": 502, "body": "<html>"},
    ],
    ids=lambda fault: "-".join(str(value)[:12] for value in fault.values()),
)
def test_a_real_list_is_read_once_the_service_behaves(
    account: Accounts, service: Service, fault: dict[str, object]
) -> None:
    service.faults({"on": LIST, "times": 2, **fault})
    asked = account(service.base_url)
    assert asked.api.list_jobs().jobs == ()
    assert len(asked.waits) == 2
    assert [f"{row['method']} {row['path']}" for row in service.requests()] == [LIST] * 3, "and nowhere else"


# What is asked again, and what is not

AGAIN = [300, 301, 302, 303, 304, 307, 308, 408, 409, 423, 425, 429, 499, 500, 501, 502, 503, 504, 520, 529]
FINAL = [400, 401, 402, 403, 405, 410, 413, 415, 418, 422, 451]


@pytest.mark.parametrize("status", AGAIN)
def test_a_status_that_may_pass_is_asked_again(
    account: Accounts, httpx2_mock: respx.MockRouter, status: int
) -> None:
    headers = {"location": "https://elsewhere.test/v1/fine_tuning/jobs/ftjob-1"}
    answers = [httpx.Response(status, headers=headers), httpx.Response(200, json=job_object())]
    route = httpx2_mock.get(JOB_URL).mock(side_effect=answers)
    asked = account()
    job = asked.api.retrieve_job("ftjob-1")
    assert job is not None
    assert job.id == "ftjob-1"
    assert route.call_count == 2
    ((reason, attempt),) = [(retry.reason, retry.attempt) for retry in asked.retries]
    assert (reason.split(",")[0], attempt) == (f"HTTP {status}", 1)
    assert [retry.wait_s for retry in asked.retries] == asked.waits


@pytest.mark.parametrize("status", FINAL)
def test_a_status_that_says_no_is_not_asked_again(
    account: Accounts, httpx2_mock: respx.MockRouter, status: int
) -> None:
    error = {"code": "a_code", "message": "as told"}
    route = httpx2_mock.get(JOB_URL).respond(status, json={"error": error}, headers={"x-should-retry": "true"})
    asked = account()
    with pytest.raises(RejectedError) as caught:
        asked.api.retrieve_job("ftjob-1")
    assert (route.call_count, asked.waits) == (1, [])
    assert (caught.value.code, caught.value.exit_code, caught.value.details) == (
        "a_code",
        7,
        {"http_status": status},
    )
    assert caught.value.message == f"The API refused job ftjob-1 (HTTP {status}): as told"


def test_a_real_wrong_key_is_told_once(account: Accounts, service: Service) -> None:
    with pytest.raises(RejectedError) as caught:
        account(service.base_url, key="sk-wrong").api.list_jobs()
    assert len(service.requests()) == 1
    assert "Check the API key" in caught.value.next_step


def test_an_empty_account_is_not_asked_to_wait(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    error = {"code": "insufficient_quota", "message": "no credit"}
    route = httpx2_mock.get(JOB_URL).respond(429, json={"error": error}, headers={"retry-after": "1"})
    with pytest.raises(RejectedError, match="no credit") as caught:
        account().api.retrieve_job("ftjob-1")
    assert route.call_count == 1
    assert "Add credit" in caught.value.next_step


@pytest.mark.parametrize(
    "error",
    [
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.PoolTimeout,
        httpx2.ReadTimeout,
        httpx2.ReadError,
        httpx2.WriteError,
        httpx2.RemoteProtocolError,
        httpx2.ProxyError,
        httpx2.DecodingError,
    ],
)
def test_a_network_failure_is_asked_again(
    account: Accounts, httpx2_mock: respx.MockRouter, error: type[httpx2.RequestError]
) -> None:
    route = httpx2_mock.get(JOB_URL).mock(side_effect=[error("as told"), httpx.Response(200, json=job_object())])
    assert account().api.retrieve_job("ftjob-1") is not None
    assert route.call_count == 2


def test_asking_again_ends(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    route = httpx2_mock.get(JOB_URL).respond(503)
    asked = account()
    with pytest.raises(UnavailableError) as caught:
        asked.api.retrieve_job("ftjob-1")
    attempts = RetryPolicy().attempts
    assert 3 <= attempts <= 10
    assert (route.call_count, len(asked.waits), len(asked.retries)) == (attempts, attempts - 1, attempts - 1)
    assert caught.value.message == f"The API at {URL} did not answer for job ftjob-1: HTTP 503."
    assert "Check the connection" in caught.value.next_step


@pytest.mark.parametrize("asked_s", ["121", "599"])
def test_a_retry_after_above_two_minutes_is_honoured(
    account: Accounts, httpx2_mock: respx.MockRouter, asked_s: str
) -> None:
    httpx2_mock.get(JOB_URL).mock(
        side_effect=[
            httpx.Response(429, headers={"retry-after": asked_s}),
            httpx.Response(200, json=job_object()),
        ]
    )
    asked = account()
    assert asked.api.retrieve_job("ftjob-1") is not None
    assert asked.waits == [float(asked_s)]


def test_a_retry_after_beyond_the_deadline_ends_at_once(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    route = httpx2_mock.get(JOB_URL).respond(503, headers={"retry-after": "601"})
    asked = account()
    with pytest.raises(UnavailableError) as caught:
        asked.api.retrieve_job("ftjob-1")
    assert (route.call_count, asked.waits) == (1, [])
    assert caught.value.details["retry_after_s"] == 601
    assert caught.value.next_step.startswith("It asks to wait 601 s")


# What the objects must be


def test_a_404_is_nothing(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    httpx2_mock.route().respond(404, json={"error": {"message": "There is none.", "code": "not_found"}})
    asked = account()
    assert asked.api.retrieve_job("ftjob-1") is None
    assert asked.api.retrieve_file(FILE) is None
    assert asked.api.shutdown_date(MINI) is None
    assert len(httpx2_mock.calls) == 3
    with pytest.raises(RejectedError):
        asked.api.list_jobs()  # no list is not an empty list


def test_real_404s_are_nothing(account: Accounts, service: Service) -> None:
    api = account(service.base_url).api
    assert (api.retrieve_job("ftjob-none"), api.retrieve_file("file-none"), api.shutdown_date("none")) == (
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        job_object("ftjob-2"),
        {**job_object(), "object": "file"},
        {key: value for key, value in job_object().items() if key != "status"},
    ],
)
def test_another_object_than_the_job_is_refused(
    account: Accounts, httpx2_mock: respx.MockRouter, body: object
) -> None:
    route = httpx2_mock.get(JOB_URL).respond(content=json.dumps(body))
    with pytest.raises(UnavailableError, match="an unusable answer"):
        account(policy=THREE).api.retrieve_job("ftjob-1")
    assert route.call_count == 3


@pytest.mark.parametrize(
    ("body", "file"),
    [
        ({"status": "processed"}, RemoteFile(FILE, "processed", None)),
        ({"status": None}, RemoteFile(FILE, None, None)),
        ({}, RemoteFile(FILE, None, None)),
        ({"status": "error", "status_details": "line 3"}, RemoteFile(FILE, "error", "line 3")),
        ({"status": 5, "status_details": []}, RemoteFile(FILE, None, None)),
    ],
)
def test_a_file_may_have_no_status(
    account: Accounts, httpx2_mock: respx.MockRouter, body: dict[str, Any], file: RemoteFile
) -> None:
    httpx2_mock.get(f"{URL}/files/{FILE}").respond(json={"object": "file", "id": FILE, **body})
    assert account().api.retrieve_file(FILE) == file


@pytest.mark.parametrize(
    "body", [{}, [], {"object": "file"}, {"object": "file", "id": ""}, {"object": "model", "id": FILE}]
)
def test_a_file_without_an_id_is_refused(account: Accounts, httpx2_mock: respx.MockRouter, body: object) -> None:
    httpx2_mock.get(f"{URL}/files/{FILE}").respond(content=json.dumps(body))
    with pytest.raises(UnavailableError):
        account(policy=THREE).api.retrieve_file(FILE)


@pytest.mark.parametrize(
    ("told", "day"),
    [
        ({"shutdown_date": "2027-01-14"}, date(2027, 1, 14)),
        ({"shutdown_date": None}, None),
        ({"shutdown_date": "soon"}, None),
        ({"shutdown_date": 20270114}, None),
        ({}, None),
    ],
)
def test_a_shutdown_date_is_a_day_or_unknown(
    account: Accounts, httpx2_mock: respx.MockRouter, told: dict[str, Any], day: date | None
) -> None:
    httpx2_mock.get(f"{URL}/models/{MINI}").respond(json={"object": "model", "id": MINI, **told})
    assert account().api.shutdown_date(MINI) == day


def test_an_id_cannot_lead_to_another_path(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    route = httpx2_mock.get(url__regex=".*").respond(404)
    account().api.retrieve_job("../../files/x?y#z")
    assert route.calls[0].request.url.raw_path == b"/v1/fine_tuning/jobs/..%2F..%2Ffiles%2Fx%3Fy%23z"
