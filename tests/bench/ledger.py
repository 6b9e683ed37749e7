"""A month of the ledger: `ftjobs ledger` against a script with sqlite3, on the same file, in turns."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.many import write_many
from tests.bench.measure import Command, alternating, peak_bytes

if TYPE_CHECKING:
    from tests.bench.cases import Bench

ROOT = Path(__file__).resolve().parents[2]
COUNTS = (1_000, 100_000)  # a million takes 3 GB and minutes: only where it is asked for
JUDGED_COUNT = 100_000
_MOST_LISTED = 100_000
_LISTED_OF_MORE = 20_000


def ledger(bench: Bench) -> None:
    """Print a month of 1,000 and 100,000 jobs, or of as many as asked; of more, a month of 20,000 is listed."""
    for count in bench.counts or COUNTS:
        path = bench.folder / f"{count}.sqlite3"
        bench.say(f"ledger {count:,}: writing")
        write_many(path, count, listed=_LISTED_OF_MORE if count > _MOST_LISTED else None)
        _compare(bench, path, count, "CSV", "csv", "2026-10", "--csv")
        _compare(bench, path, count, "text", "full", "2026-10")
        _compare(bench, path, count, "by model", "full", "2026-10", "--by", "model")
        _compare(bench, path, count, "JSON", "full", "2026-10", "--json")
        path.unlink()


def _compare(bench: Bench, path: Path, count: int, shape: str, script: str, *args: str) -> None:
    case = f"ledger {count:,}, {shape}"
    env = {"PYTHONPATH": str(ROOT), "FTJOBS_LEDGER_URL": f"sqlite:///{path}"}
    ours = Command("ftjobs ledger", (sys.executable, "-m", "ftjobs", "ledger", *args), env)
    theirs = Command("sqlite3", (sys.executable, str(Path(__file__).with_name("listing.py")), str(path), script))
    bench.say(f"{case}: memory")
    bench.peaks[case] = {each.name: peak_bytes(each)[0] for each in (ours, theirs)}
    bench.say(f"{case}: timing")
    found = bench.series[case] = alternating([ours, theirs], bench.repeats if count < JUDGED_COUNT else 1)
    is_judged = count == JUDGED_COUNT and shape in {"CSV", "text"}
    bounds = (1.5, 1.2) if is_judged else ()
    bench.add(f"{case}: takes", found[0].wall_s / found[1].wall_s, "× the script's time", *bounds, at_most=True)
