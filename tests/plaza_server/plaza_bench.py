"""A plaza in virtual time: production engine and store, a scripted platform, one heap.

No codec, no socket.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from plaza_server.engine import (
    Alarm,
    Answer,
    CallKind,
    CancelRequested,
    CancelWake,
    Commit,
    CommitFailed,
    Committed,
    Effect,
    EngineConfig,
    ForgetCode,
    Input,
    PaymentPolled,
    PaymentRequested,
    PlatformAnswered,
    PlatformCall,
    PlazaEngine,
    Problem,
    ProblemCode,
    RecordsUploaded,
    Started,
    Wake,
    Wakeup,
)
from plaza_server.rules.orders import Order
from plaza_server.rules.units import AddLane, Unit
from plaza_server.store import Store, commit_group, open_store, queries, verify_books
from tests.plaza_server.bench_platform import EPOCH_MS, TIMEOUT, Platform
from tolling.best_price import Reason
from tolling.canonical import canonical_bytes
from tolling.chain import Anchor, SealedRecord, anchor_of, genesis, seal
from tolling.clock import NS_PER_MS, ClockQuality, WallTime
from tolling.ids import BootId, LaneId, OutTradeNo, PassageId, PlazaId, make_passage_id
from tolling.ids import make_out_trade_no as number_of
from tolling.messages import PaymentAnswer, PaymentRequest, RecordsUpload
from tolling.paycodes import PayCode, Wallet
from tolling.records import AuthorisedBy, Leg, PassageEnd, PassageRecord, Tender, UnpaidReason
from tolling.tariffs import EntrySource, Quote
from tolling.vehicles import VehicleClass, VehicleKind

PLAZA = PlazaId("310101")
LANE = LaneId("001")
TOLL = 2550
KEY = b"0123456789abcdef"


def passage(number: int, *, epoch: int = 1, lane: LaneId = LANE) -> PassageId:
    """Return the id of a passage of the bench's lane."""
    return make_passage_id(plaza=PLAZA, lane=lane, epoch=epoch, passage_no=number)


def order_no(number: int, attempt: int = 1) -> OutTradeNo:
    """Return an order number of the bench's lane."""
    return number_of(passage(number), attempt)


def request(number: int, attempt: int = 1, **changes: Any) -> PaymentRequest:
    """Return a payment request."""
    made = PaymentRequest(
        passage_id=passage(number),
        attempt=attempt,
        lane_id=LANE,
        toll_fen=TOLL,
        tariff_id="S1",
        tariff_version=1,
        tariff_row=1,
        vehicle_class=VehicleClass.CAR_1,
        plate="沪A12345",
        wallet=Wallet.ALIPAY,
        deadline_ms=3_000,
    )
    return replace(made, **changes)


def code(digits: int) -> PayCode:
    """Return a pay code of the bench's wallet."""
    return PayCode(f"28{digits:016d}", Wallet.ALIPAY)


def record(
    number: int,
    *,
    legs: tuple[Leg, ...] = (),
    orders: tuple[OutTradeNo, ...] = (),
    toll_fen: int = TOLL,
    epoch: int = 1,
    lane: LaneId = LANE,
) -> PassageRecord:
    """Return a passage's record; without legs that cover the toll it says backed_out."""
    whole = sum(leg.amount_fen for leg in legs) == toll_fen
    coupons = [leg for leg in legs if leg.tender is Tender.COUPON]
    wall = WallTime(utc_ms=EPOCH_MS, quality=ClockQuality.SYNCED)
    return PassageRecord(
        plaza_id=PLAZA,
        lane_id=lane,
        epoch=epoch,
        passage_id=passage(number, epoch=epoch, lane=lane),
        boot_id=BootId("lane-boot"),
        arrived=wall,
        sealed=wall,
        dwell_ms=10_000,
        end=PassageEnd.PASSED if whole else PassageEnd.BACKED_OUT,
        authorised_by=AuthorisedBy.TENDER if whole else AuthorisedBy.NOBODY,
        unpaid_reason=None if whole else UnpaidReason.BACKED_OUT,
        plate=None,
        plate_read=None,
        vehicle_class=VehicleClass.CAR_1,
        vehicle_kind=VehicleKind.NORMAL,
        quote=Quote(
            tariff_id="S1",
            tariff_version=1,
            row=1,
            entry_station="west",
            entry_source=EntrySource.PLATE,
            vehicle_class=VehicleClass.CAR_1,
            vehicle_kind=VehicleKind.NORMAL,
            full_toll_fen=toll_fen,
            toll_due_fen=toll_fen,
        ),
        toll_due_fen=toll_fen,
        legs=legs,
        orders=orders,
        attended=True,
        degraded=(),
        remarks=(),
        operator=None,
        operator_reason=None,
        why=tuple(
            Reason(code="coupon_fixed", name="券", saved_fen=leg.amount_fen) for leg in coupons
        ),
    )


