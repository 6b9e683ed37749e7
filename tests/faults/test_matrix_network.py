"""Every request meets every fault of a network: how its command ends, and that it is paid once in the end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest

import tests.forks
from ftjobs.sandbox.personalities import OPENAI, Personality
from ftjobs.sandbox.serving import serve_in_background
from tests.conftest import CREATE, Run, Service
from tests.e2e.conftest import LISTS, MODEL, Book, creates, until
from tests.faults.aftermath import assert_paid_once, finish
from tests.faults.conftest import Desk
from tests.faults.grid import Cell, flaws, parameters
from tests.faults.network import FAULTS, GRID, OUTCOMES, REASONS, REQUESTS, Fault, Request, World, kind_of
from tests.forks import Forks, forking

_FOR_GOOD = 1000
# Where the API's status is an answer, the command says in its own words what it means.
_IN_OWN_WORDS = {("404", "file-wait"): "file_not_ready", ("404", "revisit"): "job_missing"}

# Patience would take hours: most of these commands live ten times as fast, and some wait a second for an answer.
_FAST, _IMPATIENT = {"PACE": "10"}, {"REPLY_WITHIN_S": "1"}
_PACED = """
import os, time
import httpx2
import ftjobs.app, ftjobs.provider.api
from ftjobs.ambient import Ambient


def paced():
    pace, limit = float(os.environ.get("PACE", 1)), float(os.environ.get("REPLY_WITHIN_S", 0))
    if limit:
        ftjobs.provider.api.CREATE_TIMEOUT_S = limit
        ftjobs.provider.api._READ_TIMEOUT = ftjobs.provider.api._UPLOAD_TIMEOUT = httpx2.Timeout(limit)
    return Ambient(monotonic=lambda: time.monotonic() * pace, sleep=lambda s: time.sleep(s / pace))


