"""From the options of a command line to the parts it works with, and back to the terminal."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import typer

from ftjobs import logs
from ftjobs.cli.options import QUIET, Globals, encodable, globals_of
from ftjobs.logs import scrub_text

if TYPE_CHECKING:
    from ftjobs.app import App
    from ftjobs.reports.chart import Marks

log = logs.get_logger(__name__)


class Progressing(Protocol):
    """Takes the bytes done so far, and a note that stands beside the bar."""

    def __call__(self, done: int, note: str = "", /) -> None:
        """Show it."""


_BAR_FROM_BYTES = 4 * 1024 * 1024
STDIN = "-"
# Terminals whose fonts have no braille.
_NO_BRAILLE = frozenset({"dumb", "linux"})


def open_app(ctx: typer.Context, **flags: object) -> tuple[App, Globals]:
    """Return the composition root that these options ask for; `flags` are a verb's own settings."""
    from ftjobs.app import App

    given = globals_of(ctx)
    app = App.open(flags={**given.flags, **flags}, config_file=given.config)
    logs.configure(style=app.settings.log, verbosity=given.verbosity, plain=given.plain)
    given.sandbox = app.profile.is_sandbox
    return app, given


def say(text: str, given: Globals) -> None:
    """Tell something that is no result: on stderr, as an event where logs are JSON, not with -q."""
    told = given.spelled(text)
    if logs.are_json():
        log.info("told", text=told)
    elif given.verbosity != QUIET:
        print(scrub_text(told), file=sys.stderr)


def width(given: Globals) -> int | None:
    """Return the terminal's width in cells, None where stdout is none: then nothing gives way; 0 is `PLAIN`."""
    if given.is_plain_on(sys.stdout):
        from ftjobs.reports.table import PLAIN

        return PLAIN
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def chart_marks() -> Marks:
    """Return what a chart is drawn with here: braille where the output can hold and show it, else ASCII."""
    from ftjobs.reports.chart import ASCII, FINE

    shows = os.environ.get("TERM") not in _NO_BRAILLE and encodable("⣿○●│┤└─⠒", sys.stdout)
    return FINE if shows else ASCII


def can_ask() -> bool:
    """Return whether somebody sits at a terminal to be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> bool:
    """Return whether the answer on the terminal is yes; Enter and end of input are No."""
    print(f"{scrub_text(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        print(file=sys.stderr)
    return answer.strip().lower() in {"y", "yes"}


@contextmanager
def local_file(name: str) -> Iterator[Path]:
    """Yield the file to read: the named one, or a private copy of stdin for `-`, gone afterwards.

    Where a file can be opened again by its descriptor (Linux), the copy has no name, so that no signal leaves
    training data behind.
    """
    if name != STDIN:
        yield Path(name)
        return
    with tempfile.TemporaryFile() as nameless:
        by_descriptor = Path(f"/proc/{os.getpid()}/fd/{nameless.fileno()}")
        if os.access(by_descriptor, os.R_OK):
            shutil.copyfileobj(sys.stdin.buffer, nameless)
            nameless.flush()
            yield by_descriptor
            return
    handle, copy = tempfile.mkstemp(prefix="ftjobs-", suffix=".jsonl")
    try:
        with os.fdopen(handle, "wb") as target:
            shutil.copyfileobj(sys.stdin.buffer, target)
        yield Path(copy)
    finally:
        Path(copy).unlink(missing_ok=True)


def shows_progress(given: Globals) -> bool:
    """Return whether a terminal watches that a bar may move on."""
    return sys.stderr.isatty() and given.verbosity != QUIET and not given.is_plain_on(sys.stderr)


@contextmanager
def progress_bar(label: str, total_bytes: int, given: Globals) -> Iterator[Progressing]:
    """Yield what takes the bytes done so far; a bar shows where a terminal watches a larger file."""
    if total_bytes < _BAR_FROM_BYTES or not shows_progress(given):
        yield lambda _done, _note="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    noted = TextColumn("{task.fields[note]}")
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), noted, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total_bytes, note="")
        yield lambda done, note="": progress.update(task, completed=done, note=note)


def size_of(path: Path) -> int:
    """Return the file's size in bytes, 0 where it cannot be told; reading it will say why."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
