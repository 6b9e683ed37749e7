"""What each answer to the create call proves, and that the call leaves exactly once."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import httpx2
import pytest
import respx

from ftjobs.keys import Secret
from ftjobs.provider.api import Api
from ftjobs.provider.outcomes import Created, NotNow, Outcome, Rejected, Uncertain
from ftjobs.provider.profiles import Profile
from tests.conftest import CREATE, Service
from tests.wire.conftest import FILE, MINI, Accounts, job_object

BODY = {
    "model": MINI,
    "training_file": FILE,
    "seed": 7,
    "metadata": {"ftjobs": "1", "ftjobs_submission": "ours", "team": "a"},
}
JOB = job_object()


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in JOB.items() if key != name}


@pytest.fixture
def api(account: Accounts) -> Api:
    return account().api


def create(api: Api, mock: respx.MockRouter, answer: httpx.Response | Exception) -> Outcome:
    """Answer every request to anywhere alike, and insist that one left."""
    mock.route().mock(side_effect=[answer] * 20)
    outcome = api.create_job(BODY)
    assert [(call.request.method, call.request.url.path) for call in mock.calls] == [
        ("POST", "/v1/fine_tuning/jobs")
    ]
    return outcome


def envelope(status: int, *, headers: dict[str, str] | None = None, **error: object) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": "as told", **error}}, headers=headers)


@pytest.mark.parametrize("status", [200, 201])
def test_a_valid_job_is_created(api: Api, httpx2_mock: respx.MockRouter, status: int) -> None:
    outcome = create(api, httpx2_mock, httpx.Response(status, json=JOB))
    assert isinstance(outcome, Created)
    assert (outcome.job.id, outcome.job.training_file, outcome.job.raw) == ("ftjob-1", FILE, JOB)


@pytest.mark.parametrize(
    "echo",
    [
        {"training_file": None},
        {"seed": None},
        {"model": "gpt-4o-mini"},
        {"metadata": None},
        {"metadata": {}},
        {"metadata": {"ftjobs_submission": "ours"}},
        {"metadata": {"team": "b", "theirs": "x"}},
        {"status": "a new word"},
        {"trained_tokens": None, "error": {"code": None, "message": None, "param": None}},
    ],
)
def test_a_job_may_leave_out_what_was_sent(
    api: Api, httpx2_mock: respx.MockRouter, echo: dict[str, object]
) -> None:
    assert isinstance(create(api, httpx2_mock, httpx.Response(200, json={**JOB, **echo})), Created)


@pytest.mark.parametrize(
    "echo",
    [
        {"training_file": "file-of-somebody-else"},
        {"metadata": {"ftjobs_submission": "theirs"}},
        {"metadata": {"ftjobs": "1", "ftjobs_submission": "ours", "ftjobs_key": "never sent"}},
    ],
)
def test_a_job_that_contradicts_what_was_sent_is_uncertain(
    api: Api, httpx2_mock: respx.MockRouter, echo: dict[str, object]
) -> None:
    outcome = create(api, httpx2_mock, httpx.Response(200, json={**JOB, **echo}))
    assert outcome == Uncertain("HTTP 200 with another job")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'"ftjob-1"',
        b"<!DOCTYPE html><html><body>ftjob-1</body></html>",
        json.dumps(JOB).encode()[:-20],
        json.dumps([JOB]).encode(),
        json.dumps({"data": JOB}).encode(),
        json.dumps(JOB).encode() + b"}",
        b"[" * 100_000,
        b"\xff\xfe\x00",
        json.dumps(without("id")).encode(),
        json.dumps({**JOB, "id": None}).encode(),
        json.dumps({**JOB, "id": ""}).encode(),
        json.dumps({**JOB, "id": 17}).encode(),
        json.dumps(without("object")).encode(),
        json.dumps({**JOB, "object": "list", "data": []}).encode(),
        json.dumps(without("status")).encode(),
        json.dumps(without("created_at")).encode(),
        json.dumps({**JOB, "created_at": 10**15}).encode(),
        json.dumps({"error": {"code": "insufficient_quota", "message": "no"}}).encode(),
    ],
    ids=lambda body: body[:30].decode("latin-1") if isinstance(body, bytes) else None,
)
@pytest.mark.parametrize("status", [200, 201])
def test_a_2xx_that_is_not_our_job_is_uncertain(
    api: Api, httpx2_mock: respx.MockRouter, status: int, body: bytes
) -> None:
    outcome = create(api, httpx2_mock, httpx.Response(status, content=body))
    assert isinstance(outcome, Uncertain)
    assert outcome.reason.startswith(f"HTTP {status} with")
    assert "\n" not in outcome.reason


@pytest.mark.parametrize("status", [202, 204, 206, 226, 299])
def test_another_2xx_without_a_job_is_uncertain(api: Api, httpx2_mock: respx.MockRouter, status: int) -> None:
    assert isinstance(create(api, httpx2_mock, httpx.Response(status)), Uncertain)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 411, 413, 415, 422])
def test_a_4xx_that_says_no_is_rejected(api: Api, httpx2_mock: respx.MockRouter, status: int) -> None:
    outcome = create(api, httpx2_mock, envelope(status, code="a_code", type="a_type"))
    assert outcome == Rejected(status, "a_code", "as told")


@pytest.mark.parametrize("status", [400, 403, 404, 422])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": null}', b'{"error": {"code": 5}}'])
def test_a_4xx_that_explains_nothing_is_rejected_too(
    api: Api, httpx2_mock: respx.MockRouter, status: int, body: bytes
) -> None:
    outcome = create(api, httpx2_mock, httpx.Response(status, content=body))
    assert outcome == Rejected(status, f"http_{status}", "no further explanation")


@pytest.mark.parametrize(
    "status", [406, 407, 408, 409, 410, 412, 414, 416, 418, 421, 423, 424, 425, 426, 428, 431, 451, 499]
)
def test_every_other_4xx_is_uncertain(api: Api, httpx2_mock: respx.MockRouter, status: int) -> None:
    assert create(api, httpx2_mock, envelope(status, code="x")) == Uncertain(f"HTTP {status}")


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 505, 507, 520, 522, 524, 529, 598])
def test_every_5xx_is_uncertain(api: Api, httpx2_mock: respx.MockRouter, status: int) -> None:
    answer = envelope(status, headers={"retry-after": "1", "x-should-retry": "true"}, code="server_error")
    assert create(api, httpx2_mock, answer) == Uncertain(f"HTTP {status}")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 306, 307, 308])
@pytest.mark.parametrize("location", [None, "/v1/fine_tuning/jobs", "https://elsewhere.test/v1/fine_tuning/jobs"])
def test_every_3xx_is_uncertain_and_not_followed(
    api: Api, httpx2_mock: respx.MockRouter, status: int, location: str | None
) -> None:
    answer = httpx.Response(status, headers={"location": location} if location else {}, json=JOB)
    assert create(api, httpx2_mock, answer) == Uncertain(f"HTTP {status}")


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "3600.5"}, 3600.5),
        ({"Retry-After": "Sun, 22 Nov 2026 12:01:30 GMT"}, 90.0),
        ({"Retry-After": "Sun, 22 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"Retry-After-Ms": "1500"}, 1.5),
        ({"Retry-After-Ms": "1500", "Retry-After": "9"}, 1.5),
        ({"Retry-After-Ms": "soon", "Retry-After": "9"}, 9.0),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "1e999"}, None),
        ({"Retry-After": "tomorrow"}, None),
        ({"Retry-After": "Sun, 22 Nov 2026 12:01:30"}, None),
        ({"Retry-After": "Sun, 22 Nov 99999999999999999999 12:01:30 GMT"}, None),
        ({"Retry-After": "Sun, 22 Nov 2026 99999999999:01:30 GMT"}, None),
    ],
)
def test_a_429_is_not_now_and_says_how_long_to_wait(
    api: Api, httpx2_mock: respx.MockRouter, headers: dict[str, str], wait_s: float | None
) -> None:
    answer = envelope(429, headers={**headers, "x-should-retry": "true"}, code="rate_limit_exceeded")
    assert create(api, httpx2_mock, answer) == NotNow(
        "HTTP 429: as told", code="rate_limit_exceeded", retry_after_s=wait_s
    )


@pytest.mark.parametrize(
    "code", ["insufficient_quota", "exceeded_quota", "billing_hard_limit_reached", "billing_not_active"]
)
@pytest.mark.parametrize("field", ["code", "type"])
def test_a_429_that_waiting_cannot_cure_is_rejected(
    api: Api, httpx2_mock: respx.MockRouter, code: str, field: str
) -> None:
    other = {"code": None, "type": None} | {field: code}
    answer = envelope(429, headers={"retry-after": "1"}, **other)
    assert create(api, httpx2_mock, answer) == Rejected(429, code, "as told")


def test_a_429_of_the_day_is_not_now_with_its_code(api: Api, httpx2_mock: respx.MockRouter) -> None:
    outcome = create(api, httpx2_mock, envelope(429, code="daily_rate_limit_exceeded"))
    assert isinstance(outcome, NotNow)
    assert outcome.code == "daily_rate_limit_exceeded"


@pytest.mark.parametrize("body", [b"", b"<html>slow down</html>", b"{}", b'"insufficient_quota"'])
def test_a_429_that_explains_nothing_is_not_now(api: Api, httpx2_mock: respx.MockRouter, body: bytes) -> None:
    outcome = create(api, httpx2_mock, httpx.Response(429, content=body))
    assert outcome == NotNow("HTTP 429: no further explanation", code="http_429")


@pytest.mark.parametrize("error", [httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout])
def test_what_failed_before_a_connection_stood_is_not_now(
    api: Api, httpx2_mock: respx.MockRouter, error: type[httpx2.TransportError]
) -> None:
    outcome = create(api, httpx2_mock, error("as told"))
    assert outcome == NotNow(f"{error.__name__}: as told", code="unreachable")


@pytest.mark.parametrize(
    "error",
    [
        httpx2.ReadTimeout,
        httpx2.WriteTimeout,
        httpx2.ReadError,
        httpx2.WriteError,
        httpx2.CloseError,
        httpx2.RemoteProtocolError,
        httpx2.LocalProtocolError,
        httpx2.ProxyError,
        httpx2.TransportError,
    ],
)
def test_what_failed_later_is_uncertain(
    api: Api, httpx2_mock: respx.MockRouter, error: type[httpx2.TransportError]
) -> None:
    assert create(api, httpx2_mock, error("as told")) == Uncertain(f"{error.__name__}: as told")


def test_a_body_that_cannot_be_decompressed_is_uncertain(api: Api, httpx2_mock: respx.MockRouter) -> None:
    broken = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip"))
    outcome = create(api, httpx2_mock, broken)
    assert isinstance(outcome, Uncertain)
    assert outcome.reason.startswith("DecodingError")


@pytest.mark.parametrize("status", [200, 400, 429])
def test_an_answer_that_breaks_off_is_uncertain_whatever_its_status(
    api: Api, httpx2_mock: respx.MockRouter, status: int
) -> None:
    class BreaksOff(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b'{"object": "fine_tuning.job", '
            raise httpx2.ReadError("reset")

    outcome = create(api, httpx2_mock, httpx.Response(status, stream=BreaksOff()))
    assert outcome == Uncertain("ReadError: reset")


# The same over real HTTP: the sandbox tells what arrived and what it made of it.


def upload(service: Service) -> str:
    """Upload twelve examples and return the file's id."""
    line = json.dumps({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})
    with httpx2.Client(base_url=service.base_url, headers={"Authorization": "Bearer k"}, trust_env=False) as http:
        reply = http.post("/files", data={"purpose": "fine-tune"}, files={"file": ("a.jsonl", f"{line}\n" * 12)})
    return str(reply.json()["id"])


