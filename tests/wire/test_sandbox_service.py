"""The sandbox answers as the API does, over real HTTP."""

from __future__ import annotations

import json
import socket
import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from ftjobs.sandbox.serving import serve_in_background

NOW = 1_811_808_000.0  # 2027-06-01
CHAT = {"messages": [{"role": "user", "content": "hello world"}, {"role": "assistant", "content": "hello world"}]}
# Per message 3 + 1 (role) + 2 (hello, world).
CHAT_TOKENS = 12


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Service:
    def __init__(self, url: str, clock: Clock) -> None:
        self.url, self.clock = url, clock
        self.http = httpx2.Client(base_url=url, headers={"Authorization": "Bearer sk-test"}, trust_env=False)
        self.control = httpx2.Client(base_url=url.removesuffix("/v1") + "/sandbox", trust_env=False)

    def settings(self, **changes: object) -> None:
        self.control.put("/settings", json=changes).raise_for_status()

    def upload(self, content: bytes | list[dict[str, Any]], *, ready: bool = True) -> str:
        data = content if isinstance(content, bytes) else jsonl(content)
        reply = self.http.post("/files", data={"purpose": "fine-tune"}, files={"file": ("train.jsonl", data)})
        assert reply.status_code == 200, reply.text
        if ready:
            self.clock.now += 0.3
        return str(reply.json()["id"])

    def create(self, file_id: str | None = None, **fields: object) -> httpx2.Response:
        file_id = file_id or self.upload([CHAT] * 10)
        return self.http.post(
            "/fine_tuning/jobs", json={"model": "gpt-4o-mini", "training_file": file_id, **fields}
        )

    def job(self, file_id: str | None = None, **fields: object) -> dict[str, Any]:
        reply = self.create(file_id, **fields)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def get(self, path: str, **query: object) -> dict[str, Any]:
        reply = self.http.get(path, params={name: str(value) for name, value in query.items()})
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def listed(self, **query: object) -> list[str]:
        return [job["id"] for job in self.get("/fine_tuning/jobs", **query)["data"]]

    def billed(self, content: list[dict[str, Any]], **fields: object) -> int:
        job = self.job(self.upload(content), **fields)
        self.clock.now += 10
        return int(self.get(f"/fine_tuning/jobs/{job['id']}")["trained_tokens"])


def jsonl(examples: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(example).encode() + b"\n" for example in examples)


def error(reply: httpx2.Response) -> dict[str, Any]:
    envelope = reply.json()
    assert set(envelope["error"]) == {"message", "type", "param", "code"}
    return {"status": reply.status_code, **envelope["error"]}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    clock = Clock()
    with serve_in_background(tmp_path / "state", clock=clock) as url:
        service = Service(url, clock)
        with service.http, service.control:
            yield service


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic sk-test"}, {"Authorization": "Bearer sk-wrong"}])
def test_a_missing_or_wrong_key_is_answered_401(service: Service, header: dict[str, str]) -> None:
    reply = httpx2.get(f"{service.url}/models", headers=header, trust_env=False)
    assert error(reply)["status"] == 401
    assert error(reply)["code"] == "invalid_api_key"


def test_an_unknown_address_is_answered_404_in_the_envelope(service: Service) -> None:
    assert error(service.http.get("/nothing"))["status"] == 404
    assert error(service.http.patch("/files"))["status"] == 405


# Files


def test_a_file_is_uploaded_first_and_processed_when_its_time_has_passed(service: Service) -> None:
    file_id = service.upload([CHAT], ready=False)
    assert service.get(f"/files/{file_id}")["status"] == "uploaded"
    service.clock.now += 0.3
    assert service.get(f"/files/{file_id}") == {
        "id": file_id,
        "object": "file",
        "bytes": len(jsonl([CHAT])),
        "created_at": int(NOW),
        "expires_at": None,
        "filename": "train.jsonl",
        "purpose": "fine-tune",
        "status": "processed",
        "status_details": None,
    }
    assert service.http.get(f"/files/{file_id}/content").content == jsonl([CHAT])


@pytest.mark.parametrize("content", [b'{"a": 1}\nnot json\n', b"[1, 2]\n", b"", b"\xff\xfe\n", b"[" * 100_000])
def test_a_file_that_is_not_jsonl_becomes_an_error_with_details(service: Service, content: bytes) -> None:
    file_id = service.upload(content)
    file = service.get(f"/files/{file_id}")
    assert file["status"] == "error"
    assert file["status_details"]
    assert error(service.create(file_id))["code"] == "file_not_ready"


