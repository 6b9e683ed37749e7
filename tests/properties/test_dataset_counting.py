"""Counting held against real tiktoken, fed offline with the vocabulary that our tokenizer carries."""

# ruff: noqa: RUF001 - letters of other scripts are what it is about

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

from ftjobs.dataset.formats import Format, Rules, example_texts
from ftjobs.dataset.tokens import ExampleTexts, count_examples, count_texts
from ftjobs.models.catalog import ImageTokens
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


CORPUS = {
    "English": "Don't split “quotes”, e.g. at 3.14 or U.S.A.; they'll've been fine—or not? I'M SHOUTING NOW.",
    "German": "Donaudampfschifffahrtsgesellschaftskapitän, Straße, ÄÖÜ äöü ß ẞ: „Größe“ zählt nicht.",
    "Greek": "Ο γρήγορος καφέ αλεπού πηδάει πάνω από το τεμπέλικο σκυλί.",
    "Russian": "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "Arabic": "نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر ﷺ",
    "Hebrew": "דג סקרן שט בים מאוכזב ולפתע מצא חברה",
    "Hindi": "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश",
    "Thai": "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน",
    "Chinese": "视野无限广，窗外有蓝天。１２３４，《红楼梦》……",
    "Japanese": "いろはにほへと チリヌルヲ ﾊﾝｶｸ 漢字、ｗｗｗ。",
    "Korean": "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다.",
    "conjoining jamo": "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "combining marks": "e\u0301\u0301\u0301 Z̷a̸l̶g̵o̴ a\u030a",
    "emoji": "👩\u200d👩\u200d👧\u200d👦🏳\ufe0f\u200d🌈 🇩🇪🇯🇵 👍🏽 ☺️ 1️⃣",
    "rare planes": "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𓀀𓁐 \U0010ffff\ufffe\ue000",
    "Python": "def f(x: int) -> str:\n    return f'{x!r:>10}' if x else \"\\n\"  # done\n\n\n\tpass\r\n",
    "C": '#include <stdio.h>\nint main(void){for(int i=0;i<10;++i)printf("%d\\n",i);return 0;}',
    "JSON": '{"a":[1,2.5e-10,null,true],"b":{"c":"\\u00e9"}}',
    "HTML": "<p class='x'>&amp;&nbsp;<br/></p><!-- <|im_start|> -->",
    "numbers": "1 22 333 4444 55555 666666 1,234,567.89 0x1F -1e-9 ½ ² Ⅷ ٣٤٥",
    "white space": " \t\n\r\n \u00a0\u2003\u3000\u200b\u2028\u2029\x0b\x0c\x1c\x85   a    b\n\n\n  ",
    "special tokens": "<|endoftext|><|im_start|>user<|im_sep|>hi<|im_end|><|fim_prefix|><|endofprompt|>",
    "lone surrogates": "a\ud800b\udfff\ud83d \ude00\ud800\ud800 \ud83d\ude00",
    "controls": "\0\x01\x1b[31m\x7f\x9b\ufeff\u202eevil\u2066",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", CORPUS)
def test_texts_of_many_scripts_count_as_in_tiktoken(
    oracles: dict[str, tiktoken.Encoding], encoding: str, name: str
) -> None:
    text = CORPUS[name]
    tried = [text, text * 50, text[::-1], text.upper(), " " + text, text + "\n", text.replace(" ", "")]
    tried += [text + other for other in CORPUS.values()]
    oracle = oracles[encoding]
    assert count_texts(tried, encoding) == [len(oracle.encode(one, disallowed_special=())) for one in tried]


RUNS = " \n\ta1!é漢😀\u0301\ud800<_-"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_long_runs_of_one_character_take_linear_time(encoding: str) -> None:
    count_texts(["warm"], encoding)
    runs = [character * 200_000 for character in RUNS]
    start = time.process_time()
    count_texts(runs, encoding)
    assert time.process_time() - start < 20  # 0.03 s is usual; the square of 200,000 is hours


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("character", RUNS)
def test_runs_of_one_character_count_as_in_tiktoken(
    oracles: dict[str, tiktoken.Encoding], encoding: str, character: str
) -> None:
    run = character * 20_000
    assert count_texts([run], encoding) == [len(oracles[encoding].encode(run, disallowed_special=()))]


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
PLAIN: list[dict[str, Any]] = [
    {"role": "system", "content": "You are brief."},
    {"role": "user", "content": "Où est la gare ?", "name": "ann"},
    {"role": "assistant", "content": "Là-bas 😀<|im_end|>", "weight": 1},
]
CALLING: list[dict[str, Any]] = [
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


def counted(example: dict[str, Any], rules: Rules, encoding: str | None = "o200k_base") -> Range[int]:
    found = example_texts(example, rules)
    assert found is not None
    (tokens,) = count_examples([found], encoding)
    return tokens


PREFERRED: list[dict[str, Any]] = [{"role": "assistant", "content": "Left, then straight on 😀.", "name": "guide"}]
OTHER: list[dict[str, Any]] = [{"role": "assistant", "tool_calls": [CALL]}]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("asked", [PLAIN[:2], CALLING[:3]])
@pytest.mark.parametrize("tools", [{}, {"tools": [TOOL], "parallel_tool_calls": True}])
def test_a_preference_pair_counts_its_prompt_once_and_at_most_twice(
    oracles: dict[str, tiktoken.Encoding],
    encoding: str,
    asked: list[dict[str, Any]],
    tools: dict[str, Any],
) -> None:
    size = size_of(oracles[encoding])
    calls = sum(size(compact(one["tool_calls"])) for one in [*asked, *PREFERRED, *OTHER] if "tool_calls" in one)
    twice = sum(size(compact(one["tool_calls"])) for one in asked if "tool_calls" in one)
    declared = sum(size(compact(value)) for value in tools.values())
    spoken = cookbook_rule([*asked, *PREFERRED, *OTHER], size)
    example = {"input": {"messages": asked, **tools}, "preferred_output": PREFERRED, "non_preferred_output": OTHER}
    assert counted(example, Rules("preference"), encoding) == Range(
        chatml_rule([*asked, *PREFERRED, *OTHER], size),
        spoken,
        spoken + calls + declared + cookbook_rule(asked, size) + twice + declared,
    )


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(prompt=texts, completion=texts)
@settings(deadline=None, max_examples=50)
def test_a_completion_counts_its_two_texts_and_nothing_else(
    oracles: dict[str, tiktoken.Encoding], encoding: str, prompt: str, completion: str
) -> None:
    size = size_of(oracles[encoding])
    example = {"prompt": prompt, "completion": completion, "label": 1}
    assert counted(example, Rules("completion"), encoding) == Range.exactly(size(prompt) + size(completion))


def test_reinforcement_counts_messages_and_at_most_what_the_graders_see(
    oracles: dict[str, tiktoken.Encoding],
) -> None:
    size = size_of(oracles["o200k_base"])
    asked = PLAIN[:2]
    spoken = cookbook_rule(asked, size)
    beside = {"tools": [TOOL], "answer": "links", "rubric": {"points": [1, None]}}
    assert counted({"messages": asked, **beside}, Rules("reinforcement")) == Range(
        chatml_rule(asked, size), spoken, spoken + sum(size(compact(value)) for value in beside.values())
    )


def test_images_add_their_own_tokens_to_each_bound() -> None:
    shown = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    message = {"role": "user", "content": [{"type": "text", "text": "one"}, shown]}
    priced = Rules(images=ImageTokens(low_detail=5, base=100, per_tile=10))
    plain, with_image = counted({"messages": [message]}, Rules()), counted({"messages": [message]}, priced)
    assert with_image == Range(plain.low + 5, plain.expected + 140, plain.high + 180)


def test_each_text_has_its_speaker() -> None:
    def spoken(example: dict[str, Any], rules: Rules) -> list[tuple[str, str]]:
        found = example_texts(example, rules)
        assert found is not None
        return list(zip(found.speakers, found.low, strict=True))

    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    asked = [{"content": parts, "role": "user"}, {"role": "pirate", "content": "c"}, {"role": 1, "content": "d"}]
    said = [("user", "a"), ("user", "b"), ("user", "user"), ("other", "pirate"), ("other", "c"), ("other", "d")]
    assert spoken({"messages": asked}, Rules()) == said
    pair = {
        "input": {"messages": asked},
        "preferred_output": [{"role": "assistant", "content": "e"}],
        "non_preferred_output": [{"content": "f"}],
    }
    assert spoken(pair, Rules("preference")) == [
        *said,
        ("preferred_output", "assistant"),
        ("preferred_output", "e"),
        ("non_preferred_output", "f"),
    ]
    assert spoken({"completion": "h", "prompt": "g"}, Rules("completion")) == [
        ("prompt", "g"),
        ("completion", "h"),
    ]


@settings(deadline=None)
@given(said=st.lists(texts, min_size=1, max_size=6))
def test_a_text_that_comes_again_counts_each_time(said: list[str]) -> None:
    once = ExampleTexts(Range.exactly(0), tuple(said))
    again = ExampleTexts(Range.exactly(1), (*said, *said), tuple(said), tuple(said))
    one, two, three = count_examples([once, again, once], "o200k_base")
    assert one == three == Range.exactly(sum(count_texts(said, "o200k_base")))
    assert two == Range(1 + 2 * one.low, 1 + 3 * one.low, 1 + 4 * one.low)


def utf8_size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


@settings(deadline=None)
@given(said=st.lists(texts | st.sampled_from(list(CORPUS.values())), max_size=6))
@pytest.mark.parametrize("known", ENCODINGS)
def test_an_unknown_tokenizer_has_a_range_that_holds_those_we_know(known: str, said: list[str]) -> None:
    found = ExampleTexts(Range.exactly(0), tuple(said))
    (wide,), (true,) = count_examples([found], None), count_examples([found], known)
    size = sum(map(utf8_size, said))
    assert wide.high <= max(size, wide.expected)
    if known == "o200k_base":
        assert wide.low <= true.low <= wide.expected
    assert true.high <= wide.high


@pytest.mark.parametrize("name", CORPUS)
def test_an_unknown_tokenizer_may_need_as_many_tokens_as_a_vocabulary_that_is_weak_in_the_script(
    name: str,
) -> None:
    text = CORPUS[name] * 20
    wide = counted({"messages": [{"role": "user", "content": text}]}, Rules(), None)
    weak = counted({"messages": [{"role": "user", "content": text}]}, Rules(), "cl100k_base")
    assert wide.low < weak.low
    assert weak.high < wide.high


def test_numbers_digit_by_digit_are_in_the_range_of_an_unknown_tokenizer() -> None:
    digits = "31415926535897932384626433832795" * 100
    assert counted({"prompt": digits, "completion": ""}, Rules("completion"), None).high >= len(digits)


keys = st.sampled_from(["role", "content", "name", "tool_calls", "function_call", "weight", "tool_call_id", "x"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


WHOLE = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(st.dictionaries(keys, values) | values, max_size=4) | values,
        "input": st.fixed_dictionaries({"messages": st.lists(st.dictionaries(keys, values), max_size=3)}) | values,
        "preferred_output": st.lists(st.dictionaries(keys, values), max_size=2) | values,
        "non_preferred_output": values,
        "prompt": values,
        "completion": values,
        "tools": values,
        "functions": values,
        "parallel_tool_calls": values,
        "x": values,
    },
)


@pytest.mark.parametrize("wanted", ["chat", "preference", "reinforcement", "completion"])
@pytest.mark.parametrize("encoding", ["o200k_base", None])
@settings(deadline=None, max_examples=25)
@given(examples=st.lists(WHOLE, max_size=5))
def test_bounds_rise_and_a_batch_counts_as_its_examples_do(
    wanted: Format, encoding: str | None, examples: list[dict[str, Any]]
) -> None:
    rules = Rules(wanted, ImageTokens(85, 85, 170))
    found = [texts for example in examples if (texts := example_texts(example, rules)) is not None]
    together = count_examples(found, encoding)
    assert together == [count_examples([one], encoding)[0] for one in found]
    assert all(len(one.speakers) == len(one.low) for one in found)
    for tokens in together:
        assert 0 <= tokens.low <= tokens.expected <= tokens.high
