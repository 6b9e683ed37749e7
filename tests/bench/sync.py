"""Any number of jobs followed, adopted or left alone: `ftjobs` against a script with AsyncOpenAI, 50 ms away."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ftjobs.cli.main import VERBS
from tests.bench.measure import Command, Series, alternating, peak_bytes
from tests.bench.population import Company, State, World, our_job
from tests.bench.prepared import PROFILE, write_ledger
from tests.bench.service import make, served, taken

if TYPE_CHECKING:
    from tests.bench.cases import Bench

ROOT = Path(__file__).resolve().parents[2]
COUNTS = (1, 100, 1_000, 10_000)
JUDGED_COUNT = 10_000  # what the bounds are for
_BIG_ROUNDS = 3  # of what takes half a minute a round
_ADOPTED = 5_000
_SETTLED = 200
_STATES: tuple[State, ...] = ("running", "ended")
_COMPANIES: tuple[Company, ...] = ("alone", "among", "ignored")
_SCRIPT = "AsyncOpenAI, 32 at once"


def sync(bench: Bench) -> None:
    """Sync 1 to 10,000 jobs; adopt 5,000; start with nothing to sync."""
    with served() as address:
        for count in bench.counts or COUNTS:
            _Following(bench, address, count).compare()
        _adopt(bench, address)
    _idle(bench)


@dataclass(frozen=True, slots=True)
class Ours:
    """`ftjobs` on a copy of a prepared ledger and a world of the service."""

    bench: Bench
    address: str
    ledger: Path
    world: World

    @property
    def used(self) -> Path:
        """The ledger that a run works with."""
        return self.ledger.with_suffix(".used")

    def command(self, *args: str, name: str) -> Command:
        """Return the command, each run of which finds a fresh copy of the ledger."""
        settings = self.bench.folder / f"{self.world.name}.toml"
        settings.write_text(
            f'profile = "{PROFILE}"\n[profiles.{PROFILE}]\nbase_url = "{self.address}/{self.world.name}/v1"\n'
            f'api_key_env = "BENCH_API_KEY"\naccount = "{PROFILE}"\n'
        )
        env = {
            "PYTHONPATH": str(ROOT),
            "BENCH_API_KEY": "sk-bench",
            "FTJOBS_CONFIG": str(settings),
            "FTJOBS_LEDGER_URL": f"sqlite:///{self.used}",
        }
        return Command(name, (sys.executable, "-m", "ftjobs", *args), env, before=self._copy)

    def _copy(self) -> None:
        shutil.copyfile(self.ledger, self.used)
        with self.used.open("rb") as copy:
            os.fsync(copy.fileno())  # else the first commit of the run pays for it

    def require(self, jobs: int, bills: int) -> None:
        """Raise RuntimeError unless the last run left that many jobs with that many bills."""
        with closing(sqlite3.connect(self.used)) as connection:
            ((found,),) = connection.execute("SELECT count(*) FROM jobs")
            ((billed,),) = connection.execute("SELECT count(*) FROM entries WHERE kind = 'billed'")
        if (found, billed) != (jobs, bills):
            raise RuntimeError(f"{self.world.name}: {found} jobs and {billed} bills, not {jobs} and {bills}")


class _Following:
    """One number of jobs: each world through `ftjobs status --json`, and the script, in turn."""

    def __init__(self, bench: Bench, address: str, count: int) -> None:
        self._bench, self._count, self._case = bench, count, f"sync {count:,}"
        ledger = bench.folder / f"{count}.sqlite3"
        write_ledger(ledger, count)
        worlds = [World(count, state, company) for state in _STATES for company in _COMPANIES]
        for world in worlds:
            make(address, world)
        ids = bench.folder / f"{count}.ids"
        ids.write_text("\n".join(str(our_job(number, "running")["id"]) for number in range(count)))
        script = (sys.executable, str(Path(__file__).with_name("retrieving.py")), f"{address}/{worlds[0].name}/v1")
        self._script = Command(_SCRIPT, (*script, str(ids)))
        self._ours = [Ours(bench, address, ledger, world) for world in worlds]
        self._commands = [
            each.command("status", "--json", name=f"{each.world.state}, {each.world.company}")
            for each in self._ours
        ]
        self._taken = partial(taken, address)

    def compare(self) -> None:
        """Count and hold the sides to the same jobs, then time them."""
        bench = self._bench
        counted(bench, self._case, self._script, self._taken, self._told_by_script)
        for ours, command in zip(self._ours, self._commands, strict=True):
            counted(bench, self._case, command, self._taken, partial(self._told_by_status, ours))
        bench.say(f"{self._case}: timing")
        rounds = bench.repeats if self._count < JUDGED_COUNT else min(bench.repeats, _BIG_ROUNDS)
        found = bench.series[self._case] = alternating([self._script, *self._commands], rounds)
        script, *all_ours = found
        bounds = {"wall": (2, 3), "CPU": (6, 30)} if self._count == JUDGED_COUNT else {}
        for side in all_ours:
            for what, ratio in (("wall", script.wall_s / side.wall_s), ("CPU", script.cpu_s / side.cpu_s)):
                name = f"{self._case}, {side.name}: the script takes"
                bench.add(name, ratio, f"× the {what} seconds", *bounds.get(what, ()))

    def _told_by_script(self, out: str) -> None:
        if out.strip() != f"Jobs: {self._count} running":
            raise RuntimeError(f"the script saw other jobs: {out[:500]}")

    def _told_by_status(self, ours: Ours, out: str) -> None:
        ended = ours.world.state == "ended"
        words = Counter(re.findall(r'"status": ?"(\w+)"', out))
        shown = words["succeeded"] if ended else words["running"]
        if shown != words.total() or (shown != self._count and not ended):
            raise RuntimeError(f"status of {ours.world.name} told {dict(words)}")
        ours.require(self._count, self._count if ended else 0)


def counted(
    bench: Bench, case: str, side: Command, taken: Callable[[], tuple[int, float]], check: Callable[[str], None]
) -> None:
    """Run a side once for its memory and its requests; `check` raises where it did not do its work."""
    bench.say(f"{case}: memory and requests of {side.name}")
    taken()
    peak, out = peak_bytes(side)
    bench.peaks.setdefault(case, {})[side.name] = peak
    bench.requests.setdefault(case, {})[side.name] = taken()
    check(out)


def _adopt(bench: Bench, address: str) -> None:
    if "adopt" not in VERBS:
        bench.say("adopt: not there")
        return
    ledger = bench.folder / "empty.sqlite3"
    write_ledger(ledger, 0)
    world = World(_ADOPTED, "ended")
    make(address, world)
    ours, case = Ours(bench, address, ledger, world), f"adopt {_ADOPTED:,}"
    command = ours.command("adopt", "--all", "--json", name="ftjobs adopt --all")
    counted(bench, case, command, partial(taken, address), lambda _: ours.require(_ADOPTED, _ADOPTED))
    bench.say(f"{case}: timing")
    (found,) = bench.series[case] = alternating([command], min(bench.repeats, _BIG_ROUNDS))
    bench.add(f"{case}: takes", found.wall_s, "s")


def _idle(bench: Bench) -> None:
    case, ledger = "nothing to sync", bench.folder / "settled.sqlite3"
    write_ledger(ledger, _SETTLED, state="ended")
    ours = Ours(bench, "http://127.0.0.1:9", ledger, World(_SETTLED, "ended"))  # port 9: nobody answers
    sides = (
        ours.command("status", name="ftjobs status"),
        Command("python -c pass", (sys.executable, "-c", "pass")),
    )
    bench.say(f"{case}: timing")
    alternating(sides, 1)
    found: list[Series] = alternating(sides, bench.repeats)
    bench.series[case] = found
    status, bare = found
    bench.add(
        f"{case}, {_SETTLED} settled jobs: status takes", status.wall_s / bare.wall_s, "× a bare interpreter"
    )
