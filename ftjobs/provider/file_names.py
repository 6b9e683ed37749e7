"""The names of uploaded files: on a service that keeps no metadata, the one thing of ours that it tells again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ftjobs.errors import RejectedError
from ftjobs.provider.api import Api
from ftjobs.provider.pages import list_in, walk

_MOST_FILES = 10_000  # what one page of the list of files holds at most (API reference)
_NO_SUCH_LIST = {404, 405, 501}
_BAD_LIMIT = {400, 422}


@dataclass(frozen=True, slots=True)
class _Page:
    """Ids and names; `after` is the cursor of the next page, None on the last."""

    names: tuple[tuple[str, str], ...]
    after: str | None


def file_names(api: Api) -> dict[str, str]:
    """Return the names of the training files by id, over every page of the list; none where there is no list.

    UnavailableError where a page cannot be believed.
    """
    pages = walk(partial(_page, api), base_url=api.profile.base_url, what="its files")
    return {file_id: name for page in pages for file_id, name in page.names}


def _page(api: Api, after: str | None) -> _Page:
    """Return a page as large as the API allows; from a service that has another limit, one of its own size."""
    try:
        return _asked(api, after, {} if "cursor" in api.profile.lacks else {"limit": _MOST_FILES})
    except RejectedError as error:
        if error.details.get("http_status") in _BAD_LIMIT:
            return _asked(api, after, {})
        raise


def _asked(api: Api, after: str | None, limit: Mapping[str, int]) -> _Page:
    asked: dict[str, Any] = {"purpose": "fine-tune", **limit}
    if after is not None:
        asked["after"] = after
    try:
        return api.read(
            lambda client: client.files.with_raw_response.list(**asked), _parsed, doing="the list of files"
        )
    except RejectedError as error:
        if error.details.get("http_status") in _NO_SUCH_LIST:
            return _Page((), None)
        raise


def _parsed(body: object) -> _Page:
    """Return the page that a decoded body holds; ValueError where it is none.

    Lists of files need not say whether more follow: then nothing does.
    """
    data, page = list_in(body, "files")
    named = [(each.get("id"), each.get("filename")) for each in data if isinstance(each, dict)]
    names = tuple((i, name) for i, name in named if isinstance(i, str) and isinstance(name, str))
    if page.get("has_more") is not True:
        return _Page(names, None)
    cursor = named[-1][0] if named else None
    if not isinstance(cursor, str):
        raise ValueError("a page whose cursor does not move")
    return _Page(names, cursor)
