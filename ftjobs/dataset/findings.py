"""Every problem of a file, gathered so that none buries the rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ftjobs.dataset.problems import Problem

MAX_PROBLEMS_PER_CODE = 10_000
# Said once a file for each path, with how often: on every line they would bury the rest.
ONCE_PER_FILE = frozenset({"crlf", "blank_line", "deprecated_functions", "unknown_key", "duplicate_example"})


class Findings:
    """Problems as they turn up: counted, capped, and those of ONCE_PER_FILE folded into their first."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._kept: list[Problem] = []
        self._kept_by_code: Counter[str] = Counter()
        self._folded: Counter[tuple[str, str]] = Counter()

    def add(self, *problems: Problem) -> None:
        """Take in problems, in any order."""
        for problem in problems:
            code = problem.code
            self.counts[code] += 1
            if code in ONCE_PER_FILE and self._folded[code, problem.path]:
                self._folded[code, problem.path] += 1
            elif self._kept_by_code[code] < MAX_PROBLEMS_PER_CODE:
                self._kept_by_code[code] += 1
                self._kept.append(problem)
                if code in ONCE_PER_FILE:
                    self._folded[code, problem.path] = 1

    def merge(self, later: Findings) -> None:
        """Take in what was found in later lines of the same file."""
        self.counts.update(later.counts)
        for problem in later._kept:
            code, kind = problem.code, (problem.code, problem.path)
            if code in ONCE_PER_FILE and self._folded[kind]:
                self._folded[kind] += later._folded[kind]
            elif self._kept_by_code[code] < MAX_PROBLEMS_PER_CODE:
                self._kept_by_code[code] += 1
                self._kept.append(problem)
                self._folded[kind] = later._folded[kind]

    def in_order(self) -> tuple[Problem, ...]:
        """Return what was kept, by line, those of the whole file first."""
        told = (self._with_count(problem) for problem in self._kept)
        return tuple(sorted(told, key=lambda problem: problem.line or 0))

    def _with_count(self, problem: Problem) -> Problem:
        times = self._folded[problem.code, problem.path]
        if times <= 1:
            return problem
        return replace(problem, message=f"{problem.message} ({times:,} times in the file, here first)")
