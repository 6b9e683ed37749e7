"""One example from life for each command: its help ends with it, and the manual."""

from __future__ import annotations

from typing import Final

EXAMPLES: Final[dict[str, tuple[str, str]]] = {
    "check": (
        "what is wrong with a file, before anything is uploaded",
        "ftjobs check support.jsonl --model gpt-4o-mini",
    ),
    "prepare": (
        "old prompts become chat, and a part of them is held out",
        "ftjobs prepare old.jsonl -o train.jsonl --holdout 15%",
    ),
    "estimate": (
        "two models side by side",
        "ftjobs estimate support.jsonl --model gpt-4o-mini,gpt-4.1-mini",
    ),
    "tco": (
        "whether a year of use is worth it",
        "ftjobs tco data.jsonl --model gpt-4o --monthly-input 9M --monthly-output 3M",
    ),
    "prices": (
        "what a model cost on the day of a bill",
        "ftjobs prices gpt-4o-mini --on 2026-10-05",
    ),
    "submit": (
        "train for 20 dollars at most, and name who pays",
        "ftjobs submit data.jsonl --model gpt-4o-mini --max-cost 20 --tag team=search",
    ),
    "status": (
        "bill what ended over night, and see it",
        "ftjobs status",
    ),
    "watch": (
        "follow the newest job, for two hours at most",
        "ftjobs watch last --timeout 2h",
    ),
    "show": (
        "why the newest bill differs from its estimate",
        "ftjobs show last",
    ),
    "cancel": (
        "stop a job whose loss goes nowhere",
        "ftjobs cancel last",
    ),
    "results": (
        "keep the metrics beside the experiment",
        "ftjobs results last -o runs/support",
    ),
    "adopt": (
        "keep everything before a service closes",
        "ftjobs adopt --all --save-results archive",
    ),
    "ledger": (
        "what each team was billed last month",
        "ftjobs ledger last --by tag:team",
    ),
    "adjust": (
        "the invoice came with a credit",
        "ftjobs adjust last --add -1.50 --reason 'credit on invoice 2026-10'",
    ),
    "tag": (
        "a job gets its cost centre afterwards",
        "ftjobs tag last team=search",
    ),
    "reconcile": (
        "last month's invoice against the ledger",
        "ftjobs reconcile last",
    ),
    "report": (
        "the month's page for whoever pays",
        "ftjobs report last -o last-month.html",
    ),
    "ledger backup": (
        "a copy before an upgrade",
        "ftjobs ledger backup before-upgrade.sqlite3",
    ),
    "ledger copy": (
        "one ledger for the team from now on",
        "ftjobs ledger copy --to postgresql://ftjobs@db.example.com/ledger",
    ),
    "doctor": (
        "what is missing, and how long the models last",
        "ftjobs doctor",
    ),
    "sandbox": (
        "see the promises kept, without a key",
        "ftjobs sandbox",
    ),
    "sandbox serve": (
        "practise for another service",
        "ftjobs sandbox serve --as azure",
    ),
}
"""Verb → what it is for, and the command."""
