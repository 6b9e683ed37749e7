"""The mutants fit the product of today, and tests/README.md says what they prove."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import ROOT
from tests.mutants.mutant import BEGIN, END, Mutant, flaws, table
from tests.mutants.table import MUTANTS


def test_every_mutant_fits_the_product_and_names_tests_that_exist() -> None:
    assert flaws(MUTANTS, ROOT) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"old": "a text that is nowhere"}, "occurs 0 times"),
        ({"old": "return"}, "times in"),
        ({"file": "ftjobs/no_such_module.py"}, "occurs 0 times"),
        ({"new": "(("}, "breaks"),
        ({"new": MUTANTS[0].old}, "or in none"),
        ({"red": ()}, "no test"),
        ({"red": ("tests/unit/test_jobs.py::test_that_was_renamed",)}, "test_that_was_renamed"),
        ({"red": ("tests/unit/test_gone.py::test_that_is_gone",)}, "test_that_is_gone"),
    ],
)
def test_a_mutant_that_went_stale_is_told(change: dict[str, str | tuple[str, ...]], told: str) -> None:
    stale: Mutant = replace(MUTANTS[0], **change)  # type: ignore[arg-type]
    (flaw,) = flaws([stale], ROOT)
    assert flaw.startswith(f"{stale.name}: ")
    assert told in flaw


def test_a_name_means_one_mutant() -> None:
    assert flaws([MUTANTS[0], MUTANTS[0]], ROOT) == [f"{MUTANTS[0].name}: the name is given twice"]


def test_the_readme_holds_exactly_the_table() -> None:
    readme = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    before, begin, rest = readme.partition(f"{BEGIN}\n")
    told, end, after = rest.partition(f"{END}\n")
    assert begin
    assert end
    assert BEGIN not in before + rest
    assert END not in before + after
    assert told.strip("\n") == table(MUTANTS).strip("\n"), "paste what `python -m tests.mutants --table` prints"
