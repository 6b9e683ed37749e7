"""Any commands of any users in any order, under any faults: nothing is paid twice and nothing is lost.

The service is the world; two shells share the ledger of machine `a`, machine `b` has its own. What is promised
over both machines needs metadata that is kept and lists that do not lag; else it is promised for each ledger.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, reject, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ftjobs.failpoints import POINTS
from tests.conftest import CREATE, Person, Run, Service, chat_line
from tests.e2e.conftest import LISTS, MODEL, UPLOAD, until
from tests.faults.aftermath import finish
from tests.faults.conftest import Desk
from tests.forks import Forks, forking

# Hypothesis spends most examples on variations of the one before, which tell little here: a seed a story instead.
_STORY = settings(max_examples=1, deadline=None, database=None, suppress_health_check=list(HealthCheck))
# A story that fails in the suite is told as it was: shrinking takes minutes, and the steps are few.
SUITE = settings(_STORY, stateful_step_count=12, phases=[Phase.generate])
SOAK = settings(_STORY, stateful_step_count=25, phases=[Phase.generate, Phase.shrink])
STORIES, SOAKED_STORIES = 5, 300

# Pauses only give the world time, and here it needs none.
_IMPATIENT = "import time\n_sleep = time.sleep\ntime.sleep = lambda s: _sleep(min(s, 0.03))\n"


@dataclass(frozen=True)
class Content:
    """What is trained; the service tells its epochs, so that is what its jobs are known by."""

    file: str
    epochs: int
    again: str | None = None

    @property
    def options(self) -> list[str]:
        return ["--epochs", str(self.epochs), *(["--again", self.again] if self.again else [])]


CONTENTS = {
    "small": Content("small.jsonl", 1),
    "small-longer": Content("small.jsonl", 2),
    "large": Content("large.jsonl", 3),
}
# Of the high estimates 0.001476, 0.002952 and 0.00738: room for one, for two, for some.
BUDGETS = ["0.0015", "0.004", "0.009"]

HTML = "<html><body>Bad gateway</body></html>"
CREATE_FAULTS: dict[str, list[dict[str, object]]] = {
    "none": [],
    "lost-after": [{"do": "drop", "when": "after"}],
    "lost-before": [{"do": "drop", "when": "before"}],
    "500-after": [{"do": "status", "status": 500, "when": "after"}],
    "{}-after": [{"do": "garbage", "when": "after"}],
    "html-after": [{"do": "garbage", "body": HTML, "headers": {"content-type": "text/html"}, "when": "after"}],
    "html-before": [{"do": "garbage", "body": HTML, "headers": {"content-type": "text/html"}}],
    "429": [{"do": "status", "status": 429}],
    "429-in-1s": [{"do": "status", "status": 429, "headers": {"retry-after": "1"}, "times": 2}],
    "429-in-1h": [{"do": "status", "status": 429, "headers": {"retry-after": "3600"}}],
    "429-lost": [{"do": "status", "status": 429}, {"do": "drop", "when": "after"}],
    "400": [{"do": "status", "status": 400}],
}
READ_FAULTS: dict[str, list[dict[str, object]]] = {
    "none": [],
    "lists-drop": [{"on": LISTS, "do": "drop", "times": 2}],
    "lists-stay-dropped": [{"on": LISTS, "do": "drop", "times": 99}],
    "lists-stay-dropped-later": [{"on": LISTS, "do": "drop", "times": 99, "skip": 1}],
    "jobs-stay-dropped": [{"on": f"{LISTS}/*", "do": "drop", "times": 99}],
    "upload-drops": [{"on": UPLOAD, "do": "drop", "when": "after"}],
}
ENDS_WITH = {"kill": -9, "term": -15, "int": 130}
SYNCING = [point for point in POINTS if point.startswith(("sync.", "bill."))]
SUBMITTING = [point for point in POINTS if not point.startswith(("sync.", "bill.", "ledger."))]
# Inside a transaction the ledger's write lock is held, and whoever comes can only wait for that.
PAUSES = [point for point in SUBMITTING if not point.endswith(".recording")]

contents = st.sampled_from(["small", *CONTENTS, "new"])  # "new" is another one each time
machines = st.sampled_from(["a", "b"])
# No step of their own: with few steps, each should do something.
weathers = st.sampled_from(["same", "same", "lists-lag", "lists-show", "jobs-end", "jobs-fail", "jobs-succeed"])
budgets = st.none() | st.sampled_from(BUDGETS)
read_faults = st.sampled_from([*["none"] * 4, *READ_FAULTS])


def deaths(points: list[str]) -> st.SearchStrategy[str | None]:
    """Name a failpoint, or none as often."""
    return st.none() | st.sampled_from([f"{point}:{action}" for point in points for action in ENDS_WITH])


@dataclass(frozen=True)
class World:
    """What every example of a run starts in."""

    service: Service
    forks: Forks
    folder: Path
    numbers: Iterator[int] = field(default_factory=count)

    def desks(self) -> dict[str, Desk]:
        """Forget all that was, and return both machines, new."""
        self.service.settings(reset=True, job_seconds=0.3, file_seconds=0)
        home = self.folder / f"example-{next(self.numbers)}" / "a"
        home.mkdir(parents=True)
        environ = {
            "OPENAI_BASE_URL": self.service.base_url,
            "OPENAI_API_KEY": "sk-test-0123456789",
            "FTJOBS_POLL_INITIAL_S": "0.1",
            "FTJOBS_POLL_MAX_S": "0.2",
            "FTJOBS_SETTLE_S": "0.1",
        }
        desk = Desk(self.forks, Person(home, environ), self.folder / "small.jsonl")
        return {"a": desk, "b": desk.elsewhere("b")}


@dataclass(frozen=True)
class Made:
    """Who made a job: the content asked for, the machine, and which of its ledgers (a lost one is followed)."""

    content: str
    machine: str
    ledger: int


class Users(RuleBasedStateMachine):
    """Two machines before one service."""

    world: World
    told = 0

    def __init__(self) -> None:
        super().__init__()
        self.service, self.desks = self.world.service, self.world.desks()
        self.ledgers = dict.fromkeys(self.desks, 0)
        self.made: dict[str, Made] = {}
        self.contents = dict(CONTENTS)
        self.asked: dict[tuple[str, str], None] = {}
        self.entries: dict[str, list[dict[str, Any]]] = {machine: [] for machine in self.desks}
        self.keeps_metadata, self.lags, self.fails = True, False, False
        self.in_step = False
        self._known: set[str] = set()
        self._noted: set[str] = set()

    @initialize(keeps_metadata=st.sampled_from([None, True, False]))
    def begin(self, keeps_metadata: bool | None) -> None:
        if keeps_metadata is None:
            reject()  # the simplest story of all, which Hypothesis always tells first
        self.keeps_metadata = keeps_metadata
        self.service.settings(keep_metadata=keeps_metadata)

    # What users do

    @rule(
        machine=machines,
        content=contents,
        create=st.sampled_from(list(CREATE_FAULTS)),
        reads=read_faults,
        failpoint=deaths(SUBMITTING),
        budget=budgets,
        weather=weathers,
    )
    def submit(
        self,
        *,
        machine: str,
        content: str,
        create: str,
        reads: str,
        failpoint: str | None,
        budget: str | None,
        weather: str,
    ) -> None:
        self.turn(weather)
        content = self._named(content)
        allowed = {0, 8, 9, *([5] if budget else []), *([7] if create == "400" else [])}
        self.asked[machine, content] = None
        run = self._run(
            machine, self._submit(content), create=create, reads=reads, failpoint=failpoint, budget=budget
        )
        self._check(machine, [run], allowed, asked=[content], failpoint=failpoint, budget=budget)

    @precondition(lambda self: self.asked)
    @rule(
        elsewhere=st.booleans(),
        create=st.sampled_from(list(CREATE_FAULTS)),
        reads=read_faults,
        failpoint=deaths(SUBMITTING),
        budget=st.none(),
        weather=weathers,
    )
    def submit_it_again(self, *, elsewhere: bool, **how: Any) -> None:
        machine, content = list(self.asked)[-1]
        machine = {"a": "b", "b": "a"}[machine] if elsewhere else machine
        self.submit(machine=machine, content=content, **how)

    @precondition(lambda self: not self.lags and self._uncertain())
    @rule(
        data=st.data(),
        create=st.sampled_from(["none", *CREATE_FAULTS]),
        reads=read_faults,
        failpoint=deaths(SUBMITTING),
    )
    def resend(self, data: st.DataObject, create: str, reads: str, failpoint: str | None) -> None:
        """Only while lists do not lag: who resends has waited for longer than they ever do."""
        machine, submission_id, content = data.draw(st.sampled_from(self._uncertain()))
        allowed = {0, 8, 9, *([7] if create == "400" else [])}
        args = ["submit", "--resend", submission_id]
        run = self._run(machine, args, create=create, reads=reads, failpoint=failpoint)
        self._check(machine, [run], allowed, asked=[content], failpoint=failpoint)

    @precondition(lambda self: self._books())
    @rule(
        data=st.data(),
        verb=st.sampled_from(["status", "status last", "watch --timeout 1s", "ledger --month"]),
        reads=read_faults,
        failpoint=deaths(SYNCING),
        weather=weathers,
    )
    def look(self, data: st.DataObject, *, verb: str, reads: str, failpoint: str | None, weather: str) -> None:
        self.turn(weather)
        machine = data.draw(st.sampled_from(self._books()))
        allowed = {"status": {0, 8}, "watch": {0, 6, 8, 10}, "ledger": {0}}[verb.partition(" ")[0]]
        allowed |= {2} if verb.endswith("last") and not self._rows(machine) else set()
        run = self._run(machine, verb.split(), reads=reads, failpoint=failpoint)
        self._check(machine, [run], allowed, failpoint=failpoint)

    @rule(
        machine=machines,
        content=contents,
        other=st.sampled_from(["same", *CONTENTS, "status", "status last", "resend"]),
        pause=st.sampled_from(PAUSES),
        budget=budgets,
        weather=weathers,
    )
    def two_shells(
        self, *, machine: str, content: str, other: str, pause: str, budget: str | None, weather: str
    ) -> None:
        """The first stops somewhere, the second does what it can, then the first goes on."""
        self.turn(weather)
        content = self._named(content)
        if other == "same" or (other in CONTENTS and self._look_alike(other, content)):
            other = content
        unclear = [each for each in self._uncertain() if each[0] == machine]
        if other == "resend" and (self.lags or not unclear):
            other = "status"
        if other == "resend" and self._look_alike(content, unclear[0][2]):
            content = unclear[0][2]
        asked = {content} | {other} & self.contents.keys() | ({unclear[0][2]} if other == "resend" else set())
        self.asked |= dict.fromkeys((machine, each) for each in sorted(asked))
        env = {"FTJOBS_BUDGET__MONTHLY_USD": budget} if budget else {}
        desk = self._begin_step(machine)
        first = desk.start(*self._submit(content), FTJOBS_FAILPOINT=f"{pause}:stop", **env)
        is_stopped = first.is_stopped()
        words = ["submit", "--resend", unclear[0][1]] if other == "resend" else other.split()
        second = desk.start(*(self._submit(other) if other in self.contents else words), **env)
        if is_stopped:
            until(lambda: second.printed.read_text() or "waiting for it" in second.told())
            first.go_on()
        runs = [first.end(), second.end()]
        was_unclear = {each[2] for each in unclear} & asked
        allowed = {0, *([9] if was_unclear else []), *([5] if budget else [])}
        allowed |= {2} if other == "status last" else set()
        self._check(machine, runs, allowed, asked=sorted(asked), budget=budget)
        has_failed = self.fails or any(job["status"] == "failed" for job in self._jobs().values())
        if other == content and not has_failed and {run.code for run in runs} == {0}:
            assert len({run.json["job_id"] for run in runs}) == 1, "two answers to one question"

    @precondition(lambda self: self._books())
    @rule(data=st.data(), content=contents)
    def submit_while_the_ledger_takes_no_jobs(self, data: st.DataObject, content: str) -> None:
        machine, content = data.draw(st.sampled_from(self._books())), self._named(content)
        self.asked[machine, content] = None
        book = self.desks[machine].book
        book.run("CREATE TRIGGER ill BEFORE INSERT ON jobs BEGIN SELECT RAISE(ABORT, 'ill'); END")
        run = self._run(machine, self._submit(content))
        book.run("DROP TRIGGER ill")
        self._noted = set()  # what was noted before could not be taken in either
        self._check(machine, [run], {0, 9, 12}, asked=[content])

    @precondition(lambda self: "b" in self._books())
    @rule()
    def lose_the_second_ledger(self) -> None:
        book = self.desks["b"].book
        for name in ("", "-wal", "-shm"):
            book.path.with_name(book.path.name + name).unlink(missing_ok=True)
        self.ledgers["b"] += 1
        self.entries["b"] = []

    def turn(self, weather: str) -> None:
        """Change the world."""
        if weather == "jobs-end":
            until(lambda: all(job["finished_at"] for job in self._jobs().values()))
        self.lags = {"lists-lag": True, "lists-show": False}.get(weather, self.lags)
        self.fails = {"jobs-fail": True, "jobs-succeed": False}.get(weather, self.fails)
        self.service.settings(list_lag_s=600 if self.lags else 0, fail_jobs=self.fails)

    # What must be so

    def _check(
        self,
        machine: str,
        runs: Sequence[Run],
        allowed: set[int],
        *,
        asked: Sequence[str] = (),
        failpoint: str | None = None,
        budget: str | None = None,
    ) -> None:
        """AssertionError where these commands, which just ran at this machine, broke a promise."""
        signalled = ENDS_WITH[failpoint.partition(":")[2]] if failpoint else None
        for run in runs:
            assert run.code in allowed or run.code == signalled, (run.code, run.out, run.err)
            assert_tells_how_to_go_on(run)
        jobs = self._jobs()
        new = {job_id: jobs[job_id] for job_id in jobs.keys() - self.made.keys()}
        for job_id, job in new.items():
            epochs = job["hyperparameters"]["n_epochs"]
            content = next((name for name in asked if self.contents[name].epochs == epochs), None)
            assert content is not None, f"nobody asked for {job_id}"
            self.made[job_id] = Made(content, machine, self.ledgers[machine])
            twins = [each for each in jobs if each != job_id and self._must_prevent(each, job_id, jobs)]
            assert twins == [], f"{job_id} is paid for twice: {twins}"
        for each, desk in self.desks.items():
            now = desk.book.entries()
            assert now[: len(self.entries[each])] == self.entries[each], "an entry has changed, or is lost"
            self.entries[each] = now
        rows = [row for each in self.desks for row in self._rows(each)]
        pairs = {(row["key"], self._content_of(row)) for row in rows}
        assert len(pairs) == len(dict(pairs)) == len({content for _, content in pairs}), "a key for each content"
        if budget:
            self._check_budget(machine, Decimal(budget), new)
        if not {12, signalled} & {run.code for run in runs}:
            assert self._orphans(machine) & self._noted == set(), "a job that was noted was not taken in"
        self.in_step = False

    def _must_prevent(self, other: str, new: str, jobs: dict[str, Any]) -> bool:
        """Say whether whoever made a new job had to know that this other one stands for the content."""
        it, this = self.made.get(other), self.made[new]
        if it is None or it.content != this.content or jobs[other]["status"] == "failed":
            return False
        is_same_ledger = (it.machine, it.ledger) == (this.machine, this.ledger)
        is_recorded = other in self.desks[this.machine].book.job_ids()
        return is_same_ledger or is_recorded or (self.keeps_metadata and not self.lags)

    def _check_budget(self, machine: str, limit: Decimal, new: dict[str, Any]) -> None:
        book = self.desks[machine].book
        estimates = {entry["submission_id"]: entry["high_nano_usd"] for entry in book.standing_estimates()}
        ours = [row for row in book.submissions() if row["id"] in estimates and row["id"] not in self._known]
        if not any(row["job_id"] is None or row["job_id"] in new for row in ours):
            return  # nothing was admitted: what is adopted was paid for elsewhere
        bills = book.entries("billed")
        settled = {entry["submission_id"] for entry in bills}
        held = sum(high for submission_id, high in estimates.items() if submission_id not in settled)
        assert held + sum(entry["amount_nano_usd"] for entry in bills) <= limit * 10**9, "over budget"

    def teardown(self) -> None:
        """Heal the world; every patient user gets the job, and every ledger the whole trail."""
        if self.in_step:
            return  # it has failed already
        type(self).told += bool(self.asked)
        self.turn("lists-show")
        self.turn("jobs-succeed")
        self.turn("jobs-end")  # nobody is answered with a job that is about to fail
        for machine, content in sorted(self.asked):
            desk = self._begin_step(machine)
            order = replace(desk, data=self.world.folder / self.contents[content].file)
            runs = finish(order, *self.contents[content].options)
            while self._jobs()[runs[-1].json["job_id"]]["status"] == "failed":  # it failed before it was found
                runs = finish(order, *self.contents[content].options)
            self._check(machine, runs, {0, 9}, asked=[content])
        self.turn("jobs-end")
        for machine in self._books():
            for verb in ("status --all", *(["status last"] if self._rows(machine) else [])):
                self._check(machine, [self._run(machine, verb.split())], {0})
            self._check_all_is_told(machine)
        shutil.rmtree(self.desks["a"].person.home.parent)

    def _check_all_is_told(self, machine: str) -> None:
        book, jobs = self.desks[machine].book, self._jobs()
        rows, known = book.submissions(), set(book.job_ids())
        assert known <= jobs.keys(), "a job that never was"
        ours = {each for each, made in self.made.items() if (made.machine, made.ledger) == self._now(machine)}
        for content in {content for asker, content in self.asked if asker == machine}:
            alive = {
                each for each, made in self.made.items()
                if made.content == content and jobs[each]["status"] != "failed"
            }  # fmt: skip
            assert alive & known, f"{content} has no job in the ledger"
            # Where several stand for one content, each was made out of sight of the others.
            ours |= alive if self.keeps_metadata and len(alive) == 1 else set()
        assert ours <= known, f"paid for and not in the ledger: {ours - known}"
        assert {row["state"] for row in rows} <= {"created", "rejected", "abandoned"}
        assert [row["id"] for row in rows if (row["state"] == "created") != bool(row["job_id"])] == []
        owners = Counter(row["id"] for row in rows if row["job_id"])
        succeeded = Counter(row["id"] for row in rows if row["job_id"] and jobs[row["job_id"]]["trained_tokens"])
        assert Counter(entry["submission_id"] for entry in book.standing_estimates()) == owners
        assert Counter(entry["submission_id"] for entry in book.entries("estimate")).keys() == {
            r["id"] for r in rows
        }
        assert Counter(entry["submission_id"] for entry in book.entries("billed")) == succeeded

    # Helpers

    def _begin_step(self, machine: str, create: str = "none", reads: str = "none") -> Desk:
        self.in_step = True
        self._known, self._noted = {row["id"] for row in self._rows(machine)}, self._orphans(machine)
        rules = [{"on": CREATE, **fault} for fault in CREATE_FAULTS[create]]
        self.service.faults(*rules, *READ_FAULTS[reads])
        return self.desks[machine]

    def _run(
        self,
        machine: str,
        args: list[str],
        *,
        create: str = "none",
        reads: str = "none",
        failpoint: str | None = None,
        budget: str | None = None,
    ) -> Run:
        """Run a command; the user of the second machine reads text, the other one's programs JSON."""
        desk = self._begin_step(machine, create, reads)
        env = {"FTJOBS_FAILPOINT": failpoint, "FTJOBS_BUDGET__MONTHLY_USD": budget}
        given = {name: value for name, value in env.items() if value}
        return desk.forks.run(desk.person, *args, *(["--json"] if machine == "a" else []), **given)

    def _submit(self, content: str) -> list[str]:
        wanted = self.contents[content]
        return ["submit", str(self.world.folder / wanted.file), "--model", MODEL, *wanted.options]

    def _named(self, content: str) -> str:
        """Return the name of a content, which is new where it is called so."""
        if content != "new":
            return content
        name = f"new-{len(self.contents)}"
        self.contents[name] = Content("small.jsonl", 1, again=name)
        return name

    def _look_alike(self, one: str, other: str) -> bool:
        return self.contents[one].epochs == self.contents[other].epochs

    def _content_of(self, row: dict[str, Any]) -> str:
        spec = json.loads(row["spec"])
        wanted = (spec["n_epochs"], spec["again"])
        return next(name for name, content in self.contents.items() if (content.epochs, content.again) == wanted)

    def _jobs(self) -> dict[str, Any]:
        """Return all jobs there are, whatever the lists hide and whatever spoils them."""
        self.service.faults()
        self.service.settings(list_lag_s=0)
        jobs = {job["id"]: job for job in self.service.jobs()}
        self.service.settings(list_lag_s=600 if self.lags else 0)
        return jobs

    def _rows(self, machine: str) -> list[dict[str, Any]]:
        return self.desks[machine].book.submissions()

    def _now(self, machine: str) -> tuple[str, int]:
        return machine, self.ledgers[machine]

    def _books(self) -> list[str]:
        return [machine for machine, desk in self.desks.items() if desk.book.path.exists()]

    def _uncertain(self) -> list[tuple[str, str, str]]:
        """Return machine, submission and content of all that may have created a job unseen."""
        return [
            (machine, row["id"], self._content_of(row))
            for machine in self._books()
            for row in self._rows(machine)
            if row["state"] in {"sending", "uncertain"}
        ]

    def _orphans(self, machine: str) -> set[str]:
        """Return the submissions of this ledger whose jobs are noted beside it."""
        path = self.desks[machine].book.path
        noted = path.with_name(f"{path.name}.orphans.jsonl")
        lines = noted.read_text().splitlines() if noted.exists() else []
        ids = {json.loads(line)["submission_id"] for line in lines if line}
        return ids & {row["id"] for row in self._rows(machine)}


