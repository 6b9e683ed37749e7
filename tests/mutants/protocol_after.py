"""Section 4 after the create call: resend, lookup, orphans."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_API = "ftjobs/provider/api.py"
_CREATE_PY = "ftjobs/workflows/create.py"
_LOST = "tests/e2e/test_pay_once_lost_replies.py"
_ORPHANS = "tests/contract/test_ledger_orphans.py"
_PAGES = "tests/wire/test_lookup_pages.py"
_PROTOCOL = "tests/wire/test_protocol.py"
_READS = "tests/wire/test_api_reads.py"
_RESEND = "ftjobs/workflows/resend.py"
_AGAIN = "4.7 resend"
_LOOKUP = "4.8 lookup"
_ORPHAN = "4.9 orphans"

AFTER = (
    Mutant(
        "four-lookups",
        f"{_AGAIN}: 5 valid, empty lookups",
        "one of them",
        _RESEND,
        "LOOKUPS = 5\n",
        "LOOKUPS = 4\n",
        (f"{_LOST}::test_resend_counts_valid_lookups_only_filtered_and_unfiltered",),
    ),
    Mutant(
        "filtered-lookups-only",
        f"{_AGAIN}: filtered and unfiltered",
        "the unfiltered ones",
        _RESEND,
        "        seen = look_up(submission, session, everywhere=True)",
        "        seen = look_up(submission, session)",
        (f"{_LOST}::test_resend_counts_valid_lookups_only_filtered_and_unfiltered",),
    ),
    Mutant(
        "not-settling",
        f"{_AGAIN}: at least `settle_s` seconds",
        "the wait between the lookups",
        _RESEND,
        "        while (left := due - ambient.monotonic()) > 0:",
        "        while (left := due - ambient.monotonic()) > settle_s:",
        (f"{_PROTOCOL}::test_a_clock_that_jumps_does_not_shorten_the_settle_time",),
    ),
    Mutant(
        "wall-clock",
        f"{_AGAIN}: monotonic seconds",
        "the monotonic clock: the time of day decides",
        _RESEND,
        "    ambient = session.ambient\n",
        '    ambient = __import__("dataclasses").replace(\n'
        "        session.ambient, monotonic=lambda: session.now().timestamp()\n    )\n",
        (f"{_PROTOCOL}::test_a_clock_that_jumps_does_not_shorten_the_settle_time",),
    ),
    Mutant(
        "resend-overlooks",
        f"{_AGAIN}: what turns up while it watches is taken in",
        "taking it in",
        _RESEND,
        "        if claimed := claim(submission, found, session):\n"
        "            return Submitted(claimed, reused=True)\n",
        "",
        (f"{_LOST}::test_a_job_that_is_listed_while_resend_watches_is_taken_in",),
    ),
    Mutant(
        "resent-on-an-old-word",
        f"{_AGAIN}: at today's price, within today's budgets",
        "checking again before creating",
        _RESEND,
        "        recheck(submission)\n",
        "",
        ("tests/e2e/test_second_thoughts.py::test_resending_meets_todays_price_and_budgets",),
    ),
    Mutant(
        "resend-without-lock",
        "4.3 lock: `--resend` takes it too",
        "the lock around `--resend`",
        _RESEND,
        "    with submission_lock(session.ledger.place, submission_id, on_wait=follow), naming(submission_id):",
        "    with naming(submission_id):",
        (f"{_PROTOCOL}::test_two_resends_at_once_create_one_job",),
    ),
    Mutant(
        "no-lookup-after-uncertain",
        f"{_LOOKUP}: found, it is adopted",
        "looking for the job of a lost reply",
        _CREATE_PY,
        "            if own := look_up(submission, session).own:\n",
        "            if own := ():\n",
        (f"{_PROTOCOL}::test_a_host_that_does_not_show_metadata_after_all_is_searched_by_file_and_seed",),
    ),
    Mutant(
        "first-page-only",
        f"{_LOOKUP}: every page",
        "all pages after the first",
        "ftjobs/provider/pages.py",
        "        if page.after is None:\n",
        "        if True:\n",
        (f"{_PAGES}::test_a_job_on_the_last_page_is_found",),
    ),
    Mutant(
        "any-object-is-a-page",
        f'{_LOOKUP}: `object == "list"`',
        "asking for it",
        "ftjobs/provider/pages.py",
        """or body.get("object") != "list" or not""",
        """or not""",
        (f"{_READS}::test_a_page_that_lies_is_asked_for_again_and_never_read_as_no_jobs",),
    ),
    Mutant(
        "null-data-is-no-jobs",
        f"{_LOOKUP}: `data` is a list",
        "that: null is read as no jobs",
        "ftjobs/provider/pages.py",
        """ or not isinstance(body.get("data"), list):
        raise ValueError(f"no list of {what}")
    return body["data"], body
