"""The plaza's API, asked with the token of the person who looks at a page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import aiohttp

WAIT_S = 10.0
"""A person waits for a page; what comes later is not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one call brought."""

    status: int
    """HTTP status; 0: no answer came, so nobody knows what became of the call."""
    fields: Any
    """The JSON body; empty where none came."""

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return self.status == 200

    @property
    def detail(self) -> str:
        """Why it was not, in the plaza's words."""
        found = self.fields.get("detail") if isinstance(self.fields, dict) else None
        return found if isinstance(found, str) else ""


SILENCE = Said(status=0, fields={})


class PlazaApi:
    """Asks one plaza. People's calls are few: each has a connection of its own."""

    def __init__(self, url: str) -> None:
        """Ask at *url*, without a slash at its end."""
        self._url = url

    async def ask(self, method: str, path: str, token: str, body: object = None) -> Said:
        """Return what the plaza answers to *token*'s holder; never raises for what it says."""
        limit = aiohttp.ClientTimeout(total=WAIT_S)
        headers = {"Authorization": f"Bearer {token}"}
        try:
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.request(
                    method, f"{self._url}{path}", json=body, headers=headers, allow_redirects=False
                ) as answer,
            ):
                return Said(status=answer.status, fields=json.loads(await answer.read()))
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return SILENCE
