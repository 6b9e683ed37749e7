"""Logs of real commands: readable by programs or by people, and never a secret in them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.conftest import Person, Service

KEY = "sk-test-0123456789"


def events(err: str) -> list[dict[str, Any]]:
    """Return the events of a command whose whole stderr is JSON Lines."""
    found = [json.loads(line) for line in err.splitlines()]
    for event in found:
        assert {"event", "level", "timestamp"} <= set(event)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", event["timestamp"])
    return found


def test_json_logs_are_one_object_a_line_with_ids(person: Person, service: Service, training_file: Path) -> None:
    submit = ["submit", str(training_file), "--model", "gpt-4o-mini", "--json"]
    told = person.run(*submit, "--wait", FTJOBS_LOG="json")
    assert told.code == 0
    submitted = json.loads(told.out.splitlines()[0])
    of = {event["event"]: event for event in events(told.err)}
    assert {"submission.recorded", "file.uploaded", "job.created", "bill.settled", "told"} <= set(of)
    for event in of.values():
        assert event.get("submission_id", submitted["submission_id"]) == submitted["submission_id"]
        assert event.get("job_id", submitted["job_id"]) == submitted["job_id"]
    for name in ("job.created", "job.status_changed", "bill.settled"):
        assert {"submission_id", "job_id"} <= set(of[name]), name
    assert of["bill.settled"]["trained_tokens"] == service.jobs()[0]["trained_tokens"]
    quiet = person.run(*submit, "-q", FTJOBS_LOG="json")
    assert (quiet.code, quiet.err) == (0, "")


def test_verbose_shows_what_happens_to_people(person: Person, training_file: Path) -> None:
    submit = ["submit", str(training_file), "--model", "gpt-4o-mini"]
    told = person.run(*submit, "-v")
    assert told.code == 0
    for event in ("submission.recorded", "job.created"):
        assert re.search(rf"\[info +\] {re.escape(event)} .*submission_id=[0-9A-Z]{{26}}", told.err)
    assert not re.search(r"[^\n -~\u00a0-\uffff]", told.err), "no colour in a pipe"


def test_not_even_the_most_talkative_command_tells_a_secret_or_training_text(
    person: Person, service: Service, training_file: Path
) -> None:
    submit = ["submit", str(training_file), "--model", "gpt-4o-mini", "-v"]
    service.faults({"on": "GET /v1/fine_tuning/jobs", "do": "status", "status": 500})
    for args, more in (
        ([*submit, "--wait"], {"OPENAI_LOG": "debug"}),
        ([*submit, "--json"], {"OPENAI_LOG": "debug", "FTJOBS_LOG": "json", "OPENAI_API_KEY": "sk-wrong"}),
    ):
        told = person.run(*args, **more)
        for secret in (KEY, "sk-wrong", "Authorization", "authorization", "Bearer", "on its way", "Where is"):
            assert secret not in told.out + told.err, (secret, args)
        if "--wait" in args:
            assert told.code == 0
            assert "api.retry" in told.err, "it was talkative"
        else:
            assert events(told.err), "and no library among it"
    written = b"".join(path.read_bytes() for path in (person.home / "data").rglob("*") if path.is_file())
    assert not [text for text in (KEY, "on its way", "Where is") if text.encode() in written]
