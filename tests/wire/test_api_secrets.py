"""No failure tells the key or the training text: neither error nor traceback, neither logs nor ledger."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import respx

from ftjobs import logs
from ftjobs.errors import FtjobsError
from ftjobs.provider.api import Api
from ftjobs.provider.outcomes import Rejected, Uncertain
from ftjobs.provider.retrying import RetryPolicy
from tests.conftest import CREATE, Person, Service
from tests.wire.conftest import FILE, JOBS, MINI, URL, Accounts, digest_of

# Of no well-known form, so that only knowing it helps, and one of the well-known form.
SECRETS = ["9f8e7d6c-azure-5b4a", "sk-proj-0123456789abcdefghij"]
ORDER = "Order 3 is on its way"  # of the training file


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(logs, "_secrets", set())
    monkeypatch.setattr(logs, "_style", logs._style)
    yield
    logs._structlog.cache_clear()


@pytest.fixture
def open_account(account: Accounts, httpx2_mock: respx.MockRouter) -> tuple[Accounts, respx.MockRouter]:
    """Accounts, and the routes that answer them."""
    return account, httpx2_mock


CALLS: dict[str, Callable[[Api, Path], object]] = {
    "list": lambda api, _: api.list_jobs(),
    "retrieve": lambda api, _: api.retrieve_job("ftjob-1"),
    "file": lambda api, _: api.retrieve_file(FILE),
    "model": lambda api, _: api.shutdown_date(MINI),
    "upload": lambda api, path: api.upload(path, name="d.jsonl", sha256=digest_of(path)),
    "upload of a changed file": lambda api, path: api.upload(path, name="d.jsonl", sha256="0" * 64),
}
ANSWERS: dict[str, Callable[[str], httpx.Response | Exception]] = {
    "401 that repeats the key": lambda key: httpx.Response(
        401, json={"error": {"code": "invalid_api_key", "message": f"Incorrect API key provided: {key}\n."}}
    ),
    "400 that repeats the header": lambda key: httpx.Response(400, json={"error": f"bad: Bearer {key}"}),
    "500": lambda key: httpx.Response(500, text=f"Authorization: Bearer {key}"),
    "200 that is no JSON": lambda key: httpx.Response(200, text=f'{{"key": "{key}'),
    "200 that is no object": lambda key: httpx.Response(200, json={"object": key}),
    "reset": lambda key: httpx2.ReadError("as told"),
    "time-out": lambda key: httpx2.ConnectTimeout("as told"),
    "file": lambda key: httpx.Response(200, json={"object": "file", "id": "file-1"}),
}


FAILURES = [(call, answer) for call in CALLS for answer in ANSWERS if answer != "file"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(("call", "answer"), [*FAILURES, ("upload of a changed file", "file")])
def test_a_failing_call_tells_no_secret(
    open_account: tuple[Accounts, respx.MockRouter], training_file: Path, call: str, answer: str, secret: str
) -> None:
    account, httpx2_mock = open_account
    logs.register_secret(secret)
    httpx2_mock.route().mock(side_effect=[ANSWERS[answer](secret)] * 3)
    asked = account(key=secret, policy=RetryPolicy(attempts=2))
    with pytest.raises(FtjobsError) as caught:
        CALLS[call](asked.api, training_file)
    error = caught.value
    told = [str(error), repr(error), error.message, error.next_step, repr(error.details), repr(asked.retries)]
    told += traceback.format_exception(error)
    told += [repr(asked.api), repr(asked.api.profile), json.dumps(error.details)]
    for text in told:
        assert secret not in text
        assert ORDER not in text


@pytest.mark.parametrize("secret", [*SECRETS, "short-key"])  # too short to be masked in what may be kept
def test_an_outcome_tells_no_secret(account: Accounts, httpx2_mock: respx.MockRouter, secret: str) -> None:
    logs.register_secret(secret)
    asked = account(key=secret)
    body = {"model": MINI, "training_file": FILE}
    route = httpx2_mock.post(JOBS)
    route.respond(401, json={"error": {"code": "invalid_api_key", "message": f"Wrong key {secret}."}})
    assert asked.api.create_job(body) == Rejected(401, "invalid_api_key", "Wrong key ***.")
    route.respond(200, text=f'{{"object": "{secret}')
    outcome = asked.api.create_job(body)
    assert isinstance(outcome, Uncertain)
    assert secret not in outcome.reason
    assert asked.api.profile.base_url == URL


# The installed command, as loud as it gets

KEY = SECRETS[0]
LOUD = {"OPENAI_API_KEY": KEY, "OPENAI_LOG": "debug", "FTJOBS_LOG": "json"}


def envelope(code: str) -> str:
    return json.dumps({"error": {"code": code, "message": f"Incorrect API key provided: {KEY}."}})


TOLD_KEY = envelope("invalid_api_key")
FAULTS: dict[str, tuple[dict[str, Any], int]] = {
    "refused key": ({"on": CREATE, "do": "status", "status": 401, "body": TOLD_KEY}, 7),
    "refused upload": ({"on": "POST /v1/files", "do": "status", "status": 400, "body": TOLD_KEY}, 7),
    "lost reply": ({"on": CREATE, "do": "drop", "when": "after"}, 0),
    "no quota": ({"on": CREATE, "do": "status", "status": 429, "body": envelope("exceeded_quota")}, 7),
    "busy upload": ({"on": "POST /v1/files", "do": "status", "status": 503, "body": TOLD_KEY}, 0),
}
IN_SUITE = {"refused key", "lost reply"}


@pytest.mark.parametrize(
    "fault", [name if name in IN_SUITE else pytest.param(name, marks=pytest.mark.soak) for name in FAULTS]
)
def test_the_loudest_command_tells_no_secret(
    person: Person, service: Service, training_file: Path, fault: str
) -> None:
    rule, code = FAULTS[fault]
    service.faults(rule)
    run = person.run("-v", "submit", str(training_file), "--model", "gpt-4o-mini", "--json", **LOUD)
    assert run.code == code, run.err
    assert "submission.recorded" in run.err, "it was loud"
    for text in (run.out, run.err):
        assert KEY not in text
        assert ORDER not in text
        assert "Request options" not in text, "the SDK's own log"
        assert "HTTP Request" not in text
    kept = [path for path in person.home.rglob("*") if path.is_file()]
    assert any(path.name.startswith("ledger.sqlite3") for path in kept)
    for path in kept:
        assert KEY.encode() not in path.read_bytes()
        assert ORDER.encode() not in path.read_bytes()