def send(service: Service, key: str = "sk-test") -> Outcome:
    service.settings(file_seconds=0)
    body = {"model": "gpt-4o-mini", "training_file": upload(service), "seed": 7}
    with closing(Api(Profile("test", service.base_url), Secret(key, "K"))) as api:
        return api.create_job(body)


def arrived(service: Service) -> list[str]:
    """Return what arrived after the upload."""
    return [f"{row['method']} {row['path']}" for row in service.requests()][1:]


def test_the_sandbox_creates_one_job(service: Service) -> None:
    outcome = send(service)
    assert isinstance(outcome, Created)
    assert [job["id"] for job in service.jobs()] == [outcome.job.id]
    assert (outcome.job.seed, outcome.job.status) == (7, "validating_files")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", [None, "/v1/models"])
def test_a_real_redirect_is_not_followed(service: Service, status: int, location: str | None) -> None:
    target = {"location": location} if location else {}
    service.faults({"on": CREATE, "do": "redirect", "status": status, **target})
    assert send(service) == Uncertain(f"HTTP {status}")
    assert arrived(service) == [CREATE]
    assert service.jobs() == []


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "status", "status": 500},
        {"do": "status", "status": 503, "headers": {"Retry-After": "0"}},
        {"do": "status", "status": 409},
        {"do": "status", "status": 408},
        {"do": "drop"},
        {"do": "garbage"},
        {"do": "garbage", "body": "<html>busy</html>", "headers": {"content-type": "text/html"}},
        {"do": "truncate"},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_a_lost_reply_is_uncertain_and_nothing_is_sent_again(
    service: Service, fault: dict[str, object], when: str, made: int
) -> None:
    service.faults({"on": CREATE, "when": when, **fault})
    assert isinstance(send(service), Uncertain)
    assert arrived(service) == [CREATE]
    assert len(service.jobs()) == made