ftjobs.app.Ambient = paced
"""


@dataclass(frozen=True)
class Line:
    """A service at an address that nobody else can take; while the line is cut, nobody listens there."""

    folder: Path
    port: int
    personality: Personality
    _serving: ExitStack = field(default_factory=ExitStack)

    def mend(self) -> str:
        """Serve; return the base URL."""
        served = serve_in_background(self.folder, port=self.port, personality=self.personality)
        return self._serving.enter_context(served)

    def cut(self) -> None:
        """Stop listening, and end what is under way."""
        self._serving.close()


@pytest.fixture
def personality() -> Personality:
    """The service that the commands meet."""
    return OPENAI


@pytest.fixture
def line(tmp_path: Path, personality: Personality) -> Iterator[Line]:
    with socket.socket() as holder:
        # Bound and not listening: connections are refused, and nobody else gets the port.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        line = Line(tmp_path / "service", holder.getsockname()[1], personality)
        yield line
        line.cut()


@pytest.fixture
def service(line: Line) -> Service:
    return Service(line.mend())


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tests.forks, "_SERVER", _PACED + tests.forks._SERVER)
        with forking(tmp_path_factory.mktemp("paced") / "printed") as served:
            yield served


@pytest.fixture
def desk(desk: Desk, service: Service) -> Desk:
    service.settings(job_seconds=0)
    return replace(desk, person=replace(desk.person, environ={**desk.person.environ, **_FAST}))


@dataclass(frozen=True)
class Seen:
    """What a command came to: what it said, what is so after it, and the create requests that it sent."""

    code: int
    error: str | None
    world: World
    creates: int


@dataclass(frozen=True)
class Street:
    """The way between a desk and a service, on which one kind of request is spoiled."""

    desk: Desk
    service: Service
    line: Line
    request: Request

    def prepare(self) -> list[str]:
        """Bring about what the request asks about; return the command in which it is met."""
        desk = self.desk
        if self.request is REQUESTS["file-wait"]:
            self.service.settings(file_seconds=0.5)
        if self.request is REQUESTS["resend"]:
            assert desk.submit(FTJOBS_FAILPOINT="create.sending:kill").code == -9
            return ["submit", "--resend", desk.book.submissions()[0]["id"]]
        for more in ([], ["--again", "more"])[: self.request.untouched.states.count("created")]:
            assert desk.submit(*more).code == 0
        return ["status"] if self.request.command == "status" else ["submit", str(desk.data), "--model", MODEL]

    def walk(self, words: list[str], fault: Fault, **env: str) -> Run:
        """Run the command while the fault strikes; AssertionError where the request never met it."""
        lost: list[dict[str, object]] = (
            [{"on": CREATE, "do": "drop", "when": "after"}] if self.request.sent else []
        )
        if not fault.rule:
            return self._walk_unheard(words, lost, fault, **env)
        filled = {name: self._filled(value) for name, value in fault.rule.items()}
        times = _FOR_GOOD if fault.for_good else 1
        # The first list of a submission is the look before it creates.
        rule = {"on": self.request.target, "times": times, "skip": self.request.sent, **filled}
        self.service.faults(*lost, rule)
        run = self.desk.run(*words, **env)
        left = self.service.call("GET", "/sandbox/faults")
        assert [each["times"] < _FOR_GOOD for each in left] == [True] * fault.for_good, "the fault struck nothing"
        self.service.faults()
        return run

    def _filled(self, value: object) -> object:
        # Another name of the same host is another place for a client that follows.
        elsewhere = f"http://localhost:{self.line.port}/v1/fine_tuning/jobs"
        return {"{elsewhere}": elsewhere, "{other}": self.request.other}.get(str(value), value)

    def _walk_unheard(self, words: list[str], lost: list[dict[str, object]], fault: Fault, **env: str) -> Run:
        """Nobody listens: from the request on, or from the start where nothing is sent before it."""
        self.service.faults(*lost)
        # Whoever is to meet the service again needs the time that it takes to be served anew.
        env = env if fault.for_good else {**env, "PACE": "1"}
        if self.request.failpoint:
            stopping = f"{self.request.failpoint}:stop"
            command = self.desk.start(*words, "-v", FTJOBS_FAILPOINT=stopping, **env)
            assert command.is_stopped(), "it never came to the request"
            self.line.cut()
            command.go_on()
        else:
            self.line.cut()
            command = self.desk.start(*words, "-v", **env)
        until(lambda: "api.retry" in command.told() or "NotNow" in command.told())
        if fault.for_good:
            run = command.end()
            self.line.mend()
            return run
        self.line.mend()
        return command.end()


@pytest.fixture
def street(request: pytest.FixtureRequest, desk: Desk, service: Service, line: Line) -> Street:
    """The street of the request that a cell is about."""
    return Street(desk, service, line, REQUESTS[request.node.callspec.params["cell"].fault])


def expected(cell: Cell) -> Seen:
    """Return what the grid's word says about a cell."""
    outcome, fault, request = OUTCOMES[cell.word], FAULTS[cell.point], REQUESTS[cell.fault]
    match outcome.leaves:
        case "untouched":
            world = request.untouched
        case "done":
            world = request.done
        case World() as world:
            pass
    error = outcome.error
    if error == "as told":
        error = fault.code
    error = _IN_OWN_WORDS.get((cell.point, cell.fault), error)
    if cell.fault == "create":
        error = fault.code if cell.word == "later" and fault.code else error
        return Seen(outcome.exit_code, error, world, fault.creates)
    return Seen(outcome.exit_code, error, world, request.sends if outcome.leaves == "done" else request.sent)


def seen(street: Street, run: Run, created_before: int) -> Seen:
    """Return what is so directly after a command."""
    sent, book = creates(street.service) - created_before, street.desk.book
    assert_looked_between_creates(street.service)
    error = run.json["code"] if run.code else None
    states = tuple(row["state"] for row in book.submissions())
    kinds = tuple(entry["kind"] for entry in book.entries())
    return Seen(run.code, error, World(len(street.service.jobs()), states, kinds), sent)


