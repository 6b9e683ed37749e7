"""Which service a command talks to, and what is known about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from ftjobs.config import RawTable, Settings
from ftjobs.errors import ConfigError, UsageError, nearest
from ftjobs.jobs.spec import MAX_EPOCHS
from ftjobs.provider.profile_table import bundled_profiles, parse_table

OPENAI_URL = "https://api.openai.com/v1"
_OPENAI_DOMAIN = "openai.com"
_BENT_BY_ENVIRONMENT = ("openai", "generic")
_OPENAI_ADMIN_KEY = "OPENAI_ADMIN_KEY"
_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
# What may hide another host or a key, or would end up before the path that is called.
_STRAY = re.compile(r"[\s@\\?#]")

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

    `lacks` names what it does not have (`profile_table.FEATURES`); `statuses` says which of the API's words its
    own status words mean; `file_ready` are the words of a file that can be trained on, None being no word at all.
    Where `hyperparameters` has bounds, these are all that it takes beside the epochs. `extra_body` goes into each
    create call.
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
    token_command: tuple[str, ...] = ()
    auth: Literal["bearer", "api-key"] = "bearer"
    any_model: bool = False
    lacks: frozenset[str] = frozenset()
    statuses: Mapping[str, str] = field(default_factory=dict)
    file_ready: frozenset[str | None] = frozenset({"processed", None})
    auto: str | int = "auto"
    hyperparameters_in: Literal["method", "top"] = "method"
    hyperparameters: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    suffix_pattern: str | None = None
    byte_order_mark: bool = False

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
        return self.is_within([_OPENAI_DOMAIN])

    def is_within(self, domains: Iterable[str]) -> bool:
        """Return whether the base URL's host is one of these domains, or below one."""
        host = f".{_host(self.base_url or '')}"
        return any(host.endswith(f".{domain}") for domain in domains)

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
        return _checked(_from_table(chosen, table))
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
    return list(dict.fromkeys([*bundled_profiles(), SANDBOX.name, *settings.profile_tables]))


def profiles_where(settings: Settings, key: str, value: object) -> frozenset[str]:
    """Return the profiles whose tables say so, or the ones that they extend; a broken table says nothing."""
    parents = bundled_profiles()

    def said(name: str) -> object:
        own = table.values if (table := settings.profile_tables.get(name)) else {}
        parent = own.get("extends", name if name in parents else "generic")
        inherited = parents[parent].values if isinstance(parent, str) and parent in parents else {}
        return own.get(key, inherited.get(key))

    return frozenset(name for name in profile_names(settings) if said(name) == value)


def _bundled(name: str, settings: Settings) -> Profile:
    if name == SANDBOX.name:
        return SANDBOX
    if name not in bundled_profiles():
        known = profile_names(settings)
        close = nearest(name, known)
        raise UsageError(
            "unknown_profile",
            f"There is no profile {name!r}.",
            next_step=f"Did you mean {close}?" if close else f"Use one of: {', '.join(known)}.",
            profile=name,
        )
    values = dict(bundled_profiles()[name].values)
    if name in _BENT_BY_ENVIRONMENT:  # the SDK's own variables are about these two, and about no other host
        environment = {
            "base_url": settings.openai_base_url,
            "organization": settings.openai_organization,
            "project": settings.openai_project,
        }
        values |= {key: value for key, value in environment.items() if value}
    if "base_url" not in values:
        raise _no_base_url(name)
    return _profile(name, values)


def _from_table(name: str, table: RawTable) -> Profile:
    own = parse_table(table)
    parents = bundled_profiles()
    parent = own.get("extends", name if name in parents else "generic")
    if parent not in parents:
        raise ConfigError(
            "bad_setting",
            f"{table.origin}: extends = {parent!r} names no profile that can be extended.",
            next_step=f"Use one of: {', '.join(parents)}; or leave it out.",
            key=f"profiles.{name}.extends",
        )
    profile = _profile(name, {**parents[parent].values, **own})
    if profile.base_url is None:
        raise ConfigError(
            "no_base_url",
            f"{table.origin} has no base_url.",
            next_step="Add base_url to that table.",
            key=f"profiles.{name}.base_url",
        )
    unused = {"method": "hyperparameters", "top": "method"}[profile.hyperparameters_in]
    if unused in profile.extra_body:
        raise ConfigError(
            "bad_setting",
            f"{table.origin}: extra_body has {unused}, which this service does not take.",
            next_step="Write it where hyperparameters_in says that they stand, or change hyperparameters_in.",
            key="extra_body",
        )
    if profile.byte_order_mark and profile.has_uploads_api:
        raise ConfigError(
            "bad_setting",
            f"{table.origin}: byte_order_mark is for files that are sent as one, and this service takes parts.",
            next_step="Add uploads_api = false to that table, or remove byte_order_mark.",
            key="byte_order_mark",
        )
    # A key is never sent to a host that it was not meant for.
    hosts = parents[parent].key_hosts
    if not own.keys() & {"api_key_env", "token_command"} and hosts is not None and not profile.is_within(hosts):
        raise ConfigError(
            "no_api_key_env",
            f"{table.origin} does not say which variable holds its API key.",
            next_step='Add api_key_env = "NAME_OF_THE_VARIABLE" to that table.',
            key=f"profiles.{name}.api_key_env",
        )
    return profile


def _profile(name: str, values: Mapping[str, Any]) -> Profile:
    """Return the profile of these values, which `parse_table` returned."""
    renamed = {"account": "account_name", "catalog_dates": "uses_catalog_dates"}
    not_its_own = {"extends", "models", "prices", "billing"}  # `profiles_where` tells of prices and bills
    fields = {renamed.get(key, key): value for key, value in values.items() if key not in not_its_own}
    profile = Profile(name, fields.pop("base_url", None), any_model=values.get("models") == "any", **fields)
    return replace(profile, keeps_metadata=profile.is_openai and "metadata" not in profile.lacks)


def _no_base_url(name: str) -> ConfigError:
    if name == "generic":
        return ConfigError(
            "no_base_url",
            "The profile generic needs a base URL.",
            next_step="Set OPENAI_BASE_URL, or name a profile that has a base_url with --profile.",
            key="OPENAI_BASE_URL",
        )
    return ConfigError(
        "no_base_url",
        f"The profile {name} needs the base URL of your own resource.",
        next_step=f'Add to ./ftjobs.toml: [profiles.{name}] and below it base_url = "https://…"',
        key=f"profiles.{name}.base_url",
    )


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
