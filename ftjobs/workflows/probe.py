"""What a service really has, asked with requests that only read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ftjobs.jobs.job import API_WORDS, ENDED_WORDS
from ftjobs.provider.api import Api
from ftjobs.provider.lookalikes import look_alike, other_api
from ftjobs.provider.outcomes import NoReply, Reply, error_of, one_line
from ftjobs.provider.profiles import Profile

_NOT_THERE = {404, 405, 501}
# No job bears this: a service that filters its list by metadata answers with none.
_NOBODY = {"ftjobs_probe": "nobody"}


@dataclass(frozen=True, slots=True)
class Probe:
    """`seen` are sentences; `toml` is a table for the settings that fits, None where there is no fine-tuning.

    `differing` are the keys in which the profile says otherwise.
    """

    seen: tuple[str, ...]
    toml: str | None
    differing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Line:
    key: str
    toml: str
    is_said: bool  # by the profile, already


def probe(api: Api) -> Probe:
    """Return what the service shows of itself in a handful of GET requests, none of them repeated.

    What only a job or a file can show stays unsaid where there is none, and what a service lacks beyond that is
    as the profile says. RejectedError `other_api` for a service that speaks another API.
    """
    asked = _Asked(api)
    jobs = asked.jobs()
    if jobs is None:
        return Probe(tuple(asked.seen), None)
    profile, lines = api.profile, list[_Line]()
    has = asked.paging(jobs)
    job = next((each for each in jobs.get("data", []) if isinstance(each, dict)), None)
    if job is None:
        asked.seen.append("There is no job to learn from: what jobs carry is not known.")
    else:
        has |= asked.features_of(job)
        lines += _lines_of(job, profile)
    if asked.files_lack_a_status():
        lines.append(_Line("file_ready", 'file_ready = [""]', None in profile.file_ready))
    lines.insert(0, _lacks(has, profile))
    toml = "\n".join([f"# in [profiles.{profile.name}]", *(line.toml for line in lines)])
    return Probe(tuple(asked.seen), toml, tuple(line.key for line in lines if not line.is_said))


class _Asked:
    """Asks, and keeps in words what was seen."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.seen: list[str] = []

    def jobs(self) -> dict[str, Any] | None:
        """Return the first page of jobs, one long; None where there is no list of jobs."""
        body, trouble = self._get(lambda client: client.fine_tuning.jobs.with_raw_response.list(limit=1))
        if name := look_alike(body):
            raise other_api(name, self._api.profile.base_url)
        if isinstance(body, dict) and isinstance(body.get("data"), list):
            return body
        self.seen.append(f"Fine-tuning is not seen here: the list of jobs is {trouble or 'no list'}.")
        return None

    def paging(self, page: Mapping[str, Any]) -> dict[str, bool]:
        """Return whether lists take a cursor, or come at once; nothing where few jobs tell neither."""
        at_once, in_pages = len(page["data"]) > 1, page.get("has_more") is True
        if not at_once and not in_pages:
            self.seen.append("Whether lists come in pages is not known: there are too few jobs to tell.")
            return {}
        self.seen.append(f"Lists come {'at once' if at_once else 'in pages'}.")
        return {"cursor": not at_once}

    def features_of(self, job: Mapping[str, Any]) -> dict[str, bool]:
        """Return which features the newest job shows, and which it lacks; what failed tells neither."""
        job_id = str(job.get("id"))
        jobs = self._api_jobs
        told = {
            "metadata": self._filters_metadata(has_some=bool(job.get("metadata"))),
            "seed": isinstance(job.get("seed"), int),
            "events": self._is_there(lambda c: jobs(c).list_events(job_id, limit=1), "events"),
            "checkpoints": self._is_there(
                lambda c: c.fine_tuning.jobs.checkpoints.with_raw_response.list(job_id, limit=1), "checkpoints"
            ),
        }
        return {name: is_there for name, is_there in told.items() if is_there is not None}

    def files_lack_a_status(self) -> bool:
        """Return whether files have none; False too where there is none to see."""
        body, trouble = self._get(lambda c: c.files.with_raw_response.list(purpose="fine-tune", limit=1))
        files = body.get("data") if isinstance(body, dict) else None
        if not isinstance(files, list):
            self.seen.append(f"Files are not listed: {trouble or 'no list'}.")
            return False
        if not files or not isinstance(files[0], dict) or files[0].get("status") is not None:
            return False
        self.seen.append("Files have no status.")
        return True

    def _filters_metadata(self, *, has_some: bool) -> bool | None:
        body, trouble = self._get(lambda c: self._api_jobs(c).list(limit=1, metadata=_NOBODY))
        found = body.get("data") if isinstance(body, dict) else None
        if not isinstance(found, list):
            reason = trouble or "no list"
            self.seen.append(f"Whether lists of jobs are filtered by metadata is not known: {reason}.")
            return None
        filters = not found
        self.seen.append(f"Lists of jobs are{'' if filters else ' not'} filtered by metadata.")
        if filters and not has_some:
            self.seen.append("The newest job shows no metadata: it is believed once a reply echoes it.")
        return filters

    def _is_there(self, ask: Callable[[Any], Any], name: str) -> bool | None:
        answer = self._api.send_once(ask)
        if isinstance(answer, Reply) and 200 <= answer.status < 300:
            return True
        if isinstance(answer, Reply) and answer.status in _NOT_THERE:
            self.seen.append(f"Jobs have no {name}.")
            return False
        trouble = f"HTTP {answer.status}" if isinstance(answer, Reply) else answer.reason
        self.seen.append(f"Whether jobs have {name} is not known: {trouble}.")
        return None

    @staticmethod
    def _api_jobs(client: Any) -> Any:
        return client.fine_tuning.jobs.with_raw_response

    def _get(self, ask: Callable[[Any], Any]) -> tuple[object, str | None]:
        """Return the decoded body of a 2xx, else None and what came in its place."""
        match self._api.send_once(ask):
            case NoReply(reason=reason):
                return None, f"not answered ({reason})"
            case Reply() as reply:
                if not 200 <= reply.status < 300:
                    return None, f"HTTP {reply.status}: {error_of(reply)[1]}".rstrip(".")
                try:
                    return reply.decoded(), None
                except (ValueError, RecursionError):
                    return None, "no JSON"


def _lacks(has: Mapping[str, bool], profile: Profile) -> _Line:
    """Return the line for what was seen to be missing, and for what the profile says of what cannot be seen."""
    lacks = {name for name, is_there in has.items() if not is_there} | (profile.lacks - has.keys())
    listed = ", ".join(f'"{name}"' for name in sorted(lacks))
    return _Line("lacks", f"lacks = [{listed}]", lacks == profile.lacks)


def _lines_of(job: Mapping[str, Any], profile: Profile) -> list[_Line]:
    lines = []
    for field, place in (("method", "method"), ("hyperparameters", "top")):
        if isinstance(job.get(field), dict):
            toml = f'hyperparameters_in = "{place}"'
            lines.append(_Line("hyperparameters_in", toml, profile.hyperparameters_in == place))
            break
    told = job.get("status")  # as the profile translates it
    if isinstance(told, str) and told not in API_WORDS | ENDED_WORDS:
        word = one_line(told, 40).replace('"', "")
        toml = f'# its newest job is "{word}": if that means it ended, add statuses = {{ "{word}" = "…" }}'
        lines.append(_Line("statuses", toml, is_said=False))
    return lines
