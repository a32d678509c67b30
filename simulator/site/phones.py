"""The drivers' phones: which bytes a driver holds up, and what his wallet says was taken.

Codes live in the platform's wallets and, for as long as a driver may show them again, here; they
leave only towards the scanner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Protocol

from simulator.models.platform_values import BuyerBehaviour
from simulator.models.wallets import PLATFORM_OF, PhoneFace, issue_code
from simulator.people import CodeKind, Dice, ShowCode, WalletWill
from tolling.coupons import PREFIX
from tolling.ids import LaneId
from tolling.paycodes import Wallet

RIDE_CODE = b"TX0000000000000000000000"
EXPIRED_TTL_MS = 1
_LETTERS_ONLY = str.maketrans("0189", "OIZP", "-")
"""A driver's name in the letters of a coupon's text."""
_WILLS = {
    WalletWill.PAYS: BuyerBehaviour.PAYS,
    WalletWill.CONFIRMS: BuyerBehaviour.CONFIRMS,
    WalletWill.NEVER_CONFIRMS: BuyerBehaviour.NEVER_CONFIRMS,
    WalletWill.CLOSES_DIALOG: BuyerBehaviour.CLOSES_DIALOG,
    WalletWill.BALANCE_SHORT: BuyerBehaviour.BALANCE_SHORT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One movement of money as a phone shows it."""

    at_us: int
    amount_fen: int
    """Below 0: it came back."""
    reference: str


class Bank(Protocol):
    """Where codes come from and charges are looked up."""

    def issue(self, buyer: str, show: ShowCode, now_ns: int, *, ttl_ms: int | None) -> bytes:
        """Return a fresh code of *buyer*."""
        ...

    def charges(self, buyer: str, now_ns: int) -> tuple[tuple[str, int, int, int], ...]:
        """Return reference, paid fen, refunded fen and paid-at ns of every charge of *buyer*."""
        ...

    def choose(self, buyer: str, wallet: Wallet) -> None:
        """Have *buyer* carry this wallet."""
        ...


class Wallets:
    """Codes of the simulated platforms in this process."""

    def __init__(self, platforms: Mapping[str, PhoneFace], wallets: Sequence[Wallet]) -> None:
        """Give whoever shows a phone for the first time the next of *wallets*, in turn.

        Args:   platforms: by name; whoever takes one of *wallets* is among them.
        """
        self._platforms = platforms
        self._in_turn = cycle(wallets)
        self._chosen: dict[str, Wallet] = {}

    def choose(self, buyer: str, wallet: Wallet) -> None:
        """Have *buyer* carry this wallet, whosever turn it is."""
        assert PLATFORM_OF[wallet] in self._platforms, "a wallet of this site"
        self._chosen[buyer] = wallet

    def issue(self, buyer: str, show: ShowCode, now_ns: int, *, ttl_ms: int | None) -> bytes:
        """Return a fresh code of *buyer*."""
        wallet = self._chosen.get(buyer)
        if wallet is None:
            wallet = self._chosen[buyer] = next(self._in_turn)
        issued = issue_code(
            self._platforms[PLATFORM_OF[wallet]],
            wallet,
            buyer,
            now_ns,
            _WILLS[show.will],
            after_ms=show.after_ms,
            ttl_ms=ttl_ms,
        )
        return issued.code.encode("ascii")

    def charges(self, buyer: str, now_ns: int) -> tuple[tuple[str, int, int, int], ...]:
        """Return every charge of *buyer*."""
        wallet = self._chosen.get(buyer)
        if wallet is None:
            return ()
        return tuple(
            (charge.trade_no, charge.amount_fen, charge.refunded_fen, charge.paid_at_ns)
            for charge in self._platforms[PLATFORM_OF[wallet]].charges_of(buyer, now_ns)
        )


