"""Paying by phone: scans, orders, answers, the second tender.

Each order is its own small machine. Only the plaza's word moves it: paid with the exact amount
releases, refused
lets the driver scan again, everything else is waiting or unknown. After any doubt nobody sends pay
again: the
lane polls, and from 8 s on cancels, and the plaza's resolver ends it. At most two undecided orders
per passage.
"""

from __future__ import annotations

from lane_controller.core import commands as cmd
from lane_controller.core import identify, tags
from lane_controller.core.draft import Draft
from lane_controller.core.events import (
    CodeScanned,
    NoAnswer,
    NotCodeScanned,
    OrderAnswered,
    OrderUnanswered,
    StoreState,
)
from lane_controller.core.limits import ORDERS_MAX, ORDERS_OPEN_MAX
from lane_controller.core.states import LaneOrder, OrderPhase, Phase
from tolling.alarms import AlarmCode
from tolling.evolve import evolve
from tolling.ids import OutTradeNo, make_out_trade_no, parse_passage_id
from tolling.messages import PaymentAnswer, PaymentRequest
from tolling.orders import NextStep, OrderState, ReasonCode
from tolling.paycodes import PayCodeRef, Wallet
from tolling.pictures import PictureKind
from tolling.records import AuthorisedBy, Leg, Tender

TENDER_OF: dict[Wallet, Tender] = {
    Wallet.ALIPAY: Tender.ALIPAY,
    Wallet.WECHAT: Tender.WECHAT,
    Wallet.UNIONPAY: Tender.UNIONPAY,
    Wallet.EMVCO: Tender.UNIONPAY,
}

PHASE_OF: dict[OrderState, OrderPhase] = {
    OrderState.CREATED: OrderPhase.SENT,
    OrderState.SENT: OrderPhase.SENT,
    OrderState.WAITING: OrderPhase.WAITING,
    OrderState.UNKNOWN: OrderPhase.UNKNOWN,
    OrderState.CLOSING: OrderPhase.CANCELLING,
    OrderState.REFUSED: OrderPhase.REFUSED,
    OrderState.PAID: OrderPhase.PAID,
    OrderState.CLOSED: OrderPhase.CLOSED,
    # Captured once, but not for this passage any more: to the lane it is as good as closed.
    OrderState.REFUND_DUE: OrderPhase.CLOSED,
    OrderState.REFUNDING: OrderPhase.CLOSED,
    OrderState.REFUNDED: OrderPhase.CLOSED,
    OrderState.MISMATCH: OrderPhase.CLOSED,
    OrderState.REFUND_STUCK: OrderPhase.CLOSED,
}


def phone_money_possible(draft: Draft) -> bool:
    """Return whether an order can be made at all."""
    state = draft.state
    some = len(state.wallets_off) < len(Wallet)
    return some and state.plaza_up and state.epoch > 0 and state.store is not StoreState.FULL


# ---- scans ----


def code_scanned(draft: Draft) -> None:
    """Make an order of a code scanned in the window, unless it is a repeat or not the time."""
    fact = draft.event.fact
    assert isinstance(fact, CodeScanned)
    passage, ref = draft.passage, fact.ref
    if any(order.keyed_hash == ref.keyed_hash for order in passage.orders):
        draft.note("code_repeated")
        return
    if _of_earlier_vehicle(draft, ref.keyed_hash):
        draft.emit(cmd.ForgetCode(keyed_hash=ref.keyed_hash))
        draft.note("code_of_earlier_vehicle")
        draft.remark("code_of_earlier_vehicle")
        return
    if passage.coupon_asked is not None:
        # How much the order is for is known in a moment.
        if passage.waiting_code is not None and passage.waiting_code != ref:
            draft.emit(cmd.ForgetCode(keyed_hash=passage.waiting_code.keyed_hash))
        draft.put_passage(waiting_code=ref)
        draft.note("code_waits_for_coupon")
        return
    take_code(draft, ref)


