"""What files and jobs look like at an instant: pure functions of what is stored and of the clock.

A job is `validating_files` for the first sixth of its duration, `queued` for the second, then `running`; it
ends at the end of its duration unless it was cancelled. Nothing has to be awake for it to get there.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TERMINAL = ("succeeded", "failed", "cancelled")
_MAX_POINTS = 100
_CHECKPOINTS = 3


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An uploaded file; times in Unix seconds, `problem` says why it will become `error`."""

    id: str
    filename: str
    size: int
    created_at: float
    ready_at: float
    problem: str | None


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """An Upload of `size` bytes that was begun; times in Unix seconds, `file_id` is what its parts became."""

    id: str
    filename: str
    size: int
    created_at: float
    expires_at: float
    cancelled: bool = False
    file_id: str | None = None

    def status(self, now: float) -> str:
        """Return the API's status word at `now`."""
        if self.file_id is not None:
            return "completed"
        if self.cancelled:
            return "cancelled"
        return "pending" if now < self.expires_at else "expired"


@dataclass(frozen=True, slots=True)
class Job:
    """A created job: what was asked, what it resolved to and how it will go; times in Unix seconds.

    `requested` and `resolved` are hyperparameters, before and after "auto" was decided.
    """

    id: str
    created_at: float
    duration_s: float
    model: str
    base: str
    training_file: str
    validation_file: str | None
    method: str
    requested: dict[str, Any]
    resolved: dict[str, Any]
    examples: int
    billable_tokens: int
    suffix: str | None
    seed: int
    metadata: dict[str, str] | None
    integrations: list[Any] | None
    fail_code: str | None
    cancelled_at: float | None = None

    @property
    def starts_at(self) -> float:
        """When it begins to run."""
        return self.created_at + self.duration_s / 3

    @property
    def ends_at(self) -> float:
        """When it ends, or ended by being cancelled."""
        return self.cancelled_at if self.cancelled_at is not None else self.created_at + self.duration_s

    @property
    def total_steps(self) -> int:
        """How many batches it trains on, over all epochs."""
        return math.ceil(self.examples / int(self.resolved["batch_size"])) * int(self.resolved["n_epochs"])

    @property
    def fine_tuned_model(self) -> str:
        """The name that its model gets if it succeeds."""
        return f"ft:{self.base}:sandbox:{self.suffix or ''}:{self.id[-8:]}"

    @property
    def result_file(self) -> str:
        """The id of the file of metrics that it leaves if it succeeds."""
        return self.id.replace("ftjob-", "file-result-")

    def status(self, now: float) -> str:
        """Return the API's status word at `now`."""
        if self.cancelled_at is not None:
            return "cancelled"
        if now >= self.ends_at:
            return "failed" if self.fail_code else "succeeded"
        if now >= self.starts_at:
            return "running"
        return "queued" if now >= self.created_at + self.duration_s / 6 else "validating_files"


def file_object(file: StoredFile, now: float) -> dict[str, object]:
    """Return the API's file object at `now`."""
    status = "uploaded" if now < file.ready_at else "error" if file.problem else "processed"
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": int(file.created_at),
        "expires_at": None,
        "filename": file.filename,
        "purpose": "fine-tune",
        "status": status,
        "status_details": file.problem if status == "error" else None,
    }


def upload_object(upload: StoredUpload, file: StoredFile | None, now: float) -> dict[str, object]:
    """Return the API's upload object at `now`, with the file that it became."""
    return {
        "id": upload.id,
        "object": "upload",
        "bytes": upload.size,
        "created_at": int(upload.created_at),
        "filename": upload.filename,
        "purpose": "fine-tune",
        "status": upload.status(now),
        "expires_at": int(upload.expires_at),
        "file": file_object(file, now) if file else None,
    }


def result_file_object(job: Job) -> dict[str, object]:
    """Return the API's file object of the metrics of a succeeded job."""
    stored = StoredFile(job.result_file, "step_metrics.csv", len(result_csv(job)), job.ends_at, job.ends_at, None)
    return {**file_object(stored, job.ends_at), "purpose": "fine-tune-results"}


def job_object(job: Job, now: float) -> dict[str, object]:
    """Return the API's job object at `now`, every field present; "auto" stays until files are validated."""
    status = job.status(now)
    succeeded, ended = status == "succeeded", status in TERMINAL
    chosen = job.requested if status == "validating_files" else job.resolved
    failure: dict[str, str | None] = {"code": None, "message": None, "param": None}
    if status == "failed":
        failure = {"code": job.fail_code, "message": "The sandbox was told to fail this job.", "param": None}
    return {
        "object": "fine_tuning.job",
        "id": job.id,
        "model": job.model,
        "created_at": int(job.created_at),
        "finished_at": int(job.ends_at) if ended else None,
        "fine_tuned_model": job.fine_tuned_model if succeeded else None,
        "organization_id": "org-sandbox",
        "result_files": [job.result_file] if succeeded else [],
        "status": status,
        "validation_file": job.validation_file,
        "training_file": job.training_file,
        "hyperparameters": {name: value for name, value in chosen.items() if name != "beta"},
        "trained_tokens": job.billable_tokens if succeeded else None,
        "error": failure,
        "user_provided_suffix": job.suffix,
        "seed": job.seed,
        "estimated_finish": int(job.ends_at) if status == "running" else None,
        "integrations": job.integrations or [],
        "metadata": job.metadata,
        "method": {"type": job.method, job.method: {"hyperparameters": chosen}},
    }


