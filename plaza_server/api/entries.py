"""Where vehicles entered: looked up by lanes, stored by the entry stations' feed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as pydantic_dataclass

from plaza_server.api.documents import BODY, gives, json_answer, read_body, takes
from plaza_server.api.plaza import ADMIN_ONLY, LaneCaller, ThePlaza, answered
from plaza_server.engine import EntryAsked
from plaza_server.rules.units import AddEntry
from tolling import wire
from tolling.errors import BadInputError
from tolling.messages import EntryAnswer, EntryQuery
from tolling.vehicles import VehicleClass, is_plate_text, normalise_plate_text

router = APIRouter(prefix="/v1/entries", tags=["entries"])


@pydantic_dataclass(frozen=True, kw_only=True, config=BODY)
class EntryBody:
    """One vehicle that entered; by plate, by medium, or both."""

    entry_station: Annotated[str, Field(min_length=1, max_length=64)]
    entered_ms: Annotated[int, Field(ge=0, le=2**53)]
    vehicle_class: VehicleClass
    plate: Annotated[str, Field(max_length=16)] | None = None
    medium_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryStored:
    """Answer to a stored entry."""

    new: bool
    """False: this entry_id was there already; nothing changed."""


_body = TypeAdapter(EntryBody)
_stored = TypeAdapter(EntryStored)


@router.post(
    "",
    openapi_extra=takes(EntryQuery),
    responses=gives(EntryAnswer, problems=(413, 422)),
    summary="Where did this vehicle enter?",
)
async def find(request: Request, plaza: ThePlaza, lane: LaneCaller) -> Response:
    """Answer the last entry by medium or plate; entry is null where nothing is known."""
    del lane  # any lane may ask
    query = wire.check(wire.entry_query, await read_body(request), where="POST /v1/entries")
    if query.plate is None and query.medium_id is None:
        raise BadInputError(where="POST /v1/entries", what="neither plate nor medium_id")
    value = await plaza.runner.ask(
        lambda request_id, at_ns, wall: EntryAsked(
            at_ns=at_ns, wall=wall, request_id=request_id, query=query
        )
    )
    return json_answer(wire.entry_answer, answered(value, EntryAnswer))


@router.put(
    "/{entry_id}",
    dependencies=[ADMIN_ONLY],
    openapi_extra=takes(EntryBody),
    responses=gives(EntryStored, problems=(413,)),
    summary="Store one entry",
)
async def store(
    request: Request,
    plaza: ThePlaza,
    entry_id: Annotated[str, Path(pattern=r"^[0-9A-Za-z_.:-]{1,64}$")],
) -> Response:
    """Store that a vehicle entered; the same entry_id again changes nothing."""
    where = "PUT /v1/entries"
    body = wire.check(_body, await read_body(request), where=where)
    plate = None if body.plate is None else normalise_plate_text(body.plate)
    if plate is not None and not is_plate_text(plate):
        raise BadInputError(where=f"{where}, field plate", what="not a plate")
    if plate is None and body.medium_id is None:
        raise BadInputError(where=where, what="neither plate nor medium_id")
    unit = AddEntry(
        entry_id=entry_id,
        plate=plate,
        medium_id=body.medium_id,
        entry_station=body.entry_station,
        entered_ms=body.entered_ms,
        vehicle_class=body.vehicle_class,
    )
    (new,) = await plaza.runner.commit(unit)
    return json_answer(_stored, EntryStored(new=bool(new)))
