"""`report`: a period as one page, as typed; offline, reproducible, and never in another file's place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Person, Run, Service

Inside = Callable[..., Run]
USE = ("--monthly-input", "150M", "--monthly-output", "0.3M")


@pytest.fixture
def job_id(service: Service, inside: Inside, training_file: Path) -> str:
    """A job that was billed and left its loss in the person's folder."""
    service.settings(job_seconds=0.05, file_seconds=0)
    done = inside(
        "submit", str(training_file), "--model", "gpt-4o-mini", "--tag", "team=search", "--wait", "--json"
    )
    assert done.code == 0, done.err
    assert inside("results", "last").code == 0
    found: str = service.jobs()[0]["id"]
    return found


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the drawer out, as without the extra."""
    monkeypatch.setattr("ftjobs.reports.drawing.can_draw", lambda: False)


def test_a_month_is_a_page_with_its_loss_and_its_ownership(
    inside: Inside, person: Person, service: Service, job_id: str
) -> None:
    before = len(service.requests())
    told = inside("report", "--month", "-o", "r.html", *USE, "--json")
    assert (told.code, told.err) == (0, "")
    page = (person.home / "r.html").read_text(encoding="utf-8")
    value = told.json
    assert (value["schema"], value["path"], value["format"]) == ("ftjobs.report/1", "r.html", "html")
    assert (value["bytes"], value["jobs"], value["curves"], value["scenarios"]) == (len(page.encode()), 1, 1, 1)
    assert value["digest"] == inside("ledger", "--month", "--json").json["digest"]
    assert page.count("<figure>") == 6
    assert "Training loss from" in page
    assert "what has been paid by when" in page
    assert len(service.requests()) == before, "it is offline"


def test_as_of_the_same_time_the_page_is_the_same_byte_for_byte(
    inside: Inside, person: Person, job_id: str, training_file: Path
) -> None:
    first = inside("report", "-o", "a.html", "--json").json
    assert inside("submit", str(training_file), "--model", "gpt-4o-mini", "--again", "b", "--json").code == 0
    assert inside("report", "-o", "b.html", "--as-of", first["as_of"]).code == 0
    assert (person.home / "a.html").read_bytes() == (person.home / "b.html").read_bytes()
    assert inside("report", "-o", "c.html", "--json").json["jobs"] == 2


@pytest.mark.usefixtures("undrawn")
def test_somebody_elses_file_is_left_alone_unless_forced(inside: Inside, person: Person) -> None:
    mine = person.home / "r.md"
    mine.write_bytes(b"mine")
    told = inside("report", "--markdown", "-o", "r.md")
    assert (told.code, mine.read_bytes()) == (2, b"mine")
    assert "add --force" in told.err
    done = inside("report", "--markdown", "-o", "r.md", "--force")
    assert (done.code, done.err, done.out.startswith("r.md is written (")) == (0, "", True)
    assert mine.read_bytes().startswith(b"### Ledger of all time (UTC), as of ")


@pytest.mark.usefixtures("undrawn")
def test_without_the_extra_there_is_a_summary_and_no_page(inside: Inside, person: Person) -> None:
    told = inside("report", "-o", "r.html")
    assert (told.code, "pip install 'ftjobs[report]'" in told.err) == (3, True)
    assert not (person.home / "r.html").exists()
    summary = inside("report", "--markdown", *USE)
    assert (summary.code, summary.err) == (0, "")
    assert "No jobs." in summary.out


def test_a_drawer_that_fails_is_told_and_leaves_no_file(
    inside: Inside, person: Person, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vl_convert.vegalite_to_svg", lambda *_args, **_more: int("no picture"))
    told = inside("report", "-o", "r.html")
    assert (told.code, "cannot be drawn" in told.err, "--markdown" in told.err) == (3, True, True)
    assert not (person.home / "r.html").exists()


@pytest.mark.parametrize(
    ("args", "code", "next_step"),
    [
        ((), "no_output", "-o report.html"),
        (("--markdown", "-o", ""), "no_output", "-o report.html"),
        (("-o", "-", "--json"), "json_needs_stdout", "Name a file"),
        (("--markdown", "--json"), "json_needs_stdout", "Name a file"),
        (("-o", "no/such/folder/r.html"), "output_unwritable", "Name a file"),
        (("-o", "."), "output_exists", "Name another file"),
        (("-o", "r.html", "--monthly-input", "1M"), "bad_use", "--monthly-output"),
        (("-o", "r.html", "2026-13"), "bad_period", "2026-10"),
        (("-o", "r.html", "--as-of", "soon"), "bad_as_of", "--as-of"),
    ],
)
def test_what_cannot_be_meant_is_told_with_what_to_do(
    inside: Inside, person: Person, args: tuple[str, ...], code: str, next_step: str
) -> None:
    told = inside("report", *args, *(() if "--json" in args else ("--json",)))
    assert (told.code, told.json["code"]) == (2, code)
    assert next_step in told.json["next_step"]
    assert not list(person.home.glob("*.html"))


def test_losses_are_found_where_other_verbs_keep_them_and_nowhere_else(
    inside: Inside, person: Person, job_id: str
) -> None:
    kept = person.home / f"{job_id}-results"
    table = kept / f"{job_id}-result-1.csv"
    content = table.read_bytes()

    def curves(*more: str) -> int:
        found: int = inside("report", "--markdown", "-o", "r.md", "--force", "--json", *more).json["curves"]
        return found

    assert curves() == 1
    kept.rename(person.home / "elsewhere")
    assert (curves(), curves("--results", "elsewhere"), curves("--results", "nowhere")) == (0, 1, 0)
    (person.home / "adopted" / job_id).mkdir(parents=True)
    (person.home / "adopted" / job_id / table.name).write_bytes(content)
    assert curves("--results", "adopted") == 1
    (person.home / table.name).mkdir()
    assert curves() == 0
    (person.home / "pipes").mkdir()
    os.mkfifo(person.home / "pipes" / table.name)  # to open it for good would wait for ever
    assert curves("--results", "pipes") == 0
    (person.home / "pipes" / table.name.replace("1.csv", "2.csv")).write_bytes(b"\xff\x00nothing,of,steps\n")
    assert curves("--results", "pipes") == 0
