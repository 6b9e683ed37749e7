"""What becomes of each line: converted, passed on byte for byte, or named with its number and what to do."""

from __future__ import annotations

import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from ftjobs.dataset.prepare import Prepared, Request
from ftjobs.errors import DatasetError
from ftjobs.reports.prepare import prepared_json, prepared_notes, prepared_text
from ftjobs.workflows.prepare import Places, prepare

CHAT = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
OWN = {"messages": [{"role": "developer", "content": "Be brief"}, *CHAT["messages"]]}
DPO = {
    "input": {"messages": [{"role": "user", "content": "Hi"}]},
    "preferred_output": [{"role": "assistant", "content": "Hello"}],
    "non_preferred_output": [{"role": "assistant", "content": "What"}],
}


class Bench:
    def __init__(self, folder: Path) -> None:
        self.source = folder / "s.jsonl"

    def run(self, content: bytes | list[object], request: Request | None = None) -> tuple[bytes, Prepared]:
        if isinstance(content, list):
            content = b"".join(json.dumps(line).encode() + b"\n" for line in content)
        self.source.write_bytes(content)
        stream = io.BytesIO()
        done = prepare(request or Request(), Places(self.source, "s.jsonl", None), stream=stream)
        return stream.getvalue(), done

    def lines(self, content: bytes | list[object], request: Request | None = None) -> list[Any]:
        written, _ = self.run(content, request)
        return [json.loads(line) for line in written.splitlines()]

    def refused(self, content: bytes | list[object], request: Request | None = None) -> DatasetError:
        with pytest.raises(DatasetError) as refused:
            self.run(content, request)
        return refused.value


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def pair(prompt: object, completion: object, **more: object) -> dict[str, object]:
    return {"prompt": prompt, "completion": completion, **more}


def test_a_pair_becomes_a_conversation(bench: Bench) -> None:
    assert bench.lines([pair("Hi ->", " Hello\n"), pair("Bye ->", " So long\n")]) == [
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]},
        {"messages": [{"role": "user", "content": "Bye"}, {"role": "assistant", "content": "So long"}]},
    ]


def test_a_system_text_comes_first(bench: Bench) -> None:
    system = {"role": "system", "content": "Be kind"}
    pairs, chat, own, dpo = bench.lines([pair("Hi", "Hello"), CHAT, OWN, DPO], Request(system="Be kind"))
    assert pairs["messages"] == [system, *CHAT["messages"]]
    assert chat == {"messages": [system, *CHAT["messages"]]}
    assert own == OWN
    assert dpo == {**DPO, "input": {"messages": [system, {"role": "user", "content": "Hi"}]}}


def test_a_line_with_a_system_text_of_its_own_keeps_its_bytes(bench: Bench) -> None:
    raw = b' { "messages" : [ {"role":"system","content":"\\u00e9"} ] } \r\n'
    written, done = bench.run(raw, Request(system="Be kind"))
    assert written == raw
    assert (done.changes.system_kept, done.changes.system_added) == (1, 0)


def test_other_text_is_written_as_utf8_and_a_lone_surrogate_as_its_escape(bench: Bench) -> None:
    written, _ = bench.run(b'{"prompt": "\\u00e9", "completion": "\\ud83d\\ude00 \\u2028"}\n')
    assert "é" in written.decode() and "😀" in written.decode()
    lone, _ = bench.run(b'{"prompt": "a", "completion": "\\ud800"}\n')
    assert json.loads(lone)["messages"][1]["content"] == "\ud800"


@pytest.mark.parametrize(("end", "expected"), [(b"\n", b"\n"), (b"\r\n", b"\r\n"), (b"", b"\n")])
def test_a_converted_line_ends_as_it_did_or_with_a_newline(bench: Bench, end: bytes, expected: bytes) -> None:
    written, _ = bench.run(b'{"prompt": "a", "completion": "b"}' + end)
    assert written.endswith(b"}]}" + expected)


def test_a_last_line_without_a_newline_is_kept_and_glued_to_nothing(bench: Bench) -> None:
    raw = b'{"messages": 1}\n{"messages": 2}'
    assert bench.run(raw)[0] == raw


def test_blank_lines_and_the_byte_order_mark_go_and_are_said(bench: Bench) -> None:
    written, done = bench.run(b'\xef\xbb\xbf{"messages": 1}\n\n  \r\n{"messages": 2}\n')
    assert written == b'{"messages": 1}\n{"messages": 2}\n'
    assert (done.blank_lines, done.bom_removed) == (2, True)
    told = prepared_text(done)
    assert "2 blank lines dropped" in told and "byte order mark" in told and "byte for byte" not in told