def take_code(draft: Draft, ref: PayCodeRef) -> None:
    """Make an order of a code of this vehicle's, unless it is not the time."""
    passage = draft.passage
    hindrance = _order_hindrance(draft)
    if hindrance:
        draft.emit(cmd.ForgetCode(keyed_hash=ref.keyed_hash))
        draft.note("code_not_taken", hindrance)
        return
    unnumbered = parse_passage_id(passage.passage_id).epoch == 0
    if unnumbered or not phone_money_possible(draft):
        # A vehicle that came before the lane had an epoch has no number an order could carry.
        draft.emit(cmd.ForgetCode(keyed_hash=ref.keyed_hash))
        draft.note("code_not_taken", "no_phone_money")
        offer_other_tender(draft)
        return
    if ref.wallet in draft.state.wallets_off:
        draft.emit(cmd.ForgetCode(keyed_hash=ref.keyed_hash))
        draft.note("code_not_taken", f"{ref.wallet}_off")
        offer_other_tender(draft)
        return
    for order in passage.open_orders:
        cancel(draft, order)
    _send_order(draft, ref.wallet, ref.keyed_hash)


def _of_earlier_vehicle(draft: Draft, keyed_hash: str) -> bool:
    leaving = draft.state.leaving
    still_here = leaving.orders if leaving is not None else ()
    return keyed_hash in draft.state.recent_codes or any(
        order.keyed_hash == keyed_hash for order in still_here
    )


def _order_hindrance(draft: Draft) -> str:
    passage = draft.passage
    if passage.etc_open and not passage.other_offered:
        return "tag_charge_open"
    if passage.open_orders and not passage.other_offered:
        return "order_open"
    if len(passage.open_orders) >= ORDERS_OPEN_MAX:
        return "two_orders_open"
    return "too_many_orders" if len(passage.orders) >= ORDERS_MAX else ""


def _send_order(draft: Draft, wallet: Wallet, keyed_hash: str) -> None:
    passage = draft.passage
    assert passage.quote is not None
    assert passage.rest_fen > 0
    attempt = len(passage.orders) + 1
    number = make_out_trade_no(passage.passage_id, attempt)
    order = LaneOrder(
        out_trade_no=number,
        phase=OrderPhase.SENT,
        wallet=wallet,
        keyed_hash=keyed_hash,
        amount_fen=passage.rest_fen,
        sent_at_ns=draft.now_ns,
    )
    draft.put_passage(orders=(*passage.orders, order), phase=Phase.PAYING, other_offered=False)
    draft.emit(
        cmd.SendOrder(
            out_trade_no=number,
            keyed_hash=keyed_hash,
            request=PaymentRequest(
                passage_id=passage.passage_id,
                attempt=attempt,
                lane_id=draft.state.config.lane_id,
                toll_fen=passage.rest_fen,
                tariff_id=passage.quote.tariff_id,
                tariff_version=passage.quote.tariff_version,
                tariff_row=passage.quote.row,
                vehicle_class=passage.vehicle_class,
                plate=passage.plate.text if passage.plate else None,
                wallet=wallet,
                deadline_ms=draft.limits.order_deadline_ms,
            ),
        )
    )
    draft.show_kind(PictureKind.CHECKING)
    draft.wake("tender", draft.limits.second_tender_ms)
    draft.wake(f"order:{number}", draft.limits.waiting_order_ms)


def not_a_code(draft: Draft) -> None:
    """Something was scanned that is no pay code: say so and go on."""
    fact = draft.event.fact
    assert isinstance(fact, NotCodeScanned)
    draft.note("not_a_pay_code", fact.reason.value)
    if draft.passage.phase is Phase.TENDER:
        draft.show_kind(PictureKind.NEW_CODE)


# ---- answers ----


def order_answered(draft: Draft) -> None:
    """Take the plaza's word for one order of the vehicle at the window."""
    fact = draft.event.fact
    assert isinstance(fact, OrderAnswered)
    answer = fact.answer
    order = _find(draft, answer.out_trade_no)
    if order is None:
        draft.note("answer_for_passage_gone", answer.state.value)
        return
    if answer.version < order.version:
        return
    if not order.open:
        if answer.state is OrderState.PAID and order.phase is not OrderPhase.PAID:
            _paid(draft, order, answer)
        return
    moved = evolve(
        order,
        phase=_phase_after(order, answer),
        version=answer.version,
        reason=answer.reason_code,
    )
    _put_order(draft, moved)
    if not moved.open:
        draft.emit(cmd.ForgetCode(keyed_hash=order.keyed_hash))
        draft.no_wake(f"order:{order.out_trade_no}")
        draft.no_wake(f"poll:{order.out_trade_no}")
    _act_on(draft, moved, answer)


def _phase_after(order: LaneOrder, answer: PaymentAnswer) -> OrderPhase:
    phase = PHASE_OF[answer.state]
    # Once cancelled, an undecided order stays "cancelling" to the lane, whatever the plaza calls
    # it.
    if order.handed_over and phase in (OrderPhase.SENT, OrderPhase.WAITING, OrderPhase.UNKNOWN):
        return OrderPhase.CANCELLING
    return phase


