"""The drivers' UnionPay wallets: 19 digits beginning 62, or an EMVCo consumer-presented block.

The block is base64 of BER-TLV: payload format indicator ``CPV01``, one application template with
UnionPay's application id and a token in place of a card number, and one with a cryptogram that
makes it single-use. The RID A000000333 and the tags inside are remembered, not read.
"""

from __future__ import annotations

import base64

from simulator.models.platform_values import BuyerBehaviour, IssuedCode, Randomness
from simulator.models.platform_wallets import CodeBook

CODE_DIGITS = 19
PREFIX = "62"
_AID = bytes.fromhex("A000000333010102")


class UnionpayWallets(CodeBook):
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
        emvco: bool,
        ttl_ms: int | None,
    ) -> IssuedCode:
        """Return a fresh code of *buyer_id*; see ``UnionpayModel.issue_code``."""
        draw = self._block if emvco else self._digits
        return self.show(draw, buyer_id, now_ns, behaviour, after_ms=after_ms, ttl_ms=ttl_ms)

    def masked_card(self, buyer_id: str) -> str:
        """Return the buyer's card as an answer shows it."""
        return f"621626*********{self.number_of(buyer_id) % 10_000:04d}"

    def _digits(self) -> str:
        rest = CODE_DIGITS - len(PREFIX)
        return f"{PREFIX}{self._rng.randrange(10**rest):0{rest}d}"

    def _block(self) -> str:
        token = bytes.fromhex(f"62{self._rng.randrange(10**14):014d}")
        counter = self._rng.randrange(2**16).to_bytes(2, "big")
        cryptogram = self._rng.randrange(2**64).to_bytes(8, "big")
        dynamic = (
            _tlv("9F10", bytes.fromhex("07010103A00000"))
            + _tlv("9F26", cryptogram)
            + _tlv("9F36", counter)
        )
        application = _tlv("4F", _AID) + _tlv("50", b"UnionPay") + _tlv("5A", token)
        block = _tlv("85", b"CPV01") + _tlv("61", application) + _tlv("62", _tlv("64", dynamic))
        return base64.b64encode(block).decode("ascii")


def _tlv(tag: str, value: bytes) -> bytes:
    assert len(value) < 128, "one byte of length"
    return bytes.fromhex(tag) + bytes([len(value)]) + value