def test_keys_that_are_left_out_are_named(bench: Bench) -> None:
    written, done = bench.run([pair("a", "b", label=1), pair("c", "d", **{"an odd\x1b[31m key": 2})])
    assert b"label" not in written
    told = prepared_text(done)
    assert "label" in told and "\x1b" not in told


def test_a_key_that_was_there_twice_is_said_where_the_line_was_rewritten(bench: Bench) -> None:
    _, done = bench.run(b'{"prompt": "a", "prompt": "b", "completion": "c"}\n' * 1)
    assert any("twice" in note for note in prepared_notes(done))
    _, kept = bench.run(b'{"messages": 1, "messages": 2}\n')
    assert not any("twice" in note for note in prepared_notes(kept))


def test_one_unmarked_pair_keeps_the_marks_of_all_and_it_is_said(bench: Bench) -> None:
    written, done = bench.run([pair("a ###", " b"), pair("c", "d")])
    assert b'"a ###"' in written and b'" b"' in written
    assert "nothing stripped" in prepared_text(done)


@pytest.mark.parametrize(
    ("bad", "advice"),
    [
        (b"{broken\n", "one JSON object on one line"),
        (b"[1]\n", "one JSON object"),
        (b'{"prompt": 1, "completion": "a"}\n', "must be a string"),
        (b'{"prompt": "a", "completion": null}\n', "must be a string"),
        (b'{"conversations": []}\n', "ShareGPT"),
        (b'{"text": "a"}\n', "no messages"),
        (b'{"prompt": "a"}\n', "no messages"),
        (b'{"prompt": "a", "chosen": "b", "rejected": "c"}\n', "preferred_output"),
        (b'{"messages": "\xff"}\n', "not UTF-8"),
    ],
)
def test_a_line_that_cannot_be_prepared_is_named_with_what_to_do(bench: Bench, bad: bytes, advice: str) -> None:
    good = b'{"messages": []}\n'
    refused = bench.refused(good + bad + good + b"\n" + bad)
    assert refused.exit_code == 4
    assert refused.details["lines"] == [2, 5]
    assert "2 lines" in refused.message and "line 2" in refused.message and advice in refused.message
    assert "nothing was written" in refused.next_step


def test_no_training_text_is_in_a_refusal(bench: Bench) -> None:
    refused = bench.refused([pair("SECRET", ["SECRET"]), {"SECRET words": "SECRET"}, "SECRET"])
    assert "SECRET" not in f"{refused.message} {refused.next_step} {refused.details}"


def test_thousands_of_bad_lines_are_counted_and_the_first_named(bench: Bench) -> None:
    refused = bench.refused(b"x\n" * 5000)
    assert "5,000 lines" in refused.message and "4,990 more" in refused.message
    assert len(refused.message) < 400


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_a_file_without_examples_is_said_to_have_none(bench: Bench, content: bytes) -> None:
    assert bench.refused(content).code == "empty_file"


def test_utf16_is_refused_with_the_command_that_converts_it(bench: Bench) -> None:
    assert "iconv" in bench.refused('{"messages": []}\n'.encode("utf-16")).message


@pytest.mark.parametrize(
    "line",
    [b'{"messages": 3}', b'{"messages": [3]}', b'{"preferred_output": []}', b'{"messages": [], "x": 1e999}'],
)
def test_chat_that_cannot_take_a_system_text_is_refused_only_when_it_must(bench: Bench, line: bytes) -> None:
    assert bench.run(line)[0] == line
    assert bench.refused(line, Request(system="Be kind")).details["line"] == 1


def test_a_role_of_any_type_is_no_system_text(bench: Bench) -> None:
    assert len(bench.lines([{"messages": [{"role": ["system"]}]}], Request(system="x"))[0]["messages"]) == 2


def test_deep_nesting_breaks_nothing(bench: Bench) -> None:
    deep = b'{"messages": ' + b"[" * 900 + b"]" * 900 + b"}\n"
    assert bench.run(deep, Request(dedupe=True))[0] == deep


def test_duplicates_are_told_apart_by_what_they_say_not_how(bench: Bench) -> None:
    first = b'{"messages": [{"role": "user", "content": "a"}]}\r\n'
    again = b'{"messages":[{"content":"\\u0061","role":"user"}]}\n'
    other = b'{"messages": [{"role": "user", "content": "b"}]}\n'
    written, done = bench.run(first + other + again + first, Request(dedupe=True))
    assert written == first + other
    assert done.duplicates_dropped == 2


def test_a_pair_and_the_conversation_it_becomes_are_the_same_example(bench: Bench) -> None:
    written, done = bench.run([pair("Hi ->", " Hello\n"), CHAT], Request(dedupe=True))
    assert done.duplicates_dropped == 1
    assert json.loads(written) == CHAT


