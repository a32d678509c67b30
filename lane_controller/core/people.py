"""What people order: attendants in the booth and remote assistants share one vocabulary.

Cash is two steps. ``cash_begin`` locks phones out, cancels what is open and waits at most 2 s for
the answer; if
the phone had paid, the vehicle is released and the cash goes back. ``cash_taken`` is the promise:
from its journal
row on every later capture is the plaza's to refund. The first of paid and cash_taken in the
journal wins.
"""

from __future__ import annotations

from collections.abc import Callable

from lane_controller.core import commands as cmd
from lane_controller.core import coupons, identify, interlock, outage, paying, presence, tags
from lane_controller.core.draft import Draft
from lane_controller.core.events import OperatorActed, StoreState
from lane_controller.core.limits import CASH_LOCK_MS
from lane_controller.core.states import LaneMode, Phase
from tolling.alarms import AlarmCode, Degraded
from tolling.messages import CommandOutcome, EntryFound, OperatorAction, OperatorCommand
from tolling.pictures import PictureKind
from tolling.records import AuthorisedBy, Leg, PassageEnd, Tender, UnpaidReason
from tolling.tariffs import EntrySource
from tolling.vehicles import EXEMPT_KINDS, VehicleClass, VehicleKind, parse_plate

NEED_REASON = frozenset(
    {
        OperatorAction.RAISE,
        OperatorAction.LOWER,
        OperatorAction.ARREARS,
        OperatorAction.SET_KIND,
        OperatorAction.RESET,
    }
)
REASON_LENGTH_MIN = 4
"""A reason shorter than this says nothing afterwards."""
LANE_ACTIONS = frozenset(
    {
        OperatorAction.OPEN_LANE,
        OperatorAction.CLOSE_LANE,
        OperatorAction.LOWER,
        OperatorAction.RESET,
    }
)
"""Actions that concern the lane and no vehicle."""
NOBODY_KNOWS = "*"
"""In place of a station: the farthest entry, marked."""
UNPRICED = frozenset({Phase.IDENTIFYING, Phase.PRICED, Phase.HELD, Phase.TENDER})
"""Phases in which class, kind and entry may still be corrected."""

Handler = Callable[[Draft, OperatorCommand], str]
"""Carries a command out and returns "" or why it is refused; "later" where the answer comes
later."""

LATER = "later"


def operator_acted(draft: Draft) -> None:
    """Carry out one order of a person, once."""
    fact = draft.event.fact
    assert isinstance(fact, OperatorActed)
    order = fact.command
    for done in draft.state.done_commands:
        if done.command_id == order.command_id:
            draft.emit(
                cmd.AnswerOperator(
                    command_id=order.command_id, outcome=done.outcome, reason=done.reason
                )
            )
            return
    if order.command_id in (draft.state.raise_command_id, draft.state.lower_command_id):
        return  # Sent again while the boom is still on its way: the limit switch answers.
    refusal = _refusal(draft, order)
    if not refusal:
        if order.action not in LANE_ACTIONS and _for_arriving(draft, order):
            draft.put_passage(
                operator=order.operator, operator_reason=order.reason or order.action.value
            )
        refusal = HANDLERS[order.action](draft, order)
    if refusal == LATER:
        return
    outcome = CommandOutcome.REFUSED if refusal else CommandOutcome.CONFIRMED
    draft.answer(order.command_id, outcome, refusal)


def _refusal(draft: Draft, order: OperatorCommand) -> str:
    if order.action in NEED_REASON and len(order.reason.strip()) < REASON_LENGTH_MIN:
        return "reason_missing"
    attended_only = draft.state.mode is LaneMode.ATTENDED_ONLY
    if attended_only and order.action not in (OperatorAction.RAISE, OperatorAction.RESET):
        return "attended_only"
    if order.action in LANE_ACTIONS:
        return ""
    if order.action is OperatorAction.RAISE and _raise_without_arriving(draft, order):
        return ""
    if draft.state.arriving is None:
        return "no_vehicle"
    return "" if _for_arriving(draft, order) else "stale"


def _for_arriving(draft: Draft, order: OperatorCommand) -> bool:
    arriving = draft.state.arriving
    return arriving is not None and order.passage_id == arriving.passage_id


def _raise_without_arriving(draft: Draft, order: OperatorCommand) -> bool:
    """Return whether a raise concerns the vehicle under the boom, or none the lane knows of.

    With a loop that cannot be read, or after a fault of the program, the lane sees no vehicle
    where the person sees one.
    """
    state = draft.state
    if state.mode is LaneMode.ATTENDED_ONLY:
        return True
    if state.leaving is not None and order.passage_id == state.leaving.passage_id:
        return True
    return state.empty and order.passage_id is None


def _open_lane(draft: Draft, _: OperatorCommand) -> str:
    if draft.state.store is StoreState.FULL:
        return "disk_full"
    draft.put(mode=LaneMode.OPEN, mode_reason="opened")
    identify.serve_held(draft)
    return ""


