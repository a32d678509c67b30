"""Units of work about coupons: read, apply the pure rule, write.

A coupon is changed by its state and version, so two processes can never hold it twice; the index of
standing holds says the same to the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from plaza_server.rules.claims import APPROVER_ROLES
from plaza_server.rules.coupons import (
    MOVES,
    RECORD_DUE_MS,
    Coupon,
    CouponEvent,
    CouponState,
    HandReleased,
    HeldBy,
    Hold,
    ImportCoupons,
    ReleaseByHand,
    ReleaseCoupon,
    ReserveCoupon,
    coupon_bookings,
    held_by,
    held_text,
    hold_end,
    hold_id,
    hold_transfer,
    judge,
    names,
    not_held,
    overdue_note,
    refused,
    told,
)
from plaza_server.rules.orders import AlarmNote, Moment
from plaza_server.store import tables as t
from plaza_server.store.coupon_tables import coupon_holds, coupons
from plaza_server.store.prepared import Prepared
from plaza_server.store.queries import role_of
from plaza_server.store.work import Work
from tolling.best_price import Entitlement
from tolling.canonical import canonical_bytes, from_canonical
from tolling.coupons import CouponAnswer, CouponReason, HoldState
from tolling.errors import BadInputError, LedgerConflictError, RefusedError
from tolling.ids import BootId, LaneId, PassageId, parse_passage_id
from tolling.records import PassageRecord

_h = coupon_holds.c
_c = coupons.c
_HOLDS_OF = Prepared(
    sa.select(coupon_holds).where(_h.passage_id == sa.bindparam("passage")).order_by(_h.attempt)
)
_BY_TOKEN = Prepared(sa.select(coupons).where(_c.token_hash == sa.bindparam("token")))
_BY_NUMBER = Prepared(sa.select(coupons).where(_c.coupon_no == sa.bindparam("number")))
_MOVE = Prepared(
    coupons.update()
    .where(
        _c.coupon_no == sa.bindparam("number"),
        _c.state == sa.bindparam("was_state"),
        _c.version == sa.bindparam("was_version"),
    )
    .values(state=sa.bindparam("new_state"), version=sa.bindparam("new_version"))
)
_ADD_HOLD = Prepared(coupon_holds.insert())
_END_HOLD = Prepared(
    coupon_holds.update()
    .where(_h.hold_id == sa.bindparam("which"), _h.state == HoldState.RESERVED.value)
    .values(state=sa.bindparam("new_state"), ended_ms=sa.bindparam("new_ended"))
)
_PLACE = Prepared(
    sa.select(
        t.lanes.c.epoch,
        sa.exists().where(t.records.c.passage_id == sa.bindparam("passage")).label("sealed"),
    ).where(t.lanes.c.lane_id == sa.bindparam("lane"))
)
_OVERDUE = Prepared(
    sa.select(coupon_holds).where(
        _h.state == HoldState.RESERVED.value, _h.reserved_ms <= sa.bindparam("before")
    )
)


def reserve_coupon(work: Work, unit: ReserveCoupon) -> CouponAnswer:
    """Hold a coupon for one passage; the same request again gives the same answer."""
    asked = unit.request
    holds = holds_of(work.connection, asked.passage_id)
    wrong = _wrong_place(work, unit, holds)
    if wrong is not None:
        return refused(asked, wrong)
    coupon = _coupon(work, _BY_TOKEN, {"token": unit.token_hash})
    known = next((each for each in holds if each.attempt == asked.attempt), None)
    if known is not None:
        same = coupon is not None and known.coupon_no in (None, coupon.coupon_no)
        terms = coupon.entitlement if coupon is not None else None
        return told(known, terms) if same else refused(asked, CouponReason.TOO_LATE)
    before = tuple(each for each in holds if each.state is HoldState.RESERVED)
    mine = any(coupon is not None and each.coupon_no == coupon.coupon_no for each in before)
    if coupon is not None and mine:
        # Asked for anew by the passage that holds it: of another toll, so of another amount.
        coupon = replace(coupon, state=CouponState.OFFERED)
    reason, saved_fen = judge(coupon, asked.quote, at_ms=unit.at.wall_ms)
    if coupon is None or reason is not CouponReason.NONE:
        return refused(asked, reason)
    for each in before:
        _end(work, each, HoldState.RELEASED, owner=unit.owner, at=unit.at)
    hold = Hold(
        passage_id=asked.passage_id,
        attempt=asked.attempt,
        lane_id=asked.lane_id,
        coupon_no=coupon.coupon_no,
        amount_fen=saved_fen,
        state=HoldState.RESERVED,
        reserved_ms=unit.at.wall_ms,
        ended_ms=None,
    )
    _move(work, coupon.coupon_no, CouponEvent.RESERVE)
    _ADD_HOLD.write(work.connection, _row(hold))
    work.add_transfer(hold_transfer(hold), unit.at, owner=unit.owner)
    return told(hold, coupon.entitlement)


def _wrong_place(work: Work, unit: ReserveCoupon, holds: Sequence[Hold]) -> CouponReason | None:
    asked = unit.request
    place = {"lane": asked.lane_id, "passage": asked.passage_id}
    lane = _PLACE.run(work.connection, place).one_or_none()
    parts = parse_passage_id(asked.passage_id)
    if lane is None or (parts.lane_id, parts.epoch) != (asked.lane_id, lane.epoch):
        return CouponReason.WRONG_LANE
    if lane.sealed or any(each.attempt > asked.attempt for each in holds):
        # The lane is done with this vehicle, or with this request: a late copy holds nothing.
        return CouponReason.TOO_LATE
    return None


def release_coupon(work: Work, unit: ReleaseCoupon) -> CouponAnswer:
    """Let a reservation go; where there is none, a late request for it will hold nothing."""
    asked = unit.release
    number = hold_id(asked.passage_id, asked.attempt)
    holds = holds_of(work.connection, asked.passage_id)
    known = next((each for each in holds if each.hold_id == number), None)
    if known is not None:
        if known.state is HoldState.RESERVED and known.lane_id == asked.lane_id:
            known = _end(work, known, HoldState.RELEASED, owner=unit.owner, at=unit.at)
        return told(known, None)
    place = {"lane": asked.lane_id, "passage": asked.passage_id}
    lane = _PLACE.run(work.connection, place).one_or_none()
    if lane is None or parse_passage_id(asked.passage_id).lane_id != asked.lane_id:
        return refused(asked, CouponReason.WRONG_LANE)
    never = Hold(
        passage_id=asked.passage_id,
        attempt=asked.attempt,
        lane_id=asked.lane_id,
        coupon_no=None,
        amount_fen=0,
        state=HoldState.RELEASED,
        reserved_ms=unit.at.wall_ms,
        ended_ms=unit.at.wall_ms,
    )
    _ADD_HOLD.write(work.connection, _row(never))
    return told(never, None)


def settle_coupons(
    work: Work, record: PassageRecord, place: str, *, owner: BootId, at: Moment, payee: str
) -> tuple[AlarmNote, ...]:
    """Consume what a record names and release what else its passage holds: its last word.

    Returns: what is to be told: alarms of reservations that waited, and where the record names what
    was not held for it.
    """
    consumed, notes = [], []
    for hold in holds_of(work.connection, record.passage_id):
        if hold.state is not HoldState.RESERVED:
            continue
        if names(record, hold):
            consumed.append(_end(work, hold, HoldState.CONSUMED, owner=owner, at=at))
        else:
            _end(work, hold, HoldState.RELEASED, owner=owner, at=at)
        if at.wall_ms - hold.reserved_ms >= RECORD_DUE_MS:
            notes.append(overdue_note(hold, raised=False))
    if consumed:
        for transfer in coupon_bookings(record, payee):
            work.add_transfer(transfer, at, owner=owner)
    strange = not_held(record, place, tuple(consumed))
    return (*notes, *(() if strange is None else (strange,)))


def release_by_hand(work: Work, unit: ReleaseByHand) -> HandReleased:
    """Let a reservation go that no record will ever end; the same word again changes nothing."""
    where = f"coupon reservation {unit.hold_id}"
    query = sa.select(coupon_holds).where(_h.hold_id == unit.hold_id)
    row = work.connection.execute(query).mappings().one_or_none()
    if row is None:
        raise RefusedError(where=where, what="there is none")
    if role_of(work.connection, unit.by) not in APPROVER_ROLES:
        raise RefusedError(where=where, what="only a shift leader lets a coupon go")
    hold = hold_of(row)
    if hold.state is not HoldState.RESERVED:
        if hold.released_by is not None:
            return HandReleased(hold=hold)
        raise RefusedError(where=where, what=f"it is {hold.state} already, by its lane or record")
    held = what_holds(work.connection, hold)
    if held is not HeldBy.NOTHING:
        raise RefusedError(where=where, what=held_text(held, hold.lane_id))
    ended = _end(work, hold, HoldState.RELEASED, owner=unit.owner, at=unit.at)
    said = {"released_by": unit.by, "released_why": unit.why}
    work.connection.execute(coupon_holds.update().where(_h.hold_id == unit.hold_id).values(**said))
    note = overdue_note(hold, raised=False)
    cleared = (note,) if work.note_alarm(note, unit.at.wall_ms) else ()
    return HandReleased(
        hold=replace(ended, released_by=unit.by, released_why=unit.why), alarms=cleared
    )


def what_holds(connection: sa.Connection, hold: Hold) -> HeldBy:
    """Return why nobody may let a reservation go by hand yet; NOTHING: a shift leader may."""
    lane = sa.select(t.lanes.c.epoch).where(t.lanes.c.lane_id == hold.lane_id)
    epoch = connection.execute(lane).scalar_one_or_none()
    held = held_by(hold, epoch=epoch, quarantined=False)
    if held is not HeldBy.NOTHING:
        return held  # Nearly always; to look through unread bodies takes long.
    c = t.records.c
    unread = sa.select(c.body).where(
        c.lane_id == hold.lane_id,
        c.epoch == parse_passage_id(hold.passage_id).epoch,
        c.passage_id.is_(None),
    )
    number = hold.passage_id.encode("ascii")
    quarantined = any(number in bytes(body) for body in connection.execute(unread).scalars())
    return held_by(hold, epoch=epoch, quarantined=quarantined)


def sweep_coupons(work: Work, at: Moment) -> tuple[AlarmNote, ...]:
    """Tell of every reservation whose passage has no record for a day, once."""
    rows = _OVERDUE.run(work.connection, {"before": at.wall_ms - RECORD_DUE_MS}).mappings()
    notes = [overdue_note(hold_of(row), raised=True) for row in rows]
    return tuple(note for note in notes if work.note_alarm(note, at.wall_ms))


def import_coupons(work: Work, unit: ImportCoupons) -> int:
    """Store coupons, all or none; one that is there as it stands here changes nothing."""
    new = 0
    for coupon, line in zip(unit.coupons, unit.lines, strict=True):
        there = _coupon(work, _BY_NUMBER, {"number": coupon.coupon_no})
        if there is None and _coupon(work, _BY_TOKEN, {"token": coupon.token_hash}) is None:
            work.connection.execute(coupons.insert(), _coupon_row(coupon, unit.now_ms))
            new += 1
        elif there is None or _said(there) != _said(coupon):
            raise BadInputError(
                where=f"{unit.file} line {line}",
                what="its number or code is here already, for another coupon",
                do="Nothing was taken. Ask the issuer which of the two is right",
            )
    return new


def _said(coupon: Coupon) -> tuple[object, ...]:
    return coupon.token_hash, coupon.issuer, coupon.entitlement


# ---- rows ----


def holds_of(connection: sa.Connection, passage: PassageId) -> list[Hold]:
    """Return a passage's reservations by attempt."""
    rows = _HOLDS_OF.run(connection, {"passage": passage}).mappings()
    return [hold_of(row) for row in rows]


