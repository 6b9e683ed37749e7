"""`prepare`: an older or larger file becomes the file to train on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ftjobs.cli.context import local_file, open_app, progress_bar, say, size_of
from ftjobs.cli.options import print_json
from ftjobs.errors import InterruptedByUserError, UsageError

STDOUT = "-"


def prepare(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SRC", help="File to prepare (JSONL), or - for stdin.")],
    *,
    output: Annotated[str, typer.Option("-o", "--output", metavar="OUT", help="File to write, or - for stdout.")],
    system: Annotated[
        str | None, typer.Option("--system", metavar="TEXT", help="System text for examples without one.")
    ] = None,
    holdout: Annotated[
        str | None,
        typer.Option(
            "--holdout", metavar="P", help="Share to hold out (15%): x.jsonl has x.validation.jsonl beside it."
        ),
    ] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", metavar="N", min=10, help="Draw N examples, as for a pilot.")
    ] = None,
    split_seed: Annotated[
        int,
        typer.Option("--split-seed", metavar="S", min=0, show_default=False, help="Seed of both; 0 without it."),
    ] = 0,
    dedupe: Annotated[bool, typer.Option("--dedupe", help="Keep the first of identical examples.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> None:
    """Make the file to train on: convert, hold out, draw. Exits 4 and writes nothing if a line is unusable."""
    from ftjobs.dataset.prepare import Request
    from ftjobs.dataset.split import parse_share
    from ftjobs.reports.prepare import prepared_json, prepared_notes, prepared_text
    from ftjobs.workflows.prepare import Places
    from ftjobs.workflows.prepare import prepare as prepare_file

    _app, given = open_app(ctx)
    share = None if holdout is None else parse_share(holdout)
    to_stdout = output == STDOUT
    _require_sense(to_stdout=to_stdout, held_out=share is not None, as_json=given.json, system=system)
    request = Request(system=system, holdout=share, sample=sample, split_seed=split_seed, dedupe=dedupe)
    with _interruptible(output), local_file(source) as path:
        places = Places(path, source, None if to_stdout else Path(output), force=force)
        passes = 2 if share is None and not dedupe else 3
        with progress_bar("preparing", passes * size_of(path), given) as on_progress:
            done = prepare_file(request, places, stream=sys.stdout.buffer, on_progress=on_progress)
    for note in prepared_notes(done):
        say(f"note: {note}", given)
    if given.json:
        print_json(prepared_json(done, sandbox=given.sandbox))
    elif to_stdout:
        for line in prepared_text(done).splitlines():
            say(line, given)
    else:
        print(given.spelled(prepared_text(done)))


def _require_sense(*, to_stdout: bool, held_out: bool, as_json: bool, system: str | None) -> None:
    if to_stdout and held_out:
        raise UsageError(
            "holdout_needs_files",
            "The held-out examples go to a file of their own, whose name comes from OUT, and stdout has none.",
            next_step="Name a file with -o, or leave --holdout out.",
        )
    if to_stdout and as_json:
        # The examples and the summary in one stream could be told apart by nobody.
        raise UsageError(
            "json_needs_stdout",
            "With --json the summary goes to stdout, and with `-o -` the examples do.",
            next_step="Name a file with -o, or leave --json out: the summary is then on stderr.",
        )
    if system is not None and (not system.strip() or any("\ud800" <= each <= "\udfff" for each in system)):
        raise UsageError(
            "bad_system",
            "The system text is empty or not UTF-8.",
            next_step="Give --system a text, or leave it out.",
        )


@contextmanager
def _interruptible(output: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedByUserError(
            "interrupted",
            "Interrupted." if output == STDOUT else "Interrupted; no file is half written.",
            next_step="Run the same command again.",
        ) from None
