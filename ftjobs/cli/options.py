"""The options that every verb shares, before it and after it, and where they land."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, TextIO, get_args

import typer
from typer.core import TyperCommand, TyperGroup

from ftjobs import __version__
from ftjobs.cli.examples import EXAMPLES
from ftjobs.errors import UsageError, nearest
from ftjobs.logs import scrub_text
from ftjobs.reports.envelope import dumps, in_ascii

JobArgument = Annotated[
    str, typer.Argument(metavar="JOB", help="Job or submission id, a unique prefix of one, or last.")
]

QUIET: Final = -1
VERBOSE: Final = 1

_TOLD_COMMAND = re.compile(
    r"\bftjobs (?=(?:submit|status|watch|show|cancel|results|adopt|prices|ledger|adjust|tag|reconcile|report"
    r"|doctor)\b)"
)


@dataclass(slots=True)
class Globals:
    """What the global options said, None where nothing; `ctx.obj` of every command. The later place wins.

    `verbosity` is -1 (-q), 0 or 1 (-v). `sandbox` is set by whoever resolves the profile, and stamps errors.
    """

    profile: str | None = None
    config: Path | None = None
    ledger_url: str | None = None
    json: bool = False
    plain: bool = False
    verbosity: int = 0
    sandbox: bool = False

    @property
    def flags(self) -> Mapping[str, object | None]:
        """Return the settings that flags gave, as `load_settings` takes them."""
        return {"profile": self.profile, "ledger_url": self.ledger_url}

    def is_plain_on(self, stream: TextIO) -> bool:
        """Return whether nothing is drawn on `stream`: with --plain, and on a terminal that knows lines alone."""
        return self.plain or (os.environ.get("TERM") == "dumb" and stream.isatty())

    def spelled(self, text: str) -> str:
        """Return `text` with the commands in it as they must be typed: with this command's service and ledger."""
        options = {"--profile": self.profile, "--config": self.config, "--ledger": self.ledger_url}
        given = "".join(
            f"{flag} {shlex.quote(scrub_text(str(value)))} " for flag, value in options.items() if value
        )
        return _TOLD_COMMAND.sub(lambda match: match[0] + given, text)


def globals_of(ctx: typer.Context) -> Globals:
    """Return the global options of this command line."""
    found = ctx.find_object(Globals)
    if found is None:
        raise RuntimeError("a command runs under the root, which brings the Globals")
    return found


def print_json(value: Mapping[str, object]) -> None:
    """One line of JSON is on stdout, in ASCII where its encoding cannot hold the text."""
    text = dumps(value)
    if not encodable(text, sys.stdout):
        text = dumps(value, ascii_only=True)
    print(text)


def print_json_parts(parts: Callable[[], Iterable[str]]) -> None:
    """The JSON text whose parts `parts()` yields, each time anew, is on stdout as `print_json` has it."""
    fits = all(encodable(part, sys.stdout) for part in parts())
    sys.stdout.writelines(part if fits else in_ascii(part) for part in parts())
    print()


def encodable(text: str, stream: Any) -> bool:
    """Return whether `stream`'s encoding holds every character of `text`."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


class Verb(TyperCommand):
    """A command that takes the global options too; its help ends with an example."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *_shared()]

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, which take their values as `_Reading` has it."""
        return _light(super().get_params(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the usage with a required argument as a plain word."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The help names arguments, options and global options, and shows an example."""
        write_sections(formatter, records(self, ctx, shared=False))
        _write_shared(self, ctx, formatter)
        _write_example(ctx, formatter)