def test_files_are_listed_newest_first_and_gone_when_deleted(service: Service) -> None:
    ids = [service.upload([CHAT]) for _ in range(3)]
    page = service.get("/files", limit=2)
    assert [file["id"] for file in page["data"]] == [ids[2], ids[1]]
    assert page["has_more"] is True
    assert [file["id"] for file in service.get("/files", after=ids[1])["data"]] == [ids[0]]
    assert service.http.delete(f"/files/{ids[0]}").json() == {"id": ids[0], "object": "file", "deleted": True}
    assert error(service.http.get(f"/files/{ids[0]}"))["status"] == 404
    assert error(service.http.get(f"/files/{ids[0]}/content"))["status"] == 404
    assert error(service.http.delete(f"/files/{ids[0]}"))["status"] == 404


def test_an_upload_needs_a_file_and_the_right_purpose(service: Service) -> None:
    file = {"file": ("a.jsonl", b"{}")}
    assert error(service.http.post("/files", data={"purpose": "vision"}, files=file))["param"] == "purpose"
    plain = {"other": ("a.jsonl", b"{}")}
    assert error(service.http.post("/files", data={"purpose": "fine-tune"}, files=plain))["param"] == "file"
    assert error(service.http.post("/files", json={}))["status"] == 400


def test_an_upload_above_512_megabytes_is_refused_before_it_is_read(service: Service) -> None:
    host, port = service.url.removeprefix("http://").removesuffix("/v1").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/files HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer sk-test\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 600000000\r\n\r\n"
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


# Creating jobs


def test_a_created_job_has_every_field_of_a_real_one(service: Service) -> None:
    file_id = service.upload([CHAT] * 10)
    job = service.job(file_id, suffix="mine", seed=7, metadata={"team": "a"})
    hyperparameters = {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"}
    assert job.pop("id").startswith("ftjob-")
    assert job == {
        "object": "fine_tuning.job",
        "model": "gpt-4o-mini-2024-07-18",
        "created_at": int(service.clock.now),
        "finished_at": None,
        "fine_tuned_model": None,
        "organization_id": "org-sandbox",
        "result_files": [],
        "status": "validating_files",
        "validation_file": None,
        "training_file": file_id,
        "hyperparameters": hyperparameters,
        "trained_tokens": None,
        "error": {"code": None, "message": None, "param": None},
        "user_provided_suffix": "mine",
        "seed": 7,
        "estimated_finish": None,
        "integrations": [],
        "metadata": {"team": "a"},
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
    }


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"model": "gpt-9"}, 404, "model_not_found"),
        ({"model": "ft:gpt-9:sandbox::abcdefgh"}, 404, "model_not_found"),
        ({"model": None}, 400, "missing_required_parameter"),
        ({"model": 4}, 400, "invalid_value"),
        ({"training_file": "file-unknown"}, 400, "file_not_found"),
        ({"validation_file": "file-unknown"}, 400, "file_not_found"),
        ({"hyperparameters": {"n_epochs": 0}}, 400, "invalid_value"),
        ({"hyperparameters": {"n_epochs": 51}}, 400, "invalid_value"),
        ({"hyperparameters": {"n_epochs": True}}, 400, "invalid_value"),
        ({"hyperparameters": {"epochs": 3}}, 400, "unknown_parameter"),
        ({"method": {"type": "reinforcement"}}, 400, "invalid_value"),
        ({"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 3}}}}, 400, "invalid_value"),
        ({"suffix": "s" * 65}, 400, "invalid_value"),
        ({"seed": "7"}, 400, "invalid_value"),
        ({"seed": 2**31}, 400, "invalid_value"),
        ({"metadata": {f"k{n}": "v" for n in range(17)}}, 400, "invalid_value"),
        ({"metadata": {"k" * 65: "v"}}, 400, "invalid_value"),
        ({"metadata": {"k": "v" * 513}}, 400, "invalid_value"),
        ({"metadata": {"k": 1}}, 400, "invalid_value"),
        ({"unknown": 1}, 400, "unknown_parameter"),
    ],
)
def test_a_wrong_job_is_refused_and_not_created(
    service: Service, fields: dict[str, Any], status: int, code: str
) -> None:
    refused = error(service.create(**fields))
    assert (refused["status"], refused["code"]) == (status, code)
    assert service.listed() == []


