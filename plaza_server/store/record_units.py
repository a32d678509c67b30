"""Units of work about sealed records and lanes' epochs."""

from __future__ import annotations

import sqlalchemy as sa

from plaza_server.rules.orders import AlarmNote, Order
from plaza_server.rules.records import open_record, place_of, settle
from plaza_server.rules.units import AddLane, GiveEpoch, RecordsTaken, TakeRecords
from plaza_server.store import tables as t
from plaza_server.store.coupon_tables import coupon_holds
from plaza_server.store.coupon_units import settle_coupons
from plaza_server.store.etc_due_units import note_dues
from plaza_server.store.prepared import Prepared
from plaza_server.store.receipt_units import issue
from plaza_server.store.rows import order_of
from plaza_server.store.work import Work
from tolling.alarms import AlarmCode
from tolling.chain import Anchor, ChainVerdict, SealedRecord, anchor_of, check_next, genesis
from tolling.errors import BadInputError, RefusedError
from tolling.ids import MAX_EPOCH, LaneId, PassageId, PlazaId
from tolling.records import PassageRecord

_LANE = Prepared(sa.select(t.lanes).where(t.lanes.c.lane_id == sa.bindparam("lane")))
_MOVE = Prepared(
    t.lanes.update()
    .where(
        t.lanes.c.lane_id == sa.bindparam("lane"),
        t.lanes.c.epoch == sa.bindparam("was_epoch"),
        t.lanes.c.seq == sa.bindparam("was_seq"),
    )
    .values(
        epoch=sa.bindparam("new_epoch"),
        seq=sa.bindparam("new_seq"),
        chain_hash=sa.bindparam("new_hash"),
    )
)
_RECORD_OF = Prepared(
    sa.select(t.records.c.seq).where(t.records.c.passage_id == sa.bindparam("passage"))
)
_ORDERS_OF = Prepared(sa.select(t.orders).where(t.orders.c.passage_id == sa.bindparam("passage")))
_ADD_RECORD = Prepared(t.records.insert())
_SUSPICIOUS = frozenset({ChainVerdict.FORK, ChainVerdict.FORGED})


def take_records(work: Work, unit: TakeRecords) -> RecordsTaken | None:
    """Take records in order up to the first that does not fit; what fits is kept whatever it
    says."""
    anchor = _anchor(work, unit.lane_id)
    if anchor is None:
        return None
    start = anchor
    refused: ChainVerdict | None = None
    taken = 0
    orders: dict[str, Order] = {}
    alarms: list[AlarmNote] = []
    for sealed in unit.records:
        verdict = _verdict(work, anchor, sealed)
        if verdict is ChainVerdict.NEXT:
            _take(work, sealed, unit, orders, alarms)
            anchor = anchor_of(sealed)
            taken += 1
        elif verdict is not ChainVerdict.DUPLICATE:
            refused = verdict
            break
    if anchor != start:
        _move_anchor(work, start, anchor)
    _chain_alarm(work, unit, refused, taken, alarms)
    return RecordsTaken(
        anchor=anchor,
        refused=None if refused is None else refused.value,
        taken=taken,
        orders=tuple(orders[number] for number in sorted(orders)),
        alarms=tuple(alarms),
    )


def _anchor(work: Work, lane: LaneId) -> Anchor | None:
    row = _LANE.run(work.connection, {"lane": lane}).one_or_none()
    if row is None:
        return None
    return Anchor(
        plaza_id=PlazaId(row.plaza_id),
        lane_id=LaneId(row.lane_id),
        epoch=row.epoch,
        seq=row.seq,
        chain_hash=row.chain_hash,
    )


def _move_anchor(work: Work, start: Anchor, end: Anchor) -> None:
    was = {"lane": start.lane_id, "was_epoch": start.epoch, "was_seq": start.seq}
    new = {"new_epoch": end.epoch, "new_seq": end.seq, "new_hash": end.chain_hash}
    if _MOVE.write(work.connection, {**was, **new}) != 1:
        raise RefusedError(
            where=f"lane {start.lane_id}", what="its chain was moved by another process meanwhile"
        )


def _verdict(work: Work, anchor: Anchor, sealed: SealedRecord) -> ChainVerdict:
    try:
        verdict = check_next(anchor, sealed)
    except UnicodeEncodeError:
        # Text that has no bytes was never hashed by anybody.
        return ChainVerdict.FORGED
    if verdict is not ChainVerdict.DUPLICATE:
        return verdict
    c = t.records.c
    stored = work.connection.execute(
        sa.select(c.chain_hash).where(
            c.lane_id == sealed.lane_id, c.epoch == sealed.epoch, c.seq == sealed.seq
        )
    ).scalar_one_or_none()
    return ChainVerdict.DUPLICATE if stored == sealed.chain_hash else ChainVerdict.FORK


def _take(
    work: Work,
    sealed: SealedRecord,
    unit: TakeRecords,
    orders: dict[str, Order],
    alarms: list[AlarmNote],
) -> None:
    try:
        record = open_record(sealed)
        if _has_record(work, record.passage_id):
            raise BadInputError(where=f"record {place_of(sealed)}", what="its passage has one")
    except (BadInputError, RecursionError) as error:
        what = error.what if isinstance(error, BadInputError) else "nested beyond any record"
        _quarantine(work, sealed, what, unit, alarms)
        return
    _insert(work, sealed, record.passage_id, unit)
    payee = unit.payee or sealed.plaza_id
    issue(work, sealed, record, payee=payee, now_ms=unit.at.wall_ms)
    _settle(work, sealed, record, unit, orders, alarms)


