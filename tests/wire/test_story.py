"""What a service tells of a job's way: as much as it tells, and asked no more often than it takes."""

from __future__ import annotations

import httpx
import pytest
import respx

from ftjobs.jobs.story import Story
from ftjobs.provider.retrying import RetryPolicy
from ftjobs.workflows import story as story_module
from ftjobs.workflows.story import read_story
from tests.wire.conftest import Accounts
from tests.wire.test_following import CHECKPOINTS, EVENTS, checkpoint, event, page

ONCE = RetryPolicy(attempts=1)


def test_events_come_oldest_first_and_checkpoints_by_step(
    account: Accounts, httpx2_mock: respx.MockRouter
) -> None:
    httpx2_mock.get(EVENTS).mock(side_effect=[page(event(3), event(2), more=True), page(event(1))])
    httpx2_mock.get(CHECKPOINTS).mock(return_value=page(checkpoint(9), checkpoint(4)))
    story, troubles = read_story("ftjob-1", account().api, every_event=True)
    assert [each.id for each in story.events or ()] == ["ev-1", "ev-2", "ev-3"]
    assert [each.step for each in story.checkpoints or ()] == [4, 9]
    assert (story.has_all_events, troubles) == (True, ())


@pytest.mark.parametrize(("there", "has_all"), [(3, True), (4, False), (9, False)])
def test_a_look_takes_the_newest_events_and_says_whether_they_are_all(
    account: Accounts,
    httpx2_mock: respx.MockRouter,
    monkeypatch: pytest.MonkeyPatch,
    there: int,
    has_all: bool,
) -> None:
    monkeypatch.setattr(story_module, "NEWEST_EVENTS", 3)
    httpx2_mock.get(EVENTS).mock(return_value=page(*(event(number) for number in range(there, 0, -1))))
    httpx2_mock.get(CHECKPOINTS).mock(return_value=page())
    story, _ = read_story("ftjob-1", account().api, every_event=False)
    assert [each.id for each in story.events or ()] == [f"ev-{there - 2}", f"ev-{there - 1}", f"ev-{there}"]
    assert story.has_all_events is has_all


def test_a_service_that_is_away_is_asked_once(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    route = httpx2_mock.get(EVENTS).respond(503)
    story, troubles = read_story("ftjob-1", account(policy=ONCE).api, every_event=False)
    assert (story, len(troubles), route.call_count) == (Story(), 1, 1)


def test_a_part_that_a_service_does_not_have_hides_no_other(
    account: Accounts, httpx2_mock: respx.MockRouter
) -> None:
    httpx2_mock.get(EVENTS).mock(return_value=page(event(1)))
    httpx2_mock.get(CHECKPOINTS).mock(return_value=httpx.Response(404))
    story, troubles = read_story("ftjob-1", account(policy=ONCE).api, every_event=False)
    assert (len(story.events or ()), story.checkpoints) == (1, None)
    assert [trouble for trouble in troubles if "checkpoints" in trouble]
