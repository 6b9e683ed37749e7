"""kill -9 at random moments, for as long as you like: `python -m tests.faults.kills --rounds 10000`.

A world is a service, a ledger and fifty contents; what a world does follows from its number, so that a failure can
be had again. Each finished world is a line in `.soak/kills.jsonl`, and a run goes on after the last one.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from ftjobs.failpoints import POINTS
from ftjobs.sandbox.serving import serve_in_background
from tests.conftest import CREATE, ROOT, Person, Service, chat_line
from tests.faults.aftermath import assert_paid_once, finish
from tests.faults.conftest import Desk
from tests.forks import forking

ROUNDS_A_WORLD = 50
# A killed process loses nothing that it wrote, so nothing needs a disk.
_IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
DONE = ROOT / ".soak" / "kills.jsonl"
# What `status` passes is passed here too: a round that has its job is also killed while that is billed.
_MOMENTS = [name for name in POINTS if not name.startswith("ledger.")]
_CREATE_FAULTS: list[dict[str, object]] = [
    {"do": "delay", "seconds": 0.1, "when": "before"},
    {"do": "delay", "seconds": 0.1, "when": "after"},
    {"do": "drop", "when": "before"},
    {"do": "drop", "when": "after"},
    {"do": "status", "status": 500, "when": "after"},
    {"do": "garbage", "when": "after"},
]


@contextmanager
def world(folder: Path) -> Iterator[tuple[Service, Desk]]:
    """Serve an empty sandbox, and a person before it."""
    home = folder / "person"
    home.mkdir()
    data = folder / "data.jsonl"
    data.write_text("".join(f"{chat_line(number)}\n" for number in range(12)), encoding="utf-8")
    with serve_in_background(folder / "service") as base_url, forking(folder / "printed") as forks:
        environ = {
            "OPENAI_BASE_URL": base_url,
            "OPENAI_API_KEY": "sk-test-0123456789",
            "FTJOBS_POLL_INITIAL_S": "0.1",
            "FTJOBS_POLL_MAX_S": "0.2",
            "FTJOBS_SETTLE_S": "0.05",
        }
        yield Service(base_url), Desk(forks, Person(home, environ), data)


def run_world(number: int) -> dict[str, object]:
    """Run the fifty rounds of a world and return its line; AssertionError where a promise is broken."""
    chance, started, kills = random.Random(f"world {number}"), time.monotonic(), 0
    with (
        tempfile.TemporaryDirectory(prefix="kills-", dir=_IN_MEMORY) as folder,
        world(Path(folder)) as (service, desk),
    ):
        service.settings(
            keep_metadata=chance.random() < 0.6,
            list_lag_s=chance.choice([0, 0, 600]),
            job_seconds=0.2,
            file_seconds=0,
        )
        for nth in range(ROUNDS_A_WORLD):
            for _ in range(chance.choice([1, 1, 1, 2, 3])):
                kills += _one_death(service, desk, f"r{nth}", chance)
        service.faults()
        service.settings(list_lag_s=0)
        before = desk.book.entries()
        for nth in range(ROUNDS_A_WORLD):
            finish(desk, "--again", f"r{nth}")
        assert_paid_once(service, desk, jobs=ROUNDS_A_WORLD, before=before)
    seconds = round(time.monotonic() - started, 1)
    return {"world": number, "rounds": ROUNDS_A_WORLD, "kills": kills, "seconds": seconds}


def _one_death(service: Service, desk: Desk, name: str, chance: random.Random) -> int:
    """Let one command die, or not; return the deaths."""
    fault = chance.choice([None, None, *_CREATE_FAULTS])
    service.faults(*([{"on": CREATE, **fault}] if fault else []))
    if chance.random() < 0.5:
        env = {"FTJOBS_FAILPOINT": f"{chance.choice(_MOMENTS)}:kill"}
        command = (
            desk.start("status", **env) if chance.random() < 0.2 else desk.start_submit("--again", name, **env)
        )
        return int(command.end().code == -9)
    command = desk.start_submit("--again", name)
    time.sleep(chance.uniform(0, 0.3))
    command.kill()
    return int(command.end().code == -9)


def main() -> int:
    """Run worlds until the rounds are done; return 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    DONE.parent.mkdir(exist_ok=True)
    lines = [json.loads(line) for line in DONE.read_text().splitlines()] if DONE.exists() else []
    left = [n for n in range(-(-asked.rounds // ROUNDS_A_WORLD)) if n not in {line["world"] for line in lines}]
    started, failed = time.monotonic(), 0
    with ProcessPoolExecutor(asked.workers, mp_context=get_context("spawn")) as pool:
        worlds = {pool.submit(run_world, number): number for number in left}
        for nth, ended in enumerate(as_completed(worlds), 1):
            if (error := ended.exception()) is not None:
                failed += 1
                print(f"world {worlds[ended]}: {error!r}"[:2000], file=sys.stderr)
                continue
            lines.append(ended.result())
            with DONE.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
            rate = nth * ROUNDS_A_WORLD / (time.monotonic() - started) * 60
            print(f"{len(lines) * ROUNDS_A_WORLD} rounds, {rate:.0f} a minute", flush=True)
    rounds, kills = (sum(line[name] for line in lines) for name in ("rounds", "kills"))
    print(f"{rounds} rounds, {kills} kills, {failed} worlds with a broken promise")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
