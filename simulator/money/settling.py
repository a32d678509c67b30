"""The day after: the plaza fetches each platform's bill, imports it whole and reconciles the day.

Production bill calls, parsers and units of work; only the carrier is the world's.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from urllib.parse import urlsplit

from plaza_server.platforms.bills import BillAt, BillCalls, BillHere, NoBill
from plaza_server.platforms.calls import HttpAnswer, HttpCall
from plaza_server.rules.bill_units import (
    BillImported,
    EndReconciliation,
    ImportBill,
    Looked,
    reconcile_units,
)
from plaza_server.rules.bills import window_of
from plaza_server.rules.order_values import Moment
from plaza_server.store.bill_queries import numbers_to_look_at
from simulator.models.platform_wire import HttpRequest
from simulator.money.spoiling import spoil
from simulator.money.world import MoneyWorld
from simulator.world.clock import WALL_BASE_MS
from simulator.world.platforms import PlatformPair, WorldPlatform
from tolling.clock import NS_PER_MS

ASK_AGAIN_MS = 600_000
"""A bill that is not there, or whose answer proves nothing, is asked for again after this."""
ASKS_MAX = 24
FEE_RATES_BP: dict[str, int | None] = {"alipay": None, "wechat": None, "unionpay": None}
"""As contracted; None: the bill's word is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What came of one platform's day."""

    platform: str
    day: str
    rows: int
    """Of the bill; 0 where nothing happened."""
    matched: int
    healed: int
    left: int
    """For a person, with one action each."""


class NoBillError(RuntimeError):
    """A platform gave no bill in four hours of asking: the world is broken, not the plaza."""


class Settler:
    """Fetches and reconciles, day by day."""

    def __init__(self, world: MoneyWorld, dice: Random, *, spoils: bool = False) -> None:
        """Prepare. *spoils*: the first bill of some days has mistakes in it."""
        self._world = world
        self._dice = dice
        self._spoils = spoils
        self.mistakes = 0
        """Put into bills so far."""
        self.found = 0
        """Listed for a person because of them."""
        self._calls = {
            name: pair.new_bill_calls(dice) for name, pair in sorted(world.platforms.items())
        }

    def settle(self, day: str) -> tuple[Settled, ...]:
        """Fetch and reconcile every platform's bill of *day* (yyyy-MM-dd in Beijing).

        Raises: BadInputError: a bill is refused. NoBillError: there is none.
        """
        return tuple(self._settle(name, day) for name in self._calls)

    def _settle(self, name: str, day: str) -> Settled:
        if self._spoils and self._dice.randrange(2):
            self._settle_spoiled(name, day)
        rows = self._import(name, day)
        return _nothing(name, day) if rows is None else self.reconcile(name, day, rows=rows)

    def _settle_spoiled(self, name: str, day: str) -> None:
        """Take a bill with mistakes first; the right one comes as a new version of it."""
        before = self.mistakes
        if self._import(name, day, spoiled=True) is not None and self.mistakes > before:
            self.found += min(self.reconcile(name, day, rows=0).left, self.mistakes - before)

    def _import(self, name: str, day: str, *, spoiled: bool = False) -> int | None:
        """Return the rows of the bill that was taken; None: there is none. A bill may lack all."""
        calls, pair = self._calls[name], self._world.platforms[name]
        content = self._fetch(calls, pair, day)
        if content is None:
            return None
        data, file, sha1 = content
        bill = calls.parse(data, day, name=file, sha1=sha1)
        if spoiled:
            bill, mistakes = spoil(bill, self._dice)
            data = bill.digest.encode("ascii")
            self.mistakes += mistakes
        unit = ImportBill(bill=bill, content=data, source="platform", at=self._moment())
        imported = self._world.commit(unit)[0]
        assert isinstance(imported, BillImported)
        return len(bill.rows)

    def reconcile(self, name: str, day: str, *, rows: int) -> Settled:
        """Look at every number of a day whose bill is in the store; may be run again."""
        with self._world.store.engine.connect() as connection:
            numbers = numbers_to_look_at(connection, name, day)
        owner = self._world.owner
        matched = healed = left = 0
        for unit in reconcile_units(
            name, day, numbers, fee_rate_bp=FEE_RATES_BP[name], owner=owner, at=self._moment()
        ):
            looked = self._world.commit(unit)[0]
            assert isinstance(looked, Looked)
            matched, healed = matched + looked.matched, healed + looked.healed
            left += looked.left
        self._world.commit(EndReconciliation(platform=name, day=day, at=self._moment()))
        return Settled(platform=name, day=day, rows=rows, matched=matched, healed=healed, left=left)

    def _fetch(
        self, calls: BillCalls, pair: PlatformPair, day: str
    ) -> tuple[bytes, str, str] | None:
        """Return (content, file name, SHA-1 or empty), or None where nothing happened."""
        for _ in range(ASKS_MAX):
            now_ms = self._world.wall_ms()
            answer = self._carry(calls.ask(day, now_ms=now_ms), pair.model)
            found = None if answer is None else calls.read(day, answer, now_ms=now_ms)
            if isinstance(found, NoBill):
                return None
            if isinstance(found, BillHere):
                return found.content, found.name, ""
            if isinstance(found, BillAt):
                file = self._carry(calls.fetch(found, now_ms=now_ms), pair.model)
                if file is not None and file.status == 200:
                    return file.body, found.name, found.sha1
            self._world.run_until(self._world.heap.now_ns // NS_PER_MS + ASK_AGAIN_MS)
        if self._has_moved(calls.name, day):
            raise NoBillError(f"{calls.name} has no bill of {day}")
        # Alipay and UnionPay say the same of an empty day as of one whose bill is not made yet.
        return None

    def _has_moved(self, name: str, day: str) -> bool:
        """Return whether the platform's own books have anything on that day."""
        first_ms, end_ms = window_of(name, day)
        span = range(first_ms - WALL_BASE_MS, end_ms - WALL_BASE_MS)
        for trade in self._world.platforms[name].model.books(self._world.heap.now_ns):
            at_ns = [each.at_ns for each in trade.refunds]
            if trade.paid_at_ns is not None:
                at_ns.append(trade.paid_at_ns)
            if any(each // NS_PER_MS in span for each in at_ns):
                return True
        return False

    def _carry(self, call: HttpCall, model: WorldPlatform) -> HttpAnswer | None:
        parts = urlsplit(call.url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        request = HttpRequest(method=call.method, path=path, headers=call.headers, body=call.body)
        reply = model.handle(request, self._world.heap.now_ns)
        if reply.dropped or reply.unsent:
            return None
        return HttpAnswer(status=reply.status, headers=reply.headers, body=reply.body)

    def _moment(self) -> Moment:
        return Moment(at_ns=self._world.heap.now_ns, wall_ms=self._world.wall_ms())


def _nothing(name: str, day: str) -> Settled:
    return Settled(platform=name, day=day, rows=0, matched=0, healed=0, left=0)