""",
        """:
        raise ValueError(f"no list of {what}")
    return body.get("data") or [], body
""",
        (f"{_PAGES}::test_a_lie_on_a_later_page_is_no_answer[null data]",),
    ),
    Mutant(
        "no-has-more-is-the-end",
        f"{_LOOKUP}: `has_more` is a boolean",
        "that: a page without it is the last",
        "ftjobs/provider/pages.py",
        """page.get("has_more", False if is_whole else None)""",
        """page.get("has_more", False)""",
        (f"{_PAGES}::test_a_lie_on_a_later_page_is_no_answer[no has_more]",),
    ),
    Mutant(
        "damaged-job-passed-by",
        f"{_LOOKUP}: a page is read whole",
        "refusing one with a job that cannot be read",
        "ftjobs/provider/objects.py",
        "            if not skips_damaged:\n",
        "            if False:\n",
        (f"{_READS}::test_a_page_that_lies_is_asked_for_again_and_never_read_as_no_jobs",),
    ),
    Mutant(
        "cursor-may-stand-still",
        f"{_LOOKUP}: the cursor moves",
        "that: a page that names its own cursor is the last",
        "ftjobs/provider/objects.py",
        """    if not jobs or any(job.id == after for job in jobs):
        raise ValueError("a page whose cursor does not move")
""",
        """    if not jobs or any(job.id == after for job in jobs):
        return JobPage(jobs, None)
