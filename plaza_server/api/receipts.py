"""Receipts: for whoever holds one (number and check code), for lanes that print, for staff."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from io import BytesIO
from typing import Annotated, Any

import segno
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as pydantic_dataclass

from plaza_server.api import receipt_page
from plaza_server.api.documents import BODY, gives, json_answer, read_body, takes
from plaza_server.api.plaza import AnyCaller, Plaza, StaffCaller, ThePlaza, own_lane
from plaza_server.api.problems import ApiProblemError
from plaza_server.api.public import RATE_BOUND
from plaza_server.rules.receipts import (
    MoveReceipt,
    ReceiptEvent,
    ReceiptMoved,
    ReceiptState,
    ReceiptStep,
    ReceiptVerdict,
    ReceiptView,
    RefundLine,
)
from plaza_server.store import receipt_log
from plaza_server.store.receipt_units import receipt_view
from tolling import wire
from tolling.errors import BadInputError, LedgerConflictError, RefusedError
from tolling.ids import LaneId, PassageId
from tolling.receipts import (
    URL_MAX,
    SignedReceipt,
    check_code,
    page_url,
    qr_text,
    sign_receipt,
    token_of,
)
from tolling.roots import InclusionProof

router = APIRouter(prefix="/v1/receipts", tags=["receipts"])
pages = APIRouter(tags=["receipts"])
Number = Annotated[str, Path(pattern=r"^[0-9]{21}$", description="receipt_no = passage_id")]
Code = Annotated[str, Query(alias="c", pattern=r"^[A-Z2-7]{16}$", description="its check code")]
_LONG_NUMBER = re.compile(r"\d{16}")
_NUMBER, _CODE = re.compile(r"[0-9]{21}", re.ASCII), re.compile(r"[A-Z2-7]{16}")
BEIJING = timezone(timedelta(hours=8))
QR_VERSION_MAX = 15
"""What a thermal printer of 58 mm shows sharply at 5 dots a module."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptAnswer:
    """A receipt as its holder may see it."""

    receipt_no: str
    state: ReceiptState
    toll_fen: int
    refunded_fen: int
    """Given back so far."""
    refunds: tuple[RefundLine, ...]
    """Of the passage, those under way too."""
    reimbursed_ms: int | None
    voided_ms: int | None
    url: str
    """Of the page that says whether it is good, with the check code."""
    token: str
    """Checkable without a network."""
    receipt: SignedReceipt


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLink:
    """What a lane prints, or staff show."""

    receipt_no: str
    url: str
    qr: str
    """The QR's whole text."""


@pydantic_dataclass(frozen=True, kw_only=True, config=BODY)
class ReceiptBody:
    """Why a person moves a receipt."""

    why: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")]
    """A reference or a reason; no 16 digits in a row, which may be somebody's code."""


_answer = TypeAdapter(ReceiptAnswer)
_link = TypeAdapter(ReceiptLink)
_body = TypeAdapter(ReceiptBody)
_steps = TypeAdapter(tuple[ReceiptStep, ...])
_proof = TypeAdapter(InclusionProof)


_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}, "description": "OK"}
}


def _none() -> ApiProblemError:
    """One answer to a wrong number and to a wrong code."""
    return ApiProblemError(
        404,
        code=RefusedError.code,
        reason="no_receipt",
        detail="no receipt of this number and code",
    )


async def _held(plaza: Plaza, number: str, code: str) -> ReceiptView:
    """Return the receipt whose holder proves it by its check code. Raises: ApiProblemError: 404."""
    view = await plaza.reader.read(receipt_view, PassageId(number))
    right = "" if view is None else check_code(view.receipt.chain_hash)
    if view is None or not hmac.compare_digest(right, code):
        raise _none()
    return await _delivered(plaza, view)


async def _delivered(plaza: Plaza, view: ReceiptView) -> ReceiptView:
    """Return the receipt signed; what it is handed out as is stored before it is."""
    overtaken = view.refunded_whole and view.state is not ReceiptState.VOIDED
    if view.signed is not None and not overtaken:
        return view
    (moved,) = await plaza.runner.commit(_delivery(plaza, view))
    assert isinstance(moved, ReceiptMoved)
    return moved.view


def _delivery(plaza: Plaza, view: ReceiptView) -> MoveReceipt:
    key = plaza.key
    return MoveReceipt(
        receipt_no=view.receipt.receipt_no,
        event=ReceiptEvent.DELIVER,
        who="",
        why="",
        now_ms=plaza.clock.wall().utc_ms,
        signed=sign_receipt(view.content.encode("utf-8"), key_id=key.key_id, sign=key.sign),
    )


