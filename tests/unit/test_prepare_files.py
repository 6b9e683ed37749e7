"""Outputs appear whole or not at all, never in another file's place unasked, and nothing is left of a failure."""

from __future__ import annotations

import io
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

import pytest

from ftjobs.dataset.prepare import Prepared, Request
from ftjobs.errors import DatasetError, FtjobsError, UsageError
from ftjobs.workflows.prepare import Places, prepare

HOLDOUT = Request(holdout=Fraction(15, 100))
LARGE = 800  # examples of 4 KB: progress is told three times a pass


@pytest.fixture(params=["nameless", "hidden", "no hard links"])
def folder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder as three kinds of systems have it."""
    if request.param != "nameless":
        monkeypatch.delattr(os, "O_TMPFILE")
    if request.param == "no hard links":

        def refuse(*_: object, **__: object) -> NoReturn:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def source_of(folder: Path, examples: int = 40) -> Path:
    path = folder / "source.jsonl"
    path.write_text(
        "".join(
            f"{json.dumps({'messages': [{'n': n, 'pad': 'x' * (4000 if examples == LARGE else 40)}]})}\n"
            for n in range(examples)
        )
    )
    return path


def run(
    folder: Path,
    request: Request = HOLDOUT,
    *,
    force: bool = False,
    name: str = "out.jsonl",
    on_progress: Callable[[int], None] = lambda _: None,
) -> Prepared:
    source = folder / "source.jsonl"
    return prepare(
        request,
        Places(source, str(source), folder / name, force=force),
        stream=io.BytesIO(),
        on_progress=on_progress,
    )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_both_files_are_there_and_nothing_else(folder: Path) -> None:
    source_of(folder)
    done = run(folder)
    assert names(folder) == {"source.jsonl", "out.jsonl", "out.validation.jsonl"}
    assert done.validation is not None
    assert (done.output.bytes, done.validation.bytes) == (
        (folder / "out.jsonl").stat().st_size,
        (folder / "out.validation.jsonl").stat().st_size,
    )


@pytest.mark.parametrize("taken", ["out.jsonl", "out.validation.jsonl"])
def test_an_existing_file_is_refused_and_kept(folder: Path, taken: str) -> None:
    source_of(folder)
    (folder / taken).write_text("mine")
    with pytest.raises(UsageError) as refused:
        run(folder)
    assert refused.value.code == "output_exists"
    assert "--force" in refused.value.next_step
    assert names(folder) == {"source.jsonl", taken}
    assert (folder / taken).read_text() == "mine"


@pytest.mark.parametrize("taken", ["out.jsonl", "out.validation.jsonl"])
def test_a_file_that_appears_meanwhile_is_kept_and_neither_output_is_there(folder: Path, taken: str) -> None:
    source_of(folder, LARGE)

    def somebody_else_writes(_: int) -> None:
        (folder / taken).write_text("theirs")

    with pytest.raises(UsageError, match="exists already"):
        run(folder, on_progress=somebody_else_writes)
    assert names(folder) == {"source.jsonl", taken}
    assert (folder / taken).read_text() == "theirs"


def test_force_replaces_both(folder: Path) -> None:
    source_of(folder)
    run(folder)
    first = (folder / "out.jsonl").read_bytes()
    run(folder, Request(holdout=Fraction(1, 5), split_seed=1), force=True)
    assert names(folder) == {"source.jsonl", "out.jsonl", "out.validation.jsonl"}
    assert (folder / "out.jsonl").read_bytes() != first


def test_the_source_itself_is_replaced_only_by_force_and_only_when_all_is_read(folder: Path) -> None:
    source = source_of(folder, LARGE)
    before = source.read_bytes()
    with pytest.raises(UsageError, match="is the source itself"):
        run(folder, Request(sample=20), name=source.name)
    assert source.read_bytes() == before
    run(folder, Request(sample=20), name=source.name, force=True)
    lines = source.read_bytes().splitlines(keepends=True)
    assert len(lines) == 20
    assert set(lines) <= set(before.splitlines(keepends=True))


def test_held_out_examples_never_replace_the_source(folder: Path) -> None:
    source = source_of(folder).rename(folder / "a.validation.jsonl")
    before = source.read_bytes()
    with pytest.raises(UsageError, match="would replace the source"):
        prepare(HOLDOUT, Places(source, str(source), folder / "a.jsonl", force=True), stream=io.BytesIO())
    assert source.read_bytes() == before
    assert names(folder) == {"a.validation.jsonl"}


def test_a_link_that_is_forced_stays_a_link(folder: Path, tmp_path: Path) -> None:
    source_of(folder)
    real = tmp_path / "real.jsonl"
    real.write_text("old")
    (folder / "out.jsonl").symlink_to(real)
    run(folder, Request(sample=20), force=True)
    assert (folder / "out.jsonl").is_symlink()
    assert len(real.read_text().splitlines()) == 20
    assert names(tmp_path) >= {"real.jsonl"}
    assert not [name for name in names(tmp_path) | names(folder) if name.endswith(".tmp")]


def test_a_link_that_leads_nowhere_is_a_name_that_is_taken(folder: Path) -> None:
    source_of(folder)
    (folder / "out.jsonl").symlink_to(folder / "gone")
    with pytest.raises(UsageError, match="exists already"):
        run(folder, Request())
    assert not (folder / "gone").exists()


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_whatever_stops_it_leaves_nothing_behind(folder: Path, failure: type[BaseException]) -> None:
    source_of(folder, LARGE)
    calls = []

    def stop_in_the_last_pass(_: int) -> None:
        calls.append(1)
        if len(calls) == 7:
            raise failure

    with pytest.raises(failure):
        run(folder, on_progress=stop_in_the_last_pass)
    assert names(folder) == {"source.jsonl"}


def test_an_output_is_on_the_disk_before_it_has_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source_of(folder)
    synced: dict[int, tuple[int, bool]] = {}
    real_fsync = os.fsync

    def watched(descriptor: int) -> None:
        facts = os.fstat(descriptor)
        synced[facts.st_ino] = (facts.st_size, "out.jsonl" in names(folder))
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    run(folder)
    for name in ("out.jsonl", "out.validation.jsonl"):
        facts = (folder / name).stat()
        assert synced[facts.st_ino] == (facts.st_size, False)


def test_an_interrupt_between_the_two_names_waits_for_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source_of(tmp_path)
    real_link = os.link

    def interrupted(*args: Any, **kwargs: Any) -> None:
        real_link(*args, **kwargs)
        if (tmp_path / "out.validation.jsonl").exists() and not (tmp_path / "out.jsonl").exists():
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(os, "link", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    assert names(tmp_path) >= {"out.jsonl", "out.validation.jsonl"}


def test_bad_data_leaves_nothing_behind(folder: Path) -> None:
    with source_of(folder).open("a") as source:
        source.write("{broken\n")
    with pytest.raises(DatasetError):
        run(folder)
    assert names(folder) == {"source.jsonl"}


def test_a_source_that_grows_meanwhile_stops_it(folder: Path) -> None:
    source = source_of(folder, LARGE)
    grown: list[int] = []

    def grow(_: int) -> None:
        if not grown:
            grown.append(1)
            with source.open("a") as stream:
                stream.write('{"messages": []}\n' * 10)

    def change(_: int) -> None:
        if len(grown) < 5:
            grown.append(1)
        elif len(grown) == 5:
            grown.append(1)
            with source.open("r+") as stream:
                stream.write('{"messages":[ ')

    for meddle in (change, lambda done: grow(done) if done > source.stat().st_size * 1.2 else None):
        grown.clear()
        with pytest.raises(DatasetError) as stopped:
            run(folder, on_progress=meddle)
        assert stopped.value.code == "dataset_changed"
        assert names(folder) == {"source.jsonl"}
        source_of(folder, LARGE)


@pytest.mark.parametrize(
    ("mode", "umask", "expected"),
    [(0o644, 0o022, 0o644), (0o600, 0o022, 0o600), (0o777, 0o077, 0o600), (0o440, 0o022, 0o640)],
)
def test_who_could_read_the_source_can_read_the_output(folder: Path, mode: int, umask: int, expected: int) -> None:
    source_of(folder).chmod(mode)
    old = os.umask(umask)
    try:
        run(folder)
    finally:
        os.umask(old)
    for name in ("out.jsonl", "out.validation.jsonl"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == expected


@pytest.mark.parametrize("name", ["nowhere/out.jsonl", ".", "x" * 300])
def test_a_place_that_cannot_be_written_is_a_usage_error(folder: Path, name: str) -> None:
    source_of(folder)
    with pytest.raises(FtjobsError) as refused:
        run(folder, Request(), name=name)
    assert refused.value.code in {"output_unwritable", "output_not_a_file"}
    assert refused.value.exit_code == 2
    assert names(folder) == {"source.jsonl"}


@pytest.mark.parametrize(
    ("name", "beside"),
    [("a.jsonl", "a.validation.jsonl"), ("a.b.jsonl", "a.b.validation.jsonl"), ("a", "a.validation")],
)
def test_the_validation_file_is_named_after_the_output(name: str, beside: str) -> None:
    assert Places(Path("x"), "x", Path("d") / name).validation == Path("d") / beside


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="only a nameless file outlives no kill")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_even_a_kill_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    source_of(tmp_path, LARGE)
    program = f"""
import io, os
from fractions import Fraction
from pathlib import Path
from ftjobs.dataset.prepare import Request
from ftjobs.workflows.prepare import Places, prepare
source = Path("source.jsonl")
def die(done):
    if done > 2.5 * source.stat().st_size:
        os.kill(os.getpid(), {int(number)})
places = Places(source, "s", Path("out.jsonl"))
prepare(Request(holdout=Fraction(1, 5)), places, stream=io.BytesIO(), on_progress=die)
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    died = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=env, capture_output=True, check=False)
    assert died.returncode == -number
    assert names(tmp_path) == {"source.jsonl"} | (names(tmp_path) & {"home"})
