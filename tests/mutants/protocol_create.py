"""Section 4, the create call: signals, one POST, and what its outcome proves."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_API = "ftjobs/provider/api.py"
_CREATE_PY = "ftjobs/workflows/create.py"
_KILLS = "tests/e2e/test_pay_once_kills.py"
_OUTCOMES = "ftjobs/provider/outcomes.py"
_PROTOCOL = "tests/wire/test_protocol.py"
_REFUSALS = "tests/e2e/test_pay_once_refusals.py"
_REPLIES = "tests/wire/test_create_outcomes.py"
_REQUESTS = "tests/wire/test_api_requests.py"
_SIGNALS = "tests/e2e/test_pay_once_signals.py"
_UNDISTURBED = "ftjobs/workflows/undisturbed.py"
_HOLD = "4.3 signals"
_POST = "4.6 create"
_OUTCOME = "4.7 outcome"

CREATE = (
    Mutant(
        "signals-not-held",
        f"{_HOLD}: they wait while the create call is under way",
        "holding them around the create call",
        _CREATE_PY,
        "    with undisturbed(on_signal):\n",
        '    with __import__("contextlib").nullcontext():\n',
        (f"{_SIGNALS}::test_a_signal_during_the_create_call_waits_until_its_reply_is_recorded[2-130]",),
    ),
    Mutant(
        "only-ctrl-c-held",
        f"{_HOLD}: SIGINT, SIGTERM and SIGHUP",
        "SIGTERM and SIGHUP",
        _UNDISTURBED,
        'for name in ("SIGINT", "SIGTERM", "SIGHUP")',
        'for name in ("SIGINT",)',
        (
            f"{_SIGNALS}::test_a_signal_during_the_create_call_waits_until_its_reply_is_recorded[15--15]",
            f"{_SIGNALS}::test_a_signal_during_the_create_call_waits_until_its_reply_is_recorded[1--1]",
        ),
    ),
    Mutant(
        "signals-swallowed",
        f"{_HOLD}: delivered once the reply is recorded",
        "delivering them",
        _UNDISTURBED,
        "    for number in held:\n        signal.raise_signal(number)\n",
        "",
        (f"{_PROTOCOL}::test_a_terminal_that_is_gone_does_not_end_the_create_call",),
    ),
    Mutant(
        "second-signal-held",
        f"{_HOLD}: a second one is not held",
        "letting it through",
        _UNDISTURBED,
        "        if len(held) > 1:\n",
        "        if False:\n",
        (f"{_PROTOCOL}::test_a_second_signal_is_not_held",),
    ),
    Mutant(
        "ignored-signal-held",
        f"{_HOLD}: what the shell ignores stays ignored",
        "asking whether it is ignored",
        _UNDISTURBED,
        "        if signal.getsignal(number) is not signal.SIG_IGN\n",
        "",
        (f"{_PROTOCOL}::test_a_signal_that_the_shell_ignores_stays_ignored",),
    ),
    Mutant(
        "sending-after-the-post",
        f"{_POST}: `sending` is committed, then the POST leaves",
        "the order: `sending` is committed after the POST",
        _CREATE_PY,
        """        ledger.begin_sending(submission.id, came_from, now=session.now())
        reach("create.sending")
        ledger.require_lock(submission.id)  # a machine that slept here would wake to send a second time
        outcome = session.api.create_job(body)
""",
        """        reach("create.sending")
        outcome = session.api.create_job(body)
        ledger.begin_sending(submission.id, came_from, now=session.now())
