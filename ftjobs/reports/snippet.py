"""A program that asks a fine-tuned model and its base the same question, to be tried before deploying."""

from __future__ import annotations

import re

from ftjobs.models.catalog import load_catalog

OPENAI_KEY = "OPENAI_API_KEY"
_PLAIN = re.compile(r"[ !#-\[\]-~]*")

_CHAT = '''\
"""Asks a fine-tuned model and its base the same. Needs: pip install openai, and the API key in the environment."""
import os

from openai import OpenAI

SYSTEM = "Put the system prompt of your training examples here."
PROMPT = "Put a question here that is not in your training file."
MODELS = {
    "fine-tuned": TUNED,
    "base": BASE,
}

client = OpenAI(
    api_key=os.environ[KEY],
    base_url=URL,
)
messages = [
    {"role": "system", "content": SYSTEM},
    {"role": "user", "content": PROMPT},
]
for name, model in MODELS.items():
    reply = client.chat.completions.create(
        model=model, messages=messages, temperature=0, max_tokens=500
    )
    print(f"--- {name}: {model}")
    print(reply.choices[0].message.content)
    if used := reply.usage:
        print(f"({used.prompt_tokens} prompt, {used.completion_tokens} completion tokens)")
'''


def trial_snippet(
    *, fine_tuned_model: str | None, base_model: str | None, base_url: str | None, api_key_env: str
) -> str | None:
    """Return the program, None where there are no two models to compare, or they are not asked by chat.

    The key is read from `api_key_env` when it runs and is never in the text. So is the base URL of a service that
    the SDK's own variables name; a profile with a key of its own keeps its URL, so that the key goes nowhere else.
    `base_url` None is a sandbox, which has another URL each time it is served.
    """
    if fine_tuned_model is None or base_model is None:
        return None
    known = load_catalog().find(base_model)
    if known is not None and known.format != "chat":
        return None
    key = api_key_env or OPENAI_KEY
    if base_url is None:
        url = 'os.environ["OPENAI_BASE_URL"]'
    elif key == OPENAI_KEY:
        url = f'os.environ.get("OPENAI_BASE_URL") or {_quoted(base_url)}'
    else:
        url = _quoted(base_url)
    values = {"TUNED": _quoted(fine_tuned_model), "BASE": _quoted(base_model), "KEY": _quoted(key), "URL": url}
    return re.sub(r"\b(TUNED|BASE|KEY|URL)\b(?=[,\]])", lambda match: values[match[1]], _CHAT)


def _quoted(text: str) -> str:
    """Return a Python literal in ASCII: what came from a service cannot leave its quotes."""
    return f'"{text}"' if _PLAIN.fullmatch(text) else ascii(text)
