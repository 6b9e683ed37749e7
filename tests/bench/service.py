"""A loopback service that holds jobs and answers late, as one far away: `python -m tests.bench.service`.

It prints its port. `/WORLD/v1/fine_tuning/jobs` lists the jobs of a `population.World`, newest first, and
`…/jobs/ID` is one of them; every such answer is 50 ms late, and none waits for another. `GET /WORLD` makes the
world, at once; `GET /taken` tells what was asked since it was last asked, and the CPU seconds that took.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from urllib.request import urlopen

from tests.bench.population import OTHERS, State, World, anothers_job, our_job

LATENCY_S = 0.05
_PATH = "v1/fine_tuning/jobs"
_MOST, _USUAL = 100, 20
_BUSY = {"requests": 0, "cpu_s": 0.0}

Held = tuple[str, dict[str, str], bytes]
"""A job's id, its metadata and its object as JSON."""


@contextmanager
def served() -> Iterator[str]:
    """Serve while it lasts; yield the address, to which a world's name is added."""
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.service"], cwd=root, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def make(address: str, world: World) -> None:
    """Have the world's jobs ready before anything is timed."""
    urlopen(f"{address}/{world.name}").close()


def taken(address: str) -> tuple[int, float]:
    """Return how many requests came since this was last asked, and the CPU seconds of answering."""
    with urlopen(f"{address}/taken") as answer:
        told = json.load(answer)
    return told["requests"], told["cpu_s"]


@cache
def _ours(number: int, state: State) -> Held:
    return _held(our_job(number, state))


@cache
def _others() -> tuple[Held, ...]:
    return tuple(_held(anothers_job(number)) for number in reversed(range(OTHERS)))


def _held(job: dict[str, Any]) -> Held:
    return job["id"], job["metadata"], json.dumps(job).encode()


@cache
def _listed(world: World, wanted: frozenset[tuple[str, str]]) -> tuple[list[bytes], dict[str, int]]:
    """Return the objects that a list with that filter shows, newest first, and the place of each id."""
    jobs = [_ours(number, world.state) for number in reversed(range(world.count))]
    if world.company != "alone":
        jobs = [*_others(), *jobs]
    if world.company != "ignored":
        jobs = [job for job in jobs if wanted <= job[1].items()]
    return [body for _, _, body in jobs], {job_id: place for place, (job_id, _, _) in enumerate(jobs)}


def _page(world: World, query: str) -> tuple[int, bytes]:
    asked = dict(parse_qsl(query))
    wanted = frozenset((k[9:-1], v) for k, v in asked.items() if k.startswith("metadata["))
    bodies, places = _listed(world, wanted)
    limit, after = int(asked.get("limit", _USUAL)), asked.get("after")
    if not 1 <= limit <= _MOST or (after is not None and after not in places):
        return 400, b'{"error": {"message": "bad limit or cursor", "type": "invalid_request_error"}}'
    start = 0 if after is None else places[after] + 1
    more = b"true" if start + limit < len(bodies) else b"false"
    data = b", ".join(bodies[start : start + limit])
    return 200, b'{"object": "list", "data": [' + data + b'], "has_more": ' + more + b"}"


def _answer(target: str) -> tuple[int, bytes]:
    path, _, query = target.partition("?")
    name, _, path = path.strip("/").partition("/")
    world = World.named(name)
    if path == _PATH:
        return _page(world, query)
    bodies, places = _listed(world, frozenset())
    if not path:
        _listed(world, frozenset({("ftjobs", "1")}))
        return 200, b"{}"
    place = places.get(path.removeprefix(f"{_PATH}/"))
    if place is None:
        return 404, b'{"error": {"message": "no such job", "type": "invalid_request_error"}}'
    return 200, bodies[place]


def _taken() -> bytes:
    used = time.process_time()
    told = {"requests": _BUSY["requests"], "cpu_s": used - _BUSY["cpu_s"]}
    _BUSY.update(requests=0, cpu_s=used)
    return json.dumps(told).encode()


class _Connection(asyncio.Protocol):
    """One keep-alive connection of GET requests without bodies."""

    def __init__(self) -> None:
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while b"\r\n\r\n" in self._read:
            head, _, self._read = self._read.partition(b"\r\n\r\n")
            method, target = head.split(b" ", 2)[:2]
            if target == b"/taken":
                self._send(200, _taken())
                continue
            try:
                status, body = _answer(target.decode()) if method == b"GET" else (405, b"{}")
            except ValueError as error:
                status, body = 404, json.dumps({"error": {"message": str(error)}}).encode()
            if b"/v1/" not in target:
                self._send(status, body)
                continue
            _BUSY["requests"] += 1
            asyncio.get_running_loop().call_later(LATENCY_S, self._send, status, body)

    def _send(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        if not self._transport.is_closing():
            self._transport.write(head.encode() + body)  # type: ignore[attr-defined]


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=1_024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
