"""Bugs in the plaza's rules, engine and codec."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from plaza_server.engine import Answer, CallKind, RecordsUploaded
from plaza_server.engine.engine import PlazaEngine
from plaza_server.engine.resolver import Resolver
from plaza_server.engine.tasks import Job
from plaza_server.platforms.alipay.codec import AlipayCodec
from plaza_server.platforms.calls import PlatformOrder
from plaza_server.platforms.unionpay.codec import UnionpayCodec
from plaza_server.platforms.wechat.codec import WechatCodec
from plaza_server.rules import coupons, order_moves, orders, schedule
from plaza_server.rules.coupons import Hold
from plaza_server.rules.facts import OrderFact, QueryAnswered, RefundStarted
from plaza_server.rules.ledger import Transfer
from plaza_server.rules.limits import QUERY_DEADLINE_MS, SECOND_QUERY_AFTER_MS
from plaza_server.rules.order_table import OrderEvent
from plaza_server.rules.orders import Order, RecordMark
from plaza_server.rules.outcomes import Closed, Paid, PayOutcome, Refused, Unknown
from plaza_server.rules.schedule import Planned, Step, Trail
from plaza_server.store import coupon_units
from simulator.canaries.planting import both, replaced
from tolling.chain import anchor_of
from tolling.evolve import evolve
from tolling.messages import RecordsAnswer
from tolling.orders import NextStep, OrderState, ReasonCode
from tolling.records import PassageRecord

DAY_MS = 86_400_000


@contextmanager
def _pay_read(instead: Callable[[PlatformOrder], PayOutcome]) -> Iterator[None]:
    """Let every platform's answer to pay that proves nothing be read as *instead* says."""
    with ExitStack() as planted:
        for codec in (AlipayCodec, WechatCodec, UnionpayCodec):
            planted.enter_context(replaced(codec, "read", _reading(codec.read, instead)))
        yield


def _reading(honest: Any, instead: Callable[[PlatformOrder], PayOutcome]) -> Any:
    def read(codec: Any, kind: CallKind, order: PlatformOrder, *given: Any, **named: Any) -> Any:
        outcome = honest(codec, kind, order, *given, **named)
        unknown = kind is CallKind.PAY and isinstance(outcome, Unknown)
        return instead(order) if unknown else outcome

    return read


def unknown_read_as_refused() -> AbstractContextManager[None]:
    """An answer of the platform that proves nothing is taken as a refusal."""
    refused = Refused(reason=ReasonCode.PAYMENT_FAILED, next=NextStep.NEW_CODE)
    return _pay_read(lambda order: refused)


def unknown_read_as_paid() -> AbstractContextManager[None]:
    """An answer of the platform that proves nothing is taken as a payment."""
    return _pay_read(
        lambda order: Paid(captured_fen=order.toll_fen, provider_txn_id="none", paid_at_ms=None)
    )


def late_capture_booked_as_revenue() -> AbstractContextManager[None]:
    """A capture found after the record named another tender is kept."""
    honest = orders.event_of

    def event_of(*given: Any) -> OrderEvent:
        event = honest(*given)
        return OrderEvent.CAPTURED if event is OrderEvent.CAPTURED_LATE else event

    return replaced(orders, "event_of", event_of)


def late_capture_due_a_commit_later() -> AbstractContextManager[None]:
    """A capture the record leaves out is stored as paid, and due only when it is confirmed."""
    honest_event, honest_move = orders.event_of, order_moves.move

    def event_of(order: Order, fact: OrderFact) -> OrderEvent:
        event = honest_event(order, fact)
        if event is OrderEvent.CAPTURED_LATE:
            return OrderEvent.CAPTURED
        again = event is OrderEvent.CAPTURED and order.state is OrderState.PAID
        return OrderEvent.RECORD_OMITS if again and order.record is RecordMark.OMITTED else event

    def move(moved: Order, before: Order, *given: Any) -> tuple[Order, tuple[Transfer, ...]]:
        after, transfers = honest_move(moved, before, *given)
        if after.state is OrderState.PAID and before.record is RecordMark.OMITTED:
            after = evolve(after, proven=False)
        return after, transfers

    return both(replaced(orders, "event_of", event_of), replaced(orders, "move", move))


