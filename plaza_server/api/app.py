"""Puts the routes together: one error map, documentation without any other host's files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fastapi_offline
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from plaza_server.api import (
    commands,
    coupons,
    entries,
    etc_dues,
    fares,
    health,
    lanes,
    open_orders,
    operators,
    passages,
    payments,
    platforms,
    receipts,
    reconciliations,
    records,
    refunds,
    roots,
    tariffs,
)
from plaza_server.api.documents import COMPONENTS
from plaza_server.api.door import is_payment, pay_directly
from plaza_server.api.plaza import Plaza
from plaza_server.api.problems import (
    ApiProblemError,
    crashed,
    on_api_problem,
    on_bad_parameter,
    on_http_error,
    on_toll_error,
    problem_response,
)
from plaza_server.api.public import RateBound
from plaza_server.shell.runner import place_of
from tolling.errors import TollError

_STATIC = Path(fastapi_offline.__file__).parent / "static"
_ABOUT = """Contracts of lanes, staff and the public with one toll plaza.

Money is whole fen. Instants are UTC milliseconds. Errors are problem+json and never repeat the
input.
"""


class LastResort:
    """Outermost: what no handler caught was answered as a bare 500; its text goes nowhere."""

    def __init__(self, app: ASGIApp, plaza: Plaza) -> None:
        self._app = app
        self._plaza = plaza
        self._log = structlog.get_logger("plaza.api")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        try:
            if is_payment(scope):
                await pay_directly(self._plaza, scope, receive, send)
            else:
                await self._app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - the supervisor of all handlers
            # The framework answers with _on_anything, then raises again for a server's log. That
            # log would hold the error's text, which may hold input.
            self._log.error(
                "handler_broke", error=type(error).__name__, route=_route(scope), at=place_of(error)
            )


def _route(scope: Scope) -> str:
    """Return the route's pattern, not the path: a path may hold anything."""
    return str(getattr(scope.get("route"), "path", ""))


def make_app(plaza: Plaza) -> FastAPI:
    """Return the API over *plaza*."""
    app = FastAPI(
        title="Open toll lane: plaza",
        version=plaza.version,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
    )
    app.state.plaza = plaza
    app.state.public_rate = RateBound()
    for part in (payments, records, entries, tariffs, lanes, operators, commands, health):
        app.include_router(part.router)
    for part in (coupons, etc_dues, open_orders, passages, platforms, reconciliations, refunds):
        app.include_router(part.router)
    for router in (fares.router, receipts.router, receipts.pages, roots.router):
        app.include_router(router)
    app.add_exception_handler(ApiProblemError, on_api_problem)
    app.add_exception_handler(TollError, on_toll_error)
    app.add_exception_handler(RequestValidationError, on_bad_parameter)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, _on_anything)
    _add_documentation(app)
    return app


def guarded(app: FastAPI) -> ASGIApp:
    """Return *app* behind the last resort; the framework's own would log the error's text."""
    return LastResort(app, app.state.plaza)


async def _on_anything(_: Request, error: Exception) -> Response:
    del error
    problem = crashed()
    return problem_response(
        problem.status, code=problem.code, reason=problem.reason, detail=problem.detail
    )


def _add_documentation(app: FastAPI) -> None:
    app.mount("/assets", StaticFiles(directory=_STATIC), name="assets")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url="/assets/swagger-ui-bundle.js",
            swagger_css_url="/assets/swagger-ui.css",
            swagger_favicon_url="/assets/favicon.png",
        )

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            text = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
            )
            text.setdefault("components", {}).setdefault("schemas", {}).update(COMPONENTS)
            app.openapi_schema = text
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
