"""Lists that come in pages: what a page must say, and the walk over all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from ftjobs.errors import UnavailableError


class Page(Protocol):
    """A page of a list."""

    @property
    def after(self) -> str | None:
        """The cursor of the next page, None on the last."""


P = TypeVar("P", bound=Page)


def walk(ask: Callable[[str | None], P], *, base_url: str | None, what: str) -> Iterator[P]:
    """Yield what `ask` returns for each cursor, None first; UnavailableError rather than go in circles."""
    after, seen = None, set[str]()
    while True:
        page = ask(after)
        yield page
        if page.after is None:
            return
        if page.after in seen:
            raise UnavailableError(
                "unavailable",
                f"The API at {base_url} lists {what} in circles.",
                next_step="Run the same command again later.",
            )
        seen.add(page.after)
        after = page.after


def list_in(body: object, what: str) -> tuple[list[Any], Mapping[str, Any]]:
    """Return what a decoded page lists, and the page; ValueError where it is no list of `what`."""
    if not isinstance(body, dict) or body.get("object") != "list" or not isinstance(body.get("data"), list):
        raise ValueError(f"no list of {what}")
    return body["data"], body


def has_more(page: Mapping[str, Any], *, is_whole: bool) -> bool:
    """Return whether more follow; ValueError where the page does not say so.

    `is_whole` is for a service whose lists come at once, and need not say that nothing follows.
    """
    told = page.get("has_more", False if is_whole else None)
    if not isinstance(told, bool):
        raise ValueError("a page that does not say whether more follow")
    if is_whole and told:
        raise ValueError("a list that goes on, of a service whose lists come at once")
    return told
