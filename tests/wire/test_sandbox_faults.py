"""Every misbehaviour of the sandbox happens on the wire as described, and only when asked for."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ftjobs.sandbox.serving import serve_in_background

CREATE = "POST /v1/fine_tuning/jobs"
LIST = "GET /v1/fine_tuning/jobs"


class Service:
    def __init__(self, url: str) -> None:
        self.http = httpx2.Client(base_url=url, headers={"Authorization": "Bearer sk-test"}, trust_env=False)
        self.control = httpx2.Client(base_url=url.removesuffix("/v1") + "/sandbox", trust_env=False)
        self.control.put("/settings", json={"file_seconds": 0}).raise_for_status()
        example = {"messages": [{"role": "assistant", "content": "hello"}]}
        content = b"\n".join([json.dumps(example).encode()] * 10)
        reply = self.http.post("/files", data={"purpose": "fine-tune"}, files={"file": ("a.jsonl", content)})
        self.file_id = reply.json()["id"]

    def faults(self, *rules: dict[str, Any]) -> None:
        self.control.put("/faults", json=rules).raise_for_status()

    def left(self) -> list[dict[str, Any]]:
        return list(self.control.get("/faults").json())

    def create(self) -> httpx2.Response:
        return self.http.post("/fine_tuning/jobs", json={"model": "gpt-4o", "training_file": self.file_id})

    def list(self) -> httpx2.Response:
        return self.http.get("/fine_tuning/jobs")

    def jobs(self) -> int:
        return len(self.list().json()["data"])


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with serve_in_background(tmp_path) as url:
        service = Service(url)
        with closing(service.http), closing(service.control):
            yield service


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_drop_closes_the_connection_without_a_byte(service: Service, when: str, made: int) -> None:
    service.faults({"on": CREATE, "do": "drop", "when": when})
    with pytest.raises(httpx2.RemoteProtocolError, match="without sending a response"):
        service.create()
    assert service.jobs() == made
    assert service.create().status_code == 200


def test_a_fault_takes_in_the_whole_request_before_it_strikes(service: Service) -> None:
    service.faults({"on": CREATE, "do": "drop"})
    with socket.create_connection((service.http.base_url.host, service.http.base_url.port or 0)) as connection:
        connection.sendall(b"POST /v1/fine_tuning/jobs HTTP/1.1\r\nHost: sandbox\r\nContent-Length: 4\r\n\r\n12")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(10)
        connection.sendall(b"34")
        assert connection.recv(1) == b""


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_status_answers_as_told(service: Service, when: str, made: int) -> None:
    rule = {"on": CREATE, "do": "status", "status": 429, "headers": {"Retry-After": "7"}, "body": "slow down"}
    service.faults({**rule, "when": when})
    reply = service.create()
    assert (reply.status_code, reply.headers["retry-after"], reply.text) == (429, "7", "slow down")
    assert service.jobs() == made


def test_status_without_a_body_answers_an_envelope(service: Service) -> None:
    service.faults({"on": LIST, "do": "status", "status": 503}, {"on": LIST, "do": "status", "status": 204})
    assert service.list().json()["error"]["type"] == "server_error"
    assert service.list().status_code == 204


@pytest.mark.parametrize("when", ["before", "after"])
def test_delay_waits_and_then_goes_on(service: Service, when: str) -> None:
    service.faults({"on": CREATE, "do": "delay", "seconds": 0.3, "when": when})
    started = time.monotonic()
    assert service.create().json()["object"] == "fine_tuning.job"
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize("body", ["{}", "<html>busy</html>", '{"object": "li', ""])
def test_garbage_is_answered_as_given_with_200(service: Service, body: str) -> None:
    service.faults({"on": LIST, "do": "garbage", "body": body})
    reply = service.list()
    assert (reply.status_code, reply.text) == (200, body)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_points_to_itself_or_where_told(service: Service, status: int) -> None:
    itself = {"on": LIST, "do": "redirect", "status": status}
    service.faults(itself, {**itself, "location": "/v1/models"})
    reply = service.http.get("/fine_tuning/jobs", params={"limit": "2"})
    assert (reply.status_code, reply.headers["location"]) == (status, "/v1/fine_tuning/jobs?limit=2")
    assert service.list().headers["location"] == "/v1/models"


def test_a_followed_redirect_to_itself_creates_one_job(service: Service) -> None:
    service.faults({"on": CREATE, "do": "redirect"})
    reply = service.http.post(
        "/fine_tuning/jobs",
        json={"model": "gpt-4o", "training_file": service.file_id},
        follow_redirects=True,
    )
    assert reply.json()["object"] == "fine_tuning.job"
    assert service.jobs() == 1


@pytest.mark.parametrize(("rule", "made"), [({"when": "after"}, 1), ({"body": '{"id": "ftjob-'}, 0)])
def test_truncate_closes_before_the_declared_end(service: Service, rule: dict[str, str], made: int) -> None:
    service.faults({"on": CREATE, "do": "truncate", **rule})
    with pytest.raises(httpx2.RemoteProtocolError, match="without sending complete"):
        service.create()
    assert service.jobs() == made


def test_a_rule_skips_then_strikes_then_is_gone(service: Service) -> None:
    service.faults({"on": LIST, "do": "status", "status": 500, "skip": 1, "times": 2})
    assert service.list().status_code == 200
    assert service.list().status_code == 500
    assert service.left() == [
        {"on": LIST, "do": "status", "when": "before", "times": 1, "skip": 0, "status": 500}
        | {"headers": {}, "body": None}
    ]
    assert service.list().status_code == 500
    assert service.left() == []
    assert service.list().status_code == 200


def test_rules_are_used_up_in_order(service: Service) -> None:
    service.faults(*({"on": LIST, "do": "status", "status": status} for status in (500, 502)))
    assert [service.list().status_code for _ in range(3)] == [500, 502, 200]


def test_a_rule_strikes_only_its_own_method_and_path(service: Service) -> None:
    service.faults({"on": "GET /v1/fine_tuning/jobs/*", "do": "status", "status": 500})
    job = service.create().json()["id"]
    assert service.list().status_code == 200
    assert service.http.get(f"/fine_tuning/jobs/{job}/events").status_code == 200
    assert service.http.post(f"/fine_tuning/jobs/{job}").status_code == 405
    assert service.http.get(f"/fine_tuning/jobs/{job}").status_code == 500


def test_requests_are_logged_and_the_switch_itself_is_not(service: Service) -> None:
    service.control.put("/settings", json={"reset": True})
    service.http.get("/fine_tuning/jobs", params={"limit": "2"})
    service.faults({"on": LIST, "do": "drop"})
    with pytest.raises(httpx2.RemoteProtocolError):
        service.list()
    logged = service.control.get("/requests").json()
    assert [(entry["method"], entry["path"], entry["query"]) for entry in logged] == [
        ("GET", "/v1/fine_tuning/jobs", "limit=2"),
        ("GET", "/v1/fine_tuning/jobs", ""),
    ]
    assert all(isinstance(entry["at"], float) for entry in logged)


@pytest.mark.parametrize(
    "rules",
    [
        {},
        ["drop"],
        [{"on": LIST}],
        [{"do": "drop"}],
        [{"on": LIST, "do": "explode"}],
        [{"on": LIST, "do": ["drop"]}],
        [{"on": "/v1/files", "do": "drop"}],
        [{"on": "GET /sandbox/faults", "do": "drop"}],
        [{"on": LIST, "do": "drop", "seconds": 1}],
        [{"on": LIST, "do": "drop", "sometimes": True}],
        [{"on": LIST, "do": "drop", "times": 0}],
        [{"on": LIST, "do": "drop", "when": "later"}],
        [{"on": LIST, "do": "delay"}],
        [{"on": LIST, "do": "status"}],
        [{"on": LIST, "do": "status", "status": 99}],
        [{"on": LIST, "do": "status", "status": 500, "headers": {"a": "b\r\nc: d"}}],
        [{"on": LIST, "do": "redirect", "status": 200}],
    ],
)
def test_wrong_rules_are_refused_and_change_nothing(service: Service, rules: object) -> None:
    service.faults({"on": LIST, "do": "drop"})
    before = service.left()
    reply = service.control.put("/faults", json=rules)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_fault")
    assert service.left() == before
