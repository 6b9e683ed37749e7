"""The one way in which the sandbox says no."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - a refusal is an answer of the service, not a failure of it
    """An error answer: an HTTP status and the four fields of the API's error envelope."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.envelope = {"error": {"message": message, "type": kind, "param": param, "code": code}}
