"""tiktoken's vocabulary offline: what it would fetch, made of what toktok carries, lies where it looks first."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from unittest import mock

import tiktoken_ext.openai_public as public  # type: ignore[import-untyped]
import toktok

ENCODING = "o200k_base"


class _Asked(Exception):  # noqa: N818 - it carries an answer, not a failure
    pass


def write_vocabulary(folder: Path) -> None:
    """Leave in `folder`, for TIKTOKEN_CACHE_DIR, the o200k_base vocabulary, byte for byte as tiktoken fetches it.

    RuntimeError where it is not: tiktoken itself says the name of the file and its hash.
    """
    address, expected = _what_is_asked_for()
    values = toktok._encoding(ENCODING).token_byte_values()
    content = b"".join(b"%s %d\n" % (base64.b64encode(value), rank) for rank, value in enumerate(values))
    if hashlib.sha256(content).hexdigest() != expected:
        raise RuntimeError(f"the vocabularies of toktok and tiktoken differ for {ENCODING}: update one of them")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest()).write_bytes(content)


def _what_is_asked_for() -> tuple[str, str]:
    def answer(address: str, expected_hash: str) -> None:
        raise _Asked(address, expected_hash)

    with mock.patch.object(public, "load_tiktoken_bpe", answer):
        try:
            public.ENCODING_CONSTRUCTORS[ENCODING]()
        except _Asked as asked:
            address, expected = asked.args
            return str(address), str(expected)
    raise RuntimeError(f"tiktoken has {ENCODING} without loading it: this bench must be rewritten")
