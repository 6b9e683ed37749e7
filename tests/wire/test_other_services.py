"""Services that want something else: their header, their token, their lists, their words, another API."""

from __future__ import annotations

import codecs
import io
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from ftjobs.ambient import Ambient
from ftjobs.errors import ConfigError, RejectedError, UnavailableError
from ftjobs.jobs.job import parse_job
from ftjobs.keys import Token
from ftjobs.ledger.store import Ledger
from ftjobs.provider.following import events
from ftjobs.provider.outcomes import Created, NotNow, Rejected
from ftjobs.provider.retrying import RetryPolicy
from ftjobs.provider.uploads import HashingReader, marked
from ftjobs.workflows.adoption import metadata_of
from ftjobs.workflows.probe import probe
from ftjobs.workflows.session import Session
from tests.wire.conftest import (
    FILES,
    JOBS,
    MINI,
    NOW,
    Account,
    Accounts,
    a_submission,
    digest_of,
    job_object,
    page_of,
)

BODY = {"model": MINI, "training_file": "file-1"}
NEVER_AGAIN = RetryPolicy(attempts=1)


# Keys


def test_a_key_may_travel_in_the_header_that_azure_reads(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    route = httpx2_mock.get(JOBS).respond(json=page_of())
    account(auth="api-key").api.list_jobs()
    sent = route.calls.last.request.headers
    assert (sent["api-key"], "authorization" in sent) == ("sk-test", False)


def test_without_that_the_key_is_a_bearer_token(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    route = httpx2_mock.get(JOBS).respond(json=page_of())
    account().api.list_jobs()
    sent = route.calls.last.request.headers
    assert (sent["authorization"], "api-key" in sent) == ("Bearer sk-test", False)


@pytest.fixture
def printing(tmp_path: Path) -> Callable[[str], list[str]]:
    """Return a command that runs Python text, with a file `n` that counts how often it ran."""

    def command(text: str) -> list[str]:
        counted = (
            f"import pathlib; p = pathlib.Path({str(tmp_path / 'n')!r})\n"
            "n = len(p.read_text()) if p.exists() else 0; p.write_text('x' * (n + 1))\n"
        )
        return [sys.executable, "-c", counted + text]

    return command


def test_a_token_is_asked_anew_after_five_minutes_and_told_before_it_is_used(
    printing: Callable[[str], list[str]],
) -> None:
    now, told = [0.0], list[str]()
    token = Token(printing("print(f'token-{n}')"), on_new=told.append, monotonic=lambda: now[0])
    assert [token.reveal(), token.reveal()] == ["token-0", "token-0"]
    now[0] = 300.0
    assert token.reveal() == "token-0"
    now[0] = 301.0
    assert token.reveal() == "token-1"
    assert told == ["token-0", "token-1"]
    assert "token-1" not in f"{token} {token!r}"


def test_threads_that_need_a_token_at_once_run_the_command_once(printing: Callable[[str], list[str]]) -> None:
    token = Token(printing("print(f'token-{n}')"), on_new=lambda _: None)
    seen: list[str] = []
    threads = [threading.Thread(target=lambda: seen.append(token.reveal())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["token-0"] * 8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it printed nothing"),
        ("print('two words')", "it printed white space"),
        ("import sys; print('Please run az login', file=sys.stderr); sys.exit(1)", "Please run az login"),
        ("import sys; sys.exit(3)", "it ended with 3"),
    ],
)
def test_a_command_that_brings_no_token_is_told(
    printing: Callable[[str], list[str]], text: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Token(printing(text), on_new=lambda _: None).reveal()
    assert said in caught.value.message
    assert (caught.value.code, caught.value.exit_code) == ("no_token", 3)


def test_a_command_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigError, match="No such file"):
        Token(["/nowhere/az"], on_new=lambda _: None).reveal()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_said(
    account: Accounts, httpx2_mock: respx.MockRouter, status: int
) -> None:
    httpx2_mock.get(JOBS).respond(status, headers={"location": "https://elsewhere.test/v1/fine_tuning/jobs"})
    with pytest.raises(UnavailableError, match="a redirect, which is not followed"):
        account(policy=NEVER_AGAIN).api.list_jobs()
    assert {call.request.url.host for call in httpx2_mock.calls} == {"api.test"}


def test_a_token_that_is_gone_leaves_nothing_that_may_have_been_sent(account: Accounts) -> None:
    asked = account().api
    asked._key = Token(["/nowhere/az"], on_new=lambda _: None)
    outcome = asked.create_job(BODY)
    assert isinstance(outcome, NotNow)
    with pytest.raises(ConfigError):
        asked.require_key()


def test_metadata_that_is_not_sent_is_not_trusted_whatever_was_echoed_before(
    account: Accounts, tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3", stamp="real")
    echoed = a_submission(account=account().api.profile.account)
    ledger.record(echoed)
    ledger.attach(echoed.id, parse_job(job_object("ftjob-1", metadata=metadata_of(echoed))), now=NOW)

    def trusts(**fields: Any) -> bool:
        return Session(
            account(keeps_metadata=False, **fields).api, ledger, Ambient(now=lambda: NOW)
        ).trusts_metadata

    assert trusts()
    assert not trusts(lacks=frozenset({"metadata"}))


# Lists that come at once


def test_a_service_without_cursors_is_asked_once_and_without_any(
    account: Accounts, httpx2_mock: respx.MockRouter
) -> None:
    route = httpx2_mock.get(JOBS).respond(json={"object": "list", "data": [job_object("ftjob-1")]})
    page = account(lacks=frozenset({"cursor"})).api.list_jobs(after="ftjob-9")
    assert ([job.id for job in page.jobs], page.after) == (["ftjob-1"], None)
    assert str(route.calls.last.request.url) == JOBS


def test_its_events_are_too(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    route = httpx2_mock.get(f"{JOBS}/ftjob-1/events").respond(json={"object": "list", "data": []})
    assert list(events(account(lacks=frozenset({"cursor"})).api, "ftjob-1")) == []
    assert str(route.calls.last.request.url) == f"{JOBS}/ftjob-1/events"


def test_a_list_at_once_that_goes_on_is_a_lie(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    httpx2_mock.get(JOBS).respond(json=page_of(job_object("ftjob-1"), more=True))
    with pytest.raises(UnavailableError):
        account(lacks=frozenset({"cursor"}), policy=NEVER_AGAIN).api.list_jobs()


def test_what_a_service_lacks_is_not_asked_for(account: Accounts) -> None:
    with pytest.raises(RejectedError) as caught:
        next(events(account(lacks=frozenset({"events"})).api, "ftjob-1"))
    assert caught.value.code == "not_supported"


# Words


def test_its_own_status_words_mean_the_apis_and_are_kept(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    asked = account(statuses={"stopped": "cancelled"})
    httpx2_mock.get(JOBS).respond(json=page_of(job_object("ftjob-1", status="stopped")))
    httpx2_mock.get(f"{JOBS}/ftjob-1").respond(json=job_object("ftjob-1", status="stopped"))
    httpx2_mock.post(JOBS).respond(json=job_object("ftjob-1", status="stopped", training_file="file-1"))
    created = asked.api.create_job(BODY)
    assert isinstance(created, Created)
    for job in (asked.api.list_jobs().jobs[0], asked.api.retrieve_job("ftjob-1"), created.job):
        assert job is not None
        assert (job.status, job.failed, job.raw["provider_status"]) == ("cancelled", True, "stopped")


def test_fields_of_its_own_leave_beside_the_apis(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    route = httpx2_mock.post(JOBS).respond(json=job_object("ftjob-1", training_file="file-1"))
    body = {**BODY, "trainingType": "Standard", "hyperparameters": {"n_epochs": 3, "lora": True}}
    account().api.create_job(body)
    assert json.loads(route.calls.last.request.content) == body


@pytest.mark.parametrize("has_mark", [False, True])
def test_a_byte_order_mark_is_sent_once_and_the_file_stays_as_it_is(
    account: Accounts, httpx2_mock: respx.MockRouter, tmp_path: Path, has_mark: bool
) -> None:
    content = (b"\xef\xbb\xbf" if has_mark else b"") + b'{"messages": []}\n' * 3
    path = tmp_path / "d.jsonl"
    path.write_bytes(content)
    route = httpx2_mock.post(FILES).respond(json={"id": "file-1", "object": "file", "status": "processed"})
    account(byte_order_mark=True).api.upload(path, name="d.jsonl", sha256=digest_of(path))
    sent = route.calls.last.request.content
    assert sent.count(b"\xef\xbb\xbf") == 1
    assert b"\xef\xbb\xbf" + b'{"messages": []}\n' * 3 in sent
    assert path.read_bytes() == content


def test_a_marked_file_is_gone_through_from_start_to_end_alone() -> None:
    content = b"0123456789"
    reader = marked(HashingReader(io.BytesIO(content), lambda _sent: None))
    assert (reader.seek(0, io.SEEK_END), reader.tell(), reader.read()) == (13, 13, b"")
    for _ in range(2):
        assert (reader.seek(0), reader.tell()) == (0, 0)
        assert reader.read(5) + reader.read() == codecs.BOM_UTF8 + content
    for place in ((3, io.SEEK_SET), (-1, io.SEEK_END), (0, io.SEEK_CUR)):
        with pytest.raises(io.UnsupportedOperation):
            reader.seek(*place)


# Another API under the same paths


MISTRAL = {"object": "list", "total": 1, "data": [{"id": "x", "object": "job", "job_type": "completion"}]}


@pytest.mark.parametrize("body", [MISTRAL, {**MISTRAL, "data": [], "total": 0}])
@pytest.mark.parametrize("lacks", [frozenset(), frozenset({"cursor"})])
def test_another_api_is_refused_by_name_and_asked_once(
    account: Accounts, httpx2_mock: respx.MockRouter, body: dict[str, Any], lacks: frozenset[str]
) -> None:
    httpx2_mock.get(JOBS).respond(json=body)
    with pytest.raises(RejectedError) as caught:
        account(lacks=lacks).api.list_jobs()
    assert (caught.value.code, caught.value.exit_code) == ("other_api", 7)
    assert "Mistral" in caught.value.message
    assert len(httpx2_mock.calls) == 1


def test_a_refusal_in_fastapis_form_is_told(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    detail = [{"type": "missing", "loc": ["body", "training_files"], "msg": "Field required"}]
    httpx2_mock.post(JOBS).respond(422, json={"detail": detail})
    refused = account().api.create_job(BODY)
    assert isinstance(refused, Rejected)
    assert refused.message == "body.training_files: Field required"


def test_the_apis_own_form_of_an_error_tells_more_than_fastapis(
    account: Accounts, httpx2_mock: respx.MockRouter
) -> None:
    error = {"code": "model_not_found", "message": "No such model"}
    httpx2_mock.post(JOBS).respond(404, json={"error": error, "detail": "Not Found"})
    assert account().api.create_job(BODY) == Rejected(404, "model_not_found", "No such model")


# What doctor finds out


def answering(mock: respx.MockRouter, *, jobs: object, filtered: object, files: object, extra: int = 200) -> None:
    def list_jobs(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=filtered if "metadata" in str(request.url) else jobs)

    mock.get(JOBS).mock(side_effect=list_jobs)
    mock.get(url__regex=f"{JOBS}/ftjob-1/(events|checkpoints)").respond(extra, json={"object": "list", "data": []})
    mock.get(FILES).respond(json=files)


def a_list(*items: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": list(items), "has_more": False}


def test_a_service_that_has_everything_lacks_nothing(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    job = job_object("ftjob-1", seed=7, method={"type": "supervised"})
    answering(httpx2_mock, jobs=a_list(job), filtered=a_list(), files=a_list({"id": "f", "status": "processed"}))
    seen = probe(account().api)
    assert seen.toml is not None
    assert 'lacks = []\nhyperparameters_in = "method"' in seen.toml
    assert seen.differing == ()
    assert {call.request.method for call in httpx2_mock.calls} == {"GET"}


def test_a_service_that_has_little_is_described(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    job = job_object("ftjob-1", status="wandering", hyperparameters={"n_epochs": 3}, seed=None)
    every = {"object": "list", "data": [job, job]}
    answering(httpx2_mock, jobs=every, filtered=every, files={"object": "list", "data": [{"id": "f"}]}, extra=404)
    seen = probe(account().api)
    assert seen.toml is not None
    assert 'lacks = ["checkpoints", "cursor", "events", "metadata", "seed"]' in seen.toml
    for line in ('hyperparameters_in = "top"', 'file_ready = [""]', '"wandering"'):
        assert line in seen.toml
    assert seen.differing == ("lacks", "hyperparameters_in", "statuses")


def test_what_cannot_be_seen_stays_as_the_profile_says(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    job = job_object("ftjob-1", seed=7, method={"type": "supervised"})
    answering(httpx2_mock, jobs=a_list(job), filtered=a_list(), files=a_list())
    seen = probe(account(lacks=frozenset({"suffix", "seed"})).api)
    assert seen.toml is not None
    assert 'lacks = ["suffix"]' in seen.toml
    assert seen.differing == ("lacks",)


def test_a_request_that_failed_tells_nothing_of_the_service(
    account: Accounts, httpx2_mock: respx.MockRouter
) -> None:
    """Whoever pasted a guess would send no key for other machines to find, or ask for what is not there."""
    job = job_object("ftjob-1", seed=7, method={"type": "supervised"})
    jobs = [httpx.Response(200, json=a_list(job)), httpx.Response(503)]
    httpx2_mock.get(JOBS).mock(side_effect=jobs)
    httpx2_mock.get(url__regex=f"{JOBS}/ftjob-1/(events|checkpoints)").respond(503)
    httpx2_mock.get(FILES).respond(json=a_list())
    seen = probe(account(lacks=frozenset({"events", "checkpoints"})).api)
    assert seen.toml is not None
    assert 'lacks = ["checkpoints", "events"]' in seen.toml
    assert seen.differing == ()
    assert sum("is not known: " in each for each in seen.seen) == 4


def test_one_job_without_has_more_cannot_tell_whether_there_are_pages(
    account: Accounts, httpx2_mock: respx.MockRouter
) -> None:
    one = {"object": "list", "data": [job_object("ftjob-1", seed=7, method={"type": "supervised"})]}
    answering(httpx2_mock, jobs=one, filtered=a_list(), files=a_list())
    seen = probe(account().api)
    assert seen.toml is not None
    assert "cursor" not in seen.toml
    assert any("not known" in each for each in seen.seen)


@pytest.mark.httpx2(assert_all_called=False)
def test_where_there_is_no_job_nothing_is_said_of_jobs(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    answering(httpx2_mock, jobs=a_list(), filtered=a_list(), files=a_list())
    seen = probe(account().api)
    assert seen.toml is not None
    assert seen.toml.endswith("lacks = []")
    assert any("no job to learn from" in each for each in seen.seen)


def test_a_service_without_fine_tuning_has_no_profile(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    httpx2_mock.get(JOBS).respond(404, json={"detail": "Not Found"})
    seen = probe(account().api)
    assert seen.toml is None
    assert "HTTP 404: Not Found" in seen.seen[0]


def test_another_api_is_named_by_doctor_too(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    httpx2_mock.get(JOBS).respond(json=MISTRAL)
    asked: Account = account()
    with pytest.raises(RejectedError, match="Mistral"):
        probe(asked.api)