def capture_due_before_its_record() -> AbstractContextManager[None]:
    """A capture that only a query has found is given back, before any record leaves it out."""
    honest = orders.event_of

    def event_of(order: Order, fact: OrderFact) -> OrderEvent:
        event = honest(order, fact)
        found = event is OrderEvent.CAPTURED and order.state is OrderState.UNKNOWN
        return OrderEvent.CAPTURED_LATE if found else event

    return replaced(orders, "event_of", event_of)


def capture_left_pending() -> AbstractContextManager[None]:
    """An order that ended unpaid leaves the capture it had announced in the books."""
    honest = order_moves._ended_unpaid

    def ended_unpaid(*given: Any) -> tuple[Order, tuple[Transfer, ...]]:
        ended, _ = honest(*given)
        return ended, ()

    return replaced(order_moves, "_ended_unpaid", ended_unpaid)


def settled_money_left_in_suspense() -> AbstractContextManager[None]:
    """A record that names a capture settles its order, and the money stays in suspense."""
    honest = order_moves.move

    def move(*given: Any) -> tuple[Order, tuple[Transfer, ...]]:
        moved, transfers = honest(*given)
        return moved, tuple(row for row in transfers if not row.credit.startswith("revenue:"))

    return replaced(orders, "move", move)


def promise_before_commit() -> AbstractContextManager[None]:
    """The plaza acknowledges records before they are durable."""
    honest = PlazaEngine._take_records

    def take_records(engine: PlazaEngine, given: RecordsUploaded) -> None:
        honest(engine, given)
        answer = RecordsAnswer(anchor=anchor_of(given.upload.records[-1]), refused=None)
        engine._desk.emit(Answer(request_id=given.request_id, value=answer))

    return replaced(PlazaEngine, "_take_records", take_records)


def cancel_believed_without_query() -> AbstractContextManager[None]:
    """An order that is to be cancelled counts as closed, and the platform is not asked."""
    honest = Resolver._call

    def call(resolver: Resolver, job: Job, kind: CallKind, **more: Any) -> None:
        if kind is not CallKind.CANCEL:
            honest(resolver, job, kind, **more)
            return
        proof = QueryAnswered(
            outcome=Closed(),
            since_sent_ms=SECOND_QUERY_AFTER_MS,
            absent_before=True,
            cancelled=True,
            gave_back=False,
            cancel_out=False,
        )
        resolver._commit(job, proof)

    return replaced(Resolver, "_call", call)


def refund_believed_unproven() -> AbstractContextManager[None]:
    """Money that is to be given back counts as given back as soon as the refund has a number."""
    honest = orders.event_of

    def event_of(order: Order, fact: OrderFact) -> OrderEvent:
        return OrderEvent.REFUND_PROVEN if isinstance(fact, RefundStarted) else honest(order, fact)

    return replaced(orders, "event_of", event_of)


def refund_left_to_a_person() -> AbstractContextManager[None]:
    """What is to be given back waits for somebody to look."""

    def plan_refund(order: Order, trail: Trail, now_ns: int) -> Planned:
        return Planned(step=Step.REFUND, after_ms=DAY_MS)

    return replaced(schedule, "_plan_refund", plan_refund)


def query_impatient_for_ever() -> AbstractContextManager[None]:
    """A platform that answers slowly is asked again and again, and never heard."""

    def query_deadline_ms(order: Order, trail: Trail, *, now_ns: int) -> int:
        return QUERY_DEADLINE_MS

    return replaced(schedule, "query_deadline_ms", query_deadline_ms)


def coupon_consumed_on_a_refused_order() -> AbstractContextManager[None]:
    """A coupon counts as used up where an order of its passage was refused and nothing paid."""
    honest = coupons.names

    def names(record: PassageRecord, hold: Hold) -> bool:
        return honest(record, hold) or bool(record.orders and not record.legs)

    return replaced(coupon_units, "names", names)
