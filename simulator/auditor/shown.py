"""Part of M4, by what stood on the fee display: nothing unknown is shown as paid or as refused.

A picture is judged when it comes up, and somebody is there to read it. One that a display shows
again as it was before it went dark (its plug, its power) is not shown by the lane; what it shows of
the dark while was written to it at some moment of that, for whoever was there then.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Any, TypeAlias

from simulator.auditor.alike import alike
from simulator.auditor.evidence import (
    AuditedOrder,
    AuditedRecord,
    CapturedTrade,
    Evidence,
    Hindrance,
)
from simulator.auditor.followers import followers
from simulator.auditor.payers import LANE_DIGITS, answers
from simulator.plant.events import Display, Passage, PlantEdge, What

Bodies: TypeAlias = Iterable[tuple[AuditedRecord, dict[str, Any]]]
"""Each record with its parsed body."""
PAID = "支付成功 请通行"
FREE = "免费通行"
REFUSED = "请刷新付款码"
OFFERED = "请用现金或ETC"
_STATE = re.compile(r'"state":\s?"([a-z_]+)"')
_NUMBER = re.compile(r'"out_trade_no":\s?"([0-9A-Z]+)"')
_UNDECIDED = frozenset({"created", "sent", "waiting", "unknown"})
NEVER_US = 1 << 62
GONE_US = 2_000_000
"""For so long a lane may not know that somebody is through: it may still thank him where its disk
kept the thanks waiting, by his plate, or by none while nobody is at the window or
beyond."""
PLATE_LINE = 3
"""Of a display's lines: the plate, where one was read."""
PASSAGE_DIGITS = slice(0, 21)
"""Of an order's number: the passage's."""


class _Shown(Enum):
    """When a lane put there what comes up on its display."""

    NOTHING = auto()
    BEFORE = auto()
    IN_THE_DARK = auto()
    NOW = auto()


class _Lane:
    """Who is in a lane, and what its display said."""

    def __init__(self) -> None:
        self.here: set[int] = set()
        """On the road and not through the boom."""
        self.through: tuple[int, int] | None = None
        """Who has gone through last, and when."""
        self.on_loop_2: set[int] = set()
        self.at_window: int | None = None
        self.came_us = 0
        """When it came to the window."""
        self.offered_us = -1
        """When another tender was offered last."""
        self.before: tuple[str, ...] = ()
        """What stood there last that could be read."""
        self.dark = False
        self.readers: set[int] = set()
        """Who was there as the picture that stands there now was written, or may have been."""

    def moved(self, edge: PlantEdge, vehicle: int) -> None:
        """Take a vehicle's edge into account."""
        if edge.what is What.ON_ROAD and edge.on:
            self.here.add(vehicle)
            self.readers.add(vehicle)
        elif edge.what is What.ON_ROAD:
            self.here.discard(vehicle)
        elif edge.what is What.LOOP_2:
            (self.on_loop_2.add if edge.on else self.on_loop_2.discard)(vehicle)
        elif edge.what is What.AT_WINDOW and edge.on:
            self.at_window, self.came_us = vehicle, edge.at_us
        elif edge.what is What.AT_WINDOW and self.at_window == vehicle:
            self.at_window = None

    def shows(self, entry: Display) -> _Shown:
        """Take what the display shows into account. Return whether the lane has put it there."""
        lines = entry.lines
        if not any(line.strip() for line in lines):
            if not self.dark:
                self.readers = set(self.here)
            self.dark = True
            return _Shown.NOTHING
        shown = _Shown.NOW
        if self.dark:
            shown = _Shown.BEFORE if lines == self.before else _Shown.IN_THE_DARK
        else:
            self.readers = set(self.here)
        self.before, self.dark = lines, False
        if lines[0].strip() == OFFERED:
            self.offered_us = entry.at_us
        return shown