def events(job: Job, now: float) -> list[dict[str, object]]:
    """Return the API's events up to `now`, newest first: messages, and at most 100 metrics."""
    happened = [event for event in _timeline(job) if event[0] <= min(now, job.ends_at)]
    if job.cancelled_at is not None and job.cancelled_at <= now:
        happened.append((job.cancelled_at, "info", "The job was cancelled.", None))
    return [
        {
            "object": "fine_tuning.job.event",
            "id": f"ftevent-{job.id.removeprefix('ftjob-')}{number:04d}",
            "created_at": int(at),
            "level": level,
            "message": message,
            "type": "message" if data is None else "metrics",
            "data": data or {},
        }
        for number, (at, level, message, data) in reversed(list(enumerate(happened)))
    ]


def checkpoints(job: Job, now: float) -> list[dict[str, object]]:
    """Return the API's checkpoints, newest first: the last epochs of a succeeded job, at most 3."""
    if job.status(now) != "succeeded":
        return []
    epochs = int(job.resolved["n_epochs"])
    made = []
    for epoch in range(epochs, max(0, epochs - _CHECKPOINTS), -1):
        step = job.total_steps * epoch // epochs
        name = job.fine_tuned_model if epoch == epochs else f"{job.fine_tuned_model}:ckpt-step-{step}"
        made.append(
            {
                "object": "fine_tuning.job.checkpoint",
                "id": f"ftckpt-{job.id.removeprefix('ftjob-')}{epoch:02d}",
                "created_at": int(_instant(job, step)),
                "fine_tuned_model_checkpoint": name,
                "fine_tuning_job_id": job.id,
                "metrics": _metrics(job, step),
                "step_number": step,
            }
        )
    return made


def result_csv(job: Job) -> bytes:
    """Return the content of the result file: one row of metrics a point."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["step", "train_loss", "train_accuracy", "valid_loss", "valid_mean_token_accuracy"])
    for step in _points(job):
        point = _metrics(job, step)
        names = ("train_loss", "train_mean_token_accuracy", "valid_loss", "valid_mean_token_accuracy")
        rows.writerow([step, *(point.get(name, "") for name in names)])
    return text.getvalue().encode()


def _timeline(job: Job) -> Iterator[tuple[float, str, str, dict[str, float] | None]]:
    yield job.created_at, "info", f"Took in job {job.id}.", None
    yield job.created_at, "info", f"Checking the training file {job.training_file}.", None
    yield job.created_at + job.duration_s / 6, "info", "The files are in order; the job waits its turn.", None
    yield job.starts_at, "info", "Training began.", None
    for step in _points(job):
        point = _metrics(job, step)
        message = f"Step {step} of {job.total_steps}: training loss {point['train_loss']}."
        yield _instant(job, step), "info", message, point
    if job.fail_code:
        yield job.ends_at, "error", "The sandbox was told to fail this job.", None
    else:
        yield job.ends_at, "info", f"Made the model {job.fine_tuned_model}.", None
        yield job.ends_at, "info", "The job succeeded.", None


def _points(job: Job) -> list[int]:
    shown = min(job.total_steps, _MAX_POINTS)
    return [job.total_steps * number // shown for number in range(1, shown + 1)]


def _instant(job: Job, step: int) -> float:
    planned_end = job.created_at + job.duration_s
    return job.starts_at + (planned_end - job.starts_at) * step / job.total_steps


def _metrics(job: Job, step: int) -> dict[str, float]:
    """Return made-up metrics that fall as a loss does, the same for the same seed."""
    wobble = 0.05 * math.sin(12.9898 * step + job.seed % 97)
    loss = 0.4 + 1.8 * math.exp(-3.5 * step / job.total_steps) + wobble
    point: dict[str, float] = {"step": step, "total_steps": job.total_steps}
    names = ["train"] if job.validation_file is None else ["train", "valid"]
    for gap, name in enumerate(names):
        point[f"{name}_loss"] = round(loss + 0.1 * gap, 4)
        point[f"{name}_mean_token_accuracy"] = round(1 / (1 + 0.5 * (loss + 0.1 * gap)), 4)
    return point
