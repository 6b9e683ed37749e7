"""What belongs to a job: its events and checkpoints page by page, and its files whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import httpx
import httpx2
import pytest
import respx

from ftjobs.errors import RejectedError, UnavailableError
from ftjobs.provider.following import checkpoints, events, file_content
from ftjobs.provider.retrying import RetryPolicy
from tests.conftest import Service
from tests.wire.conftest import JOBS, MINI, NOW, URL, Accounts

EVENTS = f"{JOBS}/ftjob-1/events"
CHECKPOINTS = f"{JOBS}/ftjob-1/checkpoints"
CONTENT = f"{URL}/files/file-1/content"
ON_CONTENT = "GET /v1/files/*/content"
THREE = RetryPolicy(attempts=3)


def event(number: int, **fields: object) -> dict[str, Any]:
    """Return an event as the API tells it."""
    at = int(NOW.timestamp()) + number
    told = {
        "object": "fine_tuning.job.event",
        "id": f"ev-{number}",
        "created_at": at,
        "message": f"event {number}",
    }
    return {**told, **fields}


def checkpoint(number: int, **fields: object) -> dict[str, Any]:
    """Return a checkpoint as the API tells it."""
    at = int(NOW.timestamp()) + number
    told = {"object": "fine_tuning.job.checkpoint", "id": f"ck-{number}", "created_at": at, "step_number": number}
    return {**told, "fine_tuned_model_checkpoint": f"ft:{number}", "fine_tuning_job_id": "ftjob-1", **fields}


def page(*items: dict[str, Any], more: bool = False) -> httpx.Response:
    """Return a page of a list."""
    return httpx.Response(200, json={"object": "list", "data": list(items), "has_more": more})


def finished_job(service: Service) -> str:
    """Return a job that has succeeded at the service, after 0.2 seconds."""
    service.settings(job_seconds=0.2, file_seconds=0.0)
    lines = "".join(
        json.dumps({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}) + "\n"
        for _ in range(12)
    )
    root = service.base_url
    answer = httpx.post(
        f"{root}/files",
        headers={"Authorization": "Bearer sk-test"},
        data={"purpose": "fine-tune"},
        files={"file": ("data.jsonl", lines.encode())},
    )
    body = {"model": MINI, "training_file": answer.json()["id"], "metadata": {}}
    job_id: str = service.call("POST", "/v1/fine_tuning/jobs", body)["id"]
    while service.call("GET", f"/v1/fine_tuning/jobs/{job_id}")["status"] != "succeeded":
        pass
    return job_id


# Events


def test_all_events_come_newest_first_over_every_page(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    pages = [page(event(5), event(4), more=True), page(event(3), event(2), more=True), page(event(1))]
    route = httpx2_mock.get(EVENTS).mock(side_effect=pages)
    assert [each.message for each in events(account().api, "ftjob-1")] == [f"event {n}" for n in (5, 4, 3, 2, 1)]
    asked = [dict(call.request.url.params) for call in route.calls]
    assert asked == [{"limit": "100"}, {"limit": "100", "after": "ev-4"}, {"limit": "100", "after": "ev-2"}]


@pytest.mark.parametrize("newest", [1, 2, 3])
def test_the_newest_events_cost_no_more_pages_than_they_fill(
    account: Accounts, httpx2_mock: respx.MockRouter, newest: int
) -> None:
    pages = [page(event(5), event(4), more=True), page(event(3), event(2), more=True)]
    route = httpx2_mock.get(EVENTS).mock(side_effect=pages)
    found = list(events(account().api, "ftjob-1", newest=newest))
    assert [each.id for each in found] == ["ev-5", "ev-4", "ev-3"][:newest]
    assert route.call_count == (newest + 1) // 2
    assert route.calls[0].request.url.params["limit"] == str(newest)


def test_no_events_are_a_page_that_says_so(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    httpx2_mock.get(EVENTS).mock(return_value=page())
    assert list(events(account().api, "ftjob-1")) == []


def test_none_of_the_newest_events_is_no_question(account: Accounts) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        list(events(account().api, "ftjob-1", newest=0))


def test_events_may_have_no_ids_where_no_page_follows(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    httpx2_mock.get(EVENTS).mock(return_value=page(event(2, id=None), event(1, id=None)))
    assert [each.id for each in events(account().api, "ftjob-1")] == [None, None]


@pytest.mark.parametrize("oldest", [event(2, id=None), event(4)], ids=["no id", "the cursor itself"])
def test_a_cursor_that_leads_nowhere_is_a_lie(
    account: Accounts, httpx2_mock: respx.MockRouter, oldest: dict[str, Any]
) -> None:
    first, lie = page(event(5), event(4), more=True), page(event(3), oldest, more=True)
    route = httpx2_mock.get(EVENTS).mock(side_effect=[first, lie, lie, lie])
    told = events(account(policy=THREE).api, "ftjob-1")
    assert [each.id for each in islice(told, 2)] == ["ev-5", "ev-4"]
    with pytest.raises(UnavailableError, match="cursor does not move"):
        next(told)
    assert route.call_count == 4


def test_pages_in_circles_end(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    one, other = page(event(2), more=True), page(event(1), more=True)
    route = httpx2_mock.get(EVENTS).mock(side_effect=[one, other, one, other, one])
    with pytest.raises(UnavailableError, match="in circles"):
        list(events(account().api, "ftjob-1"))
    assert route.call_count == 3


LIES: dict[str, object] = {
    "an empty object": {},
    "null": None,
    "no object": {"data": [], "has_more": False},
    "null data": {"object": "list", "data": None, "has_more": False},
    "no has_more": {"object": "list", "data": []},
    "has_more as text": {"object": "list", "data": [], "has_more": "false"},
    "more, but no data": {"object": "list", "data": [], "has_more": True},
    "something else": {"object": "list", "data": [{"object": "model", "created_at": 1}], "has_more": False},
    "no time": {"object": "list", "data": [event(1, created_at=None)], "has_more": False},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_page_that_lies_is_asked_for_again_and_never_read_as_no_events(
    account: Accounts, httpx2_mock: respx.MockRouter, lie: str
) -> None:
    lying = httpx.Response(200, content=json.dumps(LIES[lie]))
    route = httpx2_mock.get(EVENTS).mock(side_effect=[lying, page(event(1))])
    assert [each.id for each in events(account().api, "ftjob-1")] == ["ev-1"]
    assert route.call_count == 2


def test_a_job_that_is_unknown_has_no_events_to_tell(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    httpx2_mock.get(EVENTS).respond(404, json={"error": {"code": "not_found", "message": "no such job"}})
    with pytest.raises(RejectedError, match=r"the events of job ftjob-1 .*no such job"):
        list(events(account().api, "ftjob-1"))


def test_a_real_job_tells_every_event_once(account: Accounts, service: Service) -> None:
    job_id = finished_job(service)
    service.faults({"on": "GET /v1/fine_tuning/jobs/*/events", "do": "garbage", "times": 2})
    told = list(events(account(service.base_url).api, job_id))
    assert told[0].message == "The job succeeded."
    assert [each.at for each in told] == sorted((each.at for each in told), reverse=True)
    assert len({each.id for each in told}) == len(told) > 6
    assert all(each.data["train_loss"] > 0 for each in told if each.type == "metrics")


# Checkpoints


def test_checkpoints_come_over_every_page(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    route = httpx2_mock.get(CHECKPOINTS).mock(side_effect=[page(checkpoint(3), more=True), page(checkpoint(2))])
    assert [(each.step, each.model) for each in checkpoints(account().api, "ftjob-1")] == [
        (3, "ft:3"),
        (2, "ft:2"),
    ]
    assert route.calls[1].request.url.params["after"] == "ck-3"


def test_checkpoints_of_another_job_are_refused(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    httpx2_mock.get(CHECKPOINTS).mock(return_value=page(checkpoint(1, fine_tuning_job_id="ftjob-2")))
    with pytest.raises(UnavailableError, match="another job"):
        list(checkpoints(account(policy=THREE).api, "ftjob-1"))


def test_a_real_job_leaves_checkpoints(account: Accounts, service: Service) -> None:
    job_id = finished_job(service)
    told = list(checkpoints(account(service.base_url).api, job_id))
    assert 1 <= len(told) <= 3
    assert all(each.model.startswith("ft:") for each in told)
    steps = [each.step or 0 for each in told]
    assert steps == sorted(steps, reverse=True)


# Files


def test_a_real_result_file_comes_whole(account: Accounts, service: Service) -> None:
    job_id = finished_job(service)
    (file_id,) = service.call("GET", f"/v1/fine_tuning/jobs/{job_id}")["result_files"]
    content = b"".join(file_content(account(service.base_url).api, file_id))
    assert content.startswith(b"step,train_loss,train_accuracy,")
    assert content.count(b"\n") > 3


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "truncate", "when": "after"},
        {"do": "drop"},
        {"do": "redirect", "location": "/v1/models"},
        {"do": "status", "status": 503},
        {"do": "status", "status": 200, "body": "<!DOCTYPE html><p>Log in"},
        {"do": "garbage", "body": "\n <HTML><p>busy"},
    ],
    ids=lambda fault: "-".join(str(value)[:14] for value in fault.values()),
)
def test_a_real_file_is_whole_once_the_service_behaves(
    account: Accounts, service: Service, fault: dict[str, object]
) -> None:
    job_id = finished_job(service)
    (file_id,) = service.call("GET", f"/v1/fine_tuning/jobs/{job_id}")["result_files"]
    whole = b"".join(file_content(account(service.base_url).api, file_id))
    service.faults({"on": ON_CONTENT, "times": 2, **fault})
    asked = account(service.base_url)
    assert b"".join(file_content(asked.api, file_id)) == whole
    assert len(asked.waits) == 2
    visited = {f"{row['method']} {row['path']}" for row in service.requests()}
    assert "GET /v1/models" not in visited


def test_a_file_that_always_breaks_off_is_nothing_at_all(account: Accounts, service: Service) -> None:
    job_id = finished_job(service)
    (file_id,) = service.call("GET", f"/v1/fine_tuning/jobs/{job_id}")["result_files"]
    service.faults({"on": ON_CONTENT, "do": "truncate", "when": "after", "times": 9})
    asked = account(service.base_url, policy=THREE)
    with pytest.raises(UnavailableError, match=f"the content of file {file_id}"):
        file_content(asked.api, file_id)


class Outsized(httpx.SyncByteStream):
    """A body of 5 MB; it counts the pieces that were taken of it."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(5_000):
            self.taken += 1
            yield b"x" * 1000


