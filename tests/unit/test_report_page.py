"""A period as a page: each picture says what it shows, nothing acts, nothing lies elsewhere; and as Markdown."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from ftjobs.jobs.curve import Curve, Point
from ftjobs.ledger.entries import BillingPrice, Trail, billed_entry, estimate_entry
from ftjobs.ledger.month import report as month_report
from ftjobs.ledger.overview import Overview, overview
from ftjobs.money import Usd
from ftjobs.periods import Period, parse_period
from ftjobs.reports.model_figures import ownership_figure
from ftjobs.reports.money_figures import bridge_figure, spend_figure, time_figure
from ftjobs.reports.page import page
from ftjobs.reports.report import JobCurve, Report, markdown
from tests.faults.liar import HIDDEN, WORST, acting
from tests.unit.owning import owned, saving
from tests.unit.test_reports import QUOTE, SUCCEEDED, THREE, billed, job, recorded, submission

AS_OF = datetime(2026, 12, 1, tzinfo=UTC)
NOVEMBER = parse_period("2026-11", now=AS_OF)
CURVE = Curve((Point(1, train_loss=2.0), Point(2, train_loss=1.0, valid_loss=1.5)), total_steps=2)
UNTOLD = job("succeeded", id="ftjob-untold", finished_at=1_795_000_600)
UNKNOWN_BILL = submission(UNTOLD, id="01J0000000000000000000000B")


@dataclass
class Read(HTMLParser):
    """What a browser makes of a page: its elements with their attributes, in order, and its text."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def read(text: str) -> Read:
    found = Read()
    found.feed(text)
    found.close()
    return found


def seen(*trails: Trail, period: Period | None = NOVEMBER, most_lines: int = 1_000) -> Overview:
    known = month_report(trails, period, as_of=AS_OF)
    return overview(known.lines, period=period, as_of=AS_OF, digest=known.digest, most_lines=most_lines)


def told(*trails: Trail, **more: Any) -> Report:
    plain = Report(seen(*(trails or (billed(SUCCEEDED),))), (), False, "this folder", None, (), sandbox=False)
    return replace(plain, **more)


def billed_on(day: str, tokens: int, **more: Any) -> Trail:
    """Return a job that was billed for so many tokens on that day, at $3.00 a million."""
    then = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    ended = int(then.timestamp())
    made = job("succeeded", id=f"ftjob-{day}", trained_tokens=tokens, created_at=ended, finished_at=ended)
    of = submission(made, **{"id": f"01J{day.replace('-', ''):0>23}", "recorded_at": then, **more})
    estimated = Trail(of, (estimate_entry(of.id, QUOTE, occurred_at=then, recorded_at=then),))
    bill = billed_entry(estimated, made, BillingPrice(THREE, "openai", None, "a page"), now=then)
    assert bill is not None
    return Trail(of, (*estimated.entries, bill))


@pytest.fixture(scope="module")
def full() -> str:
    """A page with every picture, and texts in it that would act where they are let through."""
    hostile = submission(
        job("running", id=f"ftjob-{WORST}{HIDDEN}", model=WORST), id="01J0000000000000000000000A",
        spec=None, quote=None, tags={"<img src=x onerror=a(1)>": f"</script>{WORST}"},
    )  # fmt: skip
    curves = (JobCurve(f"ftjob-{WORST}", WORST, CURVE), JobCurve("ftjob-2", None, CURVE))
    trails = (billed(SUCCEEDED), billed_on("2026-11-03", 4_000, tags={WORST: WORST}), Trail(hostile, ()))
    return page(
        told(
            *trails, curves=curves, owned=(saving(shutdown=date(2027, 3, 14)), owned(price=None)), unowned=(WORST,)
        )
    )


# The page


