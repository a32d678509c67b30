"""The pay codes of requests under way, in this process's memory only.

A code is held under the name of the request it came with: from its arrival until pay was built
with it, until the engine says it is of no use, or for 90 s, whichever comes first. A second
request with the same order number and another code has another name, so its code can never get
into the first one's payment.
"""

from __future__ import annotations

from dataclasses import dataclass

from tolling.clock import NS_PER_S
from tolling.paycodes import PayCode

MAX_AGE_NS = 90 * NS_PER_S
"""A code's own life is about a minute; nothing pays with an older one."""
MAX_CODES = 4096
"""Far more than the payments a plaza has under way; past it no more are taken."""


@dataclass(frozen=True, slots=True)
class _Held:
    code: PayCode
    until_ns: int


class CodeKeeper:
    """Codes by request."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}

    def __len__(self) -> int:
        return len(self._held)

    def keep(self, request_id: str, code: PayCode, *, at_ns: int) -> bool:
        """Hold *code*; False where there is no room, so that the request can be refused."""
        assert request_id not in self._held, "a request is named once"
        self.drop_old(at_ns=at_ns)
        if len(self._held) >= MAX_CODES:
            return False
        self._held[request_id] = _Held(code, at_ns + MAX_AGE_NS)
        return True

    def take(self, request_id: str, *, at_ns: int) -> PayCode | None:
        """Return and forget one code; None where it is gone or too old."""
        held = self._held.pop(request_id, None)
        return held.code if held is not None and at_ns <= held.until_ns else None

    def forget(self, request_id: str) -> None:
        """Forget one code."""
        self._held.pop(request_id, None)

    def drop_old(self, *, at_ns: int) -> None:
        """Forget what has been held for too long. The oldest come first, so a young one ends it."""
        while self._held:
            request_id, held = next(iter(self._held.items()))
            if held.until_ns >= at_ns:
                return
            del self._held[request_id]

    def clear(self) -> None:
        """Forget all."""
        self._held.clear()