def test_limits_are_inclusive(service: Service) -> None:
    metadata = {f"{n:02d}" + "k" * 62: "v" * 512 for n in range(16)}
    job = service.job(suffix="s" * 64, seed=2**31 - 1, metadata=metadata, hyperparameters={"n_epochs": 50})
    assert job["metadata"] == metadata


def test_nine_examples_are_too_few_and_ten_are_enough(service: Service) -> None:
    refused = error(service.create(service.upload([CHAT] * 9)))
    assert (refused["status"], refused["code"]) == (400, "invalid_n_examples")
    assert service.create(service.upload([CHAT] * 10)).status_code == 200


def test_a_file_is_not_trained_on_before_it_is_processed(service: Service) -> None:
    file_id = service.upload([CHAT] * 10, ready=False)
    assert error(service.create(file_id))["code"] == "file_not_ready"


@pytest.mark.parametrize(
    "example",
    [{"prompt": "a", "completion": "b"}, {"messages": []}, {"messages": [{"role": ["user"]}]}],
)
def test_an_example_that_is_no_conversation_is_refused_with_its_line(
    service: Service, example: dict[str, Any]
) -> None:
    refused = error(service.create(service.upload([*[CHAT] * 10, example])))
    assert refused["code"] == "invalid_file_format"
    assert "line 11" in refused["message"]


def test_a_body_that_is_not_json_is_refused(service: Service) -> None:
    assert error(service.http.post("/fine_tuning/jobs", content=b"{"))["status"] == 400
    assert error(service.http.post("/fine_tuning/jobs", content=b"[]"))["status"] == 400


# Progress


def test_progress_is_what_the_clock_says(service: Service) -> None:
    path = f"/fine_tuning/jobs/{service.job()['id']}"
    started = service.clock.now
    seen = []
    for elapsed in (0, 1, 2, 5.9, 6):
        service.clock.now = started + elapsed
        seen.append(service.get(path)["status"])
    assert seen == ["validating_files", "queued", "running", "running", "succeeded"]
    job = service.get(path)
    assert job["finished_at"] == int(started + 6)
    assert job["fine_tuned_model"] == f"ft:gpt-4o-mini-2024-07-18:sandbox::{job['id'][-8:]}"
    service.clock.now = started + 3
    assert service.get(path)["estimated_finish"] == int(started + 6)


def test_auto_becomes_a_number_when_the_files_are_validated(service: Service) -> None:
    job = service.job()
    service.clock.now += 1
    validated = service.get(f"/fine_tuning/jobs/{job['id']}")
    assert validated["hyperparameters"]["n_epochs"] == 10
    assert validated["method"]["supervised"]["hyperparameters"] == validated["hyperparameters"]


def test_a_cancelled_job_stays_cancelled_and_its_bill_unknown(service: Service) -> None:
    path = f"/fine_tuning/jobs/{service.job()['id']}"
    service.clock.now += 3
    assert service.http.post(f"{path}/cancel").json()["status"] == "cancelled"
    cancelled_at = int(service.clock.now)
    service.clock.now += 10
    job = service.get(path)
    assert (job["status"], job["finished_at"], job["trained_tokens"]) == ("cancelled", cancelled_at, None)
    assert error(service.http.post(f"{path}/cancel"))["status"] == 400


def test_jobs_fail_with_the_code_that_the_settings_name(service: Service) -> None:
    service.settings(fail_jobs="exceeded_quota", job_seconds=60)
    path = f"/fine_tuning/jobs/{service.job()['id']}"
    service.settings(fail_jobs=False, job_seconds=1)
    service.clock.now += 59
    assert service.get(path)["status"] == "running"
    service.clock.now += 1
    job = service.get(path)
    assert (job["status"], job["trained_tokens"], job["result_files"]) == ("failed", None, [])
    assert job["error"]["code"] == "exceeded_quota"


