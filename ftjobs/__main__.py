"""The process: `ftjobs` and `python -m ftjobs`."""

from __future__ import annotations

import io
import sys
from typing import NoReturn


def main() -> NoReturn:
    """The command line has run and the process ends with its exit code."""
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # an old code page must not fail a command
        from ftjobs.cli.main import main as run

        code = run()
    except KeyboardInterrupt:  # before the command line could say it better
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
