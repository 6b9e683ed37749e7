"""Exactly what leaves this machine: bodies, headers, and over which connection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import respx

from ftjobs.ambient import Ambient
from ftjobs.jobs.spec import JobSpec, derive_seed
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.store import Ledger
from ftjobs.provider.api import Api
from ftjobs.workflows.create import create
from ftjobs.workflows.session import Session
from tests.wire.conftest import (
    FILE,
    JOBS,
    KEY,
    MINI,
    NOW,
    ULID,
    URL,
    Accounts,
    a_submission,
    digest_of,
    job_object,
)

CREATE = {"model": MINI, "training_file": FILE}


def sent_body(api: Api, submission: Submission, mock: respx.MockRouter, folder: Path) -> Any:
    """Create the submission's job as `submit` does and return the decoded body that left."""
    route = mock.post(JOBS).respond(json=job_object(seed=submission.seed))
    ledger = Ledger(folder / "ledger.sqlite3", stamp="real")
    ledger.record(submission)
    create(submission, Session(api, ledger, Ambient(now=lambda: NOW)))
    assert route.call_count == 1
    return json.loads(route.calls[0].request.content)


def test_a_plain_submission_sends_only_what_it_means(
    account: Accounts, httpx2_mock: respx.MockRouter, tmp_path: Path
) -> None:
    submission = a_submission()
    assert submission.quote is not None
    assert sent_body(account().api, submission, httpx2_mock, tmp_path) == {
        "model": MINI,
        "training_file": FILE,
        "seed": derive_seed(ULID),
        "metadata": {
            "ftjobs": "1",
            "ftjobs_submission": ULID,
            "ftjobs_key": KEY,
            "ftjobs_estimate": submission.quote.encode(),
        },
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}},
    }


def test_a_full_submission_sends_every_parameter_under_the_api_s_name(
    account: Accounts, httpx2_mock: respx.MockRouter, tmp_path: Path
) -> None:
    spec = JobSpec(
        f"ft:{MINI}:acme::x1",
        MINI,
        "mine",
        "auto",
        training_sha256="b" * 64,
        training_bytes=10,
        validation_sha256="c" * 64,
        batch_size=8,
        learning_rate_multiplier=0.5,
        suffix="orders",
        seed=0,
        again="second",
    )
    tags = {f"tag{number}": "x" for number in range(12)}
    submission = a_submission(spec=spec, tags=tags, validation_file_id="file-valid")
    body = sent_body(account().api, submission, httpx2_mock, tmp_path)
    metadata = body.pop("metadata")
    assert body == {
        "model": f"ft:{MINI}:acme::x1",
        "training_file": FILE,
        "validation_file": "file-valid",
        "suffix": "orders",
        "seed": 0,
        "method": {
            "type": "supervised",
            "supervised": {
                "hyperparameters": {"n_epochs": "auto", "batch_size": 8, "learning_rate_multiplier": 0.5}
            },
        },
    }
    assert {name: metadata[name] for name in tags} == tags
    assert len(metadata) == len(tags) + 4 == 16
    assert all(isinstance(value, str) and len(value) <= 512 for value in metadata.values())


def test_preference_training_is_sent_under_its_own_name_with_its_beta(
    account: Accounts, httpx2_mock: respx.MockRouter, tmp_path: Path
) -> None:
    submission = a_submission()
    assert submission.spec is not None
    spec = replace(submission.spec, method="dpo", beta=0.2, batch_size=4)
    body = sent_body(account().api, replace(submission, spec=spec), httpx2_mock, tmp_path)
    assert body["method"] == {
        "type": "dpo",
        "dpo": {"hyperparameters": {"n_epochs": 3, "batch_size": 4, "beta": 0.2}},
    }


