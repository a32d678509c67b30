"""One run of the money world from its first driver to its last reconciled day, and its verdict.

The verdict is by the platforms' own books: what each captured and gave back, trade by trade,
against what the sealed records name and what the ledger holds. Nothing of the plaza's own opinion
enters it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from plaza_server.store import queries
from simulator.money.faults import KINDS, draw_money_faults
from simulator.money.settling import Settled, Settler
from simulator.money.world import (
    DAY_MS,
    MoneyConfig,
    MoneyWorld,
    build_money,
    line_of,
    till_lanes,
)
from simulator.world.clock import WALL_BASE_MS
from simulator.world.faults import WorldFault, kind_of, plaza_names
from simulator.world.streams import Streams
from tolling.canonical import from_canonical
from tolling.clock import NS_PER_MS, beijing_digits
from tolling.records import PassageRecord

BILLS_FROM_MS = 26 * 3_600_000
"""From 08:00 in Beijing to 10:00 the next day: from then on bills of a day are there."""
STEP_MS = 60_000
QUIET_MS = 600_000
REST_MS = 12 * 3_600_000
"""Within this after the last driver everything is decided, or something never ends."""
BILL = "bill"
FAULT_NAMES = (*KINDS, BILL)
"""``bill``: some days' bills have mistakes in them at first."""

OnStep = Callable[[int], None]
"""Hears how many drivers have come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyResult:
    """What came of a run. Money in fen."""

    seed: int
    orders: int
    captured_fen: int
    refunded_fen: int
    matched: int
    """Bill rows and orders that agree."""
    healed: int
    left_for_a_person: int
    bill_mistakes: int
    """Put into the first versions of bills."""
    bill_mistakes_found: int
    """Of these, listed for a person at once; must be all."""
    difference_fen: int
    """Sum of what does not agree, without sign, so that nothing cancels out; must be 0."""
    open_orders: int
    """Undecided at the end; must be 0."""
    unsent_records: int
    fault_kinds: tuple[str, ...]
    findings: tuple[str, ...]
    """What does not agree, in words."""
    settled: tuple[Settled, ...]

    @property
    def good(self) -> bool:
        """Whether every fen is where it belongs and nothing is open."""
        missed = self.bill_mistakes - self.bill_mistakes_found
        return not (self.difference_fen or self.open_orders or self.unsent_records or missed)


def run_money(
    seed: int,
    config: MoneyConfig,
    *,
    kinds: Sequence[str] = FAULT_NAMES,
    on_step: OnStep = lambda arrived: None,
) -> MoneyResult:
    """Run one world of money to its end.

    Args:   kinds: which faults may be drawn, names of ``FAULT_NAMES``; none for calm days.
    """
    drawn = _faults(seed, config, kinds)
    world = build_money(seed, replace(config, faults=(*config.faults, *drawn)))
    settler = Settler(world, Streams(seed).of("bills"), spoils=BILL in kinds)
    world.start()
    settled: list[Settled] = []
    for day in range(config.days):
        _run_to(world, (day + 1) * DAY_MS, on_step)
        if day + 1 == config.days:
            world.heal()
            _rest(world)
        _run_to(world, max(day * DAY_MS + BILLS_FROM_MS, _now_ms(world)), on_step)
        settled += settler.settle(_day(day))
    # A night's payments stand in the bill of the day after the last.
    _run_to(world, config.days * DAY_MS + BILLS_FROM_MS, on_step)
    settled += settler.settle(_day(config.days))
    # What the next day's bill explained of the day before, and whatever a bill has set going.
    _rest(world)
    settled += [_again(settler, each) for each in settled if each.rows]
    return _verdict(world, settled, settler)


def _again(settler: Settler, before: Settled) -> Settled:
    """Reconcile a day once more: nothing may be booked twice, neighbours' bills are there now."""
    return settler.reconcile(before.platform, before.day, rows=before.rows)


def _faults(seed: int, config: MoneyConfig, kinds: Sequence[str]) -> tuple[WorldFault, ...]:
    return draw_money_faults(
        seed,
        days=config.days,
        kinds=[kind for kind in kinds if kind != BILL],
        plazas=plaza_names(config.plazas),
        platforms=("alipay", "unionpay", "wechat"),
        till_lines=[line_of(lane) for lane in till_lanes(config.tills)],
    )


