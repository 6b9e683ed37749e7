"""The submission protocol over real HTTP, one interleaving a test; each was once a way to pay twice or to lose."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ftjobs.ambient import Ambient
from ftjobs.errors import LedgerError, RejectedError, SpendRefusedError, UnavailableError, UncertainError
from ftjobs.jobs.quote import Quote
from ftjobs.jobs.spec import JobSpec
from ftjobs.jobs.submission import Submission
from ftjobs.keys import Secret
from ftjobs.ledger.orphans import orphans_path, take_in_orphans
from ftjobs.ledger.place import ledger_path, own_files
from ftjobs.ledger.store import Ledger
from ftjobs.money import UsdPer1M
from ftjobs.pricing.prices import load_prices
from ftjobs.provider.api import Api
from ftjobs.provider.profiles import Profile
from ftjobs.provider.retrying import RetryPolicy
from ftjobs.ranges import Range
from ftjobs.workflows.resend import resend
from ftjobs.workflows.session import Session
from ftjobs.workflows.submit import Order, Submitted, submit
from ftjobs.workflows.sync import sync
from ftjobs.workflows.undisturbed import undisturbed
from ftjobs.workflows.upload import Source
from tests.conftest import CREATE, Service
from tests.e2e.conftest import until

MINI = "gpt-4o-mini-2024-07-18"
LOST: dict[str, object] = {"on": CREATE, "do": "drop", "when": "after"}
BUSY: dict[str, object] = {"on": CREATE, "do": "status", "status": 429, "headers": {"retry-after": "1"}}


def freely() -> None:
    """Consent."""


@dataclass
class Machine:
    """One computer with a ledger of its own, or one that it shares."""

    session: Session

    @property
    def ledger(self) -> Ledger:
        return self.session.ledger

    def submit(self, order: Order, consent: Callable[[], None] = freely) -> Submitted:
        return submit(order, self.session, consent=consent)

    def sync(self) -> None:
        prices = load_prices(())
        sync(self.ledger.to_sync(), self.session, prices=prices, price_list="openai")


MakeMachine = Callable[..., Machine]


@pytest.fixture
def machine(service: Service, tmp_path: Path) -> Iterator[MakeMachine]:
    """Make machines: `machine("a")`, with `trusted=False` for a host that is not known to keep metadata."""
    with ExitStack() as stack:

        def make(name: str, *, trusted: bool = True, sleep: Callable[[float], None] | None = None) -> Machine:
            ambient = Ambient(
                now=lambda: datetime.now(UTC),
                sleep=sleep or (lambda _s: None),
                entropy=random.Random(name).randbytes,
            )
            profile = Profile("generic", service.base_url, keeps_metadata=trusted)
            api = Api(profile, Secret("sk-test", "KEY"), policy=RetryPolicy(attempts=2, base_s=0.01))
            stack.callback(api.close)
            return Machine(Session(api, Ledger(tmp_path / f"{name}.sqlite3", stamp="real"), ambient))

        service.settings(file_seconds=0)
        yield make


@pytest.fixture
def order(training_file: Path) -> Order:
    content = training_file.read_bytes()
    digest = sha256(content).hexdigest()
    return Order(
        spec=JobSpec(MINI, MINI, "gpt-4o-mini", 3, digest, len(content)),
        quote=Quote(
            dataset_tokens=Range.exactly(300),
            epochs=Range.exactly(3),
            estimated_tokens=Range(800, 900, 1000),
            usd_per_1m=UsdPer1M.parse("3.00"),
            price_list="openai",
            price_source="a page",
            effective_from=None,
            estimated_on=date(2026, 11, 22),
            examples=12,
        ),
        training=Source(training_file, digest, len(content)),
    )


def only(ledger: Ledger) -> Submission:
    (trail,) = ledger.trails()
    return trail.submission


# Pays once


def test_after_a_429_another_machines_job_is_adopted_rather_than_paid_again(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    faster = machine("faster")

    def meanwhile(_s: float) -> None:
        if not service.jobs():
            faster.submit(order)

    slower = machine("slower", sleep=meanwhile)
    service.faults(BUSY)
    done = slower.submit(order)
    assert len(service.jobs()) == 1
    assert done.reused
    assert done.submission.job is not None
    assert done.submission.job.id == service.jobs()[0]["id"]


def test_a_host_that_does_not_show_metadata_after_all_is_searched_by_file_and_seed(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("a")
    service.settings(keep_metadata=False)
    service.faults(LOST)
    done = user.submit(order)
    assert len(service.jobs()) == 1
    assert done.submission.job is not None
    assert done.submission.job.id == service.jobs()[0]["id"]


def test_a_ledger_behind_a_link_has_the_same_locks(tmp_path: Path) -> None:
    real, link = tmp_path / "real.sqlite3", tmp_path / "link.sqlite3"
    Ledger(real, stamp="real")
    link.symlink_to(real)
    assert ledger_path(str(link)) == ledger_path(f"sqlite:///{link}") == real


def test_a_submission_that_another_process_is_sending_is_not_sent_again(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("a")
    service.faults(BUSY, BUSY, BUSY, BUSY)
    with pytest.raises(UnavailableError):
        user.submit(order)
    waiting = only(user.ledger)
    user.ledger.begin_sending(waiting.id, "recorded", now=user.session.now())
    with pytest.raises(LedgerError, match="changed by another process"):
        user.ledger.begin_sending(waiting.id, "recorded", now=user.session.now())


def test_a_twin_that_lives_on_holds_the_key_when_the_first_job_fails(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("a")
    service.settings(job_seconds=60)
    first = user.submit(order).submission
    assert first.job is not None
    body = service.call("GET", f"/v1/fine_tuning/jobs/{first.job.id}")
    twin = service.call(
        "POST",
        "/v1/fine_tuning/jobs",
        {"model": MINI, "training_file": body["training_file"], "metadata": body["metadata"], "seed": 1},
    )
    other = user.submit(replace(order, spec=replace(order.spec, suffix="other"))).submission
    user.sync()
    assert user.ledger.owner_of(twin["id"]) not in {None, first.id, other.id}
    service.call("POST", f"/v1/fine_tuning/jobs/{first.job.id}/cancel")
    again = user.submit(order)
    assert again.reused
    assert again.submission.job is not None
    assert again.submission.job.id == twin["id"]
    assert len(service.jobs()) == 3


def test_a_twin_without_metadata_commits_what_its_sibling_was_estimated_at(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("a", trusted=False)
    service.settings(job_seconds=60, keep_metadata=False)
    service.faults({**LOST, "times": 1})
    seen: list[dict[str, Any]] = []

    def clone(_s: float) -> None:
        if not seen and service.jobs():
            job = service.jobs()[0]
            seen.append(
                service.call(
                    "POST",
                    "/v1/fine_tuning/jobs",
                    {"model": MINI, "training_file": job["training_file"], "seed": job["seed"]},
                )
            )

    user.session = replace(user.session, ambient=replace(user.session.ambient, sleep=clone))
    user.submit(replace(order, tags={"team": "search"}))
    trails = user.ledger.trails()
    assert len(trails) == 2
    assert {trail.commitment for trail in trails} == {order.quote.cost.high}
    # A budget of the tag counts both.
    assert [dict(trail.submission.tags) for trail in trails] == [{"team": "search"}] * 2


def test_a_429_while_resending_leaves_the_submission_uncertain(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("a")
    service.faults({"on": CREATE, "do": "drop", "when": "before"}, BUSY, BUSY, BUSY, BUSY)
    with pytest.raises(UncertainError):
        user.submit(order)
    with pytest.raises(UnavailableError):
        resend(only(user.ledger).id, user.session, settle_s=0.01)
    assert only(user.ledger).state == "uncertain"
    with pytest.raises(UncertainError):
        user.submit(order)
    assert service.jobs() == []


def test_a_resend_that_an_outage_stops_says_that_it_watches_anew(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    mine = machine("a")
    service.settings(list_lag_s=600)
    service.faults(LOST)
    with pytest.raises(UncertainError) as lost:
        mine.submit(order)
    submission_id = lost.value.details["submission_id"]
    service.faults({"on": "GET /v1/fine_tuning/jobs", "do": "status", "status": 503, "times": 9})
    with pytest.raises(UnavailableError) as outage:
        resend(str(submission_id), mine.session, settle_s=0)
    assert f"--resend {submission_id}` again later; it watches from the start" in outage.value.next_step
    assert only(mine.ledger).state == "uncertain"


@pytest.mark.parametrize("contradiction", [{"seed": 1}, {"metadata": {"ftjobs_submission": "other"}}])
def test_a_create_reply_about_another_job_is_not_believed(
    machine: MakeMachine, service: Service, order: Order, contradiction: dict[str, object]
) -> None:
    import json

    user = machine("a")
    older = user.submit(replace(order, spec=replace(order.spec, suffix="older"))).submission
    assert older.job is not None
    cached = {**older.job.raw, **contradiction}
    service.faults({"on": CREATE, "do": "garbage", "when": "after", "body": json.dumps(cached)})
    done = user.submit(order)
    assert done.submission.job is not None
    assert done.submission.job.id != older.job.id
    assert len(service.jobs()) == 2


def test_a_clock_that_jumps_does_not_shorten_the_settle_time(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("a")
    service.faults({"on": CREATE, "do": "drop", "when": "before"})
    with pytest.raises(UncertainError):
        user.submit(order)
    start, waits = datetime.now(UTC), list[float]()
    jumping = replace(
        user.session.ambient,
        now=lambda: start + timedelta(hours=len(waits)),
        monotonic=lambda: sum(waits),
        sleep=waits.append,
    )
    resend(only(user.ledger).id, replace(user.session, ambient=jumping), settle_s=900)
    assert sum(waits) == 900
    assert len(service.jobs()) == 1


def test_two_resends_at_once_create_one_job(machine: MakeMachine, service: Service, order: Order) -> None:
    user = machine("a")
    # The first to send stays long enough in the create call for the other to arrive.
    service.faults({"on": CREATE, "do": "drop", "when": "before"}, {"on": CREATE, "do": "delay", "seconds": 0.5})
    with pytest.raises(UncertainError):
        user.submit(order)
    submission_id = only(user.ledger).id
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda _: resend(submission_id, user.session, settle_s=0), range(2)))
    assert sorted(done.reused for done in ended) == [False, True]
    assert len(service.jobs()) == 1


def test_an_upload_that_the_service_lost_is_sent_again(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("a")
    first = user.submit(order).submission
    service.call("DELETE", f"/v1/files/{first.training_file_id}")
    second = user.submit(replace(order, spec=replace(order.spec, again="more"))).submission
    assert second.training_file_id not in {None, first.training_file_id}
    assert len(service.jobs()) == 2


# Spends only what was agreed to


def test_resuming_asks_for_consent_again(machine: MakeMachine, service: Service, order: Order) -> None:
    user = machine("a")
    service.faults(BUSY, BUSY, BUSY, BUSY)
    with pytest.raises(UnavailableError):
        user.submit(order)

    def refuse() -> None:
        raise SpendRefusedError("over_max_cost", "no", next_step="none")

    with pytest.raises(SpendRefusedError):
        user.submit(order, refuse)
    assert service.jobs() == []


# Loses nothing


@pytest.mark.parametrize("error", [OSError(errno.EIO, "i/o"), ValueError("a bug")])
def test_whatever_stops_the_recording_the_job_is_kept_and_taken_in_later(
    machine: MakeMachine, service: Service, order: Order, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = machine("a")

    def broken(*_args: object, **_kwargs: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(user.ledger, "attach", broken)
        with pytest.raises(LedgerError) as caught:
            user.submit(order)
    job_id = service.jobs()[0]["id"]
    assert job_id in caught.value.message
    assert job_id in orphans_path(user.ledger.place).read_text()
    take_in_orphans(user.ledger, now=datetime.now(UTC), on_taken=lambda _submission, _job: None)
    assert user.ledger.owner_of(job_id) == only(user.ledger).id
    assert not orphans_path(user.ledger.place).exists()


def test_a_terminal_that_is_gone_does_not_end_the_create_call() -> None:
    reached = []

    def gone() -> None:
        raise OSError(errno.EIO, "no terminal")

    with pytest.raises(KeyboardInterrupt), undisturbed(gone):
        os.kill(os.getpid(), signal.SIGINT)
        reached.append("reply")
    assert reached == ["reply"]


def test_a_second_signal_is_not_held() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), undisturbed():
        os.kill(os.getpid(), signal.SIGINT)
        reached.append("first")
        os.kill(os.getpid(), signal.SIGINT)
        reached.append("second")
    assert reached == ["first"]


def test_a_signal_that_the_shell_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with undisturbed(lambda: pytest.fail("an ignored signal was held")):
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_one_job_that_cannot_be_asked_about_keeps_no_other_from_its_bill(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("a", trusted=False)
    service.settings(job_seconds=0)
    jobs = [
        user.submit(replace(order, spec=replace(order.spec, suffix=suffix))).submission.job
        for suffix in ("one", "two")
    ]
    assert jobs[0] is not None
    assert jobs[1] is not None
    service.settings(list_lag_s=3600)
    service.faults(
        {"on": f"GET /v1/fine_tuning/jobs/{min(job.id for job in jobs if job)}", "do": "status", "status": 403}
    )
    with pytest.raises(RejectedError):
        user.sync()
    assert sum(trail.settled for trail in user.ledger.trails()) == 1


# Shows nothing unknown as known


def test_an_answer_that_was_on_its_way_for_long_does_not_bring_an_ended_job_back(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("a")
    service.settings(job_seconds=0)
    stale = user.submit(order).submission.job
    assert stale is not None
    stale = replace(stale, status="running", raw={**stale.raw, "status": "running", "trained_tokens": None})
    user.sync()
    assert only(user.ledger).status == "succeeded"
    user.ledger.see(stale, now=datetime.now(UTC))
    assert only(user.ledger).status == "succeeded"


def test_a_job_that_the_service_lost_is_not_made_anew(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("a")
    done = user.submit(order).submission
    assert done.job is not None
    service.faults({"on": f"GET /v1/fine_tuning/jobs/{done.job.id}", "do": "status", "status": 404})
    with pytest.raises(RejectedError) as caught:
        user.submit(order)
    assert caught.value.code == "job_missing"
    assert len(service.jobs()) == 1


def test_a_job_that_the_service_says_again_and_again_not_to_have_is_missing_until_it_turns_up(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("a")
    service.settings(job_seconds=60)
    job = user.submit(order).submission.job
    assert job is not None
    service.faults({"on": f"GET /v1/fine_tuning/jobs/{job.id}", "do": "status", "status": 404, "times": 2})
    words = []
    for _ in range(3):
        user.sync()
        words.append(only(user.ledger).status)
    assert words == ["validating_files", "missing", "validating_files"]
    assert only(user.ledger).missed == 0
    assert [trail.commitment.nano > 0 for trail in user.ledger.trails()] == [True]


def test_a_missing_job_holds_its_key_so_that_nobody_pays_for_it_again(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("a")
    service.settings(job_seconds=60)
    job = user.submit(order).submission.job
    assert job is not None
    service.faults({"on": f"GET /v1/fine_tuning/jobs/{job.id}", "do": "status", "status": 404, "times": 3})
    user.sync()
    user.sync()
    with pytest.raises(RejectedError) as caught:
        user.submit(order)
    assert caught.value.code == "job_missing"
    assert user.submit(order).reused
    assert len(service.jobs()) == 1


def test_a_job_on_the_lists_that_nobody_can_read_hides_no_other(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("a")
    service.settings(job_seconds=0)
    for suffix in ("one", "two", "three"):
        user.submit(replace(order, spec=replace(order.spec, suffix=suffix)))
    told = service.call("GET", "/v1/fine_tuning/jobs?limit=100")
    told["data"][1]["status"] = None
    service.faults({"on": "GET /v1/fine_tuning/jobs", "do": "status", "status": 200, "body": json.dumps(told)})
    user.sync()
    assert [trail.settled for trail in user.ledger.trails()] == [True, True, True]


def test_trained_tokens_beyond_belief_are_unknown(machine: MakeMachine, service: Service, order: Order) -> None:
    from ftjobs.jobs.job import parse_job

    user = machine("a")
    service.settings(job_seconds=0)
    job = user.submit(order).submission.job
    assert job is not None
    assert parse_job({**job.raw, "trained_tokens": 2**60}).trained_tokens is None


def test_a_recorded_submission_expires_after_a_day_and_frees_its_key(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("a")
    service.faults(BUSY, BUSY, BUSY, BUSY)
    with pytest.raises(UnavailableError):
        user.submit(order)
    first = only(user.ledger)
    later = datetime.now(UTC) + timedelta(days=1, minutes=1)
    user.session = replace(user.session, ambient=replace(user.session.ambient, now=lambda: later))
    done = user.submit(order)
    assert done.submission.id != first.id
    assert user.ledger.get(first.id).state == "abandoned"
    assert [trail.voided for trail in user.ledger.trails([first.id])] == [True]


def test_a_job_that_turns_up_after_its_submission_was_voided_is_billed_all_the_same(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("a")
    service.settings(job_seconds=0)
    service.faults({"on": CREATE, "do": "status", "status": 400, "when": "after"})
    with pytest.raises(RejectedError):
        user.submit(order)
    voided = only(user.ledger)
    assert voided.state == "rejected"
    job = user.session.api.retrieve_job(service.jobs()[0]["id"])
    assert job is not None
    user.ledger.attach(voided.id, job, now=datetime.now(UTC))
    user.sync()
    (trail,) = user.ledger.trails()
    assert trail.billed is not None
    assert trail.billed.nano == job.trained_tokens * 3000 if job.trained_tokens else False
    assert user.ledger.unsettled() == []


@pytest.mark.parametrize("key", ["ftjobs", "token", "openai", "mini", "file"])
def test_a_key_that_is_a_word_of_the_api_changes_no_fact(
    machine: MakeMachine, service: Service, order: Order, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Local servers take any key, and what is masked for a person must still be known to us."""
    monkeypatch.setattr("ftjobs.logs._secrets", {key})
    mine, other = machine("a"), machine("b")
    made = mine.submit(order)
    again = other.submit(order)  # from a machine whose ledger is empty

    assert (made.reused, again.reused) == (False, True)
    assert len(service.jobs()) == 1
    until(lambda: service.jobs()[0]["status"] == "succeeded")
    mine.sync()
    job = only(mine.ledger).job
    (told,) = service.jobs()
    assert job is not None
    assert (job.trained_tokens, job.fine_tuned_model) == (told["trained_tokens"], told["fine_tuned_model"])
    assert job.raw == told


def test_a_whole_key_that_a_reply_repeats_is_not_kept(
    machine: MakeMachine, order: Order, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftjobs.logs._secrets", {"a-key-of-some-length"})
    mine = machine("a")
    body = {"error": {"code": "a-key-of-some-length", "message": "wrong key a-key-of-some-length"}}
    service.faults({"on": CREATE, "do": "status", "status": 401, "body": json.dumps(body)})
    with pytest.raises(RejectedError):
        mine.submit(order)
    assert b"a-key-of-some-length" not in own_files(mine.ledger.place).read_bytes()
