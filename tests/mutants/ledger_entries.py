"""Section 5, the entries: append-only, settled once, priced, in one month, within the budget."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_ENTRIES = "tests/contract/test_ledger_entries.py"
_ENTRIES_PY = "ftjobs/ledger/entries.py"
_FIRST = "migrations/versions/0001_first_ledger.py"
_JOBS = "tests/contract/test_ledger_jobs.py"
_PURE = "tests/unit/test_entries.py"
_RECORDING = "tests/contract/test_ledger_recording.py"
_SECOND = "migrations/versions/0002_append_only_against_replace.py"
_REFRESHING = "tests/contract/test_ledger_refreshing.py"
_SETTLE = "ftjobs/workflows/settle.py"
_SQLITE = "tests/contract/test_ledger_sqlite.py"
_STORE = "ftjobs/ledger/store.py"
_TRIGGERS = "5 append-only"
_BILL = "5 settling"
_PRICE = "5 price"
_MONTH = "5 months"
_COMMITTED = "5 budget"
_ANY_PROGRAM = f"{_SQLITE}::test_no_other_program_changes_what_is_written_either"

ENTRIES = (
    Mutant(
        "entries-updated",
        f"{_TRIGGERS}: entries are never updated",
        "the trigger before UPDATE",
        _FIRST,
        '    for verb in ("UPDATE", "DELETE"):',
        '    for verb in ("DELETE",):',
        (f"{_ANY_PROGRAM}[UPDATE entries SET amount_nano_usd = 0]",),
    ),
    Mutant(
        "entries-deleted",
        f"{_TRIGGERS}: entries are never deleted",
        "the trigger before DELETE",
        _FIRST,
        '    for verb in ("UPDATE", "DELETE"):',
        '    for verb in ("UPDATE",):',
        (f"{_ANY_PROGRAM}[DELETE FROM entries]",),
    ),
    Mutant(
        "entries-replaced",
        f"{_TRIGGERS}: entries are never replaced",
        "the trigger before INSERT OR REPLACE",
        _SECOND,
        "ON entries WHEN EXISTS (SELECT 1",
        "ON entries WHEN 0 AND EXISTS (SELECT 1",
        (f"{_ANY_PROGRAM}[INSERT OR REPLACE INTO entries SELECT * FROM entries]",),
    ),
    Mutant(
        "submissions-deleted",
        f"{_TRIGGERS}: submissions are never deleted",
        "their trigger",
        _SECOND,
        '    for table in ("submissions", "jobs"):',
        '    for table in ("jobs",):',
        (f"{_ANY_PROGRAM}[DELETE FROM submissions]",),
    ),
    Mutant(
        "jobs-deleted",
        f"{_TRIGGERS}: jobs are never deleted",
        "their trigger",
        _SECOND,
        '    for table in ("submissions", "jobs"):',
        '    for table in ("submissions",):',
        (f"{_ANY_PROGRAM}[DELETE FROM jobs]",),
    ),
    Mutant(
        "two-jobs-for-a-submission",
        f"{_TRIGGERS}: one job a submission",
        "UNIQUE in the migration",
        _FIRST,
        '        sa.UniqueConstraint("submission_id", name="uq_jobs_submission_id"),\n',
        "",
        (f"{_RECORDING}::test_the_database_itself_refuses_a_second_job_for_a_submission_and_a_job_without_one",),
    ),
    Mutant(
        "settled-twice",
        f"{_BILL}: doing it twice writes nothing",
        "asking what is missing",
        _ENTRIES_PY,
        "    if written and written_tokens == job.trained_tokens:",
        "    if False:",
        (
            f"{_PURE}::test_settling_again_brings_nothing_whatever_the_price_is_now",
            f"{_ENTRIES}::test_settling_twice_writes_nothing_even_at_another_price",
        ),
    ),
    Mutant(
        "bill-written-anew",
        f"{_BILL}: target − what settling wrote before",
        "what was written before",
        _ENTRIES_PY,
        "used.usd_per_1m.cost(job.trained_tokens) - total([entry.amount for entry in written])",
        "used.usd_per_1m.cost(job.trained_tokens)",
        (f"{_PURE}::test_a_correction_writes_the_difference_so_that_the_sum_is_rounded_once_as_a_whole",),
    ),
    Mutant(
        "settled-by-many",
        f"{_BILL}: read and written in one transaction",
        "the one transaction",
        _STORE,
        """        with self._transaction(writes=True) as connection:
            trail = select_trails(connection, submissions.c.id == submission_id)[0]
            if trail.submission.job is None:""",
        """        trail = self.trails([submission_id])[0]
        with self._transaction(writes=True) as connection:
            if trail.submission.job is None:""",
        (f"{_ENTRIES}::test_processes_that_settle_at_once_bill_once",),
    ),
    Mutant(
        "adjustment-settled-away",
        f"{_BILL}: a manual adjustment stands",
        "telling it from a bill",
        _ENTRIES_PY,
        'if entry.kind == "billed" and entry.basis == SETTLED_BASIS]',
        'if entry.kind in {"billed", "adjustment"}]',
        (
            f"{_PURE}::test_an_adjustment_is_not_settled_away",
            f"{_ENTRIES}::test_an_adjustment_stands_beside_the_bill",
        ),
    ),
    Mutant(
        "running-job-billed",
        f"{_BILL}: a job is billed once it has ended",
        "that condition",
        _ENTRIES_PY,
        "    if not job.ended or job.trained_tokens is None:",
        "    if job.trained_tokens is None:",
        (
            f"{_PURE}::test_a_job_that_has_not_ended_is_not_billed",
            f"{_ENTRIES}::test_a_job_that_goes_on_is_not_billed_whatever_it_counts",
        ),
    ),
    Mutant(
        "ended-job-brought-back",
        f"{_BILL}: an older answer does not undo an end",
        "asking which answer is newer",
        "ftjobs/ledger/sightings.py",
        "    return known.ended and (not job.ended or forgets)",
        "    return known.ended and forgets",
        (
            f"{_JOBS}::test_an_answer_that_was_overtaken_does_not_bring_an_ended_job_back",
            "tests/wire/test_protocol.py"
            "::test_an_answer_that_was_on_its_way_for_long_does_not_bring_an_ended_job_back",
        ),
    ),
    Mutant(
        "known-price-not-used",
        f"{_BILL}: what ended is billed as soon as its price is known",
        "asking again for what ended and is as it was",
        "ftjobs/ledger/sightings.py",
        "if row.missed or newest[row.id].ended or row.raw",
        "if row.missed or row.raw",
        (f"{_REFRESHING}::test_an_ended_job_whose_price_becomes_known_is_billed_though_it_is_as_it_was",),
    ),
    Mutant(
        "missing-at-once",
        f"{_BILL}: a job is missing after the service said so again",
        "the second time",
        "ftjobs/jobs/submission.py",
        "_MISSED_FOR_GOOD = 2",
        "_MISSED_FOR_GOOD = 1",
        (
            f"{_REFRESHING}::test_a_job_is_missing_after_two_misses_in_a_row_and_never_once_it_has_ended",
            "tests/wire/test_protocol.py"
            "::test_a_job_that_the_service_says_again_and_again_not_to_have_is_missing_until_it_turns_up",
        ),
    ),
    Mutant(
        "missing-for-good",
        f"{_BILL}: a missing job that turns up is missing no more",
        "forgetting the misses",
        "ftjobs/ledger/sightings.py",
        'values(raw=bindparam("told"), seen_at=now, missed=0)',
        'values(raw=bindparam("told"), seen_at=now)',
        (f"{_REFRESHING}::test_a_look_by_itself_ends_the_misses_too",),
    ),
    Mutant(
        "unknown-tokens-are-zero",
        f"{_BILL}: an unknown bill is unknown",
        "that: trained tokens that nobody told are 0",
        "ftjobs/jobs/job.py",
        '_whole(raw.get("trained_tokens"), most=_MAX_TOKENS)',
        '_whole(raw.get("trained_tokens"), most=_MAX_TOKENS) or 0',
        (
            "tests/unit/test_jobs.py::test_what_a_service_leaves_out_is_unknown_and_never_zero",
            f"{_ENTRIES}::test_unknown_trained_tokens_bill_nothing_and_hold_the_commitment",
        ),
    ),
    Mutant(
        "known-tokens-forgotten",
        f"{_BILL}: an answer without trained tokens does not undo one with them",
        "asking which one says more",
        "ftjobs/ledger/sightings.py",
        "    return known.ended and (not job.ended or forgets)",
        "    return known.ended and not job.ended",
        ("tests/wire/test_sync_oddities.py::test_known_tokens_are_not_forgotten",),
    ),
    Mutant(
        "unknown-bill-is-zero",
        f"{_BILL}: an unknown bill is unknown",
        "that, in a job's line: it is $0",
        "ftjobs/ledger/month.py",
        "billed if billed_in else None",
        "billed",
        ("tests/unit/test_reports.py::test_an_ended_job_without_trained_tokens_is_unknown_and_never_free",),
    ),
    Mutant(
        "unknown-bill-holds-nothing",
        f"{_BILL}: an unknown bill holds its high estimate",
        "holding it once the job has ended",
        _ENTRIES_PY,
        "        return self.voided or bool(self.billed_entries)",
        "        return self.voided or bool(self.billed_entries) or self.submission.is_over",
        (f"{_ENTRIES}::test_unknown_trained_tokens_bill_nothing_and_hold_the_commitment",),
    ),
    Mutant(
        "nothing-voided",
        f"{_BILL}: a rejected or abandoned submission is voided",
        "the void entry",
        "ftjobs/ledger/states.py",
        '    if entry := void_entry(trail, now=now, reason=f"{state}: {code}"):\n'
        "        connection.execute(insert(entries), entry_row(entry))\n",
        "",
        (f"{_JOBS}::test_closing_voids_the_estimate_once",),
    ),
    Mutant(
        "price-of-the-submission",
        f"{_PRICE}: the one in force at the job's `created_at`",
        "that day: the submission's counts",
        _SETTLE,
        "        on=job.created_at.date(),\n",
        "        on=submission.recorded_at.date(),\n",
        ("tests/unit/test_settle.py::test_the_price_is_the_one_in_force_on_the_utc_day_the_job_was_created",),
    ),
    Mutant(
        "price-of-another-list",
        f"{_PRICE}: of the list that was quoted",
        "the quoted list: today's setting counts",
        _SETTLE,
        "price_list=quote.price_list if quote and quote.price_list in prices.price_lists else price_list,",
        "price_list=price_list,",
        (
            "tests/unit/test_settle.py"
            "::test_the_price_is_the_one_of_the_list_that_was_quoted_and_says_that_it_is_assumed",
        ),
    ),
    Mutant(
        "bill-repriced",
        f"{_PRICE}: a bill keeps its price",
        "the price of the first bill",
        _ENTRIES_PY,
        "    used = trail.billed_price or price\n",
        "    used = price\n",
        (f"{_PURE}::test_a_correction_keeps_the_price_list_and_source_of_the_first_bill",),
    ),
    Mutant(
        "month-end-inclusive",
        f"{_MONTH}: an entry belongs to one UTC month",
        "the open end of a period",
        "ftjobs/ledger/month.py",
        "            elif period is None or period.start <= occurred_at < period.end:",
        "            elif period is None or period.start <= occurred_at <= period.end:",
        ("tests/unit/test_ledger_month.py::test_a_period_is_half_open_to_the_microsecond",),
    ),
    Mutant(
        "period-end-inclusive",
        f"{_MONTH}: an instant is in one UTC month",
        "the open end of a period",
        "ftjobs/periods.py",
        "        return self.start <= instant < self.end",
        "        return self.start <= instant <= self.end",
        ("tests/properties/test_periods.py::test_every_instant_is_in_exactly_its_utc_month",),
    ),
    Mutant(
        "first-instant-in-both-months",
        f"{_MONTH}: an entry belongs to one UTC month",
        "the open end in the query of a month's jobs",
        "ftjobs/ledger/trails.py",
        "        conditions.append(its.c.occurred_at < before)",
        "        conditions.append(its.c.occurred_at <= before)",
        ("tests/contract/test_ledger_months.py::test_a_submission_of_the_first_instant_belongs_to_the_new_month",),
    ),
    Mutant(
        "billed-when-learnt",
        f"{_MONTH}: billed at the provider's `finished_at`",
        "that instant: the moment of settling counts",
        _ENTRIES_PY,
        "        _billed_at(trail, job, now),\n",
        "        now,\n",
        (f"{_PURE}::test_a_bill_is_dated_when_the_job_finished_else_when_it_was_learnt",),
    ),
    Mutant(
        "budget-by-expected",
        f"{_COMMITTED}: gates on the high estimate",
        "that, when recording: the expected one counts",
        _STORE,
        "admit(state, submission.quote.cost.high)",
        "admit(state, submission.quote.cost.expected)",
        (f"{_RECORDING}::test_the_budget_admits_to_the_last_nano_dollar_and_not_beyond",),
    ),
    Mutant(
        "commitment-by-expected",
        f"{_COMMITTED}: a commitment is the high estimate",
        "that: it is the expected one",
        _ENTRIES_PY,
        "        return self.estimate.spread.high if self.estimate.spread else self.estimate.amount",
        "        return self.estimate.amount",
        (f"{_PURE}::test_an_open_submission_holds_its_high_estimate",),
    ),
    Mutant(
        "consent-by-expected",
        f"{_COMMITTED}: consent is to the high estimate",
        "that: the expected one is asked about",
        "ftjobs/workflows/gate.py",
        "    return estimate.cost.high\n",
        "    return estimate.cost.expected\n",
        ("tests/unit/test_gate.py::test_the_high_estimate_is_what_a_price_gates",),
    ),
    Mutant(
        "old-commitments-forgotten",
        f"{_COMMITTED}: every commitment counts against the current month",
        "those of earlier months",
        "ftjobs/ledger/spending.py",
        "    unsettled = select_trails(connection, ~has_entry(*SETTLING))",
        "    unsettled = select_trails(\n"
        "        connection, ~has_entry(*SETTLING) & (submissions.c.recorded_at >= month.start)\n"
        "    )",
        (f"{_RECORDING}::test_every_commitment_counts_against_this_month_but_only_its_own_bills",),
    ),
)