def _close_lane(draft: Draft, _: OperatorCommand) -> str:
    if draft.state.mode is LaneMode.OPEN:
        draft.put(mode=LaneMode.CLOSING, mode_reason="closed by a person")
    return ""


def _raise(draft: Draft, order: OperatorCommand) -> str:
    attended_only = draft.state.mode is LaneMode.ATTENDED_ONLY
    if attended_only or not _for_arriving(draft, order):
        # Nothing is settled for a vehicle by this; who raised it and why is told.
        draft.note("raised_by_person", f"{order.operator}: {order.reason}")
        interlock.order_raise(draft, order.command_id, cmd.RaiseReason.ATTENDANT, order.passage_id)
        return LATER
    interlock.expect_raise(draft, order.command_id)
    if not draft.passage.released:
        if draft.passage.toll_due_fen or draft.passage.quote is None:
            draft.put_passage(unpaid_reason=UnpaidReason.RELEASED)
        for each in draft.passage.open_orders:
            paying.cancel(draft, each)
        identify.release(draft, AuthorisedBy.ATTENDANT, cmd.RaiseReason.ATTENDANT)
        draft.show_kind(PictureKind.FREE)
    else:
        # Released already (the boom was lowered by hand, or did not move): up again for the same
        # vehicle. After a restart the person has just said it is the same.
        draft.put_passage(phase=Phase.RELEASED)
        draft.no_wake("unsure")
        interlock.raise_boom(draft, cmd.RaiseReason.ATTENDANT, draft.passage.passage_id)
    return LATER


def _lower(draft: Draft, order: OperatorCommand) -> str:
    interlock.order_lower(draft, order.command_id)
    return LATER


def _cash_begin(draft: Draft, _: OperatorCommand) -> str:
    passage = draft.passage
    if passage.phase is Phase.RELEASED:
        return "phone_paid_give_cash_back" if passage.legs else "released_already"
    if passage.phase is Phase.CASH:
        return ""
    if passage.phase not in (Phase.TENDER, Phase.PAYING, Phase.PRICED, Phase.HELD):
        return "not_priced"
    if passage.quote is None:
        return "not_priced"
    if passage.rest_fen == 0:
        return "nothing_left_to_pay"  # It goes as soon as its toll is told.
    coupons.drop_asked(draft)
    undecided = bool(passage.open_orders) or passage.etc_open
    draft.put_passage(phase=Phase.CASH, cash_ready=not undecided)
    draft.scanner(False)
    draft.no_wake("tender")
    for order in passage.open_orders:
        paying.cancel(draft, order)
    if undecided:
        draft.wake("cash", CASH_LOCK_MS)
    draft.show_kind(PictureKind.CASH)
    return ""


def cash_lock_over(draft: Draft) -> None:
    """The cancelled order did not answer in 2 s: cash may be taken, the plaza refunds a late
    capture."""
    if draft.state.phase is Phase.CASH:
        draft.put_passage(cash_ready=True)


def cash_ready_now(draft: Draft) -> bool:
    """Every order is decided: cash need not wait longer."""
    if draft.state.phase is not Phase.CASH or draft.passage.cash_ready:
        return False
    if draft.passage.open_orders or draft.passage.etc_open:
        return False
    draft.put_passage(cash_ready=True)
    draft.no_wake("cash")
    return True


def _cash_taken(draft: Draft, _: OperatorCommand) -> str:
    passage = draft.passage
    if passage.phase is Phase.RELEASED:
        paid_by_phone = bool(passage.legs) and passage.legs[-1].tender is not Tender.CASH
        return "phone_paid_give_cash_back" if paid_by_phone else "released_already"
    if passage.phase is not Phase.CASH:
        return "cash_not_begun"
    if not passage.cash_ready:
        return "wait_for_phone_answer"
    cash = Leg(tender=Tender.CASH, amount_fen=passage.rest_fen)
    draft.put_passage(legs=(*passage.held_legs, cash))
    # The journal alone will know of this money: a vehicle that is gone cannot be asked again.
    release = (AuthorisedBy.TENDER, cmd.RaiseReason.TENDER)
    identify.release(draft, *release, after_commit=True)
    draft.show_kind(PictureKind.PAID)
    return ""


def _cash_abort(draft: Draft, _: OperatorCommand) -> str:
    if draft.passage.phase is not Phase.CASH:
        return "cash_not_begun"
    draft.no_wake("cash")
    undecided = bool(draft.passage.open_orders) or draft.passage.etc_open
    draft.put_passage(cash_ready=False, other_offered=True)
    if not undecided and not draft.passage.toll_told:
        identify.show_toll(draft)  # The scan window waits for the toll, as ever.
        return ""
    draft.put_passage(phase=Phase.PAYING if undecided else Phase.TENDER)
    draft.scanner(True)
    draft.show_kind(PictureKind.OTHER_TENDER)
    return ""


