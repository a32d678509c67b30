"""Calls to the plaza under way: which request an answer belongs to, how long each may take, and
which effects must not happen any more once the disk has let them go."""

from __future__ import annotations

from typing import assert_never

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.core.limits import Limits
from lane_controller.core.states import Passage
from lane_controller.engine import effects as fx
from lane_controller.engine import inputs as inp
from lane_controller.engine.limits import (
    BEAT_DEADLINE_MS,
    CALL_DEADLINE_MS,
    CALLS_MAX,
    CANCEL_DEADLINE_MS,
    POLL_MARGIN_MS,
)
from tolling.messages import EntryQuery
from tolling.pictures import DisplayPicture

NO_ANSWER: dict[inp.PlazaTrouble, ev.NoAnswer] = {
    inp.PlazaTrouble.UNREACHABLE: ev.NoAnswer.UNREACHABLE,
    inp.PlazaTrouble.TIMEOUT: ev.NoAnswer.TIMEOUT,
    inp.PlazaTrouble.NOT_FOUND: ev.NoAnswer.NOT_FOUND,
    inp.PlazaTrouble.REJECTED: ev.NoAnswer.REJECTED,
    inp.PlazaTrouble.SERVER: ev.NoAnswer.TIMEOUT,
    inp.PlazaTrouble.CODE_GONE: ev.NoAnswer.CODE_GONE,
    inp.PlazaTrouble.BAD_ANSWER: ev.NoAnswer.TIMEOUT,
}
"""What a failed call about an order means to the core."""


Calls = (
    cmd.SendOrder
    | cmd.PollOrder
    | cmd.CancelOrder
    | cmd.ReserveCoupon
    | cmd.ReleaseCoupon
    | cmd.LookUpEntry
)
"""What the core asks of the plaza."""


def request_of(command: Calls, limits: Limits) -> fx.PlazaRequest:
    """Return the call a command of the core stands for."""
    match command:
        case cmd.SendOrder():
            return fx.PostPayment(
                out_trade_no=command.out_trade_no,
                request=command.request,
                keyed_hash=command.keyed_hash,
            )
        case cmd.PollOrder():
            return fx.GetPayment(out_trade_no=command.out_trade_no, wait_ms=command.wait_ms)
        case cmd.CancelOrder():
            return fx.PostCancel(out_trade_no=command.out_trade_no)
        case cmd.ReserveCoupon():
            return fx.PostCouponReserve(
                request=command.request,
                keyed_hash=command.keyed_hash,
                deadline_ms=limits.coupon_wait_ms,
            )
        case cmd.ReleaseCoupon():
            return fx.PostCouponRelease(release=command.release)
        case cmd.LookUpEntry():
            query = EntryQuery(plate=command.plate)
            return fx.PostEntryQuery(passage_id=command.passage_id, query=query)
        case _:
            assert_never(command)


def unanswered(
    request: fx.PostPayment | fx.GetPayment | fx.PostCancel | fx.PostCouponReserve,
    why: inp.PlazaTrouble,
) -> ev.OrderUnanswered | ev.CouponUnanswered:
    """Return what the core hears where a call about an order or a coupon brought nothing."""
    if isinstance(request, fx.PostCouponReserve):
        wanted = request.request
        return ev.CouponUnanswered(
            passage_id=wanted.passage_id, attempt=wanted.attempt, why=NO_ANSWER[why]
        )
    return ev.OrderUnanswered(out_trade_no=request.out_trade_no, why=NO_ANSWER[why])


def is_lower(effect: fx.Effect) -> bool:
    """Return whether *effect* asks to lower the boom."""
    return isinstance(effect, fx.DeviceCall) and isinstance(effect.command, cmd.LowerIfClear)


def is_raise(effect: fx.Effect) -> bool:
    """Return whether *effect* raises the boom."""
    return isinstance(effect, fx.DeviceCall) and isinstance(effect.command, cmd.RaiseBoom)


def shows_too_late(picture: DisplayPicture | None, effect: fx.Effect) -> bool:
    """Return whether *effect* shows what is not to be shown any more: the disk was slow, and a
    thanks that comes late is read by the next driver.

    Args:   picture: what the display is to show now.
    """
    return (
        isinstance(effect, fx.DeviceCall)
        and isinstance(effect.command, cmd.ShowPicture)
        and effect.command.picture != picture
    )


def pays_too_late(passage: Passage | None, effect: fx.Effect) -> bool:
    """Return whether *effect* would charge a vehicle that was settled, or left, meanwhile.

    The disk was slow: what was promised then is durable now, and nothing of it was sent.

    Args:   passage: of the vehicle at the window now.
    """
    if isinstance(effect, fx.PlazaCall) and isinstance(effect.request, fx.PostPayment):
        number = effect.request.out_trade_no
        orders = passage.open_orders if passage is not None else ()
        return all(o.out_trade_no != number or o.handed_over for o in orders)
    if isinstance(effect, fx.PlazaCall) and isinstance(effect.request, fx.PostCouponReserve):
        wanted = effect.request.request
        asked = passage.coupon_asked if passage is not None else None
        here = passage is not None and passage.passage_id == wanted.passage_id
        return not here or asked is None or asked.attempt != wanted.attempt
    if isinstance(effect, fx.DeviceCall) and isinstance(effect.command, cmd.ChargeTag):
        charged_for = effect.command.passage_id
        return passage is None or passage.passage_id != charged_for or passage.released
    return False


def deadline_of(request: fx.PlazaRequest) -> int:
    """Return how many milliseconds the lane waits for the answer to *request*."""
    match request:
        case fx.PostPayment():
            # The plaza answers by the request's own deadline; the way there and back comes on top.
            return request.request.deadline_ms + POLL_MARGIN_MS
        case fx.GetPayment():
            return request.wait_ms + POLL_MARGIN_MS
        case fx.PostCancel():
            return CANCEL_DEADLINE_MS
        case fx.PostCouponReserve():
            return request.deadline_ms
        case fx.GetEnrolment():
            return BEAT_DEADLINE_MS
        case _:
            return CALL_DEADLINE_MS


class CallBook:
    """Numbers of calls and their requests."""

    def __init__(self) -> None:
        self._next = 1
        self._open: dict[int, fx.PlazaRequest] = {}

    @property
    def full(self) -> bool:
        """Return whether no further call should begin."""
        return len(self._open) >= CALLS_MAX

    def open(self, request: fx.PlazaRequest) -> int:
        """Number a call."""
        call_id = self._next
        self._next += 1
        self._open[call_id] = request
        return call_id

    def close(self, call_id: int) -> fx.PlazaRequest | None:
        """Return the request of a call and forget it; None where it is not under way."""
        return self._open.pop(call_id, None)

    def has(self, kind: type[fx.PlazaRequest]) -> bool:
        """Return whether a call of this kind is under way."""
        return any(isinstance(request, kind) for request in self._open.values())
