"""What adopting came to, in words: nothing unknown is a number, nothing from a service acts on a terminal."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ftjobs.errors import RejectedError, UnavailableError
from ftjobs.ledger.adopted import Adopted, Rescued
from ftjobs.ledger.entries import Trail
from ftjobs.money import Usd
from ftjobs.reports.adopt import adopted_json, adopted_notes, adopted_text, rescued_notes, rescued_text
from ftjobs.reports.envelope import dumps
from tests.contract.conftest import a_job, a_submission

AWAY = UnavailableError("unavailable", "no answer.", next_step="later")
NO = RejectedError("http_400", "no.", next_step="never")
FOLDER = Path("keep\x1b[2J")


def done(**fields: object) -> Adopted:
    return replace(Adopted(), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("came_to", "told"),
    [
        (done(), "no jobs to adopt: the service has none of those"),
        (done(known=["a"] * 4), "adopted 0 jobs, 4 known already"),
        (
            done(
                new=["a"] * 1200, with_estimate=3, settled=1100, billed=Usd.parse("1234.5"), untold=1,
                unpriced=Counter({"m": 1}), under_way=2, known=["b"],
            ),
            "adopted 1,200 jobs (3 with an estimate), settled 1,100 for $1,234.50, 2 with an unknown bill, "
            "2 still under way, 1 known already",
        ),
        (done(new=["a"]), "adopted 1 job (none with an estimate)"),
        (done(left={"a": "s"}), "adopted 0 jobs"),
    ],
)  # fmt: skip
def test_the_first_line_says_what_was_done(came_to: Adopted, told: str) -> None:
    assert adopted_text(came_to).splitlines()[0] == told


def test_a_bill_that_nobody_knows_is_null_and_not_nothing() -> None:
    told = adopted_json(done(new=["a"], untold=1), sandbox=False)
    assert (told["billed_cost_usd"], told["unknown_billed_jobs"], told["settled"]) == (None, 1, 0)
    assert told["schema"] == "ftjobs.adopt/1"


def test_each_thing_to_do_is_a_note_of_its_own_with_a_few_names() -> None:
    names = [f"ftjob-{n}" for n in range(5000)]
    everything = done(
        unpriced=Counter({"x\x1b[2J": 1, "b": 2}), untold=1, left={"a": "01S"}, elsewhere=names, damaged=2
    )
    notes = adopted_notes(everything)
    assert len(notes) == 5
    assert "\x1b" not in "".join(notes)
    assert "b" in notes[0]
    assert "3 bills are unknown" in notes[0]
    assert "01S" in notes[2]
    assert "ftjob-2 and 4,997 more" in notes[3]
    assert "2 jobs on the lists could not be read" in notes[4]
    assert adopted_notes(done(new=["a"])) == []


def test_what_was_not_kept_is_said_with_its_reason() -> None:
    rescued = Rescued(FOLDER, saved=["a"], lost={"b": "gone."}, unsaved={"c\x9b": AWAY}, skipped=7)
    text = rescued_text(rescued)
    assert text.startswith("kept 2 jobs in keep")
    assert "1 as far as the service still has them, 8 not kept whole yet" in text
    assert "\x1b" not in text
    away, skipped, gone = rescued_notes(rescued)
    assert ("no answer." in away, "7 jobs more" in skipped, "gone." in gone) == (True, True, True)
    assert dumps(adopted_json(done(), rescued, sandbox=True))


@pytest.mark.parametrize(
    ("unsaved", "code"), [({}, 0), ({"a": NO}, 7), ({"a": NO, "b": AWAY}, 8), ({"a": AWAY, "b": NO}, 8)]
)
def test_an_outage_decides_the_exit_code_before_anything_else(
    unsaved: dict[str, UnavailableError | RejectedError], code: int
) -> None:
    assert Rescued(FOLDER, lost={"x": "gone"}, unsaved={**unsaved}).exit_code == code


def test_counting_takes_jobs_only() -> None:
    came_to = Adopted()
    with pytest.raises(ValueError, match="job"):
        came_to.add([Trail(a_submission(), ())])
    came_to.add([Trail(a_submission(state="created", job=a_job(1, "running")), ())])
    assert (came_to.new, came_to.under_way, came_to.unknown_bills) == (["ftjob-0001"], 1, 0)
