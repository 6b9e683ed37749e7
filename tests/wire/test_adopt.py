"""Adopting over the wire: every page, once, whoever made the jobs, and never at the cost of paying twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import respx

from ftjobs.ambient import Ambient
from ftjobs.errors import UnavailableError, UsageError
from ftjobs.jobs.job import parse_job
from ftjobs.jobs.quote import Quote
from ftjobs.jobs.submission import Submission, new_id
from ftjobs.ledger.adopted import Adopted
from ftjobs.ledger.entries import Trail
from ftjobs.ledger.store import Ledger
from ftjobs.money import Usd
from ftjobs.pricing.prices import load_prices
from ftjobs.provider.retrying import RetryPolicy
from ftjobs.workflows.adopt import Adopter, attach_named, listed, named
from ftjobs.workflows.adoption import metadata_of, strangers_key
from ftjobs.workflows.lookup import CONTENT_KEY, Found, look_up
from ftjobs.workflows.session import Session
from tests.wire.conftest import (
    FILE,
    FILES,
    JOBS,
    KEY,
    MINI,
    NOW,
    ULID,
    URL,
    Account,
    Accounts,
    a_submission,
    job_object,
    page_of,
)
from tests.wire.job_lists import serving

BORN = datetime.fromisoformat("2026-10-31T23:50:00Z")
OTHER = a_submission(id=ULID[:-1] + "0", key="c" * 64)
ESTIMATE = metadata_of(a_submission())["ftjobs_estimate"]


@pytest.fixture
def session(account: Accounts, tmp_path: Path) -> Callable[..., Session]:
    """Open a session on the one ledger of the test: `session(base_url, …)` as `account` takes it."""
    ledger = Ledger(tmp_path / "ledger.sqlite3", stamp="real")

    def opened(*args: str, **fields: Any) -> Session:
        found: Account = account(*args, **fields)
        return Session(found.api, ledger, Ambient(now=lambda: NOW))

    return opened


Sessions = Callable[..., Session]


def adopter(session: Session) -> Adopter:
    return Adopter(session, load_prices(()), "openai")


def adopt_all(session: Session, since: datetime | None = None) -> Adopter:
    adopting = adopter(session)
    adopting.adopt(listed(session.api, since=since))
    return adopting


def ended(job_id: str, **fields: object) -> dict[str, Any]:
    """Return a job of October that ended twenty minutes later, in November."""
    born = int(BORN.timestamp())
    told = {"status": "succeeded", "created_at": born, "finished_at": born + 1200, "trained_tokens": 1_000_000}
    return job_object(job_id, **{**told, "training_file": "file-theirs", **fields})


def ours(job_id: str, submission: Submission | None = None, **fields: object) -> dict[str, Any]:
    return ended(job_id, metadata=metadata_of(submission or a_submission()), **fields)


def serve(mock: respx.MockRouter, *pages: dict[str, Any]) -> None:
    mock.get(JOBS).mock(side_effect=[httpx.Response(200, json=page) for page in pages])


def only(session: Session) -> Trail:
    (trail,) = session.ledger.trails()
    return trail


# Which jobs


def test_every_page_is_read_unfiltered_even_where_metadata_is_trusted(
    session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    serve(httpx2_mock, page_of(ended("ftjob-3"), ours("ftjob-2"), more=True), page_of(ended("ftjob-1")))
    done = adopt_all(session(keeps_metadata=True)).done
    assert sorted(done.new) == ["ftjob-1", "ftjob-2", "ftjob-3"]
    queries = [dict(parse_qsl(call.request.url.query.decode())) for call in httpx2_mock.calls]
    assert queries == [{"limit": "100"}, {"limit": "100", "after": "ftjob-2"}]
    assert (done.with_estimate, done.settled, done.billed) == (1, 3, Usd.parse("9.00"))


def test_since_a_time_the_first_page_of_older_jobs_is_the_last_one(
    session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    def at(job_id: str, minutes: int) -> dict[str, Any]:
        return ended(job_id, created_at=int((BORN + timedelta(minutes=minutes)).timestamp()))

    serve(
        httpx2_mock,
        page_of(at("ftjob-9", 9), at("ftjob-8", -8), at("ftjob-7", 7), more=True),  # one is out of order
        page_of(at("ftjob-0", 0), at("ftjob-1", -1), more=True),
        page_of(at("ftjob-2", -2), at("ftjob-3", -3), more=True),
        page_of(at("ftjob-4", 4)),
    )
    opened = session()
    assert sorted(adopt_all(opened, since=BORN).done.new) == ["ftjob-0", "ftjob-7", "ftjob-9"]
    assert len(httpx2_mock.calls) == 3


def test_named_jobs_are_asked_for_one_by_one_and_once(session: Sessions, httpx2_mock: respx.MockRouter) -> None:
    for job_id in ("ftjob-1", "ftjob-2"):
        httpx2_mock.get(f"{JOBS}/{job_id}").mock(return_value=httpx.Response(200, json=ended(job_id)))
    opened = session()
    adopting = adopter(opened)
    adopting.adopt(named(opened.api, ["ftjob-2", "ftjob-1", "ftjob-2"]))
    assert sorted(adopting.done.new) == ["ftjob-1", "ftjob-2"]
    assert len(httpx2_mock.calls) == 2


def test_a_named_job_that_the_service_has_not_is_named_and_nothing_is_adopted(
    session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    httpx2_mock.get(f"{JOBS}/ftjob-1").mock(return_value=httpx.Response(200, json=ended("ftjob-1")))
    httpx2_mock.get(f"{JOBS}/ftjob-2").mock(return_value=httpx.Response(404, json={"error": {"message": "no"}}))
    opened = session()
    with pytest.raises(UsageError, match="no job ftjob-2"):
        adopter(opened).adopt(named(opened.api, ["ftjob-1", "ftjob-2"]))
    assert opened.ledger.trails() == []


def test_a_page_that_lies_leaves_what_was_committed_before(
    session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    circle = [page_of(ended("ftjob-2"), more=True), page_of(ended("ftjob-1"), more=True)]
    serve(httpx2_mock, *circle, circle[0])
    opened = session()
    with pytest.raises(UnavailableError):
        adopt_all(opened)
    assert len(opened.ledger.trails()) == 2
    serve(httpx2_mock, page_of(ended("ftjob-2"), ended("ftjob-1"), ended("ftjob-0")))
    done = adopt_all(opened).done
    assert (done.new, sorted(done.known)) == (["ftjob-0"], ["ftjob-1", "ftjob-2"])


def test_what_cannot_be_read_is_counted_and_hides_no_other(
    session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    serve(
        httpx2_mock,
        page_of({"object": "fine_tuning.job", "id": "ftjob-9"}, ended("ftjob-2"), more=True),
        page_of(ended("ftjob-1"), {"object": "a thing of 2028"}),
    )
    done = adopt_all(session()).done
    assert (sorted(done.new), done.damaged) == (["ftjob-1", "ftjob-2"], 2)


def test_a_service_that_repeats_itself_is_counted_once(session: Sessions, httpx2_mock: respx.MockRouter) -> None:
    twice = ended("ftjob-2")
    serve(httpx2_mock, page_of(twice, twice, ended("ftjob-1"), more=True), page_of(twice, ended("ftjob-0")))
    done = adopt_all(session()).done
    assert (sorted(done.new), done.known) == (["ftjob-0", "ftjob-1", "ftjob-2"], [])


# What they bring


def test_a_job_of_ours_brings_its_submission_its_estimate_and_its_tags(
    session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    mine = a_submission(tags={"team": "search"})
    serve(httpx2_mock, page_of(ours("ftjob-1", mine)))
    opened = session()
    adopt_all(opened)
    trail = only(opened)
    told = trail.submission
    assert (told.id, told.key, told.quote, told.tags) == (mine.id, mine.key, mine.quote, mine.tags)
    assert (told.profile, told.account, told.recorded_at) == ("test", f"{URL}||", NOW)
    assert [(entry.kind, entry.occurred_at) for entry in trail.entries] == [
        ("estimate", BORN),
        ("billed", BORN + timedelta(minutes=20)),
    ]


STRANGE: dict[str, dict[str, object]] = {
    "none": {},
    "null": {"metadata": None},
    "of their own": {"metadata": {"team": "search"}},
    "a key alone": {"metadata": {"ftjobs_key": KEY}},
    "an id alone": {"metadata": {"ftjobs_submission": ULID}},
    "an id of another form": {
        "metadata": {"ftjobs_submission": ULID.lower(), "ftjobs_key": KEY, "ftjobs_estimate": ESTIMATE}
    },
    "an id that is too large": {
        "metadata": {"ftjobs_submission": "8" + ULID[1:], "ftjobs_key": KEY, "ftjobs_estimate": ESTIMATE}
    },
    "a key of another form": {
        "metadata": {"ftjobs_submission": ULID, "ftjobs_key": KEY.upper(), "ftjobs_estimate": ESTIMATE}
    },
    "no estimate": {"metadata": {"ftjobs_submission": ULID, "ftjobs_key": KEY}},
    "an estimate that is none": {
        "metadata": {"ftjobs_submission": ULID, "ftjobs_key": KEY, "ftjobs_estimate": "{}"}
    },
    "numbers": {"metadata": {"ftjobs_submission": 1, "ftjobs_key": 2, "ftjobs_estimate": 3}},
}


@pytest.mark.parametrize("fields", STRANGE.values(), ids=STRANGE)
def test_a_strangers_job_neither_holds_nor_frees_a_content_key(
    session: Sessions, httpx2_mock: respx.MockRouter, fields: dict[str, object]
) -> None:
    serve(httpx2_mock, page_of(ended("ftjob-1", **fields), ended("ftjob-2", status="failed", **fields)))
    opened = session()
    assert len(adopt_all(opened).done.new) == 2
    for trail in opened.ledger.trails():
        told = trail.submission
        assert told.job is not None
        assert told.key == strangers_key(f"{URL}||", told.job.id)
        assert not CONTENT_KEY.fullmatch(told.key)
        assert told.id != ULID
        assert trail.billed == Usd.parse("3.00")
        assert not any(name.startswith("ftjobs") for name in told.tags)
    assert opened.ledger.record(a_submission()).is_new
    assert not opened.ledger.metadata_kept(f"{URL}||")


def test_an_estimate_is_believed_without_the_rest(session: Sessions, httpx2_mock: respx.MockRouter) -> None:
    serve(httpx2_mock, page_of(ended("ftjob-1", metadata={"ftjobs_estimate": ESTIMATE, "team": "search"})))
    opened = session()
    assert adopt_all(opened).done.with_estimate == 1
    told = only(opened).submission
    assert (told.quote, told.tags) == (Quote.decode(ESTIMATE), {"team": "search"})


def test_a_key_is_the_strangers_own_for_good() -> None:
    keys = {strangers_key(account, job_id) for account in ("a", "b") for job_id in ("1", "2")}
    assert len(keys) == 4
    assert strangers_key("a", "1") in keys
    assert strangers_key("a|", "1") != strangers_key("a", "|1")


def test_what_copies_the_name_of_a_submission_of_ours_stays_a_stranger(
    session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    opened = session()
    opened.ledger.record(a_submission())
    opened.ledger.attach(ULID, parse_job(ours("ftjob-1")), now=NOW)
    copied = {**metadata_of(a_submission()), "ftjobs_key": "c" * 64}
    serve(httpx2_mock, page_of(ended("ftjob-2", metadata=copied), ours("ftjob-1")))
    done = adopt_all(opened).done
    assert (done.new, done.known) == (["ftjob-2"], ["ftjob-1"])
    assert opened.ledger.holder("c" * 64) is None
    owner = opened.ledger.owner_of("ftjob-2")
    assert owner not in {None, ULID}


def test_twins_have_a_submission_each_and_the_first_one_has_the_name_and_the_key(
    session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    later = int(BORN.timestamp()) + 60
    serve(httpx2_mock, page_of(ours("ftjob-2", created_at=later), ours("ftjob-1")))
    opened = session()
    adopt_all(opened)
    assert [trail.estimate is not None for trail in opened.ledger.trails()] == [True, True]
    assert opened.ledger.owner_of("ftjob-1") == ULID
    twin = opened.ledger.get(opened.ledger.owner_of("ftjob-2") or "")
    assert (twin.key, twin.quote) == (KEY, a_submission().quote)
    holder = opened.ledger.holder(KEY)
    assert holder is not None
    assert holder.id == ULID


@pytest.mark.parametrize(
    ("fields", "billed"),
    [
        ({"model": f"ft:{MINI}:acme::abc"}, "3.00"),
        ({"model": "gpt-4o-mini"}, "3.00"),
        ({"status": "failed"}, "3.00"),
        ({"status": "failed", "trained_tokens": None}, None),
        ({"trained_tokens": None}, None),
        ({"trained_tokens": "many"}, None),
        ({"model": "a-model-of-2028"}, None),
        ({"model": "ft:"}, None),
        ({"model": None}, None),
        ({"status": "running"}, None),
    ],
)
def test_a_bill_is_written_where_tokens_and_price_are_known_and_is_never_nothing(
    session: Sessions, httpx2_mock: respx.MockRouter, fields: dict[str, object], billed: str | None
) -> None:
    serve(httpx2_mock, page_of(ended("ftjob-1", **fields)))
    opened = session()
    done = adopt_all(opened).done
    assert only(opened).billed == done.billed == (Usd.parse(billed) if billed else None)
    is_under_way = fields.get("status") == "running"
    assert (done.settled, done.under_way) == (int(billed is not None), int(is_under_way))
    assert done.unknown_bills == int(billed is None and not is_under_way)


def test_a_price_that_no_ledger_could_hold_is_no_estimate(
    session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    dear = ESTIMATE.replace('"usd_per_1m":"3.00"', '"usd_per_1m":"900000000"').replace("openai", "theirs")
    assert dear != ESTIMATE
    metadata = {**metadata_of(a_submission()), "ftjobs_estimate": dear}
    serve(httpx2_mock, page_of(ended("ftjob-1", metadata=metadata, trained_tokens=10**11)))
    opened = session()
    adopt_all(opened)
    assert (only(opened).estimate, only(opened).billed) == (None, Usd.parse("300000"))


# What belongs to others


@pytest.mark.parametrize("state", ["recorded", "sending", "uncertain"])
def test_a_job_of_an_open_submission_is_left_to_it(
    session: Sessions, httpx2_mock: respx.MockRouter, state: str
) -> None:
    opened = session()
    opened.ledger.record(a_submission())
    if state != "recorded":
        opened.ledger.begin_sending(ULID, "recorded", now=NOW)
    if state == "uncertain":
        opened.ledger.mark(ULID, "uncertain", now=NOW, error="a time-out")
    serve(httpx2_mock, page_of(ours("ftjob-1"), ended("ftjob-2")))
    done = adopt_all(opened).done
    assert (done.left, done.new) == ({"ftjob-1": ULID}, ["ftjob-2"])
    assert opened.ledger.owner_of("ftjob-1") is None


@pytest.mark.parametrize(("state", "has_it"), [("recorded", False), ("sending", True), ("uncertain", True)])
def test_a_job_that_its_user_gives_to_an_uncertain_submission_is_its_own(
    session: Sessions, state: str, has_it: bool
) -> None:
    opened = session(keeps_metadata=False)
    opened.ledger.record(a_submission())
    if state != "recorded":
        opened.ledger.begin_sending(ULID, "recorded", now=NOW)
    if state == "uncertain":
        opened.ledger.mark(ULID, "uncertain", now=NOW, error="several jobs trained on its file")
    job, done = parse_job(ended("ftjob-2", training_file=None, seed=None)), Adopted()
    if has_it:
        attach_named(job, ULID, opened, done)
    else:
        with pytest.raises(UsageError, match="not uncertain"):
            attach_named(job, ULID, opened, done)
    assert opened.ledger.owner_of("ftjob-2") == (ULID if has_it else None)
    assert done.attached == ({"ftjob-2": ULID} if has_it else {})


def test_jobs_that_are_nobodys_are_strangers_and_leave_the_submission_free(
    session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    opened = session(keeps_metadata=False)
    opened.ledger.record(a_submission())
    opened.ledger.begin_sending(ULID, "recorded", now=NOW)
    theirs = page_of(*(ended(f"ftjob-{number}", training_file=FILE, seed=None) for number in (1, 2)))
    httpx2_mock.get(JOBS).respond(json=theirs)
    httpx2_mock.get(FILES).respond(json={"object": "list", "data": [{"id": FILE, "filename": "theirs.jsonl"}]})
    adopting = Adopter(opened, load_prices(()), "openai", leaves=False)
    adopting.adopt(listed(opened.api))
    assert (sorted(adopting.done.new), adopting.done.left) == (["ftjob-1", "ftjob-2"], {})
    assert look_up(a_submission(), opened) == Found((), ())


@pytest.mark.parametrize(("seed", "trusted", "is_left"), [(None, True, True), (5, True, False), (5, False, True)])
def test_without_metadata_the_training_file_tells_whose_it_is(
    session: Sessions, httpx2_mock: respx.MockRouter, seed: int | None, trusted: bool, is_left: bool
) -> None:
    opened = session(keeps_metadata=trusted)
    opened.ledger.record(a_submission())
    opened.ledger.begin_sending(ULID, "recorded", now=NOW)
    serve(httpx2_mock, page_of(ended("ftjob-1", training_file=FILE, seed=seed)))
    done = adopt_all(opened).done
    assert (list(done.left), done.new) == ((["ftjob-1"], []) if is_left else ([], ["ftjob-1"]))


def test_a_job_of_a_submission_that_was_given_up_is_taken_in_all_the_same(
    session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    opened = session()
    opened.ledger.record(a_submission())
    opened.ledger.close(ULID, "abandoned", code="expired", message="no", now=NOW)
    serve(httpx2_mock, page_of(ours("ftjob-1")))
    adopt_all(opened)
    told = opened.ledger.get(opened.ledger.owner_of("ftjob-1") or "")
    assert (told.id != ULID, told.key, told.spec) == (True, KEY, a_submission().spec)


def test_a_job_that_another_account_has_is_told_and_left(session: Sessions, httpx2_mock: respx.MockRouter) -> None:
    opened = session()
    theirs = replace(OTHER, account="another account")
    opened.ledger.record(theirs)
    opened.ledger.attach(theirs.id, parse_job(ended("ftjob-1")), now=NOW)
    before = opened.ledger.trails()
    serve(httpx2_mock, page_of(ended("ftjob-1")))
    done = adopt_all(opened).done
    assert (done.elsewhere, done.known, done.new) == (["ftjob-1"], [], [])
    assert opened.ledger.trails() == before


# Many


def test_thousands_come_in_a_request_a_hundred_and_once(session: Sessions) -> None:
    jobs = []
    for number in range(1250):
        at = BORN - timedelta(minutes=number)
        mine = a_submission(id=new_id(at, number.to_bytes(10)), key=f"{number:064x}")
        metadata = metadata_of(mine) if number % 2 else None
        jobs.append(ended(f"ftjob-{number:05d}", created_at=int(at.timestamp()), metadata=metadata))
    with serving(jobs) as lists:
        opened = session(lists.base_url, policy=RetryPolicy(attempts=1))
        began = time.monotonic()
        done = adopt_all(opened).done
        taken_s = time.monotonic() - began
        assert (len(done.new), done.with_estimate, done.settled) == (1250, 625, 1250)
        assert len(lists.requests) == 13
        assert taken_s < 120
        again = adopt_all(opened).done
        assert (len(again.new), len(again.known)) == (0, 1250)
        assert len(lists.requests) == 26
    trails = opened.ledger.trails()
    assert len(trails) == 1250
    assert sum(len(trail.entries) for trail in trails) == 1250 + 625
    born = [trail.submission.job.created_at for trail in trails if trail.submission.job]
    assert born == sorted(born)
