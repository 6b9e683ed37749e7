"""A survey: what a file is, and what is wrong with it."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from ftjobs.dataset.problems import Problem
from ftjobs.dataset.survey import Survey
from ftjobs.reports.envelope import clean, envelope
from ftjobs.reports.numbers import count, token_range

_SHOWN_LINES = 10


def problem_json(problem: Problem) -> dict[str, object]:
    """Return a problem; line null is the whole file."""
    return {
        "line": problem.line,
        "code": problem.code,
        "severity": problem.severity,
        "message": problem.message,
        "path": problem.path,
    }


def dataset_json(survey: Survey) -> dict[str, object]:
    """Return the dataset of a survey."""
    return {
        "path": survey.path,
        "sha256": survey.sha256,
        "bytes": survey.bytes,
        "examples": survey.examples,
        "dataset_tokens": survey.dataset_tokens.expected,
        "dataset_tokens_range": {"low": survey.dataset_tokens.low, "high": survey.dataset_tokens.high},
        "truncated_examples": survey.truncated_examples,
        "problems": [problem_json(problem) for problem in survey.problems],
    }


def check_json(survey: Survey, *, sandbox: bool) -> dict[str, Any]:
    """Return `ftjobs.check/1`."""
    dataset = dataset_json(survey)
    return envelope("check", sandbox=sandbox, dataset=dataset, problems=dataset["problems"])


def check_text(survey: Survey) -> str:
    """Return the problems by kind with their lines, then the verdict."""
    return "\n".join([*problem_lines(survey), _verdict(survey)])


def problem_lines(survey: Survey) -> list[str]:
    """Return two lines a kind of problem: what and how often, then where."""
    lines = []
    by_kind = sorted(survey.problems, key=lambda problem: (problem.severity, problem.code))
    for (severity, code), group in groupby(by_kind, key=lambda problem: (problem.severity, problem.code)):
        problems = list(group)
        times = survey.problem_counts[code]
        lines.append(f"{severity} {code}{f' ×{times:,}' if times > 1 else ''}: {clean(problems[0].message)}")
        if places := _places(problems, times):
            lines.append(f"  {places}")
    return lines


def _places(problems: list[Problem], times: int) -> str:
    shown = [
        f"{problem.line}{f' ({clean(problem.path)})' if problem.path else ''}"
        for problem in problems[:_SHOWN_LINES]
        if problem.line
    ]
    if not shown:
        return ""
    more = f" and {times - len(shown):,} more" if times > len(shown) > 1 else ""
    return f"line{'s' if len(shown) > 1 else ''} {', '.join(shown)}{more}"


def size_text(survey: Survey) -> str:
    """Return the file's name, examples and dataset tokens in a line."""
    tokens = token_range(survey.dataset_tokens)
    return f"{clean(survey.path)}: {count(survey.examples, 'example')}, {tokens} dataset tokens"


def _verdict(survey: Survey) -> str:
    size = size_text(survey)
    errors = sum(survey.problem_counts[code] for code in {problem.code for problem in survey.errors})
    return f"{size}, {count(errors, 'error')}" if errors else f"{size}, valid"
