"""Lanes: registered by the admin, enrolled by themselves, listed for staff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as pydantic_dataclass

from plaza_server.api.documents import BODY, gives, json_answer, read_body, takes
from plaza_server.api.plaza import (
    ADMIN_ONLY,
    OFFICE_ONLY,
    LaneCaller,
    ThePlaza,
    answered,
    own_lane,
)
from plaza_server.engine import EpochAsked
from plaza_server.rules.units import AddLane
from plaza_server.shell.clock import random_bytes
from plaza_server.store import queries, tokens
from tolling import wire
from tolling.chain import Anchor
from tolling.ids import LaneId
from tolling.messages import EnrolmentAnswer

router = APIRouter(prefix="/v1/lanes", tags=["lanes"])
LanePath = Annotated[str, Path(pattern=r"^[0-9]{3}$")]


@pydantic_dataclass(frozen=True, kw_only=True, config=BODY)
class LaneBody:
    """The lane to register."""

    lane_id: Annotated[str, Field(pattern=r"^[0-9]{3}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneToken:
    """A lane's new token. Told once; the plaza keeps its hash."""

    lane_id: LaneId
    epoch: int
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLine:
    """One registered lane."""

    lane_id: LaneId
    epoch: int
    last_seq: int
    """Number of its last sealed record the plaza has."""


_body = TypeAdapter(LaneBody)
_token = TypeAdapter(LaneToken)
_lines = TypeAdapter(tuple[LaneLine, ...])


@router.post(
    "",
    status_code=201,
    dependencies=[ADMIN_ONLY],
    openapi_extra=takes(LaneBody),
    responses=gives(LaneToken, 201, problems=(413,)),
    summary="Register a lane, or give it a new token",
)
async def register(request: Request, plaza: ThePlaza) -> Response:
    """Answer the token, once. A lane that was there keeps its epoch; its old token ends."""
    body = wire.check(_body, await read_body(request), where="POST /v1/lanes")
    token = tokens.new_token(random_bytes(32))
    unit = AddLane(
        lane_id=LaneId(body.lane_id),
        plaza_id=plaza.plaza_id,
        token_hash=tokens.token_hash(token),
        now_ms=plaza.clock.wall().utc_ms,
    )
    (anchor,) = await plaza.runner.commit(unit)
    plaza.forget_tokens()
    assert isinstance(anchor, Anchor)
    answer = LaneToken(lane_id=LaneId(body.lane_id), epoch=anchor.epoch, token=token)
    return json_answer(_token, answer, 201)


@router.get(
    "",
    dependencies=[OFFICE_ONLY],
    responses=gives(tuple[LaneLine, ...]),
    summary="All registered lanes",
)
async def registered(plaza: ThePlaza) -> Response:
    """Answer every lane and where the plaza's copy of its chain ends."""
    rows = await plaza.reader.read(queries.lanes)
    lines = tuple(
        LaneLine(lane_id=row.lane_id, epoch=row.anchor.epoch, last_seq=row.anchor.seq)
        for row in rows
    )
    return json_answer(_lines, lines)


@router.get(
    "/{lane_id}/epoch",
    responses=gives(EnrolmentAnswer, problems=(409,)),
    summary="A lane's epoch and the end of its chain",
)
async def epoch(
    plaza: ThePlaza,
    lane: LaneCaller,
    lane_id: LanePath,
    fresh: Annotated[bool, Query(description="the lane's journal is empty")] = False,
) -> Response:
    """Answer the lane's epoch; a lane with an empty journal never gets a used one again."""
    own_lane(lane, LaneId(lane_id))
    value = await plaza.runner.ask(
        lambda request_id, at_ns, wall: EpochAsked(
            at_ns=at_ns, wall=wall, request_id=request_id, lane_id=lane, fresh=fresh
        )
    )
    return json_answer(wire.enrolment_answer, answered(value, EnrolmentAnswer))
