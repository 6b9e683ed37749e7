"""One content is paid once, whatever becomes of its first job."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from ftjobs.errors import LedgerError, UncertainError
from ftjobs.jobs.job import Job
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.orphans import take_in_orphans
from ftjobs.provider.objects import JobPage
from ftjobs.workflows import lookup
from ftjobs.workflows.resend import resend
from ftjobs.workflows.session import Session
from ftjobs.workflows.submit import Order
from tests.conftest import Service
from tests.wire.test_protocol import LOST, MakeMachine, machine, only, order

__all__ = ["machine", "order"]


def test_a_resend_that_saw_a_job_of_its_content_once_does_not_create(
    machine: MakeMachine, service: Service, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five *empty* lookups are promised; the second shows another machine's job, the others are behind."""
    user = machine("user")
    service.faults({**LOST, "when": "before"})
    with pytest.raises(UncertainError):
        user.submit(order)
    mine = only(user.ledger)
    machine("first").submit(order)
    looks: list[int] = []

    def flaky(submission: Submission, session: Session, **more: bool) -> lookup.Found:
        looks.append(1)
        found = lookup.look_up(submission, session, **more)
        return found if len(looks) == 2 else lookup.Found((), ())

    monkeypatch.setattr("ftjobs.workflows.resend.look_up", flaky)
    resend(mine.id, user.session, settle_s=0)
    assert len(service.jobs()) == 1


def test_a_failed_job_that_succeeded_after_all_holds_its_key_again(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("user")
    service.settings(job_seconds=60)
    done = user.submit(order).submission
    job = done.job
    assert job
    now = user.session.now()
    user.ledger.see(replace(job, status="failed", raw={**job.raw, "status": "failed"}), now=now)
    user.ledger.see(replace(job, status="succeeded", raw={**job.raw, "status": "succeeded"}), now=now)
    holder = user.ledger.holder(done.key)
    assert holder is not None


def test_a_job_that_failed_and_then_succeeded_is_not_paid_for_again_without_metadata(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    user = machine("user", trusted=False)
    service.settings(job_seconds=60, keep_metadata=False)
    done = user.submit(order).submission
    job = done.job
    assert job
    now = user.session.now()
    user.ledger.see(replace(job, status="failed", raw={**job.raw, "status": "failed"}), now=now)
    user.ledger.see(replace(job, status="succeeded", raw={**job.raw, "status": "succeeded"}), now=now)
    user.submit(order)
    assert len(service.jobs()) == 1


def test_two_services_that_number_their_jobs_alike_pay_once(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    """Both number from 1: the ledger has the other one's ftjob-1, this one answers with its own ftjob-1."""
    from ftjobs.provider.outcomes import Created
    from tests.conftest import CREATE
    from tests.e2e.conftest import arrivals

    user = machine("user")
    service.settings(job_seconds=600)
    elsewhere = machine("probe").submit(order).submission
    assert elsewhere.job
    other = replace(elsewhere.job, id="ftjob-1", raw={**elsewhere.job.raw, "id": "ftjob-1"})
    user.ledger.adopt(
        replace(elsewhere, id="01KANZ3S00ABCDEFGHJKMNPQRS", key="c" * 64, account="https://other||", job=other),
        replaces=None,
        now=user.session.now(),
    )
    api, before = user.session.api, len(arrivals(service, CREATE))
    create, listing = api.create_job, api.list_jobs
    numbered: dict[str, str] = {}

    def named(job: Job) -> Job:
        new = numbered.get(job.id)
        return replace(job, id=new, raw={**job.raw, "id": new}) if new else job

    def made(body: Any) -> Created:
        outcome = create(body)
        assert isinstance(outcome, Created)
        numbered[outcome.job.id] = f"ftjob-{len(numbered) + 1}"
        return Created(named(outcome.job))

    def listed(**asked: Any) -> JobPage:
        page = listing(**asked)
        return replace(page, jobs=tuple(named(job) for job in page.jobs))

    api.create_job, api.list_jobs = made, listed  # type: ignore[method-assign]
    asked = replace(order, spec=replace(order.spec, suffix="two"))
    with pytest.raises(LedgerError):
        user.submit(asked)
    take_in_orphans(user.ledger, now=user.session.now(), on_taken=lambda *_: None)
    with pytest.raises((UncertainError, LedgerError)) as stopped:
        user.submit(asked)
    with suppress(LedgerError):
        resend(str(stopped.value.details["submission_id"]), user.session, settle_s=0)
    assert len(arrivals(service, CREATE)) - before == 1
