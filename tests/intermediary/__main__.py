"""The main job and the protocol through a real LiteLLM proxy's pass-through route: `make e2e-litellm`.

    ftjobs → LiteLLM (/openai_passthrough/v1) → sandbox

Everything listens on 127.0.0.1 and is ended when this ends. Exit code 1 where a step did not do what it should.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "ftjobs" / "sandbox" / "sample.jsonl"
CREATE = "POST /v1/fine_tuning/jobs"
MODEL = "gpt-4o-mini"
KEY = f"sk-{secrets.token_hex(32)}"  # the proxy's own; it refuses to start with a weak one
_STARTS_WITHIN_S = 180


def main(proxy: str) -> int:
    """Run every step with the proxy's executable; return the number of those that failed."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        home = Path(folder)
        service = stack.enter_context(_sandbox(home))
        route = stack.enter_context(_proxy(proxy, home, service))
        return sum(not _held(step, _Person(home / step.__name__, route, service)) for step in STEPS)


@contextmanager
def _sandbox(home: Path) -> Iterator[str]:
    from ftjobs.sandbox.serving import serve_in_background

    with serve_in_background(home / "service") as base_url:
        yield base_url.removesuffix("/v1")


@contextmanager
def _proxy(executable: str, home: Path, service: str) -> Iterator[str]:
    port = _free_port()
    environ = {
        **os.environ,
        "HOME": str(home),
        "OPENAI_API_BASE": f"{service}/",
        "OPENAI_API_KEY": "sk-sandbox",
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would ask the internet for prices
    }
    config = home / "proxy.yaml"
    config.write_text("model_list: []\n")
    command = [
        executable,
        "--config",
        str(config),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--telemetry",
        "False",
    ]
    with (home / "proxy.log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, cwd=home, stdout=log, stderr=log)
        try:
            _await_start(f"http://127.0.0.1:{port}/health/liveliness", process, home / "proxy.log")
            yield f"http://127.0.0.1:{port}/openai_passthrough/v1"
        finally:
            process.terminate()
            process.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        return port


def _await_start(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the proxy did not start:\n{log.read_text()[-3000:]}") from None
            time.sleep(0.5)
        else:
            return


class _Person:
    """Somebody with an empty ledger, whose profile leads through the proxy."""

    def __init__(self, home: Path, route: str, service: str) -> None:
        self.home, self._service = home, service
        home.mkdir()
        (home / "ftjobs.toml").write_text(
            f'profile = "litellm"\n[profiles.litellm]\nbase_url = "{route}"\napi_key_env = "LITELLM_API_KEY"\n',
            encoding="utf-8",
        )
        self.call("PUT", "/sandbox/settings", {"reset": True, "job_seconds": 2, "file_seconds": 0.2})

    def run(self, *args: str) -> tuple[int, Any]:
        """Run `ftjobs ARGS --json`; return its exit code and the last object that it printed."""
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("FTJOBS_", "OPENAI_"))
        }
        environ |= {
            "HOME": str(self.home), "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_CONFIG_HOME": str(self.home / "config"), "XDG_CACHE_HOME": str(self.home / "cache"),
            "LITELLM_API_KEY": KEY, "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "ftjobs", *args, "--json"],
            cwd=self.home, env=environ, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        printed = done.stdout.strip().splitlines()
        return done.returncode, json.loads(printed[-1]) if printed else {"message": done.stderr}

    def submit(self, *more: str) -> tuple[int, Any]:
        """Submit the sample file."""
        return self.run("submit", str(SAMPLE), "--model", MODEL, *more)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Ask the service behind the proxy."""
        request = urllib.request.Request(
            f"{self._service}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": "Bearer sk-test", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    @property
    def creates(self) -> int:
        """How many create calls the service got."""
        return sum(f"{each['method']} {each['path']}" == CREATE for each in self.call("GET", "/sandbox/requests"))

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """The jobs that the service has."""
        found: list[dict[str, Any]] = self.call("GET", "/v1/fine_tuning/jobs")["data"]
        return found


def _held(step: Any, person: _Person) -> bool:
    try:
        said = step(person)
    except AssertionError as error:
        print(f"FAILED  {step.__doc__}\n        {error}")
        return False
    print(f"ok      {step.__doc__}{f' ({said})' if said else ''}")
    return True


def main_job(person: _Person) -> str:
    """The main job: submitted, followed to its end, billed, and not paid again."""
    code, done = person.submit()
    assert code == 0, done
    code, watched = person.run("watch")
    assert code == 0, watched
    code, month = person.run("ledger", "--month")
    assert code == 0, month
    (job,) = month["jobs"]
    assert job["status"] == "succeeded", job
    assert job["billed_cost_usd"], job
    code, again = person.submit()
    assert (code, again["reused"], person.creates) == (0, True, 1), again
    kept = person.jobs[0]["metadata"]
    return f"metadata is {'kept' if kept else 'dropped'} on the way: {kept}"


def lost_reply(person: _Person) -> str:
    """A create reply that is lost behind the proxy: one job."""
    person.call("PUT", "/sandbox/faults", [{"on": CREATE, "do": "drop", "when": "after"}])
    code, done = person.submit()
    first = f"exit {code}"
    if code != 0:
        code, done = person.submit()
    assert code == 0, done
    assert (person.creates, len(person.jobs)) == (1, 1), (person.creates, done)
    return first


def empty_ledger(person: _Person) -> str:
    """An empty ledger: the job is found, not paid again."""
    code, done = person.submit()
    assert code == 0, done
    for each in (person.home / "data" / "ftjobs").glob("ledger.sqlite3*"):
        if each.is_file():
            each.unlink()
    code, again = person.submit()
    assert (code, again.get("reused"), person.creates) == (0, True, 1), again
    return str(again["job_id"])


def diagnosis(person: _Person) -> str:
    """`doctor` says what the route has."""
    code, done = person.submit()
    assert code == 0, done
    _, told = person.run("doctor")
    assert told["profile_toml"], told
    return str(told["profile_toml"].splitlines()[3])


STEPS = (main_job, lost_reply, empty_ledger, diagnosis)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
