"""Whatever file is checked, the answer is one JSON object: quick, bounded, true to what is known of the file."""

from __future__ import annotations

import gc
import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.conftest import ROOT, Run
from tests.e2e.conftest import MODEL
from tests.faults.fuzzing import TrainingFile, nested_at_each_depth, training_file, wrong_everywhere
from tests.faults.planted import PLANTED

SUITE_FILES = 1_250  # fewer reach neither every rule nor a steady heap
SOAK_FILES, SOAK_CHUNKS = 100_000, 40
CPU_S_PER_MB = 6.0  # on the machine where PACE_S was taken; what grows with the square would take hours
PACE_S = 0.35
HANG_S = 60

# Written out: a new code is a new promise to whoever reads the JSON, and is added here on purpose.
OF_THE_FILE = {"too_few_examples", "few_examples", "uneven_lengths", "empty_file", "wrong_encoding"}
CODES = OF_THE_FILE | {
    "answered_twice",
    "arguments_not_json",
    "arguments_not_object",
    "assistant_last",
    "bad_completion",
    "bad_content",
    "bad_function_call",
    "bad_function_name",
    "bad_functions",
    "bad_image_data",
    "bad_image_part",
    "bad_image_url",
    "bad_input",
    "bad_message",
    "bad_messages",
    "bad_name",
    "bad_output",
    "bad_parallel_tool_calls",
    "bad_part",
    "bad_prompt",
    "bad_role",
    "bad_tool_call_id",
    "bad_tool_calls",
    "bad_tools",
    "bad_weight",
    "blank_line",
    "bom",
    "chat_data",
    "chosen_rejected",
    "content_missing",
    "crlf",
    "deprecated_functions",
    "duplicate_example",
    "duplicate_key",
    "duplicate_tool",
    "duplicate_tool_call_id",
    "empty_assistant",
    "empty_completion",
    "identical_outputs",
    "image_label",
    "image_mode",
    "image_too_large",
    "images_unpriced",
    "invalid_json",
    "last_not_assistant",
    "last_not_user",
    "legacy_prompt_completion",
    "long_output",
    "misplaced_image",
    "misplaced_weight",
    "no_assistant",
    "no_user",
    "not_an_object",
    "not_json_number",
    "not_utf8",
    "nothing_trained",
    "nul_byte",
    "number_too_long",
    "odd_name",
    "parallel_without_tools",
    "preference_data",
    "sharegpt",
    "special_token_text",
    "too_deep",
    "too_many_images",
    "tool_content_list",
    "truncated",
    "unanswered_tool_call",
    "unknown_function",
    "unknown_key",
    "unknown_part",
    "unmatched_tool_call_id",
}
KEPT_PER_CODE = 10_000

Check = Callable[[Path, tuple[str, ...]], Run]


class Hung(BaseException):
    """A command took too long; no handler of the product catches it."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    def give_up(*_: object) -> NoReturn:
        raise Hung

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    """Run `ftjobs check` inside this process; the tokenizers' vocabularies are loaded already."""
    import toktok

    from ftjobs.cli.main import main

    for encoding in ("o200k_base", "cl100k_base"):
        toktok.batch_count(["warm"], encoding, threads=1)

    def run(path: Path, options: tuple[str, ...]) -> Run:
        with within(HANG_S):
            code = main(["check", str(path), *options, "--json"])
        return Run(code, *capsys.readouterr())

    return run


@cache
def slowness() -> float:
    """How much more CPU time this machine takes than the one where PACE_S was; 1 at least."""
    begun = time.process_time()
    for _ in range(200_000):
        json.loads(CHAT)
    return max(1.0, (time.process_time() - begun) / PACE_S)


def allowed_cpu_s(size_bytes: int) -> float:
    return CPU_S_PER_MB * max(1, size_bytes / 1e6) * slowness()


