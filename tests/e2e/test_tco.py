"""Total cost of ownership as its user asks for it: the guide's numbers, shutdowns, prices, refusals."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine

from ftjobs.cli.main import main
from tests.conftest import Person, Run

OVER = " over the base model's longer prompt"

ALONE = {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": ""}
MINI = ("--model", "gpt-4o-mini")
VOLUME = ("--monthly-input", "1M", "--monthly-output", "2M")
TOKENS = ("--training-tokens", "1M")
GUIDE = ("--price-list", "guide-2026")
LONGER = ("--monthly-input", "10M", "--monthly-output", "1M", "--base-input", "60M")
BEFORE, SOON, AFTER = (datetime(*day, 12, tzinfo=UTC) for day in [(2026, 11, 24), (2027, 1, 4), (2027, 6, 1)])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "person"
    folder.mkdir()
    return folder


@pytest.fixture
def shell(home: Path) -> Person:
    """A person whose shell names no service at all."""
    return Person(home, ALONE)


@pytest.fixture
def tco(shell: Person, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """Run `ftjobs tco ARGS` in this process, on the day `at`."""

    def run(*args: str, at: datetime = BEFORE, **env: str) -> Run:
        with monkeypatch.context() as patch, time_machine.travel(at, tick=False):
            for name, value in shell.env(**env).items():
                patch.setenv(name, value)
            patch.chdir(shell.home)
            code = main(["tco", *args])
        return Run(code, *capsys.readouterr())

    return run


def scenario(run: Run) -> dict[str, Any]:
    assert run.code == 0, run
    assert run.json["schema"] == "ftjobs.tco/1"
    (only,) = run.json["scenarios"]
    assert isinstance(only, dict)
    return only


def settings(home: Path, text: str) -> None:
    (home / "ftjobs.toml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("at", [BEFORE, AFTER])
@pytest.mark.parametrize(
    ("trained", "volume", "amounts"),
    [
        (("gpt-4o-mini", "100K"), ("0.3M", "0.9M"), ("0.10", "0.585", "7.12")),
        (("gpt-4o-mini", "5M"), ("1M", "2M"), ("5.00", "1.35", "21.20")),
        (("gpt-4o-mini", "1M"), ("150M", "450M"), ("1.00", "292.50", "3511.00")),
        (("gpt-4o", "5M"), ("1.5B", "4.5B"), ("15.00", "48750.00", "585015.00")),
    ],
)
def test_the_guides_numbers_hold_in_every_year(
    tco: Callable[..., Run],
    at: datetime,
    trained: tuple[str, str],
    volume: tuple[str, str],
    amounts: tuple[str, str, str],
) -> None:
    asked = ("--model", trained[0], "--training-tokens", trained[1], *GUIDE)
    told = scenario(tco(*asked, "--monthly-input", volume[0], "--monthly-output", volume[1], "--json", at=at))
    assert (told["training_cost_usd"], told["monthly_cost_usd"], told["total_cost_usd"]) == amounts
    assert (told["price_list"], told["capped_by_shutdown"], told["months"]) == ("guide-2026", False, 12)
    assert told["verdict"].startswith("Only if it does the task better: ")
    assert len(told["cumulative"]) == 12


def test_the_guide_rounds_a_month_before_it_multiplies_and_we_do_not(shell: Person) -> None:
    asked = ("tco", *MINI, "--monthly-input", "0.3M", "--monthly-output", "0.9M", "--training-tokens", "100K")
    told = shell.run(*asked, *GUIDE)
    assert (told.code, told.err) == (0, "")
    assert "$0.5850" in told.out
    assert "$7.12" in told.out
    assert round(0.10 + 12 * 0.59, 2) == 7.18, "what the guide prints"
    assert scenario(shell.run(*asked, *GUIDE, "--json"))["total_cost_usd"] == "7.12"


def test_an_illustrative_list_caps_nothing_and_says_what_would(tco: Callable[..., Run]) -> None:
    told = scenario(tco(*MINI, *VOLUME, *TOKENS, *GUIDE, "--json"))
    assert told["horizon_end"] == "2027-11-24"
    service = (
        "On OpenAI's own service gpt-4o-mini-2024-07-18 and every model tuned from it will shut down on 2027-01-14"
    )
    assert f"{service}, in 51 days." in told["warnings"]
    later = scenario(tco(*MINI, *VOLUME, *TOKENS, *GUIDE, "--json", at=AFTER))
    assert f"{service.replace('will ', '')}." in later["warnings"]
    assert {**later, "warnings": 0, "start": 0, "horizon_end": 0, "cumulative": 0} == {
        **told,
        "warnings": 0,
        "start": 0,
        "horizon_end": 0,
        "cumulative": 0,
    }


def test_openais_shutdown_caps_its_own_prices(tco: Callable[..., Run]) -> None:
    told = scenario(tco(*MINI, *LONGER, *TOKENS, "--json"))
    assert (told["capped_by_shutdown"], told["horizon_end"], told["months"]) == (True, "2027-01-14", 12)
    # $3, then a month of $4.20 and 21 of 31 days; against $9.60 with the longer prompt
    assert (told["monthly_cost_usd"], told["total_cost_usd"]) == ("4.20", "10.04516129")
    assert told["base_model_longer_prompt_total_usd"] == "16.103225806"
    assert told["usd_per_remaining_day"] == "0.196963947"
    assert told["break_even_month"] == 1
    assert told["verdict"].startswith(
        "Worth it: saving $5.40 a month" + OVER + " pays the $3.00 of training back in month 1"
    )
    assert any("third parties" in warning for warning in told["warnings"])
    soon = scenario(tco(*MINI, *LONGER, "--training-tokens", "9M", "--json", at=SOON))
    assert soon["verdict"].startswith("Not worth it: ")
    assert "in 10 days" in soon["verdict"]


def test_after_the_shutdown_there_is_nothing_left_to_own(tco: Callable[..., Run]) -> None:
    told = scenario(tco(*MINI, *LONGER, *TOKENS, "--json", at=AFTER))
    assert (told["horizon_end"], told["cumulative"], told["usd_per_remaining_day"]) == ("2027-06-01", [], None)
    assert "shut down on 2027-01-14" in told["verdict"]
    assert "no day left" in tco(*MINI, *LONGER, *TOKENS, at=AFTER).out


def test_another_service_has_dates_of_its_own(tco: Callable[..., Run]) -> None:
    told = scenario(tco(*MINI, *LONGER, *TOKENS, "--json", OPENAI_BASE_URL="http://127.0.0.1:9/v1"))
    assert (told["capped_by_shutdown"], told["shutdown_date"]) == (False, None)
    assert any("may charge otherwise" in warning for warning in told["warnings"])
    sandbox = tco(*MINI, *LONGER, *TOKENS, "--json", "--profile", "sandbox")
    assert sandbox.json["sandbox"] is True
    assert scenario(sandbox)["capped_by_shutdown"] is False


def test_a_training_file_brings_its_tokens_its_examples_and_the_rules_epochs(
    tco: Callable[..., Run], make_training_file: Callable[[str, int], Path], home: Path
) -> None:
    data = make_training_file("data.jsonl", 120)
    told = scenario(tco(str(data), *MINI, *LONGER, "--json"))
    one_pass = told["training"]["dataset_tokens"]
    assert told["training"] | {"dataset_tokens": 0} == {
        "dataset_tokens": 0,
        "holdout_pct": "0",
        "examples": 120,
        "epochs": 3,
        "epochs_source": "rule",
    }
    assert one_pass > 120
    assert told["training_tokens"] == 3 * one_pass
    assert told["verdict"].startswith("Worth it: ")
    pinned = scenario(tco(str(data), *MINI, *LONGER, "--epochs", "2", "--holdout", "50%", "--json"))
    assert pinned["training_tokens"] == 2 * round(one_pass / 2)
    assert pinned["training"]["epochs_source"] == "pinned"
    assert "60 examples are too few" in pinned["verdict"]
    small = make_training_file("small.jsonl", 12)
    assert scenario(tco(str(small), *MINI, *LONGER, "--json"))["training"]["epochs"] == 8
    assert not (home / "data").exists(), "no ledger is opened"


def test_the_rule_goes_by_the_examples_that_are_not_held_out(
    tco: Callable[..., Run], make_training_file: Callable[[str, int], Path]
) -> None:
    data = str(make_training_file("data.jsonl", 40))
    assert scenario(tco(data, *MINI, *LONGER, "--json"))["training"]["epochs"] == 3
    assert scenario(tco(data, *MINI, *LONGER, "--holdout", "50%", "--json"))["training"]["epochs"] == 5


def test_a_file_from_stdin_is_counted_for_every_model(
    shell: Person, make_training_file: Callable[..., Path]
) -> None:
    data = make_training_file("data.jsonl", 12).read_text(encoding="utf-8")
    told = shell.run("tco", "-", "--model", "gpt-4o-mini,gpt-3.5-turbo", *LONGER, "--json", stdin=data)
    assert told.code == 0, told
    mini, turbo = told.json["scenarios"]
    assert (mini["model"], turbo["model"]) == ("gpt-4o-mini", "gpt-3.5-turbo")
    assert mini["training"]["dataset_tokens"] > 0
    assert turbo["training"]["examples"] == 12


def test_an_invalid_file_is_exit_4_and_a_missing_one_exit_2(tco: Callable[..., Run], tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{}\n" * 12, encoding="utf-8")
    assert tco(str(broken), *MINI, *VOLUME, "--json").json["code"] == "dataset_invalid"
    assert tco(str(broken), *MINI, *VOLUME).code == 4
    assert tco(str(tmp_path / "missing.jsonl"), *MINI, *VOLUME).code == 2


def test_models_stand_side_by_side_and_twice_is_once(tco: Callable[..., Run]) -> None:
    told = tco("--model", "gpt-4o-mini, gpt-4o,gpt-4o-mini", *LONGER, *TOKENS)
    heading, mini, large, blank = told.out.splitlines()[:4]
    assert (heading.split()[0], mini.split()[0], large.split()[0], blank) == ("MODEL", "gpt-4o-mini", "gpt-4o", "")
    assert told.out.count("PAID BY") == 2
    assert told.err == ""


def test_a_model_outside_the_catalog_needs_a_price_in_the_list(
    tco: Callable[..., Run], home: Path, training_file: Path
) -> None:
    asked = ("--model", "gpt-4-turbo", *VOLUME, *TOKENS, "--json")
    told = scenario(tco(*asked, *GUIDE))
    assert (told["training_cost_usd"], told["monthly_cost_usd"]) == ("2.70", "33.00")
    assert (told["base_model"], told["shutdown_date"]) == ("gpt-4-turbo", None)
    assert tco(*asked).json["code"] == "unknown_model"
    uncountable = tco(str(training_file), "--model", "gpt-4-turbo", *VOLUME, *GUIDE, "--json")
    assert (uncountable.code, uncountable.json["code"]) == (2, "uncountable_model")
    settings(home, '[[price]]\nmodel = "llama"\ntraining_usd_per_1m = "0.40"\nsource = "ours"\n')
    ours = scenario(tco("--model", "llama", *VOLUME, *TOKENS, "--json"))
    assert (ours["training_cost_usd"], ours["total_cost_usd"], ours["price_list"]) == ("0.40", None, "user")
    (warning,) = ours["warnings"]
    assert "lacks input_usd_per_1m, output_usd_per_1m, base_input_usd_per_1m and base_output_usd_per_1m" in warning


def test_an_unknown_price_is_null_and_names_its_key(tco: Callable[..., Run]) -> None:
    told = scenario(tco(*MINI, *VOLUME, *TOKENS, "--batch", "--json"))
    assert (told["monthly_cost_usd"], told["base_model_total_usd"]) == ("1.35", None)
    assert told["verdict"].startswith("Unknown: what the base model costs")
    assert any("base_batch_input_usd_per_1m and base_batch_output_usd_per_1m" in each for each in told["warnings"])
    hourly = scenario(tco("--model", "o4-mini", *VOLUME, *TOKENS, "--json"))
    assert (hourly["training_cost_usd"], hourly["total_cost_usd"]) == (None, None)
    assert any("$100.00 per hour" in each for each in hourly["warnings"])


def test_every_option_moves_the_figure_that_it_is_about(tco: Callable[..., Run]) -> None:
    def figure(name: str, *more: str) -> str:
        found: str = scenario(tco(*MINI, *VOLUME, *TOKENS, "--json", *more))[name]
        return found

    assert figure("monthly_cost_usd") == "2.70"
    assert figure("monthly_cost_usd", "--cached", "40%") == "2.64"
    assert figure("monthly_cost_usd", "--retry-overhead", "5") == "2.835"
    assert figure("monthly_cost_usd", "--batch") == "1.35"
    assert figure("training_cost_usd", "--holdout", "15%") == "2.55"
    assert figure("training_cost_usd", "--holdout", "0.15") == "2.55"  # as `prepare` takes it
    assert figure("training_cost_usd", "--epochs", "3") == "9.00"
    assert figure("horizon_end", "--months", "1") == "2026-12-24"
    assert figure("base_model_longer_prompt_total_usd", "--base-input", "5M", "--months", "1") == "1.95"
    grown = scenario(tco(*MINI, *VOLUME, *TOKENS, *GUIDE, "--json", "--growth", "1000%", "--months", "2"))
    assert grown["base_model_total_usd"] == "16.20"  # $1.35, then eleven times that


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ((*VOLUME,), "bad_training"),
        ((*VOLUME, *TOKENS, "data.jsonl"), "bad_training"),
        ((*VOLUME, "data.jsonl", "--examples", "5"), "bad_training"),
        ((*VOLUME, *TOKENS, "--holdout", "100%"), "bad_holdout"),
        ((*VOLUME, *TOKENS, "--holdout", "1.5"), "bad_holdout"),
        ((*VOLUME, *TOKENS, "--cached", "101%"), "bad_percentage"),
        ((*VOLUME, *TOKENS, "--cached", ""), "bad_percentage"),
        ((*VOLUME, *TOKENS, "--retry-overhead", "-5"), "bad_percentage"),
        ((*VOLUME, *TOKENS, "--growth", "1001%"), "bad_percentage"),
        ((*VOLUME, *TOKENS, "--growth", "1000%", "--months", "120"), "too_much_growth"),
        ((*VOLUME, "--training-tokens", "0"), "bad_amount"),
        ((*VOLUME, "--training-tokens", "1.5"), "bad_amount"),
        (("--monthly-input", "1_000", "--monthly-output", "1M", *TOKENS), "bad_amount"),
        ((*VOLUME, *TOKENS, "--base-input", "999K"), "bad_base_input"),
        ((*VOLUME, *TOKENS, "--epochs", "51"), "epochs_out_of_range"),
        ((*VOLUME, *TOKENS, "--epochs", "auto"), "epochs_out_of_range"),
        ((*VOLUME, *TOKENS, "--months", "0"), "usage"),
        ((*VOLUME, *TOKENS, "--months", "121"), "usage"),
        ((*VOLUME, *TOKENS, "--examples", "0"), "usage"),
        ((*TOKENS,), "usage"),
    ],
)
def test_what_cannot_be_meant_is_exit_2_with_the_next_step(
    tco: Callable[..., Run], args: tuple[str, ...], code: str
) -> None:
    refused = tco(*MINI, *args, "--json")
    assert (refused.code, refused.json["code"]) == (2, code)
    told = refused.json["next_step"]
    assert told.endswith((".", "?")) or "ftjobs tco" in told
    assert refused.json["exit_code"] == 2


def test_a_model_that_is_not_trained_on_such_a_file_says_how_to_go_on(
    tco: Callable[..., Run], training_file: Path
) -> None:
    refused = tco(str(training_file), "--model", "gpt-4o-mini,o4-mini", *VOLUME, "--json")
    assert (refused.code, refused.json["code"]) == (2, "unknown_method")
    assert "--training-tokens" in refused.json["next_step"]


def test_unknown_models_and_lists_name_the_nearest(tco: Callable[..., Run]) -> None:
    slip = tco("--model", "gpt-4o-mini,gpt-4o-mimi", *VOLUME, *TOKENS, "--json")
    assert (slip.code, slip.json["next_step"]) == (2, "Did you mean gpt-4o-mini?")
    lists = tco(*MINI, *VOLUME, *TOKENS, "--price-list", "guide-2062", "--json")
    assert (lists.code, lists.json["next_step"]) == (3, "Did you mean guide-2026?")


def test_a_total_imports_neither_the_service_nor_the_ledger_nor_the_tokenizer(shell: Person) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *shell.command("tco", *MINI, *VOLUME, *TOKENS)[1:]],
        cwd=shell.home,
        env=shell.env(),
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "ftjobs.pricing.ownership" in modules
    heavy = {"openai", "httpx2", "sqlalchemy", "alembic", "toktok", "rich.progress", "rich.console", "structlog"}
    assert modules.isdisjoint(heavy)
