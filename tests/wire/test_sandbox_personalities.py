"""The sandbox plays other services: each of their quirks, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, get_args, get_type_hints

import httpx2
import openai
import pytest

from ftjobs.cli.sandbox import serve as serve_command
from ftjobs.sandbox.personalities import PERSONALITIES
from ftjobs.sandbox.server import build_app, endpoints_of
from ftjobs.sandbox.serving import serve_in_background
from ftjobs.sandbox.state import SandboxState

NOW = 1_811_808_000.0
EXAMPLE = {"messages": [{"role": "user", "content": "hello world"}, {"role": "assistant", "content": "hello"}]}
EXAMPLES = (json.dumps(EXAMPLE) + "\n").encode() * 10
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
SAID: dict[str, dict[str, Any]] = {
    "openai": {"model": "gpt-4o-mini"},
    "azure": {"model": "gpt-4o-mini", "trainingType": "Standard"},
    "nebius": {"model": LLAMA},
    "litellm": {"model": "gpt-4o-mini"},
    "bare": {"model": "gpt-4o-mini"},
    "mistral": {"model": "open-mistral-7b"},
}
"""Personality → what its create body needs beside the file."""


class Played:
    """A serving of one personality, and a clock for all of them."""

    def __init__(self, name: str, url: str, clock: list[float]) -> None:
        self.name, self.url, self.clock = name, url, clock
        self.http = httpx2.Client(base_url=url, headers={"Authorization": "Bearer sk-test"}, trust_env=False)
        origin = httpx2.URL(url).copy_with(path="/sandbox")
        self.control = httpx2.Client(base_url=origin, trust_env=False)

    def wait(self, seconds: float) -> None:
        self.clock[0] += seconds

    def upload(self) -> dict[str, Any]:
        file = {"file": ("train.jsonl", EXAMPLES)}
        reply = self.http.post("/files", data={"purpose": "fine-tune"}, files=file)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def create(self, **fields: object) -> httpx2.Response:
        file = self.upload()
        if file.get("status"):
            self.wait(0.3)
        body = {"training_file": file["id"], **SAID[self.name], **fields}
        return self.http.post("/fine_tuning/jobs", json=body)

    def job(self, **fields: object) -> dict[str, Any]:
        reply = self.create(**fields)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def refused(self, **fields: object) -> tuple[int, str, str]:
        reply = self.create(**fields)
        error = reply.json()["error"]
        return reply.status_code, error["code"], error["param"]

    def get(self, path: str, **query: object) -> dict[str, Any]:
        reply = self.http.get(path, params={name: str(value) for name, value in query.items()})
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def seen(self, job: dict[str, Any]) -> dict[str, Any]:
        return self.get(f"/fine_tuning/jobs/{job['id']}")

    def words(self, job: dict[str, Any]) -> list[str]:
        """Return the status words of a job in turn, until it has ended."""
        told = [job["status"]]
        for _ in range(6):
            self.wait(1)
            told.append(self.seen(job)["status"])
        return list(dict.fromkeys(told))


Plays = Callable[[str], Played]


@pytest.fixture
def plays(tmp_path: Path) -> Iterator[Plays]:
    """Serve one directory as the personality of a name: `plays("azure")`."""
    clock = [NOW]
    with ExitStack() as stack:

        def serve(name: str) -> Played:
            personality = PERSONALITIES[name]
            url = stack.enter_context(
                serve_in_background(tmp_path / "state", personality=personality, clock=lambda: clock[0])
            )
            played = Played(name, url, clock)
            stack.callback(played.http.close)
            stack.callback(played.control.close)
            return played

        yield serve


@pytest.fixture
def azure(plays: Plays) -> Played:
    return plays("azure")


@pytest.fixture
def nebius(plays: Plays) -> Played:
    return plays("nebius")


@pytest.fixture
def bare(plays: Plays) -> Played:
    return plays("bare")


@pytest.fixture
def mistral(plays: Plays) -> Played:
    return plays("mistral")


# All of them


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("openai", "/v1"),
        ("azure", "/openai/v1"),
        ("nebius", "/v1"),
        ("litellm", "/openai_passthrough/v1"),
        ("bare", "/v1"),
        ("mistral", "/v1"),
    ],
)
def test_wherever_its_api_is_the_log_and_the_faults_know_it_under_v1(plays: Plays, name: str, path: str) -> None:
    played = plays(name)
    assert httpx2.URL(played.url).path == path
    rules = [
        {"on": "GET /v1/fine_tuning/jobs", "do": "status", "status": 503},
        {"on": "GET /v1/files/*", "do": "redirect"},
    ]
    played.control.put("/faults", json=rules).raise_for_status()
    assert played.http.get("/fine_tuning/jobs").status_code == 503
    assert played.http.get("/files/file-a").headers["location"] == f"{path}/files/file-a"
    logged = [request["path"] for request in played.control.get("/requests").json()]
    assert logged == ["/v1/fine_tuning/jobs", "/v1/files/file-a"]
    assert played.control.get("/settings").json()["personality"] == name
    elsewhere = played.http.get(httpx2.URL(played.url).copy_with(path="/v1/files"))
    assert elsewhere.status_code == (200 if path == "/v1" else 404)


@pytest.mark.parametrize("name", PERSONALITIES)
def test_every_endpoint_that_it_has_is_there(tmp_path: Path, name: str) -> None:
    personality = PERSONALITIES[name]
    routes = build_app(SandboxState(tmp_path / "state"), personality).routes
    answered = {each for route in routes for each in endpoints_of(route) if "/sandbox/" not in each}  # type: ignore[arg-type]
    assert {each for each in answered if not each.startswith("HEAD ")} == personality.endpoints


def test_the_command_offers_every_personality() -> None:
    offered = get_args(get_type_hints(serve_command)["name"])
    assert set(offered) == set(PERSONALITIES)


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("openai", set()),
        ("azure", {"uploads", "costs"}),
        ("nebius", {"uploads", "costs"}),
        ("litellm", set()),
        ("bare", {"uploads", "costs", "events", "checkpoints", "models", "chat"}),
    ],
)
def test_what_it_lacks_is_answered_404(plays: Plays, name: str, lacks: set[str]) -> None:
    played = plays(name)
    job = f"/fine_tuning/jobs/{played.job()['id']}"
    asked = {
        "uploads": ("POST", "/uploads"),
        "costs": ("GET", "/organization/costs"),
        "events": ("GET", f"{job}/events"),
        "checkpoints": ("GET", f"{job}/checkpoints"),
        "models": ("GET", "/models"),
        "chat": ("POST", "/chat/completions"),
    }
    assert {what for what, request in asked.items() if played.http.request(*request).status_code == 404} == lacks


@pytest.mark.parametrize("name", ["azure", "nebius", "litellm"])
def test_metadata_is_taken_and_dropped_and_not_asked_for(plays: Plays, name: str) -> None:
    played = plays(name)
    job = played.job(metadata={"team": "a"})
    for shown in (job, played.seen(job), *played.get("/fine_tuning/jobs")["data"]):
        assert shown.get("metadata") is None
    listed = played.get("/fine_tuning/jobs", **{"metadata[team]": "b"})["data"]
    assert [each["id"] for each in listed] == [job["id"]]


def test_two_personalities_serve_one_directory(plays: Plays) -> None:
    ours, azure, litellm, bare = map(plays, ("openai", "azure", "litellm", "bare"))
    job = ours.job(metadata={"team": "a"})
    foreign = plays("nebius").job()
    ours.wait(7)
    assert (ours.seen(job)["metadata"], litellm.seen(job)["metadata"]) == ({"team": "a"}, {"team": "a"})
    assert "metadata" not in azure.seen(job)
    assert "metadata" not in bare.seen(job)
    assert ours.seen(foreign)["hyperparameters"]["lora"] is False
    costs = ours.get("/organization/costs", start_time=int(NOW), **{"group_by[]": "line_item"})
    assert [each["line_item"] for each in costs["data"][0]["results"]] == ["gpt-4o-mini-2024-07-18, training"]


# Azure


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"api-key": "k"}, 200),
        ({"Authorization": "Bearer k"}, 200),
        ({"api-key": "sk-wrong"}, 401),
        ({}, 401),
    ],
)
def test_azure_takes_its_key_in_either_header(azure: Played, headers: dict[str, str], status: int) -> None:
    assert httpx2.get(f"{azure.url}/models", headers=headers, trust_env=False).status_code == status


def test_only_azure_takes_a_key_in_api_key(plays: Plays) -> None:
    assert (
        httpx2.get(f"{plays('openai').url}/models", headers={"api-key": "k"}, trust_env=False).status_code == 401
    )


def test_azure_leaves_out_of_its_create_reply_what_it_tells_later(azure: Played) -> None:
    job = azure.job()
    later = {"trained_tokens", "fine_tuned_model", "error", "result_files", "organization_id"}
    assert azure.seen(job).keys() - job.keys() == later


def test_azure_has_words_of_its_own(azure: Played) -> None:
    assert azure.words(azure.job()) == ["pending", "running", "succeeded"]
    job = azure.job()
    assert azure.http.post(f"/fine_tuning/jobs/{job['id']}/cancel").json()["status"] == "canceled"
    assert azure.seen(job)["status"] == "canceled"


def test_azure_writes_auto_as_minus_one_until_it_has_decided(azure: Played) -> None:
    job = azure.job(
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": -1, "batch_size": 4}}}
    )
    asked = {"n_epochs": -1, "batch_size": 4, "learning_rate_multiplier": -1}
    assert (job["hyperparameters"], job["method"]["supervised"]["hyperparameters"]) == (asked, asked)
    azure.wait(7)
    assert azure.seen(job)["hyperparameters"]["n_epochs"] == 10


@pytest.mark.parametrize("training_type", ["GlobalStandard", "Standard", "Developer"])
def test_azure_takes_three_training_types(azure: Played, training_type: str) -> None:
    assert azure.create(trainingType=training_type).status_code == 200


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"trainingType": None}, "trainingType"),
        ({"trainingType": "Batch"}, "trainingType"),
        ({"suffix": "v1.2"}, "suffix"),
        ({"hyperparameters": {"n_epochs": 0}}, "hyperparameters.n_epochs"),
    ],
)
def test_azure_refuses(azure: Played, fields: dict[str, Any], param: str) -> None:
    assert azure.refused(**fields) == (400, "invalid_value", param)


def test_azure_metadata_is_no_field_of_its_jobs(azure: Played) -> None:
    assert "metadata" not in azure.job(metadata={"team": "a"})


# Nebius


def test_nebius_tells_no_status_of_files_and_uses_them_at_once(nebius: Played) -> None:
    file = nebius.upload()
    assert "status" in file
    assert file["status"] is None
    nebius.wait(1)
    assert nebius.get(f"/files/{file['id']}")["status"] is None
    assert nebius.create().status_code == 200


def test_nebius_jobs_run_from_the_start_and_never_name_their_model(nebius: Played) -> None:
    job = nebius.job()
    assert nebius.words(job) == ["running", "succeeded"]
    done = nebius.seen(job)
    assert not {"fine_tuned_model", "metadata", "method"} & done.keys()
    assert (done["trained_tokens"], done["model"]) == (10 * 10 * 11, LLAMA)


def test_nebius_takes_hyperparameters_of_its_own(nebius: Played) -> None:
    given = {"n_epochs": 2, "batch_size": 8, "learning_rate": 2e-5, "lora": True}
    assert nebius.job(hyperparameters=given)["hyperparameters"] == given
    decided = {"n_epochs": 10, "batch_size": 1, "learning_rate": 1e-5, "lora": False}
    assert nebius.job()["hyperparameters"] == decided


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"method": {"type": "supervised"}}, 400, "method"),
        ({"hyperparameters": {"learning_rate_multiplier": 2}}, 400, "hyperparameters"),
        ({"hyperparameters": {"learning_rate": 0}}, 400, "hyperparameters.learning_rate"),
        ({"hyperparameters": {"learning_rate": 1.5}}, 400, "hyperparameters.learning_rate"),
        ({"hyperparameters": {"lora": 1}}, 400, "hyperparameters.lora"),
        ({"model": "gpt-4o-mini"}, 404, "model"),
    ],
)
def test_nebius_refuses(nebius: Played, fields: dict[str, Any], status: int, param: str) -> None:
    told_status, _, told_param = nebius.refused(**fields)
    assert (told_status, told_param) == (status, param)


def test_nebius_lists_everything_at_once(nebius: Played) -> None:
    jobs = [nebius.job()["id"] for _ in range(3)]
    page = nebius.get("/fine_tuning/jobs", limit=1, after=jobs[1])
    assert page.keys() == {"object", "data"}
    assert [job["id"] for job in page["data"]] == jobs[::-1]
    assert len(nebius.get("/files", limit=1)["data"]) == 3
    nebius.wait(7)
    assert len(nebius.get(f"/fine_tuning/jobs/{jobs[0]}/events", limit=1)["data"]) > 100


@pytest.mark.parametrize("model", ["meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen3-14B", "org/anything"])
def test_nebius_tunes_models_of_organizations(nebius: Played, model: str) -> None:
    assert nebius.job(model=model)["model"] == model
    with openai.OpenAI(api_key="sk-test", base_url=nebius.url, max_retries=0) as client:
        assert client.models.retrieve(model).id == model


# The least


def test_bare_has_the_least_objects(bare: Played) -> None:
    file, job = bare.upload(), bare.job()
    assert file.keys() == {"id", "object", "bytes", "created_at", "filename", "purpose"}
    least = {"id", "object", "model", "created_at", "status", "training_file", "finished_at", "trained_tokens"}
    assert job.keys() == least
    assert bare.seen(job).keys() == least
    cancelled = bare.http.post(f"/fine_tuning/jobs/{job['id']}/cancel").json()
    assert (cancelled.keys(), cancelled["status"]) == (least, "cancelled")


@pytest.mark.parametrize("field", ["seed", "suffix", "validation_file", "metadata", "integrations", "anything"])
def test_bare_refuses_every_other_field(bare: Played, field: str) -> None:
    assert bare.refused(**{field: {}}) == (400, "unknown_parameter", field)


def test_bare_lists_have_cursors(bare: Played) -> None:
    jobs = [bare.job()["id"] for _ in range(2)]
    page = bare.get("/fine_tuning/jobs", limit=1)
    assert ([job["id"] for job in page["data"]], page["has_more"]) == ([jobs[1]], True)
    page = bare.get("/fine_tuning/jobs", limit=1, after=jobs[1])
    assert ([job["id"] for job in page["data"]], page["has_more"]) == ([jobs[0]], False)


def test_bare_does_not_filter(bare: Played) -> None:
    job = bare.job()
    assert [each["id"] for each in bare.get("/fine_tuning/jobs", **{"metadata[a]": "b"})["data"]] == [job["id"]]


# Not the API


def test_mistral_misses_its_own_field_in_our_create_body(mistral: Played) -> None:
    reply = mistral.create(seed=7, metadata={"team": "a"})
    missing = {"type": "missing", "loc": ["body", "training_files"], "msg": "Field required"}
    assert (reply.status_code, reply.json()) == (422, {"detail": [missing]})


def test_mistral_jobs_are_of_another_schema(mistral: Played) -> None:
    files = [{"file_id": mistral.upload()["id"], "weight": 1}]
    job = mistral.job(training_files=files)
    assert (job["object"], job["job_type"], job["auto_start"]) == ("job", "completion", True)
    assert job["training_files"] == [files[0]["file_id"]]
    assert mistral.words(job) == ["VALIDATING", "QUEUED", "RUNNING", "SUCCESS"]
    page = mistral.get("/fine_tuning/jobs", limit=1)
    assert page.keys() == {"data", "object", "total"}
    assert ([each["id"] for each in page["data"]], page["total"]) == ([job["id"]], 1)


def test_mistral_refuses_what_is_no_list_of_files(mistral: Played) -> None:
    assert mistral.create(training_files=["file-a"]).status_code == 422
