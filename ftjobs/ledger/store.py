"""The ledger as the rest of the program uses it: each method is one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Engine, and_, exc, func, insert, or_, select, update

from ftjobs.errors import LedgerError, UsageError
from ftjobs.failpoints import reach
from ftjobs.jobs.invoice import Report
from ftjobs.jobs.job import Job
from ftjobs.jobs.submission import State, Submission
from ftjobs.ledger import adopting, invoices, sightings, states
from ftjobs.ledger.adjusting import adjustment, taken_back
from ftjobs.ledger.adopting import OPEN as _OPEN
from ftjobs.ledger.adopting import Asked, Rebuild
from ftjobs.ledger.budget import BudgetState, Limit, admit, covering
from ftjobs.ledger.changes import keep, tags_before
from ftjobs.ledger.engine import open_engine, unusable
from ftjobs.ledger.entries import BillingPrice, Entry, Trail, billed_entry, estimate_entry
from ftjobs.ledger.file_store import FileStore
from ftjobs.ledger.history import unusual
from ftjobs.ledger.hosting_store import HostingStore
from ftjobs.ledger.listing import Listing
from ftjobs.ledger.locks import require_lock
from ftjobs.ledger.place import Place
from ftjobs.ledger.reconciliation import DayBill
from ftjobs.ledger.rows import entry_row, submission_row
from ftjobs.ledger.sightings import PriceOf, Sighting
from ftjobs.ledger.spending import budget_states
from ftjobs.ledger.tables import entries, jobs, submissions
from ftjobs.ledger.trails import (
    SETTLING,
    among,
    has_echo,
    has_entry,
    select_history,
    select_named,
    select_submissions,
    select_trails,
)
from ftjobs.ledger.unsettled import Unsettled, is_unsettled, select_unsettled
from ftjobs.money import Usd
from ftjobs.periods import Period, month_of


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording a submission came to: ours (`is_new`), or the live one that holds the same key."""

    submission: Submission
    is_new: bool
    budgets: tuple[BudgetState, ...] = ()


