"""Logs: what is shown when, and what is never shown."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from ftjobs import logs

log = logs.get_logger("ftjobs.test")


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_secrets", set())


def shown(style: Any = "human", verbosity: int = 0) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(style=style, verbosity=verbosity, stream=stream)
    return stream


@pytest.mark.parametrize(
    ("style", "verbosity", "levels"),
    [
        ("human", -1, ["error"]),
        ("human", 0, ["warning", "error"]),
        ("human", 1, ["debug", "info", "warning", "error"]),
        ("json", -1, ["error"]),
        ("json", 0, ["info", "warning", "error"]),
        ("json", 1, ["debug", "info", "warning", "error"]),
    ],
)
def test_verbosity_and_style_choose_the_levels(style: str, verbosity: int, levels: list[str]) -> None:
    stream = shown(style, verbosity)
    log.debug("said.debug")
    log.info("said.info")
    log.warning("said.warning")
    log.error("said.error")
    lines = stream.getvalue().splitlines()
    assert [line.partition("said.")[2].split()[0].strip('",') for line in lines] == levels


def test_json_events_are_one_object_a_line_with_time_in_utc() -> None:
    stream = shown("json")
    log.info("job.status_changed", job_id="ftjob-1", loss=0.5, missing=None, step=3)
    event = json.loads(stream.getvalue())
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "job.status_changed",
        "level": "info",
        "logger": "ftjobs.test",
        "job_id": "ftjob-1",
        "loss": 0.5,
        "missing": None,
        "step": 3,
    }


@pytest.mark.parametrize("style", ["human", "json"])
def test_no_secret_passes_however_deep_it_sits(style: str) -> None:
    @dataclass
    class Request:
        headers: dict[str, str]

    logs.register_secret("azure-0123")
    logs.register_secret("azure-0123-longer")
    stream = shown(style)
    log.error(
        "azure-0123",
        nested={"a": [("azure-0123-longer", {"Bearer abcdef": "x"})]},
        request=Request({"authorization": "Bearer tok.en-1", "api-key": "azure-0123"}),
        text="key sk-proj-AbC_123-xyz here",
        error=ValueError("azure-0123"),
        url="postgresql+psycopg://me:pa55@db/ledger",
    )
    printed = stream.getvalue()
    for secret in ("azure-0123", "longer", "abcdef", "tok.en-1", "AbC_123", "pa55"):
        assert secret not in printed
    assert printed.count("***") >= 8
    assert "key *** here" in printed


def test_words_that_only_look_like_keys_are_let_be() -> None:
    for text in ("task-12345678", "risk-assessment", "sk-short", "https://db:5432/ledger", "bearer"):
        assert logs.redact(text) == text


def test_a_placeholder_key_does_not_garble_the_text() -> None:
    for placeholder in ("", "x", "abc"):
        logs.register_secret(placeholder)
    assert logs.redact("an abc exact text") == "an abc exact text"


def test_a_control_character_does_not_hide_a_key() -> None:
    assert logs.scrub_text("sk-proj\x1b-AbCdEfGh") == "***"


@pytest.mark.parametrize("style", ["human", "json"])
def test_a_traceback_keeps_its_lines_and_shows_no_locals_and_no_secrets(style: str) -> None:
    stream = shown(style)

    def fail() -> None:
        held_locally = "a-local-value" * 2
        raise ValueError("said by Bearer abc\x1b]52;c;\x07" + held_locally[:0])

    try:
        fail()
    except ValueError:
        log.error("it.failed", exc_info=True)
    printed = stream.getvalue()
    if style == "json":
        printed = json.loads(printed)["exception"]
    assert "\n" in printed.strip()
    assert "Traceback" in printed
    assert "a-local-valuea-local-value" not in printed
    assert "abc" not in printed
    assert "\x1b" not in printed


def test_human_output_cannot_drive_a_terminal() -> None:
    stream = shown()
    log.warning(
        "line\none\x1b[2J",
        name="a\x1b]52;c;cm0=\x07b\u202egnp.exe\x9b31m",
        deep=[{"k\r": "\x00v"}],
        n=float("nan"),
    )
    printed = stream.getvalue()
    assert printed.count("\n") == 1
    assert not any(character in printed for character in "\x1b\x07\u202e\x9b\r\x00")
    assert "gnp.exe" in printed


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("plain é 漢字 🎉", "plain é 漢字 🎉"),
        ("tab\tand\r\nbreak\u2028x\x85y", "tab and break x y"),
        ("\x1b[31mred\x1b[0m\x7f", "[31mred[0m"),
        ("a\u202eb\u2066c\u2069d\u200fe", "abcde"),
        ("lone \ud800 end", "lone � end"),
        ("pair \ud83c\udf89", "pair 🎉"),
    ],
)
def test_cleaning_leaves_what_people_read(text: str, harmless: str) -> None:
    assert logs.clean(text) == harmless
    harmless.encode()


def test_color_needs_a_terminal_that_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert logs.use_color(Terminal())
    assert not logs.use_color(io.StringIO())
    assert not logs.use_color(None)
    monkeypatch.setenv("TERM", "dumb")
    assert not logs.use_color(Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not logs.use_color(Terminal())


@pytest.mark.parametrize("order", ["configured before", "configured after"])
def test_the_sdks_debug_switch_prints_nothing(order: str) -> None:
    configure = "logs.configure(style='human', verbosity=1)"
    imports = "import openai"
    first, second = (configure, imports) if order == "configured before" else (imports, configure)
    loggers = [
        "openai",
        "openai._base_client",
        "httpx2",
        "httpcore2.http11",
        "httpx",
        "httpcore",
        "uvicorn.access",
    ]
    script = f"""
import logging
from ftjobs import logs
{first}
{second}
assert logging.getLogger().handlers, "the switch was meant to add a handler"
for name in {loggers!r}:
    for level in (logging.DEBUG, logging.CRITICAL):
        logging.getLogger(name).log(level, "Authorization: Bearer leaked")
logging.getLogger("someone.else").critical("still heard")
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"OPENAI_LOG": "debug", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "leaked" not in done.stdout + done.stderr
    assert "still heard" in done.stderr


def test_silence_does_not_reach_other_loggers() -> None:
    logs.silence_libraries()
    assert logging.getLogger("sqlalchemy").propagate


def test_structlog_is_not_imported_until_an_event_is_shown() -> None:
    script = """
import sys
from ftjobs import logs
log = logs.get_logger("x")
logs.configure(style="human", verbosity=0)
log.info("below")
assert "structlog" not in sys.modules and "rich" not in sys.modules
log.warning("above")
assert "structlog" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "above" in done.stderr
    assert "below" not in done.stderr
