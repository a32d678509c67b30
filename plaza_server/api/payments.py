"""POST /v1/payments, GET and cancel of one payment: a lane's way to phone money."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from plaza_server.api.documents import gives, json_answer, read_body, takes
from plaza_server.api.plaza import AnyCaller, LaneCaller, Plaza, ThePlaza, answered, own_lane
from plaza_server.engine import CancelRequested, PaymentPolled
from tolling import wire
from tolling.errors import BadInputError
from tolling.ids import LaneId, OutTradeNo, PassageParts, parse_out_trade_no, parse_passage_id
from tolling.messages import PaymentAnswer
from tolling.orders import OrderState

router = APIRouter(prefix="/v1/payments", tags=["payments"])
MAX_WAIT_MS = 60_000
"""A long poll holds a connection; a lane asks again."""
Number = Annotated[
    str, Path(pattern=r"^[0-9]{21}A(0[1-9]|[1-9][0-9])$", description="passage_id, A, attempt")
]


def _answer(answer: PaymentAnswer) -> Response:
    status = 202 if answer.state is OrderState.CLOSING else 200
    return json_answer(wire.payment_answer, answer, status)


@router.post(
    "",
    openapi_extra=takes(wire.PaymentBody),
    responses=gives(PaymentAnswer, 200, 202, problems=(409, 413, 422)),
    summary="Pay one passage with a pay code",
)
async def pay(request: Request, plaza: ThePlaza, lane: LaneCaller) -> Response:
    """Store the order, send pay once, answer by deadline_ms with what is known then.

    The same number with the same content gives the same answer; with other content 409.
    """
    return await pay_one(request, plaza, lane)


async def pay_one(request: Request, plaza: Plaza, lane: LaneId) -> Response:
    """Pay what *request* of *lane* asks for. Raises: ApiProblemError, TollError."""
    payment, code = wire.parse_payment(await read_body(request), where="POST /v1/payments")
    own_lane(lane, payment.lane_id)
    parts = _parts(payment.passage_id)
    if (parts.plaza_id, parts.lane_id) != (plaza.plaza_id, lane):
        raise BadInputError(
            where="POST /v1/payments, field passage_id", what="not of this plaza and lane"
        )
    return _answer(answered(await plaza.runner.pay(payment, code), PaymentAnswer))


@router.get(
    "/{out_trade_no}",
    responses=gives(PaymentAnswer, 200, 202, problems=(404,)),
    summary="How a payment stands; waits for a change",
)
async def poll(
    out_trade_no: Number,
    plaza: ThePlaza,
    caller: AnyCaller,
    wait_ms: Annotated[int, Query(ge=0, le=MAX_WAIT_MS)] = 0,
    known_version: Annotated[int | None, Query(ge=0, le=2**53)] = None,
) -> Response:
    """Answer at once, or within wait_ms when the order is undecided or as known_version has it.

    404 proves nothing: a request under way may still store the order.
    """
    number = _number(out_trade_no)
    value = await plaza.runner.ask(
        lambda request_id, at_ns, wall: PaymentPolled(
            at_ns=at_ns,
            wall=wall,
            request_id=request_id,
            out_trade_no=number,
            lane_id=caller.lane_id,
            wait_ms=wait_ms,
            known_version=known_version,
        )
    )
    return _answer(answered(value, PaymentAnswer))


@router.post(
    "/{out_trade_no}/cancel",
    responses=gives(PaymentAnswer, 200, 202, problems=(404, 409, 422)),
    summary="End a payment that is not wanted any more",
)
async def cancel(out_trade_no: Number, plaza: ThePlaza, lane: LaneCaller) -> Response:
    """Answer paid, closed, or closing (202 with retry_after_ms).

    An unknown number is stored as closed, so that a late POST never reaches a platform.
    """
    number = _number(out_trade_no)
    parts = _parts(parse_out_trade_no(number)[0])
    if (parts.plaza_id, parts.lane_id) != (plaza.plaza_id, lane):
        own_lane(lane, parts.lane_id)
        raise BadInputError(where="out_trade_no", what="not of this plaza")
    value = await plaza.runner.ask(
        lambda request_id, at_ns, wall: CancelRequested(
            at_ns=at_ns, wall=wall, request_id=request_id, out_trade_no=number, lane_id=lane
        )
    )
    return _answer(answered(value, PaymentAnswer))


def _number(text: str) -> OutTradeNo:
    try:
        parse_out_trade_no(text)
    except ValueError as error:
        raise BadInputError(where="out_trade_no", what=str(error)) from None
    return OutTradeNo(text)


def _parts(passage: str) -> PassageParts:
    try:
        return parse_passage_id(passage)
    except ValueError as error:
        raise BadInputError(where="passage_id", what=str(error)) from None
