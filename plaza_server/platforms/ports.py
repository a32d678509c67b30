"""The face every payment platform's client shows to the shell."""

from __future__ import annotations

from typing import Protocol

from plaza_server.engine import CallKind
from plaza_server.platforms.calls import PlatformOrder
from plaza_server.rules.outcomes import PlatformOutcome
from tolling.paycodes import PayCode


class PlatformClient(Protocol):
    """One platform over its network. Never raises for what a platform or a network does."""

    @property
    def name(self) -> str:
        """The platform's name, as orders and metrics carry it."""

    @property
    def skew_ms(self) -> int | None:
        """Platform clock minus ours by the last answer, 1 s coarse; None before the first."""

    async def start(self) -> None:
        """Open the session. Called once, inside the running loop."""

    async def call(
        self,
        kind: CallKind,
        order: PlatformOrder,
        *,
        code: PayCode | None,
        now_ms: int,
        budget_ms: int,
    ) -> PlatformOutcome:
        """Make one call, once, and return what it proves.

        Args:   code: for PAY only. now_ms: UTC wall clock, for the platform's timestamp.
                budget_ms: how long an answer is of use; the client's own limit may be shorter.
        """

    async def close(self) -> None:
        """Close the session; calls under way end as UNKNOWN."""