def m4_shown(seen: Evidence, records: Bodies) -> Iterator[str]:
    """Yield every "paid" on a display while nobody there had, every "free" to who paid, and every
    "refused" about money that had been taken or was being asked for.

    Args:   records: as the lanes sealed them.
    """
    if not seen.at_rest:
        return
    lanes: dict[str, _Lane] = defaultdict(_Lane)
    money = _Money(seen, tuple(records))
    plates = {driver.vehicle_id: driver.plate for driver in seen.drivers if driver.plate}
    for entry in seen.plant_log:
        lane = lanes[entry.lane]
        if isinstance(entry, PlantEdge) and entry.vehicle_id is not None:
            lane.moved(entry, entry.vehicle_id)
        elif isinstance(entry, Passage):
            lane.here.discard(entry.vehicle_id)
            lane.through = entry.vehicle_id, entry.tail_us
        elif isinstance(entry, Display):
            shown = lane.shows(entry)
            if shown not in (_Shown.NOW, _Shown.IN_THE_DARK):
                continue
            first = entry.lines[0].strip()
            who = lane.readers | set(_just_through(lane, entry, plates))
            if first == PAID and lane.here and not money.had(entry.lane, who, entry.at_us):
                yield f"lane {entry.lane}: showed paid at {entry.at_us} us, and nobody had"
            elif first == FREE:
                yield from money.owed_all_the_same(entry)
            elif first == REFUSED and shown is _Shown.NOW:
                yield from money.taken_all_the_same(entry, lane)


def _just_through(lane: _Lane, entry: Display, plates: dict[int, str]) -> Iterator[int]:
    """Yield who has only just gone through the boom, where the picture is his."""
    if lane.through is None:
        return
    vehicle, at_us = lane.through
    named = [line for line in entry.lines[PLATE_LINE:] if line.strip()]
    alone = not named and lane.at_window is None and not lane.on_loop_2
    if entry.at_us - at_us <= GONE_US and (alone or plates.get(vehicle) in named):
        yield vehicle


class _Money:
    """Who had paid what at which time, by platforms, readers, people and records."""

    def __init__(self, seen: Evidence, records: Bodies) -> None:
        self._trades: dict[int | None, list[CapturedTrade]] = defaultdict(list)
        for trade in seen.trades:
            if trade.captured_fen and trade.paid_at_us is not None:
                self._trades[trade.payer].append(trade)
        self._orders: dict[str, list[AuditedOrder]] = defaultdict(list)
        for order in seen.orders:
            self._orders[order.out_trade_no[PASSAGE_DIGITS]].append(order)
        self._others: dict[int, set[int]] = defaultdict(set)
        close = [
            (each.vehicle_id, each.before)
            for each in followers(seen)
            if each.before is not None and each.before != each.vehicle_id
        ]
        for one, other in (*seen.borrowed, *alike(seen), *close):
            self._others[one].add(other)
            self._others[other].add(one)
        self._waiting = _waiting(seen)
        self._paid_by_plate = _paid_by_plate(records)
        self._by_tag = {debit.vehicle_id for debit in seen.debits}
        self._cash = _cash(seen)
        self._coupons = set(_coupons(seen, records))

    def had(self, lane: str, here: set[int], at_us: int) -> bool:
        """Return whether somebody in a lane had paid by then."""
        who = here.union(*(self._others[vehicle] for vehicle in here))
        if who & self._by_tag or any(self._cash.get(each, at_us + 1) <= at_us for each in who):
            return True
        if (lane, None) in self._coupons or any((lane, each) in self._coupons for each in who):
            return True
        unnamed = [each for each in self._trades[None] if each.out_trade_no[LANE_DIGITS] == lane]
        trades = [trade for each in who for trade in self._trades[each]]
        return any((trade.paid_at_us or 0) <= at_us for trade in (*trades, *unnamed))

    def taken_all_the_same(self, entry: Display, lane: _Lane) -> Iterator[str]:
        """Yield the order of whoever stands at the window, where it was captured when a new code
        was asked for.

        Only of one who made no other order and was offered no other tender: else what is refused
        may be another code.
        """
        vehicle = lane.at_window
        if vehicle is None or self._others[vehicle] or lane.offered_us >= lane.came_us:
            return
        for trade in self._trades[vehicle]:
            orders = self._orders[trade.out_trade_no[PASSAGE_DIGITS]]
            alone = [order.out_trade_no for order in orders] == [trade.out_trade_no]
            right = alone and orders[0].toll_fen == trade.captured_fen
            if right and lane.came_us <= (trade.paid_at_us or 0) <= entry.at_us:
                yield (
                    f"lane {entry.lane}: asked for another code at {entry.at_us} us, and order"
                    f" {trade.out_trade_no} was paid"
                )
            elif right and self._asked_for(trade, lane, entry.at_us):
                yield (
                    f"lane {entry.lane}: asked for another code at {entry.at_us} us, and order"
                    f" {trade.out_trade_no} was waited for and paid later"
                )

    def _asked_for(self, trade: CapturedTrade, lane: _Lane, at_us: int) -> bool:
        """Return whether the lane was told that an order waits, and nothing else before *at_us*."""
        told_us = self._waiting.get(trade.out_trade_no)
        return told_us is not None and lane.came_us <= told_us <= at_us <= (trade.paid_at_us or 0)

    def owed_all_the_same(self, entry: Display) -> Iterator[str]:
        """Yield a vehicle that was waved through as free, though its one record says it paid."""
        for line in entry.lines[1:]:
            if self._paid_by_plate.get((entry.lane, line.strip())):
                yield (
                    f"lane {entry.lane}: showed {line.strip()} at {entry.at_us} us that nothing is"
                    " to be paid, and its record says it paid"
                )


