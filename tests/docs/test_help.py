"""The help of every verb says what it takes, each option once, each with its meaning, and shows one example."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Any

import pytest

from ftjobs.cli.examples import EXAMPLES
from ftjobs.cli.main import HEADINGS, VERBS, main
from ftjobs.cli.options import Globals
from tests.docs.manual import contexts

GLOBAL = {
    *("--profile", "--config", "--ledger", "--json", "--plain", "-v", "--verbose", "-q", "--quiet"),
    *("--version", "--help"),
}
TAKES: dict[str, tuple[set[str], set[str]]] = {
    "check": ({"DATA"}, {"--model", "--method", "--validation"}),
    "prepare": (
        {"SRC"},
        {*("-o", "--output", "--system", "--holdout", "--sample", "--split-seed", "--dedupe", "--force")},
    ),
    "estimate": ({"DATA"}, {"--model", "--epochs", "--method", "--price-list"}),
    "tco": (
        {"DATA"},
        {
            *("--model", "--monthly-input", "--monthly-output", "--training-tokens", "--examples", "--epochs"),
            *("--months", "--cached", "--batch", "--retry-overhead", "--holdout", "--growth", "--base-input"),
            "--price-list",
        },
    ),
    "submit": (
        {"DATA"},
        {
            *("--model", "--validation", "--method", "--epochs", "--batch-size", "--lr-multiplier", "--seed"),
            "--learning-rate",
            *(
                "--beta",
                "--suffix",
                "--tag",
                "--max-cost",
                "-y",
                "--yes",
                "--dry-run",
                "--again",
                "--wait",
                "--resend",
            ),
        },
    ),
    "status": ({"JOB"}, {"--all"}),
    "watch": ({"JOB"}, {"--timeout"}),
    "show": ({"JOB"}, {"--events"}),
    "cancel": ({"JOB"}, {"-y", "--yes"}),
    "results": ({"JOB"}, {"-o", "--output", "--force"}),
    "adopt": ({"JOB"}, {"--all", "--since", "--for", "--save-results"}),
    "ledger": ({"PERIOD"}, {"--month", "--by", "--as-of", "--csv"}),
    "ledger backup": ({"FILE"}, set()),
    "adjust": ({"JOB"}, {"--add", "--total", "--hosting", "--on", "--reason"}),
    "tag": ({"JOB", "K=V..."}, {"--remove"}),
    "reconcile": ({"PERIOD"}, set()),
    "ledger copy": (set(), {"--to"}),
    "report": (
        {"PERIOD"},
        {
            *("-o", "--output", "--month", "--as-of", "--markdown", "--results", "--force"),
            *("--monthly-input", "--monthly-output", "--base-input"),
        },
    ),
    "doctor": (set(), {"--migrate"}),
    "prices": ({"MODEL"}, {"--on", "--price-list"}),
    "sandbox": (set(), set()),
    "sandbox serve": (set(), {"--port", "--as"}),
}
"""Verb → its arguments and its own options, as the design and the README promise them."""


@pytest.fixture
def shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> str:
    """Return the help of the verb that is the test's parameter, as a terminal of 80 cells shows it."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*request.param.split(), "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def section(text: str, title: str) -> str:
    """Return the lines of a section, "" where there is none."""
    found = re.search(rf"^{title}:\n((?:  .*\n|\n(?=  ))*)", text, re.MULTILINE)
    return found[1] if found else ""


def entries(text: str) -> dict[str, str]:
    """Return name → meaning of a section; continuation lines belong to the entry above."""
    joined = re.sub(r"\n {4,}", " ", text)
    return dict(re.findall(r"^  (\S.*?) {2,}(\S.*)$", joined, re.MULTILINE))


def flags(found: Iterable[str]) -> set[str]:
    """Return the options that are named in these texts."""
    return {flag for text in found for flag in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text)}


def test_every_verb_is_listed_here() -> None:
    assert {name if name in VERBS else name.partition(" ")[0] for name in TAKES} == set(VERBS)