""",
        (f"{_KILLS}::test_killed_while_the_request_is_on_its_way_only_resend_creates",),
    ),
    Mutant(
        "sdk-retries",
        f"{_POST}: retries off",
        "`max_retries=0` of the SDK",
        _API,
        "            max_retries=0,\n",
        "            max_retries=2,\n",
        (f"{_REPLIES}::test_every_5xx_is_uncertain", f"{_REPLIES}::test_a_real_429_is_not_sent_again"),
    ),
    Mutant(
        "redirects-followed",
        f"{_POST}: redirects off",
        "`follow_redirects=False`",
        _API,
        "            follow_redirects=False,\n",
        "            follow_redirects=True,\n",
        (
            f"{_REPLIES}::test_every_3xx_is_uncertain_and_not_followed",
            f"{_REPLIES}::test_a_real_redirect_is_not_followed",
        ),
    ),
    Mutant(
        "shared-connection",
        f"{_POST}: a fresh connection",
        "the connection of its own",
        _API,
        "lambda: client.fine_tuning.jobs.with_raw_response.create(",
        "lambda: self._client.fine_tuning.jobs.with_raw_response.create(",
        (f"{_REQUESTS}::test_a_create_call_takes_a_connection_of_its_own",),
    ),
    Mutant(
        "no-seed",
        f"{_POST}: an explicit seed, else derived from the ULID",
        "the derived seed",
        _CREATE_PY,
        '        "seed": submission.seed,\n',
        '        "seed": spec.seed,\n',
        (f"{_REQUESTS}::test_a_plain_submission_sends_only_what_it_means",),
    ),
    Mutant(
        "empty-object-believed",
        f"{_POST}: the reply is validated before it is believed",
        "all that is asked of a job object: `{}` is one",
        "ftjobs/jobs/job.py",
        """    if raw.get("object") != "fine_tuning.job":
        raise ValueError("the object is not a fine_tuning.job")
    job_id, status = _text(raw.get("id")), _text(raw.get("status"))
    created_at = _instant(raw.get("created_at"))
    if not job_id or DAMAGED in job_id or not status or created_at is None:
        raise ValueError("the job object lacks a usable id, a status or created_at")
""",
        """    job_id, status = _text(raw.get("id")) or "ftjob-", _text(raw.get("status")) or "queued"
    created_at = _instant(raw.get("created_at")) or from_unix(1)
