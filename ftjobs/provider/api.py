"""The fine-tuning API as ftjobs uses it: the only importer of openai.

Bodies are read raw and validated by us: the SDK's own models accept `{}` as a job and as a page (facts measured
on openai 3.54). Its retries and redirects are off throughout; `retrying` repeats reads and uploads.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import httpx2
import openai

from ftjobs.errors import FtjobsError, UnavailableError
from ftjobs.failpoints import reach
from ftjobs.jobs.job import Job, parse_job
from ftjobs.jobs.spec import FIELDS
from ftjobs.keys import Credential
from ftjobs.models.shutdowns import parse_shutdown_date
from ftjobs.provider.lookalikes import look_alike, other_api
from ftjobs.provider.objects import JobPage, RemoteFile, parse_file, parse_page
from ftjobs.provider.outcomes import (
    Again,
    Answer,
    NoReply,
    Outcome,
    Rejected,
    Reply,
    one_line,
    outcome_of_create,
    rejected_error,
    trouble_of_read,
)
from ftjobs.provider.profiles import Profile
from ftjobs.provider.retrying import Retry, RetryPolicy, TryAgainError, call
from ftjobs.provider.uploads import HashingReader, dataset_changed, marked, opened

PAGE_LIMIT = 100
CREATE_TIMEOUT_S = 60.0
_READ_TIMEOUT = httpx2.Timeout(60.0, connect=10.0)
UPLOAD_TIMEOUT = httpx2.Timeout(600.0, connect=10.0)
# What failed before a connection stood: the request cannot have left.
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)

T = TypeVar("T")
Raw = Callable[[openai.OpenAI], Any]


@cache
def _tls(*, trust_env: bool) -> ssl.SSLContext:
    """Return what connections are secured with.

    Reading the certificates takes 20 ms, so once a process: a change of SSL_CERT_FILE is for the next one.
    """
    return httpx2.create_ssl_context(trust_env=trust_env)


class Api:
    """One account of one service.

    Reads and uploads are repeated within `policy` and end in UnavailableError or RejectedError; `create_job`
    sends once and never raises for what the network does. Close it when done. With `is_admin` the key is one that
    administers the organization, and asks for what is the organization's, whatever project the profile names.
    """

    def __init__(
        self,
        profile: Profile,
        key: Credential,
        *,
        is_admin: bool = False,
        policy: RetryPolicy | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
        on_retry: Callable[[Retry], None] = lambda _: None,
    ) -> None:
        self.profile = profile
        self._is_admin = is_admin
        self._key = key
        self._policy = policy or RetryPolicy()
        self._now = now
        self._sleep = sleep
        self._on_retry = on_retry
        self._client = self._new_client(_READ_TIMEOUT)

    def close(self) -> None:
        """Release the connections."""
        self._client.close()

    def list_jobs(
        self,
        *,
        metadata: Mapping[str, str] | None = None,
        after: str | None = None,
        skips_damaged: bool = False,
    ) -> JobPage:
        """Return one page of at most 100 jobs, filtered by the service where `metadata` is given.

        A page that lies (no list, no has_more, a cursor that does not move) is refused, never read as "no jobs":
        UnavailableError, with `unusable_answer` in its details. So is one with a damaged job, unless those may be
        skipped.
        """

        def ask(client: openai.OpenAI) -> Any:
            return client.fine_tuning.jobs.with_raw_response.list(
                limit=openai.omit if is_whole else PAGE_LIMIT,
                after=openai.omit if is_whole or after is None else after,
                metadata=dict(metadata) if metadata else openai.omit,
            )

        is_whole = "cursor" in self.profile.lacks
        return self.read(
            ask,
            lambda body: parse_page(body, after, skips_damaged=skips_damaged, is_whole=is_whole),
            doing="the list of jobs",
        )

    def retrieve_job(self, job_id: str) -> Job | None:
        """Return the job, None where the service says that there is none (404)."""

        def parse(body: object) -> Job:
            job = parse_job(body)
            if job.id != job_id:
                raise ValueError("the object is another job")
            return job

        return self.read_or_none(
            lambda client: client.fine_tuning.jobs.with_raw_response.retrieve(job_id),
            parse,
            doing=f"job {job_id}",
        )

    def retrieve_file(self, file_id: str) -> RemoteFile | None:
        """Return the file, None where the service says that there is none (404)."""
        return self.read_or_none(
            lambda client: client.files.with_raw_response.retrieve(file_id), parse_file, doing=f"file {file_id}"
        )

    def shutdown_date(self, model: str) -> date | None:
        """Return the model's shutdown date as the service tells it, None where it tells none."""
        return self.read_or_none(
            lambda client: client.models.with_raw_response.retrieve(model),
            lambda body: parse_shutdown_date(body, model),
            doing=f"model {model}",
        )

    def upload(
        self, path: Path, *, name: str, sha256: str, on_progress: Callable[[int], None] = lambda _: None
    ) -> RemoteFile:
        """Return the uploaded training file, streamed from `path` and hashed as it is sent.

        DatasetError where the bytes sent are not those that `sha256` was taken of; `on_progress` gets the bytes
        sent so far, from 0 again with each attempt.
        """

        def attempt() -> RemoteFile:
            with opened(path) as source:
                sent = HashingReader(source, on_progress)
                body = marked(sent) if self.profile.byte_order_mark else sent
                answer = self._answer(
                    lambda: self._client.files.with_raw_response.create(
                        file=(name, cast(IO[bytes], body)), purpose="fine-tune", timeout=UPLOAD_TIMEOUT
                    )
                )
            uploaded = self._usable(answer, parse_file, doing="the upload")
            if sent.hexdigest() != sha256:
                raise dataset_changed(path, file_id=uploaded.id)
            return uploaded

        return self._repeat(attempt, doing="the upload")

    def create_job(self, body: Mapping[str, Any]) -> Outcome:
        """Send one create request, once: a fresh connection, no retry, no redirect; return what came of it."""
        client = self._new_client(
            httpx2.Timeout(CREATE_TIMEOUT_S, connect=10.0), on_answer=lambda _unread: reach("create.sent")
        )
        own = {name: value for name, value in body.items() if name not in FIELDS}
        known = {name: value for name, value in body.items() if name in FIELDS}
        try:
            answer = self._answer(
                lambda: client.fine_tuning.jobs.with_raw_response.create(**known, extra_body=own or None)
            )
        except FtjobsError as error:  # no token came, so nothing left
            answer = NoReply(sent=False, reason=error.message)
        finally:
            client.close()
        return outcome_of_create(answer, sent=body, now=self._now())

    def _new_client(
        self, timeout: httpx2.Timeout, *, on_answer: Callable[[httpx2.Response], None] = lambda _: None
    ) -> openai.OpenAI:
        # A proxy has no business with this machine's own address.
        trust_env = not self.profile.is_loopback
        transport = httpx2.Client(
            verify=_tls(trust_env=trust_env),
            follow_redirects=False,
            event_hooks={
                "request": [self._rename_key] if self._sends_api_key_header else [],
                "response": [on_answer],
            },
            timeout=timeout,
            trust_env=trust_env,
        )
        client = openai.OpenAI(
            api_key=self._key.reveal,  # asked before each request: a token is a new one from time to time
            base_url=self.profile.base_url,
            timeout=timeout,
            max_retries=0,
            http_client=transport,
        )
        # Set, not passed: the constructor replaces None by the environment's, which may be another service's.
        client.organization, client.project, client.admin_api_key = (
            self.profile.organization,
            None if self._is_admin else self.profile.project,
            self._key.reveal() if self._is_admin else None,
        )
        client._custom_headers = {}  # OPENAI_CUSTOM_HEADERS, which may even replace the key
        return client

    @property
    def _sends_api_key_header(self) -> bool:
        return self.profile.auth == "api-key" and not self.profile.token_command

    def _rename_key(self, request: httpx2.Request) -> None:
        """Send the key where services of Azure's kind look for it; the SDK knows one place only."""
        request.headers["api-key"] = request.headers.pop("Authorization").removeprefix("Bearer ")

    def require_key(self) -> None:
        """Return once there is a key, or a token that is fresh; ConfigError where a command brings none."""
        self._key.reveal()

    def send_once(self, ask: Raw) -> Answer:
        """Return what came of one request, whatever it was: nothing is repeated, nothing raised."""
        return self._answer(lambda: ask(self._client))

    def _answer(self, send: Callable[[], Any]) -> Answer:
        return _answer(send, self.profile.statuses)

    def read(self, ask: Raw, parse: Callable[[object], T], *, doing: str, exact: bool = False) -> T:
        """Return what `parse` makes of an answer; one that it has a ValueError for is asked for again.

        `parse` gets fractions as Decimals where they are to be `exact`, as money is.
        """

        def attempt() -> T:
            return self._usable(self.send_once(ask), parse, doing=doing, exact=exact)

        return self._repeat(attempt, doing=doing)

    def read_or_none(self, ask: Raw, parse: Callable[[object], T], *, doing: str) -> T | None:
        """Return the same, None where the service says that there is no such thing (404)."""

        def attempt() -> T | None:
            answer = self.send_once(ask)
            if isinstance(answer, Reply) and answer.status == 404:
                return None
            return self._usable(answer, parse, doing=doing)

        return self._repeat(attempt, doing=doing)

    def _usable(self, answer: Answer, parse: Callable[[object], T], *, doing: str, exact: bool = False) -> T:
        match trouble_of_read(answer, now=self._now()):
            case Again(reason, retry_after_s):
                raise TryAgainError(reason, retry_after_s)
            case Rejected() as rejected:
                raise rejected_error(rejected, doing=doing)
            case None:
                pass
        body: object = None
        try:
            body = answer.decoded(exact=exact) if isinstance(answer, Reply) else None
            return parse(body)
        except (ValueError, RecursionError) as error:
            if name := look_alike(body):
                raise other_api(name, self.profile.base_url) from None
            raise TryAgainError(f"an unusable answer ({error})", unusable=True) from None

    def _repeat(self, attempt: Callable[[], T], *, doing: str) -> T:
        try:
            return call(attempt, policy=self._policy, sleep=self._sleep, on_retry=self._on_retry)
        except TryAgainError as error:
            asked = error.retry_after_s
            wait = (
                f"It asks to wait {asked:.0f} s; run"
                if asked
                else "Check the connection and the base URL, then run"
            )
            raise UnavailableError(
                "unavailable",
                f"The API at {self.profile.base_url} did not answer for {doing}: {error.reason.rstrip('.')}.",
                next_step=f"{wait} the same command again, it goes on where it stopped.",
                retry_after_s=asked,
                unusable_answer=error.unusable,
            ) from None


def _answer(send: Callable[[], Any], statuses: Mapping[str, str]) -> Answer:
    """Return what `send` brought back, whatever it was; nothing that the network does is raised."""
    try:
        return _reply(send().http_response, statuses)
    except openai.APIStatusError as error:
        return _reply(error.response, statuses)
    except openai.APIConnectionError as error:
        cause = error.__cause__
        reason = f"{type(cause or error).__name__}: {cause or error}".strip(": ")
        return NoReply(sent=not isinstance(cause, _NEVER_SENT), reason=one_line(reason))
    except (openai.OpenAIError, httpx2.HTTPError, OSError, ValueError) as error:
        return NoReply(sent=True, reason=type(error).__name__)


def _reply(response: httpx2.Response, statuses: Mapping[str, str]) -> Reply:
    try:
        body = response.read()
    except httpx2.HTTPError:
        body = b""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, headers, body, statuses)
