"""Requests that are open, and when each is answered."""

from __future__ import annotations

from plaza_server.engine.desk import Desk
from plaza_server.engine.effects import Answer, CancelWake, Problem, ProblemCode, Wake
from plaza_server.engine.tasks import Job, Then, Waiter, WaitKind
from plaza_server.rules.limits import (
    RETRY_AFTER_MS,
    RETRY_AFTER_MS_MIN,
    SECOND_QUERY_AFTER_MS,
    WAITERS_MAX,
)
from plaza_server.rules.orders import answer_of
from plaza_server.rules.schedule import Trail, is_settled, since_sent_ms
from tolling.clock import NS_PER_MS
from tolling.coupons import CouponAnswer
from tolling.messages import EnrolmentAnswer, EntryAnswer, PaymentAnswer, RecordsAnswer
from tolling.orders import OrderState

_TIMER = "request:"


def is_satisfied(waiter: Waiter, job: Job) -> bool:
    """Return whether *waiter* has what it waits for."""
    order = job.order
    if not order.is_open:
        return True
    match waiter.kind:
        case WaitKind.POST:
            return order.state not in {OrderState.CREATED, OrderState.SENT}
        case WaitKind.POLL:
            return waiter.known_version is None or order.version > waiter.known_version
        case WaitKind.CANCEL:
            return order.state is OrderState.CLOSING and is_settled(job.trail)


def retry_after_ms(trail: Trail, *, now_ns: int) -> int:
    """Return when a lane should ask again for an order that is closing."""
    if not is_settled(trail):
        return RETRY_AFTER_MS
    left = SECOND_QUERY_AFTER_MS - since_sent_ms(trail, now_ns=now_ns)
    return max(RETRY_AFTER_MS_MIN, left)


class Waiting:
    """All open requests. Each is answered at most once, and only while somebody wants it."""

    def __init__(self, desk: Desk[Then]) -> None:
        self._desk = desk
        self._open: set[str] = set()
        self._held: dict[str, Waiter] = {}

    def open(self, request_id: str) -> None:
        """Note a request as open."""
        assert request_id not in self._open, "a request id came twice"
        self._open.add(request_id)

    def is_open(self, request_id: str) -> bool:
        """Return whether somebody still wants its answer."""
        return request_id in self._open

    @property
    def is_full(self) -> bool:
        """Whether no more requests may be held."""
        return len(self._held) >= WAITERS_MAX

    def hold(self, waiter: Waiter) -> None:
        """Hold a request until it is satisfied or its time is up."""
        if waiter.request_id not in self._open:
            return
        self._held[waiter.request_id] = waiter
        after = max(0, waiter.until_ns - self._desk.now_ns) // NS_PER_MS
        self._desk.emit(Wake(timer_id=_TIMER + waiter.request_id, after_ms=after))

    def held(self, request_id: str) -> Waiter | None:
        """Return a held request."""
        return self._held.get(request_id)

    @staticmethod
    def request_of(timer_id: str) -> str | None:
        """Return the request a timer belongs to."""
        return timer_id.removeprefix(_TIMER) if timer_id.startswith(_TIMER) else None

    def answer(
        self,
        request_id: str,
        value: (
            PaymentAnswer | RecordsAnswer | CouponAnswer | EntryAnswer | EnrolmentAnswer | Problem
        ),
    ) -> None:
        """Answer a request, if it still is open."""
        if self.drop(request_id):
            self._desk.emit(Answer(request_id=request_id, value=value))

    def fail(self, request_id: str, code: ProblemCode, what: str) -> None:
        """Answer a request with a problem."""
        self.answer(request_id, Problem(code=code, what=what))

    def drop(self, request_id: str) -> bool:
        """Forget a request. Returns: whether it was open."""
        if request_id not in self._open:
            return False
        self._open.remove(request_id)
        if self._held.pop(request_id, None) is not None:
            self._desk.emit(CancelWake(timer_id=_TIMER + request_id))
        return True

    def tell(self, request_id: str, job: Job) -> None:
        """Answer a request with the order as it stands."""
        job.waiters.pop(request_id, None)
        retry = retry_after_ms(job.trail, now_ns=self._desk.now_ns)
        self.answer(request_id, answer_of(job.order, retry_after_ms=retry))

    def release(self, job: Job) -> None:
        """Answer everybody who waited for what *job* is now."""
        for waiter in list(job.waiters.values()):
            if is_satisfied(waiter, job):
                self.tell(waiter.request_id, job)
