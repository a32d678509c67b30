"""What the auditor may see of a virtual run: plant, books, people, wires, and stores after it.

Stores are read by plain SQL: nothing of the code under test says what it has stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sqlalchemy as sa

from simulator.auditor.evidence import (
    AuditedClaim,
    AuditedCoupon,
    AuditedDebit,
    AuditedOrder,
    AuditedRecord,
    AuditedTransfer,
    CapturedTrade,
    CouponRow,
    DriverStory,
    EtcDueRow,
    Evidence,
    Restart,
    TextSource,
)
from simulator.models.device_faults import DeviceFault
from simulator.models.etc_reader import EtcCharge
from simulator.people import TakenBy
from simulator.world import lost, sighted
from simulator.world.clock import us
from simulator.world.faults import DeviceTroubleAt
from simulator.world.phones import vehicle_of
from simulator.world.world import World
from tolling.inputs import Point

CAMERA_TROUBLE = frozenset({"camera_misread", "camera_slow"})
"""Then a plate on a record may be of the vehicle before: one that comes late is believed of whoever
stands there."""


def gather(world: World, *, at_rest: bool) -> Evidence:
    """Return the evidence of a run as it stands."""
    world.site.look_at_wallets()
    return replace(
        frame(world, at_rest=at_rest),
        plant_log=world.plant.log,
        trades=tuple(trades_of(world)),
        drivers=tuple(_drivers(world)),
        lane_records=tuple(_lane_records(world)),
        plaza_records=tuple(_plaza_records(world)),
        orders=tuple(_orders(world)),
        transfers=tuple(_transfers(world)),
        unread=frozenset(unread_of(world)),
        captures=tuple(world.captures.stood),
        claims=tuple(_claims(world)),
        tapped=tuple(world.tap.seen),
        texts=_texts(world),
        codes=(*world.phones.codes, *world.site.coupons.texts),
        coupons=tuple(_coupons(world)),
        coupon_rows=tuple(_coupon_rows(world)),
        debits=tuple(_debits(world)),
        etc_dues=tuple(_etc_dues(world)),
        borrowed=tuple(sorted(world.phones.borrowed)),
        ordered=tuple(sighted.ordered(world)),
        cash=tuple(sighted.cash(world)),
    )


def frame(world: World, *, at_rest: bool) -> Evidence:
    """Return what is known of a run beside what grows with its vehicles: faults, restarts, clocks,
    tariffs; no row, trade, message, text, driver or order of a person."""
    return Evidence(
        at_rest=at_rest,
        plant_log=(),
        trades=(),
        drivers=(),
        lane_records=(),
        plaza_records=(),
        orders=(),
        transfers=(),
        tapped=(),
        texts=(),
        codes=(),
        restarts=tuple(_restarts(world)),
        misread_plates=bool(CAMERA_TROUBLE & world.fault_kinds),
        lying=tuple(sighted.lying(world)),
        limit_faults=tuple(sighted.limit_faults(world)),
        false_limit=frozenset(_false_limit(world)),
        blind=tuple(sighted.blind(world)),
        untold=tuple(sighted.untold(world)),
        held=tuple(sighted.held(world)),
        hindered=tuple(sighted.hindered(world)),
        lost=tuple(lost.lost(world)),
        tariffs=tuple(sighted.tariffs(world)),
        tariffs_heard=tuple(sighted.tariffs_heard(world)),
        wall_base_ms=world.heap.wall_base_ms,
        clocks_off=frozenset(sighted.clocks_off(world)),
        clocks_set_back=tuple(sighted.clocks_set_back(world)),
    )


def trades_of(world: World) -> Iterator[CapturedTrade]:
    """Yield every trade in the platforms' own books."""
    for name, platform in world.platforms.items():
        for trade in platform.books(world.heap.now_ns):
            yield CapturedTrade(
                platform=name,
                out_trade_no=trade.out_trade_no,
                captured_fen=trade.captured_fen,
                refunded_fen=trade.refunded_fen,
                paid_at_us=None if trade.paid_at_ns is None else us(trade.paid_at_ns),
                code_no=trade.code_no,
                payer=vehicle_of(trade.buyer_id),
            )


def _drivers(world: World) -> Iterator[DriverStory]:
    for car in world.site.cars:
        number = car.vehicle.vehicle_id
        memory = world.site.driver(number).memory
        paid = dict.fromkeys(TakenBy, 0)
        for money in memory.taken:
            paid[money.by] += money.amount_fen
        yield DriverStory(
            lane_id=car.lane_id,
            vehicle_id=number,
            plate=memory.plate,
            phone_fen=paid[TakenBy.PHONE],
            cash_fen=paid[TakenBy.CASH],
            etc_fen=paid[TakenBy.ETC],
            gone=world.site.is_gone(number),
            backed_out=memory.backed_out,
        )


def record_of(row: sa.RowMapping) -> AuditedRecord:
    """Return a row of records as the auditor reads it."""
    body = row["body"]
    return AuditedRecord(
        plaza_id=row["plaza_id"],
        lane_id=row["lane_id"],
        epoch=row["epoch"],
        seq=row["seq"],
        previous_hash=row["previous_hash"],
        chain_hash=row["chain_hash"],
        body=body if isinstance(body, str) else bytes(body).decode("utf-8"),
    )


def rows_of(engine: sa.Engine, sql: str, **values: str | int) -> list[sa.RowMapping]:
    """Return the rows of a query by plain SQL; *values* are those it names."""
    with engine.connect() as connection:
        return list(connection.execute(sa.text(sql), values).mappings())


