"""Files that appear whole or not at all, and never in another file's place unasked."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Literal

Placed = Literal["written", "there", "taken"]
"""A file was written; was there already, byte for byte; or something else has its name, and was left alone."""

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
_DESCRIPTORS = "/proc/self/fd"


def put(target: Path, content: bytes, *, force: bool = False) -> Placed:
    """`target` holds `content`, readable by its owner alone, once it is whole and on disk; return what was done.

    With `force` it stands in place of another file, and of a symbolic link rather than of what that leads to.
    OSError where it cannot be written.
    """
    if _holds(target, content):
        return "there"
    descriptor, hidden = opened(target.parent, PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
            if hidden is None:
                name = hidden_name(target.parent) if force else target
                link_descriptor(stream.fileno(), name)
                hidden = name if force else None
        if force and hidden is not None:
            hidden.replace(target)
        elif hidden is not None:
            rename_if_free(hidden, target)
    except FileExistsError:
        return "taken"
    finally:
        if hidden is not None:
            hidden.unlink(missing_ok=True)
    sync_folder(target.parent)
    return "written"


def _holds(target: Path, content: bytes) -> bool:
    """Return whether a file of this name, no link to one, has this very content."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with suppress(OSError), os.fdopen(os.open(target, flags), "rb") as stream:
        known = os.fstat(stream.fileno())
        if stat.S_ISREG(known.st_mode) and known.st_size == len(content):
            return stream.read(len(content) + 1) == content
    return False


def opened(folder: Path, mode: int) -> tuple[int, Path | None]:
    """Return a descriptor of a new file in `folder`, and its hidden name: None where the system needs none."""
    nameless = getattr(os, "O_TMPFILE", None)
    if nameless is not None and os.access(_DESCRIPTORS, os.X_OK):
        with suppress(OSError):  # not every file system can; the attempt below says what is wrong
            return os.open(folder, nameless | os.O_WRONLY | os.O_CLOEXEC, mode), None
    hidden = hidden_name(folder)
    return os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_CLOEXEC", 0), mode), hidden


def hidden_name(folder: Path) -> Path:
    """Return a name in `folder` that nobody else has."""
    return folder / f".ftjobs-{secrets.token_hex(8)}.tmp"


def link_descriptor(descriptor: int, name: Path) -> None:
    """An open file without a name has this one; FileExistsError where there is one of it."""
    descriptors = os.open(_DESCRIPTORS, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.link(str(descriptor), name, src_dir_fd=descriptors, follow_symlinks=True)
    finally:
        os.close(descriptors)


def rename_if_free(hidden: Path, name: Path) -> None:
    """The file has its name; FileExistsError where there is one of it."""
    try:
        os.link(hidden, name)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: take the name first, then fill it
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE))
        try:
            hidden.replace(name)
        except BaseException:
            name.unlink(missing_ok=True)
            raise
    else:
        hidden.unlink()


def sync_folder(folder: Path) -> None:
    """The names in `folder` are on disk."""
    with suppress(OSError):  # Windows opens no folder; the files themselves are on the disk
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
