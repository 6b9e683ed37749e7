"""A whole ledger into another one: there, and back; all of it, compared, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from ftjobs.errors import FtjobsError, LedgerError, UsageError
from ftjobs.ledger import copying
from ftjobs.ledger.copying import Copied, copy_ledger
from ftjobs.ledger.hosting import HourPrice
from ftjobs.ledger.store import Ledger
from ftjobs.ledger.uploads import UploadUnderWay
from ftjobs.money import Usd
from tests.contract.conftest import (
    NOW,
    PRICE,
    Place,
    PostgresPlace,
    SqlitePlace,
    a_job,
    a_submission,
    created,
    ended,
    report_of,
)
from tests.postgres import Databases

ACCOUNT = "https://api.openai.com/v1/||"


def fill(place: Place) -> None:
    """Have a ledger of everything that there is."""
    ledger = place.open()
    created(ledger, 1)
    done = ended(ledger, 2, trained_tokens=790_001)
    ledger.settle(done.id, PRICE, now=NOW + timedelta(hours=2))
    voided = a_submission(3)
    ledger.record(voided)
    ledger.close(voided.id, "rejected", code="x", message="Straße \U0001f600", now=NOW)
    ledger.files.remember("file-1", account=ACCOUNT, sha256="ab" * 32, now=NOW)
    ledger.files.keep(UploadUnderWay(ACCOUNT, "cd" * 32, "upload-1", "data.jsonl", NOW, (("part-1", 7),)))
    told = "'2027-06-01T12:00:00.000000Z', 'ann'"
    place.sql(f"INSERT INTO changes VALUES (500, :id, 'tags', '{{}}', {told})", id=done.id)
    free = HourPrice(Usd(0), "user", None, "a page")
    later = NOW + timedelta(hours=2)
    ledger.hosting.record(done.id, 60, price=free, on=later.date(), reason="x", by="ann", now=later)
    place.sql("INSERT INTO invoices VALUES (7, 'a', '2027-06-01', 'p', 'l', 1, NULL, NULL, '2027-06-01')")
    place.sql(f"INSERT INTO reconciliations VALUES (9, 'a', '2027-06-01', '2027-06-30', '{{}}', {told})")


def everything(place: Place) -> dict[str, list[tuple[object, ...]]]:
    return {name: place.sql(f"SELECT * FROM {name} ORDER BY 1") for name in ROWS}


ROWS = {
    "stamps": 1, "submissions": 3, "files": 1, "uploads": 1, "jobs": 2,
    "entries": 5, "hosting": 1, "changes": 7, "invoices": 1, "reconciliations": 1,
}  # fmt: skip


def copy(
    source: Place, target: Place, *, stamp: str = "real", on_table: Callable[[str], None] = lambda _name: None
) -> Copied:
    return copy_ledger(source.where, target.where, stamp=stamp, on_table=on_table)


@pytest.mark.parametrize("migrated", [True, False], ids=["migrated", "empty"])
def test_there_and_back_every_row_and_digest_is_the_same(
    tmp_path: Path, databases: Databases, migrated: bool
) -> None:
    first, back = SqlitePlace(tmp_path / "first.sqlite3"), SqlitePlace(tmp_path / "back.sqlite3")
    fill(first)
    with databases.fresh(migrated=migrated) as url:
        server = PostgresPlace(url)
        there = copy(first, server)
        assert there.rows == ROWS
        assert there.month_digest == report_of(first.open(), None).digest
        assert everything(server) == everything(first)
        # The ids go on where they were.
        more = created(server.open(), 8)
        values = "(submission_id, what, recorded_at) VALUES (:id, 'tags', '2027')"
        server.sql(f"INSERT INTO changes {values}", id=more.id)
        ids = server.sql("SELECT id FROM changes WHERE what = 'tags' ORDER BY id")
        assert [row[0] for row in ids] == [500, 503]
        again = copy(server, back)
        assert again.digest != there.digest
        assert everything(back) == everything(server)
        assert again.month_digest == report_of(server.open(), None).digest
    created(back.open(), 9)


def test_what_postgresql_cannot_keep_is_no_difference(sqlite: SqlitePlace, postgresql: PostgresPlace) -> None:
    ledger = sqlite.open()
    ledger.record(a_submission())
    ledger.close(a_submission().id, "rejected", code="x", message="a\0b", now=NOW)
    assert copy(sqlite, postgresql).rows["submissions"] == 1


def test_rows_in_batches_are_all_the_rows(
    sqlite: SqlitePlace, postgresql: PostgresPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_BATCH", 2)
    ledger = sqlite.open()
    for number in range(7):
        created(ledger, number)
    assert copy(sqlite, postgresql).rows["jobs"] == 7


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_target_that_holds_anything_is_refused_and_left_as_it_is(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    source, target = SqlitePlace(tmp_path / "source.sqlite3"), request.getfixturevalue(kind)
    created(source.open(), 1)
    created(target.open(), 2)
    before = everything(target)
    with pytest.raises(UsageError) as refused:
        copy(source, target)
    assert refused.value.code == "target_not_empty"
    assert everything(target) == before


def test_money_of_another_stamp_is_refused(sqlite: SqlitePlace, postgresql: PostgresPlace) -> None:
    created(sqlite.open())
    postgresql.open("sandbox")
    with pytest.raises(LedgerError) as refused:
        copy(sqlite, postgresql)
    assert refused.value.code == "other_stamp"


def test_a_ledger_is_not_copied_onto_itself(place: Place) -> None:
    created(place.open())
    with pytest.raises(UsageError) as refused:
        copy(place, place)
    assert refused.value.code == "same_ledger"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("times", [1, 6, 8])
def test_an_interrupted_copy_leaves_nothing_and_the_next_one_succeeds(
    tmp_path: Path, kind: str, times: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = SqlitePlace(tmp_path / "source.sqlite3"), request.getfixturevalue(kind)
    fill(source)
    reached = iter(range(1, 100))

    def strike(_name: str) -> None:
        if next(reached) == times:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(source, target, on_table=strike)
    if isinstance(target, SqlitePlace):
        assert not target.path.exists()
    else:
        assert [name for name, rows in everything(target).items() if rows] == ["stamps"]
    assert copy(source, target).rows == ROWS


def test_a_copy_that_is_not_the_same_is_not_kept(
    sqlite: SqlitePlace, postgresql: PostgresPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database changes a row under us, as a trigger of somebody's would."""
    fill(sqlite)
    postgresql.sql(
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.source = 'meddled'; RETURN NEW; END $$"
    )
    postgresql.sql("CREATE TRIGGER meddle BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION meddle()")
    with pytest.raises(LedgerError) as refused:
        copy(sqlite, postgresql)
    assert (refused.value.code, refused.value.exit_code) == ("copy_differs", 12)
    assert postgresql.sql("SELECT * FROM entries") == []


def test_nobody_writes_to_the_source_while_it_is_copied(
    sqlite: SqlitePlace, postgresql: PostgresPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(postgresql)
    monkeypatch.setattr("ftjobs.ledger.postgres._WRITE", _impatient())
    other = Ledger(postgresql.where, stamp="real")
    refusals: list[str] = []

    def write(_name: str) -> None:
        if not refusals:
            with pytest.raises(FtjobsError) as refused:
                other.see(a_job(1, "succeeded"), now=NOW)
            refusals.append(refused.value.code)

    copy(postgresql, sqlite, on_table=write)
    assert refusals == ["ledger_busy"]


def _impatient() -> str:
    from ftjobs.ledger import postgres

    return postgres._WRITE.replace("'30s'", "'200ms'")
