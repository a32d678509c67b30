"""The drivers' wallets of one platform: pay codes and what their owner will do.

A code serves one pay call, also when that call fails ("single use, refresh even after failure"),
and expires by itself. Codes live here and nowhere else; every view of the books names them by
serial number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulator.models.platform_values import BuyerBehaviour, IssuedCode, Randomness
from simulator.models.platform_wire import NS_PER_MS

MAX_DRAWS = 100
"""Draws for a code nobody has had yet; 14 free digits at the least make a second draw rare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What the platform knows of one code."""

    code_no: int
    buyer_id: str
    behaviour: BuyerBehaviour
    after_ms: int
    expires_at_ns: int


class CodeBook:
    """All codes ever shown and which of them are used up."""

    def __init__(self, *, rng: Randomness, code_ttl_ms: int) -> None:
        self._rng = rng
        self._code_ttl_ms = code_ttl_ms
        self._cards: dict[str, Card] = {}
        self._used: set[int] = set()
        self._buyers: dict[str, int] = {}

    def show(
        self,
        draw: Callable[[], str],
        buyer_id: str,
        now_ns: int,
        behaviour: BuyerBehaviour,
        *,
        after_ms: int,
        ttl_ms: int | None,
    ) -> IssuedCode:
        """Return a code of *buyer_id* nobody has had yet, as *draw* makes them.

        Args:   after_ms: when the buyer confirms or closes the dialog, from the pay call, 0 and up.
                ttl_ms: lifetime, 1 and up; None = the platform's usual.
        """
        assert after_ms >= 0, "a buyer acts after the call, not before"
        assert buyer_id, "a wallet needs an owner"
        code = self._fresh(draw)
        lives_ms = self._code_ttl_ms if ttl_ms is None else ttl_ms
        assert lives_ms > 0, "a code lives for some time"
        card = Card(
            code_no=len(self._cards) + 1,
            buyer_id=buyer_id,
            behaviour=behaviour,
            after_ms=after_ms,
            expires_at_ns=now_ns + lives_ms * NS_PER_MS,
        )
        self._cards[code] = card
        self._buyers.setdefault(buyer_id, len(self._buyers) + 1)
        return IssuedCode(
            code=code, code_no=card.code_no, buyer_id=buyer_id, expires_at_ns=card.expires_at_ns
        )

    def take(self, code: str, now_ns: int) -> Card | None:
        """Use *code* up and return its card, or None where it is unknown, used or expired."""
        card = self._cards.get(code)
        if card is None or card.code_no in self._used:
            return None
        self._used.add(card.code_no)
        if now_ns >= card.expires_at_ns or card.behaviour is BuyerBehaviour.UNKNOWN_CODE:
            return None
        return card

    def is_used(self, code: str) -> bool:
        """Return whether *code* was shown once and has served its call."""
        card = self._cards.get(code)
        return card is not None and card.code_no in self._used

    def knows(self, code: str) -> bool:
        """Return whether *code* is somebody's, used up or not."""
        card = self._cards.get(code)
        return card is not None and card.behaviour is not BuyerBehaviour.UNKNOWN_CODE

    def buyers(self) -> tuple[str, ...]:
        """Return every buyer that ever held a code, in order of their first."""
        return tuple(self._buyers)

    def number_of(self, buyer_id: str) -> int:
        """Return the serial number of a buyer, 1 and up."""
        return self._buyers[buyer_id]

    def _fresh(self, draw: Callable[[], str]) -> str:
        for _ in range(MAX_DRAWS):
            code = draw()
            if code not in self._cards:
                return code
        raise AssertionError("the random source repeats itself")
