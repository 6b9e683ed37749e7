"""Whether a model is gone is asked of the service that trains it; the catalog stands where it says nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine

from ftjobs.errors import UnavailableError
from tests.conftest import CREATE, Run, Service

GONE = "gpt-4.1-nano-2025-04-14"  # by the catalog, since 2026-10-23
CATALOGUED = """
[profiles.mine]
extends = "openai"
base_url = "{url}"
api_key_env = "MY_KEY"
"""


@pytest.fixture(autouse=True)
def _in_november_2026() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 11, 24, 12, tzinfo=UTC), tick=True):
        yield


@pytest.fixture
def submit(
    service: Service, inside: Callable[..., Run], training_file: Path, tmp_path: Path
) -> Callable[..., Run]:
    """Submit through a profile that the catalog is about, whose service is the sandbox."""
    settings = tmp_path / "settings.toml"
    settings.write_text(CATALOGUED.format(url=service.base_url), encoding="utf-8")

    def run(model: str, *more: str, key: str = "sk-test") -> Run:
        args = ("submit", str(training_file), "--model", model, "--config", str(settings), "--profile", "mine")
        return inside(*args, *more, "--json", MY_KEY=key)

    return run


def says(service: Service, shutdown_date: str | None, model: str = GONE) -> None:
    body = json.dumps({"id": model, "object": "model", "shutdown_date": shutdown_date})
    service.faults({"on": "GET /v1/models/*", "do": "garbage", "body": body, "times": 9})


def test_a_later_date_of_the_service_beats_the_catalogs(service: Service, submit: Callable[..., Run]) -> None:
    says(service, "2026-12-24")
    told = submit(GONE)
    assert (told.code, told.json["code"]) == (7, "model_not_found")  # we let it through; the sandbox has it not
    assert "shut down on 2026-12-24, in 30 days: training comes to $0.0" in told.err
    assert "a day until then" in told.err


def test_an_earlier_date_of_the_service_refuses_what_the_catalog_still_has(
    service: Service, submit: Callable[..., Run]
) -> None:
    says(service, "2026-11-01", "gpt-4o-mini-2024-07-18")
    told = submit("gpt-4o-mini")
    assert (told.code, told.json["code"]) == (5, "model_shut_down")
    assert told.json["details"]["shutdown_date"] == "2026-11-01"
    assert service.jobs() == []


def test_a_job_that_exists_is_answered_with_after_its_model_is_gone(
    service: Service, submit: Callable[..., Run]
) -> None:
    made = submit("gpt-4o-mini").json
    says(service, "2026-11-01", "gpt-4o-mini-2024-07-18")
    again = submit("gpt-4o-mini")
    assert (again.code, again.json["job_id"], again.json["reused"]) == (0, made["job_id"], True)
    with time_machine.travel(datetime(2027, 2, 1, 12, tzinfo=UTC), tick=True):  # by the catalog too
        later = submit("gpt-4o-mini")
        assert (later.code, later.json["job_id"]) == (0, made["job_id"])
        assert submit("gpt-4o-mini", "--again", "new").code == 5


@pytest.mark.parametrize("says_so", ["null", "unknown", "no key"])
def test_where_the_service_says_nothing_the_catalog_stands(
    service: Service, submit: Callable[..., Run], says_so: str
) -> None:
    if says_so == "null":
        says(service, None)
    elif says_so != "no key":
        service.faults({"on": "GET /v1/models/*", "do": "status", "status": 404, "times": 9})
    told = submit(GONE, key="" if says_so == "no key" else "sk-test")
    assert (told.code, told.json["code"]) == (5, "model_shut_down")
    assert told.json["details"]["shutdown_date"] == "2026-10-23"
    arrived = [f"{each['method']} {each['path']}" for each in service.requests()]
    assert CREATE not in arrived
    assert not any("files" in each for each in arrived)


def test_where_the_service_is_away_the_catalog_stands(
    submit: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise UnavailableError("unavailable", "Nobody answers.", next_step="Try later.")

    monkeypatch.setattr("ftjobs.app.App.session", away)
    told = submit(GONE)
    assert (told.code, told.json["code"]) == (5, "model_shut_down")


def test_a_dry_run_asks_nobody(service: Service, submit: Callable[..., Run]) -> None:
    says(service, "2026-12-24")
    assert submit(GONE, "--dry-run").code == 5
    assert submit("gpt-4o-mini", "--dry-run").json["estimate"]["shutdown_date"] == "2027-01-14"
    assert service.requests() == []