def assert_looked_between_creates(service: Service) -> None:
    targets = [f"{each['method']} {each['path']}" for each in service.requests()]
    money = [target for target in targets if target in {CREATE, LISTS}]
    assert (CREATE, CREATE) not in pairwise(money), "a create request followed another without a look"


def assert_says_what_to_do(run: Run, cell: Cell, book: Book) -> None:
    """AssertionError unless a failure is told in two lines that a person can act on."""
    told, at_stake = run.json, {row["id"] for row in book.submissions()}
    assert told["exit_code"] == run.code
    assert all(line and line == " ".join(line.split()) for line in (told["message"], told["next_step"]))
    assert "Traceback" not in run.err
    assert "bug" not in run.out + run.err
    if (cell.point, cell.fault) not in _IN_OWN_WORDS:
        assert FAULTS[cell.point].told in told["message"]
    if at_stake and REQUESTS[cell.fault].command != "status":
        assert {told["details"]["submission_id"]} == at_stake
    if cell.word == "later":
        assert ("it watches from the start" if cell.fault == "resend" else "same command") in told["next_step"]
    if run.code == 9:
        assert f"submit --resend {told['details']['submission_id']}" in told["next_step"]


def play(cell: Cell, street: Street, **env: str) -> None:
    """Let a cell happen, hold it against its word, and go on to the one job."""
    fault, book = FAULTS[cell.point], street.desk.book
    words = street.prepare()
    created_before = creates(street.service)

    run = street.walk(words, fault, **env)

    assert seen(street, run, created_before) == expected(cell), run.out + run.err
    before = book.entries()
    if run.code:
        assert_says_what_to_do(run, cell, book)
    if cell.word == "ended":
        assert sum(entry["amount_nano_usd"] for entry in before) == 0
    finish(street.desk)
    assert_paid_once(street.service, street.desk, jobs=street.request.done.jobs, before=before)


@pytest.mark.parametrize("cell", [*parameters(GRID)])
def test_a_spoiled_request_ends_as_the_grid_says_and_is_paid_once_in_the_end(cell: Cell, street: Street) -> None:
    play(cell, street, **(_IMPATIENT if FAULTS[cell.point].is_mute else {}))


@pytest.mark.soak
@pytest.mark.parametrize(
    "cell",
    [
        Cell("mute-before", "create", "uncertain", is_quick=False),
        Cell("mute-after", "create", "found", is_quick=False),
        Cell("429-1s-all", "create", "later", is_quick=False),
        Cell("refused-all", "lookup", "later", is_quick=False),
        Cell("drop-after-all", "upload", "later", is_quick=False),
    ],
    ids=lambda cell: f"{cell.point}-{cell.fault}",
)
def test_by_true_clocks_with_a_minute_for_the_create_call_it_ends_alike(cell: Cell, street: Street) -> None:
    play(cell, street, PACE="1")


@pytest.mark.parametrize(
    ("fault", "code"), [("500", 9), ("403", 7), ("429-hour", 8)], ids=["uncertain", "refused", "later"]
)
def test_a_failure_ends_with_two_lines_and_nothing_on_stdout(
    fault: str, code: int, desk: Desk, service: Service
) -> None:
    service.faults({"on": CREATE, **FAULTS[fault].rule})
    run = desk.forks.run(desk.person, "submit", str(desk.data), "--model", MODEL)
    assert (run.code, run.out) == (code, "")
    lines = run.err.splitlines()
    assert [line.startswith("error: ") for line in lines].index(True) == len(lines) - 2
    assert lines[-1].startswith("  → ")


def test_the_grid_has_every_request_and_every_fault_and_each_kind_is_met_in_the_quick_suite() -> None:
    names = {"points": {*FAULTS}, "faults": {*REQUESTS}, "outcomes": {*OUTCOMES}}
    assert flaws(GRID, **names, reasons=REASONS, kind_of=kind_of) == []
