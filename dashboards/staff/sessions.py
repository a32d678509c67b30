"""Who is signed in: a browser's cookie names a session, its token stays in this process's memory.

The token is what the plaza knows a person by. It is asked for once, never sent back to a browser
and written nowhere; who restarts the pages signs in again. The plaza judges it anew at every call,
so a person whose token was replaced can do nothing more, whatever the page shows.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

LIFE_MS = 12 * 3600 * 1000
"""A shift; then a page that was left open belongs to nobody."""
SESSIONS_MAX = 256
"""More people than a plaza has; the oldest makes room."""


@dataclass(slots=True, kw_only=True)
class Session:
    """One person at one browser."""

    session_id: str = field(repr=False)
    token: str = field(repr=False)
    name: str
    role: str
    """attendant, assistant, shift_leader; admin."""
    form_key: str = field(repr=False)
    """Stands in every form of this session, so that no other page sends one for it."""
    until_ms: int
    notice: tuple[bool, str] | None = None
    """Whether the last action was done, and what is to be told of it, once."""

    def is_own_form(self, key: str) -> bool:
        """Return whether a form is one of this session's."""
        return hmac.compare_digest(key.encode("utf-8"), self.form_key.encode("ascii"))

    def take_notice(self) -> tuple[bool, str] | None:
        """Return what is to be told, and forget it."""
        notice, self.notice = self.notice, None
        return notice


class Sessions:
    """Sessions of this process, by their secret ids."""

    def __init__(self, *, now_ms: Callable[[], int]) -> None:
        """*now_ms*: milliseconds of a clock that only goes forward."""
        self._now_ms = now_ms
        self._sessions: dict[str, Session] = {}

    def open(self, *, token: str, name: str, role: str) -> Session:
        """Begin a session of whoever holds *token*."""
        while len(self._sessions) >= SESSIONS_MAX:
            del self._sessions[next(iter(self._sessions))]
        made = Session(
            session_id=secrets.token_urlsafe(32),
            token=token,
            name=name,
            role=role,
            form_key=secrets.token_urlsafe(16),
            until_ms=self._now_ms() + LIFE_MS,
        )
        self._sessions[made.session_id] = made
        return made

    def find(self, session_id: str) -> Session | None:
        """Return a session that has not run out."""
        found = self._sessions.get(session_id)
        if found is not None and found.until_ms <= self._now_ms():
            self.close(session_id)
            return None
        return found

    def close(self, session_id: str) -> None:
        """End a session, where there is one."""
        self._sessions.pop(session_id, None)
