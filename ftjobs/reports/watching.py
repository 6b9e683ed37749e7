"""Jobs while they are watched: a screenful of rows, or a line for each change."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import datetime, timedelta

from rich.cells import cell_len, set_cell_size

from ftjobs.jobs.progress import Progress, Stall
from ftjobs.ledger.entries import Trail
from ftjobs.reports.envelope import clean
from ftjobs.reports.numbers import duration, usd
from ftjobs.reports.sparkline import gauge, sparkline
from ftjobs.reports.table import Column, table, wrapped

Seen = tuple[Trail, Progress]

_COLUMNS = (
    Column("JOB"),
    Column("STATUS"),
    Column("STEP", right=True, gives_way=4),
    Column("PROGRESS", gives_way=3),
    Column("DONE", right=True, gives_way=1),
    Column("LOSS", gives_way=5),
    Column("LEFT", right=True, gives_way=2),
    Column("MONEY", right=True),
)
_GAUGE_CELLS = 8
_SPARK_CELLS = 12
# Enough of an id to tell it from others and to type it: the ledger takes unique prefixes.
_SHORT_ID = 14
_SHORTEN_BY = 4
_TENTHS = 10


def screen(
    seen: Sequence[Seen],
    *,
    now: datetime,
    columns: int,
    rows: int,
    notes: Sequence[str] = (),
    footer: str = "",
    ascii_only: bool = False,
) -> list[str]:
    """Return at most `rows` lines of at most `columns` cells: the jobs in the order given, notes, and the footer.

    Jobs that do not fit are counted in a line; notes take a third of the rows at most.
    """
    told = [line for note in notes for line in wrapped(note, columns)][: rows // 3]
    below = [*told, footer]
    room = max(rows - len(below) - 1, 1)
    shown = len(seen) if len(seen) <= room else max(room - 1, 1)
    text = watch_table(seen[:shown], now=now, width=columns, ascii_only=ascii_only)
    more = [hidden_line(seen[shown:])] if shown < len(seen) else []
    return [_cut(line, columns) for line in [*text.splitlines(), *more, *below]][:rows]


def watch_table(seen: Sequence[Seen], *, now: datetime, width: int | None, ascii_only: bool = False) -> str:
    """Return the table of jobs under way; ids are shortened before a column gives way."""

    def rows(names: Sequence[str]) -> list[list[str]]:
        return [[name, *_cells(*each, now, ascii_only=ascii_only)] for name, each in zip(names, seen, strict=True)]

    names = [name_of(trail) for trail, _ in seen]
    whole = table(_COLUMNS, rows(names))
    if width is None or max(cell_len(line) for line in whole.splitlines()) <= width:
        return whole
    return table(_COLUMNS, rows(_shortened(names)), width=width)


def hidden_line(hidden: Sequence[Seen]) -> str:
    """Return how many jobs have no row."""
    under_way = sum(not trail.submission.is_over for trail, _ in hidden)
    return f"and {len(hidden):,} more, {under_way:,} of them under way"


def changed_line(trail: Trail, progress: Progress, *, now: datetime) -> str:
    """Return one job as a line of its own."""
    submission = trail.submission
    facts = [f"{name_of(trail)} {clean(submission.status)}"]
    if submission.is_over and not trail.voided:
        facts.append(f"billed {usd(trail.billed)}" if trail.billed is not None else "its bill is unknown")
        if submission.job and submission.job.fine_tuned_model:
            facts.append(f"model {clean(submission.job.fine_tuned_model)}")
    elif not submission.is_over and progress.fraction is not None:
        facts[0] += f" {_percent(progress.fraction)} (step {progress.step:,} of {progress.total_steps:,})"
        if progress.losses:
            facts.append(f"loss {progress.losses[-1]:.4g}")
        if progress.eta is not None:
            facts.append(f"about {duration(progress.eta - now)} left")
    return ", ".join(facts)


def told_of(trail: Trail, progress: Progress) -> Hashable:
    """Return what a reader cares for: a job whose value stays the same has no news."""
    tenth = None if progress.fraction is None else int(progress.fraction * _TENTHS)
    return trail.submission.status, trail.billed, None if trail.submission.is_over else tenth


def stall_note(trail: Trail, stall: Stall) -> str:
    """Return for how long the job has not moved, and what can be done."""
    name, lasting = name_of(trail), duration(stall.lasting)
    match stall.what:
        case "no_step":
            what = f"no step for {lasting}"
        case "validating_files" | "queued":
            what = f"still {stall.what} {lasting} after it was created"
    return f"{name}: {what}, longer than usual. See the service's status page; `ftjobs cancel {name}` gives it up."


def name_of(trail: Trail) -> str:
    """Return the job's id, else the submission's."""
    return clean(trail.submission.job.id if trail.submission.job else trail.submission.id)


def _cells(trail: Trail, progress: Progress, now: datetime, *, ascii_only: bool) -> list[str]:
    losses = sparkline(progress.losses, _SPARK_CELLS, ascii_only=ascii_only)
    left = progress.eta - now if progress.eta else None
    return [
        trail.submission.status,
        _steps(progress),
        "-" if progress.fraction is None else gauge(progress.fraction, _GAUGE_CELLS, ascii_only=ascii_only),
        "-" if progress.fraction is None else _percent(progress.fraction),
        f"{losses} {progress.losses[-1]:.4g}" if losses else "-",
        duration(left) if left and left > timedelta(0) else "-",
        _money(trail),
    ]


def _steps(progress: Progress) -> str:
    if progress.step is None:
        return "-"
    return f"{progress.step:,}" + ("" if progress.total_steps is None else f"/{progress.total_steps:,}")


def _percent(fraction: float) -> str:
    # The tiny addition is for 0.29, whose hundredfold is a little less than 29.
    return f"{int(fraction * 100 + 1e-9)}%"


def _money(trail: Trail) -> str:
    """Return the bill, else the estimate that stands for it; unknown is said."""
    if trail.billed is not None:
        return f"billed {usd(trail.billed)}"
    if trail.voided:
        return "nothing due"
    if trail.submission.is_over:
        return "bill unknown"
    return f"est. {usd(trail.estimate.amount)}" if trail.estimate else "no estimate"


def _shortened(names: Sequence[str]) -> list[str]:
    """Return prefixes that tell the names apart."""
    size = _SHORT_ID
    while len({name[:size] for name in names}) < len(set(names)):
        size += _SHORTEN_BY
    return [name[:size] for name in names]


def _cut(line: str, columns: int) -> str:
    return line if cell_len(line) <= columns else set_cell_size(line, columns)
