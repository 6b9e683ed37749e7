"""Hold the product against the scripts that people use: `python -m tests.bench [--only NAME]`.

Each side is a whole process on the same fresh file, or with the same jobs at a service 50 ms away; they take turns
and medians are compared. Memory and requests are measured in runs of their own. Exit 1 where a figure misses its
bound; it is named.

The whole bench writes some 0.7 GB under TMPDIR, and the notebook's script takes a few GB of memory.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.bench.cases import CASES, FILE_BYTES, Bench, Figure
from tests.bench.measure import is_busy, machine

_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9}


def main(args: Sequence[str] | None = None) -> int:
    """Run the chosen cases, all where none is named; return 1 if a figure misses its bound, 2 if a side fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=CASES, metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--bytes", type=_size, default=FILE_BYTES, help="size of the file (default: 100M)")
    parser.add_argument("--jobs", type=_positive, action="append", metavar="N", help="sync that many (may repeat)")
    parser.add_argument("--repeats", type=_positive, default=5, help="rounds (default: 5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args(args)
    where = machine()
    if is_busy():
        _say(f"This machine is busy (load {where['load_1_min']}): wall seconds say little, see the quickest.")
    try:
        with tempfile.TemporaryDirectory(prefix="ftjobs-bench-") as folder:
            bench = Bench(Path(folder), asked.bytes, asked.repeats, _say, tuple(asked.jobs or ()))
            for name in asked.only or CASES:
                CASES[name](bench)
    except RuntimeError as failure:
        _say(f"Nothing was measured: {failure}")
        return 2
    except KeyboardInterrupt:
        _say("Stopped.")
        return 130
    where["load_1_min_after"] = machine()["load_1_min"]
    missed = [figure for figure in bench.figures if figure.missed] if bench.judged else []
    print(_as_json(bench, where) if asked.json else _as_text(bench, where))
    for figure in missed:
        _say(f"MISSED: {_line(figure)}")
    return 1 if missed else 0


def _as_text(bench: Bench, where: dict[str, object]) -> str:
    packages = where["packages"]
    assert isinstance(packages, dict)
    lines = [
        f"{where['cores']} cores of {where['cpu']}, {where['system']}, Python {where['python']}, "
        + ", ".join(f"{name} {number}" for name, number in packages.items()),
        f"load {where['load_1_min']} before, {where['load_1_min_after']} after; {bench.size / 1e6:g} MB; "
        "medians; memory is the PSS of all processes together, answering the service's own CPU seconds",
        "",
        f"{'':34}{'wall s':>9}{'from':>9}{'to':>9}{'CPU s':>9}{'peak MB':>9}{'requests':>10}{'answering':>10}",
    ]
    for case, series in bench.series.items():
        lines.append(case)
        for each in series:
            peak = bench.peaks.get(case, {}).get(each.name)
            low, high = each.spread_s
            memory = f"{peak / 1e6:9,.0f}" if peak else f"{'':9}"
            line = f"  {each.name:32}{each.wall_s:9.3f}{low:9.3f}{high:9.3f}{each.cpu_s:9.3f}{memory}"
            if asked := bench.requests.get(case, {}).get(each.name):
                line += f"{asked[0]:10,}{asked[1]:10.3f}"
            lines.append(line)
    lines += ["", *map(_line, bench.figures)]
    if not bench.judged:
        lines += ["", f"Bounds are for {FILE_BYTES / 1e6:g} MB: at this size they are not judged."]
    return "\n".join(lines)


def _line(figure: Figure) -> str:
    value = "unknown" if figure.value is None else f"{figure.value:,.2f}"
    held_to = []
    if figure.bound is not None:
        held_to.append(f"{'at most' if figure.at_most else 'at least'} {figure.bound:g}")
    if figure.aim is not None:
        held_to.append(f"aim {figure.aim:g}")
    return f"{figure.name} {value} {figure.unit}" + (f" ({', '.join(held_to)})" if held_to else "")


def _as_json(bench: Bench, where: dict[str, object]) -> str:
    series = {
        case: [
            {
                "name": each.name,
                "wall_s": [run.wall_s for run in each.runs],
                "cpu_s": [run.cpu_s for run in each.runs],
                "median_wall_s": each.wall_s,
                "peak_bytes": bench.peaks.get(case, {}).get(each.name),
                "requests_and_service_cpu_s": bench.requests.get(case, {}).get(each.name),
            }
            for each in found
        ]
        for case, found in bench.series.items()
    }
    figures = [{**asdict(figure), "missed": figure.missed and bench.judged} for figure in bench.figures]
    return json.dumps({"machine": where, "bytes": bench.size, "series": series, "figures": figures})


def _size(text: str) -> int:
    digits, unit = (text[:-1], text[-1].upper()) if text[-1:].upper() in _UNITS else (text, "")
    return _positive(digits) * _UNITS.get(unit, 1)


def _positive(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError("give a whole number above 0; sizes may end in K, M or G")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # takes the running side and the files with it
    sys.exit(main())
