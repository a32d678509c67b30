"""Units of work about claims: read, apply the pure rule, write.

Strategy. Whatever is asked about one passage is put in line by a lock on its record, so that two
processes can never grant the same money twice. The record itself is never changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from enum import Enum
from typing import Any

import sqlalchemy as sa

from plaza_server.rules.claims import (
    APPROVER_ROLES,
    DUE_STATES,
    MAX_CLAIMS,
    Claim,
    ClaimApplied,
    ClaimState,
    apply_claim,
    approved,
    ask_digest,
    paid_out,
    refused,
    wants_two,
)
from plaza_server.rules.claims_units import (
    ApplyClaim,
    AskRefund,
    ClaimChanged,
    ClaimWork,
    DecideClaim,
    Decision,
)
from plaza_server.rules.ledger_accounts import revenue
from plaza_server.rules.limits import LEASE_MS_MAX
from plaza_server.rules.orders import AlarmNote, Moment, Order, RecordMark
from plaza_server.rules.records import place_of
from plaza_server.rules.units import Sweep
from plaza_server.store import tables as t
from plaza_server.store.claim_tables import claims
from plaza_server.store.prepared import Prepared
from plaza_server.store.queries import role_of, sealed_of
from plaza_server.store.rows import order_of
from plaza_server.store.work import Work
from tolling.canonical import from_canonical
from tolling.errors import LedgerConflictError, LedgerError, RefusedError
from tolling.ids import BootId, OutRefundNo, OutTradeNo, PassageId, make_out_refund_no
from tolling.orders import OrderState
from tolling.records import PHONE_TENDERS, Leg, PassageRecord, Tender

_c = claims.c
_FIELDS = tuple(field.name for field in fields(Claim))
_ALL = sa.select(claims)
_UNFINISHED = Prepared(sa.select(sa.func.count()).select_from(claims).where(_c.work))
_LEGS = PHONE_TENDERS | {Tender.CASH}
"""Legs a plaza gives back; ETC issuers and coupons have ways of their own."""


def claim_of(row: sa.RowMapping) -> Claim:
    """Return the claim of a row of ``claims``."""
    values = {name: row[name] for name in _FIELDS}
    return Claim(**{**values, "state": ClaimState(row["state"])})


def _row(claim: Claim) -> dict[str, Any]:
    values = {name: getattr(claim, name) for name in _FIELDS}
    plain = {k: v.value if isinstance(v, Enum) else v for k, v in values.items()}
    return {**plain, "work": claim.needs_work}


# ---- what people ask ----


def ask_refund(work: Work, unit: AskRefund) -> Claim:
    """Store a claim, or find it where its number was used before."""
    digest = ask_digest(unit.passage_id, unit.leg, unit.amount_fen, unit.reason)
    known = work.connection.execute(_ALL.where(_c.request_id == unit.request_id)).mappings().first()
    if known is not None:
        claim = claim_of(known)
        if claim.request_digest == digest and claim.asked_by == unit.by:
            return claim
        raise LedgerConflictError(where="refund", what="this request_id was used otherwise")
    record = _locked_record(work, unit.passage_id)
    number, leg = _chosen(record, unit.leg)
    others = _of_passage(work, unit.passage_id)
    if len(others) >= MAX_CLAIMS:
        raise _no("this receipt has all the claims it can have")
    order = None if leg.out_trade_no is None else _earned_order(work, leg.out_trade_no)
    held = leg.amount_fen if order is None else order.captured_fen - order.refunded_fen
    taken = sum(each.amount_fen for each in _standing(others) if each.leg == number)
    left = held - taken
    amount = left if unit.amount_fen is None else unit.amount_fen
    if not 0 < amount <= left:
        raise _no(f"{left} fen of this leg are left, not {amount}")
    made = Claim(
        claim_id=f"{unit.passage_id}C{len(others) + 1:02d}",
        request_id=unit.request_id,
        request_digest=digest,
        passage_id=unit.passage_id,
        lane_id=record.lane_id,
        leg=number,
        out_trade_no=leg.out_trade_no,
        platform="" if order is None else order.platform,
        revenue=_booked_to(work, record, number, order),
        amount_fen=amount,
        reason=unit.reason,
        asked_by=unit.by,
        asked_ms=unit.at.wall_ms,
        decided_by=None,
        decided_ms=None,
        decision="",
        paid_by=None,
        ended_ms=None,
        out_refund_no=None,
        state=ClaimState.ASKED,
        owner=BootId(""),
        lease_until_ms=0,
        version=1,
    )
    work.connection.execute(claims.insert(), _row(made))
    return made


def decide_claim(work: Work, unit: DecideClaim) -> Claim:
    """Approve, refuse or pay out a claim; saying the same twice changes nothing."""
    row = work.connection.execute(_ALL.where(_c.claim_id == unit.claim_id)).mappings().first()
    if row is None:
        raise _no("there is no such claim")
    _locked_record(work, PassageId(row["passage_id"]))
    claim = _claim(work, unit.claim_id)
    if _said_before(claim, unit):
        return claim
    wanted = ClaimState.APPROVED if unit.decision is Decision.PAID_OUT else ClaimState.ASKED
    if claim.state is not wanted:
        raise _no(f"it is {claim.state.value}, not {wanted.value}")
    if unit.decision is Decision.PAID_OUT:
        if claim.out_trade_no is not None:
            raise _no("its platform pays it, not an attendant")
        return _keep(work, claim, paid_out(claim, unit.by, at=unit.at), unit.owner, unit.at)[0]
    if role_of(work.connection, unit.by) not in APPROVER_ROLES:
        raise _no("only a shift leader decides about claims")
    if unit.decision is Decision.REFUSE:
        done = refused(claim, unit.by, unit.why, at=unit.at)
        return _keep(work, claim, done, unit.owner, unit.at)[0]
    others = _of_passage(work, claim.passage_id)
    total = sum(each.amount_fen for each in _standing(others))
    if wants_two(total, unit.two_person_above_fen) and unit.by == claim.asked_by:
        raise _no(f"above {unit.two_person_above_fen} fen another person has to approve")
    number = _refund_number(work, claim)
    done = approved(claim, unit.by, out_refund_no=number, at=unit.at)
    return _keep(work, claim, done, unit.owner, unit.at)[0]


def _said_before(claim: Claim, unit: DecideClaim) -> bool:
    match unit.decision:
        case Decision.APPROVE:
            return claim.state in DUE_STATES and claim.decided_by == unit.by
        case Decision.REFUSE:
            return claim.state is ClaimState.REFUSED and claim.decided_by == unit.by
        case Decision.PAID_OUT:
            return claim.state is ClaimState.PAID_OUT and claim.paid_by == unit.by


def _refund_number(work: Work, claim: Claim) -> OutRefundNo | None:
    """Return the next free number of a refund of the claim's order; R01 is the order's own."""
    if claim.out_trade_no is None:
        return None
    used = _of_passage(work, claim.passage_id)
    count = sum(each.out_refund_no is not None and each.leg == claim.leg for each in used)
    return make_out_refund_no(claim.out_trade_no, count + 2)


def _locked_record(work: Work, passage: PassageId) -> PassageRecord:
    c = t.records.c
    query = (
        sa.select(t.records, t.lanes.c.plaza_id)
        .join(t.lanes, t.lanes.c.lane_id == c.lane_id)
        .where(c.passage_id == passage)
        .with_for_update(of=t.records)
    )
    row = work.connection.execute(query).mappings().first()
    if row is None:
        raise _no("there is no such receipt; its lane may not have sent it yet")
    record = from_canonical(PassageRecord, bytes(row["body"]))
    assert isinstance(record, PassageRecord)
    return record


def _chosen(record: PassageRecord, wanted: int | None) -> tuple[int, Leg]:
    legs = [(n, leg) for n, leg in enumerate(record.legs, start=1) if leg.tender in _LEGS]
    if wanted is not None:
        legs = [(n, leg) for n, leg in legs if n == wanted]
    if not legs:
        raise _no("it has no such leg that the plaza gives back")
    if len(legs) > 1:
        raise _no(f"it has {len(legs)} legs: say which")
    return legs[0]


def _earned_order(work: Work, number: OutTradeNo) -> Order:
    order = work.order(number)
    if order is None or order.state is not OrderState.PAID or not order.proven:
        raise _no("its payment is not proven yet, or is being given back already")
    if order.record is not RecordMark.NAMED:
        raise _no("its payment is not revenue")
    return order


def _booked_to(work: Work, record: PassageRecord, number: int, order: Order | None) -> str:
    """Return the revenue account a leg was booked to."""
    if order is not None:
        return revenue(order.platform, order.payee)
    c = t.records.c
    query = (
        sa.select(t.records, t.lanes.c.plaza_id)
        .join(t.lanes, t.lanes.c.lane_id == c.lane_id)
        .where(c.passage_id == record.passage_id)
    )
    place = place_of(sealed_of(work.connection.execute(query).mappings().one()))
    found = sa.select(t.transfers.c.credit).where(
        t.transfers.c.transfer_id == f"{place}/leg/{number}"
    )
    return str(work.connection.execute(found).scalar_one())


def _of_passage(work: Work, passage: PassageId) -> list[Claim]:
    query = _ALL.where(_c.passage_id == passage).order_by(_c.claim_id)
    return [claim_of(row) for row in work.connection.execute(query).mappings()]


def _standing(found: Sequence[Claim]) -> list[Claim]:
    return [each for each in found if each.state is not ClaimState.REFUSED]


def _no(what: str) -> RefusedError:
    return RefusedError(where="refund", what=what)


# ---- what the engine does ----


def apply_to_claim(work: Work, unit: ApplyClaim) -> ClaimChanged:
    """Apply a fact to a claim as it stands."""
    claim = _claim(work, unit.claim_id)
    done = apply_claim(claim, unit.fact, at=unit.at)
    owned = replace(done.claim, owner=unit.owner, lease_until_ms=unit.lease_until_ms)
    after, alarms = _keep(work, claim, replace(done, claim=owned), unit.owner, unit.at)
    return ClaimChanged(claim=after, alarms=alarms)


def sweep_claims(work: Work, unit: Sweep) -> tuple[ClaimWork, ...]:
    """Return the claims this process has to work on from now on, with their orders."""
    count = _UNFINISHED.first(work.connection, {})
    if count is None or count[0] == 0:
        return ()
    lease = unit.lease
    free: sa.ColumnElement[bool] = sa.true()
    if not lease.steal:
        now_ms = unit.at.wall_ms
        free = sa.or_(
            _c.owner == lease.owner,
            _c.lease_until_ms <= now_ms,
            _c.lease_until_ms > now_ms + LEASE_MS_MAX,
        )
    found = _ALL.where(_c.work, free).order_by(_c.claim_id).limit(unit.limit)
    taken = []
    for row in work.connection.execute(found).mappings().all():
        claim = claim_of(row)
        owned = replace(claim, owner=lease.owner, lease_until_ms=lease.until_ms)
        _update(work, claim, owned)
        order = sa.select(t.orders).where(t.orders.c.out_trade_no == claim.out_trade_no)
        held = order_of(work.connection.execute(order).mappings().one())
        taken.append(ClaimWork(claim=owned, order=held))
    return tuple(taken)


def _claim(work: Work, claim_id: str) -> Claim:
    row = work.connection.execute(_ALL.where(_c.claim_id == claim_id)).mappings().first()
    if row is None:
        raise LedgerError(where=f"claim {claim_id}", what="not in the store")
    return claim_of(row)


def _keep(
    work: Work, before: Claim, done: ClaimApplied, owner: BootId, at: Moment
) -> tuple[Claim, tuple[AlarmNote, ...]]:
    if done.claim != before:
        _update(work, before, done.claim)
    for transfer in done.transfers:
        work.add_transfer(transfer, at, owner=owner)
    changed = tuple(note for note in done.alarms if work.note_alarm(note, at.wall_ms))
    return done.claim, changed


def _update(work: Work, before: Claim, after: Claim) -> None:
    guard = (_c.claim_id == before.claim_id, _c.version == before.version)
    done = work.connection.execute(claims.update().where(*guard).values(_row(after)))
    if done.rowcount != 1:
        raise LedgerConflictError(
            where=f"claim {before.claim_id}", what="changed by another process meanwhile"
        )


# ---- what others read ----


def claims_of(connection: sa.Connection, passage: PassageId) -> list[Claim]:
    """Return the claims of a passage, oldest first."""
    query = _ALL.where(_c.passage_id == passage).order_by(_c.claim_id)
    return [claim_of(row) for row in connection.execute(query).mappings()]


def claim_by_id(connection: sa.Connection, claim_id: str) -> Claim | None:
    """Return one claim."""
    row = connection.execute(_ALL.where(_c.claim_id == claim_id)).mappings().first()
    return None if row is None else claim_of(row)


def claims_in(
    connection: sa.Connection, states: Sequence[ClaimState] = (), *, limit: int = 200
) -> list[Claim]:
    """Return claims in one of *states*, the newest first; empty: in any."""
    query = _ALL.order_by(_c.asked_ms.desc(), _c.claim_id).limit(limit)
    if states:
        query = query.where(_c.state.in_([state.value for state in states]))
    return [claim_of(row) for row in connection.execute(query).mappings()]
