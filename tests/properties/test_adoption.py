"""Adopting any jobs, with any metadata, in any order: once each, with no key that is not theirs to hold."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftjobs.ambient import Ambient
from ftjobs.jobs.job import parse_job
from ftjobs.keys import Secret
from ftjobs.ledger.store import Ledger
from ftjobs.pricing.prices import load_prices
from ftjobs.provider.api import Api
from ftjobs.provider.objects import JobPage
from ftjobs.provider.profiles import Profile
from ftjobs.workflows.adopt import Adopter
from ftjobs.workflows.lookup import CONTENT_KEY
from ftjobs.workflows.session import Session
from tests.contract.conftest import a_quote
from tests.wire.conftest import MINI, URL, a_submission

NOW = datetime(2027, 6, 1, 12, tzinfo=UTC)
ULIDS = [f"01KANZ3S00ABCDEFGHJKMNPQR{end}" for end in "0123"]
KEYS = [letter * 64 for letter in "abcd"]
OPEN, MADE = ULIDS[0], ULIDS[1]  # submissions of ours: one without a job yet, one with a job

metadata = st.fixed_dictionaries(
    {},
    optional={
        "ftjobs_submission": st.sampled_from([*ULIDS, "", "x", ULIDS[0].lower()]),
        "ftjobs_key": st.sampled_from([*KEYS, "", "a" * 63, "A" * 64]),
        "ftjobs_estimate": st.sampled_from([a_quote().encode(), "{}", ""]),
        "team": st.text(max_size=3),
    },
)
jobs = st.builds(
    lambda number, told, status, tokens, file: {
        "object": "fine_tuning.job",
        "id": f"ftjob-{number}",
        "status": status,
        "model": MINI,
        "created_at": 1_800_000_000 + number,
        "finished_at": 1_800_000_600,
        "trained_tokens": tokens,
        "training_file": file,
        "metadata": told,
    },
    st.integers(0, 30),
    metadata,
    st.sampled_from(["succeeded", "failed", "running", "a word of 2028"]),
    st.none() | st.integers(0, 10**11),
    st.sampled_from(["file-mine", "file-theirs", None]),
)


@cache
def template() -> Path:
    """Return a ledger with our two submissions, to be copied: making one takes long."""
    path = Path(tempfile.mkdtemp()) / "ledger.sqlite3"
    ledger = Ledger(path, stamp="real")
    for number, submission_id in enumerate((OPEN, MADE)):
        ledger.record(a_submission(id=submission_id, key=KEYS[number], training_file_id=f"file-{number}"))
    job = {"object": "fine_tuning.job", "id": "ftjob-0", "status": "succeeded", "created_at": 1_800_000_000}
    ledger.attach(MADE, parse_job(job), now=NOW)
    return path


@cache
def nobody() -> Api:
    """Return an account that is never asked."""
    return Api(Profile("test", URL, keeps_metadata=True), Secret("sk-test", "K"))


def adopted(ledger: Ledger, pages: list[list[dict[str, Any]]]) -> Adopter:
    adopter = Adopter(Session(nobody(), ledger, Ambient(now=lambda: NOW)), load_prices(()), "openai")
    adopter.adopt(JobPage(tuple(parse_job(raw) for raw in page), None) for page in pages)
    return adopter


@given(st.lists(st.lists(jobs, max_size=6), max_size=4))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_each_job_is_taken_in_once_and_holds_no_key_that_is_not_its_own(pages: list[list[dict[str, Any]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite3"
        shutil.copy(template(), path)
        ledger = Ledger(path, stamp="real")
        mine = {key: ledger.holder(key) for key in KEYS[:2]}
        done = adopted(ledger, pages).done
        trails = ledger.trails()

        told = {raw["id"] for page in pages for raw in page}
        assert sorted(done.job_ids) == sorted(told)
        assert {trail.submission.job.id for trail in trails if trail.submission.job} == (
            told - set(done.left) | {"ftjob-0"}
        )
        assert set(done.left.values()) <= {OPEN}
        assert {key: ledger.holder(key) for key in KEYS[:2]} == mine
        for trail in trails:
            submission, job = trail.submission, trail.submission.job
            if job is None or submission.id == MADE:
                continue
            if CONTENT_KEY.fullmatch(submission.key):
                assert job.metadata.get("ftjobs_key") == submission.key
                assert submission.quote is not None
            if submission.id in ULIDS:
                assert job.metadata["ftjobs_submission"] == submission.id
                assert CONTENT_KEY.fullmatch(submission.key)
            assert len(trail.billed_entries) == int(job.ended and job.trained_tokens is not None)
            assert all(abs(entry.occurred_at - NOW) < timedelta(days=365) for entry in trail.entries)
        again = adopted(ledger, pages).done
        assert (again.new, ledger.trails()) == ([], trails)
