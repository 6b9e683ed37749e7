"""Text that would act on a terminal, and a service that says nothing else."""

from __future__ import annotations

import json
import re
import socketserver
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

MODEL = "gpt-4o-mini"
# What each kind of text would do where it is let through. None of it may reach a terminal as it is.
ESCAPES = "\x1b[2J\x1b[31m\x1b]52;c;cm0gLXJm\x07\x1b]8;;http://evil/\x1b\\here\x1b]8;;\x1b\\\x9b31m\x9d52;c;eA\x9c"
BREAKS = "".join(f"{each}forged: line" for each in ("\r\n", "\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"))
BIDI = "\u202e\u202a\u2066\u2067\u2068\u2069\u200f\u061c"
CONTROLS = "\x00\x08\x7f\x80\x90"
# What only looks dangerous must be there as it was written: nobody interprets it.
MARKUP = (
    "[red]m[/red][link=http://evil/]l[/link]<script>a(1)</script>**b**[c](http://d) %s%n{0}{job.id}$HOME :skull:"
)
FORMULA = "=cmd|' /C calc'!A1 +1-1@SUM(1) 🎉\U0001d518"
WORST = f"{ESCAPES}{BREAKS}{BIDI}{CONTROLS}{MARKUP}{FORMULA}"
HIDDEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e\U000e0041"

_CATEGORIES = {"Cc": "control", "Cs": "surrogate", "Zl": "line break", "Zp": "line break", "Cf": "format"}
_HIDDEN = set(HIDDEN)
# What we write ourselves on a terminal: colours, and what painting a screen takes.
OWN = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?(?:25|1049)[lh]|\x1b\[[HJK]|\r")


def acting(text: str, *, hidden: bool = False) -> list[str]:
    """Return what would act on a terminal or on a reader of lines; with `hidden` also what cannot be seen."""
    found = [each for each in text if each != "\n" and unicodedata.category(each) in _CATEGORIES]
    lines = [line for line in text.splitlines() if line.lstrip().startswith("forged")]
    return [repr(each) for each in found if hidden or each not in _HIDDEN] + lines


@dataclass
class Liar:
    """A service that answers a request with the bytes of the longest target that it begins with."""

    base_url: str
    answers: dict[str, bytes] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)

    def say(self, target: str, body: object, status: str = "200 OK", *head: str) -> None:
        """Answer `target` so from now on; a body that is no bytes is sent as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close", *head]
        self.answers[target] = "\r\n".join([*lines, "", ""]).encode() + content


class _Exchange(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        liar: Liar = self.server.liar  # type: ignore[attr-defined]
        method, path, _ = self.rfile.readline().decode("latin-1").split(" ", 2)
        size = 0
        while line := self.rfile.readline().strip():
            if line.lower().startswith(b"content-length:"):
                size = int(line.partition(b":")[2])
        asked = f"{method} {path.partition('?')[0]}"
        liar.bodies[asked] = self.rfile.read(size)
        self.wfile.write(liar.answers[max((each for each in liar.answers if asked.startswith(each)), key=len)])


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64


JOBS, FILES = "/v1/fine_tuning/jobs", "/v1/files"
NO_JOBS = {"object": "list", "data": [], "has_more": False}


def hostile_job(**more: object) -> dict[str, Any]:
    return {
        "object": "fine_tuning.job",
        "id": f"ftjob-id{WORST}",
        "status": f"st{WORST}",
        "created_at": 1_795_000_000,
        "model": f"model{WORST}",
        "fine_tuned_model": f"ft:{WORST}",
        "user_provided_suffix": WORST,
        "error": {"code": f"ec{WORST}", "message": f"em{WORST}"},
        **more,
    }


@contextmanager
def lying() -> Iterator[Liar]:
    """Serve a service of which every text is hostile; honest about files and models until told otherwise."""
    with _Server(("127.0.0.1", 0), _Exchange) as server:
        said = Liar(f"http://127.0.0.1:{server.server_address[1]}/v1")
        server.liar = said  # type: ignore[attr-defined]
        said.say("GET /v1/models/", {"id": MODEL, "object": "model"})
        said.say(f"GET {JOBS}", NO_JOBS)
        said.say(f"GET {JOBS}/", hostile_job())
        said.say(f"POST {JOBS}", hostile_job())
        said.say(f"POST {FILES}", {"object": "file", "id": "file-1", "status": "processed"})
        said.say(f"GET {FILES}/", {"object": "file", "id": "file-1", "status": "processed"})
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield said
        server.shutdown()
        thread.join()
