"""What a person reads: results on stdout, the rest on stderr, nothing that a pipe or a narrow terminal spoils."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Person, Run, Service

ALONE = {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": ""}


def test_check_and_estimate_say_it_on_stdout_alone(person: Person, training_file: Path) -> None:
    checked = person.run("check", str(training_file), "--model", "gpt-4o-mini", **ALONE)
    assert (checked.code, checked.err) == (0, "")
    verdict, price = checked.out.splitlines()[-2:]
    assert re.fullmatch(r".*data\.jsonl: 12 examples, \d+ \(\d+–\d+\) dataset tokens, valid", verdict)
    assert re.fullmatch(r"one epoch of training: \$0\.\d{4} \(\$0\.\d{4}–\$0\.\d{4}\)", price)
    estimated = person.run("estimate", str(training_file), "--model", "gpt-4o-mini,gpt-4", **ALONE)
    assert (estimated.code, estimated.err) == (0, "")
    heading, known, unknown = estimated.out.splitlines()[4:7]
    assert heading.split("  ")[0] == "MODEL"
    assert re.search(r"8 by rule .* 3\.00 +\$0\.\d{4} +\$0\.\d{4} \(\$0\.\d{4}–\$0\.\d{4}\)", known)
    assert unknown.count("unknown") == 3  # the price, an epoch, the whole
    assert "price list openai, read " in estimated.out


def test_submit_prints_the_job_its_estimate_and_a_line_that_works(
    person: Person, service: Service, inside: Callable[..., Run], training_file: Path
) -> None:
    submit = ["submit", str(training_file), "--model", "gpt-4o-mini"]
    told = person.run(*submit)
    job_id = service.jobs()[0]["id"]
    created, estimate, follow = told.out.splitlines()
    assert re.fullmatch(rf"job {job_id} created \(\w+, gpt-4o-mini-2024-07-18\)", created)
    assert re.fullmatch(r"estimate \$.* estimated tokens at \$3\.00/1M \(price list openai\)", estimate)
    assert told.err.startswith("estimate $")
    assert "8 epochs by rule" in told.err
    assert follow == f"watch it with: ftjobs watch {job_id}"

    watched = person.run(*follow.partition("ftjobs ")[2].split())
    assert watched.code == 0
    assert re.search(rf"^{job_id} succeeded, billed \$0\.\d{{4}}, model ft:\S+$", watched.out, re.MULTILINE)
    again = inside(*submit)
    assert again.out.splitlines()[0] == f"job {job_id} exists already (succeeded, gpt-4o-mini-2024-07-18)"
    assert again.out.splitlines()[2] == f"see it with: ftjobs status {job_id}"


def test_a_dry_run_says_that_nothing_was_sent(
    service: Service, inside: Callable[..., Run], training_file: Path
) -> None:
    told = inside("submit", str(training_file), "--model", "gpt-4o-mini", "--epochs", "1", "--dry-run")
    assert told.code == 0
    assert re.fullmatch(r"would submit gpt-4o-mini-2024-07-18, 1 epoch pinned: \$.*\nnothing was sent\n", told.out)
    assert service.requests() == []


def test_the_ledger_says_what_is_billed_and_what_is_open(
    service: Service, inside: Callable[..., Run], make_training_file: Callable[[str, int], Path]
) -> None:
    inside("submit", str(make_training_file("a.jsonl", 12)), "--model", "gpt-4o-mini", "--wait")
    service.settings(job_seconds=1000)
    inside("submit", str(make_training_file("b.jsonl", 13)), "--model", "gpt-4o-mini")
    told = inside("ledger", "--month", FTJOBS_BUDGET__MONTHLY_USD="10")
    assert (told.code, told.err) == (0, "")
    (budget,) = inside("ledger", "--month", "--json", FTJOBS_BUDGET__MONTHLY_USD="10").json["budgets"]
    assert (budget["limit_usd"], budget["profile"], budget["tag"], budget["warns"]) == ("10.00", None, None, False)
    spent = Decimal(budget["billed_usd"]) + Decimal(budget["commitment_usd"])
    assert Decimal(budget["headroom_usd"]) == 10 - spent < 10
    head, *_, billed, bridge, unsettled, budget, digest = told.out.splitlines()
    assert re.fullmatch(r"Ledger \d{4}-\d\d \(UTC\)", head)
    assert re.fullmatch(r"billed \$.* trained tokens; estimated \$.* for the same jobs, variance .*%\)", billed)
    assert re.fullmatch(r"variance by epochs \$0\.00, token count [+-]\$0\.\d+, price \$0\.00", bridge)
    assert re.match(r"1 job unsettled, up to \$\d\.\d+ committed; `ftjobs status`", unsettled)
    assert re.match(r"budget \$10\.00 this month: \$.* billed, \$.* committed, \$9\.\d\d left", budget)
    assert re.fullmatch(r"digest [0-9a-f]{16}", digest)


def test_empty_says_what_to_do_first(person: Person, inside: Callable[..., Run]) -> None:
    assert inside("status", **ALONE).out.startswith("no jobs yet; submit one with: ftjobs submit ")
    watched = person.run("watch", **ALONE)
    assert (watched.code, watched.out, watched.err) == (0, "", "no job is under way\n")
    assert inside("ledger", **ALONE).out.splitlines()[1:4] == ["no jobs", "", "nothing is billed"]
    practice = person.home / "data" / "ftjobs" / "sandbox" / "ledger.sqlite3"
    practice.parent.mkdir(parents=True)
    practice.touch()
    for words in (["status"], ["ledger"], ["show", "last"]):
        told = inside(*words, **ALONE)
        assert "practice has a ledger of its own: add --profile sandbox" in told.err, words
    for words in (["ledger", "2020-01"], ["--ledger", str(person.home / "own.sqlite3"), "status"]):
        assert "--profile sandbox" not in inside(*words, **ALONE).err, "an empty month, and a ledger by name"


def test_a_failed_job_is_unknown_to_the_bill_and_its_reason_is_told(
    person: Person, service: Service, inside: Callable[..., Run], training_file: Path
) -> None:
    service.settings(fail_jobs="exceeded_memory")
    inside("submit", str(training_file), "--model", "gpt-4o-mini", "--wait")
    job = service.jobs()[0]
    assert (job["status"], job["trained_tokens"]) == ("failed", None)
    told = person.run("status")
    row = told.out.splitlines()[1]
    assert row.split()[1] == "failed"
    assert row.split()[-3:] == ["unknown", "unknown", "-"]
    assert "$0.00 " not in told.out
    assert f"{job['id']}: exceeded_memory: " in told.err
    ledger = inside("ledger")
    assert "nothing is billed\n1 job unsettled, 1 with an unknown bill, up to $" in ledger.out
    totals = inside("ledger", "--json").json["totals"]
    assert (totals["unknown_billed_jobs"], totals["unsettled_jobs"]) == (1, 1)
    more = ("submit", str(training_file), "--model", "gpt-4o-mini", "--again", "more")
    held = inside(*more, FTJOBS_BUDGET__MONTHLY_USD="0.0001")
    assert (held.code, "`ftjobs adjust JOB --total USD" in held.err) == (5, True), held.err


def test_status_shows_first_what_needs_a_hand_and_says_what_it_leaves_out(
    service: Service,
    inside: Callable[..., Run],
    make_training_file: Callable[[str, int], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def submit(nth: int, *more: str) -> str:
        inside("submit", str(make_training_file(f"{nth}.jsonl", 10 + nth)), "--model", "gpt-4o-mini", *more)
        return str(service.jobs()[0]["id"])

    first, second = submit(1, "--wait"), submit(2, "--wait")
    service.settings(fail_jobs=True)
    failed = submit(3, "--wait")
    service.settings(fail_jobs=False, job_seconds=1000)
    running = submit(4)
    monkeypatch.setattr("ftjobs.cli.status.RECENT", 1)
    told = inside("status")
    assert [line.split()[0] for line in told.out.splitlines()[1:]] == [failed, running, second]
    assert "1 more ended earlier; `ftjobs status --all` shows every job\n" in told.err
    everything = inside("status", "--all")
    assert [line.split()[0] for line in everything.out.splitlines()[1:]] == [failed, running, second, first]
    assert "more ended earlier" not in everything.err


def test_an_uncertain_submission_shows_the_line_that_resolves_it(
    person: Person, service: Service, inside: Callable[..., Run], training_file: Path
) -> None:
    service.faults({"on": "POST /v1/fine_tuning/jobs", "do": "drop"})
    lost = inside("submit", str(training_file), "--model", "gpt-4o-mini", "--json")
    assert lost.code == 9
    submission_id = lost.json["details"]["submission_id"]
    told = person.run("status")
    assert told.code == 0
    assert told.out.splitlines()[1].split()[:2] == [submission_id, "uncertain"]
    assert f"`ftjobs submit --resend {submission_id}`" in told.err
    resent = inside("submit", "--resend", submission_id)
    assert resent.code == 0
    assert len(service.jobs()) == 1
    assert "uncertain" not in inside("status").out


@pytest.mark.parametrize("verb", ["ledger", "status"])
def test_global_options_mean_the_same_before_and_after_the_verb(
    person: Person, inside: Callable[..., Run], tmp_path: Path, verb: str
) -> None:
    settings = tmp_path / "other.toml"
    settings.write_text('[budget]\nmonthly_usd = "7"\n')
    options = ["--config", str(settings), "--ledger", f"sqlite:///{tmp_path}/own.sqlite3", "--json", "-q"]
    options += ["--profile", "openai"]
    before, after = person.run(*options, verb, **ALONE), inside(verb, *options, **ALONE)
    assert before == after
    assert (before.code, before.json["schema"].partition("/")[2]) == (0, "1")
    assert (tmp_path / "own.sqlite3").exists()
    assert not (person.home / "data").exists()


def test_what_is_printed_to_be_typed_names_the_same_service_and_ledger(
    person: Person, service: Service, inside: Callable[..., Run], training_file: Path, tmp_path: Path
) -> None:
    service.settings(job_seconds=1000)
    given = ["--ledger", f"sqlite:///{tmp_path}/my own.sqlite3"]
    told = person.run("submit", str(training_file), "--model", "gpt-4o-mini", *given)
    assert f"ftjobs --ledger 'sqlite:///{tmp_path}/my own.sqlite3' watch ftjob-" in told.out
    late = inside("watch", "--timeout", "0.1s", "--json", *given)
    assert late.code == 10
    assert "ftjobs --ledger 'sqlite:///" in late.out.splitlines()[-1]


def test_quiet_leaves_results_and_errors(person: Person, inside: Callable[..., Run], training_file: Path) -> None:
    told = person.run("-q", "submit", str(training_file), "--model", "gpt-4o-mini")
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith("job ftjob-")
    refused = inside("status", "-q", "ftjob-none")
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 2)


def test_piped_and_without_colour_no_control_character_is_written(person: Person, training_file: Path) -> None:
    named = [str(training_file), "--model", "gpt-4o-mini"]
    for environ in ({"TERM": "xterm-256color"}, {"NO_COLOR": "1"}):
        for args in (["estimate", *named], ["check", "missing.jsonl", "--model", "gpt-4o"], ["status"]):
            told = person.run(*args, **ALONE, **environ)
            assert not re.search(r"[^\n -~\u00a0-\uffff]", told.out + told.err), told


class Terminal:
    """A terminal of 60 cells whose user sees what the command writes."""

    def __init__(self, person: Person) -> None:
        self._person = person

    def run(self, *args: str, types: str = "", **env: str) -> tuple[int, str]:
        """Run a command on it, type `types`, and return its exit code with all that was seen."""
        ours, theirs = pty.openpty()
        os.write(ours, types.encode())
        process = subprocess.Popen(
            self._person.command(*args),
            cwd=self._person.home,
            env=self._person.env(COLUMNS="60", TERM="xterm", **env),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        seen = b""
        try:
            while part := os.read(ours, 65536):
                seen += part
        except OSError:  # how Linux says that nobody holds the other end any more
            pass
        os.close(ours)
        return process.wait(timeout=240), seen.decode().replace("\r\n", "\n")


@pytest.fixture
def terminal(person: Person) -> Terminal:
    return Terminal(person)


def test_a_narrow_terminal_keeps_the_job_its_status_and_its_bill(
    service: Service, training_file: Path, terminal: Terminal, inside: Callable[..., Run]
) -> None:
    service.settings(job_seconds=1000)
    inside("submit", str(training_file), "--model", "gpt-4o-mini")
    code, seen = terminal.run("status")
    assert code == 0
    heading, row = seen.splitlines()
    assert heading.split()[0] == "JOB"
    assert heading.split()[-1] == "BILLED"
    assert row.startswith("ftjob-")
    assert row.endswith("not yet")
    assert max(len(heading), len(row)) <= 60
    _, seen = terminal.run("estimate", str(training_file), "--model", "gpt-4o-mini,gpt-4.1")
    table = seen.partition("MODEL")[2].partition("price list")[0]
    assert all(len(line) <= 60 for line in table.splitlines())
    assert table.count("$") == 6


def test_a_live_watch_ends_with_the_last_state(
    training_file: Path, terminal: Terminal, inside: Callable[..., Run]
) -> None:
    inside("submit", str(training_file), "--model", "gpt-4o-mini")
    code, seen = terminal.run("watch")
    assert code == 0
    assert re.search(r"ftjob-\w+ +succeeded .*\$0\.\d{4}", seen)
    assert "\x1b[?25h" in seen, "the cursor stays hidden"


@pytest.mark.parametrize(("answer", "code"), [("\n", 5), ("\x04", 5), ("y\n", 0)])
def test_above_the_limit_a_terminal_is_asked_and_enter_means_no(
    service: Service, training_file: Path, terminal: Terminal, answer: str, code: int
) -> None:
    submit = ["submit", str(training_file), "--model", "gpt-4o-mini"]
    ended, seen = terminal.run(*submit, types=answer, FTJOBS_CONFIRM_ABOVE_USD="0.001")
    assert re.search(r"Submit a job that may cost up to \$0\.\d{4}\? \[y/N\] ", seen)
    assert (ended, len(service.jobs())) == (code, int(code == 0))
    assert ("error\x1b[0m: Nothing was submitted." in seen) is (code == 5)
    if answer == "\x04":  # which leaves the cursor behind the question
        assert "[y/N] \n" in seen
