"""What is found block by block is what would be found in one go."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftjobs.dataset import findings as findings_module
from ftjobs.dataset.findings import Findings
from ftjobs.dataset.problems import Place, Problem

kinds = st.tuples(
    st.sampled_from(["crlf", "unknown_key", "bad_role", "truncated"]), st.sampled_from(["", "a", "b"])
)


def told(found: Findings) -> tuple[tuple[Problem, ...], dict[str, int]]:
    return found.in_order(), dict(found.counts)


@given(found=st.lists(kinds, max_size=40), cuts=st.lists(st.integers(0, 40), max_size=4))
def test_merged_blocks_say_what_one_pass_says(found: list[tuple[str, str]], cuts: list[int]) -> None:
    problems = [Place(line, path).warning(code, "see to it") for line, (code, path) in enumerate(found, 1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(findings_module, "MAX_PROBLEMS_PER_CODE", 5)
        at_once, merged = Findings(), Findings()
        at_once.add(*problems)
        for begin, end in pairwise([0, *sorted(cuts), len(problems)]):
            block = Findings()
            block.add(*problems[begin:end])
            merged.merge(block)
        assert told(merged) == told(at_once)
