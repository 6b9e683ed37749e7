"""Text that came from a file, the shell or the service is shown and never acts: no output can be driven by it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shutil
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ftjobs.ambient import Ambient
from tests.conftest import Person, Run
from tests.faults.liar import (
    BIDI,
    BREAKS,
    ESCAPES,
    FILES,
    FORMULA,
    HIDDEN,
    JOBS,
    MARKUP,
    MODEL,
    OWN,
    WORST,
    Liar,
    acting,
    hostile_job,
    lying,
)


@pytest.fixture
def liar() -> Iterator[Liar]:
    """The lying service."""
    with lying() as served:
        yield served


@pytest.fixture
def person(tmp_path: Path, liar: Liar, monkeypatch: pytest.MonkeyPatch) -> Person:
    """Somebody who uses that service; inside this process, waiting takes no time."""
    monkeypatch.setattr("ftjobs.app.Ambient", lambda: Ambient(sleep=lambda _seconds: None))
    home = tmp_path / "person"
    home.mkdir()
    return Person(
        home,
        {
            "OPENAI_BASE_URL": liar.base_url,
            "OPENAI_API_KEY": "sk-test-0123456789",
            "FTJOBS_POLL_INITIAL_S": "0.01",
            "FTJOBS_POLL_MAX_S": "0.01",
        },
    )


Inside = Callable[..., Run]
STYLES: dict[str, dict[str, str]] = {"human logs": {}, "JSON logs": {"FTJOBS_LOG": "json"}}
TOLD = ("error: ", "  → ")  # failures stay two lines where events are JSON


def talkative(inside: Inside, style: str, *args: str, **env: str) -> Run:
    """Run a command with -v in one of STYLES; nothing in its text acts."""
    told = inside("-v", *args, **STYLES[style], **env)
    if style == "JSON logs":
        assert all(json.loads(line) for line in told.err.splitlines() if not line.startswith(TOLD))
    assert acting(told.out + told.err) == []
    return told


def order(data: Path, *more: str) -> list[str]:
    return ["submit", str(data), "--model", MODEL, *more]


# Jobs


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("command", ["submit", "status --all", "status last", "watch last", "ledger"])
def test_a_hostile_job_is_shown_as_plain_text(
    inside: Inside, liar: Liar, training_file: Path, command: str, style: str
) -> None:
    assert inside(*order(training_file, "--json")).code == 0
    if command == "watch last":
        liar.say(f"GET {JOBS}/", hostile_job(status="failed"))
    args = order(training_file) if command == "submit" else command.split()
    told = talkative(inside, style, *args)
    assert told.code == (6 if command == "watch last" else 0), told.err
    assert "ftjob-id" in told.out, "it was shown"
    assert MARKUP in told.out, "and as it was written"
    if command == "watch last":
        assert "em[2J[31m]52;c;cm0gLXJm]8;;http://evil/" in told.err, "and its error too"


def test_what_a_hostile_service_tells_of_a_job_is_shown_as_plain_text(
    person: Person, inside: Inside, liar: Liar, training_file: Path
) -> None:
    files = [f"file{WORST}", "../up", "file-1"]
    job = hostile_job(id="ftjob-1", status="succeeded", result_files=files, finished_at=1_795_000_100)
    for each in (f"POST {JOBS}", f"GET {JOBS}/"):
        liar.say(each, job)
    at = {"created_at": 1_795_000_050}
    event = {"object": "fine_tuning.job.event", **at, "level": WORST, "type": WORST, "message": f"ev{WORST}"}
    loss = {**event, "type": "metrics", "data": {"step": 1, "train_loss": 1.0, WORST: WORST}}
    left = {"object": "fine_tuning.job.checkpoint", **at, "fine_tuned_model_checkpoint": f"ck{WORST}"}
    for part, items in (("events", [event, loss]), ("checkpoints", [left])):
        liar.say(f"GET {JOBS}/ftjob-1/{part}", {"object": "list", "data": items, "has_more": False})
    liar.say("GET /v1/files/", f"step,train_loss\n1,2{WORST}\n2,1.5\n".encode("utf-8", "replace"))
    assert inside(*order(training_file, "--json")).code == 0
    told = talkative(inside, "human logs", "show", "last", "--events")
    assert (told.code, "ev[2J" in told.out, "ck[2J" in told.out) == (0, True, True), told.err
    kept = talkative(inside, "human logs", "results", "last", "-o", "kept")
    assert kept.code == 0, kept.err
    assert "ftjob-1-result-1.csv" in kept.out
    names = sorted(path.name for path in (person.home / "kept").iterdir())
    assert names == ["ftjob-1-loss.png", "ftjob-1-loss.svg", "ftjob-1-result-1.csv"]
    for verb in ("show", "results"):
        as_json = inside("-q", verb, "last", "--json", *(["-o", "kept"] if verb == "results" else []))
        assert (as_json.code, as_json.out.count("\n"), acting(as_json.out, hidden=False)) == (0, 1, [])


def test_a_hostile_reply_to_the_create_call_is_shown_as_plain_text(inside: Inside, training_file: Path) -> None:
    told = inside(*order(training_file))
    assert (told.code, told.out.count("ftjob-id"), len(told.out.splitlines())) == (0, 2, 3)
    assert acting(told.out + told.err) == []


@pytest.mark.parametrize("command", ["status --all", "ledger", "watch last", "submit"])
def test_json_keeps_hostile_text_and_shows_none_of_it_raw(
    inside: Inside, liar: Liar, training_file: Path, command: str
) -> None:
    inside(*order(training_file, "--json"))
    job = hostile_job(status=f"failed{WORST}" if command != "watch last" else "failed")
    liar.say(f"GET {JOBS}/", job)
    told = inside("-q", *(order(training_file) if command == "submit" else command.split()), "--json")
    assert (told.out.count("\n"), told.out[-1], told.err) == (1, "\n", "")
    assert acting(told.out, hidden=False) == []
    shown = told.json if command == "submit" else told.json["jobs"][0]
    assert shown["job_id"] == job["id"]
    assert shown["status"] == (job["status"] if command != "ledger" else hostile_job()["status"])
    if command != "submit":
        assert (shown["fine_tuned_model"], shown["error"]) == (job["fine_tuned_model"], job["error"])


@pytest.mark.parametrize("job_id", ["ftjob-1", f"ftjob-id{WORST}"], ids=["plain id", "hostile id"])
def test_what_adoption_brings_in_from_metadata_is_text(
    person: Person, inside: Inside, liar: Liar, training_file: Path, job_id: str
) -> None:
    inside(*order(training_file, "--json"))
    sent = json.loads(liar.bodies[f"POST {JOBS}"])["metadata"]
    shutil.rmtree(person.home / "data")
    estimate = json.dumps({**json.loads(sent["ftjobs_estimate"]), "source": f"s{ESCAPES}{BIDI}"[:40]})
    metadata = {**sent, "ftjobs_estimate": estimate, f"k{WORST}": f"v{WORST}", "ftjobs_submission": WORST}
    job = hostile_job(id=job_id, metadata=metadata, status="running")
    liar.say(f"GET {JOBS}", {"object": "list", "data": [job], "has_more": False})
    liar.say(f"GET {JOBS}/", job)
    adopted = talkative(inside, "human logs", *order(training_file))
    assert (adopted.code, "exists already" in adopted.out) == (0, True), adopted.err
    shown = [talkative(inside, "JSON logs", *each) for each in (["status"], ["ledger"], ["ledger", "--json"])]
    (line,) = shown[-1].json["jobs"]
    assert (line["job_id"], line["tags"]) == (job_id, {f"k{WORST}": f"v{WORST}"})
    assert line["estimated_cost_usd"], "its estimate came with it"


@pytest.mark.parametrize("command", ["status", "watch last --json"])
def test_what_nobody_can_see_is_not_shown_either(
    inside: Inside, liar: Liar, training_file: Path, command: str
) -> None:
    liar.say(f"POST {JOBS}", hostile_job(id="ftjob-1"))
    hidden = f"em{HIDDEN}"
    job = hostile_job(id="ftjob-1", status="failed", error={"code": hidden, "message": hidden})
    liar.say(f"GET {JOBS}/", {**job, "fine_tuned_model": hidden})
    inside(*order(training_file))
    told = inside("-v", *command.split())
    assert "em" in told.out + told.err
    assert acting(told.out + told.err, hidden=True) == []
    if "--json" in command:
        assert told.json["jobs"][0]["error"]["message"] == hidden


@pytest.mark.parametrize("place", ["status", "error", "error code", "file reason", "file name", "metadata"])
def test_a_lone_surrogate_is_replaced_where_it_is_shown(
    inside: Inside, liar: Liar, training_file: Path, place: str
) -> None:
    name, lone = training_file, "half \ud800 \udfff."
    job = hostile_job(id="ftjob-1", status="failed", error=None, model=MODEL)
    match place:
        case "status":
            job["status"] = lone
        case "error":
            job["error"] = {"code": lone, "message": lone}
        case "metadata":
            job["metadata"] = {lone: lone}
        case "file name":
            name = training_file.rename(training_file.with_name(os.fsdecode(b"\xff\xfe.jsonl")))
        case "file reason":
            refused = {"object": "file", "id": "file-1", "status": "error", "status_details": lone}
            liar.say(f"POST {FILES}", refused)
        case _:
            liar.say(f"POST {JOBS}", {"error": {"code": lone, "message": lone}}, "400 Bad")
    liar.say(f"GET {JOBS}/", job)
    if place != "error code":
        liar.say(f"POST {JOBS}", job)
    told = [inside(*order(name)), inside("status"), inside("status", "--json"), inside("ledger")]
    expected = 7 if place in {"file reason", "error code"} else 0
    assert [each.code for each in told] == [expected, 0, 0, 0], [each.err for each in told]
    for each in told:
        assert acting(each.out + each.err) == []


def test_an_id_that_no_ledger_can_hold_is_no_bug(inside: Inside, liar: Liar, training_file: Path) -> None:
    liar.say(f"POST {JOBS}", hostile_job(id="ftjob-\ud800"))
    in_doubt = inside(*order(training_file), "--json")
    liar.say(f"POST {FILES}", {"object": "file", "id": "file-\ud800", "status": "processed"})
    no_file = inside(*order(training_file), "--json", "--again", "a")
    assert (in_doubt.code, no_file.code) == (9, 8), (in_doubt.out, no_file.out)


# Answers that are errors

ERROR = {"error": {"code": f"ec{WORST}", "type": WORST, "message": f"em{WORST}", "param": WORST}}
REFUSED_FILE = {"object": "file", "id": f"f{WORST}", "status": "error", "status_details": f"em{WORST}"}
ANSWERS: dict[str, tuple[str, object, str, tuple[str, ...], int]] = {
    "create refused": (f"POST {JOBS}", ERROR, "400 Bad", (), 7),
    "create refused, in a text": (f"POST {JOBS}", {"error": WORST}, f"403 {MARKUP}", (), 7),
    "create later": (f"POST {JOBS}", ERROR, "429 Many", ("Retry-After: 9" + "0" * 300,), 8),
    "create later, in words": (f"POST {JOBS}", ERROR, "429 Many", (f"Retry-After: {MARKUP}",), 8),
    "create in doubt": (f"POST {JOBS}", WORST.encode(), f"500 {MARKUP}", (), 9),
    "create unusable": (f"POST {JOBS}", {"object": WORST, "id": WORST}, "200 OK", (), 9),
    "create of no protocol": (f"POST {JOBS}", {}, "200 OK", (f"X{ESCAPES}{BIDI}: x",), 9),
    "create without end": (f"POST {JOBS}", {}, "200 OK", (f"X{MARKUP * 200}: x",), 9),
    "upload refused": (f"POST {FILES}", ERROR, "413 Large", (), 7),
    "file refused": (f"POST {FILES}", REFUSED_FILE, "200 OK", (), 7),
    "file never ready": (f"POST {FILES}", {**REFUSED_FILE, "status": f"st{WORST}"}, "200 OK", (), 8),
    "list unusable": (f"GET {JOBS}", {"object": WORST, "data": WORST}, "200 OK", (), 8),
    "list busy": (f"GET {JOBS}", WORST.encode(), "503 Busy", (f"Retry-After: Mon, {MARKUP}",), 8),
    "list moved": (f"GET {JOBS}", WORST.encode(), "302 Found", (f"Location: http://[{FORMULA}",), 8),
    "model refused": ("GET /v1/models/", ERROR, "400 Bad", (), 0),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_hostile_answer_is_told_as_plain_text(
    inside: Inside, liar: Liar, training_file: Path, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftjobs.workflows.upload._WAIT_S", 0)
    target, body, status, head, code = ANSWERS[answer]
    liar.say(f"POST {JOBS}", hostile_job(id="ftjob-1", status="running"))
    liar.say(f"GET {JOBS}/", hostile_job(id="ftjob-1", status="running"))
    liar.say(target, body, status, *head)
    told = talkative(inside, "human logs", *order(training_file))
    assert told.code == code, told.err
    if code:
        lines = told.err.splitlines()[-2:]
        assert [line.startswith(begin) for line, begin in zip(lines, TOLD, strict=True)] == [True, True]
        assert len(lines[0]) < 2_000, "a line that a person can read"
    as_json = talkative(inside, "JSON logs", *order(training_file, "--json"))
    assert as_json.json["schema"] == ("ftjobs.error/1" if code else "ftjobs.submission/1")
    talkative(inside, "JSON logs", "status")


# Files, options and settings


@pytest.mark.parametrize("verb", ["check", "estimate", "submit"])
def test_the_names_of_a_file_and_its_folder_are_text(
    person: Person, inside: Inside, liar: Liar, training_file: Path, verb: str
) -> None:
    for each in (f"POST {JOBS}", f"GET {JOBS}/"):
        liar.say(each, hostile_job(id="ftjob-1", status="running"))
    folder = person.home / f"d{ESCAPES}".replace("/", "")
    folder.mkdir()
    named = folder / f"n{BREAKS}{BIDI}{MARKUP}.jsonl".replace("/", "")
    shutil.copy(training_file, named)
    broken = named.with_name(f"{BREAKS}broken.jsonl")
    broken.write_bytes(named.read_bytes()[:-9])
    for path, code in ((named, 0), (broken, 4), (named.with_name(f"gone{BREAKS}"), 2), (folder, 2)):
        args = [verb, str(path), "--model", MODEL]
        told, as_json = talkative(inside, "human logs", *args), talkative(inside, "JSON logs", *args, "--json")
        assert told.code == as_json.code == code, told.err
        assert as_json.out.count("\n") == 1
        if path is named and verb != "submit":
            assert as_json.json["dataset"]["path"] == str(named)


NO_NUL = WORST.replace("\x00", "")
OPTIONS = {
    "a model": ("estimate", "{data}", "--model", WORST),
    "a tuned model": ("estimate", "{data}", "--model", f"ft:gpt-4o-mini-2024-07-18:o:{WORST}:1"),
    "a tag": ("submit", "{data}", "--model", MODEL, "--tag", f"k{WORST}=v{WORST}"),
    "no tag": ("submit", "{data}", "--model", MODEL, "--tag", WORST.replace("=", "")),
    "a tag of ours": ("submit", "{data}", "--model", MODEL, "--tag", f"ftjobs{MARKUP}=1"),
    "a suffix": ("submit", "{data}", "--model", MODEL, "--suffix", WORST),
    "a suffix with a C1 control": ("submit", "{data}", "--model", MODEL, "--suffix", "a\x9b31m"),
    "a suffix that turns the line": ("submit", "{data}", "--model", MODEL, "--suffix", "a\u202eb"),
    "a suffix of broken bytes": ("submit", "{data}", "--model", MODEL, "--suffix", os.fsdecode(b"a\xff")),
    "a name": ("submit", "{data}", "--model", MODEL, "--again", WORST),
    "an amount": ("submit", "{data}", "--model", MODEL, "--max-cost", WORST),
    "epochs": ("estimate", "{data}", "--model", MODEL, "--epochs", WORST),
    "a number": ("submit", "{data}", "--model", MODEL, "--seed", WORST),
    "a method": ("check", "{data}", "--model", MODEL, "--method", WORST),
    "a price list": ("estimate", "{data}", "--model", MODEL, "--price-list", MARKUP + BIDI),
    "a profile": ("status", "--profile", MARKUP + BIDI),
    "a job": ("status", WORST),
    "a submission": ("submit", "--resend", WORST),
    "a duration": ("watch", "--timeout", WORST),
    "a period": ("ledger", WORST),
    "a verb": (WORST,),
    "an option": ("status", f"--{WORST}"),
    "a ledger": ("ledger", "--ledger", f"/proc/none/{BIDI}{MARKUP}\x9b31m\u2028"),
    "a ledger of another kind": ("ledger", "--ledger", f"my://{BIDI}{MARKUP}"),
    "settings": ("ledger", "--config", NO_NUL),
    "settings with a NUL": ("ledger", "--config", WORST),
}


@pytest.mark.parametrize("args", OPTIONS.values(), ids=OPTIONS)
def test_an_option_that_is_refused_is_repeated_as_text(
    inside: Inside, training_file: Path, args: tuple[str, ...]
) -> None:
    args = tuple(each.replace("{data}", str(training_file)) for each in args)
    told, as_json = inside(*args), inside("--json", *args)
    assert (told.code, told.out) in [(2, ""), (3, ""), (12, "")], told
    assert len(told.err.splitlines()) == 2
    assert (as_json.json["exit_code"], as_json.out.count("\n")) == (told.code, 1)
    assert acting(told.err + as_json.out + as_json.err) == []


def quoted(text: str) -> str:
    """Return the text as a TOML string."""
    return json.dumps(text).replace("\x7f", "\\u007f")


X = '[profiles.x]\nbase_url = "http://127.0.0.1:9/v1"\n'
PRICE = '[[price]]\nmodel = "gpt-4o-mini-2024-07-18"\ntraining_usd_per_1m = "1"\n'
BAD_SETTINGS = {
    "a profile": f"[profiles.{quoted(NO_NUL)}]\nextends = {quoted(WORST)}",
    "a key of a profile": f'{X}{quoted(FORMULA + BIDI)} = "1"',
    "a base URL": f"[profiles.x]\nbase_url = {quoted(WORST)}\napi_key_env = {quoted(WORST)}",
    "a key's variable": f"{X}api_key_env = {quoted(WORST)}",
    "a setting": f"{quoted(FORMULA + BIDI + BREAKS)} = 1",
    "a value": f"settle_s = {quoted(WORST)}",
    "a table": f"[budget]\n{quoted(WORST)} = 1",
    "a price": PRICE.replace('"gpt-4o-mini-2024-07-18"', quoted(WORST)),
    "a key of a price": f"{PRICE}{quoted(WORST)} = 1",
    "an amount": PRICE.replace('"1"', quoted(WORST)),
    "a source": f"{PRICE}source = {quoted(WORST)}",
    "a day": f"{PRICE}effective_from = {quoted(WORST)}",
    "no TOML": f"x = {WORST}",
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_SETTINGS)
def test_settings_that_are_refused_are_repeated_as_text(
    person: Person, inside: Inside, training_file: Path, kind: str
) -> None:
    (person.home / "ftjobs.toml").write_text(BAD_SETTINGS[kind], encoding="utf-8", newline="")
    profile = ["--profile", NO_NUL if kind == "a profile" else "x"] if "profiles" in BAD_SETTINGS[kind] else []
    told, as_json = (inside(*order(training_file, *profile, *more)) for more in ((), ("--json",)))
    assert (told.code, as_json.code) == (3, 3), told
    assert acting(told.err + as_json.out + as_json.err) == []


def test_variables_are_repeated_as_text(inside: Inside) -> None:
    worst = NO_NUL.replace("=", "")
    settings = ("SETTLE_S", "LEDGER_URL", "CONFIG", "FAILPOINT", "LOG", "PROFILE", "PRICE_LIST", worst)
    for name in (*(f"FTJOBS_{each}" for each in settings), "OPENAI_BASE_URL", "OPENAI_ORG_ID"):
        for flags in ((), ("--json",)):
            told = inside("status", *flags, **{name: worst})
            assert told.code == 3, (name, told)
            assert acting(told.out + told.err) == []


@pytest.mark.parametrize("args", ["status", "ledger", "submit", "submit again", "estimate", "estimate --json"])
def test_the_name_of_the_settings_in_use_is_text(
    person: Person, inside: Inside, liar: Liar, training_file: Path, args: str
) -> None:
    for each in (f"POST {JOBS}", f"GET {JOBS}/"):
        liar.say(each, hostile_job(id="ftjob-1", status="running"))
    settings = person.home / f"c{ESCAPES}{BREAKS}{BIDI}".replace("/", "")
    settings.write_text(PRICE)
    verb, _, more = args.partition(" ")
    if more == "again":
        inside(*order(training_file))
    data = [] if verb in {"status", "ledger"} else [str(training_file), "--model", MODEL]
    told = inside(verb, *data, *([more] if more.startswith("-") else []), "--config", str(settings))
    assert told.code == 0, told.err
    if verb == "estimate":
        assert "forged" in told.out, "the origin of the price was told"
    assert acting(told.out + told.err) == []


# Real terminals


def on_a_terminal(person: Person, *args: str) -> str:
    """Return what a real command shows on a terminal of 80 columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    env = person.env(TERM="xterm-256color")
    command = subprocess.Popen(
        person.command(*args), cwd=person.home, env=env, stdout=slave, stderr=slave, stdin=slave
    )
    os.close(slave)
    shown = b""
    try:
        while chunk := os.read(master, 65_536):
            shown += chunk
    except OSError:  # how Linux ends a terminal that nobody holds any more
        pass
    os.close(master)
    command.wait(timeout=120)
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("args", ["-v status", "watch", "status x\x1b]52;c;eA\x07"])
def test_a_terminal_shows_our_colours_and_nothing_of_theirs(
    person: Person, inside: Inside, liar: Liar, training_file: Path, args: str
) -> None:
    assert inside(*order(training_file, "--json")).code == 0
    liar.say(f"GET {JOBS}/", hostile_job(status="failed" if args == "watch" else f"other{WORST}"))
    shown = on_a_terminal(person, *args.split())
    assert "\x1b[" in shown, "it knew that this is a terminal"
    assert acting(OWN.sub("", shown)) == []
    for theirs in ("\x1b[31m]52", "\x1b[2J", "\x1b]"):
        assert theirs not in shown
    assert (
        ("unknown_job" in shown or "names no job" in shown) if args.startswith("status x") else "ftjob-id" in shown
    )


