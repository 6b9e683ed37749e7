"""A real browser without a window, spoken to over its debugging pipe: no port is open."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# A browser that is told so reads commands from the descriptor 3 and answers on 4.
_AS_3_AND_4 = """
import fcntl, os, sys
held = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3]]
os.dup2(held[0], 3), os.dup2(held[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
_MOST_S = 90
_TROUBLE = {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"}


def browser_path() -> str | None:
    """Return where a browser is, None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass
class Tab:
    """A page of a browser, and what was heard of it since it was opened."""

    _sent: Any
    _received: Any
    _session: str = ""
    _number: int = 0
    heard: list[dict[str, Any]] = field(default_factory=list)

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """Return the answer to a command of the DevTools protocol; AssertionError where it is refused."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": params}
        message = {**asked, "sessionId": self._session} if self._session else asked
        self._sent.write(json.dumps(message).encode() + b"\0")
        self._sent.flush()
        while (told := self._next()).get("id") != self._number:
            self.heard.append(told)
        assert "error" not in told, told
        return dict(told["result"])

    def _next(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self._received.read(1)) != b"\0":
            assert byte, "the browser ended"
            text += byte
        return dict(json.loads(text))

    def open(self, page: Path) -> None:
        """Load a file to its end."""
        self.heard.clear()
        self.call("Page.navigate", url=page.as_uri())
        while not any(each.get("method") == "Page.loadEventFired" for each in self.heard):
            self.heard.append(self._next())
        self.evaluate("document.fonts.ready.then(() => 1)")

    def evaluate(self, expression: str) -> Any:
        """Return what an expression comes to, which the page itself may not run."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def look(self, *, width: int, scheme: Literal["light", "dark"] = "light", media: str = "screen") -> None:
        """Show pages from now on in a window of this width, in light or dark, on a screen or on paper."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)

    def screenshot(self) -> bytes:
        """Return the whole page as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    @property
    def complaints(self) -> list[dict[str, Any]]:
        """What the console said of the page that is open."""
        return [each["params"] for each in self.heard if each.get("method") in _TROUBLE]

    @property
    def requests(self) -> list[str]:
        """The addresses that the page asked for, itself among them."""
        sent = [each["params"] for each in self.heard if each.get("method") == "Network.requestWillBeSent"]
        return [str(each["request"]["url"]) for each in sent]


@contextmanager
def browsing(browser: str, folder: Path) -> Iterator[Tab]:
    """Yield a tab of a browser that keeps what it keeps in `folder`, and ends with the block."""
    to_it, its_in = os.pipe()
    its_out, from_it = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", _AS_3_AND_4, str(to_it), str(from_it), browser, *_options(folder)],
        env={name: value for name, value in os.environ.items() if name != "LD_PRELOAD"} | {"HOME": str(folder)},
        pass_fds=(to_it, from_it),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_it)
    os.close(from_it)
    guard = threading.Timer(_MOST_S, process.kill)  # whoever waits for an answer then hears that it ended
    guard.start()
    try:
        with os.fdopen(its_in, "wb") as sent, os.fdopen(its_out, "rb") as received:
            tab = Tab(sent, received)
            target = tab.call("Target.createTarget", url="about:blank")["targetId"]
            tab._session = str(tab.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
            for domain in ("Page", "Runtime", "Log", "Network"):
                tab.call(f"{domain}.enable")
            yield tab
    finally:
        guard.cancel()
        process.kill()
        process.wait()


def _options(folder: Path) -> Sequence[str]:
    quiet = ("--no-first-run", "--disable-gpu", "--disable-extensions", "--disable-background-networking")
    alone = (
        "--no-sandbox",
        "--disable-dev-shm-usage",
    )  # a container has neither user namespaces nor much /dev/shm
    return ("--headless=new", "--remote-debugging-pipe", f"--user-data-dir={folder}", *quiet, *alone)