""",
        (f"{_PAGES}::test_a_service_that_ignores_the_cursor_is_no_answer",),
    ),
    Mutant(
        "circles-are-the-end",
        f"{_LOOKUP}: the cursor moves",
        "that: pages in circles end as if all was seen",
        "ftjobs/provider/pages.py",
        "        if page.after in seen:\n",
        "        if page.after in seen:\n            return\n",
        (f"{_PAGES}::test_pages_that_go_in_circles_are_no_answer",),
    ),
    Mutant(
        "seen-once-forgotten",
        "4.7 resend: 5 valid, empty lookups",
        "remembering a job of this content that one of them showed",
        "ftjobs/workflows/resend.py",
        "found = Found(seen.own, seen.same_content or found.same_content, seen.unseen)",
        "found = seen",
        ("tests/wire/test_keys_of_jobs.py::test_a_resend_that_saw_a_job_of_its_content_once_does_not_create",),
    ),
    Mutant(
        "adopted-is-an-echo",
        f"{_LOOKUP}: metadata is believed once a create reply echoed it",
        "that: a job adopted without our record counts",
        "ftjobs/ledger/trails.py",
        "            submissions.c.spec.is_not(None),\n",
        "",
        ("tests/wire/test_adopt_pays_once.py::test_a_submission_is_answered_with_the_job_that_was_adopted",),
    ),
    Mutant(
        "succeeded-after-all-without-key",
        f"{_LOOKUP}: a job that failed and then succeeded holds its key",
        "taking it again",
        "ftjobs/ledger/sightings.py",
        """        _write(connection, {submission_id: job}, now)
        if known.failed and not job.failed:""",
        """        _write(connection, {submission_id: job}, now)
        if False:""",
        ("tests/wire/test_keys_of_jobs.py::test_a_failed_job_that_succeeded_after_all_holds_its_key_again",),
    ),
    Mutant(
        "twins-not-recorded",
        f"{_LOOKUP}: twins are recorded",
        "the further jobs of one submission",
        "ftjobs/workflows/adoption.py",
        "    _adopt_twins(own[1:], submission, session)\n",
        "",
        (f"{_PROTOCOL}::test_a_twin_without_metadata_commits_what_its_sibling_was_estimated_at",),
    ),
    Mutant(
        "twins-not-seen",
        f"{_LOOKUP}: twins are recorded",
        "those that `status` sees in the lists",
        "ftjobs/workflows/sync.py",
        "        _take_in_twins(fetched.others, known, session)\n",
        "",
        (f"{_PROTOCOL}::test_a_twin_that_lives_on_holds_the_key_when_the_first_job_fails",),
    ),
    Mutant(
        "status-does-not-look",
        f"{_LOOKUP}: `status` looks again by itself",
        "looking",
        "ftjobs/workflows/sync.py",
        '        if is_free and submission.state in {"sending", "uncertain"}:',
        "        if False:",
        (f"{_LOST}::test_a_job_that_is_listed_late_is_taken_in_by[status]",),
    ),
    Mutant(
        "orphan-not-written",
        f"{_ORPHAN}: the id is written to a file",
        "writing it",
        _CREATE_PY,
        "            note = keep_orphan(session.ledger.place, submission.id, job)\n",
        "            note = session.ledger.place\n",
        (
            "tests/e2e/test_pay_once_recording.py"
            "::test_a_job_that_could_not_be_recorded_is_told_noted_and_taken_in_by_the_next_command",
        ),
    ),
    Mutant(
        "id-not-told",
        f"{_ORPHAN}: the id is printed",
        "printing it",
        _CREATE_PY,
        '            f"Job {job.id} was created, but',
        '            f"A job was created, but',
        (f"{_PROTOCOL}::test_whatever_stops_the_recording_the_job_is_kept_and_taken_in_later",),
    ),
    Mutant(
        "orphan-not-synced",
        f"{_ORPHAN}: fsynced",
        "fsync",
        "ftjobs/ledger/orphans.py",
        "        os.fsync(file.fileno())\n",
        "",
        (f"{_ORPHANS}::test_an_orphan_is_whole_on_disk_before_it_counts_as_kept",),
    ),
    Mutant(
        "orphan-after-half-a-line",
        f"{_ORPHAN}: no line is lost",
        "the newline before each line",
        "ftjobs/ledger/orphans.py",
        'line = "\\n" + json.dumps',
        'line = "" + json.dumps',
        (f"{_ORPHANS}::test_a_line_that_was_cut_short_does_not_swallow_the_next_one",),
    ),
    Mutant(
        "left-orphans-removed",
        f"{_ORPHAN}: no line is lost",
        "keeping what could not be taken in",
        "ftjobs/ledger/orphans.py",
        "            if left:\n",
        "            if False:\n",
        (f"{_ORPHANS}::test_lines_that_cannot_be_taken_in_stay_for_a_person_and_hide_no_other",),
    ),
    Mutant(
        "orphans-without-lock",
        f"{_ORPHAN}: no line is lost",
        "the lock while they are taken in",
        "ftjobs/ledger/orphans.py",
        """        with FileLock(f"{path}.lock", mode=0o600, fallback_to_soft=False):
            # Another""",
        """        with __import__("contextlib").nullcontext():
            # Another""",
        (f"{_ORPHANS}::test_an_orphan_kept_while_others_are_taken_in_is_not_lost",),
    ),
    Mutant(
        "orphans-not-taken-in",
        f"{_ORPHAN}: the next command adopts it",
        "taking the orphans in",
        "ftjobs/app.py",
        "        take_in_orphans(\n            ledger,",
        "        (lambda *_args, **_more: None)(\n            ledger,",
        (
            "tests/e2e/test_pay_once_recording.py"
            "::test_a_job_that_could_not_be_recorded_is_told_noted_and_taken_in_by_the_next_command",
        ),
    ),
)