def hold_of(row: Any) -> Hold:
    """Return the reservation of a row of ``coupon_holds``."""
    return Hold(
        passage_id=PassageId(row["passage_id"]),
        attempt=row["attempt"],
        lane_id=LaneId(row["lane_id"]),
        coupon_no=row["coupon_no"],
        amount_fen=row["amount_fen"],
        state=HoldState(row["state"]),
        reserved_ms=row["reserved_ms"],
        ended_ms=row["ended_ms"],
        released_by=row["released_by"],
        released_why=row["released_why"] or "",
    )


def _row(hold: Hold) -> dict[str, Any]:
    return {
        "hold_id": hold.hold_id,
        "passage_id": hold.passage_id,
        "attempt": hold.attempt,
        "lane_id": hold.lane_id,
        "coupon_no": hold.coupon_no,
        "amount_fen": hold.amount_fen,
        "state": hold.state.value,
        "reserved_ms": hold.reserved_ms,
        "ended_ms": hold.ended_ms,
    }


def _coupon(work: Work, query: Prepared, values: dict[str, str]) -> Coupon | None:
    row = query.run(work.connection, values).mappings().one_or_none()
    return None if row is None else coupon_of(row)


def coupon_of(row: Any) -> Coupon:
    """Return the coupon of a row of ``coupons``."""
    return Coupon(
        coupon_no=row["coupon_no"],
        token_hash=row["token_hash"],
        issuer=row["issuer"],
        entitlement=from_canonical(Entitlement, row["terms"].encode("utf-8")),
        state=CouponState(row["state"]),
        version=row["version"],
    )


