"""The sandbox starts and stops at once, on loopback only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import httpx2
import pytest

from ftjobs.sandbox.serving import serve_forever, serve_in_background

FOREGROUND = """
import sys
from pathlib import Path
from ftjobs.sandbox.serving import serve_forever
serve_forever(Path(sys.argv[1]), announce=lambda url: print(url, flush=True))
print("ended", flush=True)
"""


def status_of(url: str) -> int:
    with httpx2.Client(trust_env=False) as client:
        return client.get(f"{url}/models", headers={"Authorization": "Bearer sk-test"}).status_code


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_it_answers_at_once_and_stops_at_once(tmp_path: Path, host: str) -> None:
    with serve_in_background(tmp_path, host=host) as url:
        assert url.startswith("http://127.0.0.1:")
        assert status_of(url) == 200
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 5
    assert "sandbox" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(httpx2.ConnectError):
        status_of(url)


def test_a_request_under_way_is_cut_off_at_the_end(tmp_path: Path) -> None:
    failures: list[Exception] = []

    def ask(url: str) -> None:
        try:
            status_of(url)
        except httpx2.TransportError as error:
            failures.append(error)

    with serve_in_background(tmp_path) as url:
        control = url.removesuffix("/v1") + "/sandbox"
        rule = {"on": "GET /v1/models", "do": "delay", "seconds": 60}
        httpx2.put(f"{control}/faults", json=[rule], trust_env=False).raise_for_status()
        asking = threading.Thread(target=ask, args=(url,))
        asking.start()
        while not httpx2.get(f"{control}/requests", trust_env=False).json():
            pass
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 5
    asking.join()
    assert len(failures) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org", "", "::"])
def test_only_loopback_is_served(tmp_path: Path, host: str) -> None:
    with pytest.raises(ValueError, match="loopback"), serve_in_background(tmp_path, host=host):
        pass
    with pytest.raises(ValueError, match="loopback"):
        serve_forever(tmp_path, host=host, announce=print)


def test_a_taken_port_is_an_os_error(tmp_path: Path) -> None:
    with serve_in_background(tmp_path) as url:
        port = int(url.split(":")[2].removesuffix("/v1"))
        with pytest.raises(OSError, match="in use"), serve_in_background(tmp_path, port=port):
            pass


def test_a_failing_block_still_stops_the_service(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), serve_in_background(tmp_path) as url:
        raise ZeroDivisionError
    with pytest.raises(httpx2.ConnectError):
        status_of(url)


def test_ctrl_c_ends_the_foreground_service_quietly(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", FOREGROUND, str(tmp_path / "state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        request = urllib.request.Request(f"{url}/models", headers={"Authorization": "Bearer sk-test"})
        with urllib.request.urlopen(request) as reply:
            assert reply.status == 200
        os.kill(process.pid, signal.SIGINT)
        rest, noise = process.communicate(timeout=120)
    assert (process.returncode, rest, noise) == (0, "ended\n", "")


def test_nothing_outside_the_package_needs_the_web_packages() -> None:
    code = (
        "import sys, ftjobs.sandbox.state;"
        "print(sorted({'starlette', 'uvicorn', 'python_multipart', 'toktok'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
