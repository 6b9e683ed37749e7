"""What a job left, as text, JSON, pictures and a program: nothing acts, and no key is in it."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ftjobs.jobs.curve import Curve, Point
from ftjobs.jobs.job import Job, parse_job
from ftjobs.reports.chart import ASCII
from ftjobs.reports.envelope import dumps
from ftjobs.reports.picture import loss_pictures, loss_spec
from ftjobs.reports.results import ResultLine, Results, results_json, results_text
from ftjobs.reports.snippet import trial_snippet
from tests.faults.liar import WORST, acting

CURVE = Curve((Point(1, train_loss=2.0), Point(2, train_loss=1.0, valid_loss=1.5)), total_steps=2)
MINI = "gpt-4o-mini-2024-07-18"


def job(**more: Any) -> Job:
    raw = {"object": "fine_tuning.job", "id": "ftjob-1", "status": "succeeded", "created_at": 1, "model": MINI}
    return parse_job({**raw, "fine_tuned_model": "ft:gpt-4o-mini:o::1", **more})


def snippet(**more: Any) -> str | None:
    plain = {"base_model": MINI, "base_url": "https://api.openai.com/v1", "api_key_env": "OPENAI_API_KEY"}
    return trial_snippet(**{"fine_tuned_model": "ft:gpt-4o-mini:o::1", **plain, **more})


def literals(text: str) -> list[Any]:
    return [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]


# The program


def test_the_program_names_both_models_and_reads_the_key_when_it_runs() -> None:
    text = snippet()
    assert text is not None
    assert {"ft:gpt-4o-mini:o::1", MINI, "OPENAI_API_KEY", "https://api.openai.com/v1"} <= set(literals(text))
    assert 'os.environ["OPENAI_API_KEY"]' in text
    assert 'os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"' in text


def test_a_key_of_its_own_goes_to_its_own_service_only() -> None:
    text = snippet(api_key_env="AZURE_OPENAI_API_KEY", base_url="https://r.openai.azure.com/openai/v1/")
    assert text is not None
    assert 'os.environ["AZURE_OPENAI_API_KEY"]' in text
    assert "OPENAI_BASE_URL" not in text


def test_the_sandbox_is_where_the_environment_says() -> None:
    assert 'base_url=os.environ["OPENAI_BASE_URL"]' in (snippet(base_url=None, api_key_env="") or "")


@pytest.mark.parametrize(
    "hostile", [WORST, '"); import os #', "a\\", "x\ny", "'''\"\"\"", "\U0001d518", "TUNED, BASE,"]
)
def test_a_name_from_a_service_stays_a_text(hostile: str) -> None:
    text = snippet(fine_tuned_model=hostile, base_model=hostile[::-1])
    assert text is not None
    assert text.isascii()
    assert {hostile, hostile[::-1]} <= set(literals(text))
    assert acting(text.replace("\n", "")) == []


@pytest.mark.parametrize("more", [{"fine_tuned_model": None}, {"base_model": None}, {"base_model": "davinci-002"}])
def test_without_two_models_that_chat_there_is_no_program(more: dict[str, object]) -> None:
    assert snippet(**more) is None


# Text and JSON


def results(**more: Any) -> Results:
    folder = Path("there")
    files = (
        ResultLine(folder / "ftjob-1-result-1.csv", 2_048, "csv", is_new=True),
        ResultLine(folder / "ftjob-1-loss.png", 10, "picture", is_new=False),
    )
    told = {"job": job(), "base_model": MINI, "directory": folder, "files": files, "curve": CURVE}
    return Results(**{**told, "snippet": "print(1)\n", "notes": ("one",), **more})


def test_text_has_the_models_the_files_the_loss_and_the_program() -> None:
    text = results_text(results(), width=60, marks=ASCII)
    lines = text.splitlines()
    assert lines[0] == "job ftjob-1 (succeeded)"
    assert "in there:\n  ftjob-1-result-1.csv  metrics, 2,048 bytes\n" in text
    assert "  ftjob-1-loss.png      picture, 10 bytes, already there" in lines
    assert lines[-1] == "print(1)"
    assert max(map(len, lines)) <= 80


def test_json_holds_every_point_and_unknown_is_null() -> None:
    told = json.loads(dumps(results_json(results(), sandbox=False)))
    assert told["schema"] == "ftjobs.results/1"
    assert told["curve"]["points"][0] == {
        **dict.fromkeys(("at", "valid_loss", "train_accuracy", "valid_accuracy")),
        "step": 1,
        "train_loss": 2.0,
    }
    assert told["files"][0] == {
        "path": "there/ftjob-1-result-1.csv", "bytes": 2048, "kind": "csv", "written": True
    }  # fmt: skip
    assert (told["snippet"], told["notes"]) == ("print(1)\n", ["one"])


def test_hostile_text_is_shown_as_text() -> None:
    hostile = results(job=job(id=f"j{WORST}", status=WORST, fine_tuned_model=WORST), base_model=WORST)
    assert acting(results_text(hostile, width=80, marks=ASCII)) == []
    assert acting(dumps(results_json(hostile, sandbox=False)), hidden=False) == []


# Pictures


def test_pictures_are_an_svg_and_a_png_with_the_job_in_the_title() -> None:
    drawn = loss_pictures(CURVE, job(trained_tokens=1_234))
    assert drawn["png"].startswith(b"\x89PNG\r\n\x1a\n")
    svg = drawn["svg"].decode()
    for told in (
        "Loss of ftjob-1",
        "ft:gpt-4o-mini:o::1",
        f"base model {MINI}, 1,234 trained tokens",
        "validation",
    ):
        assert told in svg
    assert "http" not in svg.replace("http://www.w3.org/", "")
    assert loss_pictures(CURVE, job(trained_tokens=1_234)) == drawn, "the same job is drawn the same"


def test_without_a_loss_or_without_the_extra_there_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (loss_spec(Curve(), job()), loss_pictures(Curve(), job())) == (None, {})
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    assert loss_pictures(CURVE, job()) == {}


def test_a_hostile_name_is_text_in_a_picture() -> None:
    spec = loss_spec(CURVE, job(id=f"j{WORST}", fine_tuned_model=WORST, model=WORST))
    assert spec is not None
    assert acting("".join([spec["title"]["text"], *spec["title"]["subtitle"]])) == []


def test_a_picture_of_very_many_points_is_thinned_and_keeps_the_last() -> None:
    spec = loss_spec(Curve(tuple(Point(n, train_loss=1.0) for n in range(1, 9_000))), job())
    assert spec is not None
    rows = spec["data"]["values"]
    assert len(rows) <= 2_000
    assert rows[-1]["step"] == 8_999
