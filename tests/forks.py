"""Commands as real processes, forked from one that has imported everything.

Starting Python and importing takes ten times longer than the protocol. A fork leaves a random kill nothing to hit
but the protocol, and makes hundreds of faults affordable.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, Person, Run

# Orders come as JSON lines; each is answered by one line.
_SERVER = """
import importlib, json, os, pkgutil, sys, time
import alembic.command, alembic.config, openai, openai.lib._files, structlog, tenacity, toktok, uvicorn
import ftjobs

for module in pkgutil.walk_packages(ftjobs.__path__, "ftjobs."):
    if not module.name.startswith("ftjobs.__main__"):
        importlib.import_module(module.name)
client = openai.OpenAI(api_key="warm")  # it imports what it needs only then
client.files, client.models, client.fine_tuning.jobs
client.close()
ftjobs.provider.api._tls(trust_env=False)
from ftjobs.cli.main import main

toktok.batch_count(["warm"], "o200k_base", threads=1)


def become(order):
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(order[name], os.O_WRONLY), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    code = main(order["args"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def wait(pid, deadline):
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WUNTRACED | os.WNOHANG)
        if ended:
            return "stopped" if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return "hung"


for line in sys.stdin:
    order = json.loads(line)
    if "args" in order:
        answer = os.fork() or become(order)
    else:
        answer = wait(order["wait"], time.monotonic() + order["within_s"])
    print(json.dumps(answer), flush=True)
"""


@dataclass
class Command:
    """A command that was started."""

    pid: int
    printed: Path
    forks: Forks
    code: int | None = None

    def end(self, *, within_s: float = 180) -> Run:
        """Return what it came to; AssertionError where it neither ends nor may be stopped."""
        assert self._wait(within_s) != "stopped", "it is stopped: let it go on first"
        assert self.code is not None
        return Run(self.code, *(self.printed.with_suffix(f".{name}").read_text() for name in ("out", "err")))

    def told(self) -> str:
        """Return what it has printed on stderr so far."""
        return self.printed.with_suffix(".err").read_text()

    def is_stopped(self) -> bool:
        """Wait until it stops at its failpoint (True) or ends without having passed there (False)."""
        return self._wait(180) == "stopped"

    def go_on(self) -> None:
        """Let it go on after a stop."""
        os.kill(self.pid, signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; the process is never reaped before `end`, so the number is its own."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it where it is, and reap it."""
        self.signal(signal.SIGKILL)
        self._wait(60)

    def _wait(self, within_s: float) -> object:
        if self.code is not None:
            return self.code
        answer = self.forks.ask({"wait": self.pid, "within_s": within_s})
        if answer != "stopped":
            self.forks.running.discard(self.pid)
            assert answer != "hung", f"it hung for {within_s:g} s: {self.printed.with_suffix('.err').read_text()}"
            self.code = answer
        return answer


@dataclass
class Forks:
    """A process that forks a command for each order."""

    server: subprocess.Popen[str]
    folder: Path
    number: int = 0
    running: set[int] = field(default_factory=set)

    def start(self, person: Person, *args: str, **env: str) -> Command:
        """Start `ftjobs ARGS` in the person's shell."""
        self.number += 1
        printed = self.folder / f"{self.number}.out"
        for path in (printed, printed.with_suffix(".err")):
            path.touch()  # what dies at once prints nothing
        order = {
            "args": args,
            "env": person.env(**env),
            "cwd": str(person.home),
            "out": str(printed),
            "err": str(printed.with_suffix(".err")),
        }
        pid = self.ask(order)
        self.running.add(pid)
        return Command(pid, printed, self)

    def run(self, person: Person, *args: str, **env: str) -> Run:
        """Run `ftjobs ARGS` in the person's shell to its end."""
        return self.start(person, *args, **env).end()

    def run_all(self, person: Person, commands: Sequence[Sequence[str]], *, at_once: int) -> list[Run]:
        """Run commands to their end, a few at a time; return them in order."""
        ended: list[Run] = []
        for first in range(0, len(commands), at_once):
            started = [self.start(person, *args) for args in commands[first : first + at_once]]
            ended += [command.end() for command in started]
        return ended

    def ask(self, order: dict[str, Any]) -> Any:
        """Return the answer to an order."""
        assert self.server.stdin and self.server.stdout
        self.server.stdin.write(json.dumps(order) + "\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline())


@contextmanager
def forking(folder: Path, *, prelude: str = "") -> Iterator[Forks]:
    """Serve forks, after `prelude` has run; what is still running at the end is killed. Prints go to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    server = subprocess.Popen(
        [sys.executable, "-c", prelude + _SERVER],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    forks = Forks(server, folder)
    with server:
        try:
            yield forks
        finally:
            for pid in list(forks.running):
                os.kill(pid, signal.SIGKILL)
                forks.ask({"wait": pid, "within_s": 60})
