"""Why a bill differs from its estimate, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftjobs.ledger.bridge import Bridge
from ftjobs.ledger.entries import Entry
from ftjobs.ledger.month import Line, report
from ftjobs.money import Usd, UsdPer1M
from ftjobs.reports.bridge import bridge_lines
from ftjobs.reports.jobs import job_json
from ftjobs.reports.month import month_json, month_text
from tests.properties.test_bridge import settled
from tests.unit.test_ledger_month import MID_NOVEMBER, MID_OCTOBER, NOVEMBER, OCTOBER, trail

THREE, FOUR = UsdPer1M.parse("3.00"), UsdPer1M.parse("4.00")


def test_more_epochs_other_tokens_and_another_price_each_have_their_step() -> None:
    # 1M tokens × 3 epochs at $3 were expected; 4 epochs at 990,000 tokens each at $4 were billed.
    line = settled(1_000_000, 3, THREE, trained=3_960_000, told=4, rate=FOUR)
    assert line.variance == Usd.parse("6.84")
    assert line.bridge == Bridge(Usd.parse("3.00"), -Usd.parse("0.12"), Usd.parse("3.96"), Usd(0))
    assert bridge_lines(line.bridge) == ["variance by epochs +$3.00, token count -$0.12, price +$3.96"]
    assert job_json(line)["variance_bridge"]["token_count_usd"] == -Usd.parse("0.12")


def test_pinned_epochs_count_where_the_service_does_not_repeat_them() -> None:
    before = settled(1_000_000, 3, THREE, trained=3_000_000, told=None, rate=THREE)
    spec = before.submission.spec
    assert spec is not None
    pinned = replace(before.submission, spec=replace(spec, n_epochs=3))
    found = Line(replace(before.trail, submission=pinned)).bridge
    assert found == Bridge(Usd(0), Usd(0), Usd(0), Usd(0), jobs_without_epochs=0)


def test_a_service_that_does_not_tell_its_epochs_is_named() -> None:
    line = settled(1_000_000, 3, THREE, trained=4_000_000, told=None, rate=THREE)
    assert line.bridge is not None
    assert bridge_lines(line.bridge) == [
        "variance by epochs $0.00, token count +$3.00, price $0.00 "
        "(1 job did not tell the epochs: see token count)"
    ]


def test_an_adjustment_is_a_step_of_its_own() -> None:
    mine = trail(1, (MID_OCTOBER, 800_000, "2.40"), adjusted=(MID_OCTOBER, "0.25"))
    mine = replace(mine, entries=tuple(with_rate(entry) for entry in mine.entries))
    found = Line(mine).bridge
    assert found is not None
    assert (found.other, found.variance) == (Usd.parse("0.25"), Usd.parse("0.25"))
    assert bridge_lines(found) == ["variance by epochs $0.00, token count $0.00, price $0.00, other +$0.2500"]
    both = report([mine, mine], None).totals.bridge
    assert both is not None
    assert both.other == Usd.parse("0.50")


def with_rate(entry: Entry) -> Entry:
    return replace(entry, usd_per_1m=THREE) if entry.kind == "billed" else entry


def test_a_bill_without_tokens_is_not_split() -> None:
    mine = trail(1, adjusted=(MID_OCTOBER, "2.00"))
    assert Line(mine).bridge is None  # an adjustment alone answers no estimate
    by_hour = replace(trail(1, (MID_OCTOBER, 1, "2.00")))
    hourly = tuple(replace(e, tokens=None, basis="hours") if e.kind == "billed" else e for e in by_hour.entries)
    found = Line(replace(by_hour, entries=hourly)).bridge
    assert found == Bridge(Usd(0), Usd(0), Usd(0), Usd.parse("2.00") - Usd.parse("2.40"))


def test_what_is_not_settled_has_no_bridge() -> None:
    assert Line(trail(1, status="running")).bridge is None
    assert Line(trail(1, (MID_OCTOBER, 1, "1.00"), has_quote=False)).bridge is None


def test_a_correction_of_a_later_month_is_not_explained_twice() -> None:
    mine = trail(1, (MID_OCTOBER, 800_000, "2.40"), (MID_NOVEMBER, 100_000, "0.30"))
    mine = replace(mine, entries=tuple(with_rate(entry) for entry in mine.entries))
    assert Line(mine, OCTOBER).bridge == Bridge(Usd(0), Usd(0), Usd(0), Usd(0), jobs_without_epochs=0)
    assert Line(mine, NOVEMBER).bridge is None


def test_the_ledger_sums_the_steps_of_its_jobs() -> None:
    one = settled(1_000_000, 3, THREE, trained=3_960_000, told=4, rate=FOUR)
    found = report([one.trail, trail(2, status="running")], None)
    assert "\nvariance by epochs +$3.00, token count -$0.12, price +$3.96\n" in month_text(found, width=None)
    assert month_json(found, sandbox=False)["totals"]["variance_bridge"]["variance_usd"] == Usd.parse("6.84")


def test_without_a_variance_nothing_is_said() -> None:
    assert bridge_lines(Bridge(Usd(0), Usd(0), Usd(0), Usd(0))) == []


@pytest.mark.parametrize(
    ("step", "text"),
    [("2.345", "+$2.34"), ("0.5", "+$0.5000"), ("0.1234567", "+$0.1235"), ("0.000000007", "+$0.000000007")],
)
def test_small_amounts_are_printed_finer(step: str, text: str) -> None:
    assert f"token count {text}," in bridge_lines(Bridge(Usd(0), Usd.parse(step), Usd(0), Usd(0)))[0]