def _act_on(draft: Draft, order: LaneOrder, answer: PaymentAnswer) -> None:
    if answer.state is OrderState.PAID:
        _paid(draft, order, answer)
    elif answer.state is OrderState.MISMATCH:
        draft.alarm(AlarmCode.AMOUNT_MISMATCH, order.out_trade_no, "another amount was captured")
        back_to_tender(draft, PictureKind.OTHER_TENDER)
    elif order.phase is OrderPhase.REFUSED:
        new_code = answer.next is NextStep.NEW_CODE
        back_to_tender(draft, PictureKind.NEW_CODE if new_code else PictureKind.OTHER_TENDER)
    elif order.phase is OrderPhase.CLOSED:
        back_to_tender(draft, PictureKind.TOLL)
    elif order.phase is OrderPhase.CANCELLING:
        retry = answer.retry_after_ms or draft.limits.poll_retry_ms
        draft.wake(f"poll:{order.out_trade_no}", max(retry, draft.limits.poll_retry_ms))
    else:
        _still_open(draft, order)


def _still_open(draft: Draft, order: LaneOrder) -> None:
    if draft.passage.phase is Phase.PAYING and not draft.passage.other_offered:
        asked = order.phase is OrderPhase.WAITING and order.reason is not ReasonCode.ACCEPTED
        draft.show_kind(PictureKind.PASSWORD if asked else PictureKind.CHECKING)
    if draft.passage.other_offered and order.phase is OrderPhase.UNKNOWN:
        cancel(draft, order)
        return
    _poll(draft, order)


def _poll(draft: Draft, order: LaneOrder) -> None:
    draft.emit(cmd.PollOrder(out_trade_no=order.out_trade_no, wait_ms=draft.limits.poll_wait_ms))


def poll_open_orders(draft: Draft) -> None:
    """After a restart: ask for every undecided order; nobody sends pay again."""
    for order in draft.passage.open_orders:
        _put_order(draft, evolve(order, phase=OrderPhase.UNKNOWN))
        draft.emit(cmd.PollOrder(out_trade_no=order.out_trade_no, wait_ms=0))
        draft.wake(f"order:{order.out_trade_no}", draft.limits.waiting_order_ms)


def end_open_orders(draft: Draft) -> None:
    """Ask the plaza, perhaps again, to end what is undecided."""
    for order in draft.passage.open_orders:
        if order.handed_over:
            draft.emit(cmd.CancelOrder(out_trade_no=order.out_trade_no))
        else:
            cancel(draft, order)


def _paid(draft: Draft, order: LaneOrder, answer: PaymentAnswer) -> None:
    passage = draft.passage
    if answer.captured_fen != order.amount_fen:
        draft.alarm(AlarmCode.AMOUNT_MISMATCH, order.out_trade_no, "paid with another amount")
        _put_order(draft, evolve(order, phase=OrderPhase.CLOSED, version=answer.version))
        back_to_tender(draft, PictureKind.OTHER_TENDER)
        return
    _put_order(draft, evolve(order, phase=OrderPhase.PAID, version=answer.version))
    if not passage.legs and not passage.released and tags.without(draft, order.amount_fen):
        passage = draft.passage
    if passage.legs or passage.released or order.amount_fen != passage.rest_fen:
        # Another tender won in this lane's journal, or what is due was changed since: the record
        # does not name this one, so the plaza refunds it.
        draft.remark("paid_twice_refund")
        draft.note("second_capture", order.out_trade_no)
        return
    leg = Leg(
        tender=TENDER_OF[order.wallet],
        amount_fen=order.amount_fen,
        out_trade_no=order.out_trade_no,
        provider_txn_id=answer.provider_txn_id,
    )
    draft.put_passage(legs=(*passage.held_legs, leg))
    for other in draft.passage.open_orders:
        cancel(draft, other)
    if passage.phase is Phase.UNSURE:
        draft.put_passage(authorised_by=AuthorisedBy.TENDER)
        return
    if passage.phase is Phase.CASH:
        draft.remark("paid_by_phone_in_cash")
        draft.note("phone_paid_give_cash_back")
    identify.release(draft, AuthorisedBy.TENDER, cmd.RaiseReason.TENDER)
    draft.show_kind(PictureKind.PAID)


