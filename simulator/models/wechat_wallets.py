"""The drivers' WeChat wallets: 18 digits beginning 10..15."""

from __future__ import annotations

from simulator.models.platform_values import BuyerBehaviour, IssuedCode, Randomness
from simulator.models.platform_wallets import CodeBook

PREFIXES = range(10, 16)
DEFAULT_PREFIX = 13
CODE_DIGITS = 18


class WechatWallets(CodeBook):
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
        ttl_ms: int | None,
    ) -> IssuedCode:
        """Return a fresh code of *buyer_id*; see ``WechatModel.issue_code``."""
        assert prefix in PREFIXES, "a WeChat code begins with 10..15"
        rest = CODE_DIGITS - 2
        return self.show(
            lambda: f"{prefix}{self._rng.randrange(10**rest):0{rest}d}",
            buyer_id,
            now_ns,
            behaviour,
            after_ms=after_ms,
            ttl_ms=ttl_ms,
        )

    def open_id(self, buyer_id: str) -> str:
        """Return the buyer's openid as the wire shows it, 28 signs."""
        return f"oUpF8uMuAJO_M2pxb1Q9{self.number_of(buyer_id):08d}"
