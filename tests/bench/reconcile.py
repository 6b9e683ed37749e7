"""A year of invoices against the bills of 10,000 jobs: `ftjobs reconcile 2025`, 50 ms away."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from ftjobs.jobs.job import parse_job
from ftjobs.jobs.submission import Submission
from tests.bench.measure import Command, alternating, peak_bytes
from tests.bench.population import MODEL, QUOTE, TRAINED_TOKENS, our_job
from tests.bench.prepared import PROFILE, prepared_submission, write_submissions

if TYPE_CHECKING:
    from tests.bench.cases import Bench

ROOT = Path(__file__).resolve().parents[2]
JOBS = 10_000
OTHER_LINES = 9  # of each day, beside the training
LATENCY_S = 0.05
_DAY_S = 86_400
_START = datetime(2025, 1, 1, 6, tzinfo=UTC)
_EVERY = timedelta(days=365) / JOBS


def reconcile(bench: Bench) -> None:
    """Reconcile a year; on an empty table of invoices, then with all of them known."""
    count = (bench.counts or (JOBS,))[0]
    case, ledger = f"reconcile {count:,}", bench.folder / "invoiced.sqlite3"
    sent = [_spread(number) for number in range(count)]
    write_submissions(ledger, sent)
    ends = Counter(_day(submission) for submission in sent)
    with _served(ends) as (address, requests):
        settings = bench.folder / "invoiced.toml"
        settings.write_text(
            f'profile = "{PROFILE}"\n[profiles.{PROFILE}]\nbase_url = "{address}/v1"\n'
            f'api_key_env = "BENCH_API_KEY"\nadmin_key_env = "BENCH_API_KEY"\naccount = "{PROFILE}"\n'
        )
        env = {
            "PYTHONPATH": str(ROOT),
            "BENCH_API_KEY": "sk-bench",
            "FTJOBS_CONFIG": str(settings),
            "FTJOBS_LEDGER_URL": f"sqlite:///{ledger}",
        }
        args = (sys.executable, "-m", "ftjobs", "reconcile", "2025", "--json")
        first, again = Command("the first time", args, env), Command("again", args, env)
        bench.say(f"{case}: timing")
        (cold,) = alternating([first], 1)
        _check(cold.runs[0].out, count)
        requests.clear()
        peak, out = peak_bytes(again)
        _check(out, count)
        bench.requests[case] = {again.name: (len(requests), 0.0)}
        bench.peaks[case] = {again.name: peak}
        (warm,) = alternating([again], bench.repeats)
    bench.series[case] = [cold, warm]
    bench.add(f"{case}, 12 months of {OTHER_LINES + 1} line items: takes", warm.wall_s, "s")
    bench.add(f"{case}: peak memory", peak and peak / 1e6, "MB", 256, at_most=True)


def _spread(number: int) -> Submission:
    """Return our job of that number as one that was created somewhere in 2025, and ended half an hour later."""
    began = _START + number * _EVERY
    seconds = int(began.timestamp())
    job = parse_job({**our_job(number, "ended"), "created_at": seconds, "finished_at": seconds + 1_800})
    return replace(prepared_submission(number, "ended"), recorded_at=began, job=job)


def _day(submission: Submission) -> int:
    assert submission.job is not None and submission.job.finished_at is not None
    return int(submission.job.finished_at.timestamp()) // _DAY_S * _DAY_S


def _check(out: str, count: int) -> None:
    told = json.loads(out)["totals"]
    if told["discrepant_days"] or told["ledger_usd"] == "0.00" or told["days"] < min(count, 365):
        raise RuntimeError(f"reconcile told {told}")


@contextmanager
def _served(ends: Counter[int]) -> Iterator[tuple[str, list[str]]]:
    requests: list[str] = []

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            requests.append(self.path)
            body = json.dumps(_page(parse_qs(urlsplit(self.path).query), ends)).encode()
            time.sleep(LATENCY_S)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()


def _page(asked: dict[str, list[str]], ends: Counter[int]) -> dict[str, Any]:
    first = int(asked.get("page", asked["start_time"])[0])
    starts = list(range(first, int(asked["end_time"][0]), _DAY_S))
    limit = int(asked["limit"][0])
    more = len(starts) > limit
    return {
        "object": "page",
        "data": [_bucket(start, ends[start]) for start in starts[:limit]],
        "has_more": more,
        "next_page": str(starts[limit]) if more else None,
    }


def _bucket(start: int, jobs: int) -> dict[str, Any]:
    cost = QUOTE.usd_per_1m.cost(TRAINED_TOKENS * jobs).nano / 1e9
    lines = [(f"{MODEL}, training", TRAINED_TOKENS * jobs, cost)] if jobs else []
    lines += [
        (f"model-{number}, input", start % 9_973 + number, 0.1 + number / 7) for number in range(OTHER_LINES)
    ]
    return {
        "object": "bucket",
        "start_time": start,
        "end_time": start + _DAY_S,
        "results": [
            {
                "object": "organization.costs.result",
                "amount": {"value": value, "currency": "usd"},
                "line_item": name,
                "quantity": quantity,
                "quantity_unit": "tokens",
                "project_id": f"proj_{number % 3}",
            }
            for number, (name, quantity, value) in enumerate(lines)
        ],
    }