def test_a_text_without_end_makes_no_second_row(
    person: Person, inside: Inside, liar: Liar, training_file: Path
) -> None:
    for each in (f"POST {JOBS}", f"GET {JOBS}/"):
        liar.say(each, hostile_job(id="ftjob-1", status="running" + " " * 60 + "ftjob-2 succeeded", error=None))
    assert len(inside(*order(training_file)).out.splitlines()) == 3
    assert len(inside("status").out.splitlines()) == 2
    rows = on_a_terminal(person, "status").splitlines()
    assert max(map(len, rows)) <= 80, "a longer row would go on below, where it looks like another one"


def test_the_lines_to_export_hold_no_raw_control(person: Person) -> None:
    data = person.home / f"d{ESCAPES}{BIDI}".replace("/", "")
    served = person.start("sandbox", "serve", "--port", "0", XDG_DATA_HOME=str(data))
    assert served.stdout
    lines = [served.stdout.readline() for _ in range(4)]
    served.terminate()
    served.communicate(timeout=120)
    assert lines[3].startswith("export FTJOBS_LEDGER_URL=")
    assert acting("".join(lines)) == []
    script = "".join(lines) + 'printf %s "$FTJOBS_LEDGER_URL"'
    exported = subprocess.run(["bash", "-c", script], capture_output=True, check=True).stdout
    assert os.fsdecode(exported) == f"sqlite:///{data}/ftjobs/sandbox/served.sqlite3"
