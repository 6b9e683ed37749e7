"""What a job left: its files, its loss, and how to try its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftjobs.jobs.curve import Curve, Point
from ftjobs.jobs.job import Job
from ftjobs.reports.chart import Marks, loss_chart
from ftjobs.reports.envelope import clean, envelope
from ftjobs.reports.numbers import count

_KINDS = {
    "csv": "metrics",
    "unknown": "unread",
    "picture": "picture",
}


@dataclass(frozen=True, slots=True)
class ResultLine:
    """One file of the results; `is_new` where this command wrote it."""

    path: Path
    size: int
    kind: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Results:
    """A job, its base model, the files that it left in `directory`, its curve and what is to be said of them.

    `snippet` is None where there is no model to try.
    """

    job: Job
    base_model: str | None
    directory: Path
    files: tuple[ResultLine, ...]
    curve: Curve
    snippet: str | None
    notes: tuple[str, ...]


def results_json(results: Results, *, sandbox: bool) -> dict[str, Any]:
    """Return `ftjobs.results/1`."""
    return envelope(
        "results",
        sandbox=sandbox,
        job_id=results.job.id,
        status=results.job.status,
        fine_tuned_model=results.job.fine_tuned_model,
        base_model=results.base_model,
        directory=str(results.directory),
        files=[
            {"path": str(file.path), "bytes": file.size, "kind": file.kind, "written": file.is_new}
            for file in results.files
        ],
        curve=curve_json(results.curve),
        snippet=results.snippet,
        notes=list(results.notes),
    )


def curve_json(curve: Curve) -> dict[str, Any]:
    """Return the curve; what was not measured is null."""
    return {"total_steps": curve.total_steps, "points": [_point_json(point) for point in curve.points]}


def _point_json(point: Point) -> dict[str, Any]:
    return {
        "step": point.step,
        "at": point.at,
        "train_loss": point.train_loss,
        "valid_loss": point.valid_loss,
        "train_accuracy": point.train_accuracy,
        "valid_accuracy": point.valid_accuracy,
    }


def results_text(results: Results, *, width: int | None, marks: Marks) -> str:
    """Return the model, the files, the chart of the loss and the program to try the model with."""
    sections: list[Sequence[str]] = [_head(results)]
    if results.files:
        sections.append([f"in {clean(str(results.directory))}:", *_file_lines(results.files, width=width)])
    if chart := loss_chart(results.curve, width=width, marks=marks):
        sections.append(chart)
    if results.snippet is not None:
        sections.append(["Test it before deploying: save this as try.py, and put your own prompts in."])
        sections.append(results.snippet.splitlines())
    return "\n\n".join("\n".join(lines) for lines in sections)


def _file_lines(files: Sequence[ResultLine], *, width: int | None) -> list[str]:
    size = max(len(file.path.name) for file in files)
    told = [(file.path.name, f"{_KINDS.get(file.kind, file.kind)}, {_size(file)}") for file in files]
    wide = [f"  {name:{size}}  {what}" for name, what in told]
    if width is None or max(map(len, wide)) <= width:
        return wide
    return [line for name, what in told for line in (f"  {name}", f"    {what}")]


def _size(file: ResultLine) -> str:
    return f"{count(file.size, 'byte')}{'' if file.is_new else ', already there'}"


def _head(results: Results) -> list[str]:
    job = results.job
    told = [f"job {clean(job.id)} ({clean(job.status)})"]
    if job.fine_tuned_model:
        told.append(f"fine-tuned model  {clean(job.fine_tuned_model)}")
    if results.base_model:
        told.append(f"base model        {clean(results.base_model)}")
    return told
