"""Rows as glances: as much of submissions and entries as a list shows, at a fraction of the cost of the whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Text, type_coerce

from ftjobs.jobs.job import glance_at_job
from ftjobs.jobs.quote import glance_at_quote
from ftjobs.jobs.spec import glance_at_spec
from ftjobs.jobs.submission import SubmissionGlance, epochs_of, status_of
from ftjobs.ledger.entries import Posting
from ftjobs.ledger.rows import damaged, tags_of
from ftjobs.ledger.tables import check_day, entries, instant_of, jobs, submissions

Loads = Callable[[str], Any]

# What a glance at a submission with its job takes, and a posting; times as the texts that they are.
GLANCED = (
    submissions.c.id,
    submissions.c.state,
    submissions.c.profile,
    submissions.c.account,
    type_coerce(submissions.c.recorded_at, Text),
    submissions.c.spec,
    submissions.c.quote,
    submissions.c.tags,
    submissions.c.error_code,
    submissions.c.error_message,
    jobs.c.raw,
    jobs.c.missed,
)
POSTED = (
    entries.c.submission_id,
    entries.c.kind,
    entries.c.seq,
    entries.c.tokens,
    entries.c.amount_nano_usd,
    entries.c.low_nano_usd,
    entries.c.high_nano_usd,
    entries.c.nano_usd_per_1m,
    entries.c.basis,
    type_coerce(entries.c.effective_from, Text),
    type_coerce(entries.c.occurred_at, Text),
    type_coerce(entries.c.recorded_at, Text),
)


def quick_loads() -> Loads:
    """Return what decodes as json.loads does, several times as fast; its import is worth it from some rows on."""
    import msgspec

    decode = msgspec.json.Decoder().decode

    def loads(text: str) -> Any:
        try:
            return decode(text)
        except (ValueError, RecursionError):  # what it refuses and json takes: NaN, lone surrogates
            return json.loads(text)

    return loads


def glance_of(row: Sequence[Any], loads: Callable[[str], Any]) -> SubmissionGlance:
    """Return what a list shows of GLANCED columns; LedgerError where the row is damaged."""
    try:
        return _glance_of(row, loads)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise damaged(str(row[0]), error) from None


def _glance_of(row: Sequence[Any], loads: Callable[[str], Any]) -> SubmissionGlance:
    own_id, state, profile, account, recorded_at, spec, quote, tags, error_code, error_message, raw, missed = row
    asked = glance_at_spec(loads(spec)) if spec else None
    job = glance_at_job(loads(raw)) if raw else None
    return SubmissionGlance(
        own_id,
        status_of(state, job, missed or 0),
        profile,
        account,
        instant_of(recorded_at),
        asked,
        glance_at_quote(quote) if quote else None,
        tags_of(loads(tags)),
        error_code,
        error_message,
        job,
        epochs_of(asked, job),
    )


def posting_of(row: Sequence[Any]) -> Posting:
    """Return what a report reads of POSTED columns; LedgerError where the row is damaged."""
    own_id, kind, seq, tokens, nano, low, high, per_1m, basis, effective_from, occurred_at, recorded_at = row
    if low is None or high is None:
        high = None
    elif not low <= nano <= high:
        raise damaged(own_id, ValueError())
    if effective_from:
        check_day(effective_from)
    instant_of(recorded_at)
    return Posting(kind, seq, tokens, nano, high, per_1m, basis, instant_of(occurred_at))
