"""The sandbox's cost report: days, pages and groups as the API has them, prices of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ftjobs.sandbox.serving import serve_in_background

DAY = 86_400
NOW = 1_811_808_000.0  # 2027-06-01
MORE = [("group_by[]", "line_item"), ("group_by[]", "project_id")]


class Clock:
    """A time that tests move."""

    now = NOW + 100

    def __call__(self) -> float:
        return self.now


class Desk:
    """A client of a sandbox whose jobs end at once."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.clock = clock
        key = {"Authorization": "Bearer sk-test"}
        self.http = httpx2.Client(base_url=url, headers=key, timeout=60, trust_env=False)

    def train(self, model: str) -> int:
        """Train and return the trained tokens."""
        line = json.dumps(
            {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}
        )
        files = {"file": ("train.jsonl", f"{line}\n".encode() * 10)}
        file_id = self.http.post("/files", data={"purpose": "fine-tune"}, files=files).json()["id"]
        self.clock.now += 1
        made = self.http.post("/fine_tuning/jobs", json={"model": model, "training_file": file_id}).json()
        self.clock.now += 1
        return int(self.http.get(f"/fine_tuning/jobs/{made['id']}").json()["trained_tokens"])

    def costs(self, **query: object) -> httpx2.Response:
        """Ask for the report."""
        params = [(name, str(value)) for name, value in query.items()]
        return self.http.get("/organization/costs", params=[*params, *MORE])


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A sandbox of its own."""
    clock = Clock()
    with serve_in_background(tmp_path, clock=clock) as url:
        desk = Desk(url, clock)
        with desk.http:
            settings = url.replace("/v1", "/sandbox/settings")
            desk.http.put(settings, json={"job_seconds": 0.5, "file_seconds": 0.1}).raise_for_status()
            yield desk


def results(page: dict[str, Any]) -> list[list[Any]]:
    """Return what each bucket of a page holds."""
    return [bucket["results"] for bucket in page["data"]]


def test_a_day_has_what_its_ended_jobs_cost_by_model(desk: Desk) -> None:
    assert desk.costs(start_time=int(NOW)).json()["data"][0]["results"] == []
    small = desk.train("gpt-4o-mini") + desk.train("gpt-4o-mini")
    large = desk.train("gpt-4.1")
    desk.clock.now += DAY
    page = desk.costs(start_time=int(NOW) - DAY, end_time=int(NOW) + 2 * DAY).json()
    assert (page["object"], page["has_more"], page["next_page"]) == ("page", False, None)
    assert [bucket["start_time"] for bucket in page["data"]] == [int(NOW) + n * DAY for n in (-1, 0, 1)]
    before, day, after = results(page)
    assert (before, after) == ([], [])
    assert [(cost["line_item"], cost["quantity"], cost["amount"]["currency"]) for cost in day] == [
        ("gpt-4.1-2025-04-14, training", large, "usd"),
        ("gpt-4o-mini-2024-07-18, training", small, "usd"),
    ]
    assert [cost["amount"]["value"] for cost in day] == pytest.approx([large * 25e-6, small * 3e-6])
    assert {cost["project_id"] for cost in day} == {"proj_sandbox"}


def test_pages_follow_each_other_to_the_end(desk: Desk) -> None:
    asked = {"start_time": int(NOW), "end_time": int(NOW) + 5 * DAY, "limit": 2}
    found, page = [], desk.costs(**asked).json()
    while page["has_more"]:
        found += page["data"]
        page = desk.costs(**asked, page=page["next_page"]).json()
    found += page["data"]
    assert [bucket["start_time"] for bucket in found] == [int(NOW) + n * DAY for n in range(5)]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"start_time": "x"},
        {"start_time": 1, "limit": 181},
        {"start_time": 1, "limit": 0},
        {"start_time": 1, "bucket_width": "1h"},
        {"start_time": 1, "page": "nowhere"},
        {"start_time": 1, "group_by[]": "model"},
    ],
)
def test_what_the_report_does_not_take_is_refused(desk: Desk, query: dict[str, object]) -> None:
    assert desk.costs(**query).status_code == 400
