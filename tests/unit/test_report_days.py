"""The pictures of the ledger: bars beside groups, the days of a month; for a terminal, and no number gives way."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ftjobs.ledger.month import MonthReport, report
from ftjobs.periods import month, parse_period
from ftjobs.reports.month import month_text
from ftjobs.reports.table import PLAIN
from tests.unit.test_ledger_month import MID_NOVEMBER, MID_OCTOBER, OCTOBER, trail

FIRST, LAST = OCTOBER.start, OCTOBER.end - timedelta(microseconds=1)


def october() -> MonthReport:
    """Return a month with 50 cents on its first day, $9.50 and a correction on the 15th, 1 cent on its last."""
    trails = [
        trail(1, (FIRST, 1, "0.50")),
        trail(2, (MID_OCTOBER, 1, "9.50"), adjusted=(MID_OCTOBER, "0.50")),
        trail(3, (LAST, 1, "0.01"), adjusted=(MID_NOVEMBER, "100")),
    ]
    return report(trails, OCTOBER)


def test_each_day_of_a_month_is_a_cell_and_the_highest_is_named() -> None:
    drawn = "▂" + "▁" * 13 + "█" + "▁" * 15 + "▂"
    wide = month_text(october(), width=160).splitlines()
    assert f"{drawn}  billed per day, most $10.00 on 2027-10-15" in wide
    narrow = month_text(october(), width=40).splitlines()
    assert narrow[narrow.index(drawn) + 1] == "  billed per day, most $10.00 on"
    assert "billed on 3 days, most $10.00 on 2027-10-15" in month_text(october(), width=PLAIN).splitlines()


@pytest.mark.parametrize("by", [None, "model", "day"])
def test_a_pipe_gets_no_picture_and_a_terminal_every_number_of_the_pipe(by: str | None) -> None:
    piped = month_text(october(), by=by, width=None).splitlines()
    seen = month_text(october(), by=by, width=200).splitlines()
    assert not set("▁█") & set("".join(piped))
    assert set("▁█") & set("".join(seen))
    stays = [line for line in seen if any(line.startswith(each) for each in piped if each)]
    assert len(stays) == len([line for line in piped if line])


def test_a_group_has_its_share_of_the_bill_and_a_bar_as_far_as_there_is_room() -> None:
    wide = month_text(october(), by="day", width=200).splitlines()
    assert [line.split()[-2:] for line in wide[2:5]] == [["5%", "█"], ["95%", "█" * 19], ["0%", "▏"]]
    assert wide[5] == "longest bar: 95% of $10.51 billed"
    narrow = month_text(october(), by="day", width=40).splitlines()
    assert [line.split()[-1] for line in narrow[2:5]] == ["▏", "███", "▏"]
    assert max(map(len, narrow[:6])) == 40
    assert not set("█▏") & set(month_text(october(), by="day", width=39)), "no number gives way"


@pytest.mark.parametrize("name", ["2027-10-15", "2027"])
def test_a_day_and_a_year_have_no_days(name: str) -> None:
    period = parse_period(name, now=MID_NOVEMBER)
    assert "per day" not in month_text(report([trail(1, (MID_OCTOBER, 1, "0.50"))], period), width=80)


def test_where_nothing_is_billed_or_more_is_taken_back_nothing_is_drawn() -> None:
    back = report([trail(1, (MID_OCTOBER, 1, "-0.50"))], OCTOBER)
    for found in (back, report([], month(2027, 10))):
        for by in (None, "model"):
            assert not set("▁█") & set(month_text(found, by=by, width=160))
