"""The lane's last word on a vehicle: its passage as the record that is sealed."""

from __future__ import annotations

from lane_controller.core import commands as cmd
from lane_controller.core import coupons, tags
from lane_controller.core.draft import Draft
from lane_controller.core.legs import LegStatus
from lane_controller.core.limits import RECENT_CODES_MAX
from lane_controller.core.states import Passage
from tolling.alarms import AlarmCode
from tolling.clock import NS_PER_MS
from tolling.records import AuthorisedBy, PassageEnd, PassageRecord, Tender, UnpaidReason


def seal(draft: Draft, passage: Passage, end: PassageEnd) -> None:
    """Write the lane's last word on one passage."""
    legs, unpaid = passage.legs, passage.unpaid_reason
    if end is PassageEnd.BACKED_OUT:
        # What was captured by phone is given back; cash was handed back at the window.
        legs, unpaid = (), UnpaidReason.BACKED_OUT
    elif end is PassageEnd.LEFT_DURING_OUTAGE:
        unpaid = unpaid if legs else UnpaidReason.LEFT_DURING_OUTAGE
    elif not passage.released:
        unpaid = UnpaidReason.VIOLATION
    named = any(leg.tender is Tender.COUPON for leg in legs)
    ended = coupons.end(draft, passage, named=named)
    applied = tuple(each for each in ended if each.status is LegStatus.CONSUMED)
    assert draft.state.boot_id is not None, "a record is sealed by a started lane"
    dwell_ms = (draft.now_ns - passage.arrived_at_ns) // NS_PER_MS
    restarted = bool({"restart", "long_restart"} & set(passage.remarks))
    record = PassageRecord(
        plaza_id=draft.state.config.plaza_id,
        lane_id=draft.state.config.lane_id,
        epoch=draft.state.epoch,
        passage_id=passage.passage_id,
        boot_id=draft.state.boot_id,
        arrived=passage.arrived,
        sealed=draft.event.wall,
        dwell_ms=0 if restarted else max(0, dwell_ms),
        end=end,
        authorised_by=passage.authorised_by
        if end is not PassageEnd.BACKED_OUT
        else AuthorisedBy.NOBODY,
        unpaid_reason=unpaid,
        plate=passage.plate,
        plate_read=passage.plate_read,
        vehicle_class=passage.vehicle_class,
        vehicle_kind=passage.vehicle_kind,
        quote=passage.quote,
        toll_due_fen=passage.toll_due_fen,
        legs=legs,
        orders=tuple(order.out_trade_no for order in passage.orders),
        attended=draft.state.config.attended,
        degraded=passage.degraded_seen,
        remarks=passage.remarks,
        operator=passage.operator,
        operator_reason=passage.operator_reason,
        why=tuple(each.step for each in applied if each.step is not None),
        owed_back=tags.owed_back(passage, named=any(leg.tender is Tender.ETC for leg in legs)),
    )
    # What was charged besides is in the record now, and its issuers' list.
    draft.clear(AlarmCode.AMOUNT_MISMATCH, "etc")
    used = tuple(each.keyed_hash for each in applied)
    codes = (*used, *(order.keyed_hash for order in passage.orders))
    draft.put(
        recent_codes=(*draft.state.recent_codes, *codes)[-RECENT_CODES_MAX:],
        passages_total=draft.state.passages_total + 1,
    )
    draft.emit(cmd.SealPassage(record=record))
