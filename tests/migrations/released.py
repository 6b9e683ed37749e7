"""Ledgers as earlier versions left them, read without the product."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from tests.migrations.conftest import ROOT

MONTH = "2027-03"
SMALLEST, LARGEST = -(2**63), 2**63 - 1
Row = Mapping[str, object]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    return config


def released() -> list[str]:
    """Return every revision but the newest, oldest first: what a ledger in somebody's home may have."""
    script = ScriptDirectory.from_config(_config())
    revisions = [each.revision for each in script.walk_revisions()]
    return [each for each in reversed(revisions) if each not in script.get_heads()]


def migrate_to(path: Path, revision: str) -> None:
    """Make or change the database at `path` with the migrations alone."""
    config = _config()
    with create_engine(f"sqlite:///{path}", poolclass=NullPool).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


# What a ledger may hold

TEXTS = (
    "",
    "plain",
    "Ünïcödé – 微調整 🧪",
    "\u202eright to left\u202c",
    "it's; DROP TABLE entries -- \"\\",
    "two\nlines\tand\0a zero",
    "x" * 200,
)
WHOLES = (0, 1, -1, 10**9 + 1, 2**53 + 1, SMALLEST, LARGEST)
_STATES = ("created", "recorded", "created", "sending", "created", "rejected", "created", "uncertain", "abandoned")
_JOB_WORDS = ("succeeded", "running", "failed", "succeeded", "cancelled", "paused by 管理者")


def _instant(number: int, *, later_h: int = 0) -> str:
    """Return an instant in the months around MONTH; every other one has microseconds."""
    month, day, hour = 2 + number // 7 % 3, 1 + number % 28, (number + later_h) % 24
    return f"2027-{month:02}-{day:02}T{hour:02}:{number % 60:02}:59.{number % 2 * 999_999:06}Z"


def _text(number: int) -> str:
    """Return every sort of text in turn, now and then one that fits no page."""
    return "x" * 9000 if number % 97 == 0 else TEXTS[number % len(TEXTS)]


def _submissions(count: int) -> Iterator[Row]:
    quote: dict[str, Any] = {"v": 1, "usd_per_1m": "3.00", "list": "openai", "from": None, "on": "2027-02-01"}
    ranges = {name: [1, 2, 3] for name in ("dataset_tokens", "epochs", "estimated_tokens")}
    spec = {"model": "m", "base_model": "m", "requested_model": "m", "n_epochs": "auto"}
    hashes = {"training_sha256": "ab" * 32, "training_bytes": 2**40}
    for number in range(count):
        state, text = _STATES[number % len(_STATES)], _text(number)
        yield {
            "id": f"{number:026}",
            "key": f"{number // 2:064x}",
            "holds_key": number % 2,
            "state": state,
            "profile": "openai",
            "account": f"https://api.openai.com/v1/|{text}|",
            "recorded_at": _instant(number),
            "spec": json.dumps(spec | hashes) if number % 5 else None,
            "quote": json.dumps(quote | ranges | {"examples": number}) if number % 7 else None,
            "tags": json.dumps({"team": text}, ensure_ascii=number % 2 == 0),
            "training_file_id": f"file-{number}" if number % 3 else None,
            "validation_file_id": text if number % 4 == 0 else None,
            "error_code": "rejected" if state == "rejected" else None,
            "error_message": text if number % 3 == 0 else None,
        }


def _jobs(count: int) -> Iterator[Row]:
    for submission in _submissions(count):
        if submission["state"] == "created":
            number = int(str(submission["id"]))
            raw = {
                "object": "fine_tuning.job",
                "id": f"ftjob-{number}",
                "status": _JOB_WORDS[number % len(_JOB_WORDS)],
                "created_at": 1_800_000_000 + number,
                "metadata": {"note": _text(number)},
                "beyond": LARGEST * 10,
            }
            yield {
                "id": raw["id"],
                "submission_id": submission["id"],
                "raw": json.dumps(raw, ensure_ascii=number % 2 == 0),
                "seen_at": _instant(number, later_h=1),
            }


def _files(count: int) -> Iterator[Row]:
    for number in range(count):
        yield {
            "id": f"file-{number}",
            "account": _text(number),
            "sha256": f"{number // 3:064x}",
            "uploaded_at": _instant(number),
        }


