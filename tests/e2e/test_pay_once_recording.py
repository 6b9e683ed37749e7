"""The job was made, and the ledger cannot record it: it is not lost, and not made again."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Service
from tests.e2e.conftest import Book, Shell, creates

REFUSE = "CREATE TRIGGER no_jobs BEFORE INSERT ON jobs BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
RELENT = "DROP TRIGGER no_jobs"


def orphans_of(book: Book) -> Path:
    return book.path.with_name(f"{book.path.name}.orphans.jsonl")


def test_a_job_that_could_not_be_recorded_is_told_noted_and_taken_in_by_the_next_command(
    service: Service, shell: Shell, book: Book
) -> None:
    assert shell.run("ledger").code == 0  # makes the ledger
    book.run(REFUSE)

    failed = shell.submit()

    assert failed.code == 12, failed.out + failed.err
    assert failed.json["code"] == "job_not_recorded"
    (job,) = service.jobs()
    assert job["id"] in failed.json["message"]
    assert failed.json["details"]["job_id"] == job["id"]
    orphans = orphans_of(book)
    assert job["id"] in orphans.read_text(encoding="utf-8")
    assert orphans.stat().st_mode & 0o077 == 0
    assert str(orphans) in failed.json["next_step"]

    # While it still cannot be recorded, the note stays, and nothing is created.
    still = shell.submit()
    assert still.code != 0
    assert job["id"] in orphans.read_text(encoding="utf-8")
    assert creates(service) == 1

    book.run(RELENT)
    taken = shell.run("ledger", "--json")
    assert taken.code == 0, taken.out + taken.err
    assert [line["job_id"] for line in taken.json["jobs"]] == [job["id"]]
    assert book.job_ids() == [job["id"]]
    assert [row["state"] for row in book.submissions()] == ["created"]
    assert not orphans.exists()
    rerun = shell.submit()
    assert (rerun.code, rerun.json["job_id"], rerun.json["reused"]) == (0, job["id"], True)
    assert len(book.entries("estimate")) == creates(service) == 1


def test_where_even_the_note_fails_the_id_is_told_and_status_finds_the_job(
    service: Service, shell: Shell, book: Book
) -> None:
    assert shell.run("ledger").code == 0
    book.run(REFUSE)
    lock = orphans_of(book).with_name(f"{orphans_of(book).name}.lock")
    lock.mkdir()  # no file can be opened there

    failed = shell.submit()

    assert failed.code == 12, failed.out + failed.err
    (job,) = service.jobs()
    assert failed.json["details"]["job_id"] == job["id"]
    assert job["id"] in failed.json["message"]
    assert "Write its id down" in failed.json["next_step"]
    assert not orphans_of(book).exists()

    book.run(RELENT)
    lock.rmdir()
    (listed,) = shell.status()
    assert listed["job_id"] == job["id"]
    assert book.job_ids() == [job["id"]]
    assert creates(service) == 1
