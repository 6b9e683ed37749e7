"""Rows as the nouns they stand for, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ftjobs.errors import LedgerError
from ftjobs.jobs.job import parse_job
from ftjobs.jobs.quote import Quote
from ftjobs.jobs.spec import JobSpec
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.entries import Entry
from ftjobs.money import Usd, UsdPer1M
from ftjobs.ranges import Range


def submission_of(row: Mapping[Any, Any]) -> Submission:
    """Return the submission of a row with its job's `raw` and `missed`; LedgerError where the row is damaged."""
    try:
        return _submission_of(row)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise damaged(str(row["id"]), error) from None


def damaged(submission_id: str, error: Exception) -> LedgerError:
    """Return the error for a submission's record that cannot be read."""
    return LedgerError(
        "ledger_damaged",
        f"The ledger's record of submission {submission_id} is damaged ({type(error).__name__}).",
        next_step="Keep the file, and restore a backup: another program has written into it.",
        submission_id=submission_id,
    )


def _submission_of(row: Mapping[Any, Any]) -> Submission:
    return Submission(
        id=row["id"],
        key=row["key"],
        state=row["state"],
        profile=row["profile"],
        account=row["account"],
        recorded_at=row["recorded_at"],
        spec=JobSpec.from_json(row["spec"]) if row["spec"] else None,
        quote=Quote.decode(row["quote"]) if row["quote"] else None,
        tags=tags_of(json.loads(row["tags"])),
        training_file_id=row["training_file_id"],
        validation_file_id=row["validation_file_id"],
        error_code=row["error_code"],
        error_message=row["error_message"],
        job=parse_job(json.loads(row["raw"])) if row["raw"] else None,
        missed=row["missed"] or 0,
    )


def tags_of(value: Any) -> Mapping[str, str]:
    """Return the tags that a decoded value is; TypeError for anything else."""
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise TypeError("tags are texts by name")
    return value


def submission_row(submission: Submission) -> dict[str, Any]:
    """Return the columns of `submissions` that describe `submission`; its job is a row of its own."""
    return {
        "id": submission.id,
        "key": submission.key,
        "holds_key": int(not submission.is_over or bool(submission.job and not submission.job.failed)),
        "state": submission.state,
        "profile": submission.profile,
        "account": submission.account,
        "recorded_at": submission.recorded_at,
        "spec": submission.spec.to_json() if submission.spec else None,
        "quote": submission.quote.encode() if submission.quote else None,
        "tags": json.dumps(dict(submission.tags), sort_keys=True),
        "training_file_id": submission.training_file_id,
        "validation_file_id": submission.validation_file_id,
        "error_code": submission.error_code,
        "error_message": submission.error_message,
    }


def entry_of(row: Mapping[Any, Any]) -> Entry:
    """Return the entry of a row."""
    low, high, rate = row["low_nano_usd"], row["high_nano_usd"], row["nano_usd_per_1m"]
    amount = Usd(row["amount_nano_usd"])
    return Entry(
        submission_id=row["submission_id"],
        kind=row["kind"],
        seq=row["seq"],
        amount=amount,
        occurred_at=row["occurred_at"],
        recorded_at=row["recorded_at"],
        tokens=row["tokens"],
        spread=Range(Usd(low), amount, Usd(high)) if low is not None and high is not None else None,
        usd_per_1m=UsdPer1M(rate) if rate is not None else None,
        price_list=row["price_list"],
        effective_from=row["effective_from"],
        basis=row["basis"],
        source=row["source"],
        recorded_by=row["recorded_by"],
    )


def entry_row(entry: Entry) -> dict[str, Any]:
    """Return the columns of `entries`; the id is the database's."""
    return {
        "submission_id": entry.submission_id,
        "kind": entry.kind,
        "seq": entry.seq,
        "tokens": entry.tokens,
        "amount_nano_usd": entry.amount.nano,
        "low_nano_usd": entry.spread.low.nano if entry.spread else None,
        "high_nano_usd": entry.spread.high.nano if entry.spread else None,
        "nano_usd_per_1m": entry.usd_per_1m.nano if entry.usd_per_1m else None,
        "price_list": entry.price_list,
        "effective_from": entry.effective_from,
        "basis": entry.basis,
        "source": entry.source,
        "occurred_at": entry.occurred_at,
        "recorded_at": entry.recorded_at,
        "recorded_by": entry.recorded_by,
    }