""",
        (f"{_REPLIES}::test_a_2xx_that_is_not_our_job_is_uncertain",),
    ),
    Mutant(
        "another-job-believed",
        f"{_POST}: the reply is validated before it is believed",
        "comparing file and metadata with what was sent",
        _OUTCOMES,
        "    if not _answers(job, sent):",
        "    if False:",
        (
            f"{_REPLIES}::test_a_job_that_contradicts_what_was_sent_is_uncertain",
            f"{_PROTOCOL}::test_a_create_reply_about_another_job_is_not_believed",
        ),
    ),
    Mutant(
        "conflict-is-rejected",
        f"{_OUTCOME}: 408 409 423 425 499 are uncertain",
        "409 among them: it is taken for a refusal",
        _OUTCOMES,
        "REJECTING_STATUSES = frozenset({400, 401, 402, 403, 404, 405, 411,",
        "REJECTING_STATUSES = frozenset({400, 401, 402, 403, 404, 405, 409, 411,",
        (f"{_REPLIES}::test_every_other_4xx_is_uncertain",),
    ),
    Mutant(
        "server-error-is-not-now",
        f"{_OUTCOME}: every 5xx is uncertain",
        "that: it is tried again",
        _OUTCOMES,
        "    if not 200 <= answer.status < 300:\n",
        "    if answer.status >= 500:\n        return NotNow(message, code=code)\n"
        "    if not 200 <= answer.status < 300:\n",
        (f"{_REPLIES}::test_every_5xx_is_uncertain",),
    ),
    Mutant(
        "redirect-is-rejected",
        f"{_OUTCOME}: every 3xx is uncertain",
        "that: it is taken for a refusal",
        _OUTCOMES,
        "    if answer.status in REJECTING_STATUSES:",
        "    if answer.status in REJECTING_STATUSES or 300 <= answer.status < 400:",
        (f"{_REPLIES}::test_every_3xx_is_uncertain_and_not_followed",),
    ),
    Mutant(
        "waiting-for-money",
        f"{_OUTCOME}: 429 that waiting cannot cure is rejected",
        "that: it is waited for",
        _OUTCOMES,
        "        if code in INCURABLE_429_CODES:",
        "        if False:",
        (f"{_REPLIES}::test_a_429_that_waiting_cannot_cure_is_rejected",),
    ),
    Mutant(
        "time-out-is-not-now",
        f"{_OUTCOME}: time-outs and resets are uncertain",
        "telling them from a connection that never stood",
        _API,
        "return NoReply(sent=not isinstance(cause, _NEVER_SENT), reason",
        "return NoReply(sent=False, reason",
        (f"{_REPLIES}::test_what_failed_later_is_uncertain",),
    ),
    Mutant(
        "unusable-reply-is-not-now",
        f"{_OUTCOME}: an unusable 2xx is uncertain",
        "that: it is tried again",
        _OUTCOMES,
        '        return Uncertain(f"HTTP {answer.status} with an unusable body ({one_line(str(error))})")',
        '        return NotNow(one_line(str(error)), code="unusable")',
        (f"{_REPLIES}::test_a_2xx_that_is_not_our_job_is_uncertain",),
    ),
    Mutant(
        "retry-without-looking",
        f"{_OUTCOME}: not now may be tried again after a lookup",
        "that lookup",
        _CREATE_PY,
        "                if claimed := claim(submission, look_up(submission, session), session):\n"
        "                    return claimed\n",
        "",
        (f"{_PROTOCOL}::test_after_a_429_another_machines_job_is_adopted_rather_than_paid_again",),
    ),
    Mutant(
        "retry-without-waiting",
        f"{_OUTCOME}: waited as long as the service asks",
        "the wait",
        _CREATE_PY,
        "                session.ambient.sleep(pause_s)\n                wait_s",
        "                wait_s",
        (f"{_REFUSALS}::test_a_rate_limit_that_says_how_long_is_waited_for",),
    ),
    Mutant(
        "daily-limit-tried-again",
        f"{_OUTCOME}: else exit 8 and a rerun resumes",
        "ending at once at a limit of the day",
        _CREATE_PY,
        ' or outcome.code == "daily_rate_limit_exceeded":',
        ":",
        (f"{_REFUSALS}::test_a_daily_limit_ends_the_command_and_a_rerun_resumes_the_submission[before]",),
    ),
    Mutant(
        "not-now-forgets-uncertain",
        f"{_OUTCOME}: after uncertain only `--resend` may create",
        "that state, once a 429 came after it",
        _CREATE_PY,
        "                ledger.mark(submission.id, came_from, now=session.now(), error=reason)",
        '                ledger.mark(submission.id, "recorded", now=session.now(), error=reason)',
        (f"{_PROTOCOL}::test_a_429_while_resending_leaves_the_submission_uncertain",),
    ),
    Mutant(
        "rejected-not-voided",
        f"{_OUTCOME}: a rejected submission ends, voided",
        "closing it",
        _CREATE_PY,
        'ledger.close(submission.id, "rejected", code=code, message=message, now=session.now())',
        "ledger.mark(submission.id, came_from, now=session.now(), error=message)",
        (f"{_REFUSALS}::test_a_refusal_voids_the_submission_and_a_rerun_makes_a_new_one[400-invalid_value]",),
    ),
    Mutant(
        "uncertain-sent-again",
        f"{_OUTCOME}: after uncertain only `--resend` may create",
        "that: the same command sends again at once",
        _CREATE_PY,
        "                return resolve(session.ledger.get(submission.id), session)\n",
        "                submission = session.ledger.get(submission.id)\n",
        (f"{_PROTOCOL}::test_a_429_while_resending_leaves_the_submission_uncertain",),
    ),
    Mutant(
        "rerun-sends-again",
        f"{_OUTCOME}: after uncertain only `--resend` may create",
        "that: a rerun goes on as if nothing was sent",
        "ftjobs/workflows/submit.py",
        "            return Submitted(resolve(submission, session), reused=True)",
        "            return _drive(submission, order, session, hooks)",
        (f"{_PROTOCOL}::test_a_429_while_resending_leaves_the_submission_uncertain",),
    ),
)
