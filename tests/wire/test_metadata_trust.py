"""A proxy that drops metadata on create, and lists jobs that were made elsewhere with theirs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftjobs.errors import UncertainError
from ftjobs.workflows.resend import resend
from ftjobs.workflows.submit import Order
from tests.conftest import CREATE, Service
from tests.e2e.conftest import arrivals
from tests.wire.test_adopt_pays_once import adopt_all
from tests.wire.test_protocol import LOST, MakeMachine, machine, order

__all__ = ["machine", "order"]


def dropping(user) -> None:  # type: ignore[no-untyped-def]
    """The proxy drops metadata on its way in, as LiteLLM does."""
    real = user.session.api.create_job

    def create(body):  # type: ignore[no-untyped-def]
        return real({k: v for k, v in body.items() if k != "metadata"})

    user.session.api.create_job = create


@pytest.mark.parametrize("adopts", [False, True])
def test_an_adopted_job_proves_nothing_about_what_a_create_keeps(
    machine: MakeMachine, service: Service, order: Order, adopts: bool
) -> None:
    service.settings(job_seconds=600)
    machine("direct").submit(order)  # a colleague, straight at the service
    user = machine("user", trusted=False)  # through the proxy
    dropping(user)
    if adopts:
        adopt_all(user)
    print("trusts", user.session.trusts_metadata)
    made = []
    for epochs in (4, 5):
        service.faults({**LOST, "when": "after"})
        asked = replace(order, spec=replace(order.spec, n_epochs=epochs, seed=7))
        try:
            made.append(user.submit(asked).submission.id)
        except UncertainError as error:
            made.append(str(error.details["submission_id"]))
            print("uncertain", error.message)
    service.faults()
    assert len(arrivals(service, CREATE)) == 3
    for each in made:
        if user.ledger.get(each).state != "created":
            resend(each, user.session, settle_s=0)
    print([(t.submission.state, t.submission.job and t.submission.job.id) for t in user.ledger.trails()])
    assert len(arrivals(service, CREATE)) == 3


def test_a_lost_reply_is_found_by_status_after_an_adoption(
    machine: MakeMachine, service: Service, order: Order
) -> None:
    service.settings(job_seconds=600)
    machine("direct").submit(order)
    user = machine("user", trusted=False)
    dropping(user)
    adopt_all(user)
    service.faults({**LOST, "when": "after"})
    user.submit(replace(order, spec=replace(order.spec, n_epochs=4)))


@pytest.mark.parametrize("adopts", [False, True])
def test_one_lost_reply_behind_a_proxy_that_drops_metadata_and_seed(
    machine: MakeMachine, service: Service, order: Order, adopts: bool
) -> None:
    service.settings(job_seconds=600)
    machine("direct").submit(order)
    user = machine("user", trusted=False)
    real = user.session.api.create_job
    user.session.api.create_job = lambda body: real(  # type: ignore[method-assign]
        {k: v for k, v in body.items() if k not in {"metadata", "seed"}}
    )
    if adopts:
        adopt_all(user)
    service.faults({**LOST, "when": "after"})
    asked = replace(order, spec=replace(order.spec, n_epochs=4))
    try:
        user.submit(asked)
    except UncertainError as error:
        resend(str(error.details["submission_id"]), user.session, settle_s=0)
    assert len(arrivals(service, CREATE)) == 2