def _has_record(work: Work, passage: PassageId) -> bool:
    return _RECORD_OF.run(work.connection, {"passage": passage}).first() is not None


def _insert(work: Work, sealed: SealedRecord, passage: PassageId | None, unit: TakeRecords) -> None:
    _ADD_RECORD.write(
        work.connection,
        {
            "lane_id": sealed.lane_id,
            "epoch": sealed.epoch,
            "seq": sealed.seq,
            "passage_id": passage,
            "previous_hash": sealed.previous_hash,
            "chain_hash": sealed.chain_hash,
            "body": sealed.body.encode("utf-8"),
            "received_ms": unit.at.wall_ms,
        },
    )


def _quarantine(
    work: Work, sealed: SealedRecord, what: str, unit: TakeRecords, alarms: list[AlarmNote]
) -> None:
    """Keep a record with a right hash and bad content, raw; its chain goes on behind it."""
    _insert(work, sealed, None, unit)
    row = {
        "lane_id": sealed.lane_id,
        "epoch": sealed.epoch,
        "seq": sealed.seq,
        "why": what,
        "received_ms": unit.at.wall_ms,
        "released_ms": None,
    }
    work.connection.execute(t.quarantine.insert(), row)
    note = AlarmNote(
        code=AlarmCode.RECORD_QUARANTINED,
        raised=True,
        subject=place_of(sealed),
        what=f"its hash is right, its content is not: {what}. It is kept as it came",
    )
    if work.note_alarm(note, unit.at.wall_ms):
        alarms.append(note)


def _settle(
    work: Work,
    sealed: SealedRecord,
    record: PassageRecord,
    unit: TakeRecords,
    orders: dict[str, Order],
    alarms: list[AlarmNote],
) -> None:
    rows = _ORDERS_OF.run(work.connection, {"passage": record.passage_id}).mappings()
    known = {row["out_trade_no"]: order_of(row) for row in rows}
    place = place_of(sealed)
    settled = settle(
        record, place=place, orders=tuple(known.values()), at=unit.at, payee=unit.payee
    )
    for applied in settled.applied:
        before = known[applied.order.out_trade_no]
        after, changed = work.keep(before, applied, lease=unit.lease, at=unit.at, place=place)
        orders[after.out_trade_no] = after
        alarms.extend(changed)
    for transfer in settled.transfers:
        work.add_transfer(transfer, unit.at, owner=unit.lease.owner)
    for difference in settled.unbooked:
        work.note_difference(difference, unit.at, place)
    payee = unit.payee or record.plaza_id
    owner = unit.lease.owner
    note_dues(work, record, owner=owner, at=unit.at)
    told = settle_coupons(work, record, place, owner=owner, at=unit.at, payee=payee)
    for note in (*settled.alarms, *told):
        if work.note_alarm(note, unit.at.wall_ms):
            alarms.append(note)


def _chain_alarm(
    work: Work,
    unit: TakeRecords,
    refused: ChainVerdict | None,
    taken: int,
    alarms: list[AlarmNote],
) -> None:
    broken = refused in _SUSPICIOUS
    if not broken and (refused is not None or taken == 0):
        return
    what = f"its records are refused: {refused}. Re-anchor it with a signed epoch record"
    note = AlarmNote(
        code=AlarmCode.CHAIN_BROKEN,
        raised=broken,
        subject=unit.lane_id,
        what=what if broken else "its records fit again",
    )
    if work.note_alarm(note, unit.at.wall_ms):
        alarms.append(note)


# ---- lanes and epochs ----


def add_lane(work: Work, unit: AddLane) -> Anchor:
    """Register a lane in its first epoch, or give it a new token."""
    standing = _anchor(work, unit.lane_id)
    if standing is not None:
        update = t.lanes.update().where(t.lanes.c.lane_id == unit.lane_id)
        work.connection.execute(update.values(token_hash=unit.token_hash))
        return standing
    anchor = genesis(unit.plaza_id, unit.lane_id, 1)
    work.connection.execute(
        t.lanes.insert(),
        {
            "lane_id": unit.lane_id,
            "plaza_id": unit.plaza_id,
            "epoch": anchor.epoch,
            "seq": anchor.seq,
            "chain_hash": anchor.chain_hash,
            "token_hash": unit.token_hash,
            "added_ms": unit.now_ms,
        },
    )
    return anchor


def give_epoch(work: Work, unit: GiveEpoch) -> Anchor | None:
    """Tell a lane its epoch; one with an empty journal never gets a used one again.

    Raises: RefusedError: the lane has used up all its epochs.
    """
    anchor = _anchor(work, unit.lane_id)
    if anchor is None or not unit.fresh or not _is_used(work, anchor):
        return anchor
    if anchor.epoch >= MAX_EPOCH:
        raise RefusedError(where=f"lane {unit.lane_id}", what=f"all {MAX_EPOCH} epochs are used")
    new = genesis(anchor.plaza_id, anchor.lane_id, anchor.epoch + 1)
    _move_anchor(work, anchor, new)
    return new


def _is_used(work: Work, anchor: Anchor) -> bool:
    if anchor.seq > 0:
        return True
    prefix = f"{anchor.plaza_id}{anchor.lane_id}{anchor.epoch:03d}"
    for c in (t.orders.c.passage_id, coupon_holds.c.passage_id):
        used = sa.select(c).where(c >= f"{prefix}000000000", c <= f"{prefix}999999999").limit(1)
        if work.connection.execute(used).first() is not None:
            return True
    return False
