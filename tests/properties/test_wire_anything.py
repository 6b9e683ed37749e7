"""Whatever comes over the wire: the documented errors, and nothing is believed that should not be."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ftjobs.jobs.job import Job, parse_job
from ftjobs.jobs.spec import derive_seed
from ftjobs.jobs.submission import new_id
from ftjobs.logs import _storable, storable
from ftjobs.models.shutdowns import parse_shutdown_date
from ftjobs.provider.objects import JobPage, RemoteFile, parse_file, parse_page
from ftjobs.provider.outcomes import (
    AGAIN_STATUSES,
    REJECTING_STATUSES,
    Again,
    Created,
    NotNow,
    Rejected,
    Reply,
    Uncertain,
    error_of,
    outcome_of_create,
    retry_after_s,
    trouble_of_read,
)

NOW = datetime(2027, 6, 1, 12, tzinfo=UTC)
SENT = {"training_file": "file-1", "seed": 7, "metadata": {"ftjobs_submission": "ours"}}

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 2**33)
    | st.floats()
    | st.text()
    | st.sampled_from(["list", "file", "fine_tuning.job", "file-1", "ftjob-1", "2027-01-14", "succeeded"])
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
GOOD: dict[str, Any] = {
    "object": "fine_tuning.job",
    "id": "ftjob-1",
    "status": "running",
    "created_at": 1795348800,
    "finished_at": 1795348800,
    "estimated_finish": 1795348800,
    "model": "m",
    "fine_tuned_model": "ft:m",
    "training_file": "file-1",
    "seed": 7,
    "trained_tokens": 5,
    "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}},
    "hyperparameters": {"n_epochs": 3},
    "error": {"code": "c", "message": "m"},
    "metadata": {"ftjobs_submission": "ours"},
}


def nearly(good: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects of which one field is spoilt or gone, or a few are."""
    names = st.sampled_from(sorted(good))
    return (
        st.builds(lambda name, value: {**good, name: value}, names, anything)
        | st.builds(lambda gone: {key: good[key] for key in good if key not in gone}, st.sets(names, max_size=2))
        | st.builds(lambda spoilt: {**good, **spoilt}, st.dictionaries(names, anything, max_size=3))
    )


jobs = nearly(GOOD) | st.just(GOOD)
ids = st.sampled_from(["ftjob-1", "ftjob-2", "ftjob-3"])
listed = st.builds(lambda job_id: {**GOOD, "id": job_id}, ids)
lists = st.lists(listed, max_size=4)
pages = (
    st.fixed_dictionaries({"object": st.just("list"), "data": lists, "has_more": st.booleans()})
    | lists.flatmap(lambda data: nearly({"object": "list", "data": data, "has_more": True}))
    | nearly({"object": "list", "data": [], "has_more": False})
    | st.lists(jobs, max_size=2).map(lambda data: {"object": "list", "data": data, "has_more": False})
    | anything
)
errors = st.fixed_dictionaries(
    {
        "error": anything
        | st.fixed_dictionaries(
            {}, optional={"code": st.sampled_from(["insufficient_quota", "x"]) | anything, "message": anything}
        )
    }
)
dates = st.builds(
    lambda day, year, hour, zone: f"Mon, {day} Jun {year} {hour}:00:00 {zone}",
    st.integers(0, 99) | st.integers(),
    st.integers(0, 9999) | st.integers(),
    st.integers(0, 99) | st.integers(),
    st.sampled_from(["GMT", "-0000", "+2359", "+9999", "-99999999999999999999"]),
)
numbers = st.integers().map(str) | st.floats().map(str)
headers = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms"]), numbers | dates | st.text(max_size=20)
)
bodies = (jobs | errors | anything | pages).map(lambda body: json.dumps(body).encode()) | st.binary()
replies = st.builds(Reply, st.integers(100, 599) | st.sampled_from([200, 201, 400, 429, 500]), headers, bodies)
HUGE = b"[" * 100_000
LONG = b'{"created_at": ' + b"1" * 5000 + b"}"


