"""A diagnosis as text and as JSON: states at the left, one fix a problem, nothing that acts on a terminal."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

from ftjobs.logs import register_secret
from ftjobs.models.catalog import Closing
from ftjobs.models.shutdowns import Countdown, Shutdown
from ftjobs.reports.doctor import Check, doctor_json, doctor_text
from ftjobs.reports.envelope import dumps

TODAY = date(2026, 11, 24)
PATH = "/home/somebody/with-a-long-name/.local/share/ftjobs/ledger.sqlite3"
CHECKS: list[Check] = [
    ("settings", "ok", "Every setting has its default.", None),
    ("ledger", "problem", f"{PATH} is not a ledger, and this line goes on for a while.", "Name another file."),
    ("submissions", "note", "2 unsettled.", "Run `ftjobs status`, which asks the service."),
]
SHUTDOWNS = {
    "gpt-4o-mini-2024-07-18": Shutdown("gpt-4o-mini-2024-07-18", date(2027, 1, 14), "catalog", date(2026, 11, 22)),
    "gone": Shutdown("gone", date(2026, 10, 23), "service", TODAY),
    "a": None,
    "b": None,
}
CLOSINGS = [Countdown(Closing(date(2027, 1, 6), "Nobody can create jobs.", "a page"), 43)]


def text(checks: list[Check] = CHECKS, *, width: int | None = None, color: bool = False) -> str:
    return doctor_text(checks, SHUTDOWNS, CLOSINGS, on=TODAY, width=width, color=color)


def as_json(checks: list[Check] = CHECKS, *, sandbox: bool = False) -> dict[str, Any]:
    found = doctor_json(checks, SHUTDOWNS, CLOSINGS, on=TODAY, sandbox=sandbox)
    told: dict[str, Any] = json.loads(dumps(found))
    return told


def test_every_check_is_a_line_with_its_state_first_and_its_fix_below() -> None:
    assert text().splitlines()[:6] == [
        "ok       settings: Every setting has its default.",
        f"problem  ledger: {PATH} is not a ledger, and this line goes on for a while.",
        "         fix: Name another file.",
        "note     submissions: 2 unsettled.",
        "         next: Run `ftjobs status`, which asks the service.",
        "",
    ]


def test_the_dates_follow_and_unknown_ones_share_a_line() -> None:
    assert text().partition("\n\n")[2].splitlines() == [
        "From 2027-01-06, in 43 days: Nobody can create jobs.",
        "gpt-4o-mini-2024-07-18 and every model tuned from it will shut down on 2027-01-14, in 51 days"
        " (catalog, read 2026-11-22).",
        "gone and every model tuned from it shut down on 2026-10-23 (service, read 2026-11-24).",
        "No shutdown date is known of a, b.",
    ]
    assert doctor_text(CHECKS[:1], {}, [], on=TODAY, width=None, color=False).count("\n") == 0


def test_a_narrow_terminal_gets_more_lines_and_whole_paths() -> None:
    lines = text(width=60).splitlines()
    assert f"         {PATH}" in lines
    assert all(len(line) <= 60 for line in lines if PATH not in line)
    states = {line[:9].strip() for line in lines[: lines.index("")]}
    assert states == {"ok", "problem", "note", ""}
    assert len(text(width=3).splitlines()) < 60, "no terminal is so narrow that every letter stands alone"


def test_colour_is_only_an_extra() -> None:
    colored = text(color=True)
    assert colored.count("\x1b[0m") == len(CHECKS)
    assert "\x1b[31mproblem\x1b[0m  ledger: " in colored
    assert re.sub(r"\x1b\[\d+m", "", colored) == text()


def test_json_has_every_check_date_and_closing() -> None:
    told = as_json()
    assert told["schema"] == "ftjobs.doctor/1"
    assert "sandbox" not in told
    assert told["checks"][1] == {
        "name": "ledger",
        "state": "problem",
        "message": CHECKS[1][2],
        "next_step": "Name another file.",
    }
    assert told["checks"][0]["next_step"] is None
    assert told["shutdowns"][0] == {
        "model": "gpt-4o-mini-2024-07-18",
        "shutdown_date": "2027-01-14",
        "days_left": 51,
        "source": "catalog",
        "read_on": "2026-11-22",
    }
    assert (told["shutdowns"][1]["days_left"], told["shutdowns"][1]["source"]) == (-32, "service")
    assert told["closings"] == [{"date": "2027-01-06", "what": "Nobody can create jobs.", "days_left": 43}]
    assert as_json(sandbox=True)["sandbox"] is True


def test_what_nobody_knows_is_null() -> None:
    assert as_json()["shutdowns"][2] == {
        "model": "a",
        "shutdown_date": None,
        "days_left": None,
        "source": None,
        "read_on": None,
    }


def test_no_text_acts_on_a_terminal_or_holds_a_secret() -> None:
    register_secret("hunter2-hunter2")
    hostile: list[Check] = [
        (
            "ledger",
            "problem",
            "mysql://me:word@host \x1b[2J\u202eis none",
            "Say hunter2-hunter2\nok       all: fine",
        )
    ]
    for told in (text(hostile), dumps(doctor_json(hostile, {}, [], on=TODAY, sandbox=False))):
        assert not {"\x1b", "\u202e", "\\u001b", "\\u202e"} & set(re.findall(r"\\u[0-9a-f]{4}|.", told))
        assert "hunter2" not in told
        assert "word" not in told
        assert "\nok" not in told