def assert_tells_how_to_go_on(run: Run) -> None:
    """AssertionError for a traceback, and for a failure without a next step; a dead process tells nothing."""
    assert "Traceback" not in run.err + run.out
    if run.code <= 0 or run.code == 6:
        return  # `watch` has shown what failed
    if run.out.rstrip().endswith("}"):
        told = json.loads(run.out.splitlines()[-1])
        assert told["exit_code"] == run.code
        assert told["next_step"]
    else:
        assert "\n  → " in run.err, run.err


@pytest.fixture(scope="session")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Commands as forks that wait no longer than a blink."""
    with forking(tmp_path_factory.mktemp("impatient") / "printed", prelude=_IMPATIENT) as served:
        yield served


@pytest.fixture
def world(impatient: Forks, service: Service, tmp_path: Path) -> World:
    for name, examples in (("small.jsonl", 12), ("large.jsonl", 20)):
        (tmp_path / name).write_text("".join(f"{chat_line(number)}\n" for number in range(examples)))
    return World(service, impatient, tmp_path)


def users_in(there: World) -> type[Users]:
    class UsersThere(Users):
        world = there

    return UsersThere


def tell(story: int, world: World, how: settings) -> None:
    """Tell the first story from this seed on in which something happens."""
    users = users_in(world)
    for number in count(story):
        run_state_machine_as_test(seed(number)(users), settings=how)
        if users.told:
            return


@pytest.mark.slow
@pytest.mark.parametrize("story", range(0, 100 * STORIES, 100))
def test_whatever_users_and_the_world_do_everything_is_paid_once_and_told(story: int, world: World) -> None:
    tell(story, world, SUITE)


@pytest.mark.soak
def test_for_many_minutes_everything_is_paid_once_and_told(world: World) -> None:
    first = SystemRandom().randrange(2**32)
    for story in range(first, first + 100 * SOAKED_STORIES, 100):
        try:
            tell(story, world, SOAK)
        except Exception as error:
            error.add_note(f"Have it again with tell({story}, world, SOAK).")
            raise
