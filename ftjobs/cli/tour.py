"""The tour: real commands in a home of their own that show the five promises, and a self-test of them."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ftjobs.app import no_sandbox
from ftjobs.cli.main import BROKEN_PIPE
from ftjobs.cli.options import Globals, print_json
from ftjobs.errors import FtjobsError, InterruptedByUserError
from ftjobs.failpoints import VARIABLE
from ftjobs.logs import scrub_text, use_color
from ftjobs.reports.envelope import envelope

if TYPE_CHECKING:
    from ftjobs.sandbox.state import SandboxState

DATA: Final = "support.jsonl"
KILLED: Final = 137  # what a shell shows for kill -9
_TO_LEAVE_S: Final = 2.0  # what Ctrl-C leaves a command to give the terminal back
_JOB_S: Final = 9.0  # two commands later there is still something to watch
_WIDEST: Final = 100
_OURS: Final = {"FTJOBS_PROFILE": "sandbox", "FTJOBS_LEDGER_URL": "ledger.sqlite3"}


@dataclass(frozen=True, slots=True)
class Step:
    """A command as a person types it, and how it must end; `told` says what it shows, `title` begins a promise."""

    command: str
    told: str = ""
    title: str = ""
    exit_code: int = 0


_SUBMIT: Final = f"ftjobs submit {DATA} --model gpt-4o-mini"
STEPS: Final = (
    Step(
        f"ftjobs estimate {DATA} --model gpt-4o-mini",
        "Tokens and dollars as a range, offline and without a key.",
        "1. You know the price before you pay.",
    ),
    Step(
        f"{VARIABLE}=create.sent:kill {_SUBMIT}",
        "This command dies when the service has made the job, before it reads the reply.",
        "2. You pay once.",
        KILLED,
    ),
    Step(_SUBMIT, "The same command again finds that job, and makes no second one."),
    Step(
        "ftjobs watch last",
        "Steps, loss, time left and money so far, for one request per hundred jobs.",
        "3. You are never left waiting blind.",
    ),
    Step(
        "ftjobs ledger --month",
        "What was estimated, what was billed, and why they differ.",
        "4. You never lose the trail.",
    ),
    Step(
        "rm -r ledger.sqlite3*",
        "The laptop is lost, its ledger too. The job carries its estimate, and the same command brings it back.",
    ),
    Step(f"{_SUBMIT} --wait"),
    Step(
        "ftjobs ledger --month",
        "The same job, the same bill. The digest is over the entries, and theirs is another time.",
    ),
    Step(
        f"ftjobs estimate {DATA} --model gpt-4o-mini,gpt-4.1-mini --profile openai",
        "Prices and shutdown dates are data, and any service with this API is a profile: azure, nebius, litellm, "
        "or one of your own. `ftjobs sandbox serve --as azure` plays one.",
        "5. It outlives a service.",
    ),
)
"""The tour, in order."""

_NEXT: Final = """
Now with your own file and a real key; nothing is spent before the last line:
  export OPENAI_API_KEY=sk-...
  ftjobs doctor
  ftjobs check data.jsonl --model gpt-4o-mini
  ftjobs estimate data.jsonl --model gpt-4o-mini
  ftjobs submit data.jsonl --model gpt-4o-mini --max-cost 5