@pytest.mark.parametrize(("shown", "verb"), [(verb, verb) for verb in TAKES], indirect=["shown"])
def test_each_argument_and_option_is_there_with_its_meaning(shown: str, verb: str) -> None:
    arguments, options = TAKES[verb]
    assert set(entries(section(shown, "Arguments"))) == arguments
    found = entries(section(shown, "Options"))
    assert flags(found) == options
    for name, meaning in found.items():
        assert meaning[0].isupper(), name
        assert re.search(r"\.( +\[.*\])?$", meaning), (name, meaning)
    named = section(shown, "Global options, which `ftjobs --help` explains")
    assert flags([named]) == GLOBAL - {"--verbose", "--quiet", "--version"}


@pytest.mark.parametrize("shown", [""], indirect=True)
def test_the_root_says_what_the_global_options_mean(shown: str) -> None:
    found = entries(section(shown, "Options"))
    assert flags(found) == GLOBAL | {"--install-completion"}
    assert all(meaning.endswith(".") for meaning in found.values())


@pytest.mark.parametrize(("shown", "verb"), [(verb, verb) for verb in TAKES], indirect=["shown"])
def test_the_first_line_is_how_to_type_it(shown: str, verb: str) -> None:
    usage = shown.splitlines()[0]
    assert usage.startswith(f"Usage: ftjobs {verb} [OPTIONS]")
    assert not set("{}<>") & set(usage)
    assert "[[" not in usage
    for argument in TAKES[verb][0]:
        assert argument in usage


@pytest.mark.parametrize("shown", [*TAKES, ""], indirect=True)
def test_help_fits_a_terminal_and_nothing_is_cut_short(shown: str) -> None:
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 41
    for title in ("Commands", *HEADINGS.values()):
        for name, meaning in entries(section(shown, title)).items():
            assert meaning.endswith("."), name
            assert not meaning.endswith("..."), name


@pytest.mark.parametrize("shown", sorted({*TAKES} - {"submit", "tco", "report"}), indirect=True)
def test_the_help_of_most_verbs_fits_the_smallest_screen(shown: str) -> None:
    assert len(shown.splitlines()) <= 24


@pytest.mark.parametrize("shown", [""], indirect=True)
def test_the_root_lists_the_verbs_in_the_order_of_a_job(shown: str) -> None:
    groups = [list(entries(section(shown, heading))) for heading in HEADINGS.values()]
    assert [verb for group in groups for verb in group] == list(VERBS)
    assert [group[0] for group in groups] == list(HEADINGS)


@pytest.mark.parametrize(("shown", "verb"), [(verb, verb) for verb in TAKES], indirect=["shown"])
def test_the_last_line_is_one_example_from_life(shown: str, verb: str) -> None:
    title, last = shown.splitlines()[-2:]
    purpose, command = EXAMPLES[verb]
    assert title == f"Example, {purpose}:"
    assert last == f"  {command}"
    assert command.startswith(f"ftjobs {verb}")
    assert shown.count("Example, ") == 1


@pytest.mark.parametrize(("verb", "at"), [(verb, at) for verb, at in contexts() if verb])
def test_the_example_can_be_typed(verb: str, at: Any) -> None:
    words = shlex.split(EXAMPLES[verb][1])[1 + len(verb.split()) :]
    at.command.make_context(verb, words, obj=Globals()).close()


def test_each_verb_has_its_example_and_no_other() -> None:
    assert set(EXAMPLES) == set(TAKES)


@pytest.mark.parametrize(
    ("shown", "codes"),
    [("check", ["4"]), ("watch", ["6", "10"]), ("results", ["6"]), ("reconcile", ["11"])],
    indirect=["shown"],
)
def test_exit_codes_that_are_an_answer_are_told(shown: str, codes: list[str]) -> None:
    told = " ".join(shown.split())
    for code in codes:
        assert re.search(rf"\b[Ee]xits\b.*\b{code}\b", told)
