"""People: registered by the admin, fetched by lanes as an expiring list of PIN hashes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as pydantic_dataclass

from plaza_server.api.documents import BODY, gives, json_answer, read_body, takes
from plaza_server.api.plaza import ADMIN_ONLY, AnyCaller, ThePlaza
from plaza_server.api.problems import ApiProblemError
from plaza_server.rules.units import AddOperator
from plaza_server.shell.clock import random_bytes
from plaza_server.shell.staff import LIST_LIFE_MS, Role, StaffMember, hash_pin
from plaza_server.store import queries, tokens
from tolling import wire
from tolling.errors import RefusedError

router = APIRouter(prefix="/v1/operators", tags=["operators"])


@pydantic_dataclass(frozen=True, kw_only=True, config=BODY)
class OperatorBody:
    """One person."""

    name: Annotated[str, Field(min_length=1, max_length=32)]
    role: Role
    pin: Annotated[str, Field(pattern=r"^[0-9]{4,12}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorToken:
    """A person's new token for the API. Told once; the plaza keeps its hash."""

    operator_id: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorsAnswer:
    """Who may act at a lane while the plaza cannot be reached."""

    made_ms: int
    """UTC milliseconds."""
    expires_ms: int
    """UTC milliseconds; after it a lane trusts nobody on this list."""
    operators: tuple[StaffMember, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeAnswer:
    """Whose token was shown."""

    operator_id: str
    """Empty for the admin."""
    name: str
    role: str
    """attendant, assistant, shift_leader; admin."""


ADMIN = "admin"
_me = TypeAdapter(MeAnswer)
_body = TypeAdapter(OperatorBody)
_token = TypeAdapter(OperatorToken)
_list = TypeAdapter(OperatorsAnswer)


@router.get("", responses=gives(OperatorsAnswer), summary="Staff with PIN hashes, for lanes")
async def staff(plaza: ThePlaza, caller: AnyCaller) -> Response:
    """Answer everybody; a lane keeps the list until expires_ms."""
    del caller
    now_ms = plaza.clock.wall().utc_ms
    answer = OperatorsAnswer(
        made_ms=now_ms, expires_ms=now_ms + LIST_LIFE_MS, operators=plaza.staff.members()
    )
    return json_answer(_list, answer)


@router.get("/me", responses=gives(MeAnswer), summary="Whose token this is")
async def me(plaza: ThePlaza, caller: AnyCaller) -> Response:
    """Answer the person, or the admin; a lane is nobody."""
    if caller.admin:
        return json_answer(_me, MeAnswer(operator_id="", name="", role=ADMIN))
    found = None
    if caller.operator_id is not None:
        found = await plaza.reader.read(queries.operator_by_id, caller.operator_id)
    if found is None:
        raise ApiProblemError(
            403, code=RefusedError.code, reason="forbidden", detail="this token is no person's"
        )
    answer = MeAnswer(operator_id=found.operator_id, name=found.name, role=found.role)
    return json_answer(_me, answer)


@router.put(
    "/{operator_id}",
    dependencies=[ADMIN_ONLY],
    openapi_extra=takes(OperatorBody),
    responses=gives(OperatorToken, problems=(413,)),
    summary="Register a person, or give them a new PIN, role and token",
)
async def register(
    request: Request,
    plaza: ThePlaza,
    operator_id: Annotated[str, Path(pattern=r"^[0-9A-Za-z]{1,16}$")],
) -> Response:
    """Answer the person's token, once."""
    body = wire.check(_body, await read_body(request), where="PUT /v1/operators")
    token = tokens.new_token(random_bytes(32))
    member = StaffMember(
        operator_id=operator_id, name=body.name, role=body.role, pin_hash=hash_pin(body.pin)
    )
    unit = AddOperator(
        operator_id=operator_id,
        name=body.name,
        role=body.role.value,
        token_hash=tokens.token_hash(token),
        now_ms=plaza.clock.wall().utc_ms,
    )
    await plaza.runner.commit(unit)
    plaza.staff.put(member)
    plaza.forget_tokens()
    return json_answer(_token, OperatorToken(operator_id=operator_id, token=token))