def phone_leg(number: OutTradeNo, amount_fen: int = TOLL) -> Leg:
    """Return a leg paid by an order."""
    return Leg(tender=Tender.ALIPAY, amount_fen=amount_fen, out_trade_no=number)


CASH_LEG = Leg(tender=Tender.CASH, amount_fen=TOLL)


class Chain:
    """The sealing end of a lane."""

    def __init__(self, lane: LaneId = LANE, epoch: int = 1) -> None:
        self.anchor: Anchor = genesis(PLAZA, lane, epoch)

    def seal(self, what: PassageRecord | bytes) -> SealedRecord:
        """Return *what* sealed as the next record."""
        body = what if isinstance(what, bytes) else canonical_bytes(what)
        sealed = seal(self.anchor, body)
        self.anchor = anchor_of(sealed)
        return sealed


class Crash(Exception):
    """The process ends here."""


class Bench:
    """One plaza process after another on one store."""

    def __init__(
        self,
        store: Store | None = None,
        *,
        name: str = "boot",
        now_ns: int = 0,
        platforms: tuple[tuple[Wallet, str], ...] = ((Wallet.ALIPAY, "alipay"),),
    ) -> None:
        self.store = store if store is not None else open_store("sqlite://")
        self.platform = Platform()
        self.platforms = platforms
        self.skew_ms: int | None = 0
        """What platforms' answers tell of their clock."""
        self.now_ns = now_ns
        self.name = name
        self.answers: dict[str, Any] = {}
        self.answered_ms: dict[str, int] = {}
        self.alarms: list[Alarm] = []
        self.forgotten: list[str] = []
        self.spent: list[str] = []
        self.failing = 0
        """How many of the next commits fail."""
        self.failing_unheard = 0
        """How many of the next commits are durable but reported as failed."""
        self.crash_at: tuple[str, int] | None = None
        """('before' | 'after' | 'call', n): die at the n-th commit or call."""
        self.commits = 0
        self.commit_ms = 2
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._boot = 0
        self._timers: dict[str, int] = {}
        self._requests = 0
        self.engine: PlazaEngine | None = None
        self._lane = self.do(
            AddLane(lane_id=LANE, plaza_id=PLAZA, token_hash="0" * 64, now_ms=EPOCH_MS)
        )
        self.chain = Chain()
        self.sealed: SealedRecord | None = None
        """The last record that was sealed; a lane uploads it until it is taken."""
        self.start()

    # ---- driving ----

    def do(self, unit: Unit) -> Any:
        """Run one unit by itself."""
        (result,) = commit_group(self.store.engine, [[unit]])
        if isinstance(result, Exception):
            raise result
        return result[0]

    @property
    def moment(self) -> dict[str, Any]:
        """The fields every input has."""
        wall = EPOCH_MS + self.now_ns // NS_PER_MS
        quality = ClockQuality.SYNCED
        return {"at_ns": self.now_ns, "wall": WallTime(utc_ms=wall, quality=quality)}

    def start_alone(self) -> None:
        """Start a process that takes nothing over, as one of several on a store would."""
        self.start(began=False)

    def start(self, *, began: bool = True) -> None:
        """Start a new process."""
        self._boot += 1
        config = EngineConfig(
            plaza_id=PLAZA,
            plaza_name="东站",
            boot_id=BootId(f"{self.name}{self._boot}"),
            platforms=self.platforms,
            exclusive=self.store.exclusive and began,
        )
        self.engine = PlazaEngine(config)
        if began:
            self.give(Started(**self.moment))

    def crash(self) -> None:
        """Kill the process: memory, timers and answers under way are gone."""
        self.engine = None
        self._heap.clear()
        self._timers.clear()

    def give(self, given: Input) -> None:
        """Give the engine an input and carry out what follows."""
        if self.engine is None:
            return
        try:
            for effect in self.engine.on(given):
                self._carry_out(effect)
        except Crash:
            self.crash()

    def run(self, ms: int) -> None:
        """Let *ms* of virtual time pass."""
        end = self.now_ns + ms * NS_PER_MS
        while self._heap and self._heap[0][0] <= end:
            at, _, act = heapq.heappop(self._heap)
            self.now_ns = at
            try:
                act()
            except Crash:
                self.crash()
        self.now_ns = end

    # ---- what a lane does ----

    def _name(self, what: str) -> str:
        self._requests += 1
        return f"{what}-{self._requests}"

    def pay(
        self, number: int, attempt: int = 1, *, digits: int | None = None, **changes: Any
    ) -> str:
        """POST a payment and return its request id."""
        name = self._name(f"pay-{number}-{attempt}")
        ref = code(digits if digits is not None else number * 100 + attempt).ref(KEY)
        asked = request(number, attempt, **changes)
        self.give(PaymentRequested(request_id=name, request=asked, code=ref, **self.moment))
        return name

    def cancel(self, number: int, attempt: int = 1) -> str:
        """POST a cancel and return its request id."""
        name = self._name(f"cancel-{number}-{attempt}")
        asked = order_no(number, attempt)
        self.give(CancelRequested(request_id=name, out_trade_no=asked, lane_id=LANE, **self.moment))
        return name

    def poll(self, number: int, attempt: int = 1, *, wait_ms: int = 0, **changes: Any) -> str:
        """GET a payment and return its request id."""
        name = self._name(f"poll-{number}-{attempt}")
        asked = order_no(number, attempt)
        values = {"lane_id": LANE, **changes}
        self.give(
            PaymentPolled(
                request_id=name, out_trade_no=asked, wait_ms=wait_ms, **values, **self.moment
            )
        )
        return name

    def upload(self, *records: SealedRecord) -> str:
        """POST sealed records and return the request id."""
        name = self._name("records")
        self.give(
            RecordsUploaded(
                request_id=name,
                lane_id=LANE,
                upload=RecordsUpload(records=records),
                **self.moment,
            )
        )
        return name

    def seal_and_upload(self, number: int, *legs: Leg, attempts: tuple[int, ...] = (1,)) -> str:
        """Seal a passage's record and upload it."""
        orders = tuple(order_no(number, attempt) for attempt in attempts)
        self.sealed = self.chain.seal(record(number, legs=legs, orders=orders))
        return self.upload(self.sealed)

    # ---- looking ----

    def order(self, number: int, attempt: int = 1) -> Order:
        """Return an order from the store."""
        with self.store.reading() as connection:
            found = queries.order(connection, order_no(number, attempt))
        assert found is not None, "no such order"
        return found

    def state(self, number: int, attempt: int = 1) -> str:
        """Return an order's state from the store."""
        return self.order(number, attempt).state.value

    def stored_state(self, number: int) -> str | None:
        """Return an order's state from the store, or None where it was never stored."""
        with self.store.reading() as connection:
            found = queries.order(connection, order_no(number))
        return None if found is None else found.state.value

    def balances(self) -> dict[str, int]:
        """Return the accounts that are not zero."""
        with self.store.reading() as connection:
            return {k: v for k, v in queries.balances(connection).items() if v != 0}

    def problems(self) -> list[Any]:
        """Return what is wrong with the books."""
        with self.store.reading() as connection:
            return verify_books(connection)

    def standing(self) -> set[str]:
        """Return the codes of alarms that stand."""
        with self.store.reading() as connection:
            return {row.code for row in queries.alarms(connection)}

    def check(self) -> None:
        """Assert that books, orders and platform agree and that pay was sent at most once each."""
        assert self.problems() == []
        paid = [number for kind, number in self.platform.calls if kind is CallKind.PAY]
        assert len(paid) == len(set(paid)), "pay was sent twice"
        assert self.balances().get("clearing:alipay", 0) == self.platform.net_fen

    # ---- effects ----

    def _at(self, after_ms: int, act: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._heap, (self.now_ns + after_ms * NS_PER_MS, self._order, act))

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Commit():
                self._at(self.commit_ms, lambda: self._commit(effect))
            case PlatformCall():
                self._call(effect)
            case Answer():
                assert effect.request_id not in self.answers, "answered twice"
                self.answers[effect.request_id] = effect.value
                self.answered_ms[effect.request_id] = self.now_ns // NS_PER_MS
            case Wake():
                self._order += 1
                mark = self._order
                self._timers[effect.timer_id] = mark
                self._at(effect.after_ms, lambda: self._wake(effect.timer_id, mark))
            case CancelWake():
                self._timers.pop(effect.timer_id, None)
            case Alarm():
                self.alarms.append(effect)
            case ForgetCode():
                self.forgotten.append(effect.request_id)

    def _commit(self, effect: Commit) -> None:
        self.commits += 1
        if self.crash_at == ("before", self.commits):
            raise Crash
        if self.failing > 0:
            self.failing -= 1
            self.give(CommitFailed(commit_id=effect.commit_id, why="disk full", **self.moment))
            return
        (result,) = commit_group(self.store.engine, [effect.units])
        if self.crash_at == ("after", self.commits):
            raise Crash
        if isinstance(result, Exception):
            raise result
        if self.failing_unheard > 0:
            self.failing_unheard -= 1
            self.give(CommitFailed(commit_id=effect.commit_id, why="unheard", **self.moment))
            return
        self.give(Committed(commit_id=effect.commit_id, results=result, **self.moment))

    def _call(self, effect: PlatformCall) -> None:
        if effect.kind is CallKind.PAY:
            assert effect.request_id is not None
            self.spent.append(effect.request_id)
        sent = len(self.platform.calls) + 1
        if self.crash_at == ("unsent", sent):
            raise Crash
        outcome, after_ms = self.platform.call(effect.kind, effect.order)
        if self.crash_at == ("call", sent):
            raise Crash
        if after_ms > effect.deadline_ms:
            outcome, after_ms = TIMEOUT, effect.deadline_ms
        call_id = effect.call_id
        self._at(
            after_ms,
            lambda: self.give(
                PlatformAnswered(
                    call_id=call_id, outcome=outcome, skew_ms=self.skew_ms, **self.moment
                )
            ),
        )

    def _wake(self, timer_id: str, mark: int) -> None:
        if self._timers.get(timer_id) == mark:
            del self._timers[timer_id]
            self.give(Wakeup(timer_id=timer_id, **self.moment))


def answer(bench: Bench, name: str) -> PaymentAnswer:
    """Return the payment answer a request got."""
    value = bench.answers[name]
    assert isinstance(value, PaymentAnswer), value
    return value


def problem(bench: Bench, name: str) -> ProblemCode:
    """Return the code of the problem a request got."""
    value = bench.answers[name]
    assert isinstance(value, Problem), value
    return value.code