class Family(TyperGroup):
    """A command with sub-commands that takes the global options too and knows the nearest command."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *_shared()]

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, which take their values as `_Reading` has it."""
        return _light(super().get_params(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The help names commands, options and global options, and shows an example."""
        self.format_commands(ctx, formatter)
        write_sections(formatter, records(self, ctx, shared=False))
        _write_shared(self, ctx, formatter)
        _write_example(ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that `args` start with; UsageError names the nearest where there is none."""
        known = self.list_commands(ctx)
        if args[0] in known or args[0].startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        close = nearest(args[0], known)
        raise UsageError(
            "unknown_command",
            f"There is no command {args[0]!r}.",
            next_step=f"Did you mean {close!r}?" if close else f"`{ctx.command_path} --help` lists the commands.",
            command=args[0],
            nearest=close,
        )


class _Reading:
    """What makes a parameter's value of a word: typer, unless there is nothing to make.

    typer asks pydantic, whose import takes longer than a command line needs for all else.
    """

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value; typer's BadParameter for a word that is none."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        wanted = param.type_descriptor.annotation
        if type(value) is wanted or value in get_args(wanted):
            return value
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def _light(params: list[Any]) -> list[Any]:
    for param in params:
        param._runtime_param = _Reading()
    return params


def records(command: Any, ctx: Any, *, shared: bool) -> dict[str, list[tuple[str, str]]]:
    """Return section → (how it is typed, its meaning), of the command's own parameters or of the shared ones."""
    titles = {"argument": "Arguments", "option": "Global options" if shared else "Options"}
    found: dict[str, list[tuple[str, str]]] = {}
    for param in command.get_params(ctx):
        is_shared = param in _shared() or param is command.get_help_option(ctx)
        if is_shared is shared and (record := param.get_help_record(ctx)):
            if param.param_type_name == "argument":
                record = param.display_name_raw, record[1]  # without "<str>", which says nothing
            found.setdefault(titles[param.param_type_name], []).append(record)
    return found


def write_sections(formatter: Any, sections: Mapping[str, list[tuple[str, str]]]) -> None:
    """The sections stand in the help."""
    for title, rows in sections.items():
        with formatter.section(title):
            formatter.write_dl(rows)


def _write_shared(command: Any, ctx: Any, formatter: Any) -> None:
    """Name the global options in a line: to explain each of them in each help would fill half of the screen."""
    typed = [each.partition(", --")[0] for each, _ in records(command, ctx, shared=True)["Global options"]]
    with formatter.section("Global options, which `ftjobs --help` explains"):
        formatter.write_text(", ".join(each for each in typed if each != "--version"))


def _write_example(ctx: Any, formatter: Any) -> None:
    verb = str(ctx.command_path).partition(" ")[2]
    if verb not in EXAMPLES:
        return
    purpose, command = EXAMPLES[verb]
    with formatter.section(f"Example, {purpose}"):
        formatter.write(f"{'':{formatter.current_indent}}{command}\n")  # to be copied: never wrapped


def _store(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> None:
    """The option's value lands in the Globals; one that was not given leaves an earlier place alone."""
    if value is None or value is False:
        return
    found = globals_of(ctx)
    match param.name:
        case "verbose":
            found.verbosity = VERBOSE
        case "quiet":
            found.verbosity = QUIET
        case name:
            setattr(found, name, value)


def _show_version(ctx: typer.Context, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        print(f"ftjobs {__version__}")
        raise typer.Exit


def _declare(
    *,
    profile: Annotated[
        str | None,
        typer.Option("--profile", metavar="NAME", help="Service to use.", callback=_store, expose_value=False),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="Settings file in place of the user's own.",
            callback=_store,
            expose_value=False,
        ),
    ] = None,
    ledger_url: Annotated[
        str | None,
        typer.Option("--ledger", metavar="URL", help="Ledger to use.", callback=_store, expose_value=False),
    ] = None,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print JSON, failures too.", callback=_store, expose_value=False),
    ] = False,
    plain: Annotated[
        bool,
        typer.Option(
            "--plain",
            help="Draw nothing, colour nothing, tell rows in words.",
            callback=_store,
            expose_value=False,
        ),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("-v", "--verbose", help="Show what happens.", callback=_store, expose_value=False),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option("-q", "--quiet", help="Show no notes.", callback=_store, expose_value=False),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version.", callback=_show_version, expose_value=False, is_eager=True
        ),
    ] = False,
) -> None:
    """Declare the options; typer builds them from this signature as it does a verb's own."""


@cache
def _shared() -> tuple[Any, ...]:
    holder = typer.Typer(add_completion=False)
    holder.command()(_declare)
    return tuple(typer.main.get_command(holder).params)