def judged(path: Path, made: TrainingFile, check: Check) -> Run:
    """Check a file and return the answer; AssertionError where it is not one that may be given."""
    path.write_bytes(made.content)
    begun = time.process_time()
    try:
        run = check(path, made.options)
    except Hung:
        raise AssertionError(f"hung for {HANG_S} s") from None
    spent = time.process_time() - begun
    assert spent <= allowed_cpu_s(len(made.content)), f"took {spent:.1f} s"
    assert run.code in {0, 4}, run
    assert run.err == ""
    answer = only_object(run.out)
    assert answer["schema"] == "ftjobs.check/1"
    dataset, problems = answer["dataset"], answer["problems"]
    assert dataset["problems"] == problems
    assert (dataset["bytes"], dataset["sha256"]) == (len(made.content), hashlib.sha256(made.content).hexdigest())
    known = dataset["dataset_tokens_range"]
    assert 0 <= known["low"] <= dataset["dataset_tokens"] <= known["high"]
    lines = made.content.split(b"\n")
    assert 0 <= dataset["truncated_examples"] <= dataset["examples"] <= len(lines)
    judge_problems(problems, len(lines) - (lines[-1] == b""))
    errors = {(problem["line"], problem["code"]) for problem in problems if problem["severity"] == "error"}
    assert run.code == (4 if errors else 0)
    judge_unreadable(lines, errors)
    if made.examples is not None:
        assert (run.code, dataset["examples"], errors) == (0, made.examples, set())
        assert dataset["dataset_tokens_range"]["low"] > 0
    if made.fault is not None:
        fault = (made.fault.line, made.fault.code)
        assert (run.code, errors) == ((4, {fault}) if made.fault.error else (0, set()))
        assert fault in {(problem["line"], problem["code"]) for problem in problems}
    return run


def only_object(out: str) -> Any:
    """Return the one JSON object that was printed, on one line for every reader of lines."""
    assert out.endswith("\n")
    assert len(out.splitlines()) == 1
    out.encode()

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is not JSON")

    found = json.loads(out, parse_constant=refuse)
    assert isinstance(found, dict)
    return found


def judge_problems(problems: list[dict[str, Any]], lines: int) -> None:
    for problem in problems:
        assert problem.keys() == {"line", "code", "severity", "message", "path"}
        assert problem["code"] in CODES
        assert problem["severity"] in {"error", "warning"}
        assert (problem["line"] is None) == (problem["code"] in OF_THE_FILE)
        assert problem["line"] is None or 1 <= problem["line"] <= lines
        assert problem["message"]
        assert len(problem["message"]) < 400
        assert problem["path"].isascii()
    numbers = [problem["line"] or 0 for problem in problems]
    assert numbers == sorted(numbers)


def judge_unreadable(lines: list[bytes], errors: set[tuple[int | None, str]]) -> None:
    """No line that a strict parser refuses goes unnamed, unless the whole file is refused."""
    named = {line for line, _ in errors}
    if (None, "wrong_encoding") in errors or len(errors) >= KEPT_PER_CODE:
        return
    for number, line in enumerate(lines, 1):
        if number in named or not line.strip(b" \t\r"):
            continue
        content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if content.strip(b" \t\r"):
            assert readable(content), f"line {number} cannot be read, and no error names it"


def readable(line: bytes) -> bool:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    try:
        return isinstance(json.loads(line.decode("utf-8"), parse_constant=refuse), dict)
    except (ValueError, RecursionError):
        return False


