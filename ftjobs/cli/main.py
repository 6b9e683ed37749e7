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
from ftjobs.cli.options import VERBOSE, Family, Globals, Verb, encodable, print_json
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
    "submit": "ftjobs.cli.submit:submit",
    "status": "ftjobs.cli.status:status",
    "watch": "ftjobs.cli.watch:watch",
    "show": "ftjobs.cli.show:show",
    "cancel": "ftjobs.cli.cancel:cancel",
    "results": "ftjobs.cli.results:results",
    "adopt": "ftjobs.cli.adopt:adopt",
    "ledger": "ftjobs.cli.ledger:ledger",
    "ledger backup": "ftjobs.cli.backup:backup",
    "adjust": "ftjobs.cli.adjust:adjust",
    "tag": "ftjobs.cli.tag:tag",
    "reconcile": "ftjobs.cli.reconcile:reconcile",
    "ledger copy": "ftjobs.cli.copy:copy",
    "report": "ftjobs.cli.report:report",
    "prices": "ftjobs.cli.prices:prices",
    "doctor": "ftjobs.cli.doctor:doctor",
    "sandbox": "ftjobs.cli.sandbox:app",
}
"""Verb, one word or two → `module:function`, or `module:app` for a Typer with cls=Family; imported when needed."""


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


def main(argv: Sequence[str] | None = None) -> int:
    """The command line `argv` (default: the process's) has run; return its exit code.

    Every failure has been printed: two lines on stderr, or with --json one `ftjobs.error/1` on stdout.
    """
    if VARIABLE in os.environ:
        return complete(teach(_root()), os.environ[VARIABLE])
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


def _root() -> Root:
    return Root(
        name=PROGRAM,
        help="Fine-tuning jobs that are priced before, created once and billed in a ledger.",
        subcommand_metavar="COMMAND ...",
        params=shell_options(),
        rich_markup_mode=None,
    )


def _run(args: list[str], given: Globals) -> int:
    root = _root()
    try:
        with root.make_context(PROGRAM, args, obj=given) as ctx:
            result = root.invoke(ctx)
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
        return UsageError("usage", f"{error.format_message().rstrip('.')}.", next_step=help_step)
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
