"""Looking for a job: every page, both ways, and never "none" where the service did not say so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import respx

from ftjobs.ambient import Ambient
from ftjobs.errors import RejectedError, UnavailableError, UncertainError
from ftjobs.jobs.job import parse_job
from ftjobs.jobs.spec import JobSpec
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.store import Ledger
from ftjobs.provider.retrying import RetryPolicy
from ftjobs.workflows.adoption import claim
from ftjobs.workflows.lookup import Found, look_up, mark_of
from ftjobs.workflows.session import Session
from tests.conftest import Service
from tests.wire.conftest import (
    FILE,
    FILES,
    JOBS,
    KEY,
    MINI,
    NOW,
    ULID,
    Account,
    Accounts,
    a_submission,
    digest_of,
    job_object,
    page_of,
)

FILTERED = {"limit": "100", "metadata[ftjobs_key]": KEY}
UNFILTERED = {"limit": "100"}
OTHER_ULID = ULID[:-1] + "0"
SEED = a_submission().seed


@pytest.fixture
def session(tmp_path: Path) -> Callable[[Account], Session]:
    """Give an account an empty ledger."""
    ledger = Ledger(tmp_path / "ledger.sqlite3", stamp="real")
    return lambda account: Session(account.api, ledger, Ambient(now=lambda: NOW))


Sessions = Callable[[Account], Session]


def ours(job_id: str, **fields: object) -> dict[str, Any]:
    return job_object(job_id, metadata={"ftjobs_submission": ULID, "ftjobs_key": KEY}, **fields)


def same(job_id: str, **fields: object) -> dict[str, Any]:
    return job_object(job_id, metadata={"ftjobs_submission": OTHER_ULID, "ftjobs_key": KEY}, **fields)


def stranger(job_id: str, **fields: object) -> dict[str, Any]:
    return job_object(job_id, training_file="file-of-another", **fields)


def ids(found: Found) -> tuple[list[str], list[str]]:
    return [job.id for job in found.own], [job.id for job in found.same_content]


def asked_for(mock: respx.MockRouter) -> list[dict[str, str]]:
    """Return the query of each request that left, in order."""
    return [dict(parse_qsl(call.request.url.query.decode())) for call in mock.calls]


def serve(mock: respx.MockRouter, *pages: dict[str, Any]) -> None:
    mock.get(JOBS).mock(side_effect=[httpx.Response(200, json=page) for page in pages])


# Every page


def test_a_job_on_the_last_page_is_found(
    account: Accounts, session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    serve(
        httpx2_mock,
        page_of(stranger("ftjob-6"), stranger("ftjob-5"), more=True),
        page_of(stranger("ftjob-4"), same("ftjob-3"), more=True),
        page_of(stranger("ftjob-2"), ours("ftjob-1")),
    )
    assert ids(look_up(a_submission(), session(account()))) == (["ftjob-1"], ["ftjob-3"])
    assert asked_for(httpx2_mock) == [
        FILTERED,
        {**FILTERED, "after": "ftjob-5"},
        {**FILTERED, "after": "ftjob-3"},
    ]


def test_real_pages_are_all_read(
    account: Accounts,
    session: Sessions,
    service: Service,
    training_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ftjobs.provider.api.PAGE_LIMIT", 2)
    service.settings(file_seconds=0)
    asked = account(service.base_url)
    file_id = asked.api.upload(training_file, name="d.jsonl", sha256=digest_of(training_file)).id
    for metadata in ({"ftjobs_submission": ULID}, *({"ftjobs_submission": OTHER_ULID},) * 4):
        body = {"model": MINI, "training_file": file_id, "metadata": {"ftjobs_key": KEY, **metadata}}
        asked.api.create_job(body)
    created = len(service.requests())
    own, others = ids(look_up(a_submission(), session(asked)))
    assert len(service.requests()) - created == 3
    assert (own, len(others)) == ([service.jobs()[-1]["id"]], 4)


@pytest.mark.parametrize("everywhere", [False, True])
def test_an_empty_service_holds_nothing(
    account: Accounts, session: Sessions, httpx2_mock: respx.MockRouter, everywhere: bool
) -> None:
    serve(httpx2_mock, page_of(), page_of())
    assert look_up(a_submission(), session(account()), everywhere=everywhere) == Found((), ())
    assert asked_for(httpx2_mock) == ([FILTERED, UNFILTERED] if everywhere else [FILTERED])


# A page that lies ends the lookup, also where others told the truth


@pytest.mark.parametrize(
    "lie",
    [
        {},
        {"object": "list", "data": None, "has_more": False},
        {"object": "list", "data": []},
        page_of(more=True),
        page_of(ours("ftjob-1"), stranger("ftjob-5"), more=True),
    ],
    ids=["empty object", "null data", "no has_more", "more but no data", "cursor that does not move"],
)
def test_a_lie_on_a_later_page_is_no_answer(
    account: Accounts, session: Sessions, httpx2_mock: respx.MockRouter, lie: dict[str, Any]
) -> None:
    serve(httpx2_mock, page_of(stranger("ftjob-5"), more=True), lie, lie, lie)
    asked = account(policy=RetryPolicy(attempts=3))
    with pytest.raises(UnavailableError, match="an unusable answer"):
        look_up(a_submission(), session(asked))
    assert len(httpx2_mock.calls) == 4


def test_a_page_that_lied_once_is_read_again(
    account: Accounts, session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    serve(httpx2_mock, page_of(stranger("ftjob-5"), more=True), {}, page_of(ours("ftjob-1")))
    assert ids(look_up(a_submission(), session(account()))) == (["ftjob-1"], [])
    assert asked_for(httpx2_mock)[1:] == [{**FILTERED, "after": "ftjob-5"}] * 2


def test_pages_that_go_in_circles_are_no_answer(
    account: Accounts, session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    def circle(request: httpx.Request) -> httpx.Response:
        assert len(httpx2_mock.calls) < 20, "it would never end"
        after = dict(parse_qsl(request.url.query.decode())).get("after")
        return httpx.Response(200, json=page_of(stranger("b" if after == "a" else "a"), more=True))

    httpx2_mock.get(JOBS).mock(side_effect=circle)
    with pytest.raises(UnavailableError, match="in circles"):
        look_up(a_submission(), session(account()))


def test_a_service_that_ignores_the_cursor_is_no_answer(
    account: Accounts, session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    route = httpx2_mock.get(JOBS).respond(json=page_of(stranger("ftjob-2"), stranger("ftjob-1"), more=True))
    with pytest.raises(UnavailableError, match="whose cursor does not move"):
        look_up(a_submission(), session(account(policy=RetryPolicy(attempts=3))))
    assert route.call_count == 4


# With metadata


def test_a_service_that_ignores_the_filter_is_checked_here(
    account: Accounts, session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    other_key = {"ftjobs_submission": OTHER_ULID, "ftjobs_key": "f" * 64}
    serve(
        httpx2_mock,
        page_of(
            job_object("ftjob-1", metadata=other_key),
            stranger("ftjob-2"),
            job_object("ftjob-3", metadata={"ftjobs_key": "A" * 64}, seed=SEED + 1),
            job_object("ftjob-4", metadata={"ftjobs_submission": OTHER_ULID}, seed=SEED),
            job_object("ftjob-5", metadata=None, training_file="file-of-another", seed=SEED),
        ),
    )
    assert look_up(a_submission(), session(account())) == Found((), ())


def test_own_jobs_are_told_from_those_of_the_same_content(
    account: Accounts, session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    later = int((NOW + timedelta(minutes=1)).timestamp())
    serve(
        httpx2_mock,
        page_of(
            ours("ftjob-failed", status="failed"),
            ours("ftjob-twin", created_at=later),
            same("ftjob-cancelled", status="cancelled"),
            same("ftjob-failed-2", status="failed"),
            same("ftjob-later", status="running", created_at=later),
            ours("ftjob-first"),
            same("ftjob-done", status="succeeded"),
        ),
    )
    # The best to go on with comes first; a failed job of ours was still paid for, a stranger's is no obstacle.
    assert ids(look_up(a_submission(), session(account()))) == (
        ["ftjob-first", "ftjob-twin", "ftjob-failed"],
        ["ftjob-done", "ftjob-later"],
    )


def test_everywhere_sees_what_the_filter_hides_and_counts_nothing_twice(
    account: Accounts, session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    serve(
        httpx2_mock,
        page_of(same("ftjob-2")),
        page_of(same("ftjob-2"), stranger("ftjob-3"), more=True),
        page_of(ours("ftjob-1")),
    )
    found = look_up(a_submission(), session(account()), everywhere=True)
    assert ids(found) == (["ftjob-1"], ["ftjob-2"])
    assert asked_for(httpx2_mock) == [FILTERED, UNFILTERED, {**UNFILTERED, "after": "ftjob-3"}]


def test_a_job_that_the_ledger_gives_to_another_submission_is_no_news(
    account: Accounts, session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    opened = session(account())
    other = a_submission(id=OTHER_ULID, key="c" * 64)
    opened.ledger.record(other)
    opened.ledger.attach(OTHER_ULID, parse_job(same("ftjob-2")), now=NOW)
    serve(httpx2_mock, page_of(same("ftjob-2"), same("ftjob-3")))
    assert ids(look_up(a_submission(), opened)) == ([], ["ftjob-3"])


# Without metadata: every job is read, and told by its training file, which nothing else uses there


@pytest.mark.httpx2(assert_all_called=False)
@pytest.mark.parametrize(
    ("fields", "is_own"),
    [
        ({"seed": SEED}, True),
        ({"seed": None}, True),
        ({"seed": SEED, "metadata": {}}, True),
        ({"seed": SEED, "model": "another spelling", "created_at": 1}, True),
        ({"seed": SEED, "status": "failed"}, True),
        ({"seed": SEED + 1}, True),  # a service may choose a seed of its own
        ({"seed": SEED, "training_file": "file-of-another"}, False),
        ({"seed": SEED, "training_file": None}, False),
        ({"seed": SEED, "metadata": {"ftjobs_submission": OTHER_ULID}}, False),
    ],
)
def test_without_metadata_the_file_tells(
    account: Accounts,
    session: Sessions,
    httpx2_mock: respx.MockRouter,
    fields: dict[str, object],
    is_own: bool,
) -> None:
    serve(httpx2_mock, page_of(stranger("ftjob-2"), more=True), page_of(job_object("ftjob-1", **fields)))
    httpx2_mock.get(FILES).respond(json={"object": "list", "data": []})
    tell_files(httpx2_mock, {FILE: f"{mark_of(KEY)}-d.jsonl"})
    found = look_up(a_submission(), session(account(keeps_metadata=False)))
    assert ids(found) == (["ftjob-1"] if is_own else [], [])
    assert asked_for(httpx2_mock)[:2] == [UNFILTERED, {**UNFILTERED, "after": "ftjob-2"}]


def a_file(file_id: str, name: str) -> dict[str, str]:
    return {"id": file_id, "object": "file", "filename": name}


def tell_files(mock: respx.MockRouter, names: dict[str, str]) -> None:
    """Let the service tell these files by their ids, and no other."""

    def told(request: httpx.Request, file_id: str) -> httpx.Response:
        known = names.get(file_id)
        return httpx.Response(404) if known is None else httpx.Response(200, json=a_file(file_id, known))

    mock.get(url__regex=rf"{FILES}/(?P<file_id>[^/?]+)$").mock(side_effect=told)


@pytest.mark.httpx2(assert_all_called=False)
@pytest.mark.parametrize(
    ("fields", "is_same"),
    [
        ({}, True),
        ({"seed": 7}, True),
        ({"model": None}, True),
        ({"status": "failed"}, False),
        ({"model": "gpt-4o-2024-08-06"}, False),
        ({"training_file": "file-unnamed"}, False),
        ({"metadata": {"ftjobs_key": "c" * 64}}, False),
        ({"model": "openai/gpt-4o-mini"}, True),  # in a spelling of the service's own
        ({"hyperparameters": {"n_epochs": 3}}, True),
        ({"hyperparameters": {"n_epochs": 10}}, False),  # somebody's retry of our file
    ],
)
def test_without_metadata_the_name_of_the_file_tells_another_machines_content(
    account: Accounts,
    session: Sessions,
    httpx2_mock: respx.MockRouter,
    fields: dict[str, object],
    is_same: bool,
) -> None:
    serve(httpx2_mock, page_of(job_object("ftjob-1", **{"training_file": "file-2", **fields})))
    pages = [
        {"object": "list", "data": [a_file("file-1", "d-abc.jsonl")], "has_more": True},
        {"object": "list", "data": [a_file("file-2", f"d-abc-{mark_of(KEY)}.jsonl")], "has_more": False},
    ]
    httpx2_mock.get(FILES).mock(side_effect=[httpx.Response(200, json=page) for page in pages])
    tell_files(httpx2_mock, {})
    found = look_up(a_submission(), session(account(keeps_metadata=False)))
    assert ids(found) == ([], ["ftjob-1"] if is_same else [])


@pytest.mark.parametrize("name", [f"{mark_of(KEY)}-d.jsonl", "d.jsonl", None])
def test_a_file_that_the_list_does_not_show_is_asked_for_by_its_id(
    account: Accounts,
    session: Sessions,
    httpx2_mock: respx.MockRouter,
    capsys: pytest.CaptureFixture[str],
    name: str | None,
) -> None:
    """A list may be cut short without a word, or leave out what is old."""
    serve(httpx2_mock, page_of(job_object("ftjob-1", training_file="file-old")))
    httpx2_mock.get(FILES).respond(json={"object": "list", "data": [a_file("file-new", "other.jsonl")]})
    tell_files(httpx2_mock, {} if name is None else {"file-old": name})
    opened = session(account(keeps_metadata=False))
    found = look_up(a_submission(), opened)
    assert ids(found) == ([], ["ftjob-1"] if name and mark_of(KEY) in name else [])
    assert found.unseen == (name is None)
    assert capsys.readouterr().err == "", "it is told once, where nothing was found"
    if not found.same_content:
        assert claim(a_submission(), found, opened) is None
    assert ("files.unseen" in capsys.readouterr().err) is (name is None)


def test_a_list_of_files_with_another_limit_is_asked_for_as_it_is(
    account: Accounts, session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    serve(httpx2_mock, page_of(job_object("ftjob-1", training_file="file-2")))

    def listed(request: httpx.Request) -> httpx.Response:
        if "limit" in str(request.url):
            return httpx.Response(422, json={"detail": [{"loc": ["query", "limit"], "msg": "at most 100"}]})
        return httpx.Response(200, json={"object": "list", "data": [a_file("file-2", f"{mark_of(KEY)}-d.jsonl")]})

    httpx2_mock.get(FILES).mock(side_effect=listed)
    found = look_up(a_submission(), session(account(keeps_metadata=False)))
    assert ids(found) == ([], ["ftjob-1"])


@pytest.mark.httpx2(assert_all_called=False)
@pytest.mark.parametrize(("status", "is_fine"), [(404, True), (405, True), (403, False), (500, False)])
def test_only_a_service_without_a_list_of_files_may_leave_them_untold(
    account: Accounts, session: Sessions, httpx2_mock: respx.MockRouter, status: int, is_fine: bool
) -> None:
    httpx2_mock.get(JOBS).respond(json=page_of(stranger("ftjob-1")))
    httpx2_mock.get(FILES).respond(status)
    tell_files(httpx2_mock, {})
    opened = session(account(keeps_metadata=False, policy=RetryPolicy(attempts=1)))
    if is_fine:
        assert look_up(a_submission(), opened) == Found((), (), unseen=1)
    else:
        with pytest.raises((UnavailableError, RejectedError)):
            look_up(a_submission(), opened)


@pytest.mark.httpx2(assert_all_called=False)
@pytest.mark.parametrize("is_marked", [True, False])
@pytest.mark.parametrize(
    ("jobs", "own"),
    [
        ([{"seed": SEED}, {"seed": SEED}], ["ftjob-1", "ftjob-2"]),  # our request, repeated on its way
        ([{"seed": SEED}, {"seed": None}], ["ftjob-1"]),
        ([{"seed": None}, {"seed": 7}], ["ftjob-1"]),
        ([{"seed": None}, {"seed": None, "model": "gpt-4o-2024-08-06"}], ["ftjob-1"]),
        ([{"seed": None}, {"seed": None, "created_at": 1}], ["ftjob-1"]),
        ([{"seed": None}, {"seed": None}], None),
        ([{"seed": 6}, {"seed": 7}], None),
        ([{"seed": None, "model": "gpt-4o-2024-08-06"}, {"training_file": "file-of-another"}], None),
    ],
)
def test_without_metadata_several_jobs_of_one_file_are_told_apart_or_held(  # noqa: PLR0917
    account: Accounts,
    session: Sessions,
    httpx2_mock: respx.MockRouter,
    jobs: list[dict[str, object]],
    is_marked: bool,
    own: list[str] | None,
) -> None:
    serve(httpx2_mock, page_of(*(job_object(f"ftjob-{number}", **job) for number, job in enumerate(jobs, 1))))
    tell_files(httpx2_mock, {FILE: f"{mark_of(KEY)}-d.jsonl" if is_marked else "of-another.jsonl"})
    opened = session(account(keeps_metadata=False))
    is_proven = jobs[0].get("seed") == SEED
    # A file of another name may be somebody else's too: then only our seed tells.
    own = own if is_marked or is_proven else None
    if own is None:
        with pytest.raises(UncertainError) as caught:
            look_up(a_submission(), opened)
        assert caught.value.code == "several_jobs"
        assert "ftjob-1" in str(caught.value.details["job_ids"])
    else:
        assert sorted(ids(look_up(a_submission(), opened))[0]) == own


def test_without_a_file_nothing_can_be_ours(
    account: Accounts, session: Sessions, httpx2_mock: respx.MockRouter
) -> None:
    serve(httpx2_mock, page_of(job_object("ftjob-1", training_file=None, seed=SEED)))
    submission = a_submission(training_file_id=None)
    assert look_up(submission, session(account(keeps_metadata=False))) == Found((), ())


@pytest.mark.parametrize("seed", [SEED, 42])
def test_where_files_are_shared_the_seed_tells_too(
    account: Accounts, session: Sessions, httpx2_mock: respx.MockRouter, seed: int
) -> None:
    spec = JobSpec(MINI, MINI, MINI, 3, training_sha256="b" * 64, training_bytes=10, seed=42)
    serve(httpx2_mock, page_of(), page_of(job_object("ftjob-2", seed=SEED), job_object("ftjob-1", seed=42)))
    submission: Submission = a_submission(spec=spec) if seed == 42 else a_submission()
    found = look_up(submission, session(account()), everywhere=True)
    assert ids(found) == (["ftjob-1" if seed == 42 else "ftjob-2"], [])


def test_a_real_service_without_metadata_is_searched_by_file(
    account: Accounts, session: Sessions, service: Service, training_file: Path
) -> None:
    service.settings(file_seconds=0, keep_metadata=False)
    asked = account(service.base_url, keeps_metadata=False)
    file_id = asked.api.upload(training_file, name="d.jsonl", sha256=digest_of(training_file)).id
    submission = a_submission(training_file_id=file_id)
    metadata = {"ftjobs_submission": ULID, "ftjobs_key": KEY}
    other_id = asked.api.upload(training_file, name="d.jsonl", sha256=digest_of(training_file)).id
    for used in (file_id, other_id):
        asked.api.create_job({"model": MINI, "training_file": used, "seed": SEED, "metadata": metadata})
    assert ids(look_up(submission, session(asked))) == ([service.jobs()[-1]["id"]], [])
    assert FILE not in str(service.jobs())
