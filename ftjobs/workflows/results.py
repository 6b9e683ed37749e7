"""What a job leaves at its service, kept on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ftjobs.errors import FtjobsError, UnavailableError, UsageError
from ftjobs.jobs.curve import Curve, curve_of
from ftjobs.jobs.event import Checkpoint, Event
from ftjobs.jobs.job import Job, parse_job
from ftjobs.jobs.result_file import ResultFile, read_result_file, stem_of, table_name
from ftjobs.logs import get_logger
from ftjobs.provider.api import Api
from ftjobs.provider.following import checkpoints, events, file_content
from ftjobs.workflows.drafts import PRIVATE_FOLDER, Placed, put

log = get_logger(__name__)

Draw = Callable[[Curve], Mapping[str, bytes]]
"""Pictures of a curve by file name extension; none where they cannot be drawn."""

Kind = Literal["csv", "unknown", "picture", "job", "events", "checkpoints"]

_MOST_JOB_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file that is in the folder; `placed` says whether this run wrote it."""

    path: Path
    size: int
    kind: Kind
    placed: Placed


@dataclass(frozen=True, slots=True)
class Saved:
    """What was kept of a job in `directory`; `notes` are sentences, `failure` is what went wrong first."""

    job_id: str
    directory: Path
    files: tuple[SavedFile, ...] = ()
    curve: Curve = field(default_factory=Curve)
    notes: tuple[str, ...] = ()
    failure: FtjobsError | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, whoever wrote them."""
        return tuple(each.path for each in self.files)


def save_results(
    job: Job, api: Api, directory: Path, *, force: bool = False, draw: Draw = lambda _curve: {}
) -> Saved:
    """Keep the job's result files in `directory`, and pictures of its loss; return what is there.

    Each file appears whole, under a name of ours, and never in another's place unless `force`. One that cannot be
    had is told in the notes and as the failure, and the others are kept. Where no file tells the curve, the
    job's events do; a job that goes on leaves nothing but that.
    """
    keeper = _Keeper(job, directory)
    curve = Curve()
    for number, file_id in enumerate(job.result_files if job.ended else (), 1):
        with keeper.trouble_is_told():
            file = read_result_file(b"".join(file_content(api, file_id)))
            curve = curve if curve.points else file.curve
            keeper.keep_result(number, file, force=force)
    if not curve.points:
        with keeper.trouble_is_told(fails=False):
            curve = curve_of(events(api, job.id))
    if curve.points and job.ended:
        for extension, picture in draw(curve).items():
            with keeper.trouble_is_told(fails=False):
                keeper.keep(f"{keeper.stem}-loss.{extension}", picture, "picture", force=force)
    return keeper.saved(curve)


def save_trail(job: Job, api: Api, directory: Path) -> Saved:
    """Keep everything that the service has of a job in `directory`/its id, before the service is gone.

    `job.json` is the job as it was last told, `events.jsonl` its events, oldest first, `checkpoints.json` its
    checkpoints, where the service has such; result files lie beside them. What an ended job left once is not
    fetched again; what a job told while it ran is replaced. What cannot be had is told, and never fatal.
    """
    keeper = _Keeper(job, directory / stem_of(job.id))
    try:
        keeper.make_folder()
    except UsageError as error:
        return Saved(job.id, keeper.folder, notes=(error.message,), failure=error)
    # job.json tells a later run whether what lies beside it is final, so it comes first, and a newer one last.
    known = _job_in(keeper.folder / "job.json", job.id)
    is_final = known is not None and known.ended
    if known is None:
        with keeper.trouble_is_told():
            keeper.keep("job.json", _json(job.raw), "job")
        if keeper.failure is not None:
            return keeper.saved()

    def save(name: str, kind: Kind, fetch: Callable[[], bytes]) -> None:
        if is_final and keeper.has(name, kind):
            return
        with keeper.trouble_is_told():
            keeper.keep(name, fetch(), kind, force=known is not None)

    def told_events() -> bytes:
        return _lines(_event_json(each) for each in reversed([*events(api, job.id)]))

    def told_checkpoints() -> bytes:
        return _json([_checkpoint_json(each, job.id) for each in checkpoints(api, job.id)])

    if "events" not in api.profile.lacks:
        save("events.jsonl", "events", told_events)
    if "checkpoints" not in api.profile.lacks:
        save("checkpoints.json", "checkpoints", told_checkpoints)
    for number, file_id in enumerate(job.result_files, 1):
        if is_final and keeper.has_result(number):
            continue
        with keeper.trouble_is_told():
            file = read_result_file(b"".join(file_content(api, file_id)))
            keeper.keep_result(number, file, force=known is not None)
    if known is not None and (keeper.failure is None or is_final):
        with keeper.trouble_is_told():
            keeper.keep("job.json", _json(job.raw), "job", force=True)
    return keeper.saved()


class _Keeper:
    """One job's files in one folder, under names that come from the job's id alone."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job = job
        self.folder = folder
        self.stem = stem_of(job.id)
        self.failure: FtjobsError | None = None
        self._files: list[SavedFile] = []
        self._notes: list[str] = []

    def make_folder(self) -> None:
        """The folder is there; one that is made is its owner's alone. UsageError where it cannot be made."""
        with self._writing(self.folder):
            self.folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)

    def keep_result(self, number: int, file: ResultFile, *, force: bool) -> None:
        """Keep a result file under the name of what it is."""
        name = self._result_names(number)[0 if file.kind == "csv" else 1]
        self.keep(name, file.content, file.kind, force=force)
        if file.kind == "unknown":
            self._notes.append(
                f"{name} is no table of steps: it is kept as it came ({len(file.content):,} bytes)."
            )

    def keep(self, name: str, content: bytes, kind: Kind, *, force: bool = False) -> None:
        """Keep a file; UsageError where its name is taken by something else, or it cannot be written."""
        self.make_folder()
        target = self.folder / name
        with self._writing(target):
            placed = put(target, content, force=force)
        if placed == "taken":
            raise UsageError(
                "output_exists",
                f"{target} exists already and is something else; it was left alone.",
                next_step="Name another folder with -o, or add --force to replace it.",
                path=str(target),
                job_id=self.job.id,
            )
        log.info("result.kept", job_id=self.job.id, name=name, placed=placed)
        self._files.append(SavedFile(target, len(content), kind, placed))

    def has(self, name: str, kind: Kind) -> bool:
        """Return whether the file is there already, and if so count it in."""
        target = self.folder / name
        if target.is_symlink() or not target.is_file():
            return False
        self._files.append(SavedFile(target, target.stat().st_size, kind, "there"))
        return True

    def has_result(self, number: int) -> bool:
        """Return the same for a result file, whichever kind it turned out to be."""
        table, unread = self._result_names(number)
        return self.has(table, "csv") or self.has(unread, "unknown")

    @contextmanager
    def trouble_is_told(self, *, fails: bool = True) -> Iterator[None]:
        """What goes wrong in the block is a note, and where it counts the failure: the first, or an outage.

        What a later run can cure must not hide behind what is gone for good.
        """
        try:
            yield
        except FtjobsError as error:
            self._notes.append(error.message)
            if fails and (self.failure is None or isinstance(error, UnavailableError)):
                self.failure = error

    def saved(self, curve: Curve | None = None) -> Saved:
        """Return what was kept."""
        return Saved(
            self.job.id, self.folder, tuple(self._files), curve or Curve(), tuple(self._notes), self.failure
        )

    def _result_names(self, number: int) -> tuple[str, str]:
        """Return the name that a table gets, and the one for what nobody can read."""
        return table_name(self.job.id, number), f"{self.stem}-result-{number}-unread.bin"

    @contextmanager
    def _writing(self, target: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UsageError(
                "output_unwritable",
                f"{target} cannot be written: {error.strerror or type(error).__name__}.",
                next_step="Name a folder with -o that you may write to and that has room.",
                path=str(target),
                job_id=self.job.id,
            ) from error


def _job_in(path: Path, job_id: str) -> Job | None:
    """Return the job that an earlier run kept, None where this is no such file."""
    try:
        if path.is_symlink() or path.stat().st_size > _MOST_JOB_BYTES:
            return None
        found = parse_job(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return None
    return found if found.id == job_id else None


def _json(value: Mapping[str, Any] | Sequence[Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "replace") + b"\n"


def _lines(values: Iterator[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n" for value in values)


def _event_json(event: Event) -> dict[str, Any]:
    return {
        "object": "fine_tuning.job.event",
        "id": event.id,
        "created_at": int(event.at.timestamp()),
        "level": event.level,
        "type": event.type,
        "message": event.message,
        "data": event.data,
    }


def _checkpoint_json(checkpoint: Checkpoint, job_id: str) -> dict[str, Any]:
    return {
        "object": "fine_tuning.job.checkpoint",
        "id": checkpoint.id,
        "created_at": int(checkpoint.at.timestamp()),
        "fine_tuning_job_id": job_id,
        "fine_tuned_model_checkpoint": checkpoint.model,
        "step_number": checkpoint.step,
        "metrics": checkpoint.metrics,
    }