class NoBank:
    """Codes that look right and belong to no wallet: a site without a platform."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice

    def issue(self, buyer: str, show: ShowCode, now_ns: int, *, ttl_ms: int | None) -> bytes:
        """Return 18 digits beginning 28."""
        del buyer, show, now_ns, ttl_ms
        return f"28{self._dice.randrange(10**16):016d}".encode("ascii")

    def charges(self, buyer: str, now_ns: int) -> tuple[tuple[str, int, int, int], ...]:
        """Return nothing: nobody pays here."""
        del buyer, now_ns
        return ()

    def choose(self, buyer: str, wallet: Wallet) -> None:
        """Do nothing: all codes here look the same."""
        del buyer, wallet


@dataclass(slots=True)
class _Phone:
    code: bytes = field(default=b"", repr=False)
    coupon: bytes = field(default=b"", repr=False)
    noticed: dict[str, tuple[int, int]] = field(default_factory=dict)


class Phones:
    """All phones of a site."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._phones: dict[str, _Phone] = {}
        self._last_shown: dict[LaneId, bytes] = {}
        self._used: dict[LaneId, bytes] = {}
        self._first: dict[LaneId, bytes] = {}
        """What was shown first in each lane."""
        self.issued: list[str] = []
        """Every pay code a driver of this site was given, for the auditor, who looks for them."""
        self.borrowed: set[tuple[str, str]] = set()
        """(buyer, owner) of every code that came before a scanner for another than its wallet's
        owner: a picture of it, or the scanner's own mistake."""
        self._owner: dict[bytes, str] = {}

    def carries(self, buyer: str, wallet: Wallet) -> None:
        """Have *buyer* carry this wallet, whosever turn it is."""
        self._bank.choose(buyer, wallet)

    def keeps_coupon(self, buyer: str, text: str | None) -> None:
        """Put a coupon on *buyer*'s phone; None: the picture of one that nobody issued."""
        shown = text or f"{PREFIX}{buyer.upper().translate(_LETTERS_ONLY):A<28.28}"
        self._phones.setdefault(buyer, _Phone()).coupon = shown.encode("ascii")
        self.issued.append(shown)

    def coupon_of(self, buyer: str) -> bytes:
        """Return what *buyer* holds before the scanner for a coupon."""
        return self._phones[buyer].coupon

    def hold_up(self, buyer: str, lane: LaneId, show: ShowCode, now_ns: int) -> bytes:
        """Return the bytes that *buyer* holds before the scanner of *lane*."""
        code = self._chosen(buyer, lane, show, now_ns)
        self.delivered(buyer, code)
        return code

    def delivered(self, buyer: str, code: bytes) -> None:
        """The scanner delivers *code* while *buyer* stands there: it may be another's."""
        owner = self._owner.get(code, buyer)
        if owner != buyer:
            self.borrowed.add((buyer, owner))

    def _chosen(self, buyer: str, lane: LaneId, show: ShowCode, now_ns: int) -> bytes:
        phone = self._phones.setdefault(buyer, _Phone())
        kind = show.code
        code = phone.code
        if kind is CodeKind.RIDE:
            return RIDE_CODE
        if kind is CodeKind.PREVIOUS and lane in self._last_shown:
            return self._last_shown[lane]
        if kind is CodeKind.USED:
            taken = self._taken_elsewhere(lane) or self._used.get(lane)
            if taken is not None:
                return taken
        if kind is not CodeKind.SAME or not code:
            ttl = EXPIRED_TTL_MS if kind is CodeKind.EXPIRED else None
            code = self._bank.issue(buyer, show, now_ns, ttl_ms=ttl)
            phone.code = code
            self._owner[code] = buyer
            self.issued.append(code.decode("ascii"))
        self._first.setdefault(lane, code)
        self._used[lane] = self._last_shown.get(lane, code)
        self._last_shown[lane] = code
        return code

    def _taken_elsewhere(self, lane: LaneId) -> bytes | None:
        """Return a picture somebody took of a phone in another lane, None before one was shown."""
        others = (self._first[other] for other in sorted(self._first) if other != lane)
        return next(others, None)

    def movements(self, buyer: str, now_ns: int) -> tuple[Taken, ...]:
        """Return what the phone shows of money since it was last asked."""
        phone = self._phones.get(buyer)
        if phone is None:
            return ()
        found = []
        for reference, paid, back, paid_at_ns in self._bank.charges(buyer, now_ns):
            seen_paid, seen_back = phone.noticed.get(reference, (0, 0))
            if paid != seen_paid:
                fen = paid - seen_paid
                found.append(Taken(at_us=paid_at_ns // 1_000, amount_fen=fen, reference=reference))
            if back != seen_back:
                fen = seen_back - back
                found.append(Taken(at_us=now_ns // 1_000, amount_fen=fen, reference=reference))
            phone.noticed[reference] = (paid, back)
        return tuple(found)
