"""The pages beside the code lead somewhere, and the drawing is of today's code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.drawing import PAGE, drawing, drawn, reduced

PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "tests" / "README.md"]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:ftjobs|migrations|tests|\.ci)/[\w./]*)(?:::\w+)?`|`([A-Z]+\.md)`")


def targets(page: Path) -> set[str]:
    """Return the paths that a page links to or names between backticks; NAME stands for any name."""
    text = page.read_text(encoding="utf-8")
    links = {link.partition("#")[0] for link in _LINK.findall(text) if "://" not in link}
    named = {"".join(found) for found in _PATH.findall(text)}
    return {target for target in links | named if target and "NAME" not in target}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path) -> None:
    missing = {
        target for target in targets(page) if not any((top / target).exists() for top in (ROOT, page.parent))
    }
    assert missing == set()


def test_the_pages_for_developers_name_each_other_and_files() -> None:
    assert {"DECISIONS.md", "CONTRIBUTING.md", "ftjobs/provider/api.py"} <= targets(PAGE)
    assert {"ARCHITECTURE.md", "DECISIONS.md"} <= targets(ROOT / "CONTRIBUTING.md")
    assert {"ARCHITECTURE.md", "CONTRIBUTING.md", "DECISIONS.md"} <= targets(ROOT / "README.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_and_tests_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for called in re.findall(r"`make ([a-z0-9 -]+)`", text):
        for target in called.split():
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for name in re.findall(r"`(test_\w+)`", text):
        assert any(
            f"def {name}(" in path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")
        )


def test_the_drawing_is_of_todays_code() -> None:
    assert drawn(PAGE.read_text(encoding="utf-8")) == drawing(), "run: make drawing"


def test_an_arrow_that_others_add_up_to_is_not_drawn() -> None:
    arrows = {"top": {"middle", "low", "side"}, "middle": {"low"}, "side": set[str](), "low": set[str]()}
    assert reduced(arrows) == {**arrows, "top": {"middle", "side"}}