def public_url(request: Request, plaza: Plaza) -> str:
    """Return where the public finds this plaza: as configured, else as it was asked."""
    url = plaza.public_url or str(request.base_url).rstrip("/")
    if len(url) > URL_MAX:
        raise BadInputError(where="Host", what=f"longer than {URL_MAX} characters")
    return url


def qr_svg(text: str, *, embedded: bool) -> str:
    """Return a QR of level M as SVG. *embedded*: to stand inside a page."""
    code = segno.make_qr(text, error="m", boost_error=False)
    assert int(code.version) <= QR_VERSION_MAX, "token and URL are bounded"
    if embedded:
        return code.svg_inline(border=4, omitsize=True, light="#fff")
    out = BytesIO()
    code.save(out, kind="svg", border=4, light="#fff", scale=4)
    return out.getvalue().decode("utf-8")


def _signed(view: ReceiptView) -> SignedReceipt:
    assert view.signed is not None, "a receipt is delivered before it is shown"
    return view.signed


@router.get(
    "/{receipt_no}",
    dependencies=[RATE_BOUND],
    responses=gives(ReceiptAnswer, problems=(404, 429)),
    summary="A receipt, for whoever holds it",
)
async def receipt(request: Request, plaza: ThePlaza, receipt_no: Number, code: Code) -> Response:
    """Answer the signed receipt and what became of it. Handing it out makes it delivered."""
    view = await _held(plaza, receipt_no, code)
    signed = _signed(view)
    reimbursed, voided = (
        _time_of(view, ReceiptState.REIMBURSED),
        _time_of(view, ReceiptState.VOIDED),
    )
    answer = ReceiptAnswer(
        receipt_no=receipt_no,
        state=view.state,
        toll_fen=view.receipt.toll_fen,
        refunded_fen=view.refunded_fen,
        refunds=view.refunds,
        reimbursed_ms=reimbursed,
        voided_ms=voided,
        url=page_url(public_url(request, plaza), view.receipt),
        token=token_of(signed),
        receipt=signed,
    )
    return json_answer(_answer, answer)


def _time_of(view: ReceiptView, state: ReceiptState) -> int | None:
    times = (step.wall_ms for step in view.steps if step.to_state is state)
    return next(times, None)


@router.get(
    "/{receipt_no}/proof",
    dependencies=[RATE_BOUND],
    responses=gives(InclusionProof, problems=(404, 409, 429)),
    summary="That its record is under a signed root",
)
async def proof(plaza: ThePlaza, receipt_no: Number, code: Code) -> Response:
    """Answer the way from the record to the newest root; 409 before its day is closed."""
    view = await _held(plaza, receipt_no, code)
    found = await plaza.reader.read(receipt_log.inclusion, view.receipt.receipt_no)
    if found is None:
        raise ApiProblemError(
            409,
            code=RefusedError.code,
            reason="no_root_yet",
            detail="its day is not closed; ask again tomorrow",
        )
    return json_answer(_proof, found)


@router.get(
    "/{receipt_no}/qr.svg",
    dependencies=[RATE_BOUND],
    response_class=Response,
    responses=gives(str, problems=(404, 429)) | _PICTURE,
    summary="Its QR as a picture",
)
async def qr(request: Request, plaza: ThePlaza, receipt_no: Number, code: Code) -> Response:
    """Answer the QR of page address and token."""
    view = await _held(plaza, receipt_no, code)
    picture = qr_svg(qr_text(public_url(request, plaza), _signed(view)), embedded=False)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(picture, media_type="image/svg+xml", headers=headers)


@router.get(
    "/{receipt_no}/link",
    responses=gives(ReceiptLink, problems=(404,)),
    summary="What a lane prints of a receipt, or staff show",
)
async def link(
    request: Request, plaza: ThePlaza, caller: AnyCaller, receipt_no: Number
) -> Response:
    """Answer address and QR text without a check code; a lane is told of its own passages."""
    view = await plaza.reader.read(receipt_view, PassageId(receipt_no))
    if caller.lane_id is not None:
        own_lane(caller.lane_id, LaneId(receipt_no[6:9]))
    if view is None:
        raise _none()
    view = await _delivered(plaza, view)
    url = public_url(request, plaza)
    answer = ReceiptLink(
        receipt_no=receipt_no, url=page_url(url, view.receipt), qr=qr_text(url, _signed(view))
    )
    return json_answer(_link, answer)


