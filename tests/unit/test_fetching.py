"""Known jobs are fetched for few requests, whoever else fills the lists, and trouble with one hides no other."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftjobs.errors import RejectedError, UnavailableError
from ftjobs.jobs.job import Job, parse_job
from ftjobs.provider.api import PAGE_LIMIT, Api
from ftjobs.provider.objects import JobPage
from ftjobs.workflows.fetching import Fetched, fetch

START = datetime(2026, 11, 1, tzinfo=UTC)
MARK = {"ftjobs": "1"}


def job(number: int, *, ours: bool = True) -> Job:
    return parse_job(
        {
            "object": "fine_tuning.job",
            "id": f"ftjob-{number:06}",
            "status": "running",
            "created_at": int((START + timedelta(seconds=number)).timestamp()),
            "metadata": MARK if ours else {},
        }
    )


@dataclass
class Account:
    """A service's jobs, newest first, and every request that came; ids in `gone` answer 404."""

    jobs: Sequence[Job]
    filters: bool = True
    takes_cursors: bool = True
    gone: frozenset[str] = frozenset()
    trouble: Mapping[str, Exception] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def list_jobs(self, *, metadata: Mapping[str, str] | None, after: str | None, skips_damaged: bool) -> JobPage:
        assert skips_damaged
        self._came(f"list {after or ''}")
        listed = [j for j in self.jobs if not (self.filters and metadata) or j.metadata == metadata]
        ids = [each.id for each in self.jobs]
        if after is not None and (not self.takes_cursors or after not in ids):
            raise RejectedError("invalid_value", "no such cursor", next_step="none", http_status=400)
        if after is not None:
            older = set(ids[ids.index(after) + 1 :])
            listed = [each for each in listed if each.id in older]
        page = tuple(listed[:PAGE_LIMIT])
        return JobPage(page, page[-1].id if len(listed) > PAGE_LIMIT else None)

    def retrieve_job(self, job_id: str) -> Job | None:
        self._came(f"get {job_id}")
        if job_id in self.gone:
            return None
        return next(each for each in self.jobs if each.id == job_id)

    def _came(self, request: str) -> None:
        with self.lock:
            self.requests.append(request)
        for start, trouble in self.trouble.items():
            if request.startswith(start):
                raise trouble


def newest_first(jobs: Sequence[Job]) -> list[Job]:
    return sorted(jobs, key=lambda each: each.created_at, reverse=True)


def fetched(account: Account, known: Sequence[Job], *, mark: Mapping[str, str] | None = MARK) -> Fetched:
    whole = Fetched()
    for part in fetch(known, cast(Api, account), mark=mark):
        whole.jobs.extend(part.jobs)
        whole.missing.extend(part.missing)
        whole.failures.extend(part.failures)
    return whole


def ids(jobs: Sequence[Job], known: Sequence[Job]) -> list[str]:
    """Return the ids of jobs, sorted, all of which must be known ones."""
    assert {each.id for each in jobs} <= {each.id for each in known}
    return sorted(each.id for each in jobs)


@pytest.mark.parametrize(("count", "most"), [(1, 1), (2, 1), (100, 1), (101, 2), (1_000, 12), (10_000, 104)])
def test_a_request_brings_a_hundred_jobs(count: int, most: int) -> None:
    ours = [job(number) for number in range(count)]
    account = Account(newest_first(ours))
    assert ids(fetched(account, ours).jobs, ours) == ids(ours, ours)
    assert len(account.requests) <= most


@pytest.mark.parametrize("filters", [True, False])
def test_few_jobs_behind_many_newer_ones_of_others_cost_at_most_eight_requests(filters: bool) -> None:
    ours = [job(number * 1_000) for number in range(5)]
    others = [job(number, ours=False) for number in range(1, 25_000) if number % 1_000]
    account = Account(newest_first([*ours, *others]), filters=filters)
    assert ids(fetched(account, ours, mark=MARK if filters else None).jobs, ours) == ids(ours, ours)
    assert len(account.requests) <= 8