def _lane_records(world: World) -> Iterator[AuditedRecord]:
    for lane_id in sorted(world.journals):
        sql = (
            "SELECT plaza_id, lane_id, epoch, seq, previous_hash, chain_hash, body FROM records"
            " ORDER BY epoch, seq"
        )
        for row in rows_of(world.journals[lane_id], sql):
            yield record_of(row)


def _plaza_records(world: World) -> Iterator[AuditedRecord]:
    sql = (
        "SELECT l.plaza_id, r.lane_id, r.epoch, r.seq, r.previous_hash, r.chain_hash, r.body"
        " FROM records r JOIN lanes l ON l.lane_id = r.lane_id ORDER BY r.lane_id, r.epoch, r.seq"
    )
    for row in rows_of(world.plaza_store.engine, sql):
        yield record_of(row)


def _orders(world: World) -> Iterator[AuditedOrder]:
    sql = (
        "SELECT out_trade_no, state, toll_fen, captured_fen, refunded_fen FROM orders"
        " ORDER BY out_trade_no"
    )
    for row in rows_of(world.plaza_store.engine, sql):
        yield AuditedOrder(**row)


def _transfers(world: World) -> Iterator[AuditedTransfer]:
    sql = (
        "SELECT transfer_id, debit, credit, amount_fen, kind, pending_id, out_trade_no"
        " FROM transfers ORDER BY transfer_id"
    )
    for row in rows_of(world.plaza_store.engine, sql):
        yield AuditedTransfer(**row)


def unread_of(world: World) -> Iterator[tuple[str, int, int]]:
    """Yield lane, epoch and seq of every record the plaza keeps unread."""
    sql = "SELECT lane_id, epoch, seq FROM quarantine WHERE released_ms IS NULL"
    for row in rows_of(world.plaza_store.engine, sql):
        yield row["lane_id"], row["epoch"], row["seq"]


def _claims(world: World) -> Iterator[AuditedClaim]:
    sql = "SELECT claim_id, out_trade_no, amount_fen, state FROM claims ORDER BY claim_id"
    for row in rows_of(world.plaza_store.engine, sql):
        yield AuditedClaim(**row)


def _coupons(world: World) -> Iterator[AuditedCoupon]:
    """Yield what the issuer made, by its own copy."""
    now_ms = world.heap.wall_base_ms
    for coupon in world.site.coupons.issued:
        terms = coupon.entitlement
        yield AuditedCoupon(
            coupon_no=coupon.coupon_no,
            fixed_fen=terms.amount_fen,
            off_rate=terms.off_rate,
            good=terms.valid_from_ms <= now_ms < terms.valid_until_ms,
        )


def _coupon_rows(world: World) -> Iterator[CouponRow]:
    sql = "SELECT coupon_no, state FROM coupons ORDER BY coupon_no"
    for row in rows_of(world.plaza_store.engine, sql):
        yield CouponRow(**row)


def _debits(world: World) -> Iterator[AuditedDebit]:
    return map(debit_of, world.site.tag_charges())


def debit_of(charge: EtcCharge) -> AuditedDebit:
    """Return a charge that took something, as the auditor reads it."""
    assert charge.txn_id is not None
    return AuditedDebit(
        reference=charge.reference,
        tag_id=charge.tag_id,
        vehicle_id=int(charge.tag_id.removeprefix("tag-")),
        amount_fen=charge.amount_fen,
        txn_id=charge.txn_id,
        at_us=us(charge.at_ns),
    )


def _etc_dues(world: World) -> Iterator[EtcDueRow]:
    sql = "SELECT passage_id, amount_fen, state FROM etc_dues ORDER BY passage_id"
    for row in rows_of(world.plaza_store.engine, sql):
        yield EtcDueRow(**row)


def _texts(world: World) -> Iterator[TextSource]:
    engines = {f"journal of lane {name}": world.journals[name] for name in sorted(world.journals)}
    engines["store of the plaza"] = world.plaza_store.engine
    for name, engine in engines.items():
        yield TextSource(name=name, data=_bytes_of(engine))


def _bytes_of(engine: sa.Engine) -> bytes:
    """Return every value of every table of a database in memory, as it is stored."""
    parts: list[bytes] = []
    with engine.connect() as connection:
        query = sa.text("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        for table in connection.execute(query).scalars().all():
            found = connection.exec_driver_sql(f'SELECT * FROM "{table}"').cursor  # noqa: S608
            for row in found.fetchall():
                parts += [value if type(value) is bytes else str(value).encode() for value in row]
    return b"\n".join(parts)


def _false_limit(world: World) -> Iterator[str]:
    for fault in world.faults:
        if isinstance(fault, DeviceTroubleAt) and fault.device == "io":
            limit = fault.trouble.where in ("", Point.BOOM_UP)
            if limit and fault.trouble.kind in (DeviceFault.STUCK_1, DeviceFault.CHATTER):
                yield fault.lane_id


def _restarts(world: World) -> Iterator[Restart]:
    """Yield every start but a process's first: nothing had happened before that one."""
    for lane_id in sorted(world.lanes):
        process = world.lanes[lane_id]
        for at_ns in process.started_ns[1:]:
            yield Restart(at_us=us(at_ns), process=process.name, lane_id=lane_id)
    for plaza in world.plazas:
        for at_ns in plaza.started_ns[1:]:
            yield Restart(at_us=us(at_ns), process=plaza.name, lane_id=None)
