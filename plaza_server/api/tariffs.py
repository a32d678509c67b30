"""Signed tariff sets for lanes, and the fare every lane would ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import TypeAdapter

from plaza_server.api.documents import BIG_BODY_BYTES, gives, json_answer, read_body, takes
from plaza_server.api.plaza import ADMIN_ONLY, AnyCaller, Plaza, ThePlaza
from plaza_server.api.problems import ApiProblemError
from plaza_server.rules.units import PutSet
from plaza_server.store import queries
from tolling import wire
from tolling.canonical import from_canonical
from tolling.clock import WallTime
from tolling.errors import RefusedError
from tolling.signed_sets import SetKind, SignedSet, wrap_tariff
from tolling.tariffs import EntrySource, Quote, TariffSet, in_force, quote
from tolling.vehicles import VehicleClass, VehicleKind

router = APIRouter(prefix="/v1", tags=["tariffs"])


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAnswer:
    """The public key sets are signed with. A lane trusts the one it was given, not this one."""

    algorithm: str
    key_id: str
    public_key: str
    """Ed25519, 32 bytes as hex."""


_key = TypeAdapter(KeyAnswer)
_sets = TypeAdapter(tuple[SignedSet, ...])
_tariff = TypeAdapter(TariffSet)
_quote = TypeAdapter(Quote)


def _none() -> ApiProblemError:
    return ApiProblemError(
        404, code=RefusedError.code, reason="no_tariff", detail="no such tariff set"
    )


@router.get("/key", responses=gives(KeyAnswer), summary="The key that signs sets")
async def key(plaza: ThePlaza, caller: AnyCaller) -> Response:
    """Answer the plaza's public key, as its public file has it."""
    del caller  # lanes, staff and the admin alike
    answer = KeyAnswer(
        algorithm="ed25519", key_id=plaza.key.key_id, public_key=plaza.key.public_hex
    )
    return json_answer(_key, answer)


@router.get(
    "/tariffs",
    responses=gives(tuple[SignedSet, ...]),
    summary="The tariff set in force and the next",
)
async def current(plaza: ThePlaza, caller: AnyCaller) -> Response:
    """Answer every set in force now or later. A lane checks each by its own copy of the key."""
    del caller
    now_ms = plaza.clock.wall().utc_ms
    sets = await plaza.reader.read(queries.current_sets, SetKind.TARIFF, now_ms)
    return json_answer(_sets, tuple(sets))


@router.get(
    "/tariffs/{tariff_id}/{version}",
    responses=gives(SignedSet, problems=(404,)),
    summary="One signed tariff set",
)
async def one(
    plaza: ThePlaza,
    caller: AnyCaller,
    tariff_id: Annotated[str, Path(pattern=r"^[0-9A-Za-z_.-]{1,64}$")],
    version: Annotated[int, Path(ge=1, le=2**31)],
) -> Response:
    """Answer one version of a set, also when it is not in force any more."""
    del caller
    found = await plaza.reader.read(queries.signed_set, SetKind.TARIFF, tariff_id, version)
    if found is None:
        raise _none()
    return json_answer(wire.signed_set, found)


@router.post(
    "/tariffs",
    status_code=201,
    dependencies=[ADMIN_ONLY],
    openapi_extra=takes(TariffSet),
    responses=gives(SignedSet, 201, 200, problems=(409, 413)),
    summary="Sign and publish a tariff set",
)
async def publish(request: Request, plaza: ThePlaza) -> Response:
    """Sign *a new version*; a version that is there with other content is refused."""
    where = "POST /v1/tariffs"
    tariff = wire.check(_tariff, await read_body(request, cap=BIG_BODY_BYTES), where=where)
    envelope, new = await store_tariff(plaza, tariff)
    return json_answer(wire.signed_set, envelope, 201 if new else 200)


async def store_tariff(plaza: Plaza, tariff: TariffSet) -> tuple[SignedSet, bool]:
    """Sign and store a tariff; return it with whether it is new.

    Raises: LedgerConflictError: this version is there with other content.
    """
    envelope = wrap_tariff(tariff, key_id=plaza.key.key_id, sign=plaza.key.sign)
    unit = PutSet(envelope=envelope, now_ms=plaza.clock.wall().utc_ms)
    (new,) = await plaza.runner.commit(unit)
    return envelope, bool(new)


@router.get(
    "/fares",
    responses=gives(Quote, problems=(404,)),
    summary="The toll a lane would ask now",
)
async def fare(
    plaza: ThePlaza,
    caller: AnyCaller,
    vehicle_class: Annotated[VehicleClass, Query(description="national code")],
    entry_station: Annotated[str | None, Query(max_length=64)] = None,
    vehicle_kind: Annotated[VehicleKind, Query()] = VehicleKind.NORMAL,
) -> Response:
    """Quote by the lane's own function over the set in force; no station = the farthest."""
    del caller
    found = await quote_now(
        plaza,
        wall=plaza.clock.wall(),
        entry_station=entry_station,
        vehicle_class=vehicle_class,
        vehicle_kind=vehicle_kind,
    )
    return json_answer(_quote, found)


async def quote_now(
    plaza: Plaza,
    *,
    wall: WallTime,
    entry_station: str | None,
    vehicle_class: VehicleClass,
    vehicle_kind: VehicleKind,
) -> Quote:
    """Return the toll by the set in force at *wall*.

    Raises: ApiProblemError: 404, no set is in force. TariffGapError: no row covers it.
    """
    sets = await plaza.reader.read(queries.current_sets, SetKind.TARIFF, wall.utc_ms)
    tariffs = [from_canonical(TariffSet, each.content.encode("utf-8")) for each in sets]
    started = [each for each in tariffs if each.effective_from_ms <= wall.utc_ms]
    if not started:
        raise _none()
    first = max(started, key=lambda each: (each.effective_from_ms, each.version))
    return quote(
        in_force(tariffs, current=first, now=wall),
        entry_station=entry_station,
        entry_source=EntrySource.DECLARED,
        vehicle_class=vehicle_class,
        vehicle_kind=vehicle_kind,
    )