def test_every_picture_says_what_it_shows_and_has_its_numbers_in_a_table(full: str) -> None:
    found = read(full)
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    figures = re.findall(r"<figure>.*?</figure>", full, re.DOTALL)
    assert [re.findall("<h3>(.{9})", each)[0] for each in figures] == [
        "Estimated", "Spend by ", "Spend by ", "Why the b", "ftjob-[2J", "ftjob-2</", "m-2026-01",
    ]  # fmt: skip
    for each in figures:
        inside = read(each)
        assert len(inside.all("svg")) in {1, 2}
        for svg in inside.all("svg"):
            assert svg["role"] == "img"
            assert set(str(svg["aria-labelledby"]).split()) <= set(ids)
        assert len(inside.all("details")) == len(inside.all("table")) == len(inside.all("caption")) == 1
        assert all(heading["scope"] in {"col", "row"} for heading in inside.all("th"))
        assert "path" in {tag for tag, _ in inside.elements}, "something is drawn"
        parts = [attributes for tag, attributes in inside.elements if tag in {"g", "path", "line", "text"}]
        assert not [each for each in parts if {"role", "aria-hidden", "aria-label"} & set(each)], "one image each"


def test_nothing_runs_and_nothing_lies_elsewhere(full: str) -> None:
    found = read(full)
    assert {"script", "img", "link", "iframe", "object", "image", "use", "a", "foreignobject"}.isdisjoint(
        tag for tag, _ in found.elements
    )
    names = {name for _, attributes in found.elements for name in attributes}
    assert not {name for name in names if name.startswith("on")} | (names & {"src", "href", "xlink:href", "style"})
    assert "url(" not in full.replace(WORST, "")
    assert "@import" not in full
    (style,) = re.findall(r"<style>(.*?)</style>", full, re.DOTALL)
    (policy,) = [
        each["content"] for each in found.all("meta") if each.get("http-equiv") == "Content-Security-Policy"
    ]
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"


def test_what_came_from_outside_is_shown_and_does_nothing(full: str) -> None:
    assert acting(full, hidden=True) == []
    assert "<script>a(1)</script>" in read(full).text, "it is shown as it was written"


def test_the_same_report_is_the_same_page_byte_for_byte(full: str) -> None:
    once = told(curves=(JobCurve("ftjob-1", None, CURVE),), owned=(saving(),))
    assert page(once) == page(once)


def test_what_is_not_known_is_said_in_words() -> None:
    text = read(page(told(recorded(submission(job("running")))))).text
    assert "Nothing is billed in this period." in text
    assert "the ledger keeps no curves" in text
    assert "add --monthly-input and --monthly-output" in text
    assert "not yet" in text
    ended = read(page(told(recorded(UNKNOWN_BILL)))).text
    assert "1 with an unknown bill" in ended
    assert "unknown" in ended
    assert "The ledger lists no job in this period." in read(page(replace(told(), overview=seen()))).text


def test_a_sandbox_says_so_on_the_page_and_in_markdown() -> None:
    for text in (page(told(sandbox=True)), markdown(told(sandbox=True))):
        assert "none of this cost money" in text


def test_a_large_month_shows_its_newest_jobs_and_sums_all() -> None:
    trails = [billed_on(f"2026-11-{day:02d}", 1_000_000) for day in range(1, 11)]
    found = seen(*trails, most_lines=3)
    assert [line.subject.job.id for line in found.newest if line.subject.job] == [
        "ftjob-2026-11-10", "ftjob-2026-11-09", "ftjob-2026-11-08",
    ]  # fmt: skip
    assert found.totals.billed == Usd.parse("30")
    text = read(page(replace(told(), overview=found))).text
    assert "The newest 3 of 10 jobs. ftjobs ledger --csv has all of them." in text


# The pictures


@pytest.mark.parametrize(
    ("days", "period", "names"),
    [
        (["2026-11-03", "2026-11-05"], NOVEMBER, ["2026-11-03", "2026-11-05"]),
        (["2025-11-03", "2025-11-05", "2026-02-05"], None, ["2025-11", "2026-02"]),
        (["1999-11-03", "2026-02-05", "2026-12-01"], None, ["1999", "2026"]),
    ],
)
def test_bills_stand_by_day_month_or_year_whichever_fits(
    days: list[str], period: Period | None, names: list[str]
) -> None:
    found = seen(*(billed_on(day, 1_000_000) for day in days), period=period)
    figure = time_figure(found)
    assert figure is not None
    assert [row[0] for row in figure.rows] == names
    dollars = [Usd.parse(row[2].removeprefix("$")) for row in figure.rows]
    assert sum(each.nano for each in dollars) == found.totals.billed.nano
    domain = figure.charts[0]["encoding"]["x"]["scale"]["domain"]
    assert set(names) <= set(domain)
    assert len(domain) <= 62
    if period is NOVEMBER:
        assert (domain[0], domain[-1]) == ("2026-11-01", "2026-11-30")


