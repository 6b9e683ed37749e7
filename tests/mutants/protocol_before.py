"""Section 4 up to the upload: content key, record first, lock, look first, upload."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_ADOPTION = "ftjobs/workflows/adoption.py"
_BUDGET = "tests/contract/test_ledger_recording.py"
_JOBS = "tests/contract/test_ledger_jobs.py"
_KILLS = "tests/e2e/test_pay_once_kills.py"
_LARGE = "ftjobs/workflows/large_upload.py"
_LARGE_TEST = "tests/e2e/test_large_upload.py"
_LOOKUP = "ftjobs/workflows/lookup.py"
_LOST = "tests/e2e/test_pay_once_lost_replies.py"
_PAGES = "tests/wire/test_lookup_pages.py"
_PROTOCOL = "tests/wire/test_protocol.py"
_SAME = "tests/e2e/test_pay_once_same_command.py"
_SECOND = "tests/e2e/test_second_thoughts.py"
_STORE = "ftjobs/ledger/store.py"
_SUBMIT = "ftjobs/workflows/submit.py"
_UPLOAD = "tests/wire/test_api_uploads.py"
_KEY = "4.1 content key"
_RECORD = "4.2 record first"
_LOCK = "4.3 lock"
_LOOK = "4.4 look before the first create"
_SEND_FILE = "4.5 upload"
_PARTS = "4.5 upload above 512 MB"

BEFORE = (
    Mutant(
        "account-out-of-the-key",
        f"{_KEY}: of one account",
        "the account in the key",
        "ftjobs/jobs/spec.py",
        '{"v": 1, "account": account, **content}',
        '{"v": 1, **content}',
        ("tests/unit/test_jobs.py::test_another_account_has_another_key",),
    ),
    Mutant(
        "record-after-create",
        f"{_RECORD}: before anything is sent",
        "the order: upload and create come first, then the record",
        _SUBMIT,
        """            recorded = ledger.record(_new_submission(order, key, session), limits=limits)
            holder, is_new, budgets = recorded.submission, recorded.is_new, recorded.budgets
""",
        """            first = _new_submission(order, key, session)
            from dataclasses import replace
            from ftjobs.workflows.create import _request_body
            file = provide_file(order.training, session, known_id=None, may_share=True, on_sent=hooks.on_sent)
            made = session.api.create_job(_request_body(replace(first, training_file_id=file)))
            recorded = ledger.record(first, limits=limits)
            holder, is_new, budgets = recorded.submission, recorded.is_new, recorded.budgets
            ledger.attach(holder.id, made.job, now=session.now())
""",
        (f"{_KILLS}::test_killed_after_the_service_made_the_job_the_same_command_takes_it_in",),
    ),
    Mutant(
        "budget-outside-the-transaction",
        f"{_RECORD}: the budget is checked in the same transaction",
        "the one transaction: the budget is read in one, the submission written in another",
        _STORE,
        """        with self._transaction(writes=True) as connection:
            if holder := self._holder(connection, submission.key):
                return Recorded(holder, is_new=False)
            covered = covering(limits, submission.profile, submission.tags)
            standing = budget_states(connection, covered, month_of(now))
            budgets = tuple(admit(state, submission.quote.cost.high) for state in standing)
""",
        """        covered = covering(limits, submission.profile, submission.tags)
        standing = self.budgets(covered, month_of(now))
        budgets = tuple(admit(state, submission.quote.cost.high) for state in standing)
        with self._transaction(writes=True) as connection:
            if holder := self._holder(connection, submission.key):
                return Recorded(holder, is_new=False)