# How long an example takes says how busy the machine is.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def parsed(raw: object) -> Job | None:
    try:
        return parse_job(raw)
    except ValueError:
        return None


@patient
@given(anything | jobs)
def test_a_job_is_whole_or_a_value_error(raw: object) -> None:
    job = parsed(raw)
    if job is None:
        return
    assert isinstance(raw, dict)
    assert raw["object"] == "fine_tuning.job"
    assert (job.id, job.status) == (raw["id"], raw["status"])
    assert job.id
    assert job.status
    assert job.created_at.tzinfo is UTC
    counts = (job.seed, job.trained_tokens, job.n_epochs)
    assert all(count is None or (type(count) is int and 0 <= count <= 2**62) for count in counts)
    assert all(isinstance(value, str) for value in job.metadata.values())


def is_job(raw: Any) -> bool:
    try:
        parse_job(raw)
    except ValueError:
        return False
    return True


@patient
@given(anything)
@example({"a key of more than sixteen": ["a key of more than sixteen", "a\ud800b"]})
@example(['a "key" of\nmore than sixteen', 'it\'s a "key" of\nmore than sixteen.'])
@example([float("nan"), {"\ud800": 1}])
def test_a_quick_look_at_what_may_be_kept_sees_all_that_a_walk_through_it_changes(value: Any) -> None:
    secrets = {"a key of more than sixteen", 'a "key" of\nmore than sixteen', "short"}
    with patch("ftjobs.logs._secrets", secrets):
        kept, walked = storable(value), _storable(value)
    assert repr(kept) == repr(walked)


@patient
@given(pages, st.none() | ids, st.booleans())
def test_a_page_is_all_that_it_says_or_a_value_error(body: Any, after: str | None, skips_damaged: bool) -> None:
    try:
        page = parse_page(body, after, skips_damaged=skips_damaged)
    except ValueError:
        return
    assert isinstance(page, JobPage)
    assert body["object"] == "list"
    readable = [raw for raw in body["data"] if is_job(raw)]
    assert [job.id for job in page.jobs] == [raw["id"] for raw in readable]
    assert page.damaged == len(body["data"]) - len(readable)
    assert skips_damaged or page.damaged == 0
    if page.after is None:
        assert body["has_more"] is False
    else:
        assert body["has_more"] is True
        assert page.after == page.jobs[-1].id
        assert after not in [job.id for job in page.jobs]


@patient
@given(anything | st.fixed_dictionaries({"object": st.just("file"), "id": scalars}, optional={"status": anything}))
def test_a_file_is_a_file_or_a_value_error(body: Any) -> None:
    try:
        file = parse_file(body)
    except ValueError:
        return
    assert isinstance(file, RemoteFile)
    assert file.id == body["id"]
    assert file.id


@patient
@given(anything | st.fixed_dictionaries({"id": st.just("m"), "shutdown_date": scalars | st.text()}))
def test_a_shutdown_date_is_a_day_unknown_or_a_value_error(body: Any) -> None:
    try:
        day = parse_shutdown_date(body, "m")
    except ValueError:
        return
    assert day is None or (body["id"] == "m" and body["shutdown_date"].startswith(day.isoformat()))


@patient
@given(replies)
@example(Reply(200, {}, HUGE))
@example(Reply(400, {}, HUGE))
@example(Reply(200, {}, LONG))
@example(Reply(429, {}, LONG))
@example(Reply(429, {"retry-after": "Mon, 1 Jun 99999999999999999999 00:00:00 GMT"}, b""))
def test_the_create_table_holds_for_every_answer(reply: Reply) -> None:
    outcome = outcome_of_create(reply, sent=SENT, now=NOW)
    match outcome:
        case Created(job):
            assert 200 <= reply.status < 300
            assert job.training_file in (None, "file-1")
            assert job.metadata.get("ftjobs_submission") in (None, "ours")
        case Rejected(status, _, message):
            assert status == reply.status
            assert status in REJECTING_STATUSES | {429}
            assert "\n" not in message
        case NotNow(_, _, wait_s):
            assert reply.status == 429
            assert wait_s is None or wait_s >= 0
        case Uncertain(reason):
            assert reply.status not in REJECTING_STATUSES | {429}
            assert "\n" not in reason
            if 200 <= reply.status < 300:
                assert "unusable body" in reason or reason.endswith("with another job")


