"""How long to wait before a line is tried again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

FIRST_S = 0.1
CAP_S = 2.0
"""A lane cannot wait longer for a device that is back."""
JITTER_SHARE = 0.25
"""Lines that broke together do not come back in step."""

Jitter = Callable[[], float]
"""Returns 0 <= x < 1, e.g. ``random.random``; passed in so that tests are exact."""


@dataclass(slots=True)
class Backoff:
    """Waits that double from 0.1 s to 2 s, shortened by up to a quarter."""

    jitter: Jitter
    _next_s: float = FIRST_S

    def reset(self) -> None:
        """Begin again: the line works."""
        self._next_s = FIRST_S

    def next_s(self) -> float:
        """Return the seconds to wait now, 0.075..2, and double the next."""
        wait = self._next_s * (1 - JITTER_SHARE * self.jitter())
        self._next_s = min(self._next_s * 2, CAP_S)
        return wait
