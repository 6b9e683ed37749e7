"""The page in a real browser: nothing is complained of, nothing is asked for, and it fits a telephone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser import Tab, browser_path, browsing
from tests.conftest import Person, Run, Service

BROWSER = browser_path()
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no browser here: apt-get install chromium adds one")

# The pictures that are shown, what is wider than the window, and the page's own colours.
SHOWN = "[...document.querySelectorAll('svg')].filter(each => each.getBoundingClientRect().width > 0).length"
WIDER = "document.documentElement.scrollWidth - window.innerWidth"
COLOURS = "['backgroundColor', 'color'].map(name => getComputedStyle(document.body)[name]).join(' ')"
BARS = "getComputedStyle(document.querySelector('figure svg path[fill=\"var(--accent)\"]')).fill"


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    with browsing(str(BROWSER), tmp_path / "browser") as opened:
        yield opened


@pytest.fixture
def page(service: Service, person: Person, inside: Callable[..., Run], training_file: Path) -> Path:
    """A page with every kind of picture, and a tag that would act."""
    service.settings(job_seconds=0.05, file_seconds=0)
    submit = ("submit", str(training_file), "--model", "gpt-4o-mini", "--tag", "x=<img src=http://127.0.0.1:9/>")
    assert inside(*submit, "--wait").code == 0
    assert inside("results", "last").code == 0
    use = ("--monthly-input", "150M", "--monthly-output", "0.3M", "--base-input", "900M")
    assert inside("report", "--month", "-o", "r.html", *use).code == 0
    return person.home / "r.html"


def test_the_page_is_quiet_alone_and_readable_at_every_width_in_light_and_dark(tab: Tab, page: Path) -> None:
    seen = set()
    for width in (420, 1280):
        for scheme in ("light", "dark"):
            tab.look(width=width, scheme="dark" if scheme == "dark" else "light")
            tab.open(page)
            assert tab.complaints == []
            assert tab.requests == [page.as_uri()]
            assert tab.evaluate(SHOWN) == 6
            assert tab.evaluate(WIDER) <= 0
            assert len(tab.screenshot()) > 20_000
            seen.add((scheme, tab.evaluate(COLOURS), tab.evaluate(BARS)))
    assert len(seen) == 2, "the scheme decides the colours, in pictures too; the width does not"
    tab.look(width=800, scheme="dark", media="print")
    assert "rgb(255, 255, 255)" in tab.evaluate(COLOURS), "paper is white"
    assert tab.evaluate(SHOWN) == 6


def test_a_page_that_asked_for_something_would_be_noticed(tab: Tab, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("</main>", '<img src="http://127.0.0.1:9/x"><i style="color:red"></i></main>'))
    tab.open(page)
    assert len(tab.complaints) == 2, "the page's own policy stops both, and says so"