""",
        (f"{_BUDGET}::test_recording_at_once_never_exceeds_the_limit",),
    ),
    Mutant(
        "budget-not-checked",
        f"{_RECORD}: the budget is checked",
        "the refusal of what does not fit",
        "ftjobs/ledger/budget.py",
        "    if after.headroom < Usd(0):",
        "    if False:",
        (f"{_BUDGET}::test_the_budget_admits_to_the_last_nano_dollar_and_not_beyond",),
    ),
    Mutant(
        "key-not-unique",
        f"{_RECORD}: the key is UNIQUE among live and succeeded submissions",
        "UNIQUE in the migration",
        "migrations/versions/0001_first_ledger.py",
        "        unique=True,\n",
        "        unique=False,\n",
        (
            f"{_BUDGET}::test_the_database_itself_refuses_a_second_live_submission_of_a_key",
            "tests/migrations/test_schema.py::test_constraints_and_strictness_are_those_of_the_tables_too",
        ),
    ),
    Mutant(
        "stale-state-believed",
        f"{_RECORD}: a rerun asks the service what became of the job",
        "retrieving the job of a created submission",
        _SUBMIT,
        "    job = session.api.retrieve_job(submission.job.id)\n",
        "    job = submission.job\n",
        (
            f"{_PROTOCOL}::test_a_twin_that_lives_on_holds_the_key_when_the_first_job_fails",
            f"{_PROTOCOL}::test_a_job_that_the_service_lost_is_not_made_anew",
        ),
    ),
    Mutant(
        "failed-job-keeps-its-key",
        f"{_RECORD}: a job that failed frees its key",
        "freeing it",
        "ftjobs/ledger/sightings.py",
        "    for submission_id, job in changed.items():\n        if job.failed:\n",
        "    for submission_id, job in changed.items():\n        if False:\n",
        (f"{_BUDGET}::test_a_job_that_ended_without_a_model_frees_its_key",),
    ),
    Mutant(
        "closed-submission-keeps-its-key",
        f"{_RECORD}: what created nothing frees its key",
        "freeing it",
        "ftjobs/ledger/states.py",
        '{"state": state, "holds_key": 0, ',
        '{"state": state, ',
        (f"{_BUDGET}::test_a_submission_that_created_nothing_frees_its_key",),
    ),
    Mutant(
        "twin-is-no-heir",
        f"{_RECORD}: a twin that lives on holds the key",
        "handing the key of a failed job to its twin",
        "ftjobs/ledger/sightings.py",
        "    if heir and not is_held:",
        "    if False:",
        (f"{_JOBS}::test_a_twin_that_lives_on_holds_the_key_when_the_first_job_fails",),
    ),
    Mutant(
        "stopped-and-not-voided",
        f"{_RECORD}: what stops it for good before `sending` voids it",
        "closing the submission",
        _SUBMIT,
        "        ledger.close(submission.id, state, code=error.code, message=error.message, now=session.now())\n",
        "",
        (f"{_SAME}::test_a_file_that_changes_between_survey_and_upload_creates_nothing",),
    ),
    Mutant(
        "consent-for-good",
        f"{_RECORD}: resuming asks for consent again",
        "asking again",
        _SUBMIT,
        "                consent()  # it has spent nothing yet",
        "                pass  # it has spent nothing yet",
        (f"{_PROTOCOL}::test_resuming_asks_for_consent_again",),
    ),
    Mutant(
        "resumed-past-the-budget",
        f"{_RECORD}: resuming is admitted again",
        "admitting it to today's budgets",
        _SUBMIT,
        "                ledger.readmit(current, limits=limits, now=session.now())\n",
        "",
        (f"{_SECOND}::test_a_rerun_meets_a_budget_that_was_lowered",),
    ),
    Mutant(
        "resumed-at-an-old-price",
        f"{_RECORD}: at another price, or with other tags, it is recorded anew",
        "comparing what was recorded with what is asked for",
        _SUBMIT,
        "                if not _stands_for(current, order, session):",
        "                if False:",
        (
            f"{_SECOND}::test_a_rerun_at_another_price_is_a_submission_of_its_own",
            f"{_SECOND}::test_a_rerun_with_another_tag_is_a_submission_of_its_own",
        ),
    ),
    Mutant(
        "resumed-for-good",
        f"{_RECORD}: left to be resumed for a day",
        "the day",
        _SUBMIT,
        "                if session.now() - current.recorded_at > RESUME_WITHIN:",
        "                if False:",
        (f"{_PROTOCOL}::test_a_recorded_submission_expires_after_a_day_and_frees_its_key",),
    ),
    Mutant(
        "no-lock",
        f"{_LOCK}: upload to recorded reply under one lock",
        "the lock around `submit`",
        _SUBMIT,
        "            submission_lock(ledger.place, holder.id, on_wait=partial(hooks.on_follow, holder.id)),",
        '            __import__("contextlib").nullcontext(),',
        (f"{_SAME}::test_the_same_command_at_the_same_time_makes_one_job[2]",),
    ),
    Mutant(
        "lock-by-another-name",
        f"{_LOCK}: one lock for one ledger, whatever it is called",
        "following a link to the ledger itself",
        "ftjobs/ledger/place.py",
        "    return Path(name).expanduser().resolve()",
        "    return Path(name).expanduser().absolute()",
        (f"{_PROTOCOL}::test_a_ledger_behind_a_link_has_the_same_locks",),
    ),
    Mutant(
        "sending-twice",
        f"{_LOCK}: only one process can commit to `sending`",
        "the state that `sending` must come from",
        _STORE,
        'states.move(connection, submission_id, {came_from}, now, state="sending"',
        'states.move(connection, submission_id, _OPEN, now, state="sending"',
        (
            f"{_JOBS}::test_only_one_process_can_commit_to_sending",
            f"{_PROTOCOL}::test_a_submission_that_another_process_is_sending_is_not_sent_again",
        ),
    ),
    Mutant(
        "no-lookup-before-create",
        f"{_LOOK}: an empty ledger does not pay twice",
        "the lookup",
        _SUBMIT,
        "        found = look_up(submission, session)\n",
        '        found = __import__("ftjobs.workflows.lookup").workflows.lookup.Found((), ())\n',
        (f"{_SAME}::test_without_its_ledger_the_same_command_adopts_the_job_with_its_estimate",),
    ),
    Mutant(
        "same-content-not-adopted",
        f"{_LOOK}: another ledger's job with our key is adopted",
        "adopting it",
        _ADOPTION,
        "    if not found.same_content:\n",
        "    if True:\n",
        (f"{_PROTOCOL}::test_after_a_429_another_machines_job_is_adopted_rather_than_paid_again",),
    ),
    Mutant(
        "adopted-without-estimate",
        f"{_LOOK}: adopted with its estimate",
        "the estimate",
        _ADOPTION,
        "        quote=quote or (like.quote if like else None),",
        "        quote=None,",
        (f"{_PROTOCOL}::test_a_twin_without_metadata_commits_what_its_sibling_was_estimated_at",),
    ),
    Mutant(
        "metadata-without-key",
        f"{_LOOK}: metadata carries the key",
        "the key in the metadata",
        _ADOPTION,
        "{**MARK, SUBMISSION: submission.id, KEY: submission.key}",
        "{**MARK, SUBMISSION: submission.id}",
        ("tests/wire/test_api_requests.py::test_a_plain_submission_sends_only_what_it_means",),
    ),
    Mutant(
        "metadata-believed-everywhere",
        f"{_LOOK}: metadata is believed once a host has echoed it",
        "waiting for the echo",
        "ftjobs/workflows/session.py",
        "        return self.api.profile.keeps_metadata or self.ledger.metadata_kept(self.account)",
        "        return True",
        (f"{_PAGES}::test_without_metadata_the_file_tells",),
    ),
    Mutant(
        "any-job-is-an-echo",
        f"{_LOOK}: metadata is believed once a host has echoed it",
        "looking for our metadata in what came back",
        "ftjobs/ledger/trails.py",
        "    return any(_metadata(raw)",
        "    return True or any(_metadata(raw)",
        (f"{_JOBS}::test_an_account_is_known_to_keep_metadata_once_a_job_came_back_with_ours",),
    ),
    Mutant(
        "hits-not-checked",
        f"{_LOOK}: each hit is re-checked on our side",
        "comparing the key",
        _LOOKUP,
        "and (job.metadata.get(KEY) == submission.key or job.training_file in named)",
        "",
        (f"{_PAGES}::test_a_service_that_ignores_the_filter_is_checked_here",),
    ),
    Mutant(
        "failed-content-adopted",
        f"{_LOOK}: a live or succeeded job is adopted",
        "leaving failed ones alone",
        _LOOKUP,
        "if not job.failed and (",
        "if (",
        (f"{_PAGES}::test_own_jobs_are_told_from_those_of_the_same_content",),
    ),
    Mutant(
        "upload-hash-not-checked",
        f"{_SEND_FILE}: a file that changed since the survey stops here",
        "comparing the hash of what was sent",
        "ftjobs/provider/api.py",
        "            if sent.hexdigest() != sha256:",
        "            if False:",
        (f"{_UPLOAD}::test_a_file_of_other_bytes_than_surveyed_stops_after_one_upload",),
    ),
    Mutant(
        "file-shared-without-metadata",
        f"{_SEND_FILE}: without metadata one file per submission",
        "that condition of sharing",
        _SUBMIT,
        "    key = None if session.trusts_metadata else submission.key\n",
        "    key = None\n",
        (f"{_LOST}::test_a_service_that_drops_metadata_shows_the_job_by_its_own_file",),
    ),
    Mutant(
        "file-name-without-key",
        f"{_SEND_FILE}: without metadata the file's name tells the content",
        "the key in the name",
        "ftjobs/workflows/upload.py",
        'name = f"{mark_of(key)}-{name}"',
        "name = name",
        ("tests/e2e/test_other_services.py::test_an_empty_ledger_does_not_pay_twice[azure]",),
    ),
    Mutant(
        "file-names-not-asked",
        f"{_LOOK}: without metadata the file's name is asked for",
        "asking for the files of that name",
        _LOOKUP,
        "    asks = not own and not shares_files\n",
        "    asks = False\n",
        (f"{_PAGES}::test_without_metadata_the_name_of_the_file_tells_another_machines_content",),
    ),
    Mutant(
        "several-jobs-guessed",
        f"{_LOOK}: without metadata several jobs of one file are held as uncertain",
        "holding them",
        _LOOKUP,
        "    if len(fitting) == 1 and _has_own_file(submission, session):",
        "    if fitting:",
        (f"{_PAGES}::test_without_metadata_several_jobs_of_one_file_are_told_apart_or_held",),
    ),
    Mutant(
        "file-not-looked-for",
        f"{_SEND_FILE}: reused after checking that it still exists",
        "asking the service for the file",
        "ftjobs/workflows/upload.py",
        "    remote = api.retrieve_file(candidate) if candidate else None\n",
        '    remote = RemoteFile(candidate, "processed", None) if candidate else None\n',
        (f"{_PROTOCOL}::test_an_upload_that_the_service_lost_is_sent_again",),
    ),
    Mutant(
        "file-not-waited-for",
        f"{_SEND_FILE}: a file is ready before it is used",
        "waiting for the service to process it",
        "ftjobs/workflows/upload.py",
        "    while current is not None and current.status not in ready | _GONE:",
        "    while False:",
        (f"{_KILLS}::test_killed_before_the_create_call_the_same_command_goes_on_with_the_submission",),
    ),
    Mutant(
        "parts-not-hashed",
        f"{_PARTS}: a file that changed since the survey stops here",
        "comparing the hash of all parts before the completion",
        _LARGE,
        "    if digest.hexdigest() != source.sha256:",
        "    if False:",
        (f"{_LARGE_TEST}::test_a_file_that_changes_while_its_parts_leave_is_never_completed",),
    ),
    Mutant(
        "accepted-parts-not-hashed-again",
        f"{_PARTS}: what was sent before a kill is hashed again",
        "comparing it with what lies here now",
        _LARGE,
        "    if digest.hexdigest() != upload.sent_sha256:",
        "    if False:",
        (
            f"{_LARGE_TEST}::"
            "test_a_file_that_changes_between_the_kill_and_the_last_part_is_never_completed[in a part that left]",
        ),
    ),
    Mutant(
        "upload-expiry-ignored",
        f"{_PARTS}: resumable within its hour",
        "the hour",
        _LARGE,
        "    if session.now() >= upload.expires_at:",
        "    if False:",
        (f"{_LARGE_TEST}::test_after_its_hour_an_upload_is_begun_anew_and_nothing_is_sent_to_the_old_one",),
    ),
    Mutant(
        "accepted-part-not-remembered",
        f"{_PARTS}: resumable within its hour",
        "remembering each accepted part",
        _LARGE,
        """        upload = upload.with_part(part_id, size, digest.hexdigest())
        session.ledger.files.keep(upload)
""",
        """        upload = upload.with_part(part_id, size, digest.hexdigest())
""",
        (f"{_LARGE_TEST}::test_killed_in_the_middle_the_same_command_sends_the_missing_parts_only",),
    ),
    Mutant(
        "completed-upload-not-looked-for",
        f"{_PARTS}: a completion whose answer was lost is found",
        "looking for its file",
        _LARGE,
        "        found = find_file(api, upload.name, size=source.bytes)\n",
        "        found = None\n",
        (f"{_LARGE_TEST}::test_an_answer_to_the_completion_that_is_lost_costs_nothing",),
    ),
    Mutant(
        "upload-without-its-lock",
        f"{_PARTS}: two submissions at once send a file once",
        "the lock around it",
        "ftjobs/workflows/upload.py",
        "    with _turn(source, session) if in_parts else nullcontext():",
        "    with nullcontext():",
        (f"{_LARGE_TEST}::test_two_submissions_of_one_file_at_once_send_it_once",),
    ),
)
