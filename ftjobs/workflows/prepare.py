"""`prepare`: outputs that appear whole or not at all, and never in another file's place unasked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ftjobs.dataset.prepare import FileFacts, Prepared, Request
from ftjobs.dataset.prepare import prepare as prepare_lines
from ftjobs.errors import UsageError
from ftjobs.workflows.drafts import hidden_name, link_descriptor, opened, rename_if_free, sync_folder
from ftjobs.workflows.undisturbed import undisturbed

_READ_WRITE = 0o666
_OWNER = 0o600


@dataclass(frozen=True, slots=True)
class Places:
    """From where to where: the file to read with its name for people, and the outputs.

    `output` None is a stream. With `force` an output may stand in place of an older file.
    """

    source: Path
    shown: str
    output: Path | None
    force: bool = False

    @property
    def validation(self) -> Path | None:
        """Return the file for held-out examples: support.jsonl has support.validation.jsonl; None for a stream."""
        if self.output is None:
            return None
        return self.output.with_name(f"{self.output.stem}.validation{self.output.suffix}")


def prepare(
    request: Request,
    places: Places,
    *,
    stream: BinaryIO,
    on_progress: Callable[[int], None] = lambda _bytes: None,
) -> Prepared:
    """The outputs are there, complete and on disk, or nothing is; return what was done.

    Without an output path the lines go to `stream`. DatasetError as `dataset.prepare.prepare` says; UsageError:
    the source cannot be read, an output exists, is the source's own name, or cannot be written.
    """
    with ExitStack() as stack:
        drafts: list[Draft] = []
        if request.holdout is not None and (beside := places.validation) is not None:
            _refuse_source(places, beside)
            drafts.append(stack.enter_context(_draft(beside, places)))
        if places.output is None:
            training = Draft(None, stream)
        else:
            training = stack.enter_context(_draft(places.output, places))
        validation = drafts[0] if drafts else None
        done = prepare_lines(
            places.source, places.shown, request, training=training, validation=validation, on_progress=on_progress
        )
        drafts.append(training)  # last: where there is an output, there is its validation file
        for draft in drafts:
            draft.finish()
        _publish([draft for draft in drafts if draft.target is not None], force=places.force)
        return done


class Draft:
    """A file in the making: what is written to it is hashed and counted, and it gets its name when it is whole.

    Where the system can (Linux) it has no name at all until then, so that nothing is left of it whatever ends
    the process; elsewhere a `hidden` name in the same folder. A draft without a target is a stream.
    """

    def __init__(self, target: Path | None, stream: BinaryIO, hidden: Path | None = None) -> None:
        self.target = target
        self.hidden = hidden
        self._stream = stream
        self._hash = hashlib.sha256()
        self._bytes = self._examples = 0

    @property
    def facts(self) -> FileFacts:
        """Return what was written so far, under the name that the file has or will have."""
        return FileFacts(str(self.target or "-"), self._hash.hexdigest(), self._bytes, self._examples)

    def write(self, line: bytes) -> None:
        """One example is written."""
        with _unwritable(self.target):
            self._stream.write(line)
        self._hash.update(line)
        self._bytes += len(line)
        self._examples += 1

    def finish(self) -> None:
        """Everything is on the disk."""
        with _unwritable(self.target):
            self._stream.flush()
            if self.target is not None:
                os.fsync(self._stream.fileno())

    def link(self, name: Path) -> None:
        """The file has this name; FileExistsError where there is one of it."""
        if self.hidden is None:
            link_descriptor(self._stream.fileno(), name)
        else:
            rename_if_free(self.hidden, name)
        self.hidden = None

    def replace(self, name: Path) -> None:
        """The file has this name, in place of whatever had it; a symbolic link stays and leads to it."""
        real = Path(os.path.realpath(name))
        hidden = self.hidden or hidden_name(real.parent)
        try:
            if self.hidden is None:
                link_descriptor(self._stream.fileno(), hidden)
            hidden.replace(real)
        finally:
            hidden.unlink(missing_ok=True)


@contextmanager
def _draft(target: Path, places: Places) -> Iterator[Draft]:
    """Yield a draft of `target`; UsageError where it exists or cannot be written.

    Whoever could read the source can read it and nobody else: its mode is the source's, less the umask.
    """
    _refuse_existing(target, places)
    folder = Path(os.path.realpath(target)).parent if places.force else target.parent
    with _unwritable(target):
        descriptor, hidden = opened(folder, _mode_like(places.source))
    with os.fdopen(descriptor, "wb") as stream:
        draft = Draft(target, stream, hidden)
        try:
            yield draft
        finally:
            if draft.hidden is not None:
                draft.hidden.unlink(missing_ok=True)


def _publish(drafts: Sequence[Draft], *, force: bool) -> None:
    """The drafts have their names, in this order; without `force` none has where one name is taken.

    Signals wait meanwhile.
    """
    named: list[Path] = []
    with undisturbed():
        for draft, target in ((draft, draft.target) for draft in drafts):
            if target is None:
                continue
            try:
                with _unwritable(target):
                    if force:
                        draft.replace(target)
                    else:
                        draft.link(target)
                        named.append(target)
            except BaseException:
                for each in named:
                    each.unlink(missing_ok=True)
                raise
        for folder in {Path(os.path.realpath(target)).parent for draft in drafts if (target := draft.target)}:
            sync_folder(folder)


def _mode_like(source: Path) -> int:
    try:
        return source.stat().st_mode & _READ_WRITE | _OWNER
    except OSError:  # reading it will say why
        return _OWNER


def _refuse_source(places: Places, beside: Path) -> None:
    if _is_same(beside, places.source):
        raise UsageError(
            "output_is_source",
            f"The held-out examples would replace the source {places.shown}.",
            next_step="Give -o another name, or rename the source.",
            path=str(beside),
        )


def _refuse_existing(target: Path, places: Places) -> None:
    if not os.path.lexists(target):
        return
    if target.exists() and not target.is_file():
        what = "a directory" if target.is_dir() else "not a regular file"
        raise UsageError(
            "output_not_a_file",
            f"{target} is {what}, so no training file can be written there.",
            next_step="Name a file with -o, such as prepared.jsonl.",
            path=str(target),
        )
    if not places.force:
        raise _exists(target, is_source=_is_same(target, places.source))


def _is_same(target: Path, source: Path) -> bool:
    try:
        return target.samefile(source)
    except OSError:
        return False


def _exists(target: Path, *, is_source: bool = False) -> UsageError:
    what = "is the source itself" if is_source else "exists already"
    return UsageError(
        "output_exists",
        f"{target} {what}; nothing was written.",
        next_step="Name another file with -o, or add --force to replace this one.",
        path=str(target),
    )


@contextmanager
def _unwritable(target: Path | None) -> Iterator[None]:
    if target is None:  # a stream's troubles are the command line's
        yield
        return
    try:
        yield
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        raise UsageError(
            "output_unwritable",
            f"{target} cannot be written: {error.strerror}.",
            next_step="Name a place with -o that exists, that you may write to and that has room.",
            path=str(target),
        ) from error
