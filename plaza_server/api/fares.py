"""The price of one passage with everything its driver is entitled to, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as pydantic_dataclass

from plaza_server.api.documents import BODY, gives, json_answer, read_body, takes
from plaza_server.api.plaza import AnyCaller, ThePlaza
from plaza_server.api.tariffs import quote_now
from tolling import wire
from tolling.best_price import MAX_ENTITLEMENTS, Entitlement, Reason, best_price, sentence
from tolling.tariffs import Quote
from tolling.vehicles import VehicleClass, VehicleKind

router = APIRouter(prefix="/v1/fares", tags=["tariffs"])


@pydantic_dataclass(frozen=True, kw_only=True, config=BODY)
class FareBody:
    """One passage and what may make it cheaper."""

    vehicle_class: VehicleClass
    entry_station: Annotated[str, Field(max_length=64)] | None = None
    """None: the farthest entry."""
    vehicle_kind: VehicleKind = VehicleKind.NORMAL
    entitlements: Annotated[tuple[Entitlement, ...], Field(max_length=MAX_ENTITLEMENTS)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FareReason:
    """One step from the full toll to the price, as a receipt says it."""

    reason: Reason
    chinese: str
    english: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FareAnswer:
    """The lowest lawful price."""

    quote: Quote
    """What the lane asks without any entitlement but the vehicle's kind."""
    price_fen: int
    chosen: tuple[str, ...]
    """Names of the entitlements it rests on, in the order applied."""
    why: tuple[FareReason, ...]


_body = TypeAdapter(FareBody)
_answer = TypeAdapter(FareAnswer)


@router.post(
    "",
    openapi_extra=takes(FareBody),
    responses=gives(FareAnswer, problems=(404, 413)),
    summary="The lowest price with these entitlements",
)
async def fare(request: Request, plaza: ThePlaza, caller: AnyCaller) -> Response:
    """Price a passage that would leave now. A quote: nothing is reserved, nothing is proven."""
    del caller
    body = wire.check(_body, await read_body(request), where="POST /v1/fares")
    wall = plaza.clock.wall()
    quoted = await quote_now(
        plaza,
        wall=wall,
        entry_station=body.entry_station,
        vehicle_class=body.vehicle_class,
        vehicle_kind=body.vehicle_kind,
    )
    found = best_price(quoted, body.entitlements, at_ms=wall.utc_ms)
    answer = FareAnswer(
        quote=quoted,
        price_fen=found.price_fen,
        chosen=tuple(each.name for each in found.chosen),
        why=tuple(
            FareReason(
                reason=reason,
                chinese=sentence(reason.code, reason.saved_fen, chinese=True),
                english=sentence(reason.code, reason.saved_fen, chinese=False),
            )
            for reason in found.why
        ),
    )
    return json_answer(_answer, answer)
