"""What the bench measures with: fresh valid text, and a script that counts what we count."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ftjobs.dataset.survey import Survey, survey
from tests.bench.__main__ import main
from tests.bench.cases import MODEL, Figure, dataset_tokens
from tests.bench.text import ChatText
from tests.bench.vocabulary import write_vocabulary
from tests.conftest import ROOT, Person

SIZE = 200_000


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of fresh text."""
    path = tmp_path_factory.mktemp("chat") / "chat.jsonl"
    ChatText(seed=7).write(path, SIZE)
    return path


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where tiktoken finds its vocabulary without a network."""
    folder = tmp_path_factory.mktemp("vocabulary")
    write_vocabulary(folder)
    return folder


def surveyed(path: Path) -> Survey:
    return survey(path, encoding="o200k_base", max_example_tokens=65_536)


def script(name: str, file: Path, vocabulary: Path) -> str:
    """Return what a script of the bench prints about a file, offline."""
    nowhere = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "bench" / f"{name}.py"), str(file)],
        env={**os.environ, **nowhere, "TIKTOKEN_CACHE_DIR": str(vocabulary)},
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    return done.stdout


def test_the_same_seed_writes_the_same_text_and_another_seed_another(chat: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again", tmp_path / "other"
    ChatText(seed=7).write(again, SIZE)
    ChatText(seed=8).write(other, SIZE)
    assert again.read_bytes() == chat.read_bytes()
    assert not set(other.read_bytes().splitlines()) & set(chat.read_bytes().splitlines())


def test_the_file_has_the_size_that_was_asked_for_to_the_example(chat: Path) -> None:
    lines = chat.read_bytes().splitlines(keepends=True)
    assert SIZE <= sum(map(len, lines)) < SIZE + len(lines[-1])


def test_every_example_is_valid_and_none_comes_twice(chat: Path, person: Person) -> None:
    checked = person.run("check", str(chat), "--model", MODEL, "--json")
    assert (checked.code, checked.json["problems"]) == (0, [])
    lines = chat.read_bytes().splitlines()
    assert len(set(lines)) == len(lines) > 100


def test_examples_look_like_chats_of_every_day(chat: Path) -> None:
    text = chat.read_text(encoding="utf-8")
    examples = [json.loads(line)["messages"] for line in text.splitlines()]
    assert {len(messages) for messages in examples} == {4, 5, 6}
    assert 1_200 < chat.stat().st_size / len(examples) < 1_800
    assert 4.5 < chat.stat().st_size / surveyed(chat).dataset_tokens.expected < 5
    assert all(
        any(low <= sign <= high for sign in text) for low, high in ("ая", "一龥", "ぁん", "اي", "अह", "🌀🛿")
    )


def test_no_long_stretch_of_text_comes_twice(chat: Path) -> None:
    examples = [json.loads(line)["messages"] for line in chat.read_bytes().splitlines()]
    said = [message["content"] for messages in examples for message in messages]
    words = " ".join(said).split()
    stretches = [tuple(words[at : at + 25]) for at in range(len(words) - 24)]
    assert len(set(stretches)) == len(stretches)


@pytest.mark.parametrize("name", ["cookbook", "counting", "small"])
def test_each_script_counts_what_our_survey_counts(name: str, chat: Path, vocabulary: Path) -> None:
    assert dataset_tokens(script(name, chat, vocabulary)) == surveyed(chat).dataset_tokens.expected


def test_the_notebooks_script_counts_names_and_finds_errors(chat: Path, vocabulary: Path, tmp_path: Path) -> None:
    named, broken = tmp_path / "named", tmp_path / "broken"
    named.write_bytes(chat.read_bytes().replace(b'{"role": "user",', b'{"role": "user", "name": "Ana",'))
    broken.write_bytes(chat.read_bytes() + b'{"messages": [{"role": "wizard", "content": ""}]}\n')
    assert dataset_tokens(script("cookbook", named, vocabulary)) == surveyed(named).dataset_tokens.expected
    found = script("cookbook", broken, vocabulary)
    assert "Dataset tokens" not in found
    assert all(f"{error}: 1\n" in found for error in ("unknown role", "no content", "no answer of the assistant"))


@pytest.mark.parametrize(
    ("value", "at_most", "missed"),
    [(5.9, False, True), (6.0, False, False), (6.1, True, True), (6.0, True, False), (None, True, False)],
)
def test_a_figure_misses_on_its_own_side_of_the_bound(value: float | None, *, at_most: bool, missed: bool) -> None:
    assert Figure("it", value, "×", 6.0, at_most=at_most).missed is missed


@pytest.mark.slow
def test_the_bench_measures_whole_processes_and_judges_only_the_size_that_its_bounds_are_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--only", "check", "--bytes", "200K", "--repeats", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    sides = found["series"]["check"]
    assert [side["name"] for side in sides] == ["ftjobs check", "cookbook.py", "counting.py"]
    assert all(side["median_wall_s"] > 0.05 and side["cpu_s"][0] > 0.05 for side in sides)
    assert all(side["peak_bytes"] is None or side["peak_bytes"] > 20e6 for side in sides)
    assert [figure["bound"] for figure in found["figures"]] == [6, 4.5]
    assert not any(figure["missed"] for figure in found["figures"])
