"""Debits of tags that settled nothing: the list for their issuers, and what an issuer said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as pydantic_dataclass

from plaza_server.api.documents import BODY, gives, json_answer, read_body, takes
from plaza_server.api.plaza import OFFICE_ONLY, StaffCaller, ThePlaza
from plaza_server.rules.etc_dues import EtcDue, EtcDueState, EtcOutcome, SayEtcOutcome
from plaza_server.rules.orders import Moment
from plaza_server.store import etc_due_units
from tolling import wire
from tolling.ids import PassageId

router = APIRouter(prefix="/v1/etc-dues", tags=["etc"])
PassagePath = Annotated[str, Path(pattern=r"^[0-9]{21}$")]
LIST_MAX = 1_000


@pydantic_dataclass(frozen=True, kw_only=True, config=BODY)
class OutcomeBody:
    """What the issuer said."""

    outcome: EtcOutcome
    issuer_ref: Annotated[str, Field(max_length=64)] = ""
    """The issuer's own number of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcDueAnswer:
    """One debit that settled nothing."""

    passage_id: str
    """The reader's reference of it."""
    lane_id: str
    tag_id: str
    amount_fen: int
    txn_id: str | None
    """The reader's number; null: it never said that it took the money."""
    state: EtcDueState
    noted_ms: int
    said_by: str | None
    said_ms: int | None
    issuer_ref: str
    action: str
    """What a person is to do; empty where nothing is left."""
    late: bool
    """It is open for so long that an alarm tells of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcDuesAnswer:
    """Debits, the oldest first."""

    dues: tuple[EtcDueAnswer, ...]


_body = TypeAdapter(OutcomeBody)
_due = TypeAdapter(EtcDueAnswer)
_dues = TypeAdapter(EtcDuesAnswer)


def answer_of(due: EtcDue, now_ms: int) -> EtcDueAnswer:
    """Return what is told of *due*."""
    return EtcDueAnswer(
        passage_id=due.passage_id,
        lane_id=due.lane_id,
        tag_id=due.tag_id,
        amount_fen=due.amount_fen,
        txn_id=due.txn_id,
        state=due.state,
        noted_ms=due.noted_ms,
        said_by=due.said_by,
        said_ms=due.said_ms,
        issuer_ref=due.issuer_ref,
        action=due.action,
        late=due.is_late(now_ms),
    )


@router.get(
    "",
    dependencies=[OFFICE_ONLY],
    responses=gives(EtcDuesAnswer),
    summary="Tag debits owed back",
)
async def listing(
    plaza: ThePlaza, state: Annotated[EtcDueState | None, Query()] = None
) -> Response:
    """Answer at most 1,000, the oldest first: what tags gave for passages it settled nothing of."""
    states = () if state is None else (state,)
    found = await plaza.reader.read(etc_due_units.dues_in, states, LIST_MAX)
    now_ms = plaza.clock.wall().utc_ms
    return json_answer(_dues, EtcDuesAnswer(dues=tuple(answer_of(each, now_ms) for each in found)))


@router.post(
    "/{passage_id}/outcome",
    openapi_extra=takes(OutcomeBody),
    responses=gives(EtcDueAnswer, problems=(409, 413)),
    summary="Say what the issuer said about a tag debit",
)
async def say(
    request: Request, plaza: ThePlaza, operator: StaffCaller, passage_id: PassagePath
) -> Response:
    """Answer the debit as it stands then; the same word again changes nothing."""
    body = wire.check(_body, await read_body(request), where="POST /v1/etc-dues/outcome")
    unit = SayEtcOutcome(
        passage_id=PassageId(passage_id),
        outcome=body.outcome,
        issuer_ref=body.issuer_ref,
        by=operator,
        owner=plaza.desk_id,
        at=Moment(at_ns=plaza.clock.at_ns(), wall_ms=plaza.clock.wall().utc_ms),
    )
    (due,) = await plaza.runner.commit(unit)
    assert isinstance(due, EtcDue)
    return json_answer(_due, answer_of(due, unit.at.wall_ms))
