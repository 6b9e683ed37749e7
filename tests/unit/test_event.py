"""Events and checkpoints: strict about what and when, lenient about the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ftjobs.jobs.event import Checkpoint, Event, parse_checkpoint, parse_event

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EVENT: dict[str, Any] = {
    "object": "fine_tuning.job.event",
    "id": "ftevent-1",
    "created_at": int(AT.timestamp()),
    "level": "warn",
    "type": "metrics",
    "message": "Step 3 of 9",
    "data": {"step": 3, "train_loss": 1.25},
}
CHECKPOINT: dict[str, Any] = {
    "object": "fine_tuning.job.checkpoint",
    "id": "ftckpt-1",
    "created_at": int(AT.timestamp()),
    "fine_tuned_model_checkpoint": "ft:gpt-4o-mini-2024-07-18:org::abc:ckpt-step-3",
    "fine_tuning_job_id": "ftjob-1",
    "step_number": 3,
    "metrics": {"train_loss": 1.25},
}
NO_TIMES = [None, 0, -1, True, "1790000000", 1.5, 10**30]


def test_an_event_is_what_the_service_said() -> None:
    told = Event("ftevent-1", AT, "warn", "metrics", "Step 3 of 9", {"step": 3, "train_loss": 1.25})
    assert parse_event(EVENT) == told


@pytest.mark.parametrize("raw", [None, [], "event", {}, {**EVENT, "object": "fine_tuning.job"}])
def test_what_is_no_event_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match="object"):
        parse_event(raw)


@pytest.mark.parametrize("time", NO_TIMES)
def test_an_event_of_no_time_is_refused(time: object) -> None:
    with pytest.raises(ValueError, match="when it was made"):
        parse_event({**EVENT, "created_at": time})


def test_an_event_may_leave_out_all_but_its_time() -> None:
    assert parse_event({"created_at": EVENT["created_at"]}) == Event(None, AT, "info", "message", "", {})


@pytest.mark.parametrize(
    ("field", "odd"), [("id", 5), ("level", None), ("type", []), ("message", {}), ("data", "text"), ("data", None)]
)
def test_a_field_of_another_type_is_as_good_as_none(field: str, odd: object) -> None:
    without = {name: value for name, value in EVENT.items() if name != field}
    assert parse_event({**EVENT, field: odd}) == parse_event(without)


def test_an_id_that_was_damaged_on_the_way_names_nothing() -> None:
    assert parse_event({**EVENT, "id": "ftevent-\ufffd"}).id is None
    with pytest.raises(ValueError, match="model"):
        parse_checkpoint({**CHECKPOINT, "fine_tuned_model_checkpoint": "ft:\ufffd"}, job_id="ftjob-1")


def test_a_checkpoint_is_what_the_service_said() -> None:
    model = CHECKPOINT["fine_tuned_model_checkpoint"]
    told = Checkpoint("ftckpt-1", AT, 3, model, {"train_loss": 1.25})
    assert parse_checkpoint(CHECKPOINT, job_id="ftjob-1") == told


def test_a_checkpoint_of_another_job_is_refused() -> None:
    with pytest.raises(ValueError, match="another job"):
        parse_checkpoint(CHECKPOINT, job_id="ftjob-2")


@pytest.mark.parametrize("model", [None, "", 5])
def test_a_checkpoint_without_a_model_is_refused(model: object) -> None:
    with pytest.raises(ValueError, match="model"):
        parse_checkpoint({**CHECKPOINT, "fine_tuned_model_checkpoint": model}, job_id="ftjob-1")


@pytest.mark.parametrize("time", NO_TIMES)
def test_a_checkpoint_of_no_time_is_refused(time: object) -> None:
    with pytest.raises(ValueError, match="when it was made"):
        parse_checkpoint({**CHECKPOINT, "created_at": time}, job_id="ftjob-1")


@pytest.mark.parametrize("step", [None, "3", True, -1, 2.5])
def test_a_step_that_is_no_count_is_unknown_and_never_0(step: object) -> None:
    assert parse_checkpoint({**CHECKPOINT, "step_number": step}, job_id="ftjob-1").step is None
