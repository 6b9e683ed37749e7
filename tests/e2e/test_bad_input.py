"""Bad input: two lines that a person can act on, the right exit code, and with --json the same as one object."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.conftest import Person, Run

ESTIMATE = ("estimate", "{data}", "--model", "gpt-4o-mini")
SUBMIT = ("submit", "{data}", "--model", "gpt-4o-mini")


@dataclass(frozen=True)
class Bad:
    """A command line that cannot work, and what must be said about it."""

    args: tuple[str, ...]
    exit_code: int
    code: str
    says: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    settings: str = ""
    never_says: str = ""


CASES = {
    # The file
    "missing": Bad(("estimate", "gone.jsonl", "--model", "gpt-4o"), 2, "dataset_missing", ("gone.jsonl",)),
    "missing to check": Bad(("check", "gone.jsonl", "--model", "gpt-4o"), 2, "dataset_missing", ("gone.jsonl",)),
    "a directory": Bad(("estimate", ".", "--model", "gpt-4o"), 2, "dataset_is_directory", ("directory",)),
    "a name with an escape": Bad(
        ("estimate", "a\x1b[31m.jsonl", "--model", "gpt-4o"), 2, "dataset_missing", ("a[31m.jsonl",)
    ),
    # The model
    "an unknown model": Bad(
        ("estimate", "{data}", "--model", "gpt-4o-mni"), 2, "unknown_model", ("gpt-4o-mni", "gpt-4o-mini?")
    ),
    "one unknown model of two": Bad(
        ("estimate", "{data}", "--model", "gpt-4o,x y z"), 2, "unknown_model", ("'x y z'", "Name one of")
    ),
    "no model": Bad(("submit", "{data}"), 2, "usage", ("--model",)),
    "nothing": Bad(("check",), 2, "usage", ("'DATA'", "Write it like: ftjobs check support.jsonl --model")),
    # The key and the service
    "no key": Bad(SUBMIT, 3, "no_api_key", ("export OPENAI_API_KEY", "--profile sandbox"), {"OPENAI_API_KEY": ""}),
    "a key with a line break": Bad(
        SUBMIT, 3, "bad_api_key", ("OPENAI_API_KEY",), {"OPENAI_API_KEY": "sk-secret1\n"}, never_says="sk-secret1"
    ),
    "a key with a blank": Bad(
        SUBMIT, 3, "bad_api_key", ("OPENAI_API_KEY",), {"OPENAI_API_KEY": "hunter 2abc"}, never_says="hunter"
    ),
    "a wrong key": Bad(
        SUBMIT,
        7,
        "invalid_api_key",
        ("HTTP 401", "Check the API key"),
        {"OPENAI_API_KEY": "sk-wrong"},
        never_says="sk-",
    ),
    "plain http": Bad(
        SUBMIT, 3, "plain_http", ("http://example.com/v1", "https"), {"OPENAI_BASE_URL": "http://example.com/v1"}
    ),
    "a base URL that is none": Bad(SUBMIT, 3, "bad_base_url", ("base URL",), {"OPENAI_BASE_URL": "example.com"}),
    "an unknown profile": Bad(("status", "--profile", "opnai"), 2, "unknown_profile", ("'opnai'", "openai?")),
    # The ledger
    "a folder that cannot be written": Bad(
        ("ledger", "--ledger", "/proc/none/ledger.sqlite3"), 12, "ledger_unavailable", ("/proc/none", "--ledger")
    ),
    "a ledger that is none": Bad(("ledger", "--ledger", "{data}"), 12, "not_a_ledger", ("{data}", "--ledger")),
    "a ledger that is a folder": Bad(("status", "--ledger", "."), 12, "not_a_ledger", ("folder", "--ledger")),
    "a ledger in nobody's home": Bad(
        ("ledger", "--ledger", "~nosuchuser/x.sqlite3"), 3, "unsupported_ledger", ("~nosuchuser", "--ledger")
    ),
    "a ledger URL of another kind": Bad(
        ("ledger", "--ledger", "mysql://me:hunter2@host/db"),
        3,
        "unsupported_ledger",
        ("sqlite:///",),
        never_says="hunter2",
    ),
    # The settings
    "a slip in the settings": Bad(
        ("ledger",), 3, "unknown_setting", ("setle_s", "line 2", "settle_s?"), settings="\nsetle_s = 3\n"
    ),
    "settings that are no TOML": Bad(
        ("ledger",), 3, "bad_config_file", ("./ftjobs.toml", "line 1"), settings="settle_s 3"
    ),
    "a slip in a price": Bad(
        ESTIMATE,
        3,
        "price_invalid",
        ("ftjobs.toml, price 1", "trainig_usd_per_1m", "training_usd_per_1m?"),
        settings='[[price]]\nmodel = "m"\ntrainig_usd_per_1m = "1"\n',
    ),
    "a price of a profile that is none": Bad(
        ESTIMATE,
        3,
        "unknown_profile",
        ("'sandbx'", "profile in ftjobs.toml, price 1", "sandbox?"),
        settings='[[price]]\nmodel = "gpt-4o"\ntraining_usd_per_1m = "1"\nprofile = "sandbx"\n',
    ),
    "a slip in the environment": Bad(
        ("ledger",), 3, "unknown_setting", ("FTJOBS_SETLE_S", "FTJOBS_SETTLE_S?"), {"FTJOBS_SETLE_S": "3"}
    ),
    "an amount that is a float": Bad(
        ("ledger",), 3, "bad_setting", ("confirm_above_usd", "5.00"), settings="confirm_above_usd = 5.0\n"
    ),
    "settings that do not exist": Bad(
        ("ledger", "--config", "gone.toml"), 3, "no_config_file", ("gone.toml", "--config")
    ),
    # What they point at
    "a duration without a unit": Bad(("watch", "--timeout", "20"), 2, "bad_duration", ("'20'", "--timeout 20m")),
    "a month that is none": Bad(("ledger", "2026-13"), 2, "bad_period", ("'2026-13'", "2026-10")),
    "a day that is none": Bad(("ledger", "2026-02-30"), 2, "bad_period", ("'2026-02-30'",)),
    "an unknown job": Bad(("status", "ftjob-none"), 2, "unknown_job", ("ftjob-none", "status --all")),
    "an unknown job to watch": Bad(("watch", "last"), 2, "unknown_job", ("'last'",)),
    "an unknown submission": Bad(("submit", "--resend", "01J"), 2, "unknown_job", ("01J",)),
    "an unknown verb": Bad(("sumbit",), 2, "unknown_command", ("'sumbit'", "'submit'?")),
    "an unknown option": Bad((*SUBMIT, "--epoch", "1"), 2, "unknown_option", ("--epoch", "--epochs?")),
}  # fmt: skip
OPTIONS = {
    "missing to submit": Bad(("submit", "gone.jsonl", "--model", "gpt-4o"), 2, "dataset_missing", ("gone.jsonl",)),
    # Options and settings that keep a command from spending or meaning anything
    "no price": Bad(
        ("submit", "{data}", "--model", "gpt-4.1"),
        5,
        "no_price",
        ("gpt-4.1-2025-04-14", "training_usd_per_1m"),
        {"FTJOBS_PRICE_LIST": "guide-2026"},
    ),
    "an illustrative price": Bad(
        SUBMIT, 5, "illustrative_price", ("guide-2026", "openai"), {"FTJOBS_PRICE_LIST": "guide-2026"}
    ),
    "an unknown price list": Bad(
        (*ESTIMATE, "--price-list", "guide"), 3, "unknown_price_list", ("'guide'", "guide-2026?")
    ),
    "more than --max-cost": Bad((*SUBMIT, "--max-cost", "0.001"), 5, "over_max_cost", ("--max-cost",)),
    "nobody to ask": Bad(SUBMIT, 5, "no_consent", ("--yes", "--max-cost"), {"FTJOBS_CONFIRM_ABOVE_USD": "0"}),
    "over budget": Bad(SUBMIT, 5, "over_budget", ("budget $0.0050",), {"FTJOBS_BUDGET__MONTHLY_USD": "0.005"}),
    "over the budget of a tag": Bad(
        (*SUBMIT, "--tag", "team=search"),
        5,
        "over_budget",
        ("budget of tag team=search $0.0050", 'Raise budget.tags."team=search"'),
        settings='[budget]\ntags = { "team=search" = "0.005" }\n',
    ),
    "over the budget of a profile": Bad(
        SUBMIT, 5, "over_budget", ("budget of profile generic",), settings='[budget.profiles]\ngeneric = "0.005"\n'
    ),
    "a budget of a profile that is none": Bad(
        SUBMIT, 3, "unknown_profile", ("'opnai'", "openai?"), settings='[budget.profiles]\nopnai = "5"\n'
    ),
    "no epochs": Bad((*SUBMIT, "--epochs", "0"), 2, "epochs_out_of_range", ("1 to 50",)),
    "epochs in words": Bad((*ESTIMATE, "--epochs", "three"), 2, "epochs_out_of_range", ("'three'", "auto")),
    "a tag without a value": Bad((*SUBMIT, "--tag", "support"), 2, "usage", ("'support'", "--tag project=")),
    "a tag of ours": Bad((*SUBMIT, "--tag", "ftjobs_x=1"), 2, "reserved_tag", ("ftjobs_x",)),
    "an amount in euros": Bad((*SUBMIT, "--max-cost", "5€"), 2, "bad_amount", ("5€", "--max-cost 12.50")),
    "a negative amount": Bad((*SUBMIT, "--max-cost", "-5"), 2, "bad_amount", ("-5",)),
    "a suffix with a blank": Bad((*SUBMIT, "--suffix", "my model"), 2, "bad_suffix", ("'my model'", "1 to 64")),
    "a model of another method": Bad(
        ("submit", "{data}", "--model", "gpt-3.5-turbo", "--method", "dpo"),
        2,
        "unknown_method",
        ("gpt-3.5-turbo-0125 cannot be trained with --method dpo", "--method supervised"),
    ),
    "beta without DPO": Bad((*SUBMIT, "--beta", "0.1"), 2, "beta_without_dpo", ("--method dpo",)),
    "a long suffix": Bad((*SUBMIT, "--suffix", "x" * 65), 2, "bad_suffix", ("1 to 64",)),
}


def prepared(bad: Bad, data: Path, home: Path) -> Bad:
    """Put the settings where the command looks for them, and the name of the data where it belongs."""
    if bad.settings:
        (home / "ftjobs.toml").write_text(bad.settings)
    args = tuple(arg.replace("{data}", str(data)) for arg in bad.args)
    return replace(bad, args=args, says=tuple(said.replace("{data}", str(data)) for said in bad.says))


def is_told_in_two_lines(told: Run, bad: Bad) -> None:
    assert (told.code, told.out) == (bad.exit_code, ""), told
    message, next_step = told.err.splitlines()
    begins = message.removeprefix("error: ")
    assert begins != message
    assert not begins[0].islower() or begins.startswith(bad.says), "neither a sentence nor a name"
    assert next_step.startswith("  → ")
    assert "Traceback" not in told.err
    for said in bad.says:
        assert said in told.err
    assert not bad.never_says or bad.never_says not in told.err


def is_told_as_one_object(told: Run, bad: Bad, lines: str) -> None:
    assert (told.code, told.out.count("\n"), told.err) == (bad.exit_code, 1, "")
    error = told.json
    assert (error["schema"], error["code"], error["exit_code"]) == ("ftjobs.error/1", bad.code, bad.exit_code)
    assert f"error: {error['message']}\n  → {error['next_step']}\n" == lines
    assert not bad.never_says or bad.never_says not in told.out


@pytest.mark.parametrize("bad", CASES.values(), ids=CASES)
def test_bad_input_is_two_lines_or_one_object(
    person: Person, inside: Callable[..., Run], training_file: Path, bad: Bad
) -> None:
    bad = prepared(bad, training_file, person.home)
    told = person.run("-q", *bad.args, **bad.env)
    is_told_in_two_lines(told, bad)
    is_told_as_one_object(inside("-q", "--json", *bad.args, **bad.env), bad, told.err)


@pytest.mark.parametrize("bad", OPTIONS.values(), ids=OPTIONS)
def test_an_option_without_meaning_is_two_lines_or_one_object(
    person: Person, inside: Callable[..., Run], training_file: Path, bad: Bad
) -> None:
    bad = prepared(bad, training_file, person.home)
    told = inside("-q", *bad.args, **bad.env)
    is_told_in_two_lines(told, bad)
    is_told_as_one_object(inside(*bad.args, "--json", "-q", **bad.env), bad, told.err)


GOOD = "".join(
    json.dumps(
        {"messages": [{"role": "user", "content": f"q{number}"}, {"role": "assistant", "content": f"a{number}"}]}
    )
    + "\n"
    for number in range(12)
).encode()
CONTENTS = {
    "empty": (b"", "empty_file", None),
    "binary": (bytes(range(256)) * 8, "nul_byte", 1),
    "UTF-16": (GOOD.decode().encode("utf-16"), "wrong_encoding", None),
    "cut off": (GOOD[:-20], "invalid_json", 12),
    "nested too deep": (GOOD + b"[" * 100_000 + b"]" * 100_000 + b"\n", "too_deep", 13),
    "too few examples": (b"".join(GOOD.splitlines(keepends=True)[:9]), "too_few_examples", None),
    "an old format": (b'{"prompt": "a", "completion": "b"}\n' * 12, "legacy_prompt_completion", 1),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_file_with_invalid_content_is_exit_4_and_its_line_is_told(
    person: Person, inside: Callable[..., Run], tmp_path: Path, kind: str
) -> None:
    content, code, line = CONTENTS[kind]
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    named = [str(path), "--model", "gpt-4o-mini"]
    checked = inside("check", *named, "--json")
    assert checked.code == 4
    assert (code, line) in [(each["code"], each["line"]) for each in checked.json["problems"]]
    told = person.run("estimate", *named)
    assert (told.code, told.out) == (4, "")
    message, next_step = told.err.splitlines()
    assert message.startswith(f"error: {path} has ")
    assert line is None or f"line {line}: " in message
    assert f"ftjobs check {path}" in next_step


def test_submit_refuses_invalid_content_before_it_records_or_sends_anything(
    person: Person, inside: Callable[..., Run], tmp_path: Path
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(GOOD[:-20])
    told = inside("submit", str(path), "--model", "gpt-4o-mini", "--json", OPENAI_API_KEY="")
    assert (told.code, told.json["code"], told.json["details"]["line"]) == (4, "dataset_invalid", 12)
    assert not (person.home / "data").exists()


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"\xef\xbb\xbf" + GOOD, "bom"), (GOOD.replace(b"\n", b"\r\n"), "crlf"), (GOOD + b"\n\n", "blank_line")],
)
def test_what_an_editor_adds_is_a_warning(
    inside: Callable[..., Run], tmp_path: Path, content: bytes, code: str
) -> None:
    path = tmp_path / "edited.jsonl"
    path.write_bytes(content)
    told = inside("check", str(path), "--model", "gpt-4o-mini")
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith(f"warning  {code} ")
    assert told.out.splitlines()[-2].endswith("dataset tokens, valid")


def test_a_price_that_nobody_knows_is_unknown_to_estimate_and_not_a_failure(
    inside: Callable[..., Run], training_file: Path
) -> None:
    named = [str(training_file), "--model", "gpt-4.1", "--price-list", "guide-2026"]
    told = inside("estimate", *named)
    assert (told.code, told.out.count(" unknown\n")) == (0, 1)
    assert "$0" not in told.out
    (estimate,) = inside("estimate", *named, "--json").json["estimates"]
    assert (estimate["estimated_cost_usd"], estimate["price"]) == (None, None)


def test_the_toml_of_a_missing_price_makes_the_same_command_work(
    person: Person, inside: Callable[..., Run], training_file: Path
) -> None:
    submit = ["submit", str(training_file), "--model", "gpt-4.1", "--dry-run", "--json"]
    refused = inside(*submit, FTJOBS_PRICE_LIST="guide-2026").json
    assert refused["next_step"].endswith(refused["details"]["toml"])
    (person.home / "ftjobs.toml").write_text(refused["details"]["toml"].replace("PRICE", "25.00"))
    told = inside(*submit, FTJOBS_PRICE_LIST="guide-2026").json
    assert (told["estimate"]["price"]["list"], told["estimate"]["price"]["usd_per_1m"]) == ("user", "25.00")


def test_a_host_that_cannot_be_reached_is_exit_8_and_nothing_was_created(
    person: Person, training_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import time\ntime.sleep = lambda _seconds: None\n")
    env = {
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "PYTHONPATH": f"{tmp_path}:{person.env()['PYTHONPATH']}",
    }
    told = person.run("-q", "submit", str(training_file), "--model", "gpt-4o-mini", **env)
    assert (told.code, told.out) == (8, "")
    message, next_step = told.err.splitlines()
    assert message.startswith("error: The API at http://127.0.0.1:9/v1 did not answer")
    assert "the same command again" in next_step
    told = person.run("submit", str(training_file), "--model", "gpt-4o-mini", "--json", **env)
    assert (told.code, told.json["code"]) == (8, "unavailable")


def test_stdin_is_a_file_like_any_other(person: Person, inside: Callable[..., Run], tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()

    def piped(verb: str, text: str) -> Run:
        return person.run(verb, "-", "--model", "gpt-4o-mini", "--json", stdin=text, TMPDIR=str(copies))

    checked = piped("check", GOOD.decode()).json
    assert (checked["dataset"]["path"], checked["dataset"]["examples"]) == ("-", 12)
    created = piped("submit", GOOD.decode()).json
    named = tmp_path / "same.jsonl"
    named.write_bytes(GOOD)
    again = inside("submit", str(named), "--model", "gpt-4o-mini", "--json").json
    assert (again["job_id"], again["reused"]) == (created["job_id"], True)
    empty = piped("estimate", "")
    assert (empty.code, empty.json["message"].startswith("- has 1 error")) == (4, True)
    assert not list(copies.iterdir()), "a private copy is left"
