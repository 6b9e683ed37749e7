"""More processes change how soon a survey is there, not what it says, and none outlives its owner."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ftjobs.dataset import reading, workers
from ftjobs.dataset.look import Look
from ftjobs.dataset.reading import Block
from ftjobs.dataset.rules import CHAT
from ftjobs.dataset.survey import Survey, survey
from ftjobs.dataset.workers import Workers

LOOK = Look(CHAT, "o200k_base", None)
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


def chat(number: int) -> str:
    messages = [{"role": "user", "content": f"q{number}"}, {"role": "assistant", "content": "a" * (number % 90)}]
    return json.dumps({"messages": messages})


def surveyed(path: Path) -> Survey:
    return survey(path, encoding="o200k_base", max_example_tokens=18)


@pytest.fixture
def small_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes be worthwhile for a file of any size, and blocks be short."""
    monkeypatch.setattr(workers, "_WORTHWHILE_BYTES", 0)
    monkeypatch.setattr(reading, "_CHUNK_BYTES", 5_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with everything: plain blocks and others, repeats, truncated examples, lines that are no JSON."""
    lines = [chat(number % 900) for number in range(1_000)]
    lines[500:500] = ["{", "", json.dumps({"messages": [], "odd": 1}), '{"messages": [{"role": "user"}]}']
    found = tmp_path / "data.jsonl"
    found.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return found


def children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_with_and_without_processes_a_survey_is_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch, small_enough: None
) -> None:
    before = children()
    shared = surveyed(path)
    assert children() == before
    monkeypatch.setattr(workers, "_WORTHWHILE_BYTES", path.stat().st_size + 1)
    assert surveyed(path) == shared
    assert shared.truncated_examples
    assert {"duplicate_example", "truncated", "invalid_json", "blank_line"} <= shared.problem_counts.keys()


def test_a_larger_file_has_a_process_for_every_core_and_a_smaller_none() -> None:
    for size, number in ((8 * 1024 * 1024 - 1, 0), (8 * 1024 * 1024, os.cpu_count() or 1)):
        before = children()
        with Workers(LOOK, size=size):
            assert len(children() - before) == number
        assert children() == before


def test_where_a_process_dies_its_owner_looks_itself(small_enough: None) -> None:
    before = children()
    block = Block(1, f"{chat(1)}\n{chat(2)}\n".encode())
    with Workers(LOOK, size=1) as looking:
        for pid in children() - before:
            os.kill(pid, signal.SIGKILL)
        found = [looking.submit(block).result() for _ in range(4)]
    assert [(part.examples, part.expected, part.by_speaker) for part in found] == [
        (2, LOOK(block).expected, LOOK(block).by_speaker)
    ] * 4
    assert children() == before


def test_what_goes_wrong_in_a_process_is_raised_here(
    path: Path, monkeypatch: pytest.MonkeyPatch, small_enough: None
) -> None:
    def fail(*_: object) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr("ftjobs.dataset.look.plain_block", fail)
    with pytest.raises(LookupError, match="a bug"):
        surveyed(path)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_its_owner(tmp_path: Path, end: signal.Signals) -> None:
    program = (
        "import time\n"
        "from ftjobs.dataset.look import Look\n"
        "from ftjobs.dataset.rules import CHAT\n"
        "from ftjobs.dataset.workers import Workers\n"
        "with Workers(Look(CHAT, 'o200k_base', None), size=2**30):\n"
        "    print('there', flush=True)\n"
        "    time.sleep(60)\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "there\n"
    forked = Path(f"/proc/{owner.pid}/task/{owner.pid}/children").read_text().split()
    assert len(forked) == (os.cpu_count() or 1)
    for pid in forked if end is signal.SIGINT else ():
        os.kill(int(pid), end)  # a terminal sends it to all of them
    owner.send_signal(end)
    _, told = owner.communicate(timeout=120)
    assert told.count("Traceback") == (end is signal.SIGINT), "the owner's own, and no other"
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in forked))
