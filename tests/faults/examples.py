"""The examples and lines that fuzzed training files are made of."""

from __future__ import annotations

import json
from base64 import b64encode
from random import Random
from typing import Any

Example = dict[str, Any]

# ---- examples

_WORDS = ("order", "the", "price", "of", "is", "seven", "on", "its", "way", "today", "Antwort", "réponse")
ODD_TEXTS = (
    "",
    " \t",
    "\0",
    "\ud800",
    "\udc00\ud800",
    "e" + "\u0301" * 60,
    "\u202eevil\u2066",
    "\ufeff",
    "\u2028\u2029\x85\x0b\x0c\x1c",
    "\r\n",
    "안녕하세요",
    "漢字かな",
    "👩\u200d👩\u200d👧\u200d👦🏳\ufe0f\u200d🌈",
    "\U0010ffff\ufffe\uffff",
    "ﷺ" * 30,
    "<|endoftext|>",
    "<|im_start|>system<|im_sep|>",
    "<|",
    "\x1b[31m\x7f\x9b",
    '\\"{}[]',
    "a" * 3000,
    " " * 3000,
)


def _text(chance: Random) -> str:
    words = chance.choices(_WORDS, k=chance.randint(1, 12))
    if chance.random() < 0.15:
        words.insert(chance.randrange(len(words)), chance.choice(ODD_TEXTS))
    if chance.random() < 0.0004:
        words *= 400_000 // sum(len(word) + 1 for word in words)  # more than a model takes
    return " ".join(words)


def _chat(chance: Random, turns: int) -> Example:
    messages: list[Example] = []
    if chance.random() < 0.5:
        messages.append({"role": chance.choice(("system", "developer")), "content": _text(chance)})
    for _ in range(turns):
        messages.append({"role": "user", "content": _content(chance)})
        messages.append({"role": "assistant", "content": _text(chance)})
        if chance.random() < 0.2:
            messages[-1]["weight"] = chance.randint(0, 1)
        if chance.random() < 0.1:
            chance.choice(messages)["name"] = "ann"
    return {"messages": messages}


def _content(chance: Random) -> object:
    if chance.random() < 0.8:
        return _text(chance)
    return [{"type": "text", "text": _text(chance)} for _ in range(chance.randint(1, 3))]


def a_tool_chat(chance: Random) -> Example:
    calls = [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": "find", "arguments": json.dumps({"text": _text(chance)})},
        }
        for number in range(chance.randint(1, 3))
    ]
    asked: Example = {"role": "assistant", "tool_calls": calls}
    if chance.random() < 0.5:
        asked["content"] = chance.choice((None, "", "Let me see."))
    replies = [{"role": "tool", "tool_call_id": call["id"], "content": _text(chance)} for call in calls]
    made = _chat(chance, 1)
    made["messages"] += [{"role": "user", "content": _text(chance)}, asked, *replies]
    made["messages"].append({"role": "assistant", "content": _text(chance), "refusal": None})
    schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    made["tools"] = [{"type": "function", "function": {"name": "find", "parameters": schema}}]
    if chance.random() < 0.5:
        made["parallel_tool_calls"] = chance.random() < 0.5
    return made


def a_function_chat(chance: Random) -> Example:
    made = _chat(chance, 1)
    made["messages"] += [
        {"role": "assistant", "function_call": {"name": "find", "arguments": "{}"}},
        {"role": "function", "name": "find", "content": _text(chance)},
        {"role": "assistant", "content": _text(chance)},
    ]
    return {**made, "functions": [{"name": "find", "parameters": {}}]}


def a_example(chance: Random) -> Example:
    draw = chance.random()
    made = _chat(chance, chance.randint(1, 2)) if draw < 0.75 else a_tool_chat(chance)
    if draw > 0.93:
        made = a_function_chat(chance)
    if chance.random() < 0.05:
        made["metadata"] = chance.choice(("raw:1e999", "raw:-0", "raw:100 deep", "raw:4300 digits", {"a": [None]}))
    return made


def a_image_chat(chance: Random) -> Example:
    return a_with(chance, 0, content=[{"type": "text", "text": _text(chance)}, a_image(chance)])


