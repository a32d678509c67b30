"""Coupons of the vehicle at the window: asked about, held, taken off the toll, let go.

A coupon is the first leg of a toll because it costs nothing to undo: the plaza only holds it. It is
asked about once the toll is told, while no order and no tag charge is open, and the lane waits for
the plaza a bounded time; a plaza that is silent costs the driver the coupon, never the way. What it
takes off is computed here by the same function the plaza used, and shown at once; orders, tag and
cash are for the rest. A rest of 0 needs no order.

The lane lets a coupon go as soon as it goes on without it. Nothing hangs on that message: the
sealed record names the coupon or does not, and the plaza ends the reservation by that alone.
"""

from __future__ import annotations

from lane_controller.core import commands as cmd
from lane_controller.core import identify, paying, tags
from lane_controller.core.draft import Draft
from lane_controller.core.events import (
    CouponAnswered,
    CouponScanned,
    CouponUnanswered,
    NoAnswer,
    StoreState,
)
from lane_controller.core.legs import LegEvent, LegStatus, after
from lane_controller.core.limits import COUPONS_MAX
from lane_controller.core.states import LaneCoupon, OrderPhase, Passage, Phase
from tolling.best_price import Reason, best_price
from tolling.coupons import (
    COUPON_KINDS,
    CouponAnswer,
    CouponReason,
    CouponRelease,
    CouponRequest,
    HoldState,
)
from tolling.evolve import evolve
from tolling.ids import parse_passage_id
from tolling.pictures import PictureKind
from tolling.records import AuthorisedBy

NEVER_HELD = frozenset({NoAnswer.UNREACHABLE, NoAnswer.REJECTED, NoAnswer.CODE_GONE})
"""After these the plaza holds nothing: the call never reached it, or was refused by it."""


def coupon_scanned(draft: Draft) -> None:
    """Take a coupon for the vehicle at the window; ask about it as soon as its toll is told."""
    fact = draft.event.fact
    assert isinstance(fact, CouponScanned)
    passage, keyed_hash = draft.passage, fact.ref.keyed_hash
    if any(each.keyed_hash == keyed_hash and _stands(each) for each in passage.coupons):
        draft.note("coupon_repeated")
        return
    hindrance = _hindrance(draft, keyed_hash)
    if hindrance:
        draft.emit(cmd.ForgetCode(keyed_hash=keyed_hash))
        draft.note("coupon_not_taken", hindrance)
        return
    offered = LaneCoupon(
        attempt=len(passage.coupons) + 1, status=LegStatus.OFFERED, keyed_hash=keyed_hash
    )
    draft.put_passage(coupons=(*passage.coupons, offered))
    if passage.phase is Phase.TENDER:
        ask(draft)


def _stands(coupon: LaneCoupon) -> bool:
    return coupon.refused or coupon.status in (LegStatus.OFFERED, LegStatus.RESERVED)


def _hindrance(draft: Draft, keyed_hash: str) -> str:
    passage = draft.passage
    if keyed_hash in draft.state.recent_codes or _held_by_leaving(draft, keyed_hash):
        return "of_earlier_vehicle"
    if passage.coupon_asked is not None or passage.coupon_held is not None:
        return "one_coupon_only"
    paid = any(order.phase is OrderPhase.PAID for order in passage.orders)
    if paid or passage.open_orders or passage.etc_open:
        return "payment_under_way"
    return "too_many_coupons" if len(passage.coupons) >= COUPONS_MAX else ""


def _held_by_leaving(draft: Draft, keyed_hash: str) -> bool:
    leaving = draft.state.leaving
    held = leaving.coupon_held if leaving is not None else None
    return held is not None and held.keyed_hash == keyed_hash


def ask(draft: Draft) -> None:
    """Ask the plaza to hold the coupon that was offered, or go on without it."""
    passage, state = draft.passage, draft.state
    coupon = passage.coupon_asked
    assert coupon is not None
    assert passage.quote is not None
    unnumbered = parse_passage_id(passage.passage_id).epoch == 0
    if unnumbered or not state.plaza_up or state.store is StoreState.FULL:
        _without(draft, coupon, LegEvent.DROPPED, PictureKind.COUPON_OFF)
        return
    request = CouponRequest(
        passage_id=passage.passage_id,
        attempt=coupon.attempt,
        lane_id=state.config.lane_id,
        quote=passage.quote,
    )
    draft.emit(cmd.ReserveCoupon(request=request, keyed_hash=coupon.keyed_hash))
    draft.wake("coupon", draft.limits.coupon_wait_ms)


