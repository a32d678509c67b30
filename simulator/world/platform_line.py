"""The plaza's calls of Alipay: production codec, bytes over a line, the platform's model.

One request per call and no second try. The model sees the bytes at the instant they arrive; its
answer crosses back after the delay it names. What breaks on the way is an outcome that proves
nothing, as the real client has it.
"""

from __future__ import annotations

from collections.abc import Callable

from plaza_server.engine import CallKind
from plaza_server.platforms.alipay import codec
from plaza_server.platforms.calls import HttpCall
from plaza_server.rules.orders import Order
from plaza_server.rules.outcomes import Evidence, PlatformOutcome, Unknown
from simulator.models.alipay import GATEWAY_PATH, AlipayModel, HttpRequest, Reply
from simulator.world.heap import Heap
from simulator.world.keys import merchant_sign, platform_signed
from simulator.world.links import CONNECT_FAILS_NS, Line
from tolling.clock import NS_PER_MS
from tolling.paycodes import PayCode

PAY_LIMIT_MS = 2_500
OTHER_LIMIT_MS = 10_000
"""The client's own limits; the engine's deadline may be shorter."""

Done = Callable[[PlatformOutcome], None]


class PlatformLine:
    """The line between the plaza and one platform."""

    def __init__(
        self,
        heap: Heap,
        line: Line,
        model: AlipayModel,
        *,
        on_handled: Callable[[], None],
    ) -> None:
        """Connect the line. *on_handled* is called after the platform took a request."""
        self._heap = heap
        self.line = line
        self._model = model
        self._on_handled = on_handled
        self._config = codec.AlipayConfig(
            gateway_url=f"https://alipay.world{GATEWAY_PATH}", app_id=model.config.app_id
        )

    def call(
        self,
        kind: CallKind,
        order: Order,
        *,
        code: PayCode | None,
        now_ms: int,
        deadline_ms: int,
        done: Done,
    ) -> None:
        """Make one call; *done* hears its outcome once."""
        limit_ms = min(deadline_ms, PAY_LIMIT_MS if kind is CallKind.PAY else OTHER_LIMIT_MS)
        ended = False

        def end(outcome: PlatformOutcome) -> None:
            nonlocal ended
            if not ended:
                ended = True
                done(outcome)

        call = self._build(kind, order, code, now_ms)
        there, *copies = self.line.crossings()
        after_ns = limit_ms * NS_PER_MS
        self._heap.after(after_ns, lambda: end(Unknown(evidence=Evidence.TIMEOUT)))
        if there is None and self.line.cut:
            wait_ns = min(CONNECT_FAILS_NS, after_ns)
            self._heap.after(wait_ns, lambda: end(Unknown(evidence=Evidence.NOT_SENT)))
        elif there is not None:
            self._heap.after(there, lambda: self._arrive(kind, order, call, end))
        for copy in copies:
            # A proxy that retries sends the same bytes again; its caller takes the first answer.
            if copy is not None:
                self._heap.after(copy, lambda: self._arrive(kind, order, call, end))

    def _arrive(self, kind: CallKind, order: Order, call: HttpCall, end: Done) -> None:
        request = HttpRequest(
            method=call.method, path=GATEWAY_PATH, headers=call.headers, body=call.body
        )
        reply = self._model.handle(request, self._heap.now_ns)
        self._heap.note("alipay", kind.value, f"{order.out_trade_no} {reply.status}")
        self._on_handled()
        self._heap.after(reply.delay_ns, lambda: self._return(kind, order, reply, end))

    def _return(self, kind: CallKind, order: Order, reply: Reply, end: Done) -> None:
        back = self.line.cross()
        if back is None:
            return
        outcome: PlatformOutcome = Unknown(evidence=Evidence.TIMEOUT)
        if reply.unsent:
            outcome = Unknown(evidence=Evidence.NOT_SENT)
        elif not reply.dropped:
            outcome = read(kind, order, reply)
        self._heap.after(back, lambda: end(outcome))

    def _build(self, kind: CallKind, order: Order, code: PayCode | None, now_ms: int) -> HttpCall:
        config, sign = self._config, merchant_sign
        match kind:
            case CallKind.PAY:
                assert code is not None, "pay without a pay code"
                return codec.build_pay(config, order, code=code, now_ms=now_ms, sign=sign)
            case CallKind.QUERY:
                return codec.build_query(config, order, now_ms=now_ms, sign=sign)
            case CallKind.CANCEL:
                return codec.build_cancel(config, order, now_ms=now_ms, sign=sign)
            case CallKind.REFUND:
                return codec.build_refund(config, order, now_ms=now_ms, sign=sign)
            case CallKind.REFUND_QUERY:
                return codec.build_refund_query(config, order, now_ms=now_ms, sign=sign)


def read(kind: CallKind, order: Order, reply: Reply) -> PlatformOutcome:
    """Return what an answer's bytes prove, by the production codec."""
    status, body, verify = reply.status, reply.body, platform_signed
    match kind:
        case CallKind.PAY:
            return codec.read_pay(status, body, order, verify=verify)
        case CallKind.QUERY:
            return codec.read_query(status, body, order, verify=verify)
        case CallKind.CANCEL:
            return codec.read_cancel(status, body, order, verify=verify)
        case CallKind.REFUND:
            return codec.read_refund(status, body, order, verify=verify)
        case CallKind.REFUND_QUERY:
            return codec.read_refund_query(status, body, order, verify=verify)
