"""POST /v1/lanes/{lane_id}/commands: a person's order to a lane, stored before it is sent."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as pydantic_dataclass

from plaza_server.api.documents import BODY, gives, json_answer, read_body, takes
from plaza_server.api.lanes import LanePath
from plaza_server.api.plaza import StaffCaller, ThePlaza
from plaza_server.api.problems import ApiProblemError
from plaza_server.rules.units import EndCommand, LogCommand
from tolling import wire
from tolling.canonical import canonical_bytes
from tolling.errors import PlazaLinkError, RefusedError
from tolling.ids import BootId, LaneId, PassageId
from tolling.messages import CommandResult, OperatorAction, OperatorCommand

router = APIRouter(prefix="/v1/lanes", tags=["commands"])


@pydantic_dataclass(frozen=True, kw_only=True, config=BODY)
class CommandBody:
    """An OperatorCommand without its operator: that is whose token it comes with."""

    command_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{8,64}$")]
    action: OperatorAction
    reason: Annotated[str, Field(max_length=200)] = ""
    passage_id: Annotated[str, Field(pattern=r"^[0-9]{21}$")] | None = None
    boot_id: Annotated[str, Field(min_length=1, max_length=64)]
    state_version: Annotated[int, Field(ge=0, le=2**53)]
    text: Annotated[str, Field(max_length=64)] = ""
    number: Annotated[int, Field(ge=-(2**31), le=2**31)] = 0


_body = TypeAdapter(CommandBody)


@router.post(
    "/{lane_id}/commands",
    openapi_extra=takes(CommandBody),
    responses=gives(CommandResult, problems=(409, 413)),
    summary="Order something of a lane",
)
async def order(
    request: Request, plaza: ThePlaza, operator: StaffCaller, lane_id: LanePath
) -> Response:
    """Answer the lane's result; outcome unknown where the lane did not answer in time."""
    body = wire.check(_body, await read_body(request), where="POST /v1/lanes/commands")
    if plaza.publisher is None:
        raise ApiProblemError(
            503,
            code=PlazaLinkError.code,
            reason="no_broker",
            detail="this plaza has no link to its lanes",
        )
    command = OperatorCommand(
        command_id=body.command_id,
        action=body.action,
        operator=operator,
        reason=body.reason,
        passage_id=None if body.passage_id is None else PassageId(body.passage_id),
        boot_id=BootId(body.boot_id),
        state_version=body.state_version,
        text=body.text,
        number=body.number,
    )
    lane = LaneId(lane_id)
    logged = LogCommand(
        command_id=command.command_id,
        lane_id=lane,
        operator=operator,
        action=command.action.value,
        reason=command.reason,
        body=canonical_bytes(command).decode("utf-8"),
        now_ms=plaza.clock.wall().utc_ms,
    )
    (new,) = await plaza.runner.commit(logged)
    if not new:
        raise ApiProblemError(
            409, code=RefusedError.code, reason="conflict", detail="this command_id was used"
        )
    result = await plaza.publisher.publish(lane, command)
    ended = EndCommand(
        command_id=command.command_id,
        outcome=result.outcome.value,
        reason=result.reason,
        now_ms=plaza.clock.wall().utc_ms,
    )
    await plaza.runner.commit(ended)
    return json_answer(wire.command_result, result)