# ---- answers ----


def coupon_answered(draft: Draft) -> None:
    """Take the plaza's word for a coupon of the vehicle at the window."""
    fact = draft.event.fact
    assert isinstance(fact, CouponAnswered)
    answer = fact.answer
    coupon = _find(draft.passage, answer.passage_id, answer.attempt)
    if coupon is None or coupon.status is not LegStatus.OFFERED:
        late = answer.state is HoldState.RESERVED
        if late and (coupon is None or coupon.status is LegStatus.RELEASED):
            _let_go(draft, answer)
        return
    if answer.state is not HoldState.RESERVED:
        draft.note("coupon_refused", answer.reason.value)
        _without(draft, coupon, LegEvent.REFUSED, PictureKind.COUPON_REFUSED)
        return
    step = _step(draft, answer)
    if step is None or answer.coupon_no is None:
        # Lane and plaza do not agree what it is worth: nobody is charged by a guess.
        draft.note("coupon_refused", CouponReason.NOT_FOR_THIS.value)
        _let_go(draft, answer)
        _without(draft, coupon, LegEvent.REFUSED, PictureKind.COUPON_REFUSED)
        return
    _end_asking(draft, coupon)
    held = evolve(
        coupon,
        status=after(coupon.status, LegEvent.HELD),
        coupon_no=answer.coupon_no,
        step=step,
    )
    _put(draft, held)
    draft.note("coupon_reserved", answer.coupon_no)
    go_on(draft, PictureKind.TOLL)


def _step(draft: Draft, answer: CouponAnswer) -> Reason | None:
    """Return what a held coupon takes off by this lane's own arithmetic; None: not what the plaza
    holds."""
    passage, terms = draft.passage, answer.entitlement
    if passage.quote is None or terms is None or terms.kind not in COUPON_KINDS:
        return None
    # Whether it is good by now was judged by the plaza's clock; this lane's may be off.
    now_ms = draft.event.wall.utc_ms
    at_ms = max(terms.valid_from_ms, min(now_ms, terms.valid_until_ms - 1))
    found = best_price(passage.quote, (terms,), at_ms=at_ms)
    if found.chosen != (terms,) or found.why[0].saved_fen != answer.saved_fen:
        return None
    return found.why[0] if 0 < answer.saved_fen <= passage.rest_fen else None


def coupon_unanswered(draft: Draft) -> None:
    """The call brought nothing: go on without the coupon, and tell the plaza so."""
    fact = draft.event.fact
    assert isinstance(fact, CouponUnanswered)
    coupon = _find(draft.passage, fact.passage_id, fact.attempt)
    if coupon is None or coupon.status is not LegStatus.OFFERED:
        return
    if fact.why not in NEVER_HELD:
        _release(draft, coupon)
    _without(draft, coupon, LegEvent.DROPPED, PictureKind.COUPON_OFF)


def overdue(draft: Draft) -> None:
    """The plaza has been silent for too long: the driver is not kept waiting for it."""
    coupon = draft.passage.coupon_asked
    if coupon is None:
        return
    _release(draft, coupon)
    _without(draft, coupon, LegEvent.DROPPED, PictureKind.COUPON_OFF)


def _without(draft: Draft, coupon: LaneCoupon, event: LegEvent, picture: PictureKind) -> None:
    """Go on without the coupon that was asked about."""
    _end_asking(draft, coupon)
    refused = event is LegEvent.REFUSED
    _put(draft, evolve(coupon, status=after(coupon.status, event), refused=refused))
    if picture is PictureKind.COUPON_OFF:
        draft.note("coupon_off")
    go_on(draft, picture)