def test_a_page_is_asked_for_with_its_filter_and_cursor(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    route = httpx2_mock.get(JOBS).respond(json={"object": "list", "data": [], "has_more": False})
    api = account().api
    api.list_jobs()
    api.list_jobs(metadata={"ftjobs": "1", "ftjobs_key": KEY}, after="ftjob-9")
    queries = [parse_qs(urlsplit(str(call.request.url)).query) for call in route.calls]
    assert queries == [
        {"limit": ["100"]},
        {"limit": ["100"], "after": ["ftjob-9"], "metadata[ftjobs]": ["1"], "metadata[ftjobs_key]": [KEY]},
    ]


# Headers

ELSEWHERE = {
    "OPENAI_API_KEY": "sk-of-the-environment",
    "OPENAI_ADMIN_KEY": "sk-admin-of-the-environment",
    "OPENAI_BASE_URL": "https://elsewhere.test/v1",
    "OPENAI_ORG_ID": "org-of-the-environment",
    "OPENAI_PROJECT_ID": "proj-of-the-environment",
    "OPENAI_CUSTOM_HEADERS": "Authorization: Bearer sk-of-the-environment\nX-Gateway: of-the-environment",
    "OPENAI_WEBHOOK_SECRET": "whsec-of-the-environment",
}


def ask_everything(api: Api, mock: respx.MockRouter, file: Path) -> list[httpx.Request]:
    """Make every kind of request and return what left, to wherever."""
    mock.post(f"{URL}/files").respond(json={"object": "file", "id": FILE, "status": "processed"})
    mock.get(f"{URL}/files/{FILE}").respond(json={"object": "file", "id": FILE, "status": "processed"})
    mock.get(f"{URL}/models/{MINI}").respond(json={"object": "model", "id": MINI})
    mock.get(f"{JOBS}/ftjob-1").respond(json=job_object())
    mock.get(JOBS).respond(json={"object": "list", "data": [], "has_more": False})
    mock.post(JOBS).respond(json=job_object())
    api.upload(file, name="a.jsonl", sha256=digest_of(file))
    api.retrieve_file(FILE)
    api.shutdown_date(MINI)
    api.retrieve_job("ftjob-1")
    api.list_jobs()
    api.create_job(CREATE)
    requests = [call.request for call in mock.calls]
    assert len(requests) == 6
    return requests


def test_every_request_carries_the_account_s_key_and_nothing_that_it_does_not_have(
    account: Accounts, httpx2_mock: respx.MockRouter, training_file: Path
) -> None:
    for request in ask_everything(account(key="sk-mine").api, httpx2_mock, training_file):
        assert request.headers["authorization"] == "Bearer sk-mine"
        assert request.url.host == "api.test"
        assert "openai-organization" not in request.headers
        assert "openai-project" not in request.headers


def test_every_request_carries_the_account_s_organization_and_project(
    account: Accounts, httpx2_mock: respx.MockRouter, training_file: Path
) -> None:
    api = account(organization="org-mine", project="proj-mine").api
    for request in ask_everything(api, httpx2_mock, training_file):
        assert request.headers["openai-organization"] == "org-mine"
        assert request.headers["openai-project"] == "proj-mine"


@pytest.mark.parametrize("fields", [{}, {"organization": "org-mine", "project": "proj-mine"}])
def test_nothing_of_the_environment_s_account_reaches_another_service(
    account: Accounts,
    httpx2_mock: respx.MockRouter,
    training_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    fields: dict[str, str],
) -> None:
    for name, value in ELSEWHERE.items():
        monkeypatch.setenv(name, value)
    for request in ask_everything(account(key="sk-mine", **fields).api, httpx2_mock, training_file):
        assert request.url.host == "api.test"
        assert request.headers["authorization"] == "Bearer sk-mine"
        assert request.headers.get("openai-organization") == fields.get("organization")
        assert request.headers.get("openai-project") == fields.get("project")
        assert "of-the-environment" not in str(request.headers.raw)


def test_a_create_call_carries_no_idempotency_key_that_would_promise_what_the_api_does_not_keep(
    account: Accounts, httpx2_mock: respx.MockRouter
) -> None:
    route = httpx2_mock.post(JOBS).respond(json=job_object())
    account().api.create_job(CREATE)
    headers = route.calls[0].request.headers
    assert "idempotency-key" not in headers
    assert headers["x-stainless-retry-count"] == "0"


# Connections


@contextmanager
def listening() -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Serve a minimal API; yields its base URL and, growing, each request's method and client port."""
    seen: list[tuple[str, int]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # keeps connections

        def do_GET(self) -> None:
            self._answer({"object": "list", "data": [], "has_more": False})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self._answer(job_object())

        def _answer(self, body: dict[str, Any]) -> None:
            seen.append((self.command, self.client_address[1]))
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_create_call_takes_a_connection_of_its_own(account: Accounts) -> None:
    """A connection that was kept may be dead, and its loss would be an uncertain job."""
    with listening() as (base_url, seen):
        api = account(base_url).api
        for _ in range(2):
            api.list_jobs()
        for _ in range(2):
            api.create_job(CREATE)
        api.list_jobs()
        ports = {method: [port for each, port in seen if each == method] for method in ("GET", "POST")}
        assert len(set(ports["GET"])) == 1, "reads share theirs"
        assert len(set(ports["POST"])) == 2
        assert not set(ports["GET"]) & set(ports["POST"])
        api.close()


def test_a_proxy_of_the_environment_has_no_part_in_a_loopback_service(
    account: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with listening() as (base_url, seen):
        api = account(base_url).api
        assert api.list_jobs().jobs == ()
        api.create_job(CREATE)
        assert [method for method, _ in seen] == ["GET", "POST"]
        api.close()
