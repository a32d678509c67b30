"""What everybody on the internet may ask for, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from plaza_server.api.plaza import Plaza, plaza_of
from plaza_server.api.problems import ApiProblemError
from tolling.clock import NS_PER_S
from tolling.errors import RefusedError

OWN_BURST, OWN_PER_S = 30, 1
"""Of one address: a person who looks at receipts, not a machine that guesses (*)."""
ALL_BURST, ALL_PER_S = 300, 50
"""Of everybody together: far below what payments leave free (*)."""
MAX_ADDRESSES = 4096


@dataclass(slots=True)
class Bucket:
    """Tokens that come back with time."""

    burst: int
    per_s: int
    left_ns: int = 0
    """Tokens left, as the time they take to come back."""
    seen_ns: int = 0

    def __post_init__(self) -> None:
        self.left_ns = self.burst * NS_PER_S // self.per_s

    def take(self, at_ns: int) -> bool:
        """Return whether there was a token, and take it."""
        full_ns = self.burst * NS_PER_S // self.per_s
        self.left_ns = min(full_ns, self.left_ns + max(at_ns - self.seen_ns, 0))
        self.seen_ns = at_ns
        price_ns = NS_PER_S // self.per_s
        if self.left_ns < price_ns:
            return False
        self.left_ns -= price_ns
        return True


@dataclass(slots=True)
class RateBound:
    """One bucket for everybody and one per address, at most MAX_ADDRESSES of them."""

    everybody: Bucket = field(default_factory=lambda: Bucket(ALL_BURST, ALL_PER_S))
    own: dict[str, Bucket] = field(default_factory=dict)

    def allows(self, address: str, at_ns: int) -> bool:
        """Return whether one more request from *address* is welcome."""
        bucket = self.own.get(address)
        if bucket is None:
            if len(self.own) >= MAX_ADDRESSES:
                # Addresses are cheap: past this many the bound of everybody together holds alone.
                self.own.clear()
            bucket = self.own[address] = Bucket(OWN_BURST, OWN_PER_S, seen_ns=at_ns)
        return bucket.take(at_ns) and self.everybody.take(at_ns)


async def _bounded(request: Request, plaza: Annotated[Plaza, Depends(plaza_of)]) -> None:
    address = request.client.host if request.client is not None else ""
    bound: RateBound = request.app.state.public_rate
    if not bound.allows(address, plaza.clock.at_ns()):
        raise ApiProblemError(
            429,
            code=RefusedError.code,
            reason="too_many",
            detail="too many requests; try again in a minute",
            headers={"Retry-After": "60"},
        )


RATE_BOUND = Depends(_bounded)
