"""What the table of a profile may hold, ours (`profiles.toml`) and a user's alike: one line a key."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from ftjobs.config import Kind, RawTable, regular_expression
from ftjobs.errors import ConfigError, nearest
from ftjobs.jobs.job import API_WORDS
from ftjobs.jobs.spec import FIELDS as JOB_FIELDS

FEATURES: Final = ("metadata", "seed", "suffix", "validation_file", "events", "checkpoints", "cursor")
"""What a service may lack: fields of the create call, lists of a job, and lists that come in pages."""
NUMBERS: Final = ("batch_size", "learning_rate_multiplier", "learning_rate", "beta")
"""Hyperparameters that a service may take within bounds of its own."""


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _header(value: object) -> str:
    if not (_text(value).isascii() and _text(value).isprintable()):
        raise ValueError
    return _text(value)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise TypeError
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _one_of(*words: str) -> Kind:
    def parse(value: object) -> str:
        if value not in words:
            raise ValueError
        return _text(value)

    return Kind(parse, " or ".join(f'"{word}"' for word in words))


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(_text(word) for word in value)


def _command(value: object) -> tuple[str, ...]:
    if not _words(value):
        raise ValueError
    return _words(value)


def _features(value: object) -> frozenset[str]:
    found = frozenset(_words(value))
    if not found <= set(FEATURES):
        raise ValueError
    return found


def _ready_words(value: object) -> frozenset[str | None]:
    if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
        raise TypeError
    return frozenset(word or None for word in value)


def _statuses(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise TypeError
    for word, meaning in value.items():
        # A job that runs must not free its key, nor one that has ended never settle.
        if meaning not in API_WORDS or (word in API_WORDS and meaning != word):
            raise ValueError
    return {_text(word): _text(meaning) for word, meaning in value.items()}


def _auto(value: object) -> str | int:
    if value != "auto" and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError
    return value if isinstance(value, int) else "auto"


def _bounds(value: object) -> Mapping[str, tuple[float, float]]:
    if not isinstance(value, dict) or not value.keys() <= set(NUMBERS):
        raise TypeError
    found = {name: tuple(map(_number, pair)) for name, pair in value.items() if isinstance(pair, list)}
    if len(found) < len(value) or any(len(pair) != 2 or pair[0] > pair[1] for pair in found.values()):
        raise ValueError
    return {name: (pair[0], pair[1]) for name, pair in found.items()}


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _extra_body(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict) or value.keys() & (JOB_FIELDS - {"hyperparameters", "method"}):
        raise TypeError
    json.dumps(value, allow_nan=False)  # TOML has dates, and JSON has none
    if _names(value) & {"n_epochs"}:
        raise ValueError  # what is estimated and consented to is what must be sent
    return value


def _names(value: object) -> set[str]:
    if not isinstance(value, dict):
        return set()
    return set(value).union(*map(_names, value.values()))


def _pattern(value: object) -> str:
    return regular_expression(_text(value))


_TEXT = Kind(_text, "a text that is not empty")
_HEADER = Kind(_header, "a text of printable ASCII characters")
_WHOLE = Kind(_whole, "a whole number, 1 or more")
_FLAG = Kind(_flag, "true or false")

_KINDS: Final[Mapping[str, Kind]] = {
    "extends": _TEXT,
    "base_url": _TEXT,
    "api_key_env": _TEXT,
    "admin_key_env": _TEXT,
    "token_command": Kind(_command, 'a list of words, like ["az", "account", "get-access-token"]'),
    "auth": _one_of("bearer", "api-key"),
    "account": _TEXT,
    "organization": _HEADER,
    "project": _HEADER,
    "models": _one_of("catalog", "any"),
    "lacks": Kind(_features, f"a list of {', '.join(FEATURES)}"),
    "statuses": Kind(
        _statuses, 'a table of words, like { stopped = "cancelled" }, the API\'s own last words left'
    ),
    "file_ready": Kind(_ready_words, 'a list of words, "" for none, like ["processed", ""]'),
    "auto": Kind(_auto, '"auto" or a whole number'),
    "hyperparameters_in": _one_of("method", "top"),
    "hyperparameters": Kind(_bounds, f"a table of bounds, like batch_size = [1, 32], of {', '.join(NUMBERS)}"),
    "extra_body": Kind(_extra_body, "a table of fields that ftjobs does not send itself, as JSON has them"),
    "suffix_pattern": Kind(_pattern, "a regular expression"),
    "byte_order_mark": _FLAG,
    "prices": _one_of("bundled", "own"),
    "billing": _one_of("trained_tokens", "manual"),
    "catalog_dates": _FLAG,
    "max_file_bytes": _WHOLE,
    "uploads_api": _FLAG,
    "max_epochs": _WHOLE,
}

PROFILE_KEYS: Final = tuple(_KINDS)
"""Every key of a `[profiles.NAME]` table."""


def parse_table(table: RawTable) -> dict[str, Any]:
    """Return the values of a user's table by key, each in its own type; ConfigError for the key at fault."""
    for key in table.values:
        if key not in _KINDS:
            close = nearest(key, _KINDS)
            raise ConfigError(
                "unknown_setting",
                f"{table.origin} has an unknown key {key!r}.",
                next_step=f"Did you mean {close!r}?" if close else f"Known keys: {', '.join(sorted(_KINDS))}.",
                key=key,
            )
    if "token_command" in table.values and table.is_local:
        raise ConfigError(
            "command_in_project",
            f"{table.origin} names a command to run: a file that may come with a project must not.",
            next_step="Move token_command to your own settings file (`ftjobs doctor` prints its path).",
            key="token_command",
        )
    return {key: _parsed(key, value, table.origin) for key, value in table.values.items()}


def _parsed(key: str, value: object, origin: str) -> object:
    try:
        return _KINDS[key].parse(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise ConfigError(
            "bad_setting",
            f"{origin}: {key} must be {_KINDS[key].form}.",
            next_step=f"Write {key} as {_KINDS[key].form}, or remove it.",
            key=key,
        ) from None


@dataclass(frozen=True, slots=True)
class Bundled:
    """A profile of ours: its values by key, and the domains that its key may go to (None: any)."""

    values: Mapping[str, Any]
    key_hosts: tuple[str, ...] | None


@cache
def bundled_profiles() -> Mapping[str, Bundled]:
    """Return the profiles that ship with ftjobs, but the sandbox, by name."""
    tables = tomllib.loads(files("ftjobs.provider").joinpath("profiles.toml").read_text("utf-8"))
    found = {}
    for name, table in tables.items():
        hosts = table.pop("key_hosts", None)
        values = parse_table(RawTable(table, f"profiles.toml, profile {name}"))
        found[name] = Bundled(values, None if hosts is None else tuple(hosts))
    return found
