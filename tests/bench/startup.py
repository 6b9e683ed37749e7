"""How long a command takes that has next to nothing to do, against the help of tools that people know."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

from ftjobs.ledger.engine import open_engine
from tests.bench.many import MONTH, write_many
from tests.bench.measure import Command, alternating, peak_bytes

if TYPE_CHECKING:
    from tests.bench.cases import Bench

ROOT = Path(__file__).resolve().parents[2]
PINS = Path(__file__).with_name("peers.txt")
PEERS = ("llm", "together")
JOBS = 1_000
_ROUNDS = 3  # a run is short, and varies as much as it takes


def startup(bench: Bench) -> None:
    """`ftjobs --help` and a month of an empty ledger and of 1,000 jobs; unknown where the peers cannot be had."""
    empty, full = bench.folder / "empty.sqlite3", bench.folder / "month.sqlite3"
    open_engine(empty, stamp="real").dispose()
    write_many(full, JOBS)
    ours = [
        _ftjobs("ftjobs --help", "--help"),
        _ftjobs("ftjobs ledger --month, no jobs", "ledger", "--month", ledger=empty),
        _ftjobs(f"ftjobs ledger --month, {JOBS:,}", "ledger", "--month", f"{MONTH.start:%Y-%m}", ledger=full),
    ]
    theirs = _peers(bench)
    for each in (*ours, *theirs):  # also compiles what is imported
        bench.say(f"startup: memory of {each.name}")
        bench.peaks.setdefault("startup", {})[each.name] = peak_bytes(each)[0]
    bench.say("startup: timing")
    found = bench.series["startup"] = alternating([*ours, *theirs], bench.repeats * _ROUNDS)
    walls = {series.name: series.wall_s for series in found}
    for command in ours:
        for peer in PEERS:
            wall_s = walls.get(f"{peer} --help")
            ratio = wall_s and wall_s / walls[command.name]
            bounds = (3.0,) if command is ours[0] else (1.3, 1.7) if peer == "llm" else ()
            bench.add(f"startup: {peer} --help takes", ratio, f"× as long as {command.name}", *bounds)


def _ftjobs(name: str, *args: str, ledger: Path | None = None) -> Command:
    env = {"FTJOBS_LEDGER_URL": f"sqlite:///{ledger}"} if ledger else {}
    return Command(name, (str(Path(sys.executable).with_name("ftjobs")), *args), env)


def _peers(bench: Bench) -> list[Command]:
    """Return the peers' commands, installed beside the checkout; none where no registry can be reached."""
    place = ROOT / ".bench" / hashlib.sha256(PINS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home = bench.folder / "home"  # one of them sets itself up there when it is first run
    home.mkdir()
    commands = [
        Command(f"{peer} --help", (str(place / "bin" / peer), "--help"), {"HOME": str(home)}) for peer in PEERS
    ]
    done = place / ".done"
    if not done.exists():
        bench.say(f"startup: installing {' and '.join(PEERS)} in {place.relative_to(ROOT)}")
        venv.create(place, with_pip=True, clear=True)
        pip = (str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "-c", str(PINS), *PEERS)
        asked = subprocess.run(pip, capture_output=True, text=True, check=False)
        if asked.returncode:
            why = (asked.stderr.strip().splitlines() or ["no reason given"])[-1]
            bench.say(f"startup: they cannot be installed here: {why}")
            return []
        done.touch()
    return commands
