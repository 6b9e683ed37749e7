"""What the bench syncs against: a service that pages as the real one does, and ledgers that `ftjobs` takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.bench.cases import Bench
from tests.bench.measure import timed
from tests.bench.population import OTHERS, World, our_job
from tests.bench.prepared import write_ledger
from tests.bench.service import make, served, taken
from tests.bench.sync import Ours

JOBS = 3


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The service."""
    with served() as address:
        yield address


def page(address: str, world: World, query: str) -> tuple[list[str], bool]:
    """Return the ids of a page, and whether more follow."""
    with urlopen(f"{address}/{world.name}/v1/fine_tuning/jobs?{query}") as answer:
        told: dict[str, Any] = json.load(answer)
    assert told["object"] == "list"
    return [job["id"] for job in told["data"]], told["has_more"]


def test_it_lists_newest_first_and_says_whether_more_follow(address: str) -> None:
    ours = [our_job(number, "running")["id"] for number in reversed(range(JOBS))]
    world = World(JOBS, "running")
    assert page(address, world, "limit=2") == (ours[:2], True)
    assert page(address, world, f"limit=2&after={ours[1]}") == (ours[2:], False)
    with pytest.raises(HTTPError, match="400"):
        page(address, world, "limit=101")


def test_others_are_newer_and_a_filter_is_honoured_or_ignored(address: str) -> None:
    ours = [our_job(number, "ended")["id"] for number in reversed(range(JOBS))]
    among, ignored = World(JOBS, "ended", "among"), World(JOBS, "ended", "ignored")
    make(address, among)
    assert page(address, among, "metadata%5Bftjobs%5D=1") == (ours, False)
    for world, query in ((among, "limit=100"), (ignored, "limit=100&metadata[ftjobs]=1")):
        found, more = page(address, world, query)
        assert (len(found), more, set(found) & set(ours)) == (100, True, set())
    after = page(address, ignored, f"after=ftjob-not{1:021d}")[0]
    assert after == [f"ftjob-not{0:021d}", *ours]
    assert OTHERS > 100


def test_status_settles_the_jobs_of_a_prepared_ledger(address: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite3"
    write_ledger(ledger, JOBS)
    ours = Ours(Bench(tmp_path), address, ledger, World(JOBS, "ended"))
    taken(address)
    told = json.loads(timed(ours.command("status", "--json", name="status")).out)
    assert {job["status"] for job in told["jobs"]} == {"succeeded"}
    assert taken(address)[0] == 1
    ours.require(JOBS, JOBS)
    with pytest.raises(RuntimeError, match="3 jobs and 3 bills"):
        ours.require(JOBS, 0)
