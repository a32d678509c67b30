"""The routes of the pages of money: who is signed in, what the plaza says, what a person tells it.

Strategy. A page is made from the plaza's answers at the moment it is asked for, and says when that
was. What a person does is a form; it goes to the plaza with that person's token, and the plaza
judges it anew. Behind it the browser is sent back to the list: a reload sends nothing twice.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from dashboards.shared.texts import PATHS
from dashboards.staff import money_pages as pages
from dashboards.staff import passage_page
from dashboards.staff.money_view import View
from dashboards.staff.plaza_api import PlazaApi, Said
from dashboards.staff.sessions import LIFE_MS, Session, Sessions

COOKIE = "toll_session"
FORM_BYTES_MAX = 8 * 1024
_NEXT = re.compile(r"/(money|passage/[0-9]{21})", re.ASCII)
_NUMBER = re.compile(r"[0-9]{21}", re.ASCII)
_HOLD = re.compile(r"[0-9]{21}C[0-9]{2}", re.ASCII)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class MoneyDesk:
    """Serves the pages of one plaza's money."""

    def __init__(
        self,
        *,
        api: PlazaApi,
        sessions: Sessions,
        plaza_id: str,
        simulation: Callable[[], bool],
        utc_ms: Callable[[], int],
    ) -> None:
        """The times come from outside; *simulation*: whether the plaza said that it is one."""
        self._api = api
        self._sessions = sessions
        self._plaza_id = plaza_id
        self._simulation = simulation
        self._utc_ms = utc_ms

    def router(self) -> APIRouter:
        """Return the routes, one set per language."""
        router = APIRouter(include_in_schema=False)
        for path in PATHS:
            for method, rest, serve in (
                ("GET", "/money", self._money),
                ("GET", "/sign-in", self._asks_who),
                ("POST", "/sign-in", self._sign_in),
                ("POST", "/sign-out", self._sign_out),
                ("GET", "/passage", self._find),
                ("GET", "/passage/{number}", self._passage),
                ("POST", "/etc/{number}", self._say),
                ("POST", "/coupons/{hold}", self._release),
            ):
                router.add_api_route(f"/{path}{rest}", serve, methods=[method])
        return router

    # ---- who ----

    def _session(self, request: Request) -> Session | None:
        return self._sessions.find(request.cookies.get(COOKIE, ""))

    def _view(self, request: Request, session: Session | None) -> View:
        path, _, rest = request.url.path.removeprefix("/").partition("/")
        return View(
            path=path,
            rest=f"/{rest}",
            plaza_id=self._plaza_id,
            simulation=self._simulation(),
            now_ms=self._utc_ms(),
            session=session,
        )

    def _stranger(self, request: Request) -> Response:
        """Send somebody who is not signed in to where they can be, and back afterwards."""
        path, _, rest = request.url.path.removeprefix("/").partition("/")
        wanted = f"?next=/{rest}" if _NEXT.fullmatch(f"/{rest}") else ""
        return _away(f"/{path}/sign-in{wanted}")

    def _ended(self, request: Request, session: Session) -> Response:
        """The plaza knows this token no more: neither do we."""
        self._sessions.close(session.session_id)
        view = self._view(request, None)
        return _html(pages.sign_in_page(view, wrong="money.signed_out"), 401)

    async def _asks_who(self, request: Request) -> Response:
        wanted = request.query_params.get("next", "")
        view = self._view(request, None)
        return _html(pages.sign_in_page(view, next_path=wanted if _NEXT.fullmatch(wanted) else ""))

    async def _sign_in(self, request: Request) -> Response:
        form = await _form(request)
        token, wanted = form.get("token", ""), form.get("next", "")
        wanted = wanted if _NEXT.fullmatch(wanted) else "/money"
        view = self._view(request, None)
        said = await self._api.ask("GET", "/v1/operators/me", token) if _sendable(token) else None
        if said is not None and said.ok:
            who = said.fields
            made = self._sessions.open(token=token, name=who["name"], role=who["role"])
            answer = _away(f"/{view.path}{wanted}")
            answer.set_cookie(
                COOKIE,
                made.session_id,
                max_age=LIFE_MS // 1000,
                httponly=True,
                samesite="strict",
                secure=request.url.scheme == "https",
            )
            return answer
        if said is None or said.status in {400, 401, 403}:
            page = pages.sign_in_page(view, wrong="money.token_wrong", next_path=wanted)
            return _html(page, 403)
        return _html(pages.sign_in_page(view, wrong="money.silent", next_path=wanted), 503)

    async def _sign_out(self, request: Request) -> Response:
        session = self._session(request)
        form = await _form(request)
        if session is not None and session.is_own_form(form.get("key", "")):
            self._sessions.close(session.session_id)
        view = self._view(request, None)
        answer = _away(f"/{view.path}/sign-in")
        answer.delete_cookie(COOKIE)
        return answer

    # ---- pages ----

    async def _money(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return self._stranger(request)
        asked = ("/v1/etc-dues?state=doubtful", "/v1/etc-dues?state=due", "/v1/coupons/holds")
        found = await asyncio.gather(*(self._api.ask("GET", path, session.token) for path in asked))
        view = self._view(request, session)
        trouble = self._trouble(request, session, found)
        if trouble is not None:
            return trouble
        doubtful, due, holds = (said.fields for said in found)
        dues = sorted(doubtful["dues"] + due["dues"], key=lambda each: each["noted_ms"])
        return _html(pages.money_page(view, dues, holds["holds"]))

    async def _find(self, request: Request) -> Response:
        path = request.url.path.removeprefix("/").partition("/")[0]
        number = request.query_params.get("number", "").strip()
        known = _NUMBER.fullmatch(number) is not None
        return _away(f"/{path}/passage/{number}" if known else f"/{path}/money")

    async def _passage(self, request: Request, number: str) -> Response:
        if _NUMBER.fullmatch(number) is None:
            return _html("", 404)
        session = self._session(request)
        if session is None:
            return self._stranger(request)
        said = await self._api.ask("GET", f"/v1/passages/{number}", session.token)
        view = self._view(request, session)
        if said.status == 404:
            return _html(passage_page.none_page(view, number), 404)
        trouble = self._trouble(request, session, [said])
        return trouble or _html(passage_page.passage_page(view, said.fields))

    def _trouble(self, request: Request, session: Session, found: list[Said]) -> Response | None:
        """Return what to show where the plaza did not tell everything."""
        if any(said.status in {401, 403} for said in found):
            return self._ended(request, session)
        if all(said.ok for said in found):
            return None
        view = self._view(request, session)
        return _html(pages.silent_page(view, view.t("money.title")), 503)

    # ---- what people tell the plaza ----

    async def _say(self, request: Request, number: str) -> Response:
        if _NUMBER.fullmatch(number) is None:
            return _html("", 404)
        return await self._act(
            request,
            f"/v1/etc-dues/{number}/outcome",
            lambda form: {
                "outcome": form.get("outcome", ""),
                "issuer_ref": form.get("issuer_ref", "").strip(),
            },
        )

    async def _release(self, request: Request, hold: str) -> Response:
        if _HOLD.fullmatch(hold) is None:
            return _html("", 404)
        return await self._act(
            request,
            f"/v1/coupons/holds/{hold}/release",
            lambda form: {"reason": form.get("reason", "").strip()},
        )

    async def _act(
        self, request: Request, path: str, body_of: Callable[[dict[str, str]], dict[str, Any]]
    ) -> Response:
        """Send a form to the plaza as its sender's word; then show the list and what came of it."""
        session = self._session(request)
        if session is None:
            return self._stranger(request)
        form = await _form(request)
        view = self._view(request, session)
        back = _away(f"/{view.path}/money")
        if not session.is_own_form(form.get("key", "")):
            session.notice = (False, view.t("money.bad_form"))
            return back
        said = await self._api.ask("POST", path, session.token, body_of(form))
        if said.status == 401:
            return self._ended(request, session)
        session.notice = notice_of(view, said)
        return back


def notice_of(view: View, said: Said) -> tuple[bool, str]:
    """Return whether a person's word was stored, and what is told of it.

    A fault of the plaza may have come after its commit: then nobody knows, as where no answer came.
    """
    if said.ok:
        return True, view.t("money.done")
    if said.detail and said.status < 500:
        return False, view.t("money.refused", said.detail)
    return False, view.t("money.act_silent")


def _html(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status, headers=_HEADERS)


def _away(path: str) -> RedirectResponse:
    return RedirectResponse(path, 303, headers={"Cache-Control": "no-store"})


def _sendable(token: str) -> bool:
    """Return whether a typed text may stand in a header at all."""
    return 0 < len(token) <= 256 and token.isascii() and token.isprintable() and " " not in token


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form; empty where it is longer than any of ours, or none."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > FORM_BYTES_MAX:
            return {}
    try:
        found = parse_qs(raw.decode("ascii"), max_num_fields=16, errors="strict")
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}
