"""The day's bill at the end of a run: with mistakes in it, fetched and reconciled in virtual time.

Production bill calls, parser, units of work and store; only the carrier is the world's.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlsplit

from plaza_server.platforms.bills import BillAt, BillCalls
from plaza_server.platforms.calls import HttpAnswer, HttpCall
from plaza_server.rules.bill_units import EndReconciliation, ImportBill, reconcile_units
from plaza_server.rules.order_values import Moment
from plaza_server.rules.units import Unit
from plaza_server.store import Store, bill_queries, commit_group
from simulator.models.alipay import AlipayModel
from simulator.models.platform_values import BillMistake
from simulator.models.platform_wire import HttpRequest
from simulator.world.heap import Heap
from tolling.clock import NS_PER_MS
from tolling.ids import BootId

PLATFORM = "alipay"
"""Whose bills can be written with mistakes."""
_OWNER = BootId("bills")


@dataclass(frozen=True, slots=True, kw_only=True)
class BillCame:
    """What closing the day of a run came to."""

    found: dict[str, int]
    """Differences of the day and the day before, healed ones too, by their class."""
    left: int
    """For a person."""
    unexplained_fen: int
    """That stand in the account of differences because of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillDay:
    """How a run's day is closed."""

    mistakes: tuple[BillMistake, ...]
    model: AlipayModel
    calls: BillCalls


def close_day(bill: BillDay, store: Store, heap: Heap, wall_base_ms: int) -> BillCame:
    """Have the bill of the run's day written, take it and reconcile; the day before comes first.

    Raises: ValueError: there are fewer payments than mistakes.
    """
    day, _ = bill.model.write_bill(None, heap.now_ns, bill.mistakes)
    before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
    days = (before, day) if BillMistake.DAY in bill.mistakes else (day,)
    now_ms = wall_base_ms + heap.now_ns // NS_PER_MS
    at = Moment(at_ns=heap.now_ns, wall_ms=now_ms)
    for each in days:
        _close(bill, store, heap.now_ns, each, at)
    with store.engine.connect() as connection:
        differences = [
            found for each in days for found in bill_queries.bill_differences(connection, each)
        ]
        reports = [found for each in days for found in bill_queries.day_reports(connection, each)]
    return BillCame(
        found=dict(Counter(each.what for each in differences)),
        left=sum(each.left for each in reports),
        unexplained_fen=sum(each.difference_fen for each in reports),
    )


def _close(bill: BillDay, store: Store, now_ns: int, day: str, at: Moment) -> None:
    calls = bill.calls
    place = calls.read(
        day, _carried(bill, calls.ask(day, now_ms=at.wall_ms), now_ns), now_ms=at.wall_ms
    )
    assert isinstance(place, BillAt), f"Alipay says where its bill of {day} is, not {place}"
    file = _carried(bill, calls.fetch(place, now_ms=at.wall_ms), now_ns)
    parsed = calls.parse(file.body, day, name=place.name, sha1=place.sha1)
    _commit(store, ImportBill(bill=parsed, content=file.body, source="platform", at=at))
    with store.engine.connect() as connection:
        numbers = bill_queries.numbers_to_look_at(connection, PLATFORM, day)
    for unit in reconcile_units(PLATFORM, day, numbers, fee_rate_bp=None, owner=_OWNER, at=at):
        _commit(store, unit)
    _commit(store, EndReconciliation(platform=PLATFORM, day=day, at=at))


def _commit(store: Store, unit: Unit) -> None:
    (result,) = commit_group(store.engine, [[unit]])
    if isinstance(result, Exception):
        raise result


def _carried(bill: BillDay, call: HttpCall, now_ns: int) -> HttpAnswer:
    parts = urlsplit(call.url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    request = HttpRequest(method=call.method, path=path, headers=call.headers, body=call.body)
    reply = bill.model.handle(request, now_ns)
    assert not reply.dropped, "faults are over when the day is closed"
    return HttpAnswer(status=reply.status, headers=reply.headers, body=reply.body)
