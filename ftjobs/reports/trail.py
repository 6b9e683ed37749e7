"""One job's whole trail on one screen, put together from its parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from ftjobs.jobs.story import Story
from ftjobs.ledger.entries import Entry
from ftjobs.ledger.hosting import Hosting
from ftjobs.ledger.month import Line
from ftjobs.periods import iso
from ftjobs.reports.bridge import bridge_lines
from ftjobs.reports.chart import FINE, Marks, loss_chart
from ftjobs.reports.checkpoints import checkpoints_json, checkpoints_text
from ftjobs.reports.envelope import envelope
from ftjobs.reports.estimate import quote_text, recorded_estimate_json
from ftjobs.reports.events import event_lines, events_json
from ftjobs.reports.facts import fact_lines, hanging
from ftjobs.reports.failure import failure_json, failure_lines
from ftjobs.reports.hosting import hosting_cost, hosting_json, hosting_lines
from ftjobs.reports.jobs import Unusual, job_json, variance_pct
from ftjobs.reports.numbers import UNKNOWN, count, usd
from ftjobs.reports.results import curve_json
from ftjobs.reports.table import Column, table
from ftjobs.reports.timeline import timeline_json, timeline_lines

_CHART_HEIGHT = 7

_ENTRY_COLUMNS = (
    Column("WHEN (UTC)"),
    Column("ENTRY"),
    Column("TOKENS", right=True, gives_way=1),
    Column("USD/1M", right=True, gives_way=2),
    Column("USD", right=True),
    Column("BASIS", gives_way=3),
    Column("SOURCE", gives_way=4),
)


def trail_json(
    line: Line,
    story: Story,
    *,
    unusual: Unusual | None = None,
    hosting: Sequence[Hosting] = (),
    sandbox: bool,
) -> dict[str, Any]:
    """Return `ftjobs.job/1`: the job as in every list, what was asked for, how it went, and every entry.

    What the service could not be asked about is null.
    """
    submission, spec = line.submission, line.submission.spec
    return envelope(
        "job",
        sandbox=sandbox,
        **job_json(line, unusual),
        account=submission.account,
        requested_model=spec.requested_model if spec else None,
        method=spec.method if spec else None,
        hyperparameters=dict(_hyperparameters(line)),
        seed=submission.seed,
        suffix=spec.suffix if spec else None,
        again=spec.again if spec else None,
        training_file={
            "id": submission.training_file_id,
            "sha256": spec.training_sha256 if spec else None,
            "bytes": spec.training_bytes if spec else None,
        },
        validation_file={
            "id": submission.validation_file_id,
            "sha256": spec.validation_sha256 if spec else None,
        },
        estimate=recorded_estimate_json(submission),
        entries=[_entry_json(entry) for entry in line.trail.entries],
        hosting=[hosting_json(entry) for entry in hosting],
        hosting_cost_usd=hosting_cost(hosting),
        failure=failure_json(line),
        timeline=timeline_json(line, story),
        curve=curve_json(story.curve) if story.events is not None else None,
        checkpoints=checkpoints_json(story.checkpoints),
        events=events_json(story.events),
        has_all_events=story.has_all_events,
    )


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "seq": entry.seq,
        "tokens": entry.tokens,
        "amount_usd": entry.amount,
        "usd_per_1m": entry.usd_per_1m,
        "price_list": entry.price_list,
        "effective_from": entry.effective_from,
        "basis": entry.basis,
        "source": entry.source,
        "occurred_at": entry.occurred_at,
        "recorded_at": entry.recorded_at,
        "recorded_by": entry.recorded_by,
    }


def trail_text(
    line: Line,
    story: Story,
    *,
    unusual: Unusual | None = None,
    hosting: Sequence[Hosting] = (),
    created: Sequence[datetime] = (),
    now: datetime | None = None,
    with_events: bool = False,
    width: int | None,
    marks: Marks = FINE,
) -> str:
    """Return a job's whole trail: what was asked for, how it went, what it was estimated and billed at, and why.

    `created` and `now` are for a daily limit (`failure_lines`).
    """
    facts = [*_about_job(line), *_about_files(line), *_about_price(line)]
    notes = (unusual or {}).get(line.submission.id, ())
    bridge = bridge_lines(line.bridge) if line.bridge else []
    sections = [
        fact_lines(facts, width=width),
        failure_lines(line, created=created, now=now, width=width),
        ["timeline (UTC)", *timeline_lines(line, story)],
        loss_chart(story.curve, width=width, height=_CHART_HEIGHT, marks=marks),
        [checkpoints_text(story.checkpoints, width=width)] if story.checkpoints else [],
        [
            table(_ENTRY_COLUMNS, [_entry_row(entry) for entry in line.trail.entries], width=width)
            if line.trail.entries
            else "no entries"
        ],
        [
            *hanging("", _outcome(line), width=width),
            *(each for told in bridge for each in hanging("", told, width=width)),
            *(each for note in notes for each in hanging("note: ", note, width=width)),
        ],
        hosting_lines(hosting, width=width),
        event_lines(story.events, width=width) if with_events and story.events else [],
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def _about_job(line: Line) -> Iterator[tuple[str, str]]:
    submission, spec, job = line.submission, line.submission.spec, line.submission.job
    yield "job", f"{job.id if job else 'none yet'} ({submission.status})"
    yield "submission", submission.id
    yield "profile", submission.profile
    if spec is None:
        yield "model", (job.model if job else None) or UNKNOWN
    else:
        alias = "" if spec.requested_model == spec.base_model else f" ({spec.requested_model})"
        yield "model", f"{spec.base_model}{alias}, {spec.method}"
    if job and job.fine_tuned_model:
        yield "fine-tuned model", job.fine_tuned_model
    yield (
        "parameters",
        ", ".join(f"{name} {value}" for name, value in _hyperparameters(line)) or "the service's own",
    )
    if spec is not None and spec.again is not None:
        yield "again", spec.again
    if submission.tags:
        yield "tags", ", ".join(f"{key}={value}" for key, value in submission.tags.items())


def _hyperparameters(line: Line) -> Iterator[tuple[str, Any]]:
    """Yield what was asked for, in the API's words; the epochs are the service's own where it told them."""
    spec = line.submission.spec
    epochs = line.submission.n_epochs
    if epochs is not None:
        yield "n_epochs", epochs
    elif spec is not None:
        yield "n_epochs", spec.n_epochs
    if spec is None:
        return
    for name in ("batch_size", "learning_rate_multiplier", "beta"):
        if (value := getattr(spec, name)) is not None:
            yield name, value


def _about_files(line: Line) -> Iterator[tuple[str, str]]:
    submission, spec = line.submission, line.submission.spec
    if spec is not None:
        name = submission.training_file_id or "not uploaded"
        yield "training file", f"{name}, {count(spec.training_bytes, 'byte')}, sha256 {spec.training_sha256[:16]}"
    if spec is not None and spec.validation_sha256:
        name = submission.validation_file_id or "not uploaded"
        yield "validation file", f"{name}, sha256 {spec.validation_sha256[:16]}"


def _about_price(line: Line) -> Iterator[tuple[str, str]]:
    quote = line.submission.quote
    yield "estimate", quote_text(quote)
    if quote is not None:
        since = f", from {quote.effective_from}" if quote.effective_from else ""
        yield "price source", f"{quote.price_source}{since}; as of {quote.estimated_on}"


def _entry_row(entry: Entry) -> list[str]:
    return [
        iso(entry.occurred_at),
        entry.kind,
        f"{entry.tokens:,}" if entry.tokens is not None else "-",
        entry.usd_per_1m.plain() if entry.usd_per_1m else "-",
        entry.amount.plain(),
        entry.basis or "-",
        f"{entry.source} ({entry.recorded_by})" if entry.recorded_by else entry.source,
    ]


def _outcome(line: Line) -> str:
    if line.trail.voided and line.billed is None:
        return "nothing was created, so nothing is due"
    if line.billed is None:
        bill = "the bill is unknown" if line.bill_is_unknown else "not billed yet"
        return f"{bill}; up to {line.commitment.display()} committed"
    pct = variance_pct(line)
    if line.variance is None or pct is None:
        return f"billed {usd(line.billed)}; there is no estimate to compare it with"
    signed = pct if pct.startswith("-") else f"+{pct}"
    return f"billed {usd(line.billed)}, estimated {usd(line.settled_estimate)}, variance {signed}%"