def _cancel_order(draft: Draft, _: OperatorCommand) -> str:
    if not draft.passage.open_orders:
        return "no_open_order"
    for order in draft.passage.open_orders:
        paying.cancel(draft, order)
    if draft.passage.phase is Phase.PAYING:
        paying.offer_other_tender(draft)
    return ""


def _set_entry(draft: Draft, order: OperatorCommand) -> str:
    if draft.passage.phase not in UNPRICED:
        return "too_late"
    if not order.text:
        return "entry_missing"
    if order.text == NOBODY_KNOWS:
        draft.put_passage(entry=None, entry_done=True, farthest=True)
    else:
        entry = EntryFound(
            entry_station=order.text,
            entered_ms=draft.passage.arrived.utc_ms,
            vehicle_class=draft.passage.vehicle_class,
            source=EntrySource.DECLARED,
        )
        draft.put_passage(entry=entry, entry_done=True, farthest=False)
    identify.price(draft)
    return ""


def _set_class(draft: Draft, order: OperatorCommand) -> str:
    if draft.passage.phase not in UNPRICED:
        return "too_late"
    if order.number not in {int(each) for each in VehicleClass}:
        return "no_such_class"
    draft.put_passage(vehicle_class=VehicleClass(order.number), class_typed=True)
    return _price_again(draft)


def _set_kind(draft: Draft, order: OperatorCommand) -> str:
    if draft.passage.phase not in UNPRICED:
        return "too_late"
    if order.number not in {int(each) for each in VehicleKind}:
        return "no_such_kind"
    draft.put_passage(vehicle_kind=VehicleKind(order.number))
    if VehicleKind(order.number) in EXEMPT_KINDS:
        draft.put_passage(entry_done=True)
    return _price_again(draft)


def _set_plate(draft: Draft, order: OperatorCommand) -> str:
    plate = parse_plate(order.text)
    if plate is None:
        return "not_a_plate"
    draft.put_passage(plate=plate)
    tags.compare_plates(draft)
    if draft.passage.phase is Phase.TENDER:
        tags.charge(draft)  # The camera was wrong, and the tag may pay after all.
    return ""


def _price_again(draft: Draft) -> str:
    if draft.passage.phase is not Phase.IDENTIFYING or draft.passage.entry_done:
        identify.price(draft)
    return ""


def _arrears(draft: Draft, _: OperatorCommand) -> str:
    if draft.passage.released:
        return "released_already"
    for order in draft.passage.open_orders:
        paying.cancel(draft, order)
    draft.put_passage(unpaid_reason=UnpaidReason.ARREARS)
    identify.release(draft, AuthorisedBy.ATTENDANT, cmd.RaiseReason.ATTENDANT)
    draft.show_kind(PictureKind.FREE)
    return ""


def _same_vehicle(draft: Draft, _: OperatorCommand) -> str:
    if draft.passage.phase is not Phase.UNSURE:
        return "not_in_doubt"
    draft.note("same_vehicle_by_person")
    identify.resume(draft)
    return ""


def _other_vehicle(draft: Draft, _: OperatorCommand) -> str:
    if draft.passage.phase is not Phase.UNSURE:
        return "not_in_doubt"
    draft.note("other_vehicle_by_person")
    draft.clear(AlarmCode.ASSIST)
    presence.leave_backwards(draft, PassageEnd.LEFT_DURING_OUTAGE)
    return ""


def _reset(draft: Draft, _: OperatorCommand) -> str:
    if draft.state.mode is not LaneMode.ATTENDED_ONLY:
        return "not_attended_only"
    draft.put(mode=LaneMode.CLOSED, mode_reason="reset by a person")
    draft.restore(Degraded.ATTENDED_ONLY)
    draft.clear(AlarmCode.CORE_FAULT)
    # Nobody followed the loops meanwhile, and the timers of vehicles have run out unheard.
    outage.doubt(draft, None)
    return ""


HANDLERS: dict[OperatorAction, Handler] = {
    OperatorAction.OPEN_LANE: _open_lane,
    OperatorAction.CLOSE_LANE: _close_lane,
    OperatorAction.RAISE: _raise,
    OperatorAction.LOWER: _lower,
    OperatorAction.CASH_BEGIN: _cash_begin,
    OperatorAction.CASH_TAKEN: _cash_taken,
    OperatorAction.CASH_ABORT: _cash_abort,
    OperatorAction.CANCEL_ORDER: _cancel_order,
    OperatorAction.SET_ENTRY: _set_entry,
    OperatorAction.SET_CLASS: _set_class,
    OperatorAction.SET_KIND: _set_kind,
    OperatorAction.SET_PLATE: _set_plate,
    OperatorAction.ARREARS: _arrears,
    OperatorAction.SAME_VEHICLE: _same_vehicle,
    OperatorAction.OTHER_VEHICLE: _other_vehicle,
    OperatorAction.RESET: _reset,
}
