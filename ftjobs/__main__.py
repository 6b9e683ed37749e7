"""The process: `ftjobs` and `python -m ftjobs`."""

from __future__ import annotations

import gc
import io
import sys
from typing import NoReturn

_LOOK_FOR_RINGS_AFTER = 200_000  # new objects


def main() -> NoReturn:
    """The command line has run and the process ends with its exit code."""
    # A command makes values that last until it ends: looking for rings among 10,000 jobs
    # takes a third of the time.
    gc.set_threshold(_LOOK_FOR_RINGS_AFTER)
    try:
        from ftjobs.cli.main import main as run
        from ftjobs.cli.old_terminals import ERRORS

        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors=ERRORS)  # an old code page must not fail a command

        code = run()
    except KeyboardInterrupt:  # before the command line could say it better
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
