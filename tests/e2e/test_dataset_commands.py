"""A file before anyone pays for it, as its user sees it: formats, validation files, and counting only once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Person, Run, Service

MODEL = ("--model", "gpt-4o-mini")


def chat(number: int) -> dict[str, Any]:
    return {
        "messages": [{"role": "user", "content": f"q{number}"}, {"role": "assistant", "content": f"a{number}"}]
    }


def pair(number: int) -> dict[str, Any]:
    return {
        "input": {"messages": [{"role": "user", "content": f"q{number}"}]},
        "preferred_output": [{"role": "assistant", "content": f"a{number}"}],
        "non_preferred_output": [{"role": "assistant", "content": "hm"}],
    }


def graded(number: int) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": f"q{number}"}], "answer": number}


def file_of(folder: Path, name: str, *examples: dict[str, Any]) -> str:
    path = folder / name
    path.write_text("".join(json.dumps(example) + "\n" for example in examples), encoding="utf-8")
    return str(path)


def codes(run: Run, of: str = "dataset") -> dict[str, int]:
    found: dict[str, int] = run.json[of]["problem_counts"]
    return found


@pytest.mark.parametrize(
    ("example", "method", "model"),
    [
        (chat, "supervised", "gpt-4o-mini"),
        (pair, "dpo", "gpt-4.1"),
        (graded, "reinforcement", "o4-mini"),
        (lambda number: {"prompt": f"q{number}", "completion": "a"}, "supervised", "davinci-002"),
    ],
)
def test_each_format_is_valid_with_its_method_and_model(
    inside: Callable[..., Run], tmp_path: Path, example: Callable[[int], dict[str, Any]], method: str, model: str
) -> None:
    data = file_of(tmp_path, "data.jsonl", *map(example, range(12)))
    checked = inside("check", data, "--model", model, "--method", method, "--json")
    assert (checked.code, codes(checked)) == (0, {"few_examples": 1})
    assert checked.json["dataset"]["dataset_tokens"] > 12
    estimated = inside("estimate", data, "--model", model, "--method", method, "--json").json
    assert estimated["estimates"][0]["method"] == method


@pytest.mark.parametrize(
    ("example", "method", "code"),
    [(pair, "supervised", "preference_data"), (graded, "supervised", "no_assistant"), (chat, "dpo", "chat_data")],
)
def test_data_of_another_method_is_exit_4_and_names_the_method(
    inside: Callable[..., Run], tmp_path: Path, example: Callable[[int], dict[str, Any]], method: str, code: str
) -> None:
    data = file_of(tmp_path, "data.jsonl", *map(example, range(12)))
    checked = inside("check", data, "--model", "gpt-4o", "--method", method, "--json")
    assert (checked.code, codes(checked)[code]) == (4, 12)
    assert "--method " in next(each["message"] for each in checked.json["problems"] if each["code"] == code)


def test_preference_pairs_become_a_job_of_that_method(
    inside: Callable[..., Run], service: Service, tmp_path: Path
) -> None:
    data = file_of(tmp_path, "pairs.jsonl", *map(pair, range(12)))
    asked = ("submit", data, "--model", "gpt-4o-mini", "--method", "dpo", "--beta", "0.3", "--json")
    first = inside(*asked)
    assert first.code == 0, first
    (job,) = service.jobs()
    assert (job["id"], job["method"]["type"]) == (first.json["job_id"], "dpo")
    assert inside(*asked).json["job_id"] == first.json["job_id"]
    assert len(service.jobs()) == 1


def test_a_validation_file_is_checked_beside_the_training_file(inside: Callable[..., Run], tmp_path: Path) -> None:
    data = file_of(tmp_path, "data.jsonl", *map(chat, range(12)))
    held_out = file_of(tmp_path, "held_out.jsonl", chat(20), chat(3), chat(21))
    checked = inside("check", data, *MODEL, "--validation", held_out, "--json")
    assert (checked.code, codes(checked, "validation")) == (0, {"also_in_training": 1})
    (problem,) = checked.json["validation"]["problems"]
    assert problem["line"] == 2
    assert "(this one is its line 4)" in problem["message"]
    file_of(tmp_path, "held_out.jsonl", chat(20), {"messages": []})
    assert inside("check", data, *MODEL, "--validation", held_out).code == 4


def test_submit_says_that_validation_examples_are_trained_on(inside: Callable[..., Run], tmp_path: Path) -> None:
    data = file_of(tmp_path, "data.jsonl", *map(chat, range(12)))
    held_out = file_of(tmp_path, "held_out.jsonl", chat(3), chat(4))
    told = inside("submit", data, *MODEL, "--validation", held_out)
    assert told.code == 0
    assert "note: 2 validation examples are in the training file too" in told.err
    clean = file_of(tmp_path, "clean.jsonl", chat(30))
    assert "training file too" not in inside("submit", data, *MODEL, "--validation", clean).err


def test_the_same_file_is_counted_once_for_every_command(person: Person, tmp_path: Path) -> None:
    data = file_of(tmp_path, "data.jsonl", *map(chat, range(12)))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "toktok.py").write_text("raise SystemExit('the tokenizer was loaded')")
    counted = person.run("check", data, *MODEL, "--json")
    without = {"PYTHONPATH": f"{tmp_path / 'broken'}:{person.env()['PYTHONPATH']}"}
    assert person.run("check", data, *MODEL, "--json", **without).json == counted.json
    assert person.run("submit", data, *MODEL, "--dry-run", "--json", **without).code == 0
    estimated = person.run("estimate", data, *MODEL, "--json", **without).json
    assert estimated["dataset"] == counted.json["dataset"]
    # What was kept is of that content alone.
    other = file_of(tmp_path, "data.jsonl", *map(chat, range(1, 13)))
    assert "the tokenizer was loaded" in person.run("check", other, *MODEL, **without).err


def test_a_check_on_a_pipe_draws_nothing(inside: Callable[..., Run], tmp_path: Path) -> None:
    data = file_of(tmp_path, "data.jsonl", *map(chat, range(12)))
    told = inside("check", data, *MODEL)
    assert told.err == ""
    lines = told.out.splitlines()
    assert "TOKENS AN EXAMPLE  EXAMPLES" in lines
    assert not set("█▏") & set(told.out)
    assert "assistant" in told.out
    assert lines[-2].endswith("dataset tokens, valid")
    assert lines[-1].startswith("one epoch of training: $")