def order_unanswered(draft: Draft) -> None:
    """A call about an order brought nothing: it is unknown, never refused."""
    fact = draft.event.fact
    assert isinstance(fact, OrderUnanswered)
    order = _find(draft, fact.out_trade_no)
    if order is None or not order.open:
        return
    if fact.why in (NoAnswer.REJECTED, NoAnswer.CODE_GONE) and order.phase is OrderPhase.SENT:
        # No pay was sent by this call; a cancel makes the number dead at the plaza as well.
        cancel(draft, order)
        back_to_tender(draft, PictureKind.NEW_CODE)
        return
    if order.phase is OrderPhase.SENT:
        order = evolve(order, phase=OrderPhase.UNKNOWN, reason=ReasonCode.NO_ANSWER)
        _put_order(draft, order)
    unknown = order.phase is OrderPhase.UNKNOWN
    if draft.passage.other_offered and unknown and not order.handed_over:
        cancel(draft, order)
    else:
        draft.wake(f"poll:{order.out_trade_no}", draft.limits.poll_retry_ms)


def poll_due(draft: Draft, number: OutTradeNo) -> None:
    """Ask again where an order is, or again for its end."""
    order = _find(draft, number)
    if order is None or not order.open:
        return
    if order.handed_over:
        draft.emit(cmd.CancelOrder(out_trade_no=number))
    else:
        _poll(draft, order)


def order_overdue(draft: Draft, number: OutTradeNo) -> None:
    """The driver did not confirm within 40 s."""
    order = _find(draft, number)
    if order is not None and order.open:
        cancel(draft, order)


def cancel(draft: Draft, order: LaneOrder) -> None:
    """Hand an undecided order to the plaza to be ended; its answer may still say paid."""
    if order.handed_over:
        return
    _put_order(draft, evolve(order, phase=OrderPhase.CANCELLING, handed_over=True))
    draft.emit(cmd.ForgetCode(keyed_hash=order.keyed_hash))
    draft.emit(cmd.CancelOrder(out_trade_no=order.out_trade_no))


# ---- other tenders ----


def second_tender_due(draft: Draft) -> None:
    """8 s have gone: offer other tenders; unknown orders go to the resolver."""
    if draft.state.phase is not Phase.PAYING:
        return
    for order in draft.passage.open_orders:
        if order.phase in (OrderPhase.UNKNOWN, OrderPhase.SENT):
            cancel(draft, order)
            draft.alarm(AlarmCode.ORDER_UNKNOWN, "", "a payment is undecided, the vehicle is held")
    offer_other_tender(draft)


def offer_other_tender(draft: Draft) -> None:
    """Tell the driver that cash and ETC are open, and take another phone too."""
    draft.put_passage(other_offered=True)
    draft.show_kind(PictureKind.OTHER_TENDER)


def phone_money_back(draft: Draft) -> None:
    """The plaza answers again: a driver who was sent to cash may hold up a code after all."""
    if draft.state.phase is Phase.TENDER and phone_money_possible(draft):
        draft.put_passage(other_offered=False)
        draft.show_kind(PictureKind.TOLL)


def back_to_tender(draft: Draft, picture: PictureKind) -> None:
    """An order ended unpaid: the driver may try again, unless something else is going on."""
    passage = draft.passage
    if passage.phase is not Phase.PAYING:
        return
    if passage.open_orders or passage.etc_open:
        if all(order.handed_over for order in passage.open_orders):
            # What is left is others' to end; the driver need not wait for it.
            draft.put_passage(other_offered=True)
            told = picture is PictureKind.TOLL
            draft.show_kind(PictureKind.OTHER_TENDER if told else picture)
        return
    draft.put_passage(phase=Phase.TENDER)
    draft.clear(AlarmCode.ORDER_UNKNOWN)
    draft.no_wake("tender")
    keep_offer = passage.other_offered and picture is PictureKind.TOLL
    draft.show_kind(PictureKind.OTHER_TENDER if keep_offer else picture)


# ---- helpers ----


def _find(draft: Draft, number: OutTradeNo) -> LaneOrder | None:
    if draft.state.arriving is None:
        return None
    for order in draft.state.arriving.orders:
        if order.out_trade_no == number:
            return order
    return None


def _put_order(draft: Draft, order: LaneOrder) -> None:
    orders = tuple(
        order if each.out_trade_no == order.out_trade_no else each for each in draft.passage.orders
    )
    draft.put_passage(orders=orders)