@router.get(
    "/{receipt_no}/history",
    responses=gives(tuple[ReceiptStep, ...], problems=(404,)),
    summary="What became of a receipt, and by whom",
)
async def history(plaza: ThePlaza, staff: StaffCaller, receipt_no: Number) -> Response:
    """Answer every step, oldest first."""
    del staff
    view = await plaza.reader.read(receipt_view, PassageId(receipt_no))
    if view is None:
        raise _none()
    return json_answer(_steps, view.steps)


@router.post(
    "/{receipt_no}/reimbursed",
    openapi_extra=takes(ReceiptBody),
    responses=gives(tuple[ReceiptStep, ...], problems=(404, 409, 413)),
    summary="It was paid out to its holder",
)
async def reimbursed(
    request: Request, plaza: ThePlaza, staff: StaffCaller, receipt_no: Number
) -> Response:
    """Note it, once; 409 says when and by whom it was done before, or that it is void."""
    return await _moved(request, plaza, staff, receipt_no, ReceiptEvent.REIMBURSE)


@router.post(
    "/{receipt_no}/voided",
    openapi_extra=takes(ReceiptBody),
    responses=gives(tuple[ReceiptStep, ...], problems=(404, 409, 413)),
    summary="It is taken back",
)
async def voided(
    request: Request, plaza: ThePlaza, staff: StaffCaller, receipt_no: Number
) -> Response:
    """Note it; one that was reimbursed or voided before is refused."""
    return await _moved(request, plaza, staff, receipt_no, ReceiptEvent.VOID)


async def _moved(
    request: Request, plaza: Plaza, staff: str, number: str, event: ReceiptEvent
) -> Response:
    where = f"POST /v1/receipts/{{receipt_no}}, {event}"
    body = wire.check(_body, await read_body(request), where=where)
    if _LONG_NUMBER.search(body.why) is not None:
        raise BadInputError(where=f"{where}, field why", what="16 digits in a row may be a code")
    view = await plaza.reader.read(receipt_view, PassageId(number))
    if view is None:
        raise _none()
    unit = MoveReceipt(
        receipt_no=view.receipt.receipt_no,
        event=event,
        who=staff,
        why=body.why,
        now_ms=plaza.clock.wall().utc_ms,
    )
    # Whoever pays it out has it in hand, so it was delivered, by whatever way.
    units = (_delivery(plaza, view), unit) if event is ReceiptEvent.REIMBURSE else (unit,)
    moved = (await plaza.runner.commit(*units))[-1]
    assert isinstance(moved, ReceiptMoved)
    if moved.verdict is ReceiptVerdict.REFUSED:
        raise _refusal(moved.view)
    return json_answer(_steps, moved.view.steps)


def _refusal(view: ReceiptView) -> ApiProblemError:
    """Say when and by whom the step was made that stands in the way."""
    step = next(each for each in reversed(view.steps) if each.to_state is view.state)
    when = datetime.fromtimestamp(step.wall_ms / 1000, BEIJING).strftime("%Y-%m-%d %H:%M:%S")
    by = f"by {step.who}" if step.who else "because the toll was given back"
    return ApiProblemError(
        409,
        code=LedgerConflictError.code,
        reason=f"already_{view.state.value}",
        detail=f"{view.state.value} at {when} Beijing time {by}",
    )


@pages.get("/r/{receipt_no}", dependencies=[RATE_BOUND], include_in_schema=False)
async def page(
    request: Request,
    plaza: ThePlaza,
    receipt_no: str,
    c: str = "",
    lang: str = "",
) -> HTMLResponse:
    """Show a receipt to whoever scanned its QR, in their language, whatever they typed."""
    chinese = receipt_page.is_chinese(lang, request.headers.get("accept-language", ""))
    try:
        if _NUMBER.fullmatch(receipt_no) is None or _CODE.fullmatch(c) is None:
            raise _none()
        view = await _held(plaza, receipt_no, c)
    except ApiProblemError as problem:
        if problem.status != 404:
            raise
        html = receipt_page.unknown(chinese=chinese, simulation=plaza.simulation)
        return _html(html, 404)
    picture = qr_svg(qr_text(public_url(request, plaza), _signed(view)), embedded=True)
    html = receipt_page.shown(
        view,
        chinese=chinese,
        plaza_name=plaza.name,
        simulation=plaza.simulation,
        qr=picture,
    )
    return _html(html, 200)


def _html(text: str, status: int) -> HTMLResponse:
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
    }
    return HTMLResponse(text, status, headers=headers)
