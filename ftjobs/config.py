"""Settings from flags, the environment, ./ftjobs.toml and the user's file, each with its origin."""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

from ftjobs.errors import ConfigError, nearest
from ftjobs.failpoints import VARIABLE as FAILPOINT_VARIABLE
from ftjobs.failpoints import check_failpoint
from ftjobs.money import Usd

DEFAULT: Final = "default"
LOCAL_FILE: Final = "ftjobs.toml"
USER_FILE: Final = "config.toml"
CONFIG_VARIABLE: Final = "FTJOBS_CONFIG"
_NO_SETTINGS: Final = (CONFIG_VARIABLE, FAILPOINT_VARIABLE)

_PREFIX: Final = "FTJOBS_"
_FIVE_DOLLARS: Final = Usd.parse("5")
_ONE_CENT: Final = Usd.parse("0.01")
# What training is called in a cost report is not documented. Uses of a tuned model are told by what they count.
_TRAINING: Final = "^(?!.*(input|output|cached)).*(training|fine[- _]?tuning)"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TOML_LINE = re.compile(r"at line ([0-9]+)")


@dataclass(frozen=True, slots=True)
class RawTable:
    """One `[[price]]` or `[profiles.NAME]` as written; `origin` names the file and the table.

    `is_local` is True for a table of ./ftjobs.toml, which may have come with a project.
    """

    values: Mapping[str, object]
    origin: str
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """What is in force; seconds in `_s`, None where nothing was set and nothing is assumed.

    `price_tables` runs from the user's file to ./ftjobs.toml: later is nearer and wins. `origins` tells for
    each setting "default", a flag ("--profile"), a variable ("FTJOBS_SETTLE_S") or a file.
    """

    profile: str | None = None
    ledger_url: str | None = None
    settle_s: float = 900.0
    poll_initial_s: float = 2.0
    poll_max_s: float = 60.0
    confirm_above_usd: Usd = _FIVE_DOLLARS
    price_list: str = "openai"
    budget_monthly_usd: Usd | None = None
    budget_profiles: Mapping[str, Usd] = field(default_factory=dict)
    budget_tags: Mapping[str, Usd] = field(default_factory=dict)
    reconcile_training_line_item: str = _TRAINING
    reconcile_tolerance_usd: Usd = _ONE_CENT
    log: Literal["human", "json"] = "human"
    openai_base_url: str | None = None
    openai_organization: str | None = None
    openai_project: str | None = None
    price_tables: tuple[RawTable, ...] = ()
    profile_tables: Mapping[str, RawTable] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a setting's value must be.

    `parse` raises TypeError or ValueError where the value has another form, which `form` says in words. `shown`
    says whether an error may repeat the value: a URL may hold a password.
    """

    parse: Callable[[object], object]
    form: str
    shown: bool = True


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or _CONTROL.search(value) or value != value.strip():
        raise ValueError
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    seconds = float(value)
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError
    return seconds


def _usd(value: object) -> Usd:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError
    return Usd.parse(str(value))


def _usd_by_name(value: object) -> Mapping[str, Usd]:
    if not isinstance(value, dict):
        raise TypeError
    return {_text(name): _usd(amount) for name, amount in value.items()}


def _usd_by_tag(value: object) -> Mapping[str, Usd]:
    found = _usd_by_name(value)
    for name in found:
        tag, equals, value = name.partition("=")
        # What no submission can bear would never apply, unseen.
        has_spaces = tag != tag.strip() or value != value.strip()
        if not (tag and equals and value) or has_spaces or tag.startswith("ftjobs") or not name.isprintable():
            raise ValueError
    return found


def regular_expression(text: str) -> str:
    """Return `text`, which is a regular expression; ValueError where it is none."""
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError):
        raise ValueError from None
    return text


def _pattern(value: object) -> str:
    return regular_expression(_text(value))


def _log_style(value: object) -> str:
    if value not in ("human", "json"):
        raise ValueError
    return str(value)


_TEXT = Kind(_text, "text without line breaks or spaces around it", shown=False)
_SECONDS = Kind(_seconds, "a number of seconds above 0, like 2 or 0.5")
_USD = Kind(_usd, 'an amount in USD as a decimal string, like "5.00"')

_KINDS: Final[Mapping[str, Kind]] = {
    "profile": _TEXT,
    "ledger_url": _TEXT,
    "settle_s": _SECONDS,
    "poll_initial_s": _SECONDS,
    "poll_max_s": _SECONDS,
    "confirm_above_usd": _USD,
    "price_list": _TEXT,
    "budget.monthly_usd": _USD,
    "budget.profiles": Kind(_usd_by_name, 'a table of amounts in USD, like openai = "100.00"'),
    "budget.tags": Kind(_usd_by_tag, 'a table of amounts in USD, like "team=search" = "50.00"'),
    "reconcile.training_line_item": Kind(_pattern, 'a regular expression, like "training|fine.?tuning"'),
    "reconcile.tolerance_usd": _USD,
    "log": Kind(_log_style, '"human" or "json"'),
}

SETTING_NAMES: Final = tuple(_KINDS)
"""Every setting as TOML names it; a dot is a table. Beside them stand `[[price]]` and `[profiles.NAME]`."""

_OPENAI_VARIABLES: Final = {
    "OPENAI_BASE_URL": "openai_base_url",
    "OPENAI_ORG_ID": "openai_organization",
    "OPENAI_PROJECT_ID": "openai_project",
}
_FLAGS: Final = {"ledger_url": "--ledger"}


def field_of(name: str) -> str:
    """Return the Settings field of a setting: `budget.monthly_usd` → `budget_monthly_usd`."""
    return name.replace(".", "_")


def variable_of(name: str) -> str:
    """Return the environment variable of a setting: `budget.monthly_usd` → `FTJOBS_BUDGET__MONTHLY_USD`."""
    return _PREFIX + name.replace(".", "__").upper()


def load_settings(
    *,
    flags: Mapping[str, object | None],
    environ: Mapping[str, str],
    cwd: Path,
    config_file: Path | None,
    user_config_dir: Path,
) -> Settings:
    """Return the settings in force: flags beat the environment, it beats ./ftjobs.toml, that the user's file.

    `flags` uses Settings' field names, None meaning not given. `config_file` (else FTJOBS_CONFIG) stands in
    for `user_config_dir`/config.toml and must exist. An empty variable counts as unset. ConfigError with the
    setting's name and origin for an unknown name, a value of another form, or a file that cannot be read.
    """
    chosen = config_file or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    user_path = cwd / chosen if chosen else user_config_dir / USER_FILE
    local_path = cwd / LOCAL_FILE
    files = [_File.read(user_path, label=str(chosen or user_path), required=chosen is not None)]
    if not _same(user_path, local_path):
        files.append(_File.read(local_path, label=f"./{LOCAL_FILE}", required=False, is_local=True))

    values: dict[str, Any] = {}
    origins = dict.fromkeys((*map(field_of, _KINDS), *_OPENAI_VARIABLES.values()), DEFAULT)

    def settle(name: str, value: object, origin: str, kind: Kind) -> None:
        parsed = _parsed(name, value, origin, kind)
        if isinstance(parsed, Mapping):  # a nearer file adds to a table, and wins where both name the same
            parsed = {**values.get(field_of(name), {}), **parsed}
        values[field_of(name)] = parsed
        origins[field_of(name)] = origin

    for file in files:
        for name, value in file.settings.items():
            settle(name, value, file.label, _KINDS[name])
    for name, value in _from_environment(environ).items():
        settle(name, value, variable_of(name), _KINDS[name])
    for variable, name in _OPENAI_VARIABLES.items():
        if environ.get(variable):
            settle(name, environ[variable], variable, _TEXT)
    for name, kind in _KINDS.items():
        if (value := flags.get(field_of(name))) is not None:
            settle(name, value, _FLAGS.get(name, "--" + field_of(name).replace("_", "-")), kind)

    settings = Settings(
        **values,
        price_tables=tuple(table for file in files for table in file.prices),
        profile_tables={name: table for file in files for name, table in file.profiles.items()},
        origins=origins,
    )
    if settings.poll_initial_s > settings.poll_max_s:
        raise ConfigError(
            "bad_setting",
            f"poll_initial_s ({settings.poll_initial_s:g}, {origins['poll_initial_s']}) is above poll_max_s "
            f"({settings.poll_max_s:g}, {origins['poll_max_s']}).",
            next_step="Raise poll_max_s, or lower poll_initial_s.",
            key="poll_initial_s",
        )
    return settings


@dataclass(frozen=True, slots=True)
class _File:
    label: str
    settings: Mapping[str, object]
    prices: tuple[RawTable, ...]
    profiles: Mapping[str, RawTable]

    @classmethod
    def read(cls, path: Path, *, label: str, required: bool, is_local: bool = False) -> _File:
        text = _read_text(path, label, required=required)
        try:
            document = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
            line = _TOML_LINE.search(reason)
            raise ConfigError(
                "bad_config_file",
                f"{label} is not valid TOML: {reason.rstrip('.')}.",
                next_step=f"Correct {label}.",
                file=label,
                line=int(line[1]) if line else None,
            ) from None
        prices = document.pop("price", [])
        profiles = document.pop("profiles", {})
        if not (isinstance(prices, list) and all(isinstance(price, dict) for price in prices)):
            _refuse("price", label, "a list of tables, each headed [[price]]", text)
        if not (isinstance(profiles, dict) and all(isinstance(table, dict) for table in profiles.values())):
            _refuse("profiles", label, "tables, each headed [profiles.NAME]", text)
        short = label.removeprefix("./")
        return cls(
            label,
            dict(_flat(document, label, text)),
            tuple(RawTable(price, f"{short}, price {place}") for place, price in enumerate(prices, 1)),
            {name: RawTable(table, f"{short}, profile {name}", is_local) for name, table in profiles.items()},
        )


def _read_text(path: Path, label: str, *, required: bool) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if not required:
            return ""
        raise ConfigError(
            "no_config_file",
            f"There is no settings file {label}.",
            next_step=f"Check the path after --config or in {CONFIG_VARIABLE}.",
            file=label,
        ) from None
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        reason = getattr(error, "strerror", None) or str(error)
    raise ConfigError(
        "unreadable_config_file",
        f"The settings file {label} cannot be read: {reason}.",
        next_step="Make it a readable UTF-8 file, or name another one with --config.",
        file=label,
    )


def _flat(document: Mapping[str, object], label: str, text: str) -> Iterable[tuple[str, object]]:
    tables = {name.partition(".")[0] for name in _KINDS if "." in name}
    for key, value in document.items():
        if key not in tables:
            inner = {key: value}
        elif isinstance(value, dict):
            inner = {f"{key}.{name}": item for name, item in value.items()}
        else:
            _refuse(key, label, f"a table, headed [{key}]", text)
        for name, item in inner.items():
            if name not in _KINDS:
                _unknown(name, (*_KINDS, "price", "profiles"), label, _line_of(name, text))
            yield name, item


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    check_failpoint(environ)
    names = {variable_of(name): name for name in _KINDS}
    found: dict[str, str] = {}
    for variable, value in environ.items():
        if not variable.startswith(_PREFIX) or variable in _NO_SETTINGS or not value:
            continue
        if variable not in names:
            _unknown(variable, (*names, *_NO_SETTINGS), "the environment", None)
        found[names[variable]] = value
    return found


def _parsed(name: str, value: object, origin: str, kind: Kind) -> object:
    try:
        return kind.parse(value)
    except (TypeError, ValueError, OverflowError):
        shown = f" ({repr(value)[:40]})" if kind.shown else ""
        raise ConfigError(
            "bad_setting",
            f"{name}{shown} from {origin} is not {kind.form}.",
            next_step=f"Set {name} to {kind.form}, or remove it.",
            key=name,
            origin=origin,
        ) from None


def _refuse(key: str, label: str, form: str, text: str) -> NoReturn:
    line = _line_of(key, text)
    raise ConfigError(
        "bad_setting",
        f"{key} in {_place(label, line)} is not {form}.",
        next_step=f"Write {key} as {form}.",
        key=key,
        origin=label,
        line=line,
    )


def _unknown(name: str, known: Iterable[str], origin: str, line: int | None) -> NoReturn:
    close = nearest(name, known)
    raise ConfigError(
        "unknown_setting",
        f"Unknown setting {name} in {_place(origin, line)}.",
        next_step=f"Did you mean {close}?" if close else f"Remove it; settings are {', '.join(known)}.",
        key=name,
        origin=origin,
        line=line,
        nearest=close,
    )


def _place(label: str, line: int | None) -> str:
    return f"{label}, line {line}" if line else label


def _line_of(name: str, text: str) -> int | None:
    key = re.escape(name.rpartition(".")[2])
    match = re.search(rf"""^[ \t]*\[*[ \t]*["']?(?:[\w-]+\.)*{key}\b""", text, re.MULTILINE)
    return text.count("\n", 0, match.end()) + 1 if match else None


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