class Ledger:
    """The cost trail in one SQLite file, or in a PostgreSQL database.

    Every method raises LedgerError where it cannot be read or written; writers wait for each other.
    """

    def __init__(self, place: Place, *, stamp: str) -> None:
        self.place = place
        self._engine: Engine = open_engine(place, stamp=stamp)
        self.files = FileStore(self._transaction)
        self.hosting = HostingStore(self._transaction)

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(writes=writes) as connection, connection.begin():
                yield connection
        except exc.DBAPIError as error:
            raise unusable(self.place, error) from None

    # Submissions

    def record(self, submission: Submission, *, limits: Sequence[Limit] = ()) -> Recorded:
        """Commit a submission with its estimate entry before anything is paid, or answer with the key's holder.

        The budgets that cover it are checked in the same transaction, so parallel submits cannot overspend
        together; SpendRefusedError where the high estimate does not fit into one of them.
        """
        if submission.quote is None:
            raise ValueError("a submission is recorded with its quote")
        now = submission.recorded_at
        with self._transaction(writes=True) as connection:
            if holder := self._holder(connection, submission.key):
                return Recorded(holder, is_new=False)
            covered = covering(limits, submission.profile, submission.tags)
            standing = budget_states(connection, covered, month_of(now))
            budgets = tuple(admit(state, submission.quote.cost.high) for state in standing)
            connection.execute(insert(submissions), submission_row(submission))
            estimate = estimate_entry(submission.id, submission.quote, occurred_at=now, recorded_at=now)
            connection.execute(insert(entries), entry_row(estimate))
            reach("submission.recording")
            return Recorded(submission, is_new=True, budgets=budgets)

    def readmit(self, submission: Submission, *, limits: Sequence[Limit], now: datetime) -> None:
        """Raise SpendRefusedError where what a submission holds does not fit beside all else any more."""
        with self._transaction(writes=False) as connection:
            (held,) = select_trails(connection, submissions.c.id == submission.id)
            covered = covering(limits, submission.profile, submission.tags)
            for state in budget_states(connection, covered, month_of(now)):
                admit(state.without(held), held.high_estimate)

    def holder(self, key: str) -> Submission | None:
        """Return the live or succeeded submission of this content, None where there is none."""
        with self._transaction(writes=False) as connection:
            return self._holder(connection, key)

    def get(self, submission_id: str) -> Submission:
        """Return the submission as the ledger has it now; LedgerError where it has none of that id."""
        with self._transaction(writes=False) as connection:
            found = select_submissions(connection, submissions.c.id == submission_id)
        if not found:
            raise LedgerError(
                "unknown_submission",
                f"The ledger has no submission {submission_id}.",
                next_step="Run `ftjobs status --all` to see what it has.",
                submission_id=submission_id,
            )
        return found[0]

    def find(self, reference: str) -> Submission:
        """Return the submission that a job id, a submission id, a unique prefix of either or `last` names.

        UsageError where it names none or several.
        """
        with self._transaction(writes=False) as connection:
            found = select_named(connection, reference)
        if len(found) == 1:
            return found[0]
        raise UsageError(
            "ambiguous_job" if found else "unknown_job",
            f"{reference!r} names {len(found) or 'no'} job{'s' if found else ''} in the ledger.",
            next_step="Give more of the id." if found else "Run `ftjobs status --all` to see the ids.",
            job=reference,
        )

    def set_files(self, submission_id: str, *, training: str, validation: str | None) -> None:
        """Record the uploaded files' ids."""
        with self._transaction(writes=True) as connection:
            states.change(
                connection, submission_id, _OPEN, training_file_id=training, validation_file_id=validation
            )

    def begin_sending(self, submission_id: str, came_from: State, *, now: datetime) -> None:
        """Commit to the create call; LedgerError where the submission is not as `came_from` says any more."""
        with self._transaction(writes=True) as connection:
            require_lock(self.place, submission_id)
            states.move(connection, submission_id, {came_from}, now, state="sending", error_message=None)

    def require_lock(self, submission_id: str) -> None:
        """Raise LedgerError where this process held the submission's lock and lost it since."""
        require_lock(self.place, submission_id)

    def mark(self, submission_id: str, state: State, *, now: datetime, error: str | None = None) -> None:
        """Move a submission that has no job and has not ended to `state`."""
        with self._transaction(writes=True) as connection:
            states.move(connection, submission_id, _OPEN, now, state=state, error_message=error)

    def close(self, submission_id: str, state: State, *, code: str, message: str, now: datetime) -> None:
        """End a submission that creates no job: its estimate is voided, its key is free again."""
        with self._transaction(writes=True) as connection:
            states.close(connection, submission_id, state, code=code, message=message, now=now)

    def attach(self, submission_id: str, job: Job, *, now: datetime) -> None:
        """Record the job that a submission created; again with the same job only refreshes it."""
        with self._transaction(writes=True) as connection:
            sightings.attach(connection, submission_id, job, now)
            reach("job.recording")

    def see(self, job: Job, *, now: datetime) -> None:
        """Record the job's newest state; a failed or cancelled one frees its key."""
        with self._transaction(writes=True) as connection:
            submission_id = connection.execute(
                select(jobs.c.submission_id).where(jobs.c.id == job.id)
            ).scalar_one()
            sightings.attach(connection, submission_id, job, now)

    def refresh(self, found: Sequence[Job], *, price_of: PriceOf, now: datetime) -> list[Sighting]:
        """Record the newest states of known jobs and bill what has ended; return what that changed."""
        with self._transaction(writes=True) as connection:
            return list(sightings.see(connection, found, price_of=price_of, now=now))

    def miss(self, job_ids: Sequence[str], *, now: datetime) -> None:
        """Record that the service said once more that it does not have these jobs."""
        with self._transaction(writes=True) as connection:
            sightings.miss(connection, job_ids, now)

    def adopt(self, submission: Submission, *, replaces: str | None, now: datetime) -> None:
        """Record a job that exists remotely with a submission of its own; `submission.job` is that job.

        Its estimate entry, if it brought a quote, is dated at the job's creation. `replaces` is a submission of
        ours that thereby creates nothing. Adopting a known job again only hands it the key.
        """
        if submission.job is None:
            raise ValueError("only a job can be adopted")
        with self._transaction(writes=True) as connection:
            if replaces is not None:
                message = f"job {submission.job.id} exists already"
                states.close(connection, replaces, "abandoned", code="adopted", message=message, now=now)
            if not adopting.take_in(connection, [submission], now=now) and replaces is not None:
                sightings.free_key(connection, replaces)

    def adopt_many(self, asked: Asked, rebuild: Rebuild, *, price_of: PriceOf, now: datetime) -> list[Trail]:
        """Record what `rebuild` makes of what the ledger knows, with its bills; return the new trails."""
        with self._transaction(writes=True) as connection:
            known = adopting.known_of(connection, asked)
            return adopting.take_in(connection, rebuild(known), price_of=price_of, now=now)

    def knows_submission(self, submission_id: str) -> bool:
        """Return whether a submission of this id is recorded."""
        with self._transaction(writes=False) as connection:
            return bool(select_submissions(connection, submissions.c.id == submission_id))

    def owner_of(self, job_id: str) -> str | None:
        """Return the submission that the job is recorded with, None where it is not recorded."""
        with self._transaction(writes=False) as connection:
            return connection.execute(select(jobs.c.submission_id).where(jobs.c.id == job_id)).scalar()

    # Bills

    def settle(self, submission_id: str, price: BillingPrice, *, now: datetime) -> Entry | None:
        """Write what is missing between the bill and what settling wrote; return it, None for nothing."""
        with self._transaction(writes=True) as connection:
            trail = select_trails(connection, submissions.c.id == submission_id)[0]
            if trail.submission.job is None:
                return None
            entry = billed_entry(trail, trail.submission.job, price, now=now)
            if entry is not None:
                sightings.write_bills(connection, [entry, taken_back(trail, entry)])
            return entry

    def adjust(
        self,
        submission_id: str,
        *,
        add: Usd | None = None,
        total_usd: Usd | None = None,
        reason: str,
        by: str,
        now: datetime,
    ) -> tuple[Trail, Entry | None]:
        """Append what a person corrects; return the trail with it, and the entry, None where nothing is to do.

        UsageError as `adjustment` says.
        """
        with self._transaction(writes=True) as connection:
            trail = select_trails(connection, submissions.c.id == submission_id)[0]
            entry = adjustment(trail, add=add, total_usd=total_usd, reason=reason, by=by, now=now)
            if entry is not None:
                connection.execute(insert(entries), entry_row(entry))
                trail = replace(trail, entries=(*trail.entries, entry))
            return trail, entry

    def tag(
        self, submission_id: str, *, put: Mapping[str, str], drop: Sequence[str] = (), by: str, now: datetime
    ) -> Submission:
        """Set and remove tags; return the submission with its new ones. What they were is kept."""
        with self._transaction(writes=True) as connection:
            (submission,) = select_submissions(connection, submissions.c.id == submission_id)
            tags = {name: value for name, value in {**submission.tags, **put}.items() if name not in drop}
            if tags != submission.tags:
                keep(connection, [tags_before(submission)], now=now, by=by)
                connection.execute(
                    update(submissions)
                    .where(submissions.c.id == submission_id)
                    .values(tags=json.dumps(tags, sort_keys=True))
                )
            return replace(submission, tags=tags)

    def budgets(self, limits: Sequence[Limit], month: Period) -> list[BudgetState]:
        """Return the month's budgets as they stand, in the order of the limits."""
        with self._transaction(writes=False) as connection:
            return budget_states(connection, limits, month)

    # Trails

    def trails(self, references: Sequence[str] = ()) -> list[Trail]:
        """Return the trails of these submission ids, of all where none is given, oldest first."""
        with self._transaction(writes=False) as connection:
            where = among(submissions.c.id, references) if references else None
            return select_trails(connection, where)

    def current(self, *, recent: int) -> tuple[list[Trail], int]:
        """Return what is not settled and the `recent` newest others, oldest first, and how many more there are."""
        is_settled = has_entry(*SETTLING)
        ids = select(submissions.c.id).where(is_settled)
        newest = ids.order_by(submissions.c.recorded_at.desc(), submissions.c.id.desc()).limit(recent)
        with self._transaction(writes=False) as connection:
            trails = select_trails(connection, or_(~is_settled, submissions.c.id.in_(newest)))
            settled = connection.execute(select(func.count()).select_from(ids.subquery())).scalar_one()
        return trails, max(0, settled - recent)

    def unsettled(self) -> list[Trail]:
        """Return what still needs the service: no bill yet and no void, unless a job turned up all the same."""
        with self._transaction(writes=False) as connection:
            return select_trails(connection, is_unsettled())

    def to_sync(self, references: Sequence[str] = ()) -> list[Unsettled]:
        """Return what is to be asked of the service: these submissions, what is unsettled where none is given."""
        with self._transaction(writes=False) as connection:
            return select_unsettled(connection, references)

    def history(self, *, before: str | None = None) -> list[Trail]:
        """Return the last 200 trails that created something, before a submission id or until now; oldest first."""
        with self._transaction(writes=False) as connection:
            return select_history(connection, before=before)

    def unusual(self, shown: Sequence[Trail]) -> Mapping[str, tuple[str, ...]]:
        """Return what is unusual about each of these trails against what came before it, by submission id."""
        ids = {trail.submission.id for trail in shown}
        if not ids:
            return {}
        told = [*self.history(before=min(ids)), *self.history(before=max(ids)), *shown]
        in_order = sorted({trail.submission.id: trail for trail in told}.items())
        found = unusual([trail for _, trail in in_order])
        return {submission_id: notes for submission_id, notes in found.items() if submission_id in ids}

    @contextmanager
    def listing(self, period: Period | None, *, as_of: datetime | None = None) -> Iterator[Listing]:
        """Yield what a period lists: billed in it, or unsettled at its end; all but voided ones without one.

        With `as_of`, everything is as the ledger knew it at that instant. Lines are read when looked at; writers
        wait until the end.
        """
        with self._transaction(writes=False) as connection:
            yield Listing(connection, period, as_of)

    # Invoices

    def bills_by_day(self, account: str, period: Period) -> list[DayBill]:
        """Return the account's bills of each UTC day of the period that has some, in order."""
        with self._transaction(writes=False) as connection:
            return invoices.bills_of(connection, account, period)

    def unbilled_jobs(self, account: str, period: Period) -> int:
        """Return how many of the account's jobs may have ended in the period and have no bill."""
        with self._transaction(writes=False) as connection:
            return invoices.unbilled_of(connection, account, period)

    def keep_reconciliation(
        self, account: str, told: Report, period: Period, result: str, *, now: datetime, by: str | None = None
    ) -> int:
        """Record what a cost report said of its days, and what comparing `period` came to; nothing is changed.

        Returns how many lines said something new.
        """
        with self._transaction(writes=True) as connection:
            fresh = invoices.keep_invoices(connection, account, told.lines, told.period, now=now)
            invoices.keep_result(connection, account, period, result, now=now, by=by)
            return fresh

    def metadata_kept(self, account: str) -> bool:
        """Return whether a job of this account has come back with our metadata in it."""
        with self._transaction(writes=False) as connection:
            return has_echo(connection, account)

    # Inside a transaction

    def _holder(self, connection: Connection, key: str) -> Submission | None:
        found = select_submissions(connection, and_(submissions.c.key == key, submissions.c.holds_key == 1))
        return found[0] if found else None
