"""Section 5, closing a month: reprints, corrections, what a spreadsheet opens, and invoices."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_ADJUSTING = "ftjobs/ledger/adjusting.py"
_CHANGES = "ftjobs/ledger/sightings.py"
_CONTRACT = "tests/contract/test_ledger_adjusting.py"
_REPRINT = ("tests/properties/test_as_of.py::test_a_reprint_is_the_first_print_byte_for_byte",)
_AS_OF = "5 as of"
_BY_HAND = "5 adjusting"

CLOSING = (
    Mutant(
        "state-of-then-forgotten",
        f"{_AS_OF}: a reprint is byte-identical",
        "keeping what a job was before it changed",
        _CHANGES,
        "    keep(connection, before, now=now)\n",
        "",
        _REPRINT,
    ),
    Mutant(
        "miss-of-then-forgotten",
        f"{_AS_OF}: a reprint is byte-identical",
        "keeping that a job was not missed yet",
        _CHANGES,
        "    keep(connection, [job_before(each, each.job, missed=each.missed + 1) for each in found], now=now)\n",
        "",
        _REPRINT,
    ),
    Mutant(
        "tags-of-then-forgotten",
        f"{_AS_OF}: a reprint is byte-identical",
        "keeping the tags that were",
        "ftjobs/ledger/store.py",
        "                keep(connection, [tags_before(submission)], now=now, by=by)\n",
        "",
        (f"{_CONTRACT}::test_tags_are_set_and_removed_budgets_follow_and_what_they_were_is_kept[sqlite]",),
    ),
    Mutant(
        "stand-in-stays",
        f"{_BY_HAND}: unless it stood in for an unknown bill",
        "taking back what stood in for the bill",
        _ADJUSTING,
        "    if bill is None or bill.seq > 0:\n        return None\n",
        "    return None\n",
        (f"{_CONTRACT}::test_what_stood_in_for_an_unknown_bill_is_taken_back_when_the_service_tells_it[sqlite]",),
    ),
    Mutant(
        "correction-taken-back",
        f"{_BY_HAND}: a manual adjustment stands",
        "telling a correction from a stand-in",
        _ADJUSTING,
        "    if bill is None or bill.seq > 0:\n",
        "    if bill is None:\n",
        (f"{_CONTRACT}::test_what_stood_in_for_an_unknown_bill_is_taken_back_when_the_service_tells_it[sqlite]",),
    ),
    Mutant(
        "adjusted-twice",
        f"{_BY_HAND}: the same command twice adds once",
        "refusing the same amount with the same reason",
        _ADJUSTING,
        "    _refuse_again(earlier, add, reason)\n",
        "",
        (f"{_CONTRACT}::test_the_same_command_twice_adds_once[sqlite]",),
    ),
    Mutant(
        "running-job-adjusted",
        f"{_BY_HAND}: only what has ended",
        "waiting for the job's end",
        _ADJUSTING,
        "    _require_end(trail)\n",
        "",
        (f"{_CONTRACT}::test_a_job_that_goes_on_or_was_never_made_is_not_adjusted[sqlite]",),
    ),
    Mutant(
        "formula-in-csv",
        "6 ledger --csv: formula-safe",
        "the apostrophe",
        "ftjobs/reports/month_csv.py",
        "text.lstrip().startswith(_FORMULA)",
        "False",
        ("tests/e2e/test_month_close.py::test_csv_has_stable_columns_and_nothing_that_a_spreadsheet_would_run",),
    ),
    Mutant(
        "open-day-judged",
        "6 reconcile: data that can still arrive is open",
        "the two days",
        "ftjobs/ledger/reconciliation.py",
        "    if now < _start(day) + _DAY + LAG:",
        "    if now < _start(day) + _DAY:",
        ("tests/unit/test_reconciliation.py::test_a_day_is_open_until_two_days_after_its_end",),
    ),
    Mutant(
        "newest-invoice-forgotten",
        "6 reconcile: the service's newest word counts",
        "a line that vanished counting as nothing",
        "ftjobs/ledger/invoices.py",
        "(*lines.values(), *gone)",
        "lines.values()",
        (
            "tests/contract/test_ledger_invoices.py"
            "::test_a_line_that_vanished_counts_as_nothing_and_may_come_back[sqlite]",
        ),
    ),
)