def test_a_file_that_is_too_large_is_left_at_the_bound(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    body = Outsized()
    route = httpx2_mock.get(CONTENT).mock(return_value=httpx.Response(200, stream=body))
    with pytest.raises(RejectedError) as caught:
        file_content(account().api, "file-1", most=1_000_000)
    assert caught.value.code == "file_too_large"
    assert (route.call_count, body.taken < 1_200) == (1, True)


def test_a_file_at_the_bound_is_taken(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    httpx2_mock.get(CONTENT).respond(content=b"x" * 1000)
    assert b"".join(file_content(account().api, "file-1", most=1000)) == b"x" * 1000
    with pytest.raises(RejectedError, match="more than 999 bytes"):
        file_content(account().api, "file-1", most=999)


def test_an_empty_file_is_no_trouble(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    httpx2_mock.get(CONTENT).respond(content=b"")
    assert list(file_content(account().api, "file-1")) == []


def test_a_file_that_is_gone_is_named(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    httpx2_mock.get(CONTENT).respond(404, json={"error": {"message": "none"}})
    with pytest.raises(RejectedError) as caught:
        file_content(account().api, "file-1")
    assert (caught.value.code, caught.value.details) == ("file_not_found", {"file_id": "file-1"})


def test_bytes_that_are_no_text_arrive_as_they_are(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    httpx2_mock.get(CONTENT).respond(content=b"\xff\x00{}")
    assert b"".join(file_content(account().api, "file-1")) == b"\xff\x00{}"


def test_what_the_first_attempt_brought_is_not_in_the_second(
    account: Accounts, httpx2_mock: respx.MockRouter
) -> None:
    class BreaksOff(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b"half"
            raise httpx2.ReadError("gone")

    answers = [httpx.Response(200, stream=BreaksOff()), httpx.Response(200, content=b"whole")]
    httpx2_mock.get(CONTENT).mock(side_effect=answers)
    assert b"".join(file_content(account().api, "file-1")) == b"whole"
