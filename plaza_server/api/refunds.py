"""Claims on settled passages: ask, approve or refuse, pay out cash, and see what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as pydantic_dataclass

from plaza_server.api.documents import BODY, gives, json_answer, read_body, takes
from plaza_server.api.plaza import OFFICE_ONLY, StaffCaller, ThePlaza
from plaza_server.api.problems import ApiProblemError
from plaza_server.rules.claims import Claim, ClaimState
from plaza_server.rules.claims_units import AskRefund, DecideClaim, Decision
from plaza_server.rules.orders import Moment
from plaza_server.store import claim_units
from tolling import wire
from tolling.errors import RefusedError
from tolling.ids import PassageId

router = APIRouter(prefix="/v1/refunds", tags=["refunds"])
ClaimPath = Annotated[str, Path(pattern=r"^[0-9]{21}C[0-9]{2}$")]


@pydantic_dataclass(frozen=True, kw_only=True, config=BODY)
class RefundBody:
    """What somebody wants back."""

    request_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{8,64}$")]
    """The asker's own; the same one again asks nothing new."""
    receipt_no: Annotated[str, Field(pattern=r"^[0-9]{21}$")]
    reason: Annotated[str, Field(min_length=1, max_length=200)]
    leg: Annotated[int, Field(ge=1, le=99)] | None = None
    """Which leg of the receipt, from 1; left out: its only one."""
    amount_fen: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """Left out: what is left of the leg."""


@pydantic_dataclass(frozen=True, kw_only=True, config=BODY)
class DecisionBody:
    """What a person decides about a claim."""

    decision: Decision
    reason: Annotated[str, Field(max_length=200)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAnswer:
    """One claim."""

    claim_id: str
    receipt_no: str
    leg: int
    tender: str
    out_trade_no: str | None
    out_refund_no: str | None
    amount_fen: int
    state: ClaimState
    reason: str
    asked_by: str
    asked_ms: int
    decided_by: str | None
    decided_ms: int | None
    decision: str
    """Why it was refused."""
    paid_by: str | None
    """Who handed out cash."""
    ended_ms: int | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsAnswer:
    """Claims, the newest first."""

    claims: tuple[ClaimAnswer, ...]


_body = TypeAdapter(RefundBody)
_decision = TypeAdapter(DecisionBody)
_claim = TypeAdapter(ClaimAnswer)
_claims = TypeAdapter(ClaimsAnswer)


def answer_of(claim: Claim) -> ClaimAnswer:
    """Return what is told of *claim*."""
    return ClaimAnswer(
        claim_id=claim.claim_id,
        receipt_no=claim.passage_id,
        leg=claim.leg,
        tender=claim.platform or "cash",
        out_trade_no=claim.out_trade_no,
        out_refund_no=claim.out_refund_no,
        amount_fen=claim.amount_fen,
        state=claim.state,
        reason=claim.reason,
        asked_by=claim.asked_by,
        asked_ms=claim.asked_ms,
        decided_by=claim.decided_by,
        decided_ms=claim.decided_ms,
        decision=claim.decision,
        paid_by=claim.paid_by,
        ended_ms=claim.ended_ms,
        version=claim.version,
    )


def _moment(plaza: ThePlaza) -> Moment:
    return Moment(at_ns=plaza.clock.at_ns(), wall_ms=plaza.clock.wall().utc_ms)


@router.post(
    "",
    openapi_extra=takes(RefundBody),
    responses=gives(ClaimAnswer, problems=(409, 413)),
    summary="Ask for money of a settled passage",
)
async def ask(request: Request, plaza: ThePlaza, operator: StaffCaller) -> Response:
    """Answer the claim; the one that stands where this request_id was used before."""
    body = wire.check(_body, await read_body(request), where="POST /v1/refunds")
    unit = AskRefund(
        request_id=body.request_id,
        passage_id=PassageId(body.receipt_no),
        leg=body.leg,
        amount_fen=body.amount_fen,
        reason=body.reason,
        by=operator,
        at=_moment(plaza),
    )
    (claim,) = await plaza.runner.commit(unit)
    assert isinstance(claim, Claim)
    return json_answer(_claim, answer_of(claim))


@router.post(
    "/{claim_id}/decision",
    openapi_extra=takes(DecisionBody),
    responses=gives(ClaimAnswer, problems=(413,)),
    summary="Approve or refuse a claim, or say that its cash was handed out",
)
async def decide(
    request: Request, plaza: ThePlaza, operator: StaffCaller, claim_id: ClaimPath
) -> Response:
    """Answer the claim as it stands then; an approved one is sent to its platform at once."""
    body = wire.check(_decision, await read_body(request), where="POST /v1/refunds/decision")
    unit = DecideClaim(
        claim_id=claim_id,
        decision=body.decision,
        by=operator,
        why=body.reason,
        two_person_above_fen=plaza.two_person_above_fen,
        owner=plaza.desk_id,
        at=_moment(plaza),
    )
    (claim,) = await plaza.runner.commit(unit)
    assert isinstance(claim, Claim)
    if claim.needs_work:
        plaza.runner.look_again()
    return json_answer(_claim, answer_of(claim))


@router.get(
    "", dependencies=[OFFICE_ONLY], responses=gives(ClaimsAnswer), summary="Claims, newest first"
)
async def listing(
    plaza: ThePlaza,
    state: Annotated[ClaimState | None, Query()] = None,
    receipt_no: Annotated[str | None, Query(pattern=r"^[0-9]{21}$")] = None,
) -> Response:
    """Answer at most 200, of one receipt or in one state."""
    if receipt_no is not None:
        found = await plaza.reader.read(claim_units.claims_of, PassageId(receipt_no))
        found = [each for each in found if state in {None, each.state}]
    else:
        states = () if state is None else (state,)
        found = await plaza.reader.read(claim_units.claims_in, states)
    return json_answer(_claims, ClaimsAnswer(claims=tuple(answer_of(each) for each in found)))


@router.get(
    "/{claim_id}",
    dependencies=[OFFICE_ONLY],
    responses=gives(ClaimAnswer, problems=(404,)),
    summary="One claim",
)
async def one(plaza: ThePlaza, claim_id: ClaimPath) -> Response:
    """Answer the claim as it stands."""
    claim = await plaza.reader.read(claim_units.claim_by_id, claim_id)
    if claim is None:
        raise ApiProblemError(
            404, code=RefusedError.code, reason="not_found", detail="no such claim"
        )
    return json_answer(_claim, answer_of(claim))
