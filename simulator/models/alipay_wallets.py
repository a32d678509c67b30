"""The drivers' Alipay wallets: 16 to 24 digits beginning 25..30."""

from __future__ import annotations

from simulator.models.alipay_values import BuyerBehaviour, IssuedCode, Randomness
from simulator.models.platform_wallets import Card, CodeBook

__all__ = ["DEFAULT_LENGTH", "DEFAULT_PREFIX", "Card", "Wallets"]

PREFIXES = range(25, 31)
LENGTHS = range(16, 25)
DEFAULT_PREFIX = 28
DEFAULT_LENGTH = 18


class Wallets(CodeBook):
    """All codes ever shown and which of them are used up."""

    def __init__(self, *, rng: Randomness, code_ttl_ms: int) -> None:
        super().__init__(rng=rng, code_ttl_ms=code_ttl_ms)

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
        digits = length - 2
        return self.show(
            lambda: f"{prefix}{self._rng.randrange(10**digits):0{digits}d}",
            buyer_id,
            now_ns,
            behaviour,
            after_ms=after_ms,
            ttl_ms=ttl_ms,
        )

    def user_id(self, buyer_id: str) -> str:
        """Return the buyer's account number as the wire shows it, 16 digits."""
        return f"20881{self.number_of(buyer_id):011d}"

    def logon_id(self, buyer_id: str) -> str:
        """Return the buyer's masked login as the wire shows it."""
        return f"138****{self.number_of(buyer_id) % 10_000:04d}"
