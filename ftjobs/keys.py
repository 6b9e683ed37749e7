"""API keys: read from the environment alone, and shown to nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import NoReturn

from ftjobs.errors import ConfigError

_TOKEN_AGE_S = 300.0
_TOKEN_TIMEOUT_S = 60


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


class Token:
    """A bearer token that a command prints (Microsoft Entra's lives an hour or so), fetched anew every 5 minutes.

    `on_new` is told each one before it is used, so that no log shows it. `reveal()` may be called from any thread.
    """

    __slots__ = ("_command", "_fetched_at", "_lock", "_monotonic", "_on_new", "_value", "name")

    def __init__(
        self,
        command: Sequence[str],
        *,
        on_new: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = command[0]
        self._command = tuple(command)
        self._on_new = on_new
        self._monotonic = monotonic
        self._lock = Lock()
        self._value: str | None = None
        self._fetched_at = 0.0

    def __repr__(self) -> str:
        return "***"

    def reveal(self) -> str:
        """Return a token; ConfigError `no_token` where the command brings none."""
        with self._lock:
            if self._value is None or self._monotonic() - self._fetched_at > _TOKEN_AGE_S:
                value = self._fetched()
                self._on_new(value)
                self._value, self._fetched_at = value, self._monotonic()
            return self._value

    def _fetched(self) -> str:
        import subprocess

        try:
            # Not through a shell, and nothing to read from: a command that asks for a password must not hang.
            ran = subprocess.run(  # noqa: S603 - the user's own settings name it
                self._command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_TOKEN_TIMEOUT_S, check=False
            )
        except (OSError, ValueError) as error:
            raise _no_token(self.name, getattr(error, "strerror", None) or str(error)) from None
        except subprocess.TimeoutExpired:
            raise _no_token(self.name, f"it took more than {_TOKEN_TIMEOUT_S} s") from None
        if ran.returncode != 0:
            said = ran.stderr.decode("utf-8", "replace").strip().splitlines()
            raise _no_token(self.name, said[-1][:200] if said else f"it ended with {ran.returncode}")
        token = ran.stdout.decode("utf-8", "replace").strip()
        if flaw := _flaw(token):
            raise _no_token(self.name, f"it printed {flaw}")
        return token


Credential = Secret | Token
"""What opens an account."""


def _no_token(command: str, reason: str) -> ConfigError:
    return ConfigError(
        "no_token",
        f"token_command ({command}) brought no token: {reason.rstrip('.')}.",
        next_step="Run that command by hand until it prints a token alone, then run the same command again.",
        key="token_command",
    )


def api_key(environ: Mapping[str, str], variable: str) -> Secret:
    """Return the key that `variable` holds.

    ConfigError `no_api_key` where it is missing or empty, `bad_api_key` where no HTTP header can carry it:
    a stray line break would look like a network failure later.
    """
    value = environ.get(variable, "")
    if not value:
        raise _no_key("API key", variable, then="To practise without one, add --profile sandbox.")
    return _checked(value, variable)


def admin_key(environ: Mapping[str, str], variable: str, *, made_at: str) -> Secret:
    """Return the admin key that `variable` holds; ConfigError as for an API key, which says where one is made."""
    value = environ.get(variable, "")
    if not value:
        raise _no_key("admin key", variable, f"An owner of the organization makes one at {made_at}.")
    return _checked(value, variable)


def _no_key(what: str, variable: str, first: str = "", *, then: str = "") -> ConfigError:
    step = f"Set it in this shell (export {variable}=...), then run the same command again."
    return ConfigError(
        f"no_{what.lower().replace(' ', '_')}",
        f"There is no {what}: the environment variable {variable} is not set.",
        next_step=" ".join(filter(None, (first, step, then))),
        variable=variable,
    )


def _checked(value: str, variable: str) -> Secret:
    if flaw := _flaw(value):
        raise ConfigError(
            "bad_api_key",
            f"The API key in {variable} cannot be used: it holds {flaw}.",
            next_step=f"Set {variable} again, to the key alone.",
            variable=variable,
        )
    return Secret(value, variable)


def _flaw(value: str) -> str | None:
    """Return what keeps a header from carrying `value` as a key, None where nothing does."""
    if not value:
        return "nothing"
    if not value.isascii():
        return "characters that are not ASCII"
    if value.strip() != value:
        return "white space or a line break around the key"
    if any(not character.isprintable() or character.isspace() for character in value):
        return "white space or control characters"
    return None
