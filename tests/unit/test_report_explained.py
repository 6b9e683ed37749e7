"""An error's code leads to its meaning and the next step; what nobody knows is called unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ftjobs.reports.explained import _EXPLANATIONS, explained, slot_frees

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("codes", "word"),
    [
        (("exceeded_quota", "insufficient_quota", "EXCEEDED_QUOTA", "quota_exhausted"), "credit"),
        (("safety", "unsafe_file", "moderation_failed", "content_filter", "model_safety_check"), "moderation"),
        (("invalid_training_file", "invalid_file_format", "bad_training_file"), "ftjobs check"),
        (("invalid_n_examples",), "examples"),
        (("model_not_found",), "model"),
        (("training_not_available",), "--profile"),
        (("daily_rate_limit_exceeded",), "24 hours"),
    ],
)
def test_codes_that_mean_the_same_are_explained_the_same(codes: tuple[str, ...], word: str) -> None:
    told = {explained(code) for code in codes}
    assert len(told) == 1
    (known,) = told
    assert word in f"{known.meaning} {known.next_step}"


@pytest.mark.parametrize("code", ["", "e_1234", "no_idea", "\x1b[2J"])
def test_an_unknown_code_is_not_guessed_at(code: str) -> None:
    assert "Nothing more is known" in explained(code).meaning


def test_every_explanation_is_two_sentences_for_a_person() -> None:
    for code, known in _EXPLANATIONS.items():
        assert code == code.lower()
        for text in (known.meaning, known.next_step):
            assert text[0].isupper(), code
            assert text.endswith("."), code


def test_a_slot_frees_when_the_oldest_job_of_the_day_is_a_day_old() -> None:
    created = [NOW - timedelta(hours=hours) for hours in (1, 23, 5, 25, 24)]
    told = slot_frees(created, now=NOW)
    assert "3 jobs created here in the last 24 hours" in told
    assert "2026-11-22T13:00:00Z" in told


def test_what_the_ledger_does_not_know_of_is_said() -> None:
    for created in ([], [NOW - timedelta(days=2)], [NOW + timedelta(hours=1)]):
        assert "knows of no job" in slot_frees(created, now=NOW)
