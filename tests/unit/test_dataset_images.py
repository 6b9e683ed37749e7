"""Images in training data: which are taken, which are not, and how many tokens each has."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ftjobs.dataset import images
from ftjobs.dataset.formats import Rules, example_texts
from ftjobs.dataset.tokens import count_examples
from ftjobs.ranges import Range
from tests.unit.training_examples import (
    ANSWER,
    USER,
    WITH_IMAGES,
    chat,
    data_url,
    image,
    jpeg,
    png,
    problems,
    shows,
    webp,
)

PNG = data_url(png(64, 64), "image/png")
URL = "messages[0].content[0].image_url.url"


@pytest.mark.parametrize(
    "part",
    [
        image(),
        image("http://example.com/a"),
        image("HTTPS://example.com/a.jpg", detail="high"),
        image(PNG, detail="auto"),
        image(data_url(png(9, 9, color_type=6), "image/PNG"), detail="low"),
        image(data_url(jpeg(9, 9), "image/jpeg")),
        image(data_url(jpeg(9, 9), "image/jpg")),
        image(data_url(jpeg(9, 9), "image/jpeg;charset=utf-8")),
        *(image(data_url(webp(kind, 9, 9), "image/webp")) for kind in (b"VP8 ", b"VP8L", b"VP8X")),
    ],
)
def test_an_image_that_the_guide_takes_is_fine(part: dict[str, Any]) -> None:
    assert problems(shows(part, {"type": "text", "text": "what?"}), WITH_IMAGES) == []


@pytest.mark.parametrize("url", [PNG, "https://example.com/a.png", "nonsense"])
def test_an_image_without_a_published_price_is_one_error(url: str) -> None:
    assert problems(shows(image(url)), Rules()) == [("images_unpriced", "error", "messages[0].content[0]")]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("a.png", "bad_image_url"),
        ("", "bad_image_url"),
        ("ftp://example.com/a.png", "bad_image_url"),
        ("https://", "bad_image_url"),
        ("file-abc123", "bad_image_url"),
        ("data:image/png,abc", "bad_image_url"),
        ("data:image/png;base64,", "bad_image_data"),
        (PNG + "!", "bad_image_data"),
        (PNG[:-1], "bad_image_data"),
        (PNG.replace("A", "é", 1), "bad_image_data"),
        (PNG[:60] + "\n\n\n\n" + PNG[60:], "bad_image_data"),
        (data_url(b"GIF89a" + bytes(60), "image/png"), "bad_image_data"),
        (data_url(b"<svg/>" * 9, "image/svg+xml"), "bad_image_data"),
        (data_url(b"\xff\xd8\xff" + bytes(10_000_000), "image/jpeg"), "image_too_large"),
    ],
)
def test_an_image_that_the_service_would_skip_is_an_error(url: str, code: str) -> None:
    assert problems(shows(image(url)), WITH_IMAGES) == [(code, "error", URL)]


def test_an_image_of_exactly_ten_million_bytes_is_taken() -> None:
    head = jpeg(9, 9)
    assert problems(shows(image(data_url(head + bytes(10_000_000 - len(head)), "image/jpeg"))), WITH_IMAGES) == []


@pytest.mark.parametrize(
    ("content", "label", "code"),
    [
        (jpeg(9, 9), "image/png", "image_label"),
        (png(9, 9), "", "image_label"),
        (png(9, 9), "image/gif", "image_label"),
        (png(9, 9, color_type=0), "image/png", "image_mode"),
        (png(9, 9, color_type=3), "image/png", "image_mode"),
        (jpeg(9, 9, components=1), "image/jpeg", "image_mode"),
        (jpeg(9, 9, components=4), "image/jpeg", "image_mode"),
    ],
)
def test_an_image_that_is_not_what_it_should_be_is_a_warning(content: bytes, label: str, code: str) -> None:
    assert problems(shows(image(data_url(content, label))), WITH_IMAGES) == [(code, "warning", URL)]


@pytest.mark.parametrize("role", ["assistant", "system", "developer"])
def test_only_users_show_images(role: str) -> None:
    example = chat(USER, {"role": role, "content": [image()]}, ANSWER)
    assert problems(example, WITH_IMAGES) == [("misplaced_image", "error", "messages[1].content[0]")]


def test_ten_images_an_example_are_taken_and_eleven_are_not() -> None:
    assert problems(shows(*[image()] * 10), WITH_IMAGES) == []
    six, five = ({"role": "user", "content": [image()] * count} for count in (6, 5))
    assert problems(chat(six, five, ANSWER), WITH_IMAGES) == [("too_many_images", "error", "messages")]


def tokens(part: dict[str, Any]) -> Range[int]:
    """What the part adds to an example whose other texts are known."""
    with_it, without = (example_texts(shows(*parts), WITH_IMAGES) for parts in ([part], []))
    assert with_it is not None
    assert without is not None
    counted, rest = count_examples([with_it, without], "o200k_base")
    return Range(counted.low - rest.low, counted.expected - rest.expected, counted.high - rest.high)


@pytest.mark.parametrize("url", ["https://example.com/a.png", PNG, "nonsense"])
def test_low_detail_is_eighty_five_tokens_whatever_the_image(url: str) -> None:
    assert tokens(image(url, detail="low")) == Range.exactly(85)


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (1024, 1024, 765),  # the guide's own examples
        (2048, 4096, 1105),
        (768, 2000, 85 + 8 * 170),
        (4096, 8192, 1105),
        (1000, 700, 85 + 4 * 170),
        (1025, 1025, 765),
        (8000, 700, 765),
    ],
)
@pytest.mark.parametrize("write", [png, jpeg])
def test_a_large_picture_has_the_tiles_of_the_guide(write: Any, width: int, height: int, expected: int) -> None:
    known = image(data_url(write(width, height), "image/png"), detail="high")
    found = tokens(known)
    assert (found.low, found.expected) == (expected, expected)
    if min(width, height) >= 768:
        assert found.high == expected


@pytest.mark.parametrize("kind", [b"VP8 ", b"VP8L", b"VP8X"])
def test_a_webp_tells_its_size_in_each_of_its_three_forms(kind: bytes) -> None:
    assert tokens(image(data_url(webp(kind, 1536, 800), "image/webp"), detail="high")) == Range.exactly(1105)


def test_a_small_picture_is_one_tile_and_at_most_what_enlarging_makes_of_it() -> None:
    assert tokens(image(data_url(png(128, 64), "image/png"), detail="high")) == Range(255, 255, 85 + 6 * 170)


def test_auto_and_nothing_may_choose_low() -> None:
    large = data_url(png(1024, 1024), "image/png")
    assert tokens(image(large, detail="auto")) == tokens(image(large)) == Range(85, 765, 765)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.png",
        data_url(jpeg(1, 1, before=65_000)[:60_000], "image/jpeg"),
        data_url(png(0, 0), "image/png"),
        data_url(b"RIFF" + bytes(4) + b"WEBPVP8 ", "image/webp"),
    ],
)
def test_a_picture_of_unknown_size_is_between_one_tile_and_eight(url: str) -> None:
    assert tokens(image(url, detail="high")) == Range(255, 765, 85 + 8 * 170)


def test_the_size_behind_much_application_data_is_found() -> None:
    found = tokens(image(data_url(jpeg(1024, 1024, before=60_000), "image/jpeg"), detail="high"))
    assert found == Range.exactly(765)


@pytest.mark.parametrize(
    "junk",
    [
        b"\xff\xd8\xff" + b"\xff" * 300_000,
        b"\xff\xd8" + b"\xff\xe1\x00\x00" * 100_000,
        b"\xff\xd8" + b"\xff\xd0" * 100_000,
    ],
)
def test_a_jpeg_of_nothing_but_marks_is_read_at_once(junk: bytes) -> None:
    begun = time.process_time()
    assert images.picture_in(data_url(junk, "image/jpeg")).size is None
    assert time.process_time() - begun < 10


def test_twenty_megabytes_of_url_are_judged_at_once() -> None:
    part = image("data:image/png;base64," + "A" * 20_000_000)
    begun = time.process_time()
    assert [code for code, _, _ in problems(shows(part), WITH_IMAGES)] == ["image_too_large"]
    tokens(part)
    problems(shows(image("data:" + ";base64" * 3_000_000)), WITH_IMAGES)
    assert time.process_time() - begun < 10  # some 0.01 s
