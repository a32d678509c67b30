"""The drivers' wallets: pay codes and what their owner will do.

A code serves one pay call, also when that call fails ("single use, refresh even after failure"),
and expires by itself. Codes live here and nowhere else; every view of the books names them by
serial number.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.models.alipay_values import (
    NS_PER_MS,
    BuyerBehaviour,
    IssuedCode,
    Randomness,
)

PREFIXES = range(25, 31)
LENGTHS = range(16, 25)
DEFAULT_PREFIX = 28
DEFAULT_LENGTH = 18
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


class Wallets:
    """All codes ever shown and which of them are used up."""

    def __init__(self, *, rng: Randomness, code_ttl_ms: int) -> None:
        self._rng = rng
        self._code_ttl_ms = code_ttl_ms
        self._cards: dict[str, Card] = {}
        self._used: set[int] = set()
        self._buyers: dict[str, int] = {}

    def issue(
        self,
        buyer_id: str,
        now_ns: int,
        behaviour: BuyerBehaviour,
        *,
        after_ms: int,
        prefix: int,
        length: int,
        ttl_ms: int | None,
    ) -> IssuedCode:
        """Return a fresh code of *buyer_id*; see ``AlipayModel.issue_code``."""
        assert prefix in PREFIXES, "an Alipay code begins with 25..30"
        assert length in LENGTHS, "an Alipay code has 16..24 digits"
        assert after_ms >= 0, "a buyer acts after the call, not before"
        assert buyer_id, "a wallet needs an owner"
        code = self._fresh(prefix, length)
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

    def buyers(self) -> tuple[str, ...]:
        """Return every buyer that ever held a code, in order of their first."""
        return tuple(self._buyers)

    def user_id(self, buyer_id: str) -> str:
        """Return the buyer's account number as the wire shows it, 16 digits."""
        return f"20881{self._buyers[buyer_id]:011d}"

    def logon_id(self, buyer_id: str) -> str:
        """Return the buyer's masked login as the wire shows it."""
        return f"138****{self._buyers[buyer_id] % 10_000:04d}"

    def _fresh(self, prefix: int, length: int) -> str:
        digits = length - 2
        for _ in range(MAX_DRAWS):
            code = f"{prefix}{self._rng.randrange(10**digits):0{digits}d}"
            if code not in self._cards:
                return code
        raise AssertionError("the random source repeats itself")
