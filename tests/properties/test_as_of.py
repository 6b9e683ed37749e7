"""A print as of an earlier instant is the print of that instant, whatever happened since."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from ftjobs.errors import FtjobsError
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.adopting import Asked
from ftjobs.ledger.groups import NAMES, grouped
from ftjobs.ledger.hosting import HourPrice
from ftjobs.ledger.store import Ledger
from ftjobs.money import Usd
from ftjobs.periods import Period, month
from ftjobs.reports.envelope import dumps
from ftjobs.reports.month import month_json, month_text
from ftjobs.reports.month_csv import groups_csv, jobs_csv
from tests.contract.conftest import PRICE, a_job, a_submission, report_of

BEGAN = month(2027, 6).end - timedelta(hours=6)  # the steps go on into July
PERIODS = (None, month(2027, 6), month(2027, 7))
NUMBERS = st.integers(1, 3)
STATES = ("running", "succeeded", "failed", "a word of 2028")


@dataclass
class World:
    """A ledger, its clock, and what was printed at each step."""

    ledger: Ledger
    now: datetime = BEGAN
    prints: list[tuple[datetime, list[str]]] = field(default_factory=list)

    def id_of(self, number: int) -> str:
        return a_submission(number, at=BEGAN).id

    def step(self, act: Callable[..., None], *details: Any) -> None:
        """Do something, whether the ledger takes it or not; then print, as of now and plainly."""
        self.now += timedelta(hours=1)
        with suppress(FtjobsError, ValueError, IndexError):
            act(self, *details)
        told = printed(self.ledger, self.now)
        assert [digest(self.ledger, period) for period in PERIODS] == [
            report_of(self.ledger, period, as_of=self.now).digest for period in PERIODS
        ]
        self.prints.append((self.now, told))


def digest(ledger: Ledger, period: Period | None) -> str:
    return report_of(ledger, period).digest


def printed(ledger: Ledger, as_of: datetime) -> list[str]:
    texts = []
    for period in PERIODS:
        with ledger.listing(period, as_of=as_of) as found:
            texts += [dumps(month_json(found, sandbox=False)), month_text(found, width=None)]
            texts.append("".join(jobs_csv(found.lines)))
            texts += ["".join(groups_csv(grouped(found.lines, by), by)) for by in (*NAMES, "tag:team")]
    return texts


def record(world: World, number: int) -> None:
    mine = a_submission(number, at=BEGAN, key=f"{number}" * 64)
    world.ledger.record(replace(mine, recorded_at=world.now))


def send(world: World, number: int) -> None:
    world.ledger.begin_sending(world.id_of(number), "recorded", now=world.now)


def lose(world: World, number: int) -> None:
    world.ledger.mark(world.id_of(number), "uncertain", now=world.now, error="a time-out")


def reject(world: World, number: int) -> None:
    world.ledger.close(world.id_of(number), "rejected", code="x", message="no", now=world.now)


def create(world: World, number: int) -> None:
    world.ledger.attach(world.id_of(number), a_job(number, created=BEGAN), now=world.now)


def see(world: World, number: int, status: str, tokens: int | None) -> None:
    finish = 1_811_000_000 + world.now.hour
    job = a_job(number, status, created=BEGAN, trained_tokens=tokens, estimated_finish=finish)
    world.ledger.refresh([job], price_of=lambda _: PRICE, now=world.now)


def miss(world: World, number: int) -> None:
    world.ledger.miss([f"ftjob-{number:04d}"], now=world.now)


def adopt(world: World, number: int, status: str) -> None:
    job = a_job(number, status, created=BEGAN, trained_tokens=5_000)
    stray: Submission = a_submission(number + 10, state="created", at=world.now, job=job)
    asked = Asked(stray.account, [job.id], [])
    world.ledger.adopt_many(asked, lambda _: [stray], price_of=lambda _: PRICE, now=world.now)


def adjust(world: World, number: int, total_cents: int) -> None:
    total = Usd(total_cents * 10**7)
    world.ledger.adjust(world.id_of(number), total_usd=total, reason="x", by="me", now=world.now)


def host(world: World, number: int, hours: int, day: int) -> None:
    on = BEGAN.date() + timedelta(days=day)
    price = HourPrice(Usd(1_700_000_000), "user", None, "a page") if hours > 0 else None
    world.ledger.hosting.record(
        world.id_of(number), hours * 3600, price=price, on=on, reason=f"{world.now}", by="me", now=world.now
    )


def tag(world: World, number: int, value: str) -> None:
    world.ledger.tag(world.id_of(number), put={"team": value}, by="me", now=world.now)


def untag(world: World, number: int) -> None:
    world.ledger.tag(world.id_of(number), put={}, drop=["team"], by="me", now=world.now)


steps = st.one_of(
    st.tuples(st.sampled_from([record, send, lose, reject, create, miss, untag]), NUMBERS),
    st.tuples(st.just(see), NUMBERS, st.sampled_from(STATES), st.sampled_from([None, 0, 700_000, 900_000])),
    st.tuples(st.just(adopt), NUMBERS, st.sampled_from(STATES)),
    st.tuples(st.just(adjust), NUMBERS, st.integers(0, 300)),
    st.tuples(st.just(host), NUMBERS, st.integers(-2, 9), st.integers(0, 1)),
    st.tuples(st.just(tag), NUMBERS, st.sampled_from(["search", "ads"])),
)


@settings(
    max_examples=settings().max_examples // 12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
@example([(miss, 1), (miss, 1), (see, 1, "running", None)])
@example([(record, 3), (send, 3), (lose, 3), (create, 3)])
@example([(record, 3), (reject, 3)])
@example([(see, 1, "succeeded", None), (host, 1, 9, 0), (host, 1, -1, 0)])
@given(st.lists(steps, min_size=4, max_size=12))
def test_a_reprint_is_the_first_print_byte_for_byte(story: Sequence[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Ledger(Path(folder) / "ledger.sqlite3", stamp="real"))
        for number in (1, 2):  # most stories are about jobs that exist
            world.step(record, number)
            world.step(create, number)
        for act, *details in story:
            world.step(act, *details)
        for as_of, first in world.prints:
            assert printed(world.ledger, as_of) == first, story
