"""One map from what went wrong to what the caller is told (RFC 9457 problem+json).

``code`` is the stable number of ``tolling/errors.toml``, ``reason`` one stable word. No input is
repeated: it may hold a pay code, so long runs of code-like characters are cut out even of our own
texts. No trace leaves the process.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from plaza_server.engine import Problem, ProblemCode
from tolling.errors import (
    BadInputError,
    LedgerConflictError,
    RefusedError,
    TariffGapError,
    TollError,
)

MEDIA_TYPE = "application/problem+json"
_SECRET_LIKE = re.compile(r"[A-Za-z0-9+/=]{16,}")

PROBLEM_STATUS: dict[ProblemCode, tuple[int, int]] = {
    ProblemCode.CONFLICT: (409, LedgerConflictError.code),
    ProblemCode.NOT_FOUND: (404, RefusedError.code),
    ProblemCode.TOO_MANY_OPEN: (409, RefusedError.code),
    ProblemCode.UNKNOWN_LANE: (403, RefusedError.code),
    ProblemCode.WRONG_EPOCH: (409, RefusedError.code),
    ProblemCode.BAD_REQUEST: (422, BadInputError.code),
    ProblemCode.BUSY: (503, RefusedError.code),
    ProblemCode.STORE_FAILED: (503, TollError.code),
}
"""The engine's problem -> (HTTP status, stable code)."""

ERROR_STATUS: tuple[tuple[type[TollError], int, str], ...] = (
    (BadInputError, 400, "bad_input"),
    (LedgerConflictError, 409, "conflict"),
    (TariffGapError, 404, "tariff_gap"),
    (RefusedError, 403, "refused"),
    (TollError, 500, "internal"),
)
"""The first class that fits gives (HTTP status, reason)."""


class ApiProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(
        self,
        status: int,
        *,
        code: int,
        reason: str,
        detail: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status, reason)
        self.status = status
        self.code = code
        self.reason = reason
        self.detail = detail
        self.headers = headers or {}


def clean(text: str) -> str:
    """Return *text* without anything that could be a code or a token."""
    return _SECRET_LIKE.sub("…", text)[:300]


def problem_response(
    status: int, *, code: int, reason: str, detail: str, headers: dict[str, str] | None = None
) -> Response:
    """Return one problem as the answer."""
    fields = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "reason": reason,
        "detail": clean(detail),
    }
    more = dict(headers or {})
    if status == 503:
        more.setdefault("Retry-After", "1")
    return Response(
        json.dumps(fields, ensure_ascii=False), status, headers=more, media_type=MEDIA_TYPE
    )


def of_engine(problem: Problem) -> ApiProblemError:
    """Return the engine's problem as the request's end."""
    status, code = PROBLEM_STATUS[problem.code]
    return ApiProblemError(status, code=code, reason=problem.code.value, detail=problem.what)


def crashed() -> ApiProblemError:
    """Return the end of a request that broke the engine."""
    return ApiProblemError(
        500, code=TollError.code, reason="internal", detail="internal error; staff have an alarm"
    )


async def on_api_problem(_: Request, error: Exception) -> Response:
    """Answer a problem raised on purpose."""
    assert isinstance(error, ApiProblemError)
    return problem_response(
        error.status,
        code=error.code,
        reason=error.reason,
        detail=error.detail,
        headers=error.headers,
    )


async def on_toll_error(_: Request, error: Exception) -> Response:
    """Answer one of our own errors."""
    assert isinstance(error, TollError)
    status, reason = next((s, r) for kind, s, r in ERROR_STATUS if isinstance(error, kind))
    return problem_response(status, code=error.code, reason=reason, detail=str(error))


async def on_bad_parameter(_: Request, error: Exception) -> Response:
    """Name the wrong path or query parameter, without its value."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return problem_response(
        400, code=BadInputError.code, reason="bad_input", detail=f"{place}: {first['msg']}"
    )


async def on_http_error(_: Request, error: Exception) -> Response:
    """Answer what the framework refuses: no such path, no such method."""
    assert isinstance(error, HTTPException)
    reason = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return problem_response(
        error.status_code,
        code=RefusedError.code,
        reason=reason,
        detail=HTTPStatus(error.status_code).description or reason,
        headers=dict(error.headers or {}),
    )
