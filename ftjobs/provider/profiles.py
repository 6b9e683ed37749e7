"""Which service a command talks to, and what is known about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from ftjobs.config import RawTable, Settings
from ftjobs.errors import ConfigError, UsageError, nearest
from ftjobs.jobs.spec import MAX_EPOCHS

OPENAI_URL = "https://api.openai.com/v1"
_OPENAI_DOMAIN = "openai.com"
_OPENAI_ADMIN_KEY = "OPENAI_ADMIN_KEY"
_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
# What may hide another host or a key, or would end up before the path that is called.
_STRAY = re.compile(r"[\s@\\?#]")
_HEADER_KEYS = frozenset({"organization", "project"})
_TEXT_KEYS = frozenset(
    {"extends", "base_url", "api_key_env", "admin_key_env", "account", "organization", "project"}
)
_KEYS = _TEXT_KEYS | {"max_file_bytes", "uploads_api", "max_epochs"}

MAX_FILE_BYTES = 512 * 1024 * 1024
# What the Uploads API takes: as a whole, and in one part.
MAX_UPLOAD_BYTES = 8 * 1024**3
MAX_PART_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Profile:
    """A service as this command will use it.

    `keeps_metadata` is True only where the service is known to store and filter job metadata; elsewhere it is
    believed once a create reply has echoed it. `uses_catalog_dates` says whether the catalog's shutdown dates are
    about this service. `base_url` is None for a sandbox that is served while the command runs.

    `max_file_bytes` is what one request may carry of a file; above it the Uploads API takes it in parts, where
    the service has that (`uploads_api`; None where nobody said: OpenAI and the sandbox have it). `max_epochs` is
    how often it trains on a dataset at most, also where it chooses the number itself.
    """

    name: str
    base_url: str | None
    api_key_env: str = "OPENAI_API_KEY"
    organization: str | None = None
    project: str | None = None
    account_name: str | None = None
    keeps_metadata: bool = False
    uses_catalog_dates: bool = False
    is_sandbox: bool = False
    max_file_bytes: int = MAX_FILE_BYTES
    uploads_api: bool | None = None
    max_epochs: int = MAX_EPOCHS
    admin_key_env: str | None = None

    @property
    def admin_key_variable(self) -> str | None:
        """The variable of the key that reads the cost report; None where no such key is meant for this host."""
        own = _OPENAI_ADMIN_KEY if self.is_openai or self.is_loopback else None
        return self.admin_key_env or own

    @property
    def has_uploads_api(self) -> bool:
        """True where the service is known to take a file in parts."""
        return (self.is_openai or self.is_sandbox) if self.uploads_api is None else self.uploads_api

    @property
    def max_upload_bytes(self) -> int:
        """The largest file that the service takes in any way."""
        return max(MAX_UPLOAD_BYTES, self.max_file_bytes) if self.has_uploads_api else self.max_file_bytes

    @property
    def part_bytes(self) -> int:
        """The size of every part of a file but the last."""
        return min(MAX_PART_BYTES, self.max_file_bytes)

    @property
    def account(self) -> str:
        """Who pays, as it enters the content key: never the API key, which may rotate."""
        if self.account_name:
            return self.account_name
        parts = urlsplit(self.base_url or "")
        base_url = parts._replace(netloc=parts.netloc.lower()).geturl().rstrip("/")
        return "|".join([base_url, self.organization or "", self.project or ""])

    @property
    def is_openai(self) -> bool:
        """True where the base URL is OpenAI's own platform."""
        host = _host(self.base_url or "")
        return host == _OPENAI_DOMAIN or host.endswith(f".{_OPENAI_DOMAIN}")

    @property
    def is_loopback(self) -> bool:
        """True where nothing leaves this machine."""
        return self.base_url is None or _host(self.base_url) in _LOOPBACK_HOSTS


SANDBOX = Profile("sandbox", None, api_key_env="", account_name="sandbox", keeps_metadata=True, is_sandbox=True)


def choose_profile(settings: Settings, name: str | None = None) -> Profile:
    """Return the profile that `name`, else the settings, choose; checked, without touching the network.

    Without a name, a base URL elsewhere (OPENAI_BASE_URL) makes it `generic`, else it is `openai`. UsageError for
    an unknown name; ConfigError for a table or a URL that cannot be used.
    """
    base_url = settings.openai_base_url
    chosen = name or settings.profile or ("openai" if _is_openai_url(base_url) else "generic")
    if table := settings.profile_tables.get(chosen):
        return _checked(_from_table(chosen, table, settings))
    return _checked(_bundled(chosen, settings))


def require_profile_name(name: str, settings: Settings, *, key: str) -> None:
    """Raise ConfigError for the setting `key` unless `name` is a profile: it would apply to nothing, unseen."""
    known = profile_names(settings)
    if name not in known:
        close = nearest(name, known)
        raise ConfigError(
            "unknown_profile",
            f"There is no profile {name!r}, which {key} is about.",
            next_step=f"Did you mean {close}?" if close else f"Use one of: {', '.join(known)}.",
            key=key,
        )


def profile_names(settings: Settings) -> list[str]:
    """Return the names that --profile takes: the bundled ones, then those of the settings."""
    return ["openai", "generic", "sandbox", *settings.profile_tables]


