"""Real files that other people published, each with the verdict that its readme describes."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from ftjobs.dataset.survey import Survey, survey

DATA = Path(os.environ.get("FTJOBS_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))

if not DATA.is_dir():
    pytest.skip(f"the shared files are not at {DATA} (FTJOBS_SHARED_DATA)", allow_module_level=True)


def surveyed(name: str) -> Survey:
    return survey(DATA / name, encoding="o200k_base", max_example_tokens=65_536)


def errors(seen: Survey) -> dict[str, list[int | None]]:
    return {
        code: [problem.line for problem in seen.errors if problem.code == code]
        for code in Counter(problem.code for problem in seen.errors)
    }


@pytest.mark.parametrize(
    ("name", "size", "sha256"),
    [
        (
            "drone_training.jsonl",
            387_706,
            "1052efb7af92fb1163e94a4c8d6afcb66546661e2f662d48dd21fe7cf53d7537",
        ),
        (
            "medmcq_test_crlf.jsonl",
            1_256_753,
            "b63ef6be9b89eb351f8799170d25b87876fffe3878deeabaf98792b5615c4780",
        ),
    ],
)
def test_hash_and_size_are_those_that_the_readme_gives(name: str, size: int, sha256: str) -> None:
    seen = surveyed(name)
    assert (seen.bytes, seen.sha256) == (size, sha256)


def test_chat_with_tools_is_valid() -> None:
    seen = surveyed("drone_training.jsonl")
    assert (seen.examples, seen.problems) == (103, ())
    assert seen.dataset_tokens.low < seen.dataset_tokens.expected < seen.dataset_tokens.high


def test_chat_with_legacy_functions_is_valid_with_one_warning() -> None:
    seen = surveyed("math_finetunes.jsonl")
    assert (seen.examples, seen.errors) == (10, ())
    assert [(p.line, p.code) for p in seen.problems] == [(None, "few_examples"), (1, "deprecated_functions")]
    assert seen.problem_counts == {"deprecated_functions": 10, "few_examples": 1}


def test_the_cookbook_sample_has_too_few_examples_and_one_without_user() -> None:
    seen = surveyed("toy_chat_fine_tuning.jsonl")
    assert [(p.line, p.code) for p in seen.problems] == [(None, "too_few_examples"), (4, "no_user")]


def test_the_repeating_line_is_cut_by_a_small_limit() -> None:
    seen = survey(DATA / "toy_chat_fine_tuning.jsonl", encoding="o200k_base", max_example_tokens=4096)
    assert [p.line for p in seen.problems if p.code == "truncated"] == [5]
    assert seen.truncated_examples == 1


def test_korean_chat_has_too_few_examples_alone() -> None:
    seen = surveyed("toy_chat_korean.jsonl")
    assert (seen.examples, [p.code for p in seen.problems]) == (6, ["too_few_examples"])


@pytest.mark.parametrize(
    ("name", "code", "lines"),
    [
        ("orca_dpo_validation.jsonl", "preference_data", 284),
        ("gptchem_mof_solvent_train.jsonl", "legacy_prompt_completion", 355),
        ("glaive_toolcall_zh_demo.jsonl", "sharegpt", 300),
        ("rft_math_training.jsonl", "no_assistant", 100),
        ("medmcq_test_crlf.jsonl", "no_assistant", 6150),
    ],
)
def test_another_format_is_an_error_on_every_line(name: str, code: str, lines: int) -> None:
    seen = surveyed(name)
    assert errors(seen) == {code: list(range(1, lines + 1))}
    assert seen.examples == lines


def test_windows_line_ends_are_one_warning() -> None:
    seen = surveyed("medmcq_test_crlf.jsonl")
    assert seen.problem_counts["crlf"] == 6149
    assert [p.line for p in seen.problems if p.code == "crlf"] == [1]


def test_reference_answers_are_one_unknown_key() -> None:
    (problem,) = (p for p in surveyed("rft_math_training.jsonl").problems if p.severity == "warning")
    assert (problem.line, problem.code, problem.path) == (1, "unknown_key", "answer")


def test_malformed_image_and_text_parts_are_named_part_by_part() -> None:
    seen = surveyed("vision_language_oumi_format.jsonl")
    assert [(p.line, p.code, p.path) for p in seen.problems] == [
        (None, "too_few_examples", ""),
        (1, "bad_image_part", "messages[0].content[0]"),
        (1, "bad_part", "messages[0].content[1]"),
        (2, "unknown_key", "metadata"),
        (2, "bad_image_part", "messages[1].content[0]"),
        (2, "bad_part", "messages[1].content[1]"),
    ]
