"""The request to cancel: sent once, and judged by what came back, whatever that was."""

from __future__ import annotations

import json
from typing import Any

import httpx
import httpx2
import pytest
import respx

from ftjobs.jobs.job import Job
from ftjobs.provider.following import cancel
from ftjobs.provider.outcomes import Rejected, Uncertain
from tests.conftest import Service
from tests.wire.conftest import JOBS, Accounts, job_object

CANCEL = f"{JOBS}/ftjob-1/cancel"


def test_the_job_is_as_the_service_answers(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    route = httpx2_mock.post(CANCEL).respond(json=job_object(status="cancelled", trained_tokens=12))
    outcome = cancel(account().api, "ftjob-1")
    assert isinstance(outcome, Job)
    assert (outcome.id, outcome.status, outcome.trained_tokens) == ("ftjob-1", "cancelled", 12)
    assert route.call_count == 1
    assert route.calls[0].request.content in (b"", b"{}")


@pytest.mark.parametrize("status", ["running", "cancelling", "succeeded"])
def test_a_job_need_not_have_stopped_at_once(
    account: Accounts, httpx2_mock: respx.MockRouter, status: str
) -> None:
    httpx2_mock.post(CANCEL).respond(json=job_object(status=status))
    outcome = cancel(account().api, "ftjob-1")
    assert isinstance(outcome, Job)
    assert outcome.status == status


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 410, 422])
def test_a_no_is_told_in_the_services_words_and_not_asked_again(
    account: Accounts, httpx2_mock: respx.MockRouter, status: int
) -> None:
    error = {"code": "invalid_state", "message": "it has ended"}
    route = httpx2_mock.post(CANCEL).respond(status, json={"error": error}, headers={"x-should-retry": "true"})
    asked = account()
    assert cancel(asked.api, "ftjob-1") == Rejected(status, "invalid_state", "it has ended")
    assert (route.call_count, asked.waits) == (1, [])


def test_an_account_without_credit_is_a_no(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    httpx2_mock.post(CANCEL).respond(429, json={"error": {"code": "insufficient_quota", "message": "no credit"}})
    assert cancel(account().api, "ftjob-1") == Rejected(429, "insufficient_quota", "no credit")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 408, 423, 425, 429, 499, 500, 502, 503, 504])
def test_a_status_that_proves_nothing_is_sent_once_and_leaves_it_open(
    account: Accounts, httpx2_mock: respx.MockRouter, status: int
) -> None:
    headers = {"location": f"{JOBS}/ftjob-1", "retry-after": "1", "x-should-retry": "true"}
    everything = httpx2_mock.route().respond(status, headers=headers)
    asked = account()
    assert cancel(asked.api, "ftjob-1") == Uncertain(f"HTTP {status}")
    assert (everything.call_count, asked.waits) == (1, [])


UNUSABLE: dict[str, bytes] = {
    "nothing": b"",
    "an empty object": b"{}",
    "null": b"null",
    "a web page": b"<html>busy</html>",
    "half a job": json.dumps(job_object()).encode()[:40],
    "too deep": b"[" * 100_000,
    "no text": b"\xff",
    "another job": json.dumps(job_object("ftjob-2", status="cancelled")).encode(),
    "another object": json.dumps({**job_object(), "object": "file"}).encode(),
    "a job without a status": json.dumps({**job_object(), "status": None}).encode(),
}


@pytest.mark.parametrize("body", UNUSABLE)
def test_a_200_that_is_no_such_job_leaves_it_open(
    account: Accounts, httpx2_mock: respx.MockRouter, body: str
) -> None:
    route = httpx2_mock.post(CANCEL).respond(content=UNUSABLE[body])
    outcome = cancel(account().api, "ftjob-1")
    assert isinstance(outcome, Uncertain)
    assert outcome.reason.startswith("HTTP 200 with ")
    assert route.call_count == 1


@pytest.mark.parametrize(
    "error", [httpx2.ConnectError, httpx2.ReadTimeout, httpx2.ReadError, httpx2.WriteError, httpx2.DecodingError]
)
def test_a_network_failure_leaves_it_open(
    account: Accounts, httpx2_mock: respx.MockRouter, error: type[httpx2.RequestError]
) -> None:
    route = httpx2_mock.post(CANCEL).mock(side_effect=error("as told"))
    outcome = cancel(account().api, "ftjob-1")
    assert isinstance(outcome, Uncertain)
    assert error.__name__ in outcome.reason
    assert route.call_count == 1


@pytest.mark.parametrize(
    "fault",
    [{"do": "drop"}, {"do": "truncate", "body": "{"}, {"do": "redirect"}, {"do": "status", "status": 500}],
    ids=lambda fault: str(fault["do"]),
)
def test_a_real_request_is_sent_once(account: Accounts, service: Service, fault: dict[str, Any]) -> None:
    service.faults({"on": "POST /v1/fine_tuning/jobs/*/cancel", "times": 9, **fault})
    assert isinstance(cancel(account(service.base_url).api, "ftjob-1"), Uncertain)
    assert [row["path"] for row in service.requests()] == ["/v1/fine_tuning/jobs/ftjob-1/cancel"]


def test_a_real_404_is_a_no(account: Accounts, service: Service) -> None:
    outcome = cancel(account(service.base_url).api, "ftjob-none")
    assert isinstance(outcome, Rejected)
    assert outcome.status == 404


def test_an_id_cannot_lead_to_another_path(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    route = httpx2_mock.post(url__regex=".*").mock(return_value=httpx.Response(404))
    cancel(account().api, "../../files/x?y#z")
    assert route.calls[0].request.url.raw_path == b"/v1/fine_tuning/jobs/..%2F..%2Ffiles%2Fx%3Fy%23z/cancel"
