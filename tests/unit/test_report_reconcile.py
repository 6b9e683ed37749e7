"""The table of a reconciliation: a row a day, its lines where there are several, and what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from ftjobs.ledger.reconciliation import Reconciliation
from ftjobs.reports.envelope import dumps
from ftjobs.reports.reconcile import reconcile_json, reconcile_text
from tests.unit.test_reconciliation import bill, judged, line

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def a_month() -> Reconciliation:
    lines = [
        line(3, "2.00", project="proj_long_name_of_a_project"),
        line(3, "1.00", "gpt-4.1, training", project="proj_2"),
        line(5, "3.00"),
        line(6, "9.00", "gpt-4o, input"),
        line(12, "3.00"),
        line(20, "5"),
    ]
    bills = [bill(3, "3"), bill(5, "3.5"), bill(9, "2"), bill(13, "3"), bill(30, "1")]
    return replace(judged(lines, bills, now=NOW), unbilled_jobs=2)


def test_each_day_is_a_row_and_several_lines_are_told_below_it() -> None:
    rows = [row.split() for row in reconcile_text(a_month(), width=None).splitlines()[2:11]]
    assert rows[0] == ["2026-10-03", "2", "projects", "2", "line", "items", "$3.00", "$3.00", "$0.00", "matched"]
    assert rows[1] == ["of", "which", "proj_2", "gpt-4.1,", "training", "$1.00"]
    assert rows[3][-3:] == ["$3.50", "-$0.50", "differs"]
    assert rows[4] == ["2026-10-09", "$0.00", "$2.00", "-$2.00", "ours", "only"]
    assert rows[5][-4:] == ["+$3.00", "theirs", "only,", "shifted"]
    assert rows[8][-2:] == ["-$1.00", "open"]


def test_what_follows_is_said_for_each_kind() -> None:
    text = reconcile_text(a_month(), width=None)
    for said in (
        "invoiced $14.00, ledger $12.50, discrepancy +$1.50",
        "open, not judged: 2026-10-30",
        "shifted to the day beside them: 2026-10-12, 2026-10-13",
        "3 days with a discrepancy above $0.01",
        "not training: $9.00 in 1 line item, not compared",
        "2 jobs of this period have no bill yet: run `ftjobs status`",
        "ours only: ",
        "theirs only: jobs made elsewhere; `ftjobs adopt --since 2026-10-20`",
        "differs: ",
    ):
        assert said in text


def test_columns_give_way_and_the_state_stays() -> None:
    for width, gone in ((100, ["PROJECT"]), (75, ["PROJECT", "LINE ITEM"]), (30, ["PROJECT", "DISCREPANCY"])):
        head, *rows = reconcile_text(a_month(), width=width).splitlines()[1:11]
        assert not any(title in head for title in gone)
        assert head.split()[0] == "DATE"
        assert head.split()[-1] == "STATE"
        assert rows[3].endswith("differs")


def test_json_has_every_day_its_lines_and_the_totals() -> None:
    found = reconcile_json(a_month(), account="a", sandbox=False)
    assert dumps(found)
    first, second = found["days"][:2]
    assert (first["line_item"], first["project_id"], len(first["lines"])) == (None, None, 2)
    assert (second["line_item"], second["project_id"]) == ("gpt-4o-mini-2024-07-18, training", "proj_1")
    totals = found["totals"]
    counted = ("days", "open_days", "discrepant_days", "shifted_days", "unbilled_jobs", "other_lines")
    assert [totals[name] for name in counted] == [7, 1, 3, 2, 2, 1]
    assert (totals["discrepancy_usd"].plain(), totals["open_discrepancy_usd"].plain()) == ("1.50", "-1.00")
