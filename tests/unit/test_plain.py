"""What is heard rather than seen: rows as records, pictures as words, no colour; and who gets it."""

from __future__ import annotations

import io
import sys

import pytest

from ftjobs.cli import main as root
from ftjobs.cli.context import shows_progress, width
from ftjobs.cli.old_terminals import ERRORS
from ftjobs.cli.options import Globals
from ftjobs.jobs.curve import Curve, Point
from ftjobs.reports.chart import loss_chart
from ftjobs.reports.facts import fact_lines
from ftjobs.reports.table import PLAIN, Column, bar, table
from ftjobs.reports.tco import tco_text
from tests.unit.owning import owned


class Stream(io.StringIO):
    """A pipe, or a terminal."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def test_a_row_is_a_record_of_named_cells_where_a_dash_is_a_word_and_nothing_is_cut_or_padded() -> None:
    columns = [
        Column("JOB"),
        Column("USD/1M", right=True, gives_way=1),
        Column(""),
        Column("BILLED"),
        Column("AT (UTC)"),
    ]
    rows = [["ftjob-1", "3.00", "tuned", "-", "5"], ["j" * 60, "", "", "unknown", "–"]]
    assert table(columns, rows, width=PLAIN).splitlines() == [
        "job ftjob-1; USD/1M 3.00; tuned; billed none; at (UTC) 5",
        f"job {'j' * 60}; billed unknown; at (UTC) none",
    ]
    assert fact_lines([("job", "ftjob-1"), ("a longer name", "x")], width=PLAIN) == [
        "job: ftjob-1",
        "a longer name: x",
    ]


def test_the_course_of_a_loss_is_told_in_words() -> None:
    losses = (2.1, 0.3, 0.41)
    curve = Curve((*(Point(n, train_loss=loss) for n, loss in enumerate(losses, 1)), Point(4, valid_loss=0.5)))
    assert loss_chart(curve, width=PLAIN) == [
        "training loss from 2.1 at step 1 to 0.41 at step 3, lowest 0.3 at step 2",
        "validation loss 0.5 at step 4",
    ]
    assert loss_chart(Curve(()), width=PLAIN) == []


def test_every_number_beside_a_bar_is_told_without_it() -> None:
    drawn, told = (tco_text([owned(months=2)], width=cells) for cells in (80, PLAIN))
    numbers = {word.strip(";") for word in told.split() if "$" in word}
    assert {word for word in drawn.split() if word.startswith("$")} <= numbers
    assert "█" in drawn
    assert not set("█▏▎▍▌▋▊▉") & set(told)
    months = [line for line in told.splitlines() if line.startswith("month ")]
    assert [line.split("; ")[0] for line in months] == ["month 1", "month 2"]
    assert all("; fine-tuned $" in line and "; base model $" in line for line in months)


@pytest.mark.parametrize(
    ("plain", "term", "is_terminal", "expected"),
    [
        (True, "xterm", True, PLAIN),
        (True, "xterm", False, PLAIN),
        (False, "dumb", True, PLAIN),
        (False, "dumb", False, None),
        (False, "xterm", True, 80),
        (False, "xterm", False, None),
    ],
)
def test_who_asks_for_it_gets_it_and_a_terminal_of_lines_but_no_pipe(
    monkeypatch: pytest.MonkeyPatch, plain: bool, term: str, is_terminal: bool, expected: int | None
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, Stream(is_terminal=is_terminal))
    given = Globals(plain=plain)
    assert width(given) == expected
    assert shows_progress(given) is (expected == 80)


@pytest.mark.parametrize("args", [["--plain", "eco"], ["eco", "--plain"]])
def test_an_error_has_neither_colour_nor_arrow(monkeypatch: pytest.MonkeyPatch, args: list[str]) -> None:
    terminal = Stream(is_terminal=True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    assert root.main(args) == 2
    said = terminal.getvalue()
    assert said.startswith("error: ")
    assert "\n  next: " in said


def test_an_encoding_without_blocks_gets_characters_alike() -> None:
    written = bar(13, 16, 4) + " ▁█ 1–2 × é …→"
    assert written.encode("ascii", ERRORS) == rb"###- _# 1-2 x \xe9 ...->"
    assert written.encode("utf-8", ERRORS).decode() == written
