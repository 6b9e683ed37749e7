"""Jobs that others made: taken in once, with their bills, and never at the cost of paying twice."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_ADOPT = "ftjobs/workflows/adopt.py"
_ADOPTION = "ftjobs/workflows/adoption.py"
_LEDGER = "ftjobs/ledger/adopting.py"
_CONTRACT = "tests/contract/test_ledger_adopting.py"
_ECHO = f"{_CONTRACT}::test_an_account_keeps_metadata_only_where_a_job_echoes_its_own_submission"
_WIRE = "tests/wire/test_adopt.py"
_ONCE = "tests/wire/test_adopt_pays_once.py"
_STEP = "5 adopting"

ADOPTING = (
    Mutant(
        "strangers-key-believed",
        f"{_STEP}: a stranger's job has no content key",
        "asking for our whole metadata",
        _ADOPTION,
        "(keeps_id and all([told, key, quote]))",
        "(keeps_id and bool(key))",
        (f"{_WIRE}::test_a_strangers_job_neither_holds_nor_frees_a_content_key[a key alone]",),
    ),
    Mutant(
        "strangers-share-a-key",
        f"{_STEP}: a stranger's key is its own",
        "the job in the key",
        _ADOPTION,
        "json.dumps([account, job_id])",
        "json.dumps([account])",
        (f"{_WIRE}::test_a_key_is_the_strangers_own_for_good",),
    ),
    Mutant(
        "copied-name-is-a-twin",
        f"{_STEP}: a copied name makes no twin",
        "comparing the content key",
        _ADOPT,
        "return submission.account == self.session.account and told_key(job) == submission.key",
        "return submission.account == self.session.account",
        (f"{_WIRE}::test_what_copies_the_name_of_a_submission_of_ours_stays_a_stranger",),
    ),
    Mutant(
        "open-submission-robbed",
        f"{_STEP}: a job of an open submission is left to it",
        "looking for open submissions",
        _LEDGER,
        "        open=select_submissions(connection, is_open),",
        "        open=[],",
        (
            f"{_WIRE}::test_a_job_of_an_open_submission_is_left_to_it[uncertain]",
            f"{_ONCE}::test_a_lost_reply_is_left_to_its_submission_and_attached_by_it",
        ),
    ),
    Mutant(
        "adopted-is-no-news",
        f"{_STEP}: a lookup sees what was adopted beside it",
        "that: what another submission has is hidden",
        "ftjobs/workflows/lookup.py",
        "    return key == submission.key or not (CONTENT_KEY.fullmatch(key) or key.startswith(DISOWNED))",
        "    return False",
        (
            f"{_ONCE}::test_a_job_with_our_key_and_odd_metadata_answers_before_and_after_it_was_adopted",
            f"{_ONCE}::test_what_waits_to_be_sent_is_answered_with_a_twin_that_was_adopted_meanwhile",
        ),
    ),
    Mutant(
        "key-lost-with-what-it-replaces",
        f"{_STEP}: a known job takes over the key",
        "handing it over",
        "ftjobs/ledger/store.py",
        "                sightings.free_key(connection, replaces)\n",
        "                pass\n",
        (f"{_CONTRACT}::test_a_job_that_is_known_takes_over_the_key_of_what_it_replaces",),
    ),
    Mutant(
        "key-held-twice",
        f"{_STEP}: a key is held where nobody holds it",
        "asking who holds it",
        _LEDGER,
        '        row["holds_key"] = int(row["holds_key"] and submission.key not in keys)\n',
        "",
        (f"{_CONTRACT}::test_a_key_is_held_once_whoever_comes_with_it",),
    ),
    Mutant(
        "adopted-twice",
        f"{_STEP}: again, it changes nothing",
        "leaving alone what is recorded",
        _LEDGER,
        "        if job.id in taken:\n            continue\n",
        "",
        (f"{_CONTRACT}::test_again_and_twice_at_once_it_changes_nothing",),
    ),
    Mutant(
        "metadata-text-anywhere",
        f"{_STEP}: metadata is echoed by the submission's own id",
        "comparing the id",
        "ftjobs/ledger/trails.py",
        '_metadata(raw).get("ftjobs_submission") == own_id',
        '"ftjobs_submission" in raw',
        (
            f"{_ECHO}[sqlite-in another field]",
            f"{_ECHO}[sqlite-another id]",
        ),
    ),
    Mutant(
        "since-reads-on",
        f"{_STEP}: the first page of older jobs is the last",
        "stopping",
        _ADOPT,
        "        if page.jobs and not wanted and newest_first:\n            return\n",
        "",
        (f"{_WIRE}::test_since_a_time_the_first_page_of_older_jobs_is_the_last_one",),
    ),
    Mutant(
        "partial-rescue-is-success",
        f"{_STEP}: a partial rescue is no success",
        "its exit code",
        "ftjobs/cli/adopt.py",
        "    return rescued.exit_code if rescued else 0",
        "    return 0",
        ("tests/e2e/test_adopt.py::test_a_partial_rescue_is_no_success_and_the_same_command_completes_it",),
    ),
)
