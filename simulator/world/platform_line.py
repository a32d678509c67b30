"""The plaza's calls of a platform: production codec, bytes over a line, the platform's model.

One request per call and no second try. The model sees the bytes at the instant they arrive; its
answer crosses back after the delay it names. What breaks on the way is an outcome that proves
nothing, as the real client has it.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from plaza_server.platforms.calls import HttpAnswer, HttpCall, PlatformOrder, skew_of
from plaza_server.platforms.ports import PlatformCodec
from plaza_server.rules.calls import CallKind
from plaza_server.rules.outcomes import Evidence, PlatformOutcome, Unknown
from simulator.models.platform_wire import HttpRequest, Reply
from simulator.world.heap import Heap
from simulator.world.links import CONNECT_FAILS_NS, Line
from simulator.world.platforms import WorldPlatform
from tolling.clock import NS_PER_MS
from tolling.paycodes import PayCode

PAY_LIMIT_MS = 2_500
OTHER_LIMIT_MS = 10_000
"""The client's own limits; the engine's deadline may be shorter."""

Done = Callable[[PlatformOutcome, int | None], None]
"""(outcome, platform's clock minus ours in milliseconds where an answer told it)."""
Reader = Callable[[HttpAnswer], tuple[PlatformOutcome, int | None]]


class PlatformLine:
    """The line between the plaza and one platform."""

    def __init__(
        self,
        heap: Heap,
        line: Line,
        model: WorldPlatform,
        codec: PlatformCodec,
    ) -> None:
        self._heap = heap
        self.line = line
        self._model = model
        self._codec = codec

    def call(
        self,
        kind: CallKind,
        order: PlatformOrder,
        *,
        code: PayCode | None,
        now_ms: int,
        deadline_ms: int,
        done: Done,
    ) -> None:
        """Make one call; *done* hears its outcome once."""
        limit_ms = min(deadline_ms, PAY_LIMIT_MS if kind is CallKind.PAY else OTHER_LIMIT_MS)
        ended = False

        def read(answer: HttpAnswer) -> tuple[PlatformOutcome, int | None]:
            here_ms = now_ms + (self._heap.now_ns - sent_ns) // NS_PER_MS
            outcome = self._codec.read(kind, order, answer, now_ms=here_ms)
            return outcome, skew_of(answer, now_ms=here_ms)

        def end(outcome: PlatformOutcome, skew_ms: int | None = None) -> None:
            nonlocal ended
            if not ended:
                ended = True
                done(outcome, skew_ms)

        call = self._codec.build(kind, order, code=code, now_ms=now_ms)
        sent_ns = self._heap.now_ns
        there, *copies = self.line.crossings()
        after_ns = limit_ms * NS_PER_MS
        self._heap.after(after_ns, lambda: end(Unknown(evidence=Evidence.TIMEOUT), None))
        if there is None and self.line.cut:
            wait_ns = min(CONNECT_FAILS_NS, after_ns)
            self._heap.after(wait_ns, lambda: end(Unknown(evidence=Evidence.NOT_SENT), None))
        elif there is not None:
            self._heap.after(there, lambda: self._arrive(kind, order, call, read, end))
        for copy in copies:
            # A proxy that retries sends the same bytes again; its caller takes the first answer.
            if copy is not None:
                self._heap.after(copy, lambda: self._arrive(kind, order, call, read, end))

    def _arrive(
        self, kind: CallKind, order: PlatformOrder, call: HttpCall, read: Reader, end: Done
    ) -> None:
        parts = urlsplit(call.url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        request = HttpRequest(method=call.method, path=path, headers=call.headers, body=call.body)
        reply = self._model.handle(request, self._heap.now_ns)
        self._heap.note(self._codec.name, kind.value, f"{order.out_trade_no} {reply.status}")
        self._heap.after(reply.delay_ns, lambda: self._return(reply, read, end))

    def _return(self, reply: Reply, read: Reader, end: Done) -> None:
        back = self.line.cross()
        if back is None:
            return
        outcome: PlatformOutcome = Unknown(evidence=Evidence.TIMEOUT)
        skew_ms: int | None = None
        if reply.unsent:
            outcome = Unknown(evidence=Evidence.NOT_SENT)
        elif not reply.dropped:
            answer = HttpAnswer(status=reply.status, headers=reply.headers, body=reply.body)
            outcome, skew_ms = read(answer)
        self._heap.after(back, lambda: end(outcome, skew_ms))
