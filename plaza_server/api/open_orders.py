"""What is undecided or owed right now: its age and its money, for the one who looks after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import TypeAdapter

from plaza_server.api.documents import gives, json_answer
from plaza_server.api.plaza import OFFICE_ONLY, ThePlaza
from plaza_server.rules.orders import Order
from plaza_server.store import queries
from tolling.orders import OrderState

router = APIRouter(prefix="/v1/open-orders", tags=["payments"])
LINES_MAX = 1000
"""Oldest first; more is an outage, and its oldest tell of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrderLine:
    """One order the resolver works on."""

    out_trade_no: str
    lane_id: str
    platform: str
    """Empty where the number was cancelled before it was ever posted."""
    state: OrderState
    age_ms: int
    """Since it was stored."""
    toll_fen: int
    """What pay asked."""
    owed_fen: int
    """Captured and to be given back; 0 while it is undecided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrders:
    """Everything that is undecided or owed, as this store has it now."""

    undecided: int
    undecided_fen: int
    """What their pay calls asked: the most that may turn out captured."""
    owed: int
    owed_fen: int
    """What is to be given back and is not proven given back yet."""
    oldest_ms: int
    """Age of the oldest of all; 0 where there is none."""
    orders: tuple[OpenOrderLine, ...]
    """Oldest first, at most 1,000."""


_adapter = TypeAdapter(OpenOrders)


@router.get(
    "",
    dependencies=[OFFICE_ONLY],
    responses=gives(OpenOrders),
    summary="Undecided and owed orders, with age and money",
)
async def open_orders(plaza: ThePlaza) -> Response:
    """Answer what the resolver still works on; nobody has to do anything about it."""
    found = await plaza.reader.read(queries.unsettled_orders, limit=LINES_MAX)
    return json_answer(_adapter, summed(found, now_ms=plaza.clock.wall().utc_ms))


def summed(orders: Iterable[Order], *, now_ms: int) -> OpenOrders:
    """Return the lines of *orders* and their sums."""
    lines = tuple(
        OpenOrderLine(
            out_trade_no=order.out_trade_no,
            lane_id=order.lane_id,
            platform=order.platform,
            state=order.state,
            age_ms=max(0, now_ms - order.created_ms),
            toll_fen=order.toll_fen,
            owed_fen=0 if order.is_open else order.refund_fen,
        )
        for order in orders
    )
    undecided = [line for line in lines if line.owed_fen == 0]
    owed = [line for line in lines if line.owed_fen > 0]
    return OpenOrders(
        undecided=len(undecided),
        undecided_fen=sum(line.toll_fen for line in undecided),
        owed=len(owed),
        owed_fen=sum(line.owed_fen for line in owed),
        oldest_ms=max((line.age_ms for line in lines), default=0),
        orders=lines,
    )