def _coupon_row(coupon: Coupon, now_ms: int) -> dict[str, Any]:
    return {
        "coupon_no": coupon.coupon_no,
        "token_hash": coupon.token_hash,
        "issuer": coupon.issuer,
        "terms": canonical_bytes(coupon.entitlement).decode("utf-8"),
        "state": coupon.state.value,
        "version": coupon.version,
        "imported_ms": now_ms,
    }


def _end(work: Work, hold: Hold, state: HoldState, *, owner: BootId, at: Moment) -> Hold:
    """End a reservation, its coupon and its pending transfer together."""
    assert hold.coupon_no is not None, "what is held has a coupon"
    consumed = state is HoldState.CONSUMED
    _move(work, hold.coupon_no, CouponEvent.CONSUME if consumed else CouponEvent.RELEASE)
    values = {"which": hold.hold_id, "new_state": state.value, "new_ended": at.wall_ms}
    if _END_HOLD.write(work.connection, values) != 1:
        raise _meanwhile(hold.coupon_no)
    work.add_transfer(hold_end(hold, post=consumed), at, owner=owner)
    return replace(hold, state=state, ended_ms=at.wall_ms)


def _move(work: Work, coupon_no: str, event: CouponEvent) -> None:
    coupon = _coupon(work, _BY_NUMBER, {"number": coupon_no})
    after = MOVES.get((coupon.state, event)) if coupon is not None else None
    if coupon is None or after is None:
        raise _meanwhile(coupon_no)
    values = {
        "number": coupon_no,
        "was_state": coupon.state.value,
        "was_version": coupon.version,
        "new_state": after.value,
        "new_version": coupon.version + 1,
    }
    if _MOVE.write(work.connection, values) != 1:
        raise _meanwhile(coupon_no)


def _meanwhile(coupon_no: str) -> LedgerConflictError:
    return LedgerConflictError(
        where=f"coupon {coupon_no}", what="changed by another process meanwhile"
    )
