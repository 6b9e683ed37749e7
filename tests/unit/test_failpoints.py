"""FTJOBS_FAILPOINT names a place and a signal; what it names wrongly is said before anything happens."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

from ftjobs.errors import ConfigError
from ftjobs.failpoints import ACTIONS, POINTS, VARIABLE, check_failpoint, reach
from tests.conftest import ROOT

REACHED = re.compile(r'\breach\("([a-z_.]+)"\)')


def test_every_place_is_reached_in_exactly_one_line_of_the_product() -> None:
    found = [
        name for file in sorted((ROOT / "ftjobs").rglob("*.py")) for name in REACHED.findall(file.read_text())
    ]
    assert sorted(found) == sorted(POINTS)


@pytest.mark.parametrize("action", [each for each in ACTIONS if each != "stop"])
def test_the_process_gets_the_signal_at_its_place_and_not_before(action: str) -> None:
    script = (
        "from ftjobs.failpoints import reach; reach('survey.done'); print(1, flush=True); reach('create.sent')"
    )
    environ = {VARIABLE: f"create.sent:{action}", "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (-signal.Signals[f"SIG{action.upper()}"], "1\n")
    assert ended.stderr.splitlines()[0] == f"{VARIABLE}: {action} at create.sent"


def test_a_place_strikes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
    try:
        monkeypatch.setenv(VARIABLE, "create.sent:term")
        for _ in range(3):
            reach("create.sent")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


@pytest.mark.parametrize(
    ("wanted", "next_step"),
    [
        ("create.snt:kill", "Did you mean create.sent?"),
        ("create.sent", "create.sent:kill"),
        ("create.sent:explode", "actions are kill, term, int, hup, stop"),
        (":kill", "Places are survey.done"),
        ("create.sent:KILL", "actions are"),
    ],
)
def test_a_failpoint_that_would_wait_in_vain_is_a_configuration_error(wanted: str, next_step: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_failpoint({VARIABLE: wanted})
    assert next_step in refused.value.next_step
    assert refused.value.details["key"] == VARIABLE


@pytest.mark.parametrize("environ", [{}, {VARIABLE: ""}, {VARIABLE: "create.sent:kill"}])
def test_no_failpoint_or_a_good_one_is_no_error(environ: dict[str, str]) -> None:
    check_failpoint(environ)