def test_many_jobs_behind_many_of_others_are_found_where_they_begin() -> None:
    ours = [job(number) for number in range(2_000)]
    others = [job(number, ours=False) for number in range(2_000, 22_000)]
    account = Account(newest_first([*ours, *others]), filters=False)
    assert ids(fetched(account, ours).jobs, ours) == ids(ours, ours)
    assert len(account.requests) <= 2_000 // PAGE_LIMIT + 8


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), max_size=900), st.booleans(), st.booleans())
def test_others_cost_no_more_than_a_few_pages_and_every_job_is_fetched_once(
    is_ours: list[bool], filters: bool, takes_cursors: bool
) -> None:
    jobs = [job(number, ours=mine) for number, mine in enumerate(is_ours)]
    ours = [each for each in jobs if each.metadata]
    account = Account(newest_first(jobs), filters=filters, takes_cursors=takes_cursors)
    found = fetched(account, ours, mark=MARK)
    assert ids(found.jobs, ours) == ids(ours, ours)
    assert not {each.id for each in found.others} & {each.id for each in ours}
    assert (found.missing, found.failures) == ([], [])
    assert len(account.requests) <= len(ours) + 8
    singles = [request for request in account.requests if request.startswith("get")]
    assert len(singles) == len(set(singles))


def test_jobs_without_the_mark_are_looked_for_in_the_whole_list() -> None:
    ours = [*(job(number) for number in range(50)), *(job(number, ours=False) for number in range(50, 90))]
    account = Account(newest_first(ours))
    assert ids(fetched(account, ours).jobs, ours) == ids(ours, ours)
    assert account.requests == ["list ", "list "]


def test_a_job_that_is_not_there_is_missing_and_hides_no_other() -> None:
    ours = [job(number) for number in range(3)]
    account = Account(newest_first(ours[:2]), gone=frozenset({ours[2].id}))
    found = fetched(account, ours)
    assert (ids(found.jobs, ours), found.missing) == (ids(ours[:2], ours), [ours[2].id])


def test_a_job_that_is_refused_hides_no_other() -> None:
    ours = [job(number) for number in range(3)]
    refusal = RejectedError("forbidden", "no", next_step="none", http_status=403)
    account = Account(newest_first(ours[1:]), trouble={f"get {ours[0].id}": refusal})
    found = fetched(account, ours)
    assert (ids(found.jobs, ours), found.failures) == (ids(ours[1:], ours), [refusal])


def test_where_lists_lie_jobs_are_asked_for_one_by_one() -> None:
    ours = [job(number) for number in range(30)]
    lie = UnavailableError("unavailable", "no list", next_step="none", unusable_answer=True)
    account = Account(newest_first(ours), trouble={"list": lie})
    assert ids(fetched(account, ours).jobs, ours) == ids(ours, ours)
    assert len(account.requests) == 31


@pytest.mark.parametrize(
    "trouble",
    [
        UnavailableError("unavailable", "away", next_step="none"),
        RejectedError("invalid_api_key", "wrong key", next_step="none", http_status=401),
    ],
)
def test_a_service_that_answers_nobody_is_not_asked_ten_thousand_times(trouble: Exception) -> None:
    ours = [job(number) for number in range(10_000)]
    account = Account([], trouble={"": trouble})
    with pytest.raises(type(trouble)):
        fetched(account, ours)
    assert len(account.requests) <= 8


def test_what_came_before_the_service_went_away_is_kept() -> None:
    ours = [job(number) for number in range(150)]
    away = UnavailableError("unavailable", "away", next_step="none")
    account = Account(newest_first(ours), trouble={"list ftjob-": away})
    came: list[Job] = []
    with pytest.raises(UnavailableError):
        for part in fetch(ours, cast(Api, account), mark=MARK):
            came.extend(part.jobs)
    assert len(came) == 101  # one asked for by itself tells an outage from a cursor that is gone


def test_a_bug_in_a_thread_is_not_swallowed() -> None:
    ours = [job(number) for number in range(3)]
    account = Account(ours, trouble={"list": ZeroDivisionError()})
    with pytest.raises(ZeroDivisionError):
        fetched(account, ours)
