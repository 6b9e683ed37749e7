"""Where a ledger lives, told without opening it."""

from __future__ import annotations

from pathlib import Path

from ftjobs.errors import ConfigError

_SQLITE = "sqlite:///"


def ledger_path(url: str) -> Path:
    """Return the file of a ledger URL (`sqlite:///relative`, `sqlite:////absolute`) or of a plain path."""
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        return _real(url.removeprefix(_SQLITE))
    if "://" in url or not url or url.startswith("sqlite:"):
        raise ConfigError(
            "unsupported_ledger",
            f"The ledger URL {url!r} names no SQLite file.",
            next_step="Write it like sqlite:////home/me/ledger.sqlite3.",
            key="ledger_url",
        )
    return _real(url)


def _real(name: str) -> Path:
    # By its real name, since locks and orphans lie beside it: a link must not lead to locks of its own.
    try:
        return Path(name).expanduser().resolve()
    except (RuntimeError, OSError, ValueError) as error:  # a home that is nobody's, a loop of links, a NUL
        raise ConfigError(
            "unsupported_ledger",
            f"The ledger {name!r} cannot be found: {error}.",
            next_step="Name a file that can be, with --ledger or ledger_url.",
            key="ledger_url",
        ) from None