def test_the_steps_of_the_waterfall_lead_from_the_estimate_to_the_bill() -> None:
    totals = seen(billed(SUCCEEDED), billed_on("2026-11-03", 2_000)).totals
    figure = bridge_figure(totals)
    assert figure is not None
    *steps, last = figure.charts[0]["data"]["values"]
    assert steps[0]["from"] == last["from"] == "0.00"
    assert [each["from"] for each in steps[1:]] == [each["to"] for each in steps[:-1]]
    assert totals.variance is not None
    assert steps[-1]["to"] == last["to"] == totals.variance.plain()


def test_tags_beyond_the_tenth_are_drawn_as_one_and_stay_in_the_table() -> None:
    trails = [billed_on(f"2026-11-{n:02d}", n * 1_000_000, tags={"team": f"t{n:02d}"}) for n in range(1, 15)]
    found = seen(*trails)
    figure = spend_figure(found.by_tag, "tag", billed=found.totals.billed)
    assert figure is not None
    bars = figure.charts[0]["data"]["values"]
    assert [bars[0]["name"], bars[-1]["name"], len(bars)] == ["team=t14", "4 others", 11]
    assert bars[-1]["usd"] == "30.00"  # 1 + 2 + 3 + 4 million tokens at $3
    assert len(figure.rows) == 14


def test_ownership_ends_at_the_shutdown_and_starts_with_what_was_billed() -> None:
    one = saving(shutdown=date(2027, 3, 14), training_cost=Usd.parse("7.50"))
    figure = ownership_figure(one, name="x")
    assert figure is not None
    assert figure.rows[0] == ["2026-11-24", "$7.50", "$0.00", "$0.00"]
    assert figure.rows[-1][0] == "2027-03-14"
    assert "to the shutdown on 2027-03-14" in figure.text
    drawn = page(told(owned=(one,)))
    assert drawn.count("shutdown 2027-03-14</text>") == 2  # wide and narrow, each once
    assert ownership_figure(owned(price=None), name="x") is None


def test_what_no_picture_can_hold_is_drawn_as_a_sign_for_it() -> None:
    program = (
        "from ftjobs.reports.drawing import svg_of; import sys\n"
        "text = {'type': 'text', 'text': 'a\\x1b\\x00\\ud800\\uffff\\ufffe\\nb'}\n"
        "sys.stdout.write(svg_of({'data': {'values': [{}]}, 'mark': text}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, "the drawer would abort the process, so it is in one of its own"
    assert ">a\ufffd\ufffd\ufffd\ufffd\ufffd" in done.stdout.decode()


# Markdown


def test_the_summary_has_the_numbers_and_names_in_code() -> None:
    text = markdown(told(billed(SUCCEEDED), recorded(UNKNOWN_BILL), owned=(saving(),)))
    assert text.startswith("### Ledger 2026-11 (UTC), as of 2026-12-01T00:00:00Z\n")
    assert "| `gpt-4o-mini-2024-07-18` | 2 | 3,075 |" in text
    assert "| `team=support` |" in text
    assert "Variance by epochs" in text
    assert "1 job unsettled, 1 with an unknown bill" in text
    assert "break-even" in text
    assert re.search(r"^digest [0-9a-f]{16}$", text, re.MULTILINE)


def test_nothing_in_the_summary_acts_where_it_is_pasted() -> None:
    trail = billed(replace(SUCCEEDED, tags={f"a`|<b>{WORST}": f"@team #1\\|{WORST}"}))
    text = markdown(told(trail))
    assert acting(text) == []
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == 2
    for row in rows:
        assert row.count("|") == 9, "no cell more, no cell less"
        assert row.count("`") == 2
    assert "<" not in re.sub(r"`[^`]*`", "", text)
