"""The API key and the training text are left nowhere: not printed, not kept, in no command line."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.conftest import CREATE, Person, Run, Service
from tests.e2e.conftest import LISTS, MODEL, UPLOAD, Book, until
from tests.faults.conftest import Desk

# Of no form that anybody would recognise as a key, and unlike its percent-encoded and escaped forms.
KEY = 'kAnary+9f8e7d6c~5b4a"3210='
PLACES = (
    *("system", "user", "assistant", "name", "tool", "arguments", "tools", "refusal", "part"),
    *("function", "function arguments", "functions", "unknown value", "broken"),
)
WORDS = {place: f"Kanarienvögel im {place} 4711" for place in PLACES}


def forms(secret: str) -> Iterator[bytes]:
    """Yield the secret as it is, JSON-escaped, percent-encoded, in hex and in base64 at each alignment."""
    raw = secret.encode()
    yield from (raw, json.dumps(secret)[1:-1].encode(), repr(secret)[1:-1].encode(), raw.hex().encode())
    yield from (quote(secret).encode(), quote(secret, safe="").encode(), raw.decode("latin-1").encode())
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            known = slice(-(-8 * shift // 6), 8 * (shift + len(raw)) // 6)
            yield encode(b"\0" * shift + raw)[known]


def found_in(content: bytes, *secrets: str) -> list[str]:
    return [secret for secret in secrets if any(form in content for form in forms(secret))]


def leaks(home: Path, *secrets: str) -> list[tuple[str, str]]:
    """Return which file below `home` holds which secret, in its content or its name."""
    kept = [(path, path.read_bytes() if path.is_file() else b"") for path in home.rglob("*")]
    return [
        (str(path), secret)
        for path, content in kept
        for secret in found_in(content + b"\n" + str(path).encode("utf-8", "surrogateescape"), *secrets)
    ]


def example(number: int, words: dict[str, str]) -> str:
    """Return an example that has a word in each place where training text can be."""
    asked = f'{{"q": "{words["arguments"]}"}}'
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": asked}}
    tool = {"name": "f", "description": words["tools"], "parameters": {"type": "object"}}
    messages = [
        {"role": "system", "content": words["system"]},
        {"role": "user", "content": f"{words['user']} {number}", "name": words["name"]},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": words["tool"]},
        {"role": "assistant", "function_call": {"name": "g", "arguments": f'"{words["function arguments"]}"'}},
        {"role": "function", "name": "g", "content": words["function"]},
        {"role": "user", "content": [{"type": "text", "text": words["part"]}]},
        {"role": "assistant", "content": words["assistant"], "refusal": words["refusal"]},
    ]
    functions = [{"name": "g", "description": words["functions"]}]
    told = {"messages": messages, "tools": [{"type": "function", "function": tool}], "functions": functions}
    return json.dumps({**told, "note": words["unknown value"]}, ensure_ascii=False)


W = WORDS["broken"]
BROKEN = [
    f'{{"messages": [{{"role": "user", "content": "{W}" "{W}"}}]}}',
    f'{{"messages": [{{"role": "user", "content": "\\{W}"}}]}}',
    f'{{"messages": "{W}"}}',
    f'{{"messages": ["{W}", {{"role": "{W}", "content": ["{W}", {{"type": "{W}"}}], "weight": "{W}"}}]}}',
    f'{{"messages": [{{"role": "tool", "tool_call_id": "{W}", "content": "{W} <|endoftext|>"}}]}}',
    f'{{"messages": [{{"role": "assistant", "tool_calls": [{{"function": {{"arguments": "{W}"}}}}]}}]}}',
    f'{{"messages": [{{"role": "user", "content": "{W}", "content": "{W}", "name": ["{W}"]}}]}}',
    f'{{"messages": [NaN, "{W}"], "tools": "{W}", "functions": ["{W}"], "parallel_tool_calls": "{W}"}}',
    f'{{"prompt": "{W}", "completion": "{W}"}}',
    f'{{"conversations": [{{"from": "human", "value": "{W}"}}]}}',
    f'"{W}"',
    f"{W}",
    f'{{"messages": [{{"role": "user", "content": "{W}\0"}}]}}',
    f'{{"messages": [{{"role": "user", "content": "{W}',
]


@dataclass(frozen=True)
class Witness:
    """A desk of which everything that is printed is remembered."""

    desk: Desk
    env: dict[str, str]
    printed: list[str] = field(default_factory=list)

    def run(self, *args: str, **env: str) -> Run:
        """Run `ftjobs -v ARGS` to its end."""
        ran = self.desk.forks.run(self.desk.person, "-v", *args, **self.env, **env)
        self.printed.extend([ran.out, ran.err])
        return ran

    def submit(self, *more: str, **env: str) -> Run:
        """Run `submit` on the training file to its end."""
        return self.run("submit", str(self.desk.data), "--model", MODEL, *more, **env)

    def leaks(self) -> list[tuple[str, str]]:
        """Return what leaked so far, into a print or a file."""
        secrets = (KEY, *WORDS.values())
        told = "\n".join(self.printed).encode("utf-8", "surrogateescape")
        return [("printed", each) for each in found_in(told, *secrets)] + leaks(self.desk.person.home, *secrets)


@pytest.fixture
def canaries(desk: Desk, tmp_path: Path) -> Desk:
    """A person whose key and every word of whose training file would be recognised anywhere."""
    data = tmp_path / "words.jsonl"
    data.write_text("".join(f"{example(number, WORDS)}\n" for number in range(12)), encoding="utf-8")
    person = replace(desk.person, environ={**desk.person.environ, "OPENAI_API_KEY": KEY, "OPENAI_LOG": "debug"})
    return replace(desk, data=data, person=person)


@pytest.mark.parametrize("secret", [KEY, *WORDS.values()])
def test_the_search_finds_a_secret_in_each_of_its_forms(secret: str, tmp_path: Path) -> None:
    raw = secret.encode()
    hiding = [raw, json.dumps({"x": secret}).encode(), quote(secret, safe="").encode(), repr([secret]).encode()]
    hiding += [base64.b64encode(b"x" * shift + raw + b"tail") for shift in range(4)]
    for number, content in enumerate(hiding):
        (tmp_path / f"{number}").write_bytes(b"\xff before" + content + b"after")
    assert sorted(Path(path).name for path, _ in leaks(tmp_path, secret)) == sorted(map(str, range(len(hiding))))
    assert leaks(tmp_path, f"another {secret}") == []


@pytest.mark.parametrize("env", [{}, {"FTJOBS_LOG": "json"}], ids=["human logs", "JSON logs"])
def test_checking_and_pricing_repeat_no_training_text(canaries: Desk, tmp_path: Path, env: dict[str, str]) -> None:
    witness, bad = Witness(canaries, env), tmp_path / "bad.jsonl"
    bad.write_bytes(
        b"".join(line.encode() + b"\n" for line in BROKEN[:-1])
        + b'{"messages": [{"role": "user", "content": "' + W.encode() + b'\xff"}]}\n'
        + BROKEN[-1].encode()
    )  # fmt: skip
    for verb in ("check", "estimate", "submit"):
        for more in ((), ("--json",)):
            good = [
                verb,
                str(canaries.data),
                "--model",
                MODEL,
                *(["--dry-run"] if verb == "submit" else []),
                *more,
            ]
            assert witness.run(*good).code == 0
            assert witness.run(verb, str(bad), "--model", MODEL, *more).code == 4
    assert any("invalid_json" in text for text in witness.printed), "the broken lines were told"
    assert witness.leaks() == []


def fail_to_record(witness: Witness, book: Book) -> None:
    """Let a job be created that the ledger cannot record; leave it to be taken in."""
    book.run("CREATE TRIGGER no_jobs BEFORE INSERT ON jobs BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
    assert witness.submit("--again", "orphan").code == 12
    assert list(book.path.parent.glob("*.orphans.jsonl"))
    assert witness.leaks() == []
    book.run("DROP TRIGGER no_jobs")


def make_older(book: Book) -> None:
    """Take the ledger back to its first schema."""
    for view in ("ledger_month", "job_costs"):
        book.run(f"DROP VIEW {view}")
    for table in ("hosting", "changes", "invoices", "reconciliations"):
        book.run(f"DROP TABLE {table}")
    book.run("ALTER TABLE entries DROP COLUMN recorded_by")
    for trigger in ("entries_no_replace", "submissions_no_delete", "jobs_no_delete"):
        book.run(f"DROP TRIGGER {trigger}")
    book.run("ALTER TABLE jobs DROP COLUMN missed")
    book.run("DROP TABLE uploads")
    book.run("UPDATE alembic_version SET version_num = '0001'")


@pytest.mark.parametrize("env", [{}, {"FTJOBS_LOG": "json"}], ids=["human logs", "JSON logs"])
def test_no_way_through_the_protocol_leaves_a_secret(
    service: Service, canaries: Desk, tmp_path: Path, env: dict[str, str]
) -> None:
    witness, book = Witness(canaries, env), canaries.book
    for point in ("submission.recording", "upload.sending", "create.sent", "job.recording"):
        assert witness.submit(FTJOBS_FAILPOINT=f"{point}:kill").code == -9
        assert witness.leaks() == [], point
    assert witness.submit().code == 0

    service.settings(list_lag_s=600)
    service.faults({"on": CREATE, "do": "drop", "when": "before"})
    lost = witness.submit("--again", "lost", "--json")
    assert lost.code == 9
    for args in (["status"], ["status", "--json"], ["submit", "--resend", lost.json["details"]["submission_id"]]):
        assert witness.run(*args).code == 0
    service.settings(list_lag_s=0)
    service.faults({"on": LISTS, "do": "status", "status": 500}, {"on": UPLOAD, "do": "drop", "when": "after"})
    assert witness.submit("--again", "busy").code == 0
    fail_to_record(witness, book)
    service.settings(fail_jobs=True)
    assert witness.submit("--again", "failing", "--tag", "team=a").code == 0

    make_older(book)
    assert witness.run("ledger").code == 0
    assert witness.run("watch", "--timeout", "20s").code == 6
    until(lambda: all(job["finished_at"] for job in service.jobs()))
    for args in (["status", "--all"], ["status", "--all", "--json"], ["ledger"], ["ledger", "--json"]):
        assert witness.run(*args).code == 0
    assert len(book.job_ids()) == len(service.jobs()) == 5

    kept = {path.name for path in book.path.parent.rglob("*") if path.is_file()}
    assert any(".before-0001-" in name for name in kept), "the backup was searched"
    assert {each["id"] for each in book.submissions()} <= kept, "and the locks"
    assert witness.leaks() == []
    sent = {secret for _, secret in leaks(tmp_path / "service", KEY, *WORDS.values())}
    assert sent == {*WORDS.values()} - {W}, "what was sent can be found"


def below(pid: int) -> Iterator[int]:
    """Yield a process and everything that it started."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from below(int(child))


