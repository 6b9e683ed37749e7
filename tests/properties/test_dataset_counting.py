"""Counting held against real tiktoken, fed offline with the vocabulary that our tokenizer carries."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import tiktoken
import tiktoken_ext.openai_public as public  # type: ignore[import-untyped]
import toktok
from hypothesis import given, settings
from hypothesis import strategies as st

from ftjobs.dataset.tokens import count_examples, count_texts, example_texts
from ftjobs.ranges import Range

ENCODINGS = ("o200k_base", "cl100k_base")
SPECIAL = ["<|endoftext|>", "<|im_end|>", "<|fim_prefix|>", "<|endofprompt|>", "<|"]

texts = st.text(st.characters() | st.characters(categories=["Cs"]), max_size=60) | st.lists(
    st.sampled_from(
        [*SPECIAL, " ", "\n", "\t", "a", "'s", "漢", "😀", "\u0301", "1234", "\ud83d", "\ude00", "\ufeff"]
    ),
    max_size=30,
).map("".join)


@pytest.fixture(scope="module")
def oracles() -> dict[str, tiktoken.Encoding]:
    built = {}
    with pytest.MonkeyPatch.context() as patch:
        for name in ENCODINGS:
            values = toktok._encoding(name).token_byte_values()
            ranks = {value: rank for rank, value in enumerate(values)}
            patch.setattr(public, "load_tiktoken_bpe", lambda *_, ranks=ranks, **__: ranks)
            built[name] = tiktoken.Encoding(**public.ENCODING_CONSTRUCTORS[name]())
    return built


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(deadline=None)
@given(batch=st.lists(texts, max_size=8))
def test_every_text_counts_as_in_tiktoken(
    oracles: dict[str, tiktoken.Encoding], encoding: str, batch: list[str]
) -> None:
    oracle = oracles[encoding]
    assert count_texts(batch, encoding) == [len(oracle.encode(text, disallowed_special=())) for text in batch]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", [*SPECIAL, "\ud800", "a\udc00b", "\ud83d\ude00", "\ufeffa", ""])
def test_special_token_text_and_surrogates_count_as_in_tiktoken(
    oracles: dict[str, tiktoken.Encoding], encoding: str, text: str
) -> None:
    assert count_texts(["x", text], encoding)[1] == len(oracles[encoding].encode(text, disallowed_special=()))


def test_special_token_text_is_more_than_one_token() -> None:
    (count,) = count_texts(["<|endoftext|>"], "o200k_base")
    assert count > 1


def test_a_lone_surrogate_counts_as_the_replacement_character() -> None:
    assert count_texts(["a\ud800b"], "o200k_base") == count_texts(["a\ufffdb"], "o200k_base")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_long_runs_of_one_character_take_linear_time(encoding: str) -> None:
    count_texts(["warm"], encoding)
    runs = [character * 200_000 for character in " \n\ta1!é漢😀\u0301"]
    start = time.perf_counter()
    count_texts(runs, encoding)
    assert time.perf_counter() - start < 5  # 0.03 s is usual; the square of 200,000 is hours


def size_of(oracle: tiktoken.Encoding) -> Callable[[str], int]:
    return lambda text: len(oracle.encode(text, disallowed_special=()))


def cookbook_rule(messages: Sequence[dict[str, Any]], size: Callable[[str], int]) -> int:
    total = 3
    for message in messages:
        total += 3
        for key in message:
            if isinstance(message[key], str):
                total += size(message[key])
            if key == "name":
                total += 1
    return total


def chatml_rule(messages: Sequence[dict[str, Any]], size: Callable[[str], int]) -> int:
    return sum(3 + size(message["role"]) + size(message.get("content") or "") for message in messages)


CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": "é"}'}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
PLAIN = [
    {"role": "system", "content": "You are brief."},
    {"role": "user", "content": "Où est la gare ?", "name": "ann"},
    {"role": "assistant", "content": "Là-bas 😀<|im_end|>", "weight": 1},
]
CALLING = [
    PLAIN[1],
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "left"},
    {"role": "assistant", "function_call": CALL["function"]},
]


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("example", "uncertain"),
    [
        ({"messages": PLAIN}, []),
        ({"messages": PLAIN, "tools": [TOOL], "parallel_tool_calls": False}, [[TOOL], False]),
        (
            {"messages": CALLING, "functions": [TOOL["function"]]},
            [[TOOL["function"]], [CALL], CALL["function"]],
        ),
    ],
)
def test_bounds_follow_the_published_rules(
    oracles: dict[str, tiktoken.Encoding], encoding: str, example: dict[str, Any], uncertain: list[object]
) -> None:
    size = size_of(oracles[encoding])
    found = example_texts(example)
    assert found is not None
    expected = cookbook_rule(example["messages"], size)
    assert count_examples([found], encoding) == [
        Range(
            chatml_rule(example["messages"], size),
            expected,
            expected + sum(size(compact(value)) for value in uncertain),
        )
    ]


def test_a_list_of_text_parts_counts_each_part() -> None:
    parts = [
        {"type": "text", "text": "one two"},
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "text", "text": "three"},
        "four",
    ]
    found = example_texts({"messages": [{"role": "user", "content": parts}]})
    assert found is not None
    assert count_examples([found], "o200k_base") == [Range(3 + 1 + 3, 3 + 3 + 1 + 3, 3 + 3 + 1 + 3)]


def test_what_is_no_chat_has_no_texts() -> None:
    assert example_texts({"prompt": "p", "completion": "c"}) is None


keys = st.sampled_from(["role", "content", "name", "tool_calls", "function_call", "weight", "tool_call_id", "x"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    examples=st.lists(
        st.fixed_dictionaries(
            {"messages": st.lists(st.dictionaries(keys, values) | values, max_size=4)},
            optional={"tools": values, "functions": values, "parallel_tool_calls": values, "x": values},
        ),
        max_size=5,
    )
)
def test_bounds_rise_and_a_batch_counts_as_its_examples_do(examples: list[dict[str, Any]]) -> None:
    found = [texts for example in examples if (texts := example_texts(example)) is not None]
    together = count_examples(found, "o200k_base")
    assert together == [count_examples([one], "o200k_base")[0] for one in found]
    for tokens in together:
        assert 0 <= tokens.low <= tokens.expected <= tokens.high
