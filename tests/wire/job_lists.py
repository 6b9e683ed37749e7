"""A service of very many jobs, as real HTTP: it pages as the API does, and can be stopped at a page."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

JOBS = "/v1/fine_tuning/jobs"


@dataclass
class JobLists:
    """Jobs, newest first, and the requests that came for them (path and query).

    Requests from the `holds_from`th on (0 is the first) are held until `release` is set; `held` tells that one is.
    """

    jobs: Sequence[dict[str, Any]]
    base_url: str = ""
    requests: list[str] = field(default_factory=list)
    holds_from: int | None = None
    held: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)

    def answer(self, target: str) -> tuple[int, dict[str, Any]]:
        """Return status and body for a path with its query."""
        self.requests.append(target)
        if self.holds_from is not None and len(self.requests) > self.holds_from:
            self.held.set()
            self.release.wait(60)
        parts = urlsplit(target)
        if parts.path != JOBS:
            found = [job for job in self.jobs if parts.path == f"{JOBS}/{job['id']}"]
            return (200, found[0]) if found else (404, {"error": {"message": "no such job", "code": "not_found"}})
        query = parse_qs(parts.query)
        limit, after = int(query.get("limit", ["20"])[0]), query.get("after", [None])[0]
        start = 0 if after is None else [job["id"] for job in self.jobs].index(after) + 1
        shown = self.jobs[start : start + limit]
        return 200, {"object": "list", "data": shown, "has_more": len(self.jobs) > start + limit}


@contextmanager
def serving(jobs: Sequence[dict[str, Any]], *, port: int = 0) -> Iterator[JobLists]:
    """Serve these jobs on this machine while the block lasts."""
    lists = JobLists(jobs)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = lists.answer(self.path)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        lists.base_url = f"http://127.0.0.1:{server.server_port}/v1"
        try:
            yield lists
        finally:
            lists.release.set()
            server.shutdown()
