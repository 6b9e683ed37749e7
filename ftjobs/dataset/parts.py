"""What the content of a message must look like: a text, or parts that are texts and images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ftjobs.dataset.images import DETAILS, NotAPictureError, is_web_url, picture_in
from ftjobs.dataset.problems import Place, Problem
from ftjobs.dataset.rules import Rules

_SPECIAL_TOKEN = re.compile(
    r"<\|(?:endoftext|endofprompt|startoftext|fim_prefix|fim_middle|fim_suffix|im_start|im_end|im_sep"
    r"|start|end|message|channel|return|call|constrain)\|>"
)
_LABELS = {"image/jpeg": "jpeg", "image/jpg": "jpeg", "image/png": "png", "image/webp": "webp"}


def check_content(message: Mapping[str, Any], at: Place, rules: Rules) -> Iterator[Problem]:
    """Yield the problems of a message's content, its absence included.

    An assistant that calls a tool needs none (API reference, assistant message). That the service refuses a tool
    message whose content is a list was told by users (community.openai.com/t/965584), so it is a warning.
    """
    place, role = at.key("content"), message.get("role")
    calls = role == "assistant" and (message.get("tool_calls") or message.get("function_call"))
    content = message.get("content")
    match content:
        case None if calls:
            return
        case None:
            yield place.error("content_missing", "the message has no content: give it a string")
            return
        case str():
            yield from check_text(content, place)
            texts: list[object] = [content]
        case [_, *_]:
            texts = []
            for index, part in enumerate(content):
                yield from _check_part(part, place.item(index), role, rules)
                texts.append(part.get("text") if isinstance(part, dict) else None)
            if role == "tool":
                yield place.warning(
                    "tool_content_list",
                    "the service may refuse a tool message whose content is a list: use a string",
                )
        case _:
            yield place.error(
                "bad_content", "content must be a string or a list of parts: write it as one of them"
            )
            return
    if role != "assistant" or calls:
        return
    if all(isinstance(text, str) and not text.strip() for text in texts):
        yield place.warning("empty_assistant", "the assistant's answer is empty: fill it in or drop the example")


def check_text(text: str, place: Place) -> Iterator[Problem]:
    """Yield a warning where the text has what a tokenizer would otherwise read as a mark."""
    if special := _SPECIAL_TOKEN.search(text):
        yield place.warning(
            "special_token_text",
            f"the text has {special.group()}, which counts as ordinary text here: remove it if it was a mark",
        )


def count_images(message: object) -> int:
    """Return how many parts of a message say that they are images."""
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        return 0
    return sum(isinstance(part, dict) and part.get("type") == "image_url" for part in content)


def _check_part(part: object, place: Place, role: object, rules: Rules) -> Iterator[Problem]:
    match part:
        case {"type": "text", "text": str(text)}:
            yield from check_text(text, place.key("text"))
        case {"type": "text"}:
            yield place.error("bad_part", 'a text part must be {"type": "text", "text": "…"}: write it so')
        case {"type": "image_url", "image_url": {"url": str(url), **rest}} if (
            rest.get("detail", "auto") in DETAILS
        ):
            yield from _check_image(url, place, role, rules)
        case {"type": "image_url"}:
            yield place.error(
                "bad_image_part",
                'an image part must be {"type": "image_url", "image_url": {"url": "…"}}, with detail '
                "low, high or auto or without it: write it so",
            )
        case {"type": str()}:
            yield place.error(
                "unknown_part", "only parts of type text and image_url can be priced: remove the part"
            )
        case _:
            yield place.error(
                "bad_part", 'a part must be an object with a type: write {"type": "text", "text": "…"}'
            )


def _check_image(url: str, place: Place, role: object, rules: Rules) -> Iterator[Problem]:
    if rules.images is None:
        yield place.error(
            "images_unpriced",
            "images cannot be priced for this model and method: leave out the examples that have them",
        )
        return
    if role != "user":
        yield place.error("misplaced_image", "only a user message may have images: move it to one")
    if is_web_url(url):
        return
    at = place.key("image_url").key("url")
    try:
        picture = picture_in(url)
    except NotAPictureError as error:
        yield at.error(error.code, error.message)
        return
    if _LABELS.get(picture.label) != picture.kind:
        yield at.warning(
            "image_label",
            f"by its first bytes the image is {picture.kind.upper()}: write data:image/{picture.kind}",
        )
    if picture.color is False:
        yield at.warning(
            "image_mode", "the image is neither RGB nor RGBA, and the service may skip it: convert it to RGB"
        )
