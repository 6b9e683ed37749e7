"""What every test stands on: no network beyond this machine, no settings of the developer's."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from ftjobs import logs
from tests.postgres import Databases, serve

ROOT = Path(__file__).resolve().parent.parent
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it puts in the background so, and the commands under test would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


# A busy machine breaks no rule; `make soak` tries more examples.
settings.register_profile("suite", deadline=None, max_examples=40)
settings.register_profile("soak", deadline=None, max_examples=400)
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Refuse sockets that leave the machine, and hide the developer's own settings and data."""
    real_connect, real_resolve = socket.socket.connect, socket.getaddrinfo

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and address[0] not in _LOOPBACK:
            raise AssertionError(f"a test tried to reach {address}")
        real_connect(self, address)

    def resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in {*_LOOPBACK, None}:
            raise AssertionError(f"a test tried to resolve {host}")
        return real_resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    for name in list(os.environ):
        if name.startswith(("FTJOBS_", "OPENAI_")) or name in {"NO_COLOR", "FORCE_COLOR"}:
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))


@pytest.fixture(autouse=True)
def _own_logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget how a command that ran inside this process had its events shown: its stderr is closed by now."""
    with monkeypatch.context() as before:
        before.setattr(logs, "_style", logs._style)
        yield
    logs._structlog.cache_clear()


@dataclass(frozen=True)
class Run:
    """One finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Person:
    """Somebody at a shell with a home of their own; commands run as real processes."""

    home: Path
    environ: dict[str, str] = field(default_factory=dict)

    def env(self, **more: str) -> dict[str, str]:
        """Return the whole environment of this person's shell."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FTJOBS_", "OPENAI_"))}
        # A person's Python compiles the product once, not at every command.
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        xdg = {
            "HOME": str(self.home),
            "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
        }
        return {**kept, **xdg, "PYTHONPATH": str(ROOT), **self.environ, **more}

    def command(self, *args: str) -> list[str]:
        """Return the command line of `ftjobs ARGS`."""
        return [sys.executable, "-m", "ftjobs", *args]

    def start(self, *args: str, **env: str) -> subprocess.Popen[str]:
        """Start `ftjobs ARGS` and return the process."""
        return subprocess.Popen(
            self.command(*args),
            cwd=self.home,
            env=self.env(**env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *args: str, stdin: str | None = None, **env: str) -> Run:
        """Run `ftjobs ARGS` to its end."""
        done = subprocess.run(
            self.command(*args),
            cwd=self.home,
            env=self.env(**env),
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Service:
    """A sandbox that is being served, with its switch."""

    base_url: str

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Send a request to the service and return the decoded answer."""
        root = self.base_url.removesuffix("/v1")
        request = urllib.request.Request(
            f"{root}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": "Bearer sk-test", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def faults(self, *rules: dict[str, object]) -> None:
        """Replace the faults that are waiting."""
        self.call("PUT", "/sandbox/faults", list(rules))

    def settings(self, **settings: object) -> None:
        """Change how the service behaves."""
        self.call("PUT", "/sandbox/settings", settings)

    def requests(self) -> list[dict[str, Any]]:
        """Return the API requests that arrived, oldest first."""
        found: list[dict[str, Any]] = self.call("GET", "/sandbox/requests")
        return found

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs that exist, newest first, whatever the lists hide."""
        found: list[dict[str, Any]] = self.call("GET", "/v1/fine_tuning/jobs?limit=100")["data"]
        return found


CREATE = "POST /v1/fine_tuning/jobs"


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """A PostgreSQL server of this test process, started when first asked for."""
    with serve() as found:
        yield found


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A served sandbox in which jobs end within a second."""
    from ftjobs.sandbox.serving import serve_in_background

    with serve_in_background(tmp_path / "service") as base_url:
        served = Service(base_url)
        served.settings(job_seconds=0.6, file_seconds=0.1)
        yield served


@pytest.fixture
def person(tmp_path: Path, service: Service) -> Person:
    """A user whose shell points at the service, with quick polls."""
    home = tmp_path / "person"
    home.mkdir()
    return Person(
        home,
        {
            "OPENAI_BASE_URL": service.base_url,
            "OPENAI_API_KEY": "sk-test-0123456789",
            "FTJOBS_POLL_INITIAL_S": "0.1",
            "FTJOBS_POLL_MAX_S": "0.2",
            "FTJOBS_SETTLE_S": "1",
        },
    )


@pytest.fixture
def inside(
    person: Person, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Run]:
    """Run the person's commands inside this process: quicker, where a process of their own proves nothing."""
    from ftjobs.cli.main import main

    def run(*args: str, **env: str) -> Run:
        with monkeypatch.context() as shell:
            for name, value in person.env(**env).items():
                shell.setenv(name, value)
            shell.chdir(person.home)
            code = main(args)
        return Run(code, *capsys.readouterr())

    return run


def chat_line(number: int) -> str:
    """Return one small, valid supervised chat example."""
    return json.dumps(
        {
            "messages": [
                {"role": "system", "content": "You answer questions about orders."},
                {"role": "user", "content": f"Where is order {number}?"},
                {"role": "assistant", "content": f"Order {number} is on its way and arrives on day {number % 7}."},
            ]
        }
    )


@pytest.fixture
def training_file(tmp_path: Path) -> Path:
    """A valid training file of 12 examples."""
    path = tmp_path / "data.jsonl"
    path.write_text("".join(f"{chat_line(number)}\n" for number in range(12)), encoding="utf-8")
    return path


@pytest.fixture
def make_training_file(tmp_path: Path) -> Callable[[str, int], Path]:
    """Make further valid training files: a name and a number of examples."""

    def make(name: str, examples: int) -> Path:
        path = tmp_path / name
        path.write_text("".join(f"{chat_line(number)}\n" for number in range(examples)), encoding="utf-8")
        return path

    return make
