"""A lane reduced to its money: one driver after another pays, and every passage is sealed.

A till keeps what a lane promises about money: one attempt per order number, never pay again after a
doubt, cancel before another tender, the first of paid and cash wins, one sealed record per passage,
uploaded until it is acknowledged. It is written here apart from the lane's core, so that a mistake
of one is not a mistake of both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from lane_controller.engine import effects as fx
from lane_controller.engine.inputs import PlazaTrouble
from simulator.world.heap import Heap
from simulator.world.links import Line
from simulator.world.requests import Callee, LaneRequest, PlazaLink, Reply
from tolling.canonical import canonical_bytes
from tolling.chain import Anchor, SealedRecord, anchor_of, genesis, seal
from tolling.clock import NS_PER_MS, ClockQuality, WallTime
from tolling.ids import (
    BootId,
    LaneId,
    OutTradeNo,
    PassageId,
    PlazaId,
    make_out_trade_no,
    make_passage_id,
)
from tolling.messages import PaymentAnswer, PaymentRequest, RecordsAnswer, RecordsUpload
from tolling.orders import OPEN_STATES, NextStep, OrderState
from tolling.paycodes import PayCode, Wallet
from tolling.records import AuthorisedBy, Leg, PassageEnd, PassageRecord, Tender, UnpaidReason
from tolling.tariffs import EntrySource, Quote
from tolling.vehicles import VehicleClass, VehicleKind

DEADLINE_MS = 3_000
POLL_WAIT_MS = 2_000
RETRY_MS = 500
UNKNOWN_LIMIT_MS = 8_000
WAITING_LIMIT_MS = 40_000
CANCEL_LIMIT_MS = 2_000
"""How long cash waits for the cancel of a phone order (design.md section 4, second tender)."""
UPLOAD_GAP_MS = 1_000
UPLOAD_GAP_MS_MAX = 30_000
UPLOAD_MAX = 20
ATTEMPTS_MAX = 3

TENDER_OF = {
    Wallet.ALIPAY: Tender.ALIPAY,
    Wallet.WECHAT: Tender.WECHAT,
    Wallet.UNIONPAY: Tender.UNIONPAY,
    Wallet.EMVCO: Tender.UNIONPAY,
}


class Leaves(StrEnum):
    """How a driver's passage ends."""

    PASSES = "passes"
    BACKS_OUT = "backs_out"
    """Whatever is paid by then is given back."""
    RUNS = "runs"
    """Without paying, or while the payment is undecided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """One driver as a till meets him."""

    number: int
    """1 and up over the run; names his wallet."""
    wallet: Wallet
    toll_fen: int
    leaves: Leaves
    new_code: Callable[[], PayCode]
    """Hold up a fresh code."""


@dataclass(slots=True, kw_only=True)
class _Visit:
    """One passage under way."""

    customer: Customer
    passage_no: int
    attempt: int = 0
    orders: list[OutTradeNo] = field(default_factory=list)
    begun_ns: int = 0
    """When the present attempt was sent."""
    locked: bool = False
    """Cash or leaving has been chosen: no further phone attempt."""
    sealed: bool = False


class Till:
    """One lane's money."""

    def __init__(
        self,
        heap: Heap,
        lane: LaneId,
        plaza_id: PlazaId,
        line: Line,
        plaza: Callee,
        *,
        wall_ms: Callable[[], int],
        on_free: Callable[[], None],
    ) -> None:
        """Open the till. *on_free* is called whenever a passage has been sealed."""
        self._heap = heap
        self._lane = lane
        self._plaza_id = plaza_id
        self._link = PlazaLink(heap, line, plaza)
        self._wall_ms = wall_ms
        self._on_free = on_free
        self._anchor: Anchor = genesis(plaza_id, lane, 1)
        self._unsent: list[SealedRecord] = []
        self._uploading = False
        self._upload_gap_ms = UPLOAD_GAP_MS
        self._visit: _Visit | None = None
        self._passages = 0
        self.cash_fen = 0
        """What the drawer holds by the records sealed here."""
        self.cash_records = 0
        self.phone_records = 0

    @property
    def free(self) -> bool:
        """Return whether nobody stands at the till."""
        return self._visit is None

    @property
    def unsent(self) -> int:
        """Return how many sealed records the plaza has not acknowledged."""
        return len(self._unsent)

    # ---- one driver ----

    def serve(self, customer: Customer) -> None:
        """Begin with the next driver."""
        assert self._visit is None, "one driver at a time"
        self._passages += 1
        self._visit = _Visit(customer=customer, passage_no=self._passages)
        self._pay(self._visit)

    def _pay(self, visit: _Visit) -> None:
        visit.attempt += 1
        visit.begun_ns = self._heap.now_ns
        passage = self._passage_id(visit)
        number = make_out_trade_no(passage, visit.attempt)
        visit.orders.append(number)
        code = visit.customer.new_code()
        request = PaymentRequest(
            passage_id=passage,
            attempt=visit.attempt,
            lane_id=self._lane,
            toll_fen=visit.customer.toll_fen,
            tariff_id="money",
            tariff_version=1,
            tariff_row=1,
            vehicle_class=VehicleClass.CAR_1,
            plate=None,
            wallet=code.wallet,
            deadline_ms=DEADLINE_MS,
        )
        # The hash names the code in the lane's memory only; nothing of it leaves here.
        wanted = fx.PostPayment(out_trade_no=number, request=request, keyed_hash="0" * 32)
        if visit.customer.leaves is Leaves.RUNS and visit.attempt == 1:
            self._after(UNKNOWN_LIMIT_MS // 4, lambda: self._leave(visit, UnpaidReason.VIOLATION))
        self._call(
            wanted, DEADLINE_MS, lambda reply: self._answered(visit, number, reply), code=code
        )

    def _answered(self, visit: _Visit, number: OutTradeNo, reply: Reply) -> None:
        if visit.sealed or visit.locked or number != visit.orders[-1]:
            return
        if not isinstance(reply, PaymentAnswer):
            refused = reply is PlazaTrouble.REJECTED
            self._give_up(visit) if refused else self._look_again(visit, number, waiting=False)
            return
        if reply.state is OrderState.PAID:
            self._paid(visit, number, reply)
        elif reply.state in OPEN_STATES:
            waiting = reply.state is OrderState.WAITING
            self._look_again(visit, number, waiting=waiting)
        elif reply.next is NextStep.NEW_CODE and visit.attempt < ATTEMPTS_MAX:
            self._after(RETRY_MS, lambda: self._pay(visit))
        else:
            self._give_up(visit)

    def _look_again(self, visit: _Visit, number: OutTradeNo, *, waiting: bool) -> None:
        limit_ms = WAITING_LIMIT_MS if waiting else UNKNOWN_LIMIT_MS
        if self._heap.now_ns - visit.begun_ns >= limit_ms * NS_PER_MS:
            self._give_up(visit)
            return
        wanted = fx.GetPayment(out_trade_no=number, wait_ms=POLL_WAIT_MS)

        def poll() -> None:
            if not (visit.sealed or visit.locked):
                self._call(
                    wanted,
                    POLL_WAIT_MS + RETRY_MS,
                    lambda reply: self._answered(visit, number, reply),
                )

        self._after(RETRY_MS, poll)

    def _paid(self, visit: _Visit, number: OutTradeNo, answer: PaymentAnswer) -> None:
        if visit.customer.leaves is Leaves.BACKS_OUT:
            self._leave(visit, UnpaidReason.BACKED_OUT)
            return
        assert answer.captured_fen == visit.customer.toll_fen, "paid is the exact amount"
        leg = Leg(
            tender=TENDER_OF[visit.customer.wallet],
            amount_fen=answer.captured_fen,
            out_trade_no=number,
            provider_txn_id=answer.provider_txn_id,
        )
        self.phone_records += 1
        self._seal(visit, (leg,), None)

    # ---- without the phone ----

    def _give_up(self, visit: _Visit) -> None:
        """Turn to cash, or back out: cancel what is undecided first, for a moment."""
        if visit.sealed or visit.locked:
            return
        visit.locked = True
        number = visit.orders[-1]
        until_ns = self._heap.now_ns + CANCEL_LIMIT_MS * NS_PER_MS

        def ended(reply: Reply) -> None:
            if visit.sealed:
                return
            if isinstance(reply, PaymentAnswer) and reply.state is OrderState.PAID:
                self._paid(visit, number, reply)
                return
            undecided = not isinstance(reply, PaymentAnswer) or reply.state in OPEN_STATES
            if undecided and self._heap.now_ns < until_ns:
                self._after(RETRY_MS, ask)
            else:
                self._settle_by_cash(visit)

        def ask() -> None:
            self._call(fx.PostCancel(out_trade_no=number), CANCEL_LIMIT_MS, ended)

        ask()

    def _settle_by_cash(self, visit: _Visit) -> None:
        if visit.sealed:
            return
        if visit.customer.leaves is Leaves.BACKS_OUT:
            self._leave(visit, UnpaidReason.BACKED_OUT)
            return
        toll_fen = visit.customer.toll_fen
        self.cash_fen += toll_fen
        self.cash_records += 1
        self._seal(visit, (Leg(tender=Tender.CASH, amount_fen=toll_fen),), None)

    def _leave(self, visit: _Visit, why: UnpaidReason) -> None:
        if not visit.sealed:
            self._seal(visit, (), why)

    # ---- records ----

    def _seal(self, visit: _Visit, legs: tuple[Leg, ...], why: UnpaidReason | None) -> None:
        visit.sealed = True
        backed = why is UnpaidReason.BACKED_OUT
        wall = WallTime(utc_ms=self._wall_ms(), quality=ClockQuality.SYNCED)
        toll_fen = visit.customer.toll_fen
        record = PassageRecord(
            plaza_id=self._plaza_id,
            lane_id=self._lane,
            epoch=1,
            passage_id=self._passage_id(visit),
            boot_id=BootId("till"),
            arrived=wall,
            sealed=wall,
            dwell_ms=(self._heap.now_ns - visit.begun_ns) // NS_PER_MS,
            end=PassageEnd.BACKED_OUT if backed else PassageEnd.PASSED,
            authorised_by=AuthorisedBy.TENDER if legs else AuthorisedBy.NOBODY,
            unpaid_reason=why,
            plate=None,
            plate_read=None,
            vehicle_class=VehicleClass.CAR_1,
            vehicle_kind=VehicleKind.NORMAL,
            quote=_quote(toll_fen),
            toll_due_fen=toll_fen,
            legs=legs,
            orders=tuple(visit.orders),
            attended=True,
            degraded=(),
            remarks=(),
            operator=None,
            operator_reason=None,
        )
        sealed = seal(self._anchor, canonical_bytes(record))
        self._anchor = anchor_of(sealed)
        self._unsent.append(sealed)
        self._visit = None
        self._upload()
        self._on_free()

    def _upload(self) -> None:
        if self._uploading or not self._unsent:
            return
        self._uploading = True
        records = tuple(self._unsent[:UPLOAD_MAX])
        wanted = fx.PostRecords(epoch=1, after_seq=records[0].seq - 1, limit=UPLOAD_MAX)
        self._call(wanted, DEADLINE_MS, self._uploaded, upload=RecordsUpload(records=records))

    def _uploaded(self, reply: Reply) -> None:
        self._uploading = False
        if isinstance(reply, RecordsAnswer):
            assert reply.refused is None, f"the plaza refuses a record: {reply.refused}"
            self._unsent = [each for each in self._unsent if each.seq > reply.anchor.seq]
            self._upload_gap_ms = UPLOAD_GAP_MS
            self._upload()
            return
        self._after(self._upload_gap_ms, self._upload)
        self._upload_gap_ms = min(2 * self._upload_gap_ms, UPLOAD_GAP_MS_MAX)

    # ---- the line ----

    def _call(
        self,
        wanted: fx.PlazaRequest,
        deadline_ms: int,
        done: Callable[[Reply], None],
        *,
        code: PayCode | None = None,
        upload: RecordsUpload | None = None,
    ) -> None:
        request = LaneRequest(lane_id=self._lane, wanted=wanted, code=code, upload=upload)
        self._link.call(
            request, caller=f"till {self._lane}", life=1, deadline_ms=deadline_ms, done=done
        )

    def _after(self, ms: int, act: Callable[[], None]) -> None:
        self._heap.after(ms * NS_PER_MS, act)

    def _passage_id(self, visit: _Visit) -> PassageId:
        return make_passage_id(
            plaza=self._plaza_id, lane=self._lane, epoch=1, passage_no=visit.passage_no
        )


def _quote(toll_fen: int) -> Quote:
    return Quote(
        tariff_id="money",
        tariff_version=1,
        row=1,
        entry_station="west",
        entry_source=EntrySource.PLATE,
        vehicle_class=VehicleClass.CAR_1,
        vehicle_kind=VehicleKind.NORMAL,
        full_toll_fen=toll_fen,
        toll_due_fen=toll_fen,
    )