echoes = st.fixed_dictionaries(
    {},
    optional={
        "training_file": st.sampled_from(["file-1", "file-2", None, 5]),
        "seed": st.sampled_from([7, 8, None]),
        "metadata": st.none()
        | st.dictionaries(
            st.sampled_from(["ftjobs_submission", "ftjobs_key", "team"]), st.sampled_from(["ours", "theirs"])
        ),
    },
)


@patient
@given(st.integers(200, 299), echoes)
def test_a_job_is_believed_unless_it_contradicts_what_was_sent(status: int, echo: dict[str, Any]) -> None:
    outcome = outcome_of_create(Reply(status, {}, json.dumps({**GOOD, **echo}).encode()), sent=SENT, now=NOW)
    told = {key: value for key, value in (echo.get("metadata") or {}).items() if key.startswith("ftjobs")}
    contradicts = echo.get("training_file") == "file-2" or told not in ({}, {"ftjobs_submission": "ours"})
    assert isinstance(outcome, Uncertain if contradicts else Created)


@patient
@given(replies)
@example(Reply(503, {"retry-after": "Mon, 1 Jun 2027 99999999999999999999:00:00 GMT"}, HUGE))
def test_the_read_table_holds_for_every_answer(reply: Reply) -> None:
    trouble = trouble_of_read(reply, now=NOW)
    assert (trouble is None) == (200 <= reply.status < 300)
    if isinstance(trouble, Rejected):
        assert 400 <= reply.status < 500
    if isinstance(trouble, Again):
        assert not 400 <= reply.status < 500 or reply.status in AGAIN_STATUSES


@patient
@given(st.binary() | errors.map(lambda body: json.dumps(body).encode()))
@example(HUGE)
@example(LONG)
def test_an_error_always_has_a_code_and_one_line(body: bytes) -> None:
    code, message = error_of(Reply(400, {}, body))
    assert code
    assert len(message) <= 300
    assert len(message.splitlines()) <= 1


@patient
@given(numbers | dates | st.text(), st.sampled_from(["retry-after", "retry-after-ms"]))
def test_a_wait_is_a_number_of_seconds_or_unknown(text: str, header: str) -> None:
    wait_s = retry_after_s(Reply(503, {header: text}, b""), now=NOW)
    assert wait_s is None or 0 <= wait_s < float("inf")


# Ids

instants = st.datetimes(datetime(1970, 1, 1), datetime(9900, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
entropy = st.binary(min_size=10, max_size=10)


@patient
@given(instants, entropy, st.timedeltas(timedelta(milliseconds=1), timedelta(days=9000)), entropy)
def test_ids_sort_by_time(instant: datetime, first: bytes, later: timedelta, second: bytes) -> None:
    assert new_id(instant, first) < new_id(instant + later, second)


@patient
@given(instants, entropy, entropy)
def test_ids_of_one_instant_differ_by_their_entropy(instant: datetime, first: bytes, second: bytes) -> None:
    one, other = new_id(instant, first), new_id(instant, second)
    assert (one < other, one == other) == (first < second, first == second)
    assert len(one) == 26
    assert set(one) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    assert one[0] <= "7"


@patient
@given(st.text())
def test_every_id_has_a_seed_that_the_api_takes(submission_id: str) -> None:
    assert 0 <= derive_seed(submission_id) < 2**31
