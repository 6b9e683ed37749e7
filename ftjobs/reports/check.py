"""A survey: what a file is, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from ftjobs.dataset.lengths import Lengths
from ftjobs.dataset.problems import Problem
from ftjobs.dataset.survey import Survey
from ftjobs.money import Usd
from ftjobs.ranges import Range
from ftjobs.reports.envelope import clean, envelope
from ftjobs.reports.numbers import count, range_json, token_range, usd_range
from ftjobs.reports.table import Column, bar, table, wrapped

_SHOWN_LINES = 10
_WIDEST_BAR = 40


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
        "lost_tokens": survey.lost_tokens,
        "tokens_by_role": dict(survey.tokens_by_speaker),
        "lengths": _lengths_json(survey.lengths),
        "problem_counts": dict(survey.problem_counts),
        "problems": [problem_json(problem) for problem in survey.problems],
    }


def _lengths_json(lengths: Lengths | None) -> dict[str, object] | None:
    if lengths is None:
        return None
    return {
        "shortest": lengths.shortest,
        "p5": lengths.p5,
        "median": lengths.median,
        "p95": lengths.p95,
        "longest": lengths.longest,
        "longest_5pct_share_pct": str(lengths.longest_5pct_share_pct),
        "bins": [each._asdict() for each in lengths.bins],
    }


def check_json(
    survey: Survey, validation: Survey | None = None, *, epoch_cost: Range[Usd] | None, sandbox: bool
) -> dict[str, Any]:
    """Return `ftjobs.check/1`; `validation` is null where no such file was given, a price null where unknown."""
    dataset = dataset_json(survey)
    return envelope(
        "check",
        sandbox=sandbox,
        dataset=dataset,
        problems=dataset["problems"],
        validation=None if validation is None else dataset_json(validation),
        epoch_cost_usd=range_json(epoch_cost),
    )


def check_text(
    survey: Survey, validation: Survey | None = None, *, epoch_cost: Range[Usd] | None, width: int | None
) -> str:
    """Return the problems by kind with their lines, how long the examples are, who speaks, then the verdict."""
    problems = problem_lines(survey, width)
    lines = [*problems, *([""] if problems else []), *_lengths_lines(survey, width)]
    lines += [*_speaker_lines(survey, width), _verdict(survey)]
    if epoch_cost is not None and not survey.errors:
        lines.append(f"one epoch of training: {usd_range(epoch_cost)}")
    if validation is not None:
        lines += ["", *problem_lines(validation, width), _verdict(validation)]
    return "\n".join(lines)


def problem_lines(survey: Survey, width: int | None) -> list[str]:
    """Return two lines a kind of problem, errors first: what, how often and where; then what it means.

    Within `width` cells, None unbounded, longer meanings take more lines.
    """
    by_kind = sorted(survey.problems, key=lambda problem: (problem.severity, problem.code))
    kinds = [list(group) for _, group in groupby(by_kind, key=lambda problem: (problem.severity, problem.code))]
    if not kinds:
        return []
    times = [survey.problem_counts[kind[0].code] for kind in kinds]
    rows = [
        [kind[0].severity, kind[0].code, f"{number:,}×", _places(kind, number)]
        for kind, number in zip(kinds, times, strict=True)
    ]
    _, *heads = table([Column(""), Column(""), Column("", right=True), Column("")], rows).splitlines()
    meanings = [wrapped(clean(kind[0].message), width) for kind in kinds]
    return [line for head, meaning in zip(heads, meanings, strict=True) for line in (head, *meaning)]


def _places(problems: list[Problem], times: int) -> str:
    shown = [problem for problem in problems[:_SHOWN_LINES] if problem.line]
    if not shown:
        return "the file"
    paths = {problem.path for problem in shown}
    common = clean(paths.pop()) if len(paths) == 1 else ""
    lines = [f"{each.line:,}{f' ({clean(each.path)})' if each.path and not common else ''}" for each in shown]
    more = f" and {times - len(shown):,} more" if times > len(shown) > 1 else ""
    return f"line{'s' if len(shown) > 1 else ''} {', '.join(lines)}{more}{f' ({common})' if common else ''}"


def _lengths_lines(survey: Survey, width: int | None) -> Iterator[str]:
    lengths = survey.lengths
    if lengths is None:
        return
    rows = [[f"{each.start:,}–{each.stop - 1:,}", f"{each.examples:,}"] for each in lengths.bins]
    columns = [Column("TOKENS AN EXAMPLE", right=True), Column("EXAMPLES", right=True)]
    if not width:
        yield table(columns, rows, width=width)
    else:
        head, *body = table(columns, rows).splitlines()
        room = min(_WIDEST_BAR, width - len(head) - 2)
        most = max(each.examples for each in lengths.bins)
        yield head
        for line, each in zip(body, lengths.bins, strict=True):
            yield f"{line}  {bar(each.examples, most, room)}".rstrip()
    yield (
        f"shortest {lengths.shortest:,}, median {lengths.median:,}, "
        f"95% up to {lengths.p95:,}, longest {lengths.longest:,}"
    )
    yield ""


def _speaker_lines(survey: Survey, width: int | None) -> Iterator[str]:
    said = sorted(survey.tokens_by_speaker.items(), key=lambda each: -each[1])
    whole = sum(tokens for _, tokens in said)
    if not whole:
        return
    rows = [[speaker, f"{tokens:,}", f"{100 * tokens / whole:.0f}%"] for speaker, tokens in said]
    columns = [Column("ROLE"), Column("DATASET TOKENS", right=True), Column("SHARE", right=True)]
    yield table(columns, rows, width=width)
    yield ""


def size_text(survey: Survey) -> str:
    """Return the file's name, examples and dataset tokens in a line."""
    tokens = token_range(survey.dataset_tokens)
    return f"{clean(survey.path)}: {count(survey.examples, 'example')}, {tokens} dataset tokens"


def _verdict(survey: Survey) -> str:
    size = size_text(survey)
    errors = sum(survey.problem_counts[code] for code in {problem.code for problem in survey.errors})
    return f"{size}, {count(errors, 'error')}" if errors else f"{size}, valid"