def fuzz(seeds: range, folder: Path, check: Check) -> set[str]:
    """Judge the files of these seeds, each third twice; return the codes of all problems.

    What is left on the heap and in memory after the first fifth is what is left at the end.
    """
    path = folder / "data.jsonl"
    codes: set[str] = set()
    settled = seeds[len(seeds) // 5]
    before = held()
    for seed in seeds:
        made = training_file(seed)
        try:
            run = judged(path, made, check)
            if seed % 3 == 0:
                assert check(path, made.options) == run, "the second answer differs"
        except AssertionError as error:
            path.rename(kept := folder / f"seed-{seed}.jsonl")
            raise AssertionError(f"seed {seed} ({made.story}), kept as {kept}: {error}") from error
        codes |= {problem["code"] for problem in run.json["problems"]}
        if seed == settled:
            before = held()
    after = held()
    assert after.blocks - before.blocks < len(seeds) // 2, (before, after)  # one object a file is too many
    assert after.mb - before.mb < 40, (before, after)
    return codes


@dataclass(frozen=True)
class Held:
    """What this process holds: blocks of Python's small objects, and resident memory."""

    blocks: int
    mb: float


def held() -> Held:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return Held(sys.getallocatedblocks(), pages * 4096 / 1e6)


@pytest.mark.slow
def test_whoever_checks_any_file_gets_one_true_answer(tmp_path: Path, check: Check) -> None:
    assert fuzz(range(SUITE_FILES), tmp_path, check) == CODES, "the files no longer reach every rule"


@pytest.mark.soak
@pytest.mark.parametrize("chunk", range(SOAK_CHUNKS))
def test_whoever_checks_a_hundred_thousand_files_gets_true_answers(
    chunk: int, tmp_path: Path, check: Check
) -> None:
    each = SOAK_FILES // SOAK_CHUNKS
    first = 1_000_000 + chunk * each
    assert fuzz(range(first, first + each), tmp_path, check) == CODES


def test_whoever_puts_a_wrong_value_anywhere_gets_an_answer(tmp_path: Path, check: Check) -> None:
    judged(tmp_path / "data.jsonl", TrainingFile(wrong_everywhere(), "wrong everywhere"), check)


def test_whoever_nests_to_any_depth_gets_an_answer(tmp_path: Path, check: Check) -> None:
    judged(tmp_path / "data.jsonl", TrainingFile(nested_at_each_depth(range(400, 1000)), "ever deeper"), check)


def test_each_kind_of_fault_is_planted() -> None:
    stories = {training_file(seed).story for seed in range(SUITE_FILES)}
    assert {f"planted {planted.name}" for planted in PLANTED} <= stories


CHAT = b'{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}\n'

# Peaks are of a process of its own: what other tests held would hide them. VmHWM, unlike ru_maxrss, does not begin
# with the parent's. The address space is bounded as well, so that a gross fault cannot take the machine down.
_ALONE = """
import json, re, resource, sys, time
from pathlib import Path
from ftjobs.cli.main import main

def kb(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

small, large, model, out, cpu_s = sys.argv[1:]
command = ["check", "--model", model, "--json"]
main([*command, small])
before = kb("VmRSS")
limit = kb("VmSize") * 1024 + 1_500_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_s), int(cpu_s)))
begun = time.process_time()
with open(out, "w", encoding="utf-8") as sys.stdout:
    code = main([*command, large])
seconds = time.process_time() - begun
print(json.dumps([code, seconds, (kb("VmHWM") - before) / 1000]), file=sys.stderr)
"""


@dataclass(frozen=True)
class Monster:
    """A file of about 20 MB unless said otherwise, and what checking it may hold at its peak."""

    content: Callable[[], bytes]
    peak_mb: float
    codes: frozenset[str]


def _answer(text: bytes) -> bytes:
    return CHAT.replace(b'"ho"', b'"%s"' % text)


def _objects(opening: bytes, item: bytes, closing: bytes, size: int = 20_000_000) -> bytes:
    return opening + b",".join([item] * (size // (len(item) + 1))) + closing


MB20 = 20_000_000
SHORT, LONG = "too_few_examples", "truncated"
MONSTERS = {
    "a string": Monster(lambda: _answer(b"a" * MB20), 250, frozenset({SHORT, LONG})),
    "lone surrogates": Monster(lambda: _answer(rb"\ud800" * (MB20 // 6)), 250, frozenset({SHORT, LONG})),
    "a special token, nearly": Monster(lambda: _answer(b"<|im_" * (MB20 // 5)), 250, frozenset({SHORT, LONG})),
    "combining marks": Monster(lambda: _answer("\u0301".encode() * (MB20 // 2)), 300, frozenset({SHORT, LONG})),
    "nested lists": Monster(lambda: b"[" * MB20, 150, frozenset({SHORT, "too_deep"})),
    "nested objects": Monster(lambda: b'{"a":' * (MB20 // 5), 150, frozenset({SHORT, "too_deep"})),
    "digits": Monster(lambda: b'{"a":%s}' % (b"9" * MB20), 150, frozenset({SHORT, "number_too_long"})),
    "very many lines": Monster(lambda: b"{}\n" * 250_000, 30, frozenset({"bad_messages"})),
    "messages": Monster(
        lambda: _objects(b'{"messages":[', b'{"role":"user","content":"a"}', b"]}"),
        500,
        frozenset({SHORT, LONG, "no_assistant"}),
    ),
}
# An empty list or dict of Python takes 64 to 72 bytes where the line has three: seven million of them half a GB.
LONG_MONSTERS = {
    "a million lines": Monster(lambda: b"{}\n" * 1_000_000, 60, frozenset({"bad_messages"})),
    "ten million lines": Monster(lambda: b"1\n" * (MB20 // 2), 60, frozenset({"not_an_object"})),
    "seven million wrong messages": Monster(
        lambda: _objects(b'{"messages":[', b"[]", b"]}"), 700, frozenset({SHORT, "bad_message"})
    ),
    "seven million empty calls": Monster(
        lambda: _objects(b'{"messages":[{"role":"assistant","tool_calls":[', b"{}", b"]}]}"),
        700,
        frozenset({SHORT, "bad_tool_calls", "no_user"}),
    ),
    "a million keys": Monster(
        lambda: b'{"messages":[],%s}' % b",".join(b'"%d":1' % number for number in range(1_600_000)),
        600,
        frozenset({SHORT, "bad_messages", "unknown_key"}),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MONSTERS)
def test_whoever_checks_a_monster_gets_an_answer_in_bounded_time_and_memory(name: str, tmp_path: Path) -> None:
    check_alone(MONSTERS[name], tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("name", LONG_MONSTERS)
def test_whoever_checks_a_monster_of_many_parts_gets_an_answer_too(name: str, tmp_path: Path) -> None:
    check_alone(LONG_MONSTERS[name], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("end", [b"\n", *(pytest.param(end, marks=pytest.mark.soak) for end in (b"\r\n", b" \n"))])
def test_whoever_checks_nothing_but_line_ends_waits_no_longer_than_for_text(end: bytes, tmp_path: Path) -> None:
    blank = Monster(lambda: end * (1_000_000 // len(end)), 20, frozenset({"empty_file", "blank_line"}))
    check_alone(blank, tmp_path)


def check_alone(monster: Monster, folder: Path) -> None:
    """Check a file in a process of its own, and judge the answer, its CPU time and its peak of memory."""
    small, large, out = folder / "small.jsonl", folder / "large.jsonl", folder / "out.json"
    small.write_bytes(CHAT * 10)
    content = monster.content()
    large.write_bytes(content)
    allowed_s = allowed_cpu_s(len(content))
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, str(small), str(large), MODEL, str(out), f"{allowed_s + 5:.0f}"],
        env={"PYTHONPATH": str(ROOT), "HOME": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=allowed_s * 4 + 60,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    code, seconds, peak_mb = json.loads(done.stderr)
    text = out.read_text(encoding="utf-8")
    answer = only_object(text)
    assert (code, answer["schema"]) == (4, "ftjobs.check/1")
    assert answer["dataset"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert {problem["code"] for problem in answer["problems"]} - {"crlf", "duplicate_example"} == monster.codes
    judge_problems(answer["problems"], content.count(b"\n") + 1)
    assert len(answer["problems"]) <= KEPT_PER_CODE * (len(monster.codes) + 1)  # and what they repeat
    assert seconds <= allowed_s, f"took {seconds:.1f} s"
    assert peak_mb <= monster.peak_mb
