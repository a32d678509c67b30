"""The drivers' phones: which code is held up, and what the wallet says was taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from simulator.models.platform_values import BuyerBehaviour, Charge
from simulator.people import CodeKind, MoneyTaken, ShowCode, TakenBy
from simulator.world.clock import us
from simulator.world.heap import Heap
from simulator.world.platforms import PLATFORM_OF, WorldPlatform, issue_code
from tolling.ids import LaneId
from tolling.paycodes import Wallet

EXPIRED_TTL_MS = 1
"""A picture of an old code: it has run out before it is read."""
CODE_DIGITS = 18
CODES_KEPT = 8
"""Codes of a lane's last drivers that somebody may hold up again in a run that forgets."""


class Phones:
    """All phones of one run."""

    def __init__(
        self,
        heap: Heap,
        platforms: Mapping[str, WorldPlatform],
        wallets: Sequence[Wallet],
        dice: Random,
    ) -> None:
        """Give vehicle after vehicle one of *wallets*, in turn."""
        self._heap = heap
        self._platforms = platforms
        self._wallets = tuple(wallets)
        self._dice = dice
        self.codes: list[str] = []
        """Every code shown in the run, for the auditor's search."""
        self._own: dict[int, str] = {}
        self._owner: dict[str, int] = {}
        self.borrowed: set[tuple[int, int]] = set()
        """(vehicle, owner) of every code held up by somebody else than its wallet's owner."""
        self._of_lane: dict[LaneId, list[tuple[int, str]]] = {}
        self._told: dict[str, tuple[int, int]] = {}

    def code_bytes(self, lane: LaneId, vehicle_id: int, show: ShowCode) -> tuple[bytes, bool]:
        """Return what is held before the scanner of *lane*, and whether it is read twice."""
        kind = show.code
        if kind is CodeKind.RIDE:
            return f"TX{self._dice.randrange(10**14):014d}".encode("ascii"), False
        code = self._chosen(lane, vehicle_id, show)
        self._own[vehicle_id] = code
        self._hold_up(vehicle_id, code)
        shown = self._of_lane.setdefault(lane, [])
        if (vehicle_id, code) not in shown:
            shown.append((vehicle_id, code))
        if kind is CodeKind.HALF:
            return code[: CODE_DIGITS // 2].encode("ascii"), False
        if kind is CodeKind.GLUED:
            return (code + self._fresh(vehicle_id, show)).encode("ascii"), False
        return code.encode("ascii"), kind is CodeKind.TWICE

    def delivered(self, vehicle_id: int, code: bytes) -> None:
        """The scanner delivers *code* while a vehicle stands there: it may be another's."""
        self._hold_up(vehicle_id, code.decode("ascii", "replace"))

    def _hold_up(self, vehicle_id: int, code: str) -> None:
        owner = self._owner.get(code, vehicle_id)
        if owner != vehicle_id:
            self.borrowed.add((vehicle_id, owner))

    def _chosen(self, lane: LaneId, vehicle_id: int, show: ShowCode) -> str:
        kind = show.code
        own = self._own.get(vehicle_id)
        if kind is CodeKind.SAME and own in self._owner:
            return own
        if kind is CodeKind.PREVIOUS:
            others = [code for owner, code in self._of_lane.get(lane, []) if owner != vehicle_id]
            if others:
                return others[-1]
        if kind is CodeKind.USED:
            # A picture somebody else took at another lane some time ago.
            for other in sorted(self._of_lane):
                if other != lane and self._of_lane[other]:
                    return self._of_lane[other][0][1]
            return self._issue(vehicle_id, show, ttl_ms=EXPIRED_TTL_MS)
        if kind is CodeKind.EXPIRED:
            return self._issue(vehicle_id, show, ttl_ms=EXPIRED_TTL_MS)
        return self._fresh(vehicle_id, show)

    def _fresh(self, vehicle_id: int, show: ShowCode) -> str:
        return self._issue(vehicle_id, show, ttl_ms=None)

    def _issue(self, vehicle_id: int, show: ShowCode, *, ttl_ms: int | None) -> str:
        issued = issue_code(
            self._platform_of(vehicle_id),
            self.wallet_of(vehicle_id),
            buyer_of(vehicle_id),
            self._heap.now_ns,
            BuyerBehaviour(show.will.value),
            after_ms=show.after_ms,
            ttl_ms=ttl_ms,
        )
        self.codes.append(issued.code)
        self._owner[issued.code] = vehicle_id
        return issued.code

    def wallet_of(self, vehicle_id: int) -> Wallet:
        """Return what the driver of a vehicle has on his phone."""
        return self._wallets[vehicle_id % len(self._wallets)]

    def _platform_of(self, vehicle_id: int) -> WorldPlatform:
        return self._platforms[PLATFORM_OF[self.wallet_of(vehicle_id)]]

    def take_codes(self) -> list[str]:
        """Return the codes issued so far and forget them, but for those a lane's next driver may
        still hold up."""
        taken, self.codes = self.codes, []
        for shown in self._of_lane.values():
            del shown[:-CODES_KEPT]
        kept = {code for shown in self._of_lane.values() for _, code in shown}
        self._owner = {code: owner for code, owner in self._owner.items() if code in kept}
        return taken

    def forget(self, vehicle_id: int) -> None:
        """A driver is out of the story; his code may still be held up by another."""
        self._own.pop(vehicle_id, None)

    def news_of(self, vehicle_id: int) -> tuple[MoneyTaken, ...]:
        """Return what the phone has not told yet: money taken, or come back."""
        news = []
        platform = self._platform_of(vehicle_id)
        for charge in platform.charges_of(buyer_of(vehicle_id), self._heap.now_ns):
            news += self._news(charge)
        return tuple(news)

    def _news(self, charge: Charge) -> list[MoneyTaken]:
        told_fen, told_back_fen = self._told.get(charge.trade_no, (0, 0))
        self._told[charge.trade_no] = (charge.amount_fen, charge.refunded_fen)
        now_us = us(self._heap.now_ns)
        moves = (
            (us(charge.paid_at_ns), charge.amount_fen - told_fen),
            (now_us, told_back_fen - charge.refunded_fen),
        )
        return [
            MoneyTaken(at_us=at_us, by=TakenBy.PHONE, amount_fen=fen, reference=charge.trade_no)
            for at_us, fen in moves
            if fen
        ]


_BUYER = "buyer-"


def buyer_of(vehicle_id: int) -> str:
    """Return whose wallet the driver of a vehicle has."""
    return f"{_BUYER}{vehicle_id}"


def vehicle_of(buyer: str) -> int:
    """Return which vehicle's driver has that wallet."""
    return int(buyer.removeprefix(_BUYER))
