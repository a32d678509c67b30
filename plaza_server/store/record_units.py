"""Units of work about sealed records and lanes' epochs."""

from __future__ import annotations

import sqlalchemy as sa

from plaza_server.rules.orders import AlarmNote, Order
from plaza_server.rules.records import open_record, place_of, settle
from plaza_server.rules.units import (
    AddLane,
    GiveEpoch,
    ReadAgain,
    ReadNow,
    RecordPlace,
    RecordsTaken,
    TakeRecords,
)
from plaza_server.store import tables as t
from plaza_server.store.coupon_tables import coupon_holds
from plaza_server.store.coupon_units import settle_coupons
from plaza_server.store.etc_due_units import note_dues
from plaza_server.store.prepared import Prepared
from plaza_server.store.queries import record
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
_NAME_PASSAGE = Prepared(
    t.records.update()
    .where(
        t.records.c.lane_id == sa.bindparam("in_lane"),
        t.records.c.epoch == sa.bindparam("in_epoch"),
        t.records.c.seq == sa.bindparam("at_seq"),
    )
    .values(passage_id=sa.bindparam("passage"))
)
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
    opened = _read(work, sealed)
    if isinstance(opened, str):
        _quarantine(work, sealed, opened, unit, alarms)
        return
    _insert(work, sealed, opened.passage_id, unit)
    _settle(work, sealed, opened, unit, orders, alarms)


def _read(work: Work, sealed: SealedRecord) -> PassageRecord | str:
    """Return the record inside, or what is wrong with it."""
    try:
        found = open_record(sealed)
    except BadInputError as error:
        return error.what
    except RecursionError:
        return "nested beyond any record"
    return "its passage has one" if _has_record(work, found.passage_id) else found


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
        what=f"its hash is right, its content is not: {what}. It is kept as it came, and read again"
        " at each start of the plaza",
    )
    if work.note_alarm(note, unit.at.wall_ms):
        alarms.append(note)


def _settle(
    work: Work,
    sealed: SealedRecord,
    record: PassageRecord,
    unit: TakeRecords | ReadAgain,
    orders: dict[str, Order],
    alarms: list[AlarmNote],
) -> None:
    payee = unit.payee or record.plaza_id
    issue(work, sealed, record, payee=payee, now_ms=unit.at.wall_ms)
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
    owner = unit.lease.owner
    note_dues(work, record, owner=owner, at=unit.at)
    told = settle_coupons(work, record, place, owner=owner, at=unit.at, payee=payee)
    for note in (*settled.alarms, *told):
        if work.note_alarm(note, unit.at.wall_ms):
            alarms.append(note)


# ---- records in quarantine ----


def next_unread(work: Work, after: RecordPlace | None) -> RecordPlace | None:
    """Return the first record in quarantine behind *after*; None where nobody asks, or there is
    none."""
    if after is None:
        return None
    c = t.quarantine.c
    behind = sa.tuple_(c.lane_id, c.epoch, c.seq) > sa.tuple_(
        sa.literal(after.lane_id), sa.literal(after.epoch), sa.literal(after.seq)
    )
    query = sa.select(t.quarantine).where(c.released_ms.is_(None), behind)
    row = work.connection.execute(query.order_by(c.lane_id, c.epoch, c.seq).limit(1)).first()
    return None if row is None else RecordPlace(lane_id=row.lane_id, epoch=row.epoch, seq=row.seq)


def read_again(work: Work, unit: ReadAgain) -> ReadNow:
    """Do what a record says that this plaza can read now; its place in its chain is as it was.

    Another process may read it meanwhile: whoever marks it read does what it says.
    """
    place = unit.place
    c = t.quarantine.c
    here = sa.and_(
        c.lane_id == place.lane_id,
        c.epoch == place.epoch,
        c.seq == place.seq,
        c.released_ms.is_(None),
    )
    if work.connection.execute(sa.select(c.seq).where(here)).first() is None:
        return ReadNow(why=None)
    sealed = record(work.connection, place.lane_id, place.epoch, place.seq)
    assert sealed is not None, "every record in quarantine is in its chain"
    opened = _read(work, sealed)
    if isinstance(opened, str):
        work.connection.execute(t.quarantine.update().where(here).values(why=opened))
        return ReadNow(why=opened)
    read = t.quarantine.update().where(here).values(released_ms=unit.at.wall_ms)
    if work.connection.execute(read).rowcount != 1:
        return ReadNow(why=None)
    _NAME_PASSAGE.write(
        work.connection,
        {
            "in_lane": place.lane_id,
            "in_epoch": place.epoch,
            "at_seq": place.seq,
            "passage": opened.passage_id,
        },
    )
    orders: dict[str, Order] = {}
    alarms: list[AlarmNote] = []
    _settle(work, sealed, opened, unit, orders, alarms)
    note = AlarmNote(
        code=AlarmCode.RECORD_QUARANTINED,
        raised=False,
        subject=place_of(sealed),
        what="it is read and booked now",
    )
    if work.note_alarm(note, unit.at.wall_ms):
        alarms.append(note)
    found = tuple(orders[number] for number in sorted(orders))
    return ReadNow(why=None, orders=found, alarms=tuple(alarms))


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
