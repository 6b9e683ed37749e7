"""Where a ledger lives, told without opening it: a file, or a database that a team shares."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import platformdirs

from ftjobs.errors import ConfigError
from ftjobs.logs import register_secret

_SQLITE = "sqlite:///"
_POSTGRESQL = ("postgresql://", "postgresql+psycopg://", "postgres://")
_PORT = 5432
_SCHEME = re.compile(r"(?:sqlite|postgres(?:ql)?)(?:\+\w+)?:")


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL database; equal by what it is, not by who asks, and its text never shows the password."""

    host: str
    port: int
    database: str
    # as libpq takes it
    url: str = field(repr=False, compare=False)

    def __str__(self) -> str:
        port = "" if self.port == _PORT else f":{self.port}"
        if self.host.startswith("/"):  # the folder of a socket
            return f"postgresql://{port}/{self.database}?host={self.host}"
        return f"postgresql://{self.host}{port}/{self.database}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The password, as it is written and as it is meant."""
        return _passwords(urlsplit(self.url))


Place = Path | Server


def ledger_place(url: str) -> Place:
    """Return what a ledger URL or a plain path names; ConfigError where it names nothing. Passwords are masked."""
    known = next((prefix for prefix in _POSTGRESQL if url.startswith(prefix)), None)
    return ledger_path(url) if known is None else _server(f"postgresql://{url.removeprefix(known)}")


def ledger_path(url: str) -> Path:
    """Return the file of a ledger URL (`sqlite:///relative`, `sqlite:////absolute`) or of a plain path."""
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        return _real(url.removeprefix(_SQLITE))
    if "://" in url or not url or _SCHEME.match(url):
        # Never repeated: a password may stand anywhere in it.
        scheme = url.partition(":")[0] if ":" in url else ""
        raise ConfigError(
            "unsupported_ledger",
            f"The ledger URL ({scheme[:20]!r}) names no SQLite file and no PostgreSQL database.",
            next_step="Write it like sqlite:////home/me/ledger.sqlite3 or postgresql://me@host/ledger.",
            key="ledger_url",
        )
    return _real(url)


def own_files(place: Place) -> Path:
    """Return the name that the files of this machine for a ledger begin with: a server's are the user's data."""
    if isinstance(place, Path):
        return place
    name = hashlib.sha256(f"{place.host} {place.port} {place.database}".encode()).hexdigest()[:16]
    return Path(platformdirs.user_data_dir("ftjobs")) / f"postgresql-{name}"


def _server(url: str) -> Server:
    try:
        parts = urlsplit(url)
        port, host = parts.port or _PORT, parts.hostname or "".join(parse_qs(parts.query).get("host", [])[:1])
        for secret in _passwords(parts):
            register_secret(secret)
        # A raw @ or / in a password would make a host of what follows it, and errors name hosts.
        is_plain = url.count("@") == parts.netloc.count("@") <= 1 and not parts.fragment
        database = unquote(parts.path.removeprefix("/"))
    except ValueError:
        is_plain, port, host, database = False, 0, "", ""
    if is_plain and database and "/" not in database and database.isprintable():
        return Server(host or "localhost", port, database, url)
    raise ConfigError(
        "unsupported_ledger",
        "The ledger URL names no PostgreSQL database.",
        next_step="Write it like postgresql://me@host/ledger, special characters in it like %40 for @.",
        key="ledger_url",
    )


def _passwords(parts: SplitResult) -> tuple[str, ...]:
    written = [parts.password or "", *parse_qs(parts.query).get("password", [])]
    return tuple(dict.fromkeys(each for text in written for each in (text, unquote(text)) if each))


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
