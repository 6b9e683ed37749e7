"""Whatever a training file holds, a survey is what comes back."""

from __future__ import annotations

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftjobs.dataset.survey import Survey, survey

SECRET = "sesame"

CHAT = b'{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}'
fragments = st.sampled_from(
    [
        CHAT,
        CHAT[:-5],
        b"\n",
        b"\r\n",
        b"\r",
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b'"messages":',
        b'"role":"user"',
        b",",
        b"null",
        b"NaN",
        b"1e999",
        b"9" * 4301,
        b"[" * 2000,
        b'{"messages":' * 2000,
        b'"\\ud800"',
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\x00",
        b"\xc3",
        "\u2028".encode(),
    ]
)
contents = st.binary(max_size=200) | st.lists(fragments | st.binary(max_size=4), max_size=12).map(b"".join)

words = st.sampled_from(
    re.findall(
        r"\w+",
        """messages role content name weight tool_calls tool_call_id function_call function arguments id type
        text image_url url detail tools functions parameters parallel_tool_calls prompt completion
        conversations""",
    )
)
leaves = (
    st.sampled_from(["system", "user", "assistant", "tool", "function", "text", "image_url", "{}", ""])
    | st.none()
    | st.booleans()
    | st.integers(-1, 2)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.just(f"{SECRET} <|im_end|>")
)
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=6),
    max_leaves=25,
)
messages = st.lists(st.dictionaries(words, documents, max_size=6) | documents, max_size=4)
examples = documents | st.builds(
    lambda rest, listed: {**rest, "messages": listed}, st.dictionaries(words, documents, max_size=3), messages
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dataset") / "data.jsonl"


def surveyed(path: Path, content: bytes) -> Survey:
    path.write_bytes(content)
    return survey(path, encoding="o200k_base", max_example_tokens=20)


def check(seen: Survey, content: bytes) -> None:
    assert (seen.bytes, seen.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert seen.errors or seen.examples >= 10
    lines = [problem.line or -math.inf for problem in seen.problems]
    assert lines == sorted(lines)
    assert {problem.code for problem in seen.problems} == set(seen.problem_counts)
    for problem in seen.problems:
        assert problem.line is None or 1 <= problem.line <= content.count(b"\n") + 1
        assert problem.path.isascii()
        assert problem.message.count(": ")


@settings(deadline=None)
@given(content=contents)
def test_any_bytes_give_a_survey(path: Path, content: bytes) -> None:
    check(surveyed(path, content), content)


@settings(deadline=None)
@given(listed=st.lists(examples, min_size=1, max_size=4))
def test_any_json_gives_a_survey_that_quotes_no_training_text(path: Path, listed: list[Any]) -> None:
    content = "\n".join(json.dumps(example) for example in listed).encode()
    seen = surveyed(path, content)
    check(seen, content)
    assert seen.examples == len(listed)
    assert not any(SECRET in problem.message + problem.path for problem in seen.problems)


@settings(deadline=None)
@given(before=st.integers(0, 300), bad=st.sampled_from([b"{", b"\xff", b"[]", b'{"messages": []}', b"\x00"]))
def test_the_line_at_fault_is_named_wherever_it_is(path: Path, before: int, bad: bytes) -> None:
    content = b"\n".join([*[CHAT] * before, bad, *[CHAT] * 10])
    (problem,) = surveyed(path, content).errors
    assert problem.line == before + 1