def test_events_come_newest_first_as_they_happen(service: Service) -> None:
    path = f"/fine_tuning/jobs/{service.job(hyperparameters={'n_epochs': 2})['id']}"
    early = service.get(f"{path}/events")["data"]
    assert {event["type"] for event in early} == {"message"}
    service.clock.now += 6
    page = service.get(f"{path}/events", limit=5)
    rest = service.get(f"{path}/events", limit=100, after=page["data"][-1]["id"])
    assert (page["has_more"], rest["has_more"]) == (True, False)
    events = page["data"] + rest["data"]
    assert events[-len(early) :] == early
    assert [event["created_at"] for event in events] == sorted(
        (event["created_at"] for event in events), reverse=True
    )
    points = [event["data"] for event in events if event["type"] == "metrics"]
    assert [point["step"] for point in points] == list(range(20, 0, -1))
    assert points[0]["total_steps"] == 20
    assert points[0]["train_loss"] < points[-1]["train_loss"]


def test_a_succeeded_job_leaves_a_result_file_and_checkpoints(service: Service) -> None:
    file_id = service.upload([CHAT] * 10)
    path = f"/fine_tuning/jobs/{service.job(file_id, validation_file=file_id)['id']}"
    assert service.get(f"{path}/checkpoints")["data"] == []
    service.clock.now += 6
    job = service.get(path)
    (result,) = job["result_files"]
    rows = service.http.get(f"/files/{result}/content").text.splitlines()
    assert rows[0] == "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy"
    assert len(rows) == 101
    assert service.get(f"/files/{result}")["purpose"] == "fine-tune-results"
    made = service.get(f"{path}/checkpoints")["data"]
    assert [checkpoint["step_number"] for checkpoint in made] == [100, 90, 80]
    assert made[0]["fine_tuned_model_checkpoint"] == job["fine_tuned_model"]


# Billing


def test_the_bill_is_the_count_of_one_epoch_times_the_epochs(service: Service) -> None:
    assert service.billed([CHAT] * 10, hyperparameters={"n_epochs": 4}) == 10 * CHAT_TOKENS * 4


@pytest.mark.parametrize(("examples", "epochs"), [(10, 10), (25, 4), (33, 3), (8334, 2), (12501, 1)])
def test_auto_epochs_follow_the_published_rule(service: Service, examples: int, epochs: int) -> None:
    assert service.billed([CHAT] * examples) == examples * CHAT_TOKENS * epochs


def test_special_token_text_is_billed_as_the_text_that_it_is(service: Service) -> None:
    message = {"role": "assistant", "content": "<|endoftext|>"}
    assert service.billed([{"messages": [message]}] * 10, hyperparameters={"n_epochs": 1}) > 10 * (3 + 1 + 1)


def test_lone_surrogates_and_nulls_are_billed_without_a_crash(service: Service) -> None:
    messages = [{"role": "user", "content": "\ud800"}, {"role": "assistant", "content": None}]
    assert service.billed([{"messages": messages}] * 10, hyperparameters={"n_epochs": 1}) >= 10 * 8


def test_tools_and_their_calls_are_billed_as_compact_json(service: Service) -> None:
    # {"a":1} is five of the vocabulary: {" a ": 1 }
    call = {"messages": [{"role": "assistant", "tool_calls": {"a": 1}}], "tools": {"a": 1}}
    assert service.billed([call] * 10, hyperparameters={"n_epochs": 1}) == 10 * (3 + 1 + 5 + 5)


def test_an_example_loses_what_exceeds_the_limit(service: Service) -> None:
    long = {"messages": [{"role": "assistant", "content": "hello world " * 40_000}]}
    assert service.billed([long] * 10, hyperparameters={"n_epochs": 1}) == 10 * 65_536


def test_a_preference_example_is_billed_for_its_prompt_and_both_outputs_once(service: Service) -> None:
    (prompt, answer) = CHAT["messages"]
    example = {
        "input": {"messages": [prompt]},
        "preferred_output": [answer],
        "non_preferred_output": [answer],
    }
    method = {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 2}}}
    assert service.billed([example] * 10, method=method) == 10 * 18 * 2


# Lists