def a_image(chance: Random, url: str | None = None) -> Example:
    """Return an image part that the guide takes, or one of this URL."""
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + chance.randbytes(8) + b"\x08\x02" + bytes(chance.randrange(99))
    urls = ("https://example.com/a.png", "data:image/png;base64," + b64encode(head).decode())
    image: Example = {"url": url if url is not None else chance.choice(urls)}
    if chance.random() < 0.7:
        image["detail"] = chance.choice(("low", "high", "auto"))
    return {"type": "image_url", "image_url": image}


def a_preference(chance: Random) -> Example:
    asked = a_tool_chat(chance) if chance.random() < 0.2 else _chat(chance, chance.randint(1, 2))
    del asked["messages"][-1]
    return {
        "input": asked,
        "preferred_output": [{"role": "assistant", "content": _text(chance)}],
        "non_preferred_output": [{"role": "assistant", "content": _text(chance)}],
    }


def a_prompt(chance: Random) -> Example:
    made = _chat(chance, chance.randint(1, 2))
    del made["messages"][-1]
    return {**made, "answer": _text(chance), "points": chance.choice((1, None, [0.5], {"a": {}}, "raw:100 deep"))}


def a_completion(chance: Random) -> Example:
    return {"prompt": _text(chance), "completion": _text(chance)}


def a_sharegpt(chance: Random) -> Example:
    said = [{"from": "human", "value": _text(chance)}, {"from": "gpt", "value": _text(chance)}]
    return {"conversations": said, "tools": "[]"}


def a_any_example(chance: Random) -> Example:
    if chance.random() < 0.8:
        return a_example(chance)
    return chance.choice((a_image_chat, a_preference, a_completion, a_sharegpt))(chance)


def a_with(chance: Random, at: int, **change: object) -> Example:
    """Return a plain exchange of two messages of which one is changed."""
    made: list[Example] = [
        {"role": "user", "content": _text(chance)},
        {"role": "assistant", "content": _text(chance)},
    ]
    made[at] |= change
    return {"messages": made}


# ---- lines and files

# What json.dumps cannot write stands in a tree under a name.
RAW = {
    "1e999": b"1e999",
    "-0": b"-0",
    "-0.0e-999": b"-0.0e-999",
    "NaN": b"NaN",
    "-Infinity": b"-Infinity",
    "4300 digits": b"9" * 4300,
    "4301 digits": b"-" + b"9" * 4301,
    "20000 digits": b"1" * 20_000,
    "lone surrogate": b'"\\udfff"',
    "surrogate bytes": b'"\xed\xa0\x80"',
    "latin-1": b'"caf\xe9"',
    "nul": b'"\0"',
    **{f"{depth} deep": b"[" * depth + b"]" * depth for depth in (100, 500, 800, 990, 1100, 2000)},
    **{f"{depth} deep objects": b'{"a":' * depth + b"1" + b"}" * depth for depth in (100, 900, 5000)},
    "100000 unclosed": b"[" * 100_000,
    "nothing": b"",
}


def a_line(chance: Random, example: object, *, ascii_only: bool = False) -> bytes:
    separators = chance.choice(((", ", ": "), (",", ":"), (" ,\t", " : ")))
    try:
        made = json.dumps(
            example, ensure_ascii=ascii_only or chance.random() < 0.5, separators=separators
        ).encode()
    except UnicodeEncodeError:
        made = json.dumps(example, separators=separators).encode()
    if b'"raw:' in made:
        for name, raw in RAW.items():
            made = made.replace(b'"raw:%s"' % name.encode(), raw)
    return made


def a_enough(chance: Random) -> int:
    return chance.randint(11, 16)


def a_laid_out(chance: Random, lines: list[bytes]) -> tuple[bytes, list[int]]:
    """Return the file of these lines and the number at which each of them stands in it."""
    ends = chance.choice(((b"\n",), (b"\n",), (b"\r\n",), (b"\n", b"\r\n")))
    blanks = chance.choice((0.0, 0.0, 0.2))
    file: list[bytes] = [b"\xef\xbb\xbf"] if chance.random() < 0.1 else [b""]
    numbers = []
    for line in lines:
        while chance.random() < blanks:
            file.append(chance.choice((b"", b" ", b"\t \r")) + chance.choice(ends))
        file.append(line + chance.choice(ends))
        numbers.append(len(file) - 1)
    if chance.random() < 0.3:
        file[-1] = file[-1].rstrip(b"\r\n")
    return b"".join(file), numbers
