"""Print what one `status` of 10,000 unsettled jobs spends its time on: `python -m tests.bench.profile_sync`."""

from __future__ import annotations

import pstats
import sys
import tempfile
from pathlib import Path

from tests.bench.cases import Bench
from tests.bench.measure import Command, timed
from tests.bench.population import World
from tests.bench.prepared import write_ledger
from tests.bench.service import make, served
from tests.bench.sync import JUDGED_COUNT, Ours

if __name__ == "__main__":
    world = World(JUDGED_COUNT, "ended" if "ended" in sys.argv[1:] else "running")
    with tempfile.TemporaryDirectory() as folder, served() as address:
        ledger, found = Path(folder, "ledger"), Path(folder, "profile")
        write_ledger(ledger, world.count)
        make(address, world)
        side = Ours(Bench(Path(folder)), address, ledger, world).command("status", "--json", name="status")
        args = (sys.executable, "-m", "cProfile", "-o", str(found), *side.args[1:])
        timed(Command(side.name, args, side.env, before=side.before))
        pstats.Stats(str(found)).sort_stats("tottime").print_stats(40).sort_stats("cumtime").print_stats(
            "ftjobs", 40
        )