def test_lists_page_newest_first(service: Service) -> None:
    file_id = service.upload([CHAT] * 10)
    ids = [service.job(file_id)["id"] for _ in range(23)][::-1]
    first = service.get("/fine_tuning/jobs")
    assert (first["object"], first["has_more"]) == ("list", True)
    assert [job["id"] for job in first["data"]] == ids[:20]
    second = service.get("/fine_tuning/jobs", after=ids[19], limit=100)
    assert second["has_more"] is False
    assert [job["id"] for job in second["data"]] == ids[20:]
    assert service.listed(after=ids[-1]) == []


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"after": "ftjob-unknown"}])
def test_a_wrong_page_is_refused(service: Service, query: dict[str, str]) -> None:
    assert error(service.http.get("/fine_tuning/jobs", params=query))["status"] == 400


def test_the_metadata_filter_wants_every_pair(service: Service) -> None:
    file_id = service.upload([CHAT] * 10)
    both = service.job(file_id, metadata={"team": "a", 'odd"key$.x': "1"})["id"]
    one = service.job(file_id, metadata={"team": "a"})["id"]
    service.job(file_id)
    assert service.listed(**{"metadata[team]": "a"}) == [one, both]
    assert service.listed(**{"metadata[team]": "a", 'metadata[odd"key$.x]': "1"}) == [both]
    assert service.listed(**{"metadata[team]": "b"}) == []


def test_a_list_may_lag_behind(service: Service) -> None:
    service.settings(list_lag_s=30)
    job = service.job()["id"]
    assert service.listed() == []
    assert service.get(f"/fine_tuning/jobs/{job}")["id"] == job
    service.clock.now += 30
    assert service.listed() == [job]


def test_a_service_may_not_keep_metadata(service: Service) -> None:
    kept = service.job(metadata={"team": "a"})
    service.settings(keep_metadata=False)
    dropped = service.job(metadata={"team": "b"})
    assert dropped["metadata"] is None
    assert service.get(f"/fine_tuning/jobs/{kept['id']}")["metadata"] is None
    assert service.listed(**{"metadata[team]": "c"}) == [dropped["id"], kept["id"]]
    service.settings(keep_metadata=True)
    assert service.listed(**{"metadata[team]": "b"}) == []


# Models


@pytest.mark.parametrize("now", [NOW, NOW + 20 * 365 * 86400])
def test_no_model_is_shut_down_whatever_the_clock_says(service: Service, now: float) -> None:
    service.clock.now = now
    dates = {model["id"]: model["shutdown_date"] for model in service.get("/models")["data"]}
    year = {NOW: "2028-05-31", NOW + 20 * 365 * 86400: "2048-05-26"}[now]
    assert dates["gpt-4o"] == dates["gpt-4o-2024-08-06"] == year
    assert dates["gpt-4o-mini-2024-07-18"] is None
    assert service.get("/models/gpt-4o")["shutdown_date"] == year
    assert error(service.http.get("/models/gpt-9"))["status"] == 404


def test_a_fine_tuned_model_can_be_tuned_further(service: Service) -> None:
    first = service.job(suffix="one")
    service.clock.now += 6
    name = service.get(f"/fine_tuning/jobs/{first['id']}")["fine_tuned_model"]
    assert service.get(f"/models/{name}")["id"] == name
    second = service.job(model=name, suffix="two")
    assert second["model"] == name
    service.clock.now += 6
    tuned = service.get(f"/fine_tuning/jobs/{second['id']}")["fine_tuned_model"]
    assert tuned == f"ft:gpt-4o-mini-2024-07-18:sandbox:two:{second['id'][-8:]}"


# State


def test_two_services_over_one_state_are_one(service: Service, tmp_path: Path) -> None:
    with serve_in_background(tmp_path / "state", clock=service.clock) as url:
        other = Service(url, service.clock)
        with other.http, other.control:
            job = other.job(service.upload([CHAT] * 10))
            assert service.listed() == [job["id"]]
            other.settings(keep_metadata=False)
            assert service.control.get("/settings").json()["keep_metadata"] is False
            rule = {"on": "GET /v1/fine_tuning/jobs", "do": "status", "status": 500}
            assert other.control.put("/faults", json=[rule]).status_code == 200
            assert service.http.get("/fine_tuning/jobs").status_code == 500
            assert other.http.get("/fine_tuning/jobs").status_code == 200
            paths = [request["path"] for request in other.control.get("/requests").json()]
            assert paths == ["/v1/files", *["/v1/fine_tuning/jobs"] * 4]