def _waiting(seen: Evidence) -> dict[str, int]:
    """Return when each order was first answered as waiting, of lanes that heard it for sure and
    were told nothing else of it before the money came."""
    if seen.hindered is None:
        return {}
    first: dict[str, int] = {}
    for tap in seen.tapped:
        found = _STATE.search(tap.text) if "/v1/payments" in tap.channel else None
        number = _NUMBER.search(tap.text) if found is not None else None
        if found is None or number is None:
            continue
        if found[1] in _UNDECIDED:
            if found[1] == "waiting":
                first.setdefault(number[1], tap.at_us)
        elif found[1] != "paid":
            first[number[1]] = NEVER_US
    bad = {each.lane_id for each in seen.hindered if each.what is Hindrance.DEAF}
    bad |= {each.lane_id for each in seen.blind}
    if any(restart.lane_id is None for restart in seen.restarts):
        return {}
    return {each: at_us for each, at_us in first.items() if each[LANE_DIGITS] not in bad}


def _paid_by_plate(records: Bodies) -> dict[tuple[str, str], bool]:
    """Return by lane and plate whether every record of it was paid, toll and all."""
    paid: dict[tuple[str, str], bool] = {}
    for record, body in records:
        place = record.lane_id, str((body.get("plate") or {}).get("text"))
        whole = body.get("authorised_by") == "tender" and body["toll_due_fen"] > 0
        paid[place] = whole and paid.get(place, True)
    return paid


def _cash(seen: Evidence) -> dict[int, int]:
    """Return when each vehicle's cash was in the till, as far as anybody wrote that down."""
    if seen.cash is None:
        return {driver.vehicle_id: 0 for driver in seen.drivers if driver.cash_fen}
    first: dict[int, int] = {}
    for word in seen.cash:
        if word.taken:
            at_us = min(word.at_us, first.get(word.vehicle_id, word.at_us))
            first[word.vehicle_id] = at_us
    return first


def _coupons(seen: Evidence, records: Bodies) -> Iterator[tuple[str, int | None]]:
    """Yield lane and vehicle wherever a coupon paid; no vehicle where its plate is not known.

    Also of one that was held for a passage and worth its whole toll: who reverses out then is
    thanked before, and the record names no coupon.
    """
    by_plate = {driver.plate: driver.vehicle_id for driver in seen.drivers if driver.plate}
    whole_fen = {coupon.coupon_no: coupon.fixed_fen for coupon in seen.coupons}
    held_fen = {
        str(said.get("passage_id")): whole_fen.get(str(said.get("coupon_no")), 0)
        for _, said in answers(seen, "/v1/coupons/reserve", "reserved")
    }
    for record, body in records:
        whole = held_fen.get(str(body.get("passage_id")), 0) >= body["toll_due_fen"] > 0
        if whole or any(leg["tender"] == "coupon" for leg in body.get("legs", [])):
            plate = str((body.get("plate") or {}).get("text"))
            yield record.lane_id, None if seen.misread_plates else by_plate.get(plate)
