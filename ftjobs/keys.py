"""API keys: read from the environment alone, and shown to nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from ftjobs.errors import ConfigError


class Secret:
    """A value that only `reveal()` gives away: texts, copies, dumps and pickles do not hold it."""

    __slots__ = ("_value", "name")

    def __init__(self, value: str, name: str) -> None:
        self._value = value
        self.name = name

    def reveal(self) -> str:
        """Return the value; hand it on, keep it nowhere."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret is not stored")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not stored")


def api_key(environ: Mapping[str, str], variable: str) -> Secret:
    """Return the key that `variable` holds.

    ConfigError `no_api_key` where it is missing or empty, `bad_api_key` where no HTTP header can carry it:
    a stray line break would look like a network failure later.
    """
    value = environ.get(variable, "")
    if not value:
        raise _no_key("API key", variable)
    return _checked(value, variable)


def admin_key(environ: Mapping[str, str], variable: str, *, made_at: str) -> Secret:
    """Return the admin key that `variable` holds; ConfigError as for an API key, which says where one is made."""
    value = environ.get(variable, "")
    if not value:
        raise _no_key("admin key", variable, f"An owner of the organization makes one at {made_at}; ")
    return _checked(value, variable)


def _no_key(what: str, variable: str, hint: str = "") -> ConfigError:
    step = f"set it in this shell (export {variable}=...), then run the same command again."
    return ConfigError(
        f"no_{what.lower().replace(' ', '_')}",
        f"There is no {what}: the environment variable {variable} is not set.",
        next_step=f"{hint}{step}" if hint else f"{step[0].upper()}{step[1:]}",
        variable=variable,
    )


def _checked(value: str, variable: str) -> Secret:
    if not value.isascii():
        flaw = "characters that are not ASCII"
    elif value.strip() != value:
        flaw = "white space or a line break around the key"
    elif any(not character.isprintable() or character.isspace() for character in value):
        flaw = "white space or control characters"
    else:
        return Secret(value, variable)
    raise ConfigError(
        "bad_api_key",
        f"The API key in {variable} cannot be used: it holds {flaw}.",
        next_step=f"Set {variable} again, to the key alone.",
        variable=variable,
    )
