"""Coupons: a lane holds one for a passage, or lets it go; an administrator brings an issuer's
file."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import TypeAdapter

from plaza_server.api.documents import BIG_BODY_BYTES, gives, json_answer, read_body, takes
from plaza_server.api.plaza import ADMIN_ONLY, LaneCaller, ThePlaza, answered, own_lane
from plaza_server.engine import CouponAsked, CouponLetGo
from plaza_server.rules.coupon_file import parse_coupons
from plaza_server.rules.coupons import ImportCoupons
from tolling import wire
from tolling.coupons import CouponAnswer, CouponRelease

router = APIRouter(prefix="/v1/coupons", tags=["coupons"])

_CSV = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponsTaken:
    """Answer to an issuer's file."""

    coupons: int
    """In the file."""
    new: int
    """Of them not here before."""


_taken = TypeAdapter(CouponsTaken)


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
