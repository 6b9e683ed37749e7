"""Uploads in parts that are under way: one a file and account, gone when the file is there."""

from __future__ import annotations

from datetime import timedelta

from ftjobs.ledger.store import Ledger
from ftjobs.ledger.uploads import UploadUnderWay
from tests.contract.conftest import NOW

BEGUN = UploadUnderWay("a", "x", "upload_1", "data-1.jsonl", NOW + timedelta(hours=1))


def test_what_is_under_way_is_remembered_with_its_accepted_parts(ledger: Ledger) -> None:
    ledger.files.keep(BEGUN)
    assert ledger.files.under_way("a", "x") == BEGUN
    further = BEGUN.with_part("part_b", 67_108_864, "h1").with_part("part_a", 5, "h2")
    ledger.files.keep(further)
    assert ledger.files.under_way("a", "x") == further
    assert (further.sent_bytes, further.sent_sha256) == (67_108_869, "h2")
    assert [part_id for part_id, _ in further.parts] == ["part_b", "part_a"]


def test_another_account_or_file_has_another_upload(ledger: Ledger) -> None:
    ledger.files.keep(BEGUN)
    assert ledger.files.under_way("b", "x") is None
    assert ledger.files.under_way("a", "y") is None


def test_a_new_upload_takes_the_place_of_the_one_before(ledger: Ledger) -> None:
    ledger.files.keep(BEGUN.with_part("part_1", 5, "h"))
    anew = UploadUnderWay("a", "x", "upload_2", "data-2.jsonl", NOW)
    ledger.files.keep(anew)
    assert ledger.files.under_way("a", "x") == anew


def test_once_the_file_is_there_or_the_upload_given_up_nothing_is_under_way(ledger: Ledger) -> None:
    others = UploadUnderWay("a", "y", "upload_3", "data-3.jsonl", NOW)
    ledger.files.keep(others)
    ledger.files.keep(BEGUN)
    ledger.files.remember("file-1", account="a", sha256="x", now=NOW)
    assert ledger.files.under_way("a", "x") is None
    ledger.files.keep(BEGUN)
    ledger.files.forget("a", "x")
    assert ledger.files.under_way("a", "x") is None
    assert ledger.files.under_way("a", "y") == others
