"""Completion in the shell: verbs, options, and what the ledger and the settings know."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ftjobs.cli.options import Globals, globals_of
from ftjobs.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from ftjobs.app import App

VARIABLE: Final = "_FTJOBS_COMPLETE"
_PROGRAM: Final = "ftjobs"
_SHELLS: Final = ("bash", "zsh", "fish")

# bash globs what it is given and zsh evaluates it: a job of a strange service must not get as far as that.
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/,=-]*")

Found = Iterable[tuple[str, str | None]]


def complete(root: Any, instruction: str) -> int:
    """What is asked for is on stdout: by `complete_bash` the words that may follow, by `source_bash` the script.

    Whatever goes wrong, there are no words and no message: somebody is typing.
    """
    from typer import _completion_classes as shells
    from typer.completion import shell_complete

    # Through rich the help texts of 50 jobs take longer than all else, and lose what stands in brackets.
    shells._sanitize_help_text = lambda text: text
    try:
        shells.completion_init()
        if instruction == "complete_bash":
            from ftjobs.cli.completing_bash import mend

            mend()
        return shell_complete(root, {"obj": Globals()}, _PROGRAM, VARIABLE, instruction)
    except SystemExit as ending:  # how fish is told whether there are any
        return int(ending.code or 0)
    except Exception:
        return 1


def teach(command: Any) -> Any:
    """Return the command, whose jobs, models, profiles, periods and tags complete from now on; it cannot run."""
    for param in command.get_params(typer.Context(command)):
        param.process_value = partial(_unread, param)
        find = _FINDS.get(param.metavar) or _FINDS.get(param.opts[-1])
        takes_strange_jobs = find is _jobs and command.name == "adopt"
        if find is not None and not takes_strange_jobs:
            param.shell_complete = partial(_items, find)
    return command


def shell_options() -> list[Any]:
    """Return the root's own options, which print and install the script."""
    holder = typer.Typer(add_completion=False)
    holder.command()(_declare)
    return [param for param in typer.main.get_command(holder).params if param.name != "help"]


def _unread(param: Any, ctx: typer.Context, value: object) -> object:
    """Return the value as it was typed: to convert it takes pydantic, which takes longer than all else."""
    return param.callback(ctx, param, value) if param.callback else value


def _items(find: Callable[[App, str], Found], ctx: typer.Context, incomplete: str) -> list[Any]:
    from typer._click.shell_completion import CompletionItem

    from ftjobs.app import App

    given = globals_of(ctx)
    config = Path(given.config) if given.config else None
    found = find(App.open(flags=given.flags, config_file=config), incomplete)
    return [
        CompletionItem(value, help=", ".join(_SAFE.findall(about or "")) or None)
        for value, about in found
        if value.startswith(incomplete) and _SAFE.fullmatch(value)
    ]


def _jobs(app: App, incomplete: str) -> Found:
    from ftjobs.ledger.glance import newest_ids
    from ftjobs.ledger.place import ledger_path

    for each in newest_ids(ledger_path(app.ledger_url), incomplete):
        is_meant = each.job_id and each.job_id.startswith(incomplete)
        yield each.job_id if is_meant and each.job_id else each.submission_id, f"{each.status} {each.model or ''}"


def _submissions(app: App, incomplete: str) -> Found:
    from ftjobs.ledger.glance import newest_ids
    from ftjobs.ledger.place import ledger_path

    for each in newest_ids(ledger_path(app.ledger_url), incomplete, uncertain=True):
        yield each.submission_id, f"{each.status} {each.model or ''}"


def _models(_app: App, incomplete: str) -> Found:
    from ftjobs.models.catalog import load_catalog

    named, comma, _ = incomplete.rpartition(",")
    return [
        (f"{named}{comma}{name}", None) for model in load_catalog().models for name in (*model.aliases, model.name)
    ]


def _periods(app: App, _incomplete: str) -> Found:
    from ftjobs.ledger.glance import months
    from ftjobs.ledger.place import ledger_path

    return [("last", None), *((month, None) for month in months(ledger_path(app.ledger_url)))]


def _tags(app: App, _incomplete: str) -> Found:
    return [(f"{name}={value}", None) for name, value in _tag_pairs(app)]


def _tag_names(app: App, _incomplete: str) -> Found:
    return [(name, None) for name in dict(_tag_pairs(app))]


def _groupings(app: App, _incomplete: str) -> Found:
    from ftjobs.ledger.groups import NAMES

    return [*((name, None) for name in NAMES), *((f"tag:{name}", None) for name in dict(_tag_pairs(app)))]


def _tag_pairs(app: App) -> list[tuple[str, str]]:
    from ftjobs.ledger.glance import tag_pairs
    from ftjobs.ledger.place import ledger_path

    return tag_pairs(ledger_path(app.ledger_url))


def _profiles(app: App, _incomplete: str) -> Found:
    from ftjobs.provider.profiles import profile_names

    return [(name, None) for name in profile_names(app.settings)]


_FINDS: Final[Mapping[str, Callable[[App, str], Found]]] = {
    "JOB": _jobs,
    "SUBMISSION": _submissions,
    "PERIOD": _periods,
    "MODEL": _models,
    "--model": _models,
    "K=V": _tags,
    "K=V...": _tags,
    "--remove": _tag_names,
    "--by": _groupings,
    "--profile": _profiles,
}
"""A parameter's metavar, or its long option → what may stand there, with what is known about it."""


def _install(ctx: typer.Context, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from typer._completion_shared import install

    try:
        shell, path = install(_shell(), _PROGRAM, VARIABLE)
    except OSError as error:
        raise ConfigError(
            "completion_not_installed",
            f"Completion cannot be installed: {error.strerror} ({error.filename}).",
            next_step="Print it with --show-completion, and put it where your shell reads it.",
            file=str(error.filename),
        ) from None
    print(f"Completion for {shell} is in {path}; it works in the next terminal.")
    raise typer.Exit


def _show(ctx: typer.Context, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from typer._completion_shared import get_completion_script

    print(get_completion_script(prog_name=_PROGRAM, complete_var=VARIABLE, shell=_shell()))
    raise typer.Exit


def _shell() -> str:
    """Return the shell that this process runs under; UsageError where it cannot be told."""
    try:
        import shellingham  # type: ignore[import-untyped]

        shell, _ = shellingham.detect_shell()
    except (ImportError, OSError, RuntimeError):  # its own ShellDetectionFailure is an OSError
        shell = Path(os.environ.get("SHELL", "")).name
    if shell not in _SHELLS:
        raise UsageError(
            "unknown_shell",
            f"Completion is for {', '.join(_SHELLS)}; this is {shell or 'none of them'}.",
            next_step=f"Set SHELL, or print another shell's script with: {VARIABLE}=source_zsh {_PROGRAM}",
        )
    return str(shell)


def _declare(
    *,
    install: Annotated[
        bool,
        typer.Option(
            "--install-completion",
            help="Complete words in this shell from now on.",
            callback=_install,
            expose_value=False,
            is_eager=True,
        ),
    ] = False,
    show: Annotated[
        bool,
        typer.Option(
            "--show-completion",
            help="Print the script of it.",
            hidden=True,  # for those whose home is not to be changed; the README names it
            callback=_show,
            expose_value=False,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Declare the options; typer builds them from this signature."""
