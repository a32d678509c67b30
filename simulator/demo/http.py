"""The demo's HTTP clients: the plaza's API as its admin, and the control APIs of the outside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import aiohttp

CALL_S = 15.0
LOG_PAGE = 10_000


class CallFailedError(Exception):
    """A call that must not fail did; method, path and status, never a body."""


class Api:
    """One JSON API over one session."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, token: str = "") -> None:
        self.url = url.rstrip("/")
        self._session = session
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def call(
        self, method: str, path: str, body: object = None, *, within_s: float = CALL_S
    ) -> Any:
        """Return the JSON answered. Raises: CallFailedError: no answer, or an error."""
        try:
            async with self._session.request(
                method,
                self.url + path,
                json=body,
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=within_s),
            ) as answer:
                if answer.status >= 400:
                    raise CallFailedError(f"{method} {path}: status {answer.status}")
                return await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise CallFailedError(f"{method} {path}: {type(error).__name__}") from None


class SiteApi(Api):
    """The site's control API."""

    async def status(self) -> dict[str, Any]:
        """Return what is going on."""
        return dict(await self.call("GET", "/status"))

    async def spawn(self, lane: str, behaviour: str) -> int:
        """Bring one vehicle and return its number."""
        answer = await self.call("POST", "/vehicles", {"lane": lane, "behaviour": behaviour})
        return int(answer["vehicle_id"])

    async def memories(self) -> list[dict[str, Any]]:
        """Return what every driver remembers."""
        return list((await self.call("GET", "/memories"))["memories"])

    async def tag_charges(self, lane: str) -> list[dict[str, Any]]:
        """Return the books of a lane's ETC reader."""
        return list((await self.call("GET", f"/lanes/{lane}/etc"))["charges"])

    async def timings(self) -> list[dict[str, Any]]:
        """Return every passage's times from scan to open boom."""
        return list((await self.call("GET", "/timings"))["timings"])

    async def log(self) -> list[dict[str, Any]]:
        """Return the whole log of the road."""
        found: list[dict[str, Any]] = []
        while True:
            page = await self.call("GET", f"/log?from={len(found)}")
            found += page["entries"]
            if len(page["entries"]) < LOG_PAGE:
                return found


class PlazaApi(Api):
    """The plaza's API, as its admin."""

    async def add_lane(self, lane: str) -> str:
        """Register a lane and return its token."""
        return str((await self.call("POST", "/v1/lanes", {"lane_id": lane}))["token"])

    async def add_attendant(self, operator: str, *, name: str, pin: str) -> None:
        """Register a person who may act at the lanes."""
        await self._add_person(operator, name=name, role="attendant", pin=pin)

    async def add_shift_leader(self, operator: str, *, name: str, pin: str) -> str:
        """Register a person who may decide about money, and return the token that signs in."""
        return await self._add_person(operator, name=name, role="shift_leader", pin=pin)

    async def _add_person(self, operator: str, *, name: str, role: str, pin: str) -> str:
        body = {"name": name, "role": role, "pin": pin}
        return str((await self.call("PUT", f"/v1/operators/{operator}", body))["token"])

    async def add_entries(self, entries: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Store where vehicles entered: (entry_id, body)."""
        for entry_id, body in entries:
            await self.call("PUT", f"/v1/entries/{entry_id}", body)

    async def health(self) -> dict[str, Any]:
        """Return what the plaza says of itself."""
        return dict(await self.call("GET", "/health", within_s=3.0))
