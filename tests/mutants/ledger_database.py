"""Section 5, the database: transactions, stamp, privacy, versions; and what never enters it."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_BACKUP = "ftjobs/ledger/backup.py"
_ENGINE = "ftjobs/ledger/engine.py"
_ENTRIES = "tests/contract/test_ledger_entries.py"
_ORPHANS = "tests/contract/test_ledger_orphans.py"
_RECORDING = "tests/contract/test_ledger_recording.py"
_SQLITE = "tests/contract/test_ledger_sqlite.py"
_EVERY_SCHEMA = "tests/migrations/test_every_schema.py"
_UPGRADE = "tests/migrations/test_upgrading.py"
_DATABASE = "5 database"
_PRIVATE = "5 private"
_VERSION = "5 migrations"
_PRAGMAS = (f"{_SQLITE}::test_every_connection_has_the_pragmas_that_keep_commits_and_triggers",)

DATABASE = (
    Mutant(
        "deferred-transactions",
        f"{_DATABASE}: BEGIN IMMEDIATE",
        "IMMEDIATE",
        _ENGINE,
        '"BEGIN IMMEDIATE" if writes else "BEGIN"',
        '"BEGIN"',
        (f"{_SQLITE}::test_a_writer_takes_its_lock_before_it_reads",),
    ),
    Mutant(
        "write-ahead-log",
        f"{_DATABASE}: pragmas",
        "`journal_mode=DELETE`",
        _ENGINE,
        '"PRAGMA journal_mode=DELETE"',
        '"PRAGMA journal_mode=WAL"',
        _PRAGMAS,
    ),
    Mutant(
        "synchronous-normal",
        f"{_DATABASE}: pragmas",
        "`synchronous=EXTRA`",
        _ENGINE,
        '"synchronous=EXTRA"',
        '"synchronous=NORMAL"',
        _PRAGMAS,
    ),
    Mutant(
        "no-busy-timeout",
        f"{_DATABASE}: pragmas",
        "`busy_timeout`: writers do not wait for each other",
        _ENGINE,
        '        f"busy_timeout={_BUSY_TIMEOUT_MS}",\n',
        '        "busy_timeout=0",\n',
        (f"{_RECORDING}::test_recording_at_once_never_exceeds_the_limit", *_PRAGMAS),
    ),
    Mutant(
        "no-foreign-keys",
        f"{_DATABASE}: pragmas",
        "`foreign_keys`",
        _ENGINE,
        '        "foreign_keys=ON",\n',
        "",
        (f"{_ENTRIES}::test_an_entry_of_an_unknown_kind_submission_or_type_is_refused",),
    ),
    Mutant(
        "stamp-not-checked",
        f"{_DATABASE}: stamps never mix",
        "comparing the stamp",
        _ENGINE,
        "    if found != stamp:",
        "    if False:",
        (f"{_SQLITE}::test_real_and_sandbox_money_never_share_a_ledger",),
    ),
    Mutant(
        "readable-ledger",
        f"{_PRIVATE}: the ledger is 0600",
        "the mode of the file",
        _BACKUP,
        "os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)",
        "os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)",
        (f"{_SQLITE}::test_a_new_ledger_and_its_folder_are_private",),
    ),
    Mutant(
        "readable-locks",
        f"{_PRIVATE}: so are the locks",
        "their mode",
        "ftjobs/ledger/locks.py",
        "    return FileLock(folder / submission_id, mode=0o600,",
        "    return FileLock(folder / submission_id, mode=0o644,",
        ("tests/contract/test_ledger_locks.py::test_locks_are_private",),
    ),
    Mutant(
        "readable-orphans",
        f"{_PRIVATE}: so are the orphans",
        "their mode",
        "ftjobs/ledger/orphans.py",
        "os.O_CREAT | os.O_WRONLY | how, 0o600)",
        "os.O_CREAT | os.O_WRONLY | how, 0o644)",
        (f"{_ORPHANS}::test_the_orphans_file_is_private_from_its_first_line_to_its_last",),
    ),
    Mutant(
        "readable-backup",
        f"{_PRIVATE}: so is a backup",
        "making it private before it is filled",
        _BACKUP,
        "    make_private(unfinished)\n",
        "",
        (f"{_EVERY_SCHEMA}::test_opening_backs_the_ledger_up_and_migrates_it_with_every_row",),
    ),
    Mutant(
        "no-backup",
        f"{_VERSION}: an older schema is backed up",
        "the backup",
        _ENGINE,
        "            _back_up(path, revision)\n",
        "",
        (f"{_EVERY_SCHEMA}::test_opening_backs_the_ledger_up_and_migrates_it_with_every_row",),
    ),
    Mutant(
        "backup-not-checked",
        f"{_VERSION}: the backup is checked",
        "the check",
        _BACKUP,
        '    if verdict != "ok":',
        "    if False:",
        (f"{_EVERY_SCHEMA}::test_a_damaged_ledger_is_neither_migrated_nor_touched",),
    ),
    Mutant(
        "half-a-backup",
        f"{_VERSION}: a copy that was cut short never bears the final name",
        "the name that it has until it is whole",
        _BACKUP,
        '    unfinished = target.with_name(f"{target.name}.part")',
        "    unfinished = target",
        (f"{_EVERY_SCHEMA}::test_a_backup_that_ends_at_any_byte_is_none_and_costs_nothing",),
    ),
    Mutant(
        "migrated-without-lock",
        f"{_VERSION}: migrated under a lock",
        "the lock",
        _ENGINE,
        '    with FileLock(f"{path}.migrate.lock", mode=0o600, fallback_to_soft=False):',
        '    with __import__("contextlib").nullcontext():',
        (
            f"{_EVERY_SCHEMA}::test_processes_that_open_it_at_once_back_it_up_and_migrate_it_once_and_see_every_row",
        ),
    ),
    Mutant(
        "newer-schema-accepted",
        f"{_VERSION}: a newer schema is refused",
        "the refusal",
        _ENGINE,
        "        if revision is not None and revision not in known:",
        "        if False:",
        (f"{_UPGRADE}::test_a_ledger_of_a_newer_version_is_refused_and_left_as_it_is",),
    ),
    Mutant(
        "every-statement-for-itself",
        f"{_DATABASE}: whole or not at all",
        "the transactions: every statement commits by itself",
        _ENGINE,
        '    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")\n',
        "    pass\n",
        (
            f"{_UPGRADE}::test_a_kill_in_the_middle_of_the_first_migration_leaves_a_ledger_that_opens",
            "tests/contract/test_ledger_entries.py::test_a_process_that_is_killed_while_recording_leaves_nothing_or_all",
        ),
    ),
    Mutant(
        "keys-in-logs",
        "5 keys never enter: logs",
        "the redaction of events",
        "ftjobs/logs.py",
        "        _scrub_event,\n",
        "",
        ("tests/unit/test_logs.py::test_no_secret_passes_however_deep_it_sits",),
    ),
    Mutant(
        "keys-in-outcomes",
        "5 keys never enter: what the service repeats",
        "the redaction of its messages",
        "ftjobs/provider/outcomes.py",
        '    line = scrub_text(" ".join(text.split()))',
        '    line = " ".join(text.split())',
        ("tests/wire/test_api_secrets.py::test_an_outcome_tells_no_secret",),
    ),
    Mutant(
        "keys-in-errors",
        "5 keys never enter: errors",
        "the redaction of an error's message",
        "ftjobs/cli/main.py",
        "    message, next_step = scrub_text(given.spelled(error.message)), scrub_text",
        "    message, next_step = given.spelled(error.message), scrub_text",
        ("tests/unit/test_cli_root.py::test_a_failure_is_two_lines_on_stderr_and_its_exit_code",),
    ),
    Mutant(
        "failpoint-strikes-forever",
        "4 proof: a failpoint strikes once",
        "consuming it",
        "ftjobs/failpoints.py",
        'os.environ.pop(VARIABLE).partition(":")[2]',
        'os.environ[VARIABLE].partition(":")[2]',
        ("tests/unit/test_failpoints.py::test_a_place_strikes_once",),
    ),
)
