"""What is to be printed, put aside: no writer waits for whoever reads it, and a failure leaves no half of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

_IN_MEMORY = 4 * 1024 * 1024
_A_TIME = 64 * 1024


class Spool:
    """Text in memory, from a few megabytes on in a nameless file."""

    def __init__(self) -> None:
        # "" and surrogatepass: it gives back exactly what it took.
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115  closed by __exit__
            _IN_MEMORY, "w+", encoding="utf-8", errors="surrogatepass", newline=""
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, parts: Iterable[str]) -> None:
        """Take the parts of a text."""
        for part in parts:  # writelines would look at the size only after the last one
            self._file.write(part)

    def parts(self) -> Iterator[str]:
        """Yield the text in parts of any size."""
        self._file.seek(0)
        while part := self._file.read(_A_TIME):
            yield part

    def append(self, line: str) -> None:
        """Take a line; its end is ours."""
        self._file.write(f"{line}\n")

    def __iter__(self) -> Iterator[str]:
        self._file.seek(0)
        return (line[:-1] for line in self._file)
