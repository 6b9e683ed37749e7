"""What a service's error means and what to do about it: data first, so that there is one place to correct.

Codes from the API reference, from the error guide and as seen in failed jobs. The set is open: an unknown code is
called unknown, and the service's own message stands beside every explanation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ftjobs.periods import iso
from ftjobs.reports.numbers import count

DAILY_LIMIT = "daily_rate_limit_exceeded"
_WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Explanation:
    """In a sentence each: what the code means, and the next step."""

    meaning: str
    next_step: str


_QUOTA = Explanation(
    "The account has no credit left, or has reached its own spending limit.",
    "Add credit or raise the limit in the account's billing settings, then submit again; waiting does not help.",
)
_SAFETY = Explanation(
    "The service's moderation did not pass the training file, or the model that came of it.",
    "Take out the examples that its usage policy forbids (`ftjobs show --events` lists what it said), then "
    "submit the new file.",
)
_FILE = Explanation(
    "The service cannot use the file.",
    "Run `ftjobs check` on it: it names each problem with its line. Then submit the corrected file.",
)
_EXPLANATIONS = {
    "exceeded_quota": _QUOTA,
    "insufficient_quota": _QUOTA,
    "billing_hard_limit_reached": _QUOTA,
    "billing_not_active": _QUOTA,
    "safety": _SAFETY,
    "unsafe_file": _SAFETY,
    "invalid_training_file": _FILE,
    "invalid_validation_file": _FILE,
    "invalid_file_format": _FILE,
    "invalid_n_examples": Explanation(
        "The training file has too few examples (10 is the least), or too many.",
        "Run `ftjobs check` on it, change the number of examples, then submit the new file.",
    ),
    "model_not_found": Explanation(
        "The service does not have this model, or not for this account.",
        "Choose a model that it can fine-tune: `ftjobs doctor` tells which ones are shut down.",
    ),
    "training_not_available": Explanation(
        "This organization may not create fine-tuning jobs here (any more).",
        "Submit with another --profile; jobs and models that exist are not touched.",
    ),
    DAILY_LIMIT: Explanation(
        "The account has created as many jobs as it may within a day; how many that is, only the message says.",
        "Submit again once a job is older than 24 hours.",
    ),
    "invalid_api_key": Explanation(
        "The service does not accept the key.",
        "Set the key of this very service, then run the command again.",
    ),
    "server_error": Explanation(
        "The service itself failed; nothing is known to be wrong with the job.",
        "Run the same submit command again: a job that failed does not stand in its way.",
    ),
}
# Words that name the same thing in codes that differ from one service to the next.
_FAMILIES = (
    (("quota", "billing", "insufficient_fund"), _QUOTA),
    (("safety", "unsafe", "moderation", "content_filter", "content_policy", "responsible_ai"), _SAFETY),
    (("file_format", "training_file", "validation_file"), _FILE),
)


def explained(code: str) -> Explanation:
    """Return what is known of a code; of one that is not, that nothing is."""
    word = code.lower()
    if (known := _EXPLANATIONS.get(word)) is not None:
        return known
    for words, explanation in _FAMILIES:
        if any(each in word for each in words):
            return explanation
    return Explanation(
        "Nothing more is known of this code here.",
        "Go by the service's message; `ftjobs show --events` lists what the job told before.",
    )


def slot_frees(created: Iterable[datetime], *, now: datetime) -> str:
    """Return what these jobs' times of creation say of a daily limit: when the oldest one leaves the 24 hours.

    How many jobs a day may be created is not among the fields of the API, so this is as much as can be known.
    """
    within = sorted(instant for instant in created if now - _WINDOW < instant <= now)
    if not within:
        return "This ledger knows of no job that was created here in the last 24 hours: others used up the limit."
    return (
        f"This ledger knows of {count(len(within), 'job')} created here in the last 24 hours; "
        f"where the limit counts a rolling day, the oldest frees its slot at {iso(within[0] + _WINDOW)}."
    )
