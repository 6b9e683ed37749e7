"""What was surveyed is not surveyed again, and a cache never says what the file does not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ftjobs.dataset import cache as cache_module
from ftjobs.dataset.cache import SurveyCache
from ftjobs.dataset.survey import Survey, survey

CHAT = {"messages": [{"role": "user", "content": "sesame"}, {"role": "assistant", "content": "open"}]}


@dataclass
class Desk:
    """A cache, a file, and how often the file was really surveyed."""

    folder: Path
    path: Path
    made: list[str] = field(default_factory=list)

    def write(self, *lines: object) -> None:
        self.path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")

    def ask(self, how: str = "so", path: Path | None = None) -> Survey:
        where = path or self.path

        def make() -> Survey:
            self.made.append(how)
            return survey(where, encoding="o200k_base", max_example_tokens=11)

        return SurveyCache(self.folder).survey(where, how, make)

    def kept(self) -> list[Path]:
        return list(self.folder.iterdir()) if self.folder.is_dir() else []


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path / "cache" / "surveys", tmp_path / "data.jsonl")
    desk.write(*[CHAT] * 12, {**CHAT, "odd": 1}, {"messages": []})
    return desk


def test_the_second_answer_is_the_first_without_the_work(desk: Desk) -> None:
    first = desk.ask()
    assert first.problems
    assert first.lengths
    assert desk.ask() == first
    assert desk.made == ["so"]


def test_the_same_bytes_under_another_name_are_known_and_called_by_that_name(desk: Desk, tmp_path: Path) -> None:
    desk.ask()
    twin = tmp_path / "twin.jsonl"
    twin.write_bytes(desk.path.read_bytes())
    assert desk.ask(path=twin).path == str(twin)
    assert len(desk.made) == 1


def test_other_bytes_of_the_same_size_and_date_are_surveyed(desk: Desk) -> None:
    first, state = desk.ask(), desk.path.stat()
    desk.path.write_text(desk.path.read_text().replace("open", "shut"), encoding="utf-8")
    os.utime(desk.path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert desk.ask().sha256 != first.sha256
    assert len(desk.made) == 2


def test_another_way_of_surveying_is_another_survey(desk: Desk) -> None:
    desk.ask("one way")
    desk.ask("another")
    assert desk.made == ["one way", "another"]


def test_surveys_of_other_code_are_not_believed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.ask()
    monkeypatch.setattr(cache_module, "_rules", lambda: "tomorrow's")
    desk.ask()
    assert len(desk.made) == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text[:-3],
        lambda text: "[]",
        lambda text: "{}",
        lambda text: text.replace('"low"', '"lower"'),
        lambda text: text.replace('"examples"', '"exemplars"', 1),
        lambda text: "[" * 100_000,
    ],
)
def test_a_damaged_survey_is_made_anew_and_replaced(desk: Desk, spoil: Callable[[str], str]) -> None:
    first = desk.ask()
    (kept,) = desk.kept()
    kept.write_text(spoil(kept.read_text()))
    assert desk.ask() == first
    assert desk.ask() == first
    assert len(desk.made) == 2


def test_it_is_private_small_and_holds_no_training_text(desk: Desk) -> None:
    desk.ask()
    (kept,) = desk.kept()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert desk.folder.stat().st_mode & 0o777 == 0o700
    assert kept.stat().st_size < 5_000
    assert "sesame" not in kept.read_text()


def test_a_survey_with_many_problems_is_not_kept(desk: Desk) -> None:
    desk.write(*[{"messages": []}] * 201)
    desk.ask()
    assert desk.kept() == []


def test_the_oldest_give_way(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "_MOST_SURVEYS", 2)
    for number in range(3):
        desk.write(*[CHAT] * (20 + number))
        desk.ask()
        for kept in desk.kept():
            os.utime(kept, ns=(kept.stat().st_atime_ns, kept.stat().st_mtime_ns - 10**9))
    assert len(desk.kept()) == 2
    desk.ask()
    assert len(desk.made) == 3
    desk.write(*[CHAT] * 20)
    desk.ask()
    assert len(desk.made) == 4


def test_where_nothing_can_be_written_the_survey_is_made_all_the_same(desk: Desk, tmp_path: Path) -> None:
    desk.folder.parent.write_text("a file where the folder should be")
    assert desk.ask().examples == 14
    assert desk.ask().examples == 14


def test_a_missing_file_is_the_surveys_to_tell(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="does not exist"):
        desk.ask(path=tmp_path / "nowhere")
