"""`ftjobs prepare` as a person types it: what they get, what is refused, and what comes after."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Person, Run, chat_line

HELD_WITH_SEED_7 = [3, 5, 9, 18, 22, 59, 71, 84, 98]  # computed once, by other code
Inside = Callable[..., Run]


def legacy(examples: int) -> str:
    return "".join(
        json.dumps({"prompt": f"Where is order {n}?\n\n###\n\n", "completion": f" On its way to {n}. END"}) + "\n"
        for n in range(examples)
    )


@pytest.fixture
def source(person: Person) -> Path:
    """A file as the old guide asked for, in the person's own folder."""
    path = person.home / "support.jsonl"
    path.write_text(legacy(100))
    return path


def test_an_old_file_becomes_one_that_can_be_submitted(person: Person, source: Path) -> None:
    done = person.run("prepare", "support.jsonl", "-o", "chat.jsonl", "--holdout", "15%", "--system", "Be kind")
    assert (done.code, done.err) == (0, "")
    assert "85 written to chat.jsonl, 15 held out in chat.validation.jsonl" in done.out
    assert r'"\n\n###\n\n" stripped from the end of every prompt' in done.out
    assert '" END" stripped from the end of every completion' in done.out
    assert "split seed 0 (the default)" in done.out
    check, submit = (line.partition("ftjobs ")[2].split() for line in done.out.splitlines()[-2:])
    assert person.run(*check).code == 0
    assert person.run(*submit, "--yes", "--dry-run").code == 0
    roles = [
        message["role"]
        for message in json.loads((person.home / "chat.jsonl").read_text().split("\n")[0])["messages"]
    ]
    assert roles == ["system", "user", "assistant"]
    assert source.read_text() == legacy(100)


def test_json_says_it_all_in_one_object(inside: Inside, source: Path, person: Person) -> None:
    told = inside("prepare", str(source), "-o", "o.jsonl", "--sample", "50", "--holdout", "0.2", "--json").json
    assert told["schema"] == "ftjobs.prepare/1"
    assert (told["examples_read"], told["examples_written"], told["examples_held_out"]) == (100, 40, 10)
    assert (told["examples_sampled"], told["split_seed"], told["unchanged"]) == (50, 0, False)
    for part, name in (("output", "o.jsonl"), ("validation", "o.validation.jsonl")):
        summed = subprocess.run(["sha256sum", str(person.home / name)], capture_output=True, text=True, check=True)
        assert told[part]["sha256"] == summed.stdout.split()[0]
        assert told[part]["bytes"] == (person.home / name).stat().st_size


def test_a_pipe_carries_the_examples_and_nothing_else(person: Person) -> None:
    raw = "".join(chat_line(n) + "\n" for n in range(20))
    done = person.run("prepare", "-", "-o", "-", stdin=raw)
    assert (done.code, done.out) == (0, raw)
    assert "stdin: 20 examples; 20 written to stdout" in done.err
    assert "nothing had to change" in done.err
    quiet = person.run("prepare", "-", "-o", "-", "-q", stdin=raw)
    assert (quiet.out, quiet.err) == (raw, "")


def test_bad_data_puts_nothing_into_a_pipe(person: Person) -> None:
    done = person.run("prepare", "-", "-o", "-", stdin=chat_line(1) + "\nbroken\n")
    assert (done.code, done.out) == (4, "")
    assert "line 2" in done.err


def test_a_reader_that_leaves_early_is_no_error_of_ours(person: Person) -> None:
    (person.home / "large.jsonl").write_text(legacy(20_000))
    process = person.start("prepare", "large.jsonl", "-o", "-", "-q")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    assert process.wait(timeout=240) == 141
    process.stderr.close()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["-o", "-", "--holdout", "15%"], 2, "a file of their own"),
        (["-o", "-", "--json"], 2, "the summary"),
        (["-o", "o.jsonl", "--holdout", "15"], 2, "15%"),
        (["-o", "o.jsonl", "--sample", "9"], 2, "10"),
        (["-o", "o.jsonl", "--sample", "101"], 4, "100 examples"),
        (["-o", "o.jsonl", "--holdout", "95%"], 4, "10 must stay"),
        (["-o", "o.jsonl", "--system", " "], 2, "system text"),
        (["-o", "o.jsonl", "--split-seed", "-1"], 2, "--split-seed"),
        (["-o", "support.jsonl"], 2, "source itself"),
        (["-o", "nowhere/o.jsonl"], 2, "cannot be written"),
        (["-o", "."], 2, "a directory"),
        (["-o", "/dev/null", "--force"], 2, "not a regular file"),
        ([], 2, "-o"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(
    inside: Inside, source: Path, options: list[str], code: int, words: str
) -> None:
    before = {path.name for path in source.parent.iterdir()} | {"data", "config"}
    done = inside("prepare", source.name, *options)
    assert done.code == code
    told = done.out + done.err
    assert words in told
    assert "Traceback" not in told and "order" not in told
    assert {path.name for path in source.parent.iterdir()} <= before
    assert source.read_text() == legacy(100)


def test_an_existing_file_is_replaced_only_when_asked(inside: Inside, person: Person, source: Path) -> None:
    (person.home / "o.jsonl").write_text("mine")
    refused = inside("prepare", source.name, "-o", "o.jsonl")
    assert (refused.code, (person.home / "o.jsonl").read_text()) == (2, "mine")
    assert "--force" in refused.err
    assert inside("prepare", source.name, "-o", "o.jsonl", "--force").code == 0
    assert len((person.home / "o.jsonl").read_text().splitlines()) == 100


def test_advice_is_a_note_on_stderr(inside: Inside, source: Path) -> None:
    done = inside("prepare", source.name, "-o", "o.jsonl", "--holdout", "50%")
    assert done.code == 0
    assert "note: 10–20% is advised" in done.err


def test_a_name_that_a_terminal_would_obey_is_shown_harmless(inside: Inside, person: Person, source: Path) -> None:
    name = "o \x1b[31m.jsonl"
    done = inside("prepare", source.name, "-o", name)
    assert done.code == 0
    assert "\x1b" not in done.out
    assert (person.home / name).exists()


@pytest.mark.parametrize(
    "cpus", [{"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo", "LC_ALL": "C"}]
)
def test_every_machine_holds_out_the_same_examples(person: Person, source: Path, cpus: dict[str, str]) -> None:
    done = person.run(
        "prepare", source.name, "-o", "o.jsonl", "--sample", "60", "--holdout", "15%", "--split-seed", "7", **cpus
    )
    assert done.code == 0
    held = (person.home / "o.validation.jsonl").read_text().splitlines()
    orders = [int(json.loads(line)["messages"][0]["content"].split()[3].rstrip("?")) for line in held]
    assert orders == HELD_WITH_SEED_7


def test_stdin_becomes_a_file_that_only_its_owner_reads(person: Person) -> None:
    assert person.run("prepare", "-", "-o", "o.jsonl", stdin=legacy(12)).code == 0
    assert (person.home / "o.jsonl").stat().st_mode & 0o777 == 0o600
