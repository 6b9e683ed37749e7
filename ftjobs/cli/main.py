"""The root command and the one place where failures become two lines and an exit code."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import typer

from ftjobs.cli.completion import VARIABLE, complete, shell_options, teach
from ftjobs.cli.examples import EXAMPLES
from ftjobs.cli.options import (
    VERBOSE,
    Family,
    Globals,
    Verb,
    encodable,
    print_json,
    records,
    write_sections,
)
from ftjobs.errors import FtjobsError, InterruptedByUserError, UsageError
from ftjobs.logs import scrub, scrub_lines, scrub_text, use_color
from ftjobs.reports.envelope import envelope

PROGRAM: Final = "ftjobs"
BUG: Final = 1
BROKEN_PIPE: Final = 141  # what a shell shows for a program that SIGPIPE ended

VERBS: Final[dict[str, str]] = {
    "check": "ftjobs.cli.estimate:check",
    "prepare": "ftjobs.cli.prepare:prepare",
    "estimate": "ftjobs.cli.estimate:estimate",
    "tco": "ftjobs.cli.tco:tco",
    "prices": "ftjobs.cli.prices:prices",
    "submit": "ftjobs.cli.submit:submit",
    "status": "ftjobs.cli.status:status",
    "watch": "ftjobs.cli.watch:watch",
    "show": "ftjobs.cli.show:show",
    "cancel": "ftjobs.cli.cancel:cancel",
    "results": "ftjobs.cli.results:results",
    "ledger": "ftjobs.cli.ledger:ledger",
    "adjust": "ftjobs.cli.adjust:adjust",
    "tag": "ftjobs.cli.tag:tag",
    "reconcile": "ftjobs.cli.reconcile:reconcile",
    "report": "ftjobs.cli.report:report",
    "adopt": "ftjobs.cli.adopt:adopt",
    "ledger backup": "ftjobs.cli.backup:backup",
    "ledger copy": "ftjobs.cli.copy:copy",
    "doctor": "ftjobs.cli.doctor:doctor",
    "sandbox": "ftjobs.cli.sandbox:app",
}
"""Verb, one word or two → `module:function`, or `module:app` for a Typer with cls=Family; imported when needed."""

HEADINGS: Final = {
    "check": "Before you pay",
    "submit": "A job",
    "ledger": "The cost trail",
    "doctor": "Set-up and practice",
}
"""The verb that a group of VERBS begins with → what stands above the group."""


class Root(Family):
    """The `ftjobs` command; a verb's module is imported when its name is typed or the help lists it."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the verbs in the order of VERBS; to somebody who types a word, those of one word."""
        return [name for name in VERBS if " " not in name or not ctx.resilient_parsing]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that `args` start with, a verb of two words before that of its first."""
        two_words = " ".join(args[:2])
        return super().resolve_command(ctx, [two_words, *args[2:]] if two_words in VERBS else args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the verb's command, or None where there is none."""
        if cmd_name not in VERBS:
            return None
        return teach(_load(cmd_name)) if ctx.resilient_parsing else _load(cmd_name)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The help names the verbs, group by group, and says what every option means."""
        longest = max(map(len, VERBS))
        formatter.write_paragraph()
        for name in self.list_commands(ctx):
            if heading := HEADINGS.get(name):
                formatter.write(f"{heading}:\n")
            formatter.indent()
            about = self.get_command(ctx, name).get_short_help_str(formatter.width - longest - 6)
            formatter.write_dl([(name.ljust(longest), about)])
            formatter.dedent()
        every = [*records(self, ctx, shared=False)["Options"], *records(self, ctx, shared=True)["Global options"]]
        write_sections(formatter, {"Options": every})


def main(argv: Sequence[str] | None = None) -> int:
    """The command line `argv` (default: the process's) has run; return its exit code.

    Every failure has been printed: two lines on stderr, or with --json one `ftjobs.error/1` on stdout.
    """
    if VARIABLE in os.environ:
        return complete(teach(root()), os.environ[VARIABLE])
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _guarded(args, Globals())
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
        return BROKEN_PIPE
    except OSError as error:
        _drop_stdout()
        _print_error(f"The output cannot be written: {error.strerror}.", "Make room, or send it elsewhere.")
        return BUG
    return code


def _guarded(args: list[str], given: Globals) -> int:
    try:
        return _run(args.copy() or ["--help"], given)  # the parser consumes its list
    except FtjobsError as error:
        return _show(error, args, given)
    except typer.TyperException as error:
        return _show(_usage_error(error), args, given)
    except (KeyboardInterrupt, typer.Abort):
        interrupted = InterruptedByUserError(
            "interrupted", "Interrupted.", next_step="Run the same command again: it goes on from here."
        )
        return _show(interrupted, args, given)
    except BrokenPipeError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        return _show_bug(error, args, given)


def root() -> Root:
    """Return the whole command line."""
    return Root(
        name=PROGRAM,
        help="Fine-tuning jobs: priced before, created once and billed in a ledger.",
        subcommand_metavar="COMMAND ...",
        params=shell_options(),
        rich_markup_mode=None,
    )


def _run(args: list[str], given: Globals) -> int:
    command = root()
    try:
        with command.make_context(PROGRAM, args, obj=given) as ctx:
            result = command.invoke(ctx)
    except typer.Exit as ending:
        return ending.exit_code
    return result if isinstance(result, int) else 0


def _load(name: str) -> Any:
    module, _, attribute = VERBS[name].partition(":")
    target = getattr(importlib.import_module(module), attribute)
    app = target if isinstance(target, typer.Typer) else typer.Typer()
    if app is not target:
        app.command(name, cls=Verb)(target)
    app.rich_markup_mode = None  # rich doubles the time that help takes
    app._add_completion = False
    command = typer.main.get_command(app)
    command.name = name
    return command


def _usage_error(error: typer.TyperException) -> UsageError:
    path = getattr(getattr(error, "ctx", None), "command_path", None)
    help_step = f"`{path} --help` shows what it takes." if path else "Add --help to see what it takes."
    if not hasattr(error, "possibilities"):
        _, example = EXAMPLES.get(str(path).partition(" ")[2], ("", ""))
        is_missing = hasattr(error, "param_type")  # a value, rather than a good one
        return UsageError(
            "usage",
            f"{error.format_message().rstrip('.').replace(': Value error, ', ': ')}.",
            next_step=f"Write it like: {example}" if example and is_missing else help_step,
        )
    option = str(getattr(error, "option_name", ""))
    close = next(iter(error.possibilities or ()), None)
    return UsageError(
        "unknown_option",
        f"There is no option {option} in `{path}`.",
        next_step=f"Did you mean {close}?" if close else help_step,
        option=option,
        nearest=close,
    )


def _show(error: FtjobsError, args: list[str], given: Globals) -> int:
    message, next_step = scrub_text(given.spelled(error.message)), scrub_text(given.spelled(error.next_step))
    if given.json or _asked(args, "--json"):
        fields = {
            "code": error.code,
            "message": message,
            "next_step": next_step,
            "exit_code": error.exit_code,
            "details": scrub(error.details),
        }
        print_json(envelope("error", sandbox=given.sandbox, **fields))
    else:
        plain = given.is_plain_on(sys.stderr) or _asked(args, "--plain")
        _print_error(message, next_step, plain=plain)
    return error.exit_code


def _show_bug(error: Exception, args: list[str], given: Globals) -> int:
    verbose = given.verbosity == VERBOSE or _asked(args, "-v", "--verbose")
    bug = FtjobsError(
        "bug",
        f"ftjobs has a bug: {type(error).__name__}: {error}",
        next_step="Report it with the traceback below."
        if verbose
        else "Run again with -v for the traceback, and report it.",
    )
    code = _show(bug, args, given)
    if verbose:
        import traceback

        print(scrub_lines("".join(traceback.format_exception(error))), file=sys.stderr, end="")
    return code


def _print_error(message: str, next_step: str, *, plain: bool = False) -> None:
    label = "\x1b[31merror\x1b[0m" if use_color(sys.stderr) and not plain else "error"
    arrow = "next:" if plain else "→" if encodable("→", sys.stderr) else "->"
    print(f"{label}: {message}\n  {arrow} {next_step}", file=sys.stderr)


def _asked(args: list[str], *flags: str) -> bool:
    """Return whether a flag stands in `args`; for failures that came before the options were read."""
    options = args[: args.index("--")] if "--" in args else args
    return any(flag in options for flag in flags)


def _drop_stdout() -> None:
    # What is still buffered would fail again, with a traceback, when the interpreter ends.
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        sys.stdout = None  # a stream without a descriptor, or none at all