def go_on(draft: Draft, picture: PictureKind) -> None:
    """The coupon is decided: settle, or begin what waited for it, or show what is left to pay."""
    passage = draft.passage
    if passage.phase is not Phase.TENDER:
        return
    code = passage.waiting_code
    draft.put_passage(waiting_code=None)
    if passage.rest_fen == 0:
        settle_whole(draft)
    elif code is not None:
        paying.take_code(draft, code)
    elif tags.may_charge(passage):
        tags.charge(draft)
    elif not paying.phone_money_possible(draft):
        paying.offer_other_tender(draft)
    else:
        offered = picture is PictureKind.TOLL and passage.other_offered
        draft.show_kind(PictureKind.OTHER_TENDER if offered else picture)


def settle_whole(draft: Draft) -> None:
    """The coupon covers the whole toll: no order, no cash, go."""
    draft.put_passage(legs=draft.passage.held_legs)
    # The journal alone will know of this: the plaza cannot tell that nothing else was to be paid.
    identify.release(draft, AuthorisedBy.TENDER, cmd.RaiseReason.TENDER, after_commit=True)
    draft.show_kind(PictureKind.PAID)


# ---- letting go ----


def drop_asked(draft: Draft) -> None:
    """Something else goes on: do not wait for a coupon, nor for the code that waited for it."""
    passage = draft.passage
    coupon, code = passage.coupon_asked, passage.waiting_code
    if code is not None:
        draft.put_passage(waiting_code=None)
        draft.emit(cmd.ForgetCode(keyed_hash=code.keyed_hash))
    if coupon is not None:
        _end_asking(draft, coupon)
        _put(draft, evolve(coupon, status=after(coupon.status, LegEvent.DROPPED)))
        _release(draft, coupon)


def drop_all(draft: Draft) -> None:
    """The toll is another one: what was held was for the old one."""
    drop_asked(draft)
    coupon = draft.passage.coupon_held
    if coupon is not None:
        _put(draft, evolve(coupon, status=after(coupon.status, LegEvent.DROPPED)))
        _release(draft, coupon)
        draft.note("coupon_released", coupon.coupon_no)


def end(draft: Draft, passage: Passage, *, named: bool) -> tuple[LaneCoupon, ...]:
    """Return the coupons of a passage whose record is being sealed; let go what it leaves out.

    Args:   passage: no longer at the window. named: the record applies the coupon that is held.
    """
    event = LegEvent.NAMED if named else LegEvent.LEFT_OUT
    ended = []
    for coupon in passage.coupons:
        ended.append(evolve(coupon, status=after(coupon.status, event)))
        if coupon.status in (LegStatus.OFFERED, LegStatus.RESERVED) and not named:
            draft.emit(cmd.ReleaseCoupon(release=_release_of(draft, passage, coupon)))
    return tuple(ended)


def _release(draft: Draft, coupon: LaneCoupon) -> None:
    draft.emit(cmd.ReleaseCoupon(release=_release_of(draft, draft.passage, coupon)))


def _release_of(draft: Draft, passage: Passage, coupon: LaneCoupon) -> CouponRelease:
    return CouponRelease(
        passage_id=passage.passage_id,
        attempt=coupon.attempt,
        lane_id=draft.state.config.lane_id,
    )


def _let_go(draft: Draft, answer: CouponAnswer) -> None:
    """Release what the plaza says it holds and this lane does not want."""
    draft.note("coupon_answer_late")
    release = CouponRelease(
        passage_id=answer.passage_id,
        attempt=answer.attempt,
        lane_id=draft.state.config.lane_id,
    )
    draft.emit(cmd.ReleaseCoupon(release=release))


# ---- helpers ----


def _end_asking(draft: Draft, coupon: LaneCoupon) -> None:
    draft.no_wake("coupon")
    draft.emit(cmd.ForgetCode(keyed_hash=coupon.keyed_hash))


def _find(passage: Passage, passage_id: str, attempt: int) -> LaneCoupon | None:
    if passage.passage_id != passage_id:
        return None
    return next((each for each in passage.coupons if each.attempt == attempt), None)


def _put(draft: Draft, coupon: LaneCoupon) -> None:
    coupons = tuple(
        coupon if each.attempt == coupon.attempt else each for each in draft.passage.coupons
    )
    draft.put_passage(coupons=coupons)