def _entries(count: int) -> Iterator[Row]:
    for submission in _submissions(count):
        number = int(str(submission["id"]))
        amount = 1_234_567_891 * number + 1
        spread = {"low_nano_usd": amount // 2, "high_nano_usd": amount * 2}
        if number % 11:
            yield _entry(number, "estimate", 0, amount, **(spread if number % 13 else {}))
        if submission["state"] in {"rejected", "abandoned"}:
            yield _entry(number, "void", 0, -amount, source=str(submission["state"]))
        if submission["state"] == "created" and number % len(_JOB_WORDS) in {0, 3}:
            yield _entry(number, "billed", 0, amount + 7, basis="trained_tokens", effective_from="2026-11-01")
            yield _entry(number, "billed", 1, -3, basis="trained_tokens")
        if number % 6 == 0:
            # Beyond the month, so that its totals are numbers that a person could believe.
            at = f"2029-01-01T00:00:00.{number:06}Z"
            whole = WHOLES[number // 6 % len(WHOLES)]
            extremes = {
                "low_nano_usd": SMALLEST,
                "high_nano_usd": LARGEST,
                "nano_usd_per_1m": abs(whole) % LARGEST,
            }
            yield _entry(number, "adjustment", number, whole, tokens=whole, occurred_at=at, **extremes)
            yield _entry(number, "adjustment", LARGEST, 1, occurred_at=at, source=_text(number // 6))


def _entry(number: int, kind: str, seq: int, amount: int, **more: object) -> Row:
    return {
        "submission_id": f"{number:026}",
        "kind": kind,
        "seq": seq,
        "tokens": number * 1000 if number % 5 else None,
        "amount_nano_usd": amount,
        "nano_usd_per_1m": 3 * 10**9 if number % 4 else None,
        "price_list": "openai" if number % 4 else None,
        "source": "a page",
        "occurred_at": _instant(number, later_h=seq % 2),
        "recorded_at": _instant(number, later_h=seq % 2),
        **more,
    }


def _changes(count: int) -> Iterator[Row]:
    for number in range(0, count, 9):
        yield {
            "submission_id": f"{number:026}",
            "what": ("state", "job", "tags")[number % 3],
            "before": json.dumps({"team": _text(number)}) if number % 2 else None,
            "recorded_at": _instant(number, later_h=2),
        }


_ROWS: Mapping[str, Callable[[int], Iterator[Row]]] = {
    "stamps": lambda _: iter([{"stamp": "real"}]),
    "submissions": _submissions,
    "jobs": _jobs,
    "files": lambda count: _files(count * 7 // 10),
    "entries": _entries,
    "changes": _changes,
}


def fill(path: Path, *, submissions: int) -> None:
    """Write about four rows a submission into the empty ledger at `path`, whatever its schema.

    What a later schema adds is filled by its type. Where that breaks a rule of the schema, say above what its
    rows look like.
    """
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA foreign_keys=ON")
        tables = columns_of(path)
        for table in sorted(tables, key=lambda name: list(_ROWS).index(name) if name in _ROWS else len(_ROWS)):
            info = connection.execute(f"PRAGMA table_info({table})").fetchall()
            rows = _ROWS[table](submissions) if table in _ROWS else iter([{}] * 100)
            connection.executemany(
                f"INSERT INTO {table} VALUES ({', '.join('?' * len(info))})",
                ([_value(row, column, n) for column in info] for n, row in enumerate(rows)),
            )


def _value(row: Row, column: Sequence[Any], number: int) -> object:
    """Return what the row says, or anything of the column's type: a key that counts, else every sort in turn."""
    _, name, kind, required, default, is_key = column
    known_null = not required and default is None and name in _OPTIONAL
    if name in row or known_null:
        return row.get(name)
    if is_key:
        return None if kind == "INTEGER" else f"{number}"
    values = WHOLES if kind == "INTEGER" else TEXTS
    return values[number % len(values)] if required or number % 2 else None


# An entry leaves these out where it does not know them.
_OPTIONAL = frozenset({"low_nano_usd", "high_nano_usd", "effective_from", "basis"})


# What a ledger says

Facts = Mapping[str, object]


def rows(path: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Return what a query finds."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, values).fetchall()


def columns_of(path: Path) -> dict[str, list[str]]:
    """Return the columns of each table, but for alembic's own."""
    names = rows(path, "SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'alembic_version'")
    return {name: [row[1] for row in rows(path, f"PRAGMA table_info({name})")] for (name,) in names}


def facts(path: Path, columns: Mapping[str, Sequence[str]]) -> Facts:
    """Return what makes two ledgers equal in these columns, in a form that says where they are not."""
    found: dict[str, object] = {}
    for table, names in columns.items():
        order = ", ".join(str(place + 1) for place in range(len(names)))
        content = rows(path, f"SELECT {', '.join(names)} FROM {table} ORDER BY {order}")
        found[f"rows of {table}"] = (len(content), _digest(content))
        for place, name in enumerate(names):
            found[f"{table}.{name}"] = _digest([row[place] for row in content])
    # In Python, since SQLite's own sum of 64-bit extremes overflows.
    for kind, amount in rows(path, "SELECT kind, amount_nano_usd FROM entries"):
        total = found.get(f"sum of {kind}", 0)
        assert isinstance(total, int)
        found[f"sum of {kind}"] = total + amount
    return found


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()


def schema(path: Path) -> list[tuple[object, ...]]:
    """Return every statement that makes the schema, word for word."""
    return rows(path, "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")


def revision(path: Path) -> object:
    """Return the revision of the schema."""
    ((found,),) = rows(path, "SELECT version_num FROM alembic_version")
    return found


def backups(path: Path) -> list[Path]:
    """Return the backups that bear the final name."""
    return sorted(each for each in path.parent.glob(f"{path.name}.before-*") if ".part" not in each.name)


def month_of(path: Path) -> dict[str, object]:
    """Return the digest and the totals that `ftjobs ledger` prints of MONTH, reckoned from the rows alone."""
    start, end = f"{MONTH}-01", f"{MONTH}-32"
    words = "('succeeded', 'failed', 'cancelled')"
    ended = {id_ for (id_,) in rows(path, f"SELECT submission_id FROM jobs WHERE raw ->> 'status' IN {words}")}
    began = dict(rows(path, "SELECT id, recorded_at FROM submissions"))
    trails: dict[str, list[sqlite3.Row]] = {id_: [] for id_ in began}
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        for entry in connection.execute("SELECT * FROM entries"):
            trails[entry["submission_id"]].append(entry)
    sums, digested = Counter[str](), []
    for id_, trail in trails.items():
        estimates = [entry for entry in trail if entry["kind"] == "estimate"]
        others = [entry for entry in trail if entry["kind"] != "estimate"]
        bills = [each for each in others if each["kind"] != "void" and start <= each["occurred_at"] < end]
        is_open = all(entry["occurred_at"] >= end for entry in others)
        first = min((entry["occurred_at"] for entry in estimates), default=began[id_])
        if not bills and not (is_open and first < end):
            continue
        digested += [entry for entry in trail if entry["occurred_at"] < end]
        estimated = sum(entry["amount_nano_usd"] for entry in estimates)
        billed = sum(entry["amount_nano_usd"] for entry in bills)
        sums["jobs"] += 1
        sums["unsettled_jobs"] += is_open
        sums["unknown_billed_jobs"] += not others and id_ in ended
        sums["estimated_tokens"] += sum(entry["tokens"] or 0 for entry in estimates)
        sums["estimated_cost_usd"] += estimated
        sums["trained_tokens"] += sum(entry["tokens"] or 0 for entry in bills)
        sums["billed_cost_usd"] += billed
        if estimates and any((entry["kind"], entry["seq"]) == ("billed", 0) for entry in bills):
            sums["settled_estimated_cost_usd"] += estimated
            sums["variance_usd"] += billed - estimated
        high = sum(each["high_nano_usd"] or each["amount_nano_usd"] for each in estimates)
        sums["commitment_usd"] += high if is_open else 0
    digested.sort(key=lambda each: (each["recorded_at"], each["submission_id"], each["kind"], each["seq"]))
    names = ("submission_id", "kind", "seq", "tokens", "amount_nano_usd", "nano_usd_per_1m")
    lines = [
        [*(each[name] for name in names), *(f"{each[at][:19]}Z" for at in ("occurred_at", "recorded_at"))]
        for each in digested
    ]
    digest = hashlib.sha256(json.dumps(lines, separators=(",", ":")).encode()).hexdigest()
    return {"digest": digest, **sums}


def printed(report: Any) -> dict[str, object]:
    """Return the same of what was printed."""
    totals = {
        name: int(Decimal(value) * 10**9) if name.endswith("_usd") else value
        for name, value in report["totals"].items()
        if name not in {"variance_pct", "variance_bridge", "hosting_cost_usd", "hosted_jobs"}
    }
    return {"digest": report["digest"], **totals}