To go on practising without a key, add --profile sandbox to any command."""


def tour(given: Globals) -> None:
    """The five promises were shown, and kept, in a temporary home that is gone again.

    FtjobsError for a command that did not end as it should, or a second job; ConfigError without the sandbox.
    """
    try:
        import ftjobs.sandbox.serving  # noqa: F401
    except ModuleNotFoundError as error:
        raise no_sandbox(error) from None

    if given.is_plain_on(sys.stdout):
        os.environ.update(TERM="dumb", NO_COLOR="1")  # and so do the commands that it runs
    for name in ("SIGTERM", "SIGHUP"):  # end as Ctrl-C does: nothing may be left behind
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    try:
        with _home() as home:
            _service(home).change_settings({"job_seconds": _JOB_S})
            _walk(home, given)
    except KeyboardInterrupt:
        raise InterruptedByUserError(
            "interrupted",
            "The tour was stopped; its home is gone, and nothing of yours was touched.",
            next_step="Start it again with: ftjobs sandbox",
        ) from None


def _walk(home: Path, given: Globals) -> None:
    ended: list[dict[str, object]] = []
    show = _say if not given.json else _nothing
    show(
        "Five promises, kept by real commands against a loopback service with the same API, in a temporary "
        "folder. No key is needed, nothing leaves this machine, and nothing costs money."
    )
    show(command="export " + " ".join(f"{name}={value}" for name, value in _OURS.items()))
    promise = ""
    for step in STEPS:
        promise = step.title or promise
        show(step.told, title=step.title, command=step.command)
        code, printed = _run(step.command, home, is_quiet=given.json)
        ended.append({"promise": promise, "command": step.command, "exit_code": code, "printed": printed})
        if code == BROKEN_PIPE:
            raise BrokenPipeError
        if code != step.exit_code:
            raise _failed(step, code, printed)
    submits = sum(step.command.endswith((_SUBMIT, f"{_SUBMIT} --wait")) for step in STEPS)
    jobs = len(_service(home).jobs()[0])
    if jobs != 1:
        raise FtjobsError(
            "tour_failed",
            f"{submits} submits of one file made {jobs} jobs.",
            next_step="Report it, with what was printed above.",
            jobs=jobs,
        )
    if given.json:
        print_json(envelope("tour", sandbox=True, jobs=jobs, submits=submits, steps=ended))
        return
    show(f"{submits} submits, one of them killed and one without a ledger: {jobs} job at the service.")
    print(_NEXT)


@contextmanager
def _home() -> Iterator[Path]:
    """Yield a folder with the sample file in it, gone at the end of the block."""
    sample = Path(__file__).parents[1] / "sandbox" / "sample.jsonl"
    # A command that was stopped may still be putting its files away.
    with tempfile.TemporaryDirectory(prefix="ftjobs-tour-", ignore_cleanup_errors=True) as folder:
        shutil.copy(sample, Path(folder) / DATA)
        yield Path(folder)


def _environment(home: Path) -> dict[str, str]:
    """Return this environment without a setting or a key, and with every folder of the user's inside `home`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FTJOBS_", "OPENAI_"))}
    folders = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("DATA", "CONFIG", "CACHE", "STATE")}
    return {**kept, **folders, **_OURS, "FTJOBS_POLL_INITIAL_S": "0.5", "FTJOBS_POLL_MAX_S": "1"}


def _run(command: str, home: Path, *, is_quiet: bool) -> tuple[int, str | None]:
    """Run a command as typed; return its exit code as a shell shows it, and what it printed unseen."""
    environment, words = _environment(home), shlex.split(command)
    while "=" in words[0]:
        name, _, environment[name] = words.pop(0).partition("=")
    is_ours = words[0] == "ftjobs"
    pipe = subprocess.PIPE if is_quiet else None
    child = subprocess.Popen(  # noqa: S603  the commands stand above
        [sys.executable, "-m", "ftjobs", *words[1:]] if is_ours else ["sh", "-c", command],
        cwd=home,
        env={**environment, "PYTHONIOENCODING": "utf-8"} if is_quiet else environment,
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe and subprocess.STDOUT,
        encoding="utf-8",
    )
    with child:
        try:
            printed, _ = child.communicate()
        except KeyboardInterrupt:
            with suppress(subprocess.TimeoutExpired):
                child.wait(_TO_LEAVE_S)
            child.terminate()
            raise
    code = child.returncode
    return (code if code >= 0 else 128 - code), printed


def _failed(step: Step, code: int, printed: str | None) -> FtjobsError:
    return FtjobsError(
        "tour_failed",
        f"`{step.command}` ended with exit code {code} where {step.exit_code} was due.",
        next_step="What it printed says why; if that does not help, report it.",
        command=step.command,
        exit_code=code,
        printed=printed,
    )


def _service(home: Path) -> SandboxState:
    from ftjobs.sandbox.state import SandboxState

    return SandboxState(home / "data" / "ftjobs" / "sandbox")


def _say(text: str = "", *, title: str = "", command: str = "") -> None:
    """Print a title, a sentence as wide as the window, and a command behind its prompt."""
    is_bright = use_color(sys.stdout)
    if title:
        print(f"\n\x1b[1m{title}\x1b[0m" if is_bright else f"\n{title}")
    elif text:
        print()
    if text:
        cells = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDEST
        print(textwrap.fill(scrub_text(text), min(cells, _WIDEST), break_on_hyphens=False))
    if command:
        print(f"\x1b[36m$ {command}\x1b[0m" if is_bright else f"$ {command}")
    sys.stdout.flush()


def _nothing(_text: str = "", *, title: str = "", command: str = "") -> None:
    """Print nothing: the object at the end says it all."""
