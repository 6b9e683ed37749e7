"""A job as the API tells it, what is asked for, and the names that both are known by."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ftjobs.jobs.job import Job, parse_job
from ftjobs.jobs.spec import JobSpec, derive_seed
from ftjobs.jobs.submission import Submission, new_id

WHOLE: dict[str, Any] = {
    "object": "fine_tuning.job",
    "id": "ftjob-abc",
    "status": "succeeded",
    "model": "gpt-4o-mini-2024-07-18",
    "created_at": 1795348800,
    "finished_at": 1795352400,
    "estimated_finish": 1795352000,
    "fine_tuned_model": "ft:gpt-4o-mini-2024-07-18:acme::x1",
    "training_file": "file-1",
    "validation_file": None,
    "seed": 42,
    "trained_tokens": 5768,
    "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}},
    "hyperparameters": {"n_epochs": 4},
    "error": {"code": None, "message": None, "param": None},
    "metadata": {"ftjobs": "1", "team": "a"},
    "something_new": {"x": [1]},
}
LEAST = {"object": "fine_tuning.job", "id": "ftjob-abc", "status": "queued", "created_at": 1795348800}


def test_every_field_is_read() -> None:
    assert parse_job(WHOLE) == Job(
        id="ftjob-abc",
        status="succeeded",
        model="gpt-4o-mini-2024-07-18",
        created_at=datetime(2026, 11, 22, 12, tzinfo=UTC),
        finished_at=datetime(2026, 11, 22, 13, tzinfo=UTC),
        fine_tuned_model="ft:gpt-4o-mini-2024-07-18:acme::x1",
        training_file="file-1",
        seed=42,
        trained_tokens=5768,
        estimated_finish=datetime(2026, 11, 22, 12, 53, 20, tzinfo=UTC),
        n_epochs=3,
        error_code=None,
        error_message=None,
        metadata={"ftjobs": "1", "team": "a"},
        raw=WHOLE,
    )


def test_what_a_service_leaves_out_is_unknown_and_never_zero() -> None:
    job = parse_job(LEAST)
    unknown = {each.name for each in fields(Job)} - {
        "id",
        "status",
        "created_at",
        "metadata",
        "raw",
        "result_files",
    }
    assert {name: getattr(job, name) for name in unknown} == dict.fromkeys(unknown)
    assert (job.metadata, job.result_files) == ({}, ())
    assert parse_job({**LEAST, **dict.fromkeys(set(WHOLE) - set(LEAST))}) == replace(
        job, raw={**LEAST, **dict.fromkeys(set(WHOLE) - set(LEAST))}
    )


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        (["file-1", "file-2", "file-1"], ("file-1", "file-2")),
        (["", None, 5, ["file-1"], {}, "file-1"], ("file-1",)),
        (["a/b", "..", ".", "a\\b", "a\x1bb", "a b", "a?b", "a%2fb", "a\x9bb", "\ufffd", "x" * 201], ()),
        ("file-1", ()),
        ({"0": "file-1"}, ()),
    ],
)
def test_result_files_are_ids_that_can_be_asked_for(given: object, ids: tuple[str, ...]) -> None:
    assert parse_job({**LEAST, "result_files": given}).result_files == ids


@pytest.mark.parametrize("name", LEAST)
@pytest.mark.parametrize("value", [None, "", 0, [], {}, True, 1.5])
def test_without_what_identifies_it_it_is_no_job(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"object|job"):
        parse_job({**LEAST, name: value})
    with pytest.raises(ValueError, match=r"object|job"):
        parse_job({key: kept for key, kept in LEAST.items() if key != name})


@pytest.mark.parametrize("raw", [None, [], [WHOLE], "ftjob-abc", 5, True])
def test_what_is_no_object_is_no_job(raw: object) -> None:
    with pytest.raises(ValueError, match="expected a job object"):
        parse_job(raw)


@pytest.mark.parametrize(
    ("given", "tokens"),
    [(0, 0), (1, 1), (10**11, 10**11), (10**11 + 1, None), (-1, None), (True, None), ("5", None), (5.0, None)],
)
def test_trained_tokens_are_a_credible_count_or_unknown(given: object, tokens: int | None) -> None:
    assert parse_job({**LEAST, "trained_tokens": given}).trained_tokens == tokens


@pytest.mark.parametrize("given", [0, -1, True, "1795348800", 1795348800.0, 10**18, 2**70])
def test_an_instant_that_is_none_is_unknown(given: object) -> None:
    job = parse_job({**LEAST, "finished_at": given, "estimated_finish": given})
    assert (job.finished_at, job.estimated_finish) == (None, None)


@pytest.mark.parametrize(
    ("told", "epochs"),
    [
        ({"method": {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 2, "beta": 0.1}}}}, 2),
        ({"method": {"type": "dpo", "supervised": {"hyperparameters": {"n_epochs": 2}}}}, None),
        ({"method": {"type": "supervised", "supervised": {}}, "hyperparameters": {"n_epochs": 4}}, 4),
        ({"hyperparameters": {"n_epochs": 4}}, 4),
        ({"hyperparameters": {"n_epochs": "auto"}}, None),
        ({"hyperparameters": {"n_epochs": -1}}, None),
        ({"hyperparameters": {"n_epochs": 0}}, None),
        ({"hyperparameters": []}, None),
        ({"method": "supervised"}, None),
        ({"method": {"type": ["supervised"], "supervised": 5}}, None),
    ],
)
def test_epochs_are_the_service_s_number_or_unknown(told: dict[str, Any], epochs: int | None) -> None:
    assert parse_job({**LEAST, **told}).n_epochs == epochs


def test_metadata_is_text_only() -> None:
    assert parse_job({**LEAST, "metadata": {"a": "x", "b": 5, "c": None, "d": ""}}).metadata == {"a": "x", "d": ""}
    assert parse_job({**LEAST, "metadata": ["a"]}).metadata == {}


def test_an_error_counts_by_its_code() -> None:
    told = {"code": "invalid_training_file", "message": "line 3", "param": "training_file"}
    job = parse_job({**LEAST, "status": "failed", "error": told})
    assert (job.error_code, job.error_message) == ("invalid_training_file", "line 3")


@pytest.mark.parametrize(
    ("status", "ended", "failed"),
    [
        ("validating_files", False, False),
        ("queued", False, False),
        ("running", False, False),
        ("paused", False, False),
        ("pending", False, False),
        ("created", False, False),
        ("Succeeded", False, False),
        ("a word of tomorrow", False, False),
        ("succeeded", True, False),
        ("failed", True, True),
        ("cancelled", True, True),
        ("canceled", True, True),
    ],
)
def test_an_unknown_word_is_not_an_end(status: str, ended: bool, failed: bool) -> None:
    job = parse_job({**LEAST, "status": status})
    assert (job.status, job.ended, job.failed) == (status, ended, failed)


# The content key

SPEC = JobSpec(
    model="gpt-4o-mini-2024-07-18",
    base_model="gpt-4o-mini-2024-07-18",
    requested_model="gpt-4o-mini",
    n_epochs=3,
    training_sha256="b" * 64,
    training_bytes=1000,
)
ACCOUNT = "https://api.openai.com/v1||"
OTHER: dict[str, Any] = {
    "model": "ft:gpt-4o-mini-2024-07-18:acme::x1",
    "base_model": "gpt-4o-2024-08-06",
    "n_epochs": "auto",
    "training_sha256": "c" * 64,
    "validation_sha256": "d" * 64,
    "method": "dpo",
    "batch_size": 8,
    "learning_rate_multiplier": 0.5,
    "suffix": "orders",
    "seed": 0,
    "again": "second",
    "beta": 0.1,
    "learning_rate": 0.0001,
    "extra_body": {"trainingType": "Standard"},
}
SAME: dict[str, Any] = {"requested_model": "gpt-4o-mini-2024-07-18", "training_bytes": 1001}


def test_the_key_of_a_content_stays_what_it_was() -> None:
    """A program that computes another key pays for every recorded content again."""
    assert SPEC.content_key(ACCOUNT) == "790d942ad284bd1d449a4a8f308d64d835c117abfbc28a5becc8652ae7e8f2da"


def test_every_field_is_part_of_the_key_or_knowingly_not() -> None:
    assert {each.name for each in fields(JobSpec)} == {*OTHER, *SAME}


@pytest.mark.parametrize("name", OTHER)
def test_what_changes_the_training_changes_the_key(name: str) -> None:
    assert replace(SPEC, **{name: OTHER[name]}).content_key(ACCOUNT) != SPEC.content_key(ACCOUNT)


@pytest.mark.parametrize("name", SAME)
def test_what_does_not_change_the_training_keeps_the_key(name: str) -> None:
    assert replace(SPEC, **{name: SAME[name]}).content_key(ACCOUNT) == SPEC.content_key(ACCOUNT)


@pytest.mark.parametrize("account", ["sandbox", "https://api.openai.com/v1|org-1|", ""])
def test_another_account_has_another_key(account: str) -> None:
    assert SPEC.content_key(account) != SPEC.content_key(ACCOUNT)


def test_values_do_not_run_into_each_other() -> None:
    specs = [
        replace(SPEC, suffix="a", again="b"),
        replace(SPEC, suffix="ab"),
        replace(SPEC, suffix='a", "again": "b'),
        replace(SPEC, suffix="b", again="a"),
        replace(SPEC, suffix="null"),
        replace(SPEC, again="null"),
        replace(SPEC, seed=1),
        replace(SPEC, batch_size=1),
    ]
    assert len({spec.content_key(ACCOUNT) for spec in specs}) == len(specs)


@pytest.mark.parametrize("spec", [SPEC, replace(SPEC, **OTHER), replace(SPEC, suffix="ü\u202e😀")])
def test_a_spec_survives_its_json_with_its_key(spec: JobSpec) -> None:
    again = JobSpec.from_json(spec.to_json())
    assert again == spec
    assert again.content_key(ACCOUNT) == spec.content_key(ACCOUNT)


# Seeds and ids


def test_a_derived_seed_stays_what_it_was() -> None:
    """It recognises a job whose reply was lost, also after an update of this program."""
    assert derive_seed("01KANZ3S00ABCDEFGHJKMNPQRS") == 689026867


def test_derived_seeds_differ_and_are_ones_that_the_api_takes() -> None:
    seeds = [derive_seed(f"01KANZ3S00ABCDEFGHJKMNP{number:03d}") for number in range(1000)]
    assert len(set(seeds)) == 1000
    assert 0 <= min(seeds) < max(seeds) < 2**31
    assert max(seeds) > 2**30, "all of the range is used"


def test_the_user_s_seed_goes_before_the_derived_one() -> None:
    ulid, now = "01KANZ3S00ABCDEFGHJKMNPQRS", datetime(2027, 6, 1, tzinfo=UTC)

    def submission(spec: JobSpec | None) -> Submission:
        return Submission(ulid, "k", "recorded", "openai", ACCOUNT, now, spec, None, {})

    assert submission(SPEC).seed == submission(None).seed == derive_seed(ulid)
    assert submission(replace(SPEC, seed=0)).seed == 0


def test_an_id_is_a_ulid_of_its_time_and_entropy() -> None:
    assert new_id(datetime(1970, 1, 1, tzinfo=UTC), bytes(10)) == "0" * 26
    assert new_id(datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=UTC), bytes(10)) == "0000000001" + "0" * 16
    assert new_id(datetime(1970, 1, 1, tzinfo=UTC), b"\xff" * 10) == "0" * 10 + "Z" * 16
    # The specification's own example: 1469918176385 ms is 01ARYZ6S41.
    example = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=1469918176385)
    assert new_id(example, bytes(10))[:10] == "01ARYZ6S41"


@pytest.mark.parametrize(
    ("state", "job", "status", "is_over"),
    [
        ("recorded", None, "recorded", False),
        ("sending", None, "sending", False),
        ("uncertain", None, "uncertain", False),
        ("rejected", None, "rejected", True),
        ("abandoned", None, "abandoned", True),
        ("created", {}, "queued", False),
        ("created", {"status": "paused"}, "paused", False),
        ("created", {"status": "succeeded"}, "succeeded", True),
        ("created", {"status": "canceled"}, "canceled", True),
    ],
)
def test_a_submission_s_status_is_the_job_s_word_once_there_is_one(
    state: Any, job: dict[str, Any] | None, status: str, is_over: bool
) -> None:
    now = datetime(2027, 6, 1, tzinfo=UTC)
    told = None if job is None else parse_job({**LEAST, **job})
    submission = Submission("01K", "k", state, "openai", ACCOUNT, now, SPEC, None, {}, job=told)
    assert (submission.status, submission.is_over) == (status, is_over)
