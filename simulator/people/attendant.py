"""The attendant at the cash desk: begins cash, takes the money, tells the lane.

Cash is two steps. ``CashBegin`` locks the passage and cancels a phone order; only when the lane has
said yes does money change hands, and ``CashTaken`` follows. "Paid by phone" sends the driver on
with his cash.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from simulator.people.dice import Dice, around

NOTICE_US = 1_000_000
NOTICE_SPREAD_US = 300_000
COUNT_US = 3_000_000
"""Taking notes and giving change; a cash passage takes 15 s in all by the field report."""
COUNT_SPREAD_US = 1_000_000
RETRY_US = 2_000_000
TRIES_MAX = 10
"""Asks of cash_begin for one customer; then the attendant turns to the next."""
TELLS_MAX = 300
"""Tries to tell the lane of cash in the till, ten minutes; then it is the shift's to explain."""


class LaneSays(StrEnum):
    """The lane's answer to one of the attendant's words."""

    ACCEPTED = "accepted"
    """cash_begin: the passage is locked, take the money; cash_taken: journalled."""
    PAID_BY_PHONE = "paid_by_phone"
    """The phone was first: keep no cash, or give it back."""
    NOT_NOW = "not_now"
    """Refused or unreachable for the moment: ask again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CashBegin:
    """Tell the lane that cash is going to be taken."""

    vehicle_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeMoney:
    """The driver hands over this much; below 0: it goes back to him."""

    vehicle_id: int
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CashTaken:
    """Tell the lane that the cash is in the till."""

    vehicle_id: int
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendantWake:
    """Call ``woken`` at that instant; a later one replaces it."""

    at_us: int


AttendantIntent = CashBegin | TakeMoney | CashTaken | AttendantWake


class _Step(StrEnum):
    IDLE = "idle"
    NOTICING = "noticing"
    BEGINNING = "beginning"
    COUNTING = "counting"
    TELLING = "telling"


@dataclass(slots=True, kw_only=True)
class _Customer:
    vehicle_id: int
    toll_fen: int | None
    tries: int = 0


class Attendant:
    """One attendant of one lane. Every call returns what he does at that very instant."""

    def __init__(self, *, dice: Dice, percent: int = 100) -> None:
        """Make an attendant who takes *percent* of the usual time for everything, 1 and up."""
        assert percent >= 1, "nobody acts in no time"
        self._dice = dice
        self._percent = percent
        self._queue: deque[_Customer] = deque()
        self._step = _Step.IDLE

    @property
    def serving(self) -> int | None:
        """Return whom the attendant serves, or None."""
        return self._queue[0].vehicle_id if self._queue else None

    def asked(
        self, vehicle_id: int, toll_fen: int | None, at_us: int
    ) -> tuple[AttendantIntent, ...]:
        """A driver asks to pay cash; *toll_fen* is what he read, None where he saw no toll."""
        if any(one.vehicle_id == vehicle_id for one in self._queue):
            return ()
        self._queue.append(_Customer(vehicle_id=vehicle_id, toll_fen=toll_fen))
        return self._next(at_us) if self._step is _Step.IDLE else ()

    def woken(self, at_us: int) -> tuple[AttendantIntent, ...]:
        """The instant the attendant asked for has come."""
        if not self._queue:
            return ()
        one = self._queue[0]
        if self._step is _Step.NOTICING:
            self._step = _Step.BEGINNING
            one.tries += 1
            return (CashBegin(vehicle_id=one.vehicle_id),)
        if self._step is _Step.COUNTING:
            assert one.toll_fen is not None, "cash is counted for a known toll"
            self._step = _Step.TELLING
            one.tries = 1
            return (
                TakeMoney(vehicle_id=one.vehicle_id, amount_fen=one.toll_fen),
                CashTaken(vehicle_id=one.vehicle_id, amount_fen=one.toll_fen),
            )
        if self._step is _Step.TELLING:
            assert one.toll_fen is not None, "cash was taken for a known toll"
            one.tries += 1
            return (CashTaken(vehicle_id=one.vehicle_id, amount_fen=one.toll_fen),)
        return ()

    def answered(
        self, says: LaneSays, at_us: int, *, toll_fen: int | None = None
    ) -> tuple[AttendantIntent, ...]:
        """The lane answers the last word. *toll_fen*: what the attendant's screen shows."""
        if not self._queue:
            return ()
        one = self._queue[0]
        if self._step is _Step.BEGINNING:
            one.toll_fen = toll_fen if toll_fen is not None else one.toll_fen
            if says is LaneSays.ACCEPTED and one.toll_fen is not None:
                self._step = _Step.COUNTING
                return (self._wake(at_us, COUNT_US, COUNT_SPREAD_US),)
            if says is LaneSays.PAID_BY_PHONE or one.tries >= TRIES_MAX:
                return self._done(at_us)
            self._step = _Step.NOTICING
            return (self._wake(at_us, RETRY_US, 0),)
        if self._step is not _Step.TELLING:
            return ()
        if says is LaneSays.NOT_NOW and one.tries < TELLS_MAX:
            return (self._wake(at_us, RETRY_US, 0),)
        if says is not LaneSays.PAID_BY_PHONE:
            return self._done(at_us)
        assert one.toll_fen is not None, "cash was taken for a known toll"
        back = TakeMoney(vehicle_id=one.vehicle_id, amount_fen=-one.toll_fen)
        return (back, *self._done(at_us))

    def gone(self, vehicle_id: int, at_us: int) -> tuple[AttendantIntent, ...]:
        """A vehicle has left; a customer whose cash is not in the till yet is served no further."""
        first = bool(self._queue) and self._queue[0].vehicle_id == vehicle_id
        if first and self._step is not _Step.TELLING:
            return self._done(at_us)
        if not first:
            self._queue = deque(one for one in self._queue if one.vehicle_id != vehicle_id)
        return ()

    def _done(self, at_us: int) -> tuple[AttendantIntent, ...]:
        self._queue.popleft()
        self._step = _Step.IDLE
        return self._next(at_us)

    def _next(self, at_us: int) -> tuple[AttendantIntent, ...]:
        if not self._queue:
            return ()
        self._step = _Step.NOTICING
        return (self._wake(at_us, NOTICE_US, NOTICE_SPREAD_US),)

    def _wake(self, at_us: int, middle_us: int, spread_us: int) -> AttendantWake:
        delay_us = around(self._dice, middle_us, spread_us) * self._percent // 100
        return AttendantWake(at_us=at_us + delay_us)
