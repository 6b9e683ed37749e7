"""One pass over a training file's bytes: hashed as they are read, line by line, parsed or said why not."""

from __future__ import annotations

import hashlib
import io
import json
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, NoReturn

from ftjobs.dataset.formats import KNOWN_KEYS
from ftjobs.dataset.problems import Place, Problem
from ftjobs.errors import UsageError

MAX_LINE_BYTES = 64 * 1024 * 1024  # hundreds of times the longest context; more is not an example
_CHUNK_BYTES = 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (  # UTF-32 first: its little-endian mark begins with UTF-16's
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_WIDE_PATTERNS: dict[
    tuple[bool, ...], str
] = {  # where the first four bytes are not NUL, in text that begins with ASCII
    (True, False, True, False): "UTF-16LE",
    (False, True, False, True): "UTF-16BE",
    (True, False, False, False): "UTF-32LE",
    (False, False, False, True): "UTF-32BE",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line as read: its example, or None with the problems that say why there is none.

    `number` counts from 1. A line that holds nothing is `blank`. `raw` are its bytes with the line's end; it is
    empty where the line was too long to be kept.
    """

    number: int
    example: dict[str, Any] | None
    problems: tuple[Problem, ...]
    blank: bool = False
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive whole lines, of which the first is number `first_line`: about a MiB, or one longer line.

    `unread` is why there is no content: a line that is too long, or a whole file in another encoding.
    """

    first_line: int
    content: bytes
    unread: Problem | None = None


class _NotJsonNumberError(ValueError):
    pass


class Parser:
    """The lines of a block, parsed."""

    def __init__(self) -> None:
        self._repeated: str | None = None
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object, parse_constant=self._refuse_constant)

    def lines(self, block: Block) -> Iterator[Line]:
        """Yield the lines of a block, each parsed or with the problem that says why not."""
        if block.unread is not None:
            yield Line(block.first_line, None, (block.unread,), blank=block.unread.line is None)
            return
        for number, raw in enumerate(io.BytesIO(block.content), block.first_line):
            yield self._line(raw, number)

    def _line(self, raw: bytes, number: int) -> Line:
        at = Place(number)
        problems = []
        content = raw.removesuffix(b"\n")
        if raw.endswith(b"\r\n"):
            problems.append(
                at.warning("crlf", "the line ends as on Windows (CRLF): save the file with plain newlines")
            )
        if number == 1 and content.startswith(_BOM):
            content = content.removeprefix(_BOM)
            problems.append(
                at.warning("bom", "the file begins with a byte order mark: save it as UTF-8 without one")
            )
        if not content.strip(b" \t\r"):
            problems.append(at.warning("blank_line", "the line is blank: remove it"))
            return Line(number, None, tuple(problems), blank=True, raw=raw)
        found = self._parse(content, at, cut_off=not raw.endswith(b"\n"))
        if isinstance(found, Problem):
            return Line(number, None, (*problems, found), raw=raw)
        if self._repeated is not None:
            problems.append(_repeated_key(self._repeated, at))
        return Line(number, found, tuple(problems), raw=raw)

    def _parse(self, content: bytes, at: Place, *, cut_off: bool) -> dict[str, Any] | Problem:
        advice = (
            "the file may be cut off here, so compare it with its original"
            if cut_off
            else "write each example as one JSON object on one line, in UTF-8"
        )
        text = _decode(content, at, advice)
        if isinstance(text, Problem):
            return text
        self._repeated = None
        try:
            value = self._decoder.decode(text)
        except json.JSONDecodeError as error:
            return at.error("invalid_json", f"not JSON at column {error.colno:,} ({error.msg}): {advice}")
        except _NotJsonNumberError:
            return at.error("not_json_number", "NaN and Infinity are not JSON: use null, a number or a string")
        except ValueError:  # the interpreter's bound on the digits of an integer
            return at.error("number_too_long", "a number has thousands of digits: write it as a string")
        except RecursionError:
            return too_deep(at)
        not_an_object = at.error("not_an_object", f"the line is JSON but not an object: {advice}")
        return value if isinstance(value, dict) else not_an_object

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            self._repeated, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        return members

    @staticmethod
    def _refuse_constant(_: str) -> NoReturn:
        raise _NotJsonNumberError


class Reader:
    """The lines of one file; once iterated, `bytes` and `sha256` are of exactly the bytes that were read.

    Iterate once, over its lines or its blocks. Holds a block at a time, no line above MAX_LINE_BYTES. Content is
    never raised about, it becomes problems. UsageError: the file is missing, not a regular file or unreadable.
    """

    def __init__(self, path: Path) -> None:
        self.bytes = 0
        self._path = path
        self._hash = hashlib.sha256()

    @property
    def size(self) -> int:
        """The file's size before it is read, 0 where it cannot be told: reading it will say why."""
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    @property
    def sha256(self) -> str:
        """Return the hash of the bytes read so far, in hex."""
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[Line]:
        parser = Parser()
        for block in self.blocks():
            yield from parser.lines(block)

    def blocks(self) -> Iterator[Block]:
        """Yield the file as runs of whole lines."""
        path = self._path
        try:
            _refuse_irregular(path)
            with path.open("rb") as stream:
                yield from self._blocks(stream)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UsageError(
                "dataset_missing",
                f"The file {path} does not exist.",
                next_step="Check the path; it is relative to the current directory.",
                path=str(path),
            ) from error
        except OSError as error:
            raise UsageError(
                "dataset_unreadable",
                f"The training file {path} cannot be read: {error.strerror}.",
                next_step="Check its permissions and that its disk is there.",
                path=str(path),
            ) from error

    def _blocks(self, stream: BufferedReader) -> Iterator[Block]:
        if wide := _wide_encoding(stream.peek(4)[:4]):
            while self._took(stream.read(_CHUNK_BYTES)):
                pass
            problem = Place(None).error(
                "wrong_encoding",
                f"the file is {wide}, not UTF-8: convert it, as with `iconv -f {wide} -t UTF-8 SRC > OUT`",
            )
            yield Block(1, b"", problem)
            return
        number = 1
        while content := self._took(stream.read(min(_CHUNK_BYTES, MAX_LINE_BYTES))):
            begun = len(content) - (content.rfind(b"\n") + 1)
            rest = self._took(stream.readline(MAX_LINE_BYTES + 1 - begun)) if begun else b""
            too_long = begun + len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n")
            whole = content[: len(content) - begun] if too_long else content + rest
            if whole:
                yield Block(number, whole)
                number += whole.count(b"\n")
            if too_long:
                while (rest := self._took(stream.readline(_CHUNK_BYTES))) and not rest.endswith(b"\n"):
                    pass
                problem = Place(number).error(
                    "line_too_long",
                    f"the line is longer than {MAX_LINE_BYTES:,} bytes: write one example per line, "
                    "each line ended by a newline",
                )
                yield Block(number, b"", problem)
                number += 1

    def _took(self, raw: bytes) -> bytes:
        self._hash.update(raw)
        self.bytes += len(raw)
        return raw


def too_deep(at: Place) -> Problem:
    """Return the problem of JSON that is nested deeper than this program can follow."""
    return at.error("too_deep", "the JSON is nested hundreds of levels deep: flatten it or drop the example")


def _decode(content: bytes, at: Place, advice: str) -> str | Problem:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return at.error("not_utf8", f"byte {error.start + 1:,} of the line is not UTF-8: {advice}")
    if (nul := content.find(b"\0")) >= 0:
        return at.error("nul_byte", f"byte {nul + 1:,} of the line is NUL, so this is not text: {advice}")
    return text


def _repeated_key(key: str, at: Place) -> Problem:
    # Any other key could be training text.
    which = f"the key {key}" if key in KNOWN_KEYS else "a key"
    return at.warning("duplicate_key", f"{which} is in one object twice, and only the last counts: remove one")


def _refuse_irregular(path: Path) -> None:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise UsageError(
            "dataset_is_directory",
            f"{path} is a directory, not a training file.",
            next_step="Name one JSONL file in it.",
            path=str(path),
        )
    if not stat.S_ISREG(mode):
        raise UsageError(
            "dataset_not_a_file",
            f"{path} is not a regular file, so it cannot be read twice.",
            next_step="Save the data to a file and name that.",
            path=str(path),
        )


def _wide_encoding(start: bytes) -> str | None:
    for mark, name in _WIDE_BOMS:
        if start.startswith(mark):
            return name
    return _WIDE_PATTERNS.get(tuple(map(bool, start)))
