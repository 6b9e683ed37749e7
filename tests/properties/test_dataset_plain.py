"""The fast way through plain chat says exactly what the thorough way says, or gives the block up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftjobs.dataset.plain import plain_block
from ftjobs.dataset.survey import Survey, survey

pieces = st.sampled_from(
    [
        "hi",
        "",
        " ",
        "\n",
        '"role"',
        '"',
        "\\",
        "\\\\",
        '\\"',
        '"content":',
        '{"messages": []}',
        "<|im_end|>",
        "<",
        "|",
        "é",
        "🙂",
        "\ud800",
        "\u2028",
        "\x00",
        "u003c",
        "weight",
        "안녕하세요",
    ]
)
texts = st.lists(pieces, max_size=4).map("".join)
roles = st.sampled_from(["system", "developer", "user", "user", "assistant", "assistant", "tool", "critic"])
weights = st.sampled_from([0, 1, 1, 2, 1.0, True, None, "1"])
messages: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"role": roles, "content": texts | st.none()},
    optional={"weight": weights, "name": texts, "tool_calls": st.just([])},
)
answers = st.fixed_dictionaries({"role": st.just("assistant"), "content": texts}, optional={"weight": weights})
asked = st.fixed_dictionaries({"role": st.just("user"), "content": texts})
orderly = st.tuples(st.lists(messages, max_size=1), st.tuples(asked), st.lists(answers | asked, max_size=2))
conversations = st.builds(
    lambda parts, last: [*parts[0], *parts[1], *parts[2], last], orderly, answers
) | st.lists(messages, max_size=3)
examples = st.builds(lambda said, more: {"messages": said, **more}, conversations, st.just({}) | st.just({"n": 1}))


DAMAGES = [
    (b'"role"', b'"role": "user", "role"'),
    (b'"role"', b'"r\\u006fle": "user", "role"'),
    (b'"content"', b'"content": "", "content"'),
    (b'"content"', b'"con\\u0074ent": "", "content"'),
    (b'{"messages"', b'{"messages": [], "messages"'),
    (b'"assistant"', b'"assistant", "weight": 1, "weight": 1'),
    (b'"assistant"', b'"assistant", "weight": 0'),
    (b'"assistant"', b'"assistant", "weight": 1.0'),
    (b"hi", b"h\\u0069"),
    (b"hi", b"<|im_end|>"),
    (b"hi", b"\\u003c|im_end|>"),
    (b"hi", b"<\\u007Cim_end|>"),
    (b"hi", b"\xff"),
    (b"hi", b"\\ud800"),
    (b"hi", b"a\rb"),
    (b"hi", b"\x00"),
    (b"ho", b""),
    (b"ho", b" \\n"),
    (b'"user"', b'"system"'),
    (b'"user"', b'"assistant"'),
    (b'"assistant"', b'"user"'),
    (b'"assistant"', b'"critic"'),
    (b"}]}", b"}]} {}"),
    (b"}]}", b"}]}\r"),
    (b"}]}", b"}"),
    (b"}]}", b'}], "n": 1}'),
    (b"{", b"\xef\xbb\xbf{"),
    (b"{", b"  {"),
    (b":", b": NaN,"),
    (b'[{"', b'[[["'),
    (b'{"role"', b'{"name": ' + b"[" * 50_000 + b"]" * 50_000 + b', "role"'),
]
"""What may happen to a line, as what is replaced by what."""


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """One example as somebody's program may write it, sometimes damaged."""
    text = json.dumps(
        draw(examples),
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": ")])),
    )
    line = text.encode("utf-8", "surrogatepass")
    damage = draw(st.none() | st.sampled_from(DAMAGES))
    return line if damage is None else line.replace(*damage, 1)


def thoroughly(path: Path, **how: Any) -> Survey:
    """The survey without the fast way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ftjobs.dataset.look.plain_block", lambda *_: None)
        return survey(path, **how)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: repr(damage[1][:24]))
def test_a_flaw_in_plain_chat_is_told_as_the_thorough_way_tells_it(
    tmp_path: Path, damage: tuple[bytes, bytes]
) -> None:
    line = b'{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}'
    path = tmp_path / "plain.jsonl"
    flawed = line.replace(*damage, 1)
    assert flawed != line
    path.write_bytes(b"\n".join([line, flawed, line]) + b"\n")
    how: dict[str, Any] = {"encoding": "o200k_base", "max_example_tokens": 30}
    assert survey(path, **how) == thoroughly(path, **how)


@settings(max_examples=settings().max_examples * 3, deadline=None)
@given(content=st.lists(lines(), min_size=1, max_size=5), end=st.sampled_from([b"\n", b"", b"\n\n", b"\r\n"]))
@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
def test_both_ways_say_the_same(
    tmp_path_factory: pytest.TempPathFactory, encoding: str, content: list[bytes], end: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "plain.jsonl"
    path.write_bytes(b"\n".join(content) + end)
    how: dict[str, Any] = {"encoding": encoding, "max_example_tokens": 30}
    assert survey(path, **how) == thoroughly(path, **how)


@pytest.mark.parametrize(
    "said",
    [
        [{"role": "user", "content": "Größe <b>"}, {"role": "assistant", "content": "東京 🙂 \\ \"quoted\" 'x'"}],
        [
            {"role": "system", "content": ""},
            {"role": "developer", "content": " "},
            {"role": "user", "content": "a | b"},
            {"role": "assistant", "content": "no", "weight": 0},
            {"role": "user", "content": "again"},
            {"role": "assistant", "content": "yes", "weight": 1},
        ],
    ],
)
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_ordinary_chat_goes_the_fast_way(said: list[dict[str, Any]], ensure_ascii: bool) -> None:
    line = json.dumps({"messages": said}, ensure_ascii=ensure_ascii).encode()
    block = plain_block([line, line], line + b"\n" + line + b"\n")
    assert block is not None
    assert block.texts == [message["content"] for message in said] * 2
    assert block.speakers == [message["role"] for message in said] * 2
    assert block.messages == [len(said)] * 2
