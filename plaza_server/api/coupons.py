"""Coupons: a lane holds one for a passage, or lets it go; an administrator brings an issuer's file;
a shift leader lets one go whose lane has lost its journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as pydantic_dataclass

from plaza_server.api.documents import BIG_BODY_BYTES, BODY, gives, json_answer, read_body, takes
from plaza_server.api.plaza import (
    ADMIN_ONLY,
    OFFICE_ONLY,
    LaneCaller,
    StaffCaller,
    ThePlaza,
    answered,
    own_lane,
)
from plaza_server.engine import CouponAsked, CouponLetGo
from plaza_server.rules.coupon_file import parse_coupons
from plaza_server.rules.coupons import (
    HandReleased,
    HeldBy,
    Hold,
    ImportCoupons,
    ReleaseByHand,
    held_text,
)
from plaza_server.rules.orders import Moment
from plaza_server.store import coupon_queries
from tolling import wire
from tolling.coupons import CouponAnswer, CouponRelease, HoldState

router = APIRouter(prefix="/v1/coupons", tags=["coupons"])

_CSV = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponsTaken:
    """Answer to an issuer's file."""

    coupons: int
    """In the file."""
    new: int
    """Of them not here before."""


@pydantic_dataclass(frozen=True, kw_only=True, config=BODY)
class HandReleaseBody:
    """Why a person lets a reservation go."""

    reason: Annotated[str, Field(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldAnswer:
    """One reservation."""

    hold_id: str
    passage_id: str
    lane_id: str
    coupon_no: str | None
    amount_fen: int
    state: HoldState
    reserved_ms: int
    ended_ms: int | None
    released_by: str | None
    """Who let it go by hand."""
    released_why: str
    held_by: HeldBy
    """Why nobody may let it go by hand yet; nothing: a shift leader may, or it has ended."""
    action: str
    """What a person is to do; empty where it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldsAnswer:
    """Reservations, the oldest first."""

    holds: tuple[HoldAnswer, ...]


HoldPath = Annotated[str, Path(pattern=r"^[0-9]{21}C[0-9]{2}$")]
LIST_MAX = 1_000
_taken = TypeAdapter(CouponsTaken)
_by_hand = TypeAdapter(HandReleaseBody)
_hold = TypeAdapter(HoldAnswer)
_holds = TypeAdapter(HoldsAnswer)


@router.post(
    "",
    dependencies=[ADMIN_ONLY],
    openapi_extra=_CSV,
    responses=gives(CouponsTaken, problems=(413,)),
    summary="Take an issuer's file of coupons",
)
async def take(request: Request, plaza: ThePlaza) -> Response:
    """Take every coupon of a CSV, or none and say which line is wrong. Again changes nothing."""
    file = "POST /v1/coupons"
    read = parse_coupons(await read_body(request, cap=BIG_BODY_BYTES), file=file)
    unit = ImportCoupons(
        coupons=read.coupons, lines=read.lines, file=file, now_ms=plaza.clock.wall().utc_ms
    )
    (new,) = await plaza.runner.commit(unit)
    assert isinstance(new, int)
    return json_answer(_taken, CouponsTaken(coupons=len(read.coupons), new=new))


@router.post(
    "/reserve",
    openapi_extra=takes(wire.CouponBody),
    responses=gives(CouponAnswer, problems=(413, 422)),
    summary="Hold a coupon for one passage",
)
async def reserve(request: Request, plaza: ThePlaza, lane: LaneCaller) -> Response:
    """Answer with the coupon's terms and what it takes off, or why it is not held.

    The same passage and attempt gives the same answer. What is held stays held until the passage's
    record is here or the lane lets it go.
    """
    asked, code = wire.parse_coupon(await read_body(request), where="POST /v1/coupons/reserve")
    own_lane(lane, asked.lane_id)
    token_hash = code.token_hash()
    value = await plaza.runner.ask(
        lambda request_id, at_ns, wall: CouponAsked(
            at_ns=at_ns, wall=wall, request_id=request_id, request=asked, token_hash=token_hash
        )
    )
    return json_answer(wire.coupon_answer, answered(value, CouponAnswer))


@router.post(
    "/release",
    openapi_extra=takes(CouponRelease),
    responses=gives(CouponAnswer, problems=(413, 422)),
    summary="Let a held coupon go",
)
async def release(request: Request, plaza: ThePlaza, lane: LaneCaller) -> Response:
    """Answer released, or how it ended; a reservation asked for later under this number holds
    nothing."""
    asked = wire.check(
        wire.coupon_release, await read_body(request), where="POST /v1/coupons/release"
    )
    own_lane(lane, asked.lane_id)
    value = await plaza.runner.ask(
        lambda request_id, at_ns, wall: CouponLetGo(
            at_ns=at_ns, wall=wall, request_id=request_id, release=asked
        )
    )
    return json_answer(wire.coupon_answer, answered(value, CouponAnswer))


def answer_of(hold: Hold, held_by: HeldBy = HeldBy.NOTHING) -> HoldAnswer:
    """Return what is told of *hold*."""
    return HoldAnswer(
        hold_id=hold.hold_id,
        passage_id=hold.passage_id,
        lane_id=hold.lane_id,
        coupon_no=hold.coupon_no,
        amount_fen=hold.amount_fen,
        state=hold.state,
        reserved_ms=hold.reserved_ms,
        ended_ms=hold.ended_ms,
        released_by=hold.released_by,
        released_why=hold.released_why,
        held_by=held_by,
        action=held_text(held_by, hold.lane_id) if hold.ended_ms is None else "",
    )


@router.get(
    "/holds",
    dependencies=[OFFICE_ONLY],
    responses=gives(HoldsAnswer),
    summary="Coupons held for passages whose record is not here yet",
)
async def held(plaza: ThePlaza) -> Response:
    """Answer at most 1,000, the oldest first, and of each whether a person may let it go."""
    found = await plaza.reader.read(coupon_queries.held_lines, limit=LIST_MAX)
    holds = tuple(answer_of(line.hold, line.held_by) for line in found)
    return json_answer(_holds, HoldsAnswer(holds=holds))


@router.post(
    "/holds/{hold_id}/release",
    openapi_extra=takes(HandReleaseBody),
    responses=gives(HoldAnswer, problems=(409, 413)),
    summary="Let a coupon go whose passage no record will ever name",
)
async def release_by_hand(
    request: Request, plaza: ThePlaza, operator: StaffCaller, hold_id: HoldPath
) -> Response:
    """Answer the reservation as it stands then; again changes nothing. Refused while the lane may
    still seal the passage's record."""
    where = "POST /v1/coupons/holds/release"
    body = wire.check(_by_hand, await read_body(request), where=where)
    unit = ReleaseByHand(
        hold_id=hold_id,
        by=operator,
        why=body.reason,
        owner=plaza.desk_id,
        at=Moment(at_ns=plaza.clock.at_ns(), wall_ms=plaza.clock.wall().utc_ms),
    )
    (done,) = await plaza.runner.commit(unit)
    assert isinstance(done, HandReleased)
    plaza.runner.publish(done.alarms)
    return json_answer(_hold, answer_of(done.hold))