def test_jobs_created_at_once_through_two_services_are_all_kept(service: Service, tmp_path: Path) -> None:
    file_id = service.upload([CHAT] * 10)
    with serve_in_background(tmp_path / "state", clock=service.clock) as url:
        other = Service(url, service.clock)
        with other.http, other.control, ThreadPoolExecutor(8) as threads:
            ids = list(threads.map(lambda n: (service, other)[n % 2].job(file_id)["id"], range(24)))
            assert sorted(service.listed(limit=100)) == sorted(set(ids))
    assert len(set(ids)) == 24


def test_settings_changed_at_once_through_two_services_all_arrive(service: Service, tmp_path: Path) -> None:
    with serve_in_background(tmp_path / "state", clock=service.clock) as url:
        other = Service(url, service.clock)
        with other.http, other.control, ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda n: (service, other)[n % 2].settings(job_seconds=n), range(80)))


def test_a_state_outlives_its_service(tmp_path: Path) -> None:
    clock, state_dir = Clock(), tmp_path / "state"
    with serve_in_background(state_dir, clock=clock) as url:
        first = Service(url, clock)
        with first.http, first.control:
            job = first.job()
    clock.now += 6
    with serve_in_background(state_dir, clock=clock) as url:
        later = Service(url, clock)
        with later.http, later.control:
            assert later.get(f"/fine_tuning/jobs/{job['id']}")["status"] == "succeeded"


def test_the_state_is_for_its_owner_only(service: Service, tmp_path: Path) -> None:
    assert service.listed() == []
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "state" / "sandbox.sqlite3").stat().st_mode) == 0o600


def test_reset_forgets_everything_and_applies_the_rest(service: Service, tmp_path: Path) -> None:
    service.job()
    service.settings(list_lag_s=5)
    service.settings(reset=True, job_seconds=9)
    assert service.control.get("/requests").json() == []
    assert service.listed() == []
    assert service.get("/files")["data"] == []
    assert list((tmp_path / "state" / "files").iterdir()) == []
    settings = service.control.get("/settings").json()
    assert (settings["list_lag_s"], settings["job_seconds"]) == (0, 9)


@pytest.mark.parametrize(
    "changes",
    [{"unknown": 1}, {"job_seconds": -1}, {"job_seconds": True}, {"keep_metadata": 1}, {"reset": 1}, []],
)
def test_wrong_settings_change_nothing(service: Service, changes: object) -> None:
    before = service.control.get("/settings").json()
    assert error(service.control.put("/settings", json=changes))["status"] == 400
    assert service.control.get("/settings").json() == before


def test_a_directory_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sandbox.sqlite3").write_bytes(b"not a database" * 100)
    with pytest.raises(sqlite3.DatabaseError), serve_in_background(tmp_path):
        pass


def test_a_sandbox_that_breaks_says_so_and_goes_on(service: Service, tmp_path: Path) -> None:
    file_id = service.upload([CHAT] * 10)
    (tmp_path / "state" / "files" / file_id).unlink()
    broken = error(service.create(file_id))
    assert (broken["status"], broken["type"]) == (500, "server_error")
    assert service.listed() == []


# The SDK as the judge


def test_the_official_client_reads_every_object(service: Service) -> None:
    with openai.OpenAI(api_key="sk-test", base_url=service.url, max_retries=0) as client:
        file = client.files.create(file=("train.jsonl", jsonl([CHAT] * 10)), purpose="fine-tune")
        service.clock.now += 1
        assert client.files.retrieve(file.id).status == "processed"
        job = client.fine_tuning.jobs.create(
            model="gpt-4o-mini", training_file=file.id, metadata={"team": "a"}, seed=7
        )
        service.clock.now += 6
        (listed,) = list(client.fine_tuning.jobs.list(metadata={"team": "a"}))
        assert (listed.id, listed.status, listed.trained_tokens) == (
            job.id,
            "succeeded",
            10 * CHAT_TOKENS * 10,
        )
        assert len(list(client.fine_tuning.jobs.list_events(job.id, limit=50))) == 106
        assert len(list(client.fine_tuning.jobs.checkpoints.list(job.id))) == 3
        assert client.files.content(listed.result_files[0]).text.startswith("step,")
        assert [model.shutdown_date for model in client.models.list() if model.id == "gpt-4o-mini"] == [None]
        with pytest.raises(openai.NotFoundError):
            client.fine_tuning.jobs.retrieve("ftjob-unknown")