def test_a_sample_has_exactly_as_many_and_keeps_their_order(bench: Bench) -> None:
    numbers = [line["messages"] for line in bench.lines([{"messages": n} for n in range(100)], Request(sample=17))]
    assert len(numbers) == 17
    assert numbers == sorted(numbers)


def test_a_sample_larger_than_the_file_is_refused(bench: Bench) -> None:
    refused = bench.refused([{"messages": n % 12} for n in range(20)], Request(sample=15, dedupe=True))
    assert (refused.code, refused.details["examples"]) == ("too_few_examples", 12)


def test_few_examples_are_converted_with_a_note(bench: Bench) -> None:
    _, done = bench.run([pair("a", "b")])
    assert any("the service needs 10" in note for note in prepared_notes(done))


def held(folder: Path, lines: list[object], request: Request) -> Prepared:
    source = folder / "s.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return prepare(request, Places(source, "s.jsonl", folder / "o.jsonl"), stream=io.BytesIO())


@pytest.mark.parametrize(
    ("examples", "share", "stay"), [(12, "0.15", 10), (11, "0.1", 10), (100, "0.9", 10), (13, "0.2", 10)]
)
def test_ten_examples_stay_at_least(tmp_path: Path, examples: int, share: str, stay: int) -> None:
    done = held(tmp_path, [{"messages": n} for n in range(examples)], Request(holdout=Fraction(share)))
    assert done.output.examples == stay
    assert done.validation is not None and done.validation.examples == examples - stay


@pytest.mark.parametrize(("examples", "share"), [(11, "0.15"), (10, "0.1"), (94, "0.9"), (5, "0.15")])
def test_fewer_than_ten_are_refused(tmp_path: Path, examples: int, share: str) -> None:
    with pytest.raises(DatasetError) as refused:
        held(tmp_path, [{"messages": n} for n in range(examples)], Request(holdout=Fraction(share)))
    assert (refused.value.code, refused.value.exit_code) == ("too_few_examples", 4)
    assert not (tmp_path / "o.jsonl").exists()


def test_the_holdout_is_a_share_of_the_sample(tmp_path: Path) -> None:
    done = held(tmp_path, [{"messages": n} for n in range(100)], Request(sample=40, holdout=Fraction(1, 4)))
    assert done.validation is not None
    assert (done.output.examples, done.validation.examples) == (30, 10)


def test_a_share_of_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="comes to none"):
        held(tmp_path, [{"messages": n} for n in range(20)], Request(holdout=Fraction(1, 100)))


def test_a_file_of_one_example_again_and_again_cannot_be_split(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as refused:
        held(tmp_path, [CHAT] * 30, Request(holdout=Fraction(1, 5)))
    assert refused.value.code == "nothing_to_hold_out"
    assert "--dedupe" in refused.value.next_step


def test_fewer_held_out_than_asked_for_is_said(tmp_path: Path) -> None:
    lines: list[object] = [{"messages": n // 15} for n in range(30)] + [CHAT]
    done = held(tmp_path, lines, Request(holdout=Fraction(1, 5)))
    assert done.validation is not None and done.validation.examples == 1
    assert any("not 6" in note for note in prepared_notes(done))


@pytest.mark.parametrize(("share", "noted"), [("0.09", True), ("0.1", False), ("0.2", False), ("0.21", True)])
def test_ten_to_twenty_percent_are_advised(tmp_path: Path, share: str, noted: bool) -> None:
    done = held(tmp_path, [{"messages": n} for n in range(100)], Request(holdout=Fraction(share)))
    assert any("10–20%" in note for note in prepared_notes(done)) is noted


def test_the_text_ends_with_the_commands_to_type(tmp_path: Path) -> None:
    done = held(tmp_path, [{"messages": n} for n in range(100)], Request(holdout=Fraction("0.15")))
    check, submit = prepared_text(done).splitlines()[-2:]
    assert check.endswith(f"ftjobs check {tmp_path}/o.jsonl --model gpt-4o-mini")
    assert f"--validation {tmp_path}/o.validation.jsonl" in submit


def test_the_object_counts_what_the_text_says(bench: Bench) -> None:
    _, done = bench.run([pair("a ->", " b\n"), pair("c ->", " d\n"), CHAT], Request(system="x"))
    told = prepared_json(done, sandbox=False)
    assert told["schema"] == "ftjobs.prepare/1"
    assert (told["converted"], told["system_added"], told["unchanged"]) == (2, 3, False)
    assert [(each["field"], each["at"], each["mark"]) for each in told["stripped"]] == [
        ("prompt", "end", " ->"),
        ("completion", "start", " "),
        ("completion", "end", "\n"),
    ]
