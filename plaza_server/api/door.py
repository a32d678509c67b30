"""The direct way of POST /v1/payments: the framework's own takes longer than all the rules of a
payment, and a driver waits for it.

What is done is the route's own function; whoever is asked and how errors are told is the same. The
route itself stays: it documents the call, and its tests judge both ways.
"""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response
from fastapi.security.utils import get_authorization_scheme_param
from starlette.types import Receive, Scope, Send

from plaza_server.api.payments import pay_one
from plaza_server.api.payments import router as payments
from plaza_server.api.plaza import Plaza, lane_of, proven
from plaza_server.api.problems import (
    ApiProblemError,
    crashed,
    on_api_problem,
    on_toll_error,
)
from tolling.errors import TollError

PATH = payments.prefix


def is_payment(scope: Scope) -> bool:
    """Return whether a connection is a POST of a payment."""
    if scope["type"] != "http":
        return False
    asked: tuple[str, str] = scope["method"], scope["path"]
    return asked == ("POST", PATH)


async def pay_directly(plaza: Plaza, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one POST of a payment. Whatever breaks is answered, then raised again."""
    request = Request(scope, receive)
    try:
        response = await _answer(request, plaza)
    except Exception:
        await (await on_api_problem(request, crashed()))(scope, receive, send)
        raise
    await response(scope, receive, send)


async def _answer(request: Request, plaza: Plaza) -> Response:
    try:
        caller = await proven(plaza, _token(request))
        return await pay_one(request, plaza, lane_of(caller))
    except ApiProblemError as error:
        return await on_api_problem(request, error)
    except TollError as error:
        return await on_toll_error(request, error)


def _token(request: Request) -> str | None:
    """Return the bearer token of a request, as the framework reads it."""
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    return token if scheme.lower() == "bearer" and token else None
