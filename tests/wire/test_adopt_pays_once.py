"""What was adopted never makes a submission pay twice, and never answers for another content."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftjobs.errors import UnavailableError, UncertainError
from ftjobs.ledger.store import Ledger
from ftjobs.pricing.prices import load_prices
from ftjobs.workflows.adopt import Adopter, listed, named
from ftjobs.workflows.resend import resend
from ftjobs.workflows.submit import Order
from tests.conftest import CREATE, Service
from tests.wire.test_protocol import BUSY, LOST, MINI, Machine, MakeMachine, machine, only, order

__all__ = ["machine", "order"]


def adopt_all(user: Machine) -> Adopter:
    adopting = Adopter(user.session, load_prices(()), "openai")
    adopting.adopt(listed(user.session.api))
    return adopting


def job_ids(ledger: Ledger) -> list[str]:
    return [trail.submission.job.id for trail in ledger.trails() if trail.submission.job]


def test_a_submission_is_answered_with_the_job_that_was_adopted(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    first = machine("first").submit(order).submission
    other = machine("other")
    adopt_all(other)
    again = other.submit(order)
    assert (again.reused, again.submission.id) == (True, first.id)
    assert len(service.jobs()) == 1
    assert not other.ledger.metadata_kept(other.session.account)  # it may have been made past a proxy


def test_a_job_with_our_key_and_odd_metadata_answers_before_and_after_it_was_adopted(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("user")
    service.settings(job_seconds=0, fail_jobs=True)
    done = machine("first").submit(order).submission
    body = service.call("GET", f"/v1/fine_tuning/jobs/{done.job.id if done.job else ''}")
    assert body["status"] == "failed"
    odd = {"model": MINI, "training_file": body["training_file"], "metadata": {"ftjobs_key": done.key}}
    service.settings(job_seconds=60, fail_jobs=False)
    odd_id = service.call("POST", "/v1/fine_tuning/jobs", odd)["id"]
    Adopter(user.session, load_prices(()), "openai").adopt(named(user.session.api, [odd_id]))
    assert user.ledger.holder(done.key) is None
    made = len(service.jobs())
    for _ in range(2):
        again = user.submit(order)
        assert again.submission.job is not None
        assert (again.reused, again.submission.job.id) == (True, odd_id)
    assert len(service.jobs()) == made


def test_what_waits_to_be_sent_is_answered_with_a_twin_that_was_adopted_meanwhile(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("user")
    service.faults(BUSY, BUSY, BUSY, BUSY)
    with pytest.raises(UnavailableError):
        user.submit(order)
    waiting = only(user.ledger)
    first = machine("first").submit(order).submission
    assert adopt_all(user).done.new == [first.job.id if first.job else ""]
    again = user.submit(order)
    assert (again.reused, again.submission.id, len(service.jobs())) == (True, first.id, 1)
    holder = user.ledger.holder(waiting.key)
    assert holder is not None
    assert holder.id == first.id


def test_a_resend_finds_the_adopted_twin_and_creates_nothing(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("user")
    service.faults({**LOST, "when": "before"})
    with pytest.raises(UncertainError):
        user.submit(order)
    (mine,) = [trail.submission for trail in user.ledger.trails()]
    first = machine("first").submit(order).submission
    adopt_all(user)
    done = resend(mine.id, user.session, settle_s=0)
    assert (done.reused, done.submission.id, len(service.jobs())) == (True, first.id, 1)


def test_a_lost_reply_is_left_to_its_submission_and_attached_by_it(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("user")
    service.settings(list_lag_s=60)
    service.faults(LOST)
    with pytest.raises(UncertainError):
        user.submit(order)
    service.settings(list_lag_s=0)
    mine = only(user.ledger)
    done = adopt_all(user).done
    assert (list(done.left.values()), done.new) == ([mine.id], [])
    user.sync()
    assert adopt_all(user).done.known == job_ids(user.ledger) == [service.jobs()[0]["id"]]
    assert user.submit(order).submission.id == mine.id


def test_a_strangers_job_answers_no_submission(machine: MakeMachine, service: Service, order: Order) -> None:
    user = machine("user")
    done = machine("first").submit(order).submission
    body = service.call("GET", f"/v1/fine_tuning/jobs/{done.job.id if done.job else ''}")
    strangers = service.call(
        "POST", "/v1/fine_tuning/jobs", {"model": MINI, "training_file": body["training_file"]}
    )
    adopt_all(user)
    asked = replace(order, spec=replace(order.spec, suffix="other"))
    made = user.submit(asked)
    assert not made.reused
    assert made.submission.job is not None
    assert made.submission.job.id not in {strangers["id"], body["id"]}
    assert len([each for each in service.requests() if f"{each['method']} {each['path']}" == CREATE]) == 3
