"""Separators and stop marks go where every text has them, and nothing that could be content does."""

from __future__ import annotations

import pytest

from ftjobs.dataset.marks import LONGEST_MARK, MarkFinder, Marks

PROMPTS = ("Where is my order?", "I want a refund", "Is it C#")
COMPLETIONS = ("It is on its way.", "You have it", "Yes, 1")


def found(prompts: list[str], completions: list[str]) -> Marks:
    finder = MarkFinder()
    for prompt, completion in zip(prompts, completions, strict=True):
        finder.add(prompt, completion)
    return finder.marks()


def marks(*, prompt_end: str = "", start: str = "", end: str = "") -> Marks:
    return found([p + prompt_end for p in PROMPTS], [start + c + end for c in COMPLETIONS])


@pytest.mark.parametrize(
    "end",
    ["\n\n###\n\n", " ->", "\n\nAgent:", "\nAgent:", "###", "\n\n===\n\n", " =>", "\n\n---\n", "<|sep|>", "\nA: "],
)
def test_a_separator_that_every_prompt_ends_with_goes(end: str) -> None:
    assert marks(prompt_end=end).prompt_end == end


@pytest.mark.parametrize(
    "end", ["\n", "\n\n", " END", "\nEND", "###", "@@@", "<|endoftext|>", " ###", "</s>", "[END]\n"]
)
def test_a_stop_mark_that_every_completion_ends_with_goes(end: str) -> None:
    assert marks(end=end).completion_end == end


@pytest.mark.parametrize(
    "end",
    [
        *("?", ".", "...", "!!!", "?!", ")", '"', "'", "`", "```", "~~~", "$$$", "___", "***", "**", "\\\\", "]"),
        *(
            " in French",
            " please",
            "\nSummary:",
            "Agent:",
            " The answer",
            "END",
            "#",
            "##",
            "=",
            " -",
            "\n",
            " ",
            "0",
        ),
        *(" (1-3)", " C++", "</div>", "]]]", "}}}", "。", "؟"),
    ],
)
def test_an_ending_of_prompts_that_could_be_content_stays(end: str) -> None:
    assert marks(prompt_end=end).prompt_end == ""


@pytest.mark.parametrize(
    "end",
    [".", "...", "!!!", "```", " please", " ->", "\nAgent:", "END", " THE END", "The END", " ", "**", ")", "</p>"],
)
def test_an_ending_of_completions_that_could_be_content_stays(end: str) -> None:
    assert marks(end=end).completion_end == ""


def test_one_text_without_a_mark_keeps_it_on_all() -> None:
    without = found(["a ###", "b ###", "c"], [" x END", " y END", "z"])
    assert without == Marks()


def test_the_leading_space_of_every_completion_goes_and_only_one() -> None:
    done = marks(start="  ")
    assert done.completion_start == " "
    assert done.strip_completion("  x") == " x"


def test_white_space_around_a_mark_goes_as_far_as_all_have_it() -> None:
    done = found(["a\n\n###\n", "b\n###\n"], ["x", "y"])
    assert done.prompt_end == "\n###\n"
    assert done.strip_prompt("a\n\n###\n") == "a\n"


def test_a_longer_run_in_one_text_leaves_the_rest_of_it() -> None:
    done = found(["Is it C####", "Is it B###"], ["x", "y"])
    assert done.strip_prompt("Is it C####") == "Is it C#"


@pytest.mark.parametrize("empty", ["###", "\n\n###\n\n"])
def test_no_text_is_emptied(empty: str) -> None:
    assert found(["a" + empty, empty], ["x", "y"]).prompt_end == ""
    assert found(["a", "b"], ["x" + empty, empty]).completion_end == ""


def test_a_completion_of_a_space_and_a_mark_keeps_a_text() -> None:
    done = found(["a", "b"], [" ###", " x###"])
    assert all(done.strip_completion(each) for each in (" ###", " x###"))
    lone = found(["a", "b"], [" ", " x"])
    assert lone.completion_start == ""


def test_empty_texts_and_none_at_all_have_no_marks() -> None:
    assert found(["", "###"], ["", " x###"]) == Marks()
    assert MarkFinder().marks() == Marks()


def test_a_mark_at_the_end_of_a_long_common_text_is_found() -> None:
    text = "same words, " * LONGEST_MARK + "here"
    assert found([text + " ->", "another " + text + " ->"], ["x", "y"]).prompt_end == " ->"