def _bundled(name: str, settings: Settings) -> Profile:
    match name:
        case "sandbox":
            return SANDBOX
        case "openai":
            profile = Profile("openai", settings.openai_base_url or OPENAI_URL, uses_catalog_dates=True)
            profile = replace(profile, keeps_metadata=profile.is_openai)
        case "generic":
            if settings.openai_base_url is None:
                raise ConfigError(
                    "no_base_url",
                    "The profile generic needs a base URL.",
                    next_step="Set OPENAI_BASE_URL, or name a profile that has a base_url with --profile.",
                    key="OPENAI_BASE_URL",
                )
            profile = Profile("generic", settings.openai_base_url)
        case _:
            known = profile_names(settings)
            close = nearest(name, known)
            raise UsageError(
                "unknown_profile",
                f"There is no profile {name!r}.",
                next_step=f"Did you mean {close}?" if close else f"Use one of: {', '.join(known)}.",
                profile=name,
            )
    return replace(profile, organization=settings.openai_organization, project=settings.openai_project)


def _from_table(name: str, table: RawTable, settings: Settings) -> Profile:
    values = _texts(table)
    parent = values.get("extends", "generic")
    if parent not in {"openai", "generic"}:
        raise ConfigError(
            "bad_setting",
            f"{table.origin}: extends = {parent!r} names no profile that can be extended.",
            next_step='Use extends = "openai" or "generic", or leave it out.',
            key=f"profiles.{name}.extends",
        )
    base_url = values.get("base_url") or (OPENAI_URL if parent == "openai" else None)
    if base_url is None:
        raise ConfigError(
            "no_base_url",
            f"{table.origin} has no base_url.",
            next_step="Add base_url to that table.",
            key=f"profiles.{name}.base_url",
        )
    profile = Profile(
        name,
        base_url,
        api_key_env=values.get("api_key_env", "OPENAI_API_KEY"),
        admin_key_env=values.get("admin_key_env"),
        organization=values.get("organization"),
        project=values.get("project"),
        account_name=values.get("account"),
        uses_catalog_dates=parent == "openai",
        max_file_bytes=_whole(table, "max_file_bytes", MAX_FILE_BYTES, "100_000_000"),
        max_epochs=_whole(table, "max_epochs", MAX_EPOCHS, "10"),
        uploads_api=_uploads_api(table),
    )
    # OPENAI_API_KEY is OpenAI's alone: a key is never sent to a host that it was not meant for.
    if "api_key_env" not in values and not profile.is_openai:
        raise ConfigError(
            "no_api_key_env",
            f"{table.origin} does not say which variable holds its API key.",
            next_step='Add api_key_env = "NAME_OF_THE_VARIABLE" to that table.',
            key=f"profiles.{name}.api_key_env",
        )
    return replace(profile, keeps_metadata=profile.is_openai)


def _texts(table: RawTable) -> Mapping[str, str]:
    values: dict[str, str] = {}
    for key, value in table.values.items():
        if key not in _KEYS:
            close = nearest(key, _KEYS)
            raise ConfigError(
                "unknown_setting",
                f"{table.origin} has an unknown key {key!r}.",
                next_step=f"Did you mean {close!r}?" if close else f"Known keys: {', '.join(sorted(_KEYS))}.",
                key=key,
            )
        if key not in _TEXT_KEYS:
            continue
        if not isinstance(value, str) or not value or (key in _HEADER_KEYS and not _fits_header(value)):
            raise ConfigError(
                "bad_setting",
                f"{table.origin}: {key} must be a non-empty text of printable ASCII characters.",
                next_step=f'Write {key} = "…".',
                key=key,
            )
        values[key] = value
    return values


def _whole(table: RawTable, key: str, default: int, example: str) -> int:
    value = table.values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(
            "bad_setting",
            f"{table.origin}: {key} must be a whole number, 1 or more.",
            next_step=f"Write it like {key} = {example}.",
            key=key,
        )
    return value


def _uploads_api(table: RawTable) -> bool | None:
    value = table.values.get("uploads_api")
    if value is not None and not isinstance(value, bool):
        raise ConfigError(
            "bad_setting",
            f"{table.origin}: uploads_api must be true or false.",
            next_step="Write uploads_api = true where the service has the Uploads API.",
            key="uploads_api",
        )
    return value


def _fits_header(value: str) -> bool:
    return value.isascii() and value.isprintable()


def _is_openai_url(url: str | None) -> bool:
    return url is None or Profile("", url).is_openai


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # brackets that do not match, or a port that is none
        return ""
    return host or ""


def _checked(profile: Profile) -> Profile:
    if profile.base_url is None:
        return profile
    url = profile.base_url
    scheme = url.partition("://")[0]
    if scheme not in {"http", "https"} or not _host(url) or not url.isprintable() or _STRAY.search(url):
        raise ConfigError(
            "bad_base_url",
            "The base URL must be an http(s) address with a host, without a user name, a query or spaces.",
            next_step="Write it like https://host/v1.",
            key="base_url",
        )
    if scheme == "http" and not profile.is_loopback:
        raise ConfigError(
            "plain_http",
            f"The base URL {profile.base_url} would send the API key unencrypted.",
            next_step="Use https; plain http is for 127.0.0.1 only.",
            key="base_url",
        )
    return profile