def _run_to(world: MoneyWorld, at_ms: int, on_step: OnStep) -> None:
    while _now_ms(world) < at_ms:
        world.run_until(min(at_ms, _now_ms(world) + DAY_MS // 24))
        on_step(world.arrived)


def _rest(world: MoneyWorld) -> None:
    """Let everything end that is under way; what does not is told by the verdict."""
    until_ms = _now_ms(world) + REST_MS
    quiet_ms = 0
    while _now_ms(world) < until_ms and quiet_ms < QUIET_MS:
        world.run_until(_now_ms(world) + STEP_MS)
        quiet_ms = 0 if world.busy or _unsettled(world) else quiet_ms + STEP_MS


def _unsettled(world: MoneyWorld) -> int:
    with world.store.engine.connect() as connection:
        return len(queries.unsettled_orders(connection, limit=1))


def _day(number: int) -> str:
    digits = beijing_digits(WALL_BASE_MS + number * DAY_MS)
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"


def _now_ms(world: MoneyWorld) -> int:
    return world.heap.now_ns // NS_PER_MS


# ---- the verdict ----


def _verdict(world: MoneyWorld, settled: Sequence[Settled], settler: Settler) -> MoneyResult:
    named, cash_fen = _named(world)
    with world.store.engine.connect() as connection:
        balances = queries.balances(connection)
        open_orders = queries.count_open_orders(connection)
        orders = int(connection.execute(sa.text("SELECT count(*) FROM orders")).scalar_one())
        told_refused, was_closed = _numbers(connection, _REFUSED), _numbers(connection, _WAS_CLOSED)
    found: Counter[str] = Counter()
    captured = refunded = 0
    for name, pair in sorted(world.platforms.items()):
        kept = 0
        for trade in pair.model.books(world.heap.now_ns):
            captured, refunded = captured + trade.captured_fen, refunded + trade.refunded_fen
            net = trade.captured_fen - trade.refunded_fen
            kept += net
            number, fen = trade.out_trade_no, trade.captured_fen
            if number in told_refused:
                _add(found, f"{name} {number} captured, and its lane was told refused", fen)
            undone = sum(each.amount_fen for each in trade.refunds if each.by_cancel)
            if number in was_closed and undone < fen:
                _add(found, f"{name} {number} captured, and had been called closed", fen)
            _add(found, f"{name} {number} against its record", net - named.pop(number, 0))
        ours = sum(balances.get(f"{kind}:{name}", 0) for kind in ("clearing", "fees"))
        _add(found, f"{name} clearing and fees against its books", ours - kept)
        _add(found, f"{name} differences", balances.get(f"differences:{name}", 0))
    for number, fen in named.items():
        _add(found, f"record names {number}, which no platform knows", fen)
    drawers = sum(fen for name, fen in balances.items() if name.startswith("cash_lane:"))
    _add(found, "drawers by the ledger against the records", drawers - cash_fen)
    for account in ("suspense", "refund_due"):
        _add(found, f"left in {account}", balances.get(account, 0))
    last = {(each.platform, each.day): each for each in settled}
    return MoneyResult(
        seed=world.seed,
        orders=orders,
        captured_fen=captured,
        refunded_fen=refunded,
        matched=sum(each.matched for each in last.values()),
        healed=sum(each.healed for each in settled),
        left_for_a_person=sum(each.left for each in last.values()),
        bill_mistakes=settler.mistakes,
        bill_mistakes_found=settler.found,
        difference_fen=sum(found.values()),
        open_orders=open_orders,
        unsent_records=sum(till.unsent for till in world.tills),
        fault_kinds=tuple(sorted({kind_of(fault) for fault in world.config.faults})),
        findings=tuple(f"{what}: {fen} fen" for what, fen in sorted(found.items())),
        settled=tuple(settled),
    )


_REFUSED = "SELECT DISTINCT out_trade_no FROM order_events WHERE to_state = 'refused'"
_WAS_CLOSED = (
    "SELECT DISTINCT out_trade_no FROM order_events"
    " WHERE from_state = 'closed' AND to_state <> 'closed'"
)


def _numbers(connection: sa.Connection, query: str) -> frozenset[str]:
    return frozenset(connection.execute(sa.text(query)).scalars())


def _add(found: Counter[str], what: str, fen: int) -> None:
    if fen:
        found[what] += abs(fen)


def _named(world: MoneyWorld) -> tuple[dict[str, int], int]:
    """Return what the sealed records name of each order, and their cash, by plain SQL."""
    named: dict[str, int] = {}
    cash_fen = 0
    with world.store.engine.connect() as connection:
        for body in connection.execute(sa.text("SELECT body FROM records")).scalars():
            for leg in from_canonical(PassageRecord, bytes(body)).legs:
                if leg.out_trade_no is None:
                    cash_fen += leg.amount_fen
                else:
                    named[leg.out_trade_no] = leg.amount_fen
    return named, cash_fen
