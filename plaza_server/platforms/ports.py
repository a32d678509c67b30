"""The two faces of a payment platform: its codec, pure, and its client over the network."""

from __future__ import annotations

from typing import Protocol

from plaza_server.platforms.calls import HttpAnswer, HttpCall, PlatformOrder
from plaza_server.rules.calls import CallKind
from plaza_server.rules.outcomes import PlatformOutcome
from tolling.paycodes import PayCode


class PlatformCodec(Protocol):
    """One platform's bytes. Signers, verifiers and nonces are given to it; it has no clock."""

    @property
    def name(self) -> str:
        """The platform's name, as orders, accounts and metrics carry it."""

    def build(
        self, kind: CallKind, order: PlatformOrder, *, code: PayCode | None, now_ms: int
    ) -> HttpCall:
        """Return the one request of a call.

        Args:   code: for PAY only. now_ms: UTC wall clock, for the platform's timestamp.
        """

    def read(
        self, kind: CallKind, order: PlatformOrder, answer: HttpAnswer, *, now_ms: int
    ) -> PlatformOutcome:
        """Return what a whole answer proves. Total: never raises for any status, header, bytes."""

    def probe(self, *, now_ms: int) -> HttpCall:
        """Return a signed query about no order: it warms a connection, and tries key and clock."""

    def read_probe(self, answer: HttpAnswer, *, now_ms: int) -> PlatformOutcome:
        """Return what the answer to a probe proves: NotThere where key, clock and line are good."""


class PlatformClient(Protocol):
    """One platform over its network. Never raises for what a platform or a network does."""

    @property
    def name(self) -> str:
        """The platform's name, as orders, accounts and metrics carry it."""

    @property
    def skew_ms(self) -> int | None:
        """Platform clock minus ours by the last answer, 1 s coarse; None before the first, and
        where it did not tell."""

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

    async def probe(self, *, now_ms: int) -> PlatformOutcome:
        """Ask about no order: keeps a connection warm, and tells whether key and clock are good."""

    async def close(self) -> None:
        """Close the session; calls under way end as UNKNOWN."""
