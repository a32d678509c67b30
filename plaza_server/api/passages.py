"""One passage for the plaza's people: what it had to pay, and every leg with its status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import TypeAdapter

from plaza_server.api.documents import gives, json_answer
from plaza_server.api.plaza import OFFICE_ONLY, ThePlaza
from plaza_server.api.problems import ApiProblemError
from plaza_server.rules.passages import LegState, Passage, Settled
from plaza_server.store import passage_queries
from tolling.errors import RefusedError
from tolling.ids import PassageId
from tolling.orders import OrderState
from tolling.records import AuthorisedBy, PassageEnd, UnpaidReason

router = APIRouter(prefix="/v1/passages", tags=["records"])
PassagePath = Annotated[str, Path(pattern=r"^[0-9]{21}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAnswer:
    """What the lane's sealed record says."""

    arrived_ms: int
    sealed_ms: int
    end: PassageEnd
    authorised_by: AuthorisedBy
    unpaid_reason: UnpaidReason | None
    plate: str | None
    vehicle_class: int
    vehicle_kind: str
    toll_due_fen: int
    operator: str | None
    operator_reason: str | None
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LegAnswer:
    """One leg."""

    tender: str
    """alipay, wechat, unionpay, cash, etc, coupon; phone where no platform was ever asked."""
    amount_fen: int
    """What it pays, holds or was asked for."""
    state: LegState
    named: bool
    """The sealed record applies it."""
    number: str | None
    """The order's, coupon's or reader's."""
    order: OrderState | None
    """Of a phone leg."""
    back_fen: int
    """Of it, given back so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageAnswer:
    """One passage."""

    passage_id: str
    lane_id: str
    record: RecordAnswer | None
    """None: it is not here yet."""
    settled: Settled
    applied_fen: int
    """What the record's legs sum to."""
    owed_fen: int
    """What is, or may be, to be given back of legs that pay nothing."""
    legs: tuple[LegAnswer, ...]
    """Those the record names first."""


_adapter = TypeAdapter(PassageAnswer)


def answer_of(found: Passage) -> PassageAnswer:
    """Return what is told of *found*."""
    return PassageAnswer(
        passage_id=found.passage_id,
        lane_id=found.lane_id,
        record=_record(found),
        settled=found.settled,
        applied_fen=found.applied_fen,
        owed_fen=found.owed_fen,
        legs=tuple(
            LegAnswer(
                tender=leg.tender,
                amount_fen=leg.amount_fen,
                state=leg.state,
                named=leg.named,
                number=leg.number,
                order=leg.order,
                back_fen=leg.back_fen,
            )
            for leg in found.legs
        ),
    )


def _record(found: Passage) -> RecordAnswer | None:
    record = found.record
    if record is None:
        return None
    return RecordAnswer(
        arrived_ms=record.arrived.utc_ms,
        sealed_ms=record.sealed.utc_ms,
        end=record.end,
        authorised_by=record.authorised_by,
        unpaid_reason=record.unpaid_reason,
        plate=None if record.plate is None else record.plate.text,
        vehicle_class=int(record.vehicle_class),
        vehicle_kind=record.vehicle_kind.name.lower(),
        toll_due_fen=record.toll_due_fen,
        operator=record.operator,
        operator_reason=record.operator_reason,
        remarks=record.remarks,
    )


@router.get(
    "/{passage_id}",
    dependencies=[OFFICE_ONLY],
    responses=gives(PassageAnswer, problems=(404,)),
    summary="One passage with its legs",
)
async def one(plaza: ThePlaza, passage_id: PassagePath) -> Response:
    """Answer what this store has of it now; before its record is here, what is asked or held."""
    found = await plaza.reader.read(passage_queries.passage, PassageId(passage_id))
    if found is None:
        raise ApiProblemError(
            404,
            code=RefusedError.code,
            reason="not_found",
            detail="nothing of it is here",
        )
    return json_answer(_adapter, answer_of(found))