def test_a_reply_that_comes_too_late_is_uncertain(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftjobs.provider.api.CREATE_TIMEOUT_S", 0.3)
    service.faults({"on": CREATE, "do": "delay", "seconds": 5, "when": "after"})
    outcome = send(service)
    assert isinstance(outcome, Uncertain)
    assert "ReadTimeout" in outcome.reason
    assert arrived(service) == [CREATE]


def test_a_real_429_is_not_sent_again(service: Service) -> None:
    service.faults({"on": CREATE, "do": "status", "status": 429, "headers": {"Retry-After": "0"}})
    outcome = send(service)
    assert isinstance(outcome, NotNow)
    assert outcome.retry_after_s == 0
    assert arrived(service) == [CREATE]


def test_a_wrong_key_is_rejected(service: Service) -> None:
    outcome = send(service, key="sk-wrong")
    assert isinstance(outcome, Rejected)
    assert (outcome.status, outcome.code) == (401, "invalid_api_key")
    assert arrived(service) == [CREATE]


def test_a_port_where_nobody_listens_is_not_now(account: Accounts) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))  # bound and not listening: refused, and no other process can take it
        outcome = account(f"http://127.0.0.1:{holder.getsockname()[1]}/v1").api.create_job(BODY)
    assert isinstance(outcome, NotNow)
    assert outcome.code == "unreachable"
