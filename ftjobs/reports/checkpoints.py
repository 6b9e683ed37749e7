"""The models that a job left on its way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftjobs.jobs.curve import Point, point
from ftjobs.jobs.event import Checkpoint
from ftjobs.reports.envelope import clean
from ftjobs.reports.table import PLAIN, Column, table

_COLUMNS = (
    Column("STEP", right=True),
    Column("TRAIN LOSS", right=True, gives_way=1),
    Column("VALID LOSS", right=True, gives_way=2),
    Column("MODEL"),
)


def checkpoints_text(checkpoints: Sequence[Checkpoint], *, width: int | None) -> str:
    """Return a table of the checkpoints; where it is too wide, two lines each, so that no name is cut."""
    rows = [_row(each) for each in checkpoints]
    wide = table(_COLUMNS, rows, width=PLAIN if width == PLAIN else None)
    if not width or max(map(len, wide.splitlines())) <= width:
        return wide
    return "\n".join(
        line
        for step, train, valid, model in rows
        for line in (f"step {step}, train loss {train}, valid loss {valid}", f"  {clean(model)}")
    )


def checkpoints_json(checkpoints: Sequence[Checkpoint] | None) -> list[dict[str, Any]] | None:
    """Return the checkpoints by step, null where nobody could be asked."""
    if checkpoints is None:
        return None
    return [
        {
            "id": each.id,
            "step": each.step,
            "model": each.model,
            "train_loss": _measured(each).train_loss,
            "valid_loss": _measured(each).valid_loss,
            "created_at": each.at,
        }
        for each in checkpoints
    ]


def _row(checkpoint: Checkpoint) -> list[str]:
    measured = _measured(checkpoint)
    step = "unknown" if checkpoint.step is None else f"{checkpoint.step:,}"
    return [step, _loss(measured.train_loss), _loss(measured.valid_loss), checkpoint.model]


def _measured(checkpoint: Checkpoint) -> Point:
    return point(checkpoint.metrics, step=checkpoint.step or 1)


def _loss(loss: float | None) -> str:
    return "-" if loss is None else f"{loss:.4g}"