def test_the_key_is_in_no_command_line_no_title_and_no_url(service: Service, canaries: Desk) -> None:
    command = ["submit", str(canaries.data), "--model", MODEL, "-v"]
    stopped = canaries.person.start(*command, FTJOBS_FAILPOINT="create.sent:stop")
    state = Path(f"/proc/{stopped.pid}/stat")
    until(lambda: state.read_text().rpartition(")")[2].split()[0] == "T")
    for pid in below(stopped.pid):
        for name in ("cmdline", "comm", "maps"):
            assert found_in(Path(f"/proc/{pid}/{name}").read_bytes(), KEY, *WORDS.values()) == [], name
    subprocess.run(["kill", "-CONT", str(stopped.pid)], check=True)
    assert stopped.wait(timeout=120) == 0
    stopped.communicate()
    assert found_in(json.dumps(service.requests()).encode(), KEY, *WORDS.values()) == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the copy of stdin has no name on Linux only")
def test_a_kill_while_stdin_is_read_leaves_none_of_it_behind(person: Person, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    reading = subprocess.Popen(
        person.command("check", "-", "--model", MODEL), env=person.env(TMPDIR=str(scratch)), stdin=subprocess.PIPE
    )
    with reading:
        assert reading.stdin
        reading.stdin.write(b"x" * 300_000)
        opened = Path(f"/proc/{reading.pid}/fd")
        until(lambda: any(str(scratch) in str(each.readlink()) for each in opened.iterdir()))
        reading.kill()
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    "ending", ["int", "kill", *(pytest.param(end, marks=pytest.mark.soak) for end in ("term", "hup"))]
)
def test_what_came_from_stdin_is_not_left_behind(person: Person, canaries: Desk, ending: str) -> None:
    copies = canaries.person.home / "tmp"
    copies.mkdir()
    ran = canaries.person.run(
        *("submit", "-", "--model", MODEL),
        stdin=canaries.data.read_text(encoding="utf-8"),
        TMPDIR=str(copies),
        FTJOBS_FAILPOINT=f"upload.started:{ending}",
    )
    assert ran.code in {130, -15, -1, -9, 143, 129}
    assert leaks(canaries.person.home, *WORDS.values()) == []


# A service that repeats the key


def told(**error: str) -> str:
    return json.dumps({"error": {"code": "bad", "message": "no", **error}})


JOB = {"object": "fine_tuning.job", "id": "ftjob-1", "status": "running", "created_at": 1_795_000_000}
FAILED = {**JOB, "status": "failed"}
ANY_JOB = "GET /v1/fine_tuning/jobs/*"
ECHOES: dict[str, tuple[list[dict[str, object]], int]] = {
    "a refusal's message": (
        [{"on": CREATE, "do": "status", "status": 401, "body": told(message=f"key: {KEY}")}],
        7,
    ),
    "a refusal's code": ([{"on": CREATE, "do": "status", "status": 401, "body": told(code=KEY)}], 7),
    "a refusal's type": ([{"on": CREATE, "do": "status", "status": 400, "body": told(code="", type=KEY)}], 7),
    "a refusal's header": (
        [{"on": CREATE, "do": "status", "status": 403, "body": told(message=f"Bearer {KEY}")}],
        7,
    ),
    "a refusal of all headers": (
        [
            {
                "on": CREATE,
                "do": "status",
                "status": 400,
                "headers": {"x-echo": KEY},
                "body": f"Authorization: {KEY}",
            }
        ],
        7,
    ),
    "an answer to wait": (
        [
            {
                "on": CREATE,
                "do": "status",
                "status": 429,
                "body": told(message=KEY),
                "headers": {"retry-after": "0"},
                "times": 9,
            }
        ],
        8,
    ),
    "a wait without end": (
        [{"on": CREATE, "do": "status", "status": 429, "headers": {"retry-after": "999"}, "body": told(code=KEY)}],
        8,
    ),
    "a server error": ([{"on": CREATE, "do": "status", "status": 500, "body": told(message=KEY)}], 9),
    "a redirect to nowhere": ([{"on": CREATE, "do": "redirect", "location": f"http://h:{KEY}/"}], 9),
    "a redirected list": ([{"on": LISTS, "do": "redirect", "location": f"http://h:{KEY}/"}], 0),
    "a refused upload": ([{"on": UPLOAD, "do": "status", "status": 400, "body": told(message=KEY)}], 7),
    "a refused list": ([{"on": LISTS, "do": "status", "status": 403, "body": told(code=KEY, message=KEY)}], 7),
    "a file's reason": (
        [
            {
                "on": UPLOAD,
                "do": "garbage",
                "body": json.dumps({"object": "file", "id": "f", "status": "error", "status_details": KEY}),
            }
        ],
        7,
    ),
    "a job's error": (
        [
            {"on": CREATE, "do": "garbage", "body": json.dumps({**JOB})},
            {
                "on": ANY_JOB,
                "do": "garbage",
                "times": 9,
                "body": json.dumps({**FAILED, "error": {"code": KEY, "message": KEY}}),
            },
        ],
        0,
    ),
    "a created job": (
        [{"on": CREATE, "do": "garbage", "body": json.dumps({**JOB, "headers": [f"Bearer {KEY}"]})}],
        0,
    ),
    "a reply cut short": ([{"on": CREATE, "do": "truncate", "body": json.dumps({**JOB, "x": KEY})}], 9),
}


@pytest.mark.parametrize("echo", ECHOES)
def test_a_key_that_the_service_repeats_is_scrubbed(service: Service, canaries: Desk, echo: str) -> None:
    rules, code = ECHOES[echo]
    witness = Witness(canaries, {})
    service.faults(*rules)
    first = witness.submit()
    assert first.code == code, first.err
    left = {rule["on"]: rule for rule in service.call("GET", "/sandbox/faults")}
    assert rules[0]["on"] not in left or left[rules[0]["on"]].get("times", 1) < 9, "the service said it"
    for args in (["status"], ["status", "--json"], ["ledger", "--json"]):
        witness.run(*args)
    service.faults(*rules)
    witness.submit("--json", "--again", "b", FTJOBS_LOG="json")
    assert witness.leaks() == []
