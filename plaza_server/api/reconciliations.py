"""Bills against books: take a bill, reconcile a day, read what is left, carry it away as files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as pydantic_dataclass

from plaza_server.api.documents import BODY, gives, json_answer, read_body, takes
from plaza_server.api.plaza import OFFICE_ONLY, ThePlaza
from plaza_server.platforms.bill_files import PACKED_MAX
from plaza_server.rules.bills import is_day
from plaza_server.rules.reconcile_files import differences_csv, settlement_csv
from plaza_server.rules.reconcile_values import BillDifference, DayReport, PayeeSum
from plaza_server.shell.bills import DayClosed
from plaza_server.store import bill_queries
from tolling import wire
from tolling.errors import BadInputError

router = APIRouter(
    prefix="/v1/reconciliations", tags=["reconciliations"], dependencies=[OFFICE_ONLY]
)
_PLATFORM = r"^[a-z][a-z0-9_]{0,31}$"


@pydantic_dataclass(frozen=True, kw_only=True, config=BODY)
class ReconcileBody:
    """One day, of one platform or of all."""

    day: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    """In Beijing."""
    platform: Annotated[str, Field(pattern=_PLATFORM)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileAnswer:
    """What became of each platform's day."""

    days: tuple[DayClosed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayAnswer:
    """A day's reports, sums per payee, and everything that did not agree, standing or healed."""

    day: str
    reports: tuple[DayReport, ...]
    payees: tuple[PayeeSum, ...]
    """What each platform settles for whom."""
    differences: tuple[BillDifference, ...]


_body = TypeAdapter(ReconcileBody)
_closed = TypeAdapter(ReconcileAnswer)
_day = TypeAdapter(DayAnswer)
_report = TypeAdapter(DayReport)


async def _the_day(day: Annotated[str, Path(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]) -> str:
    if not is_day(day):
        raise BadInputError(where="day", what="no day of the calendar", do="Write yyyy-MM-dd")
    return day


TheDay: TypeAlias = Annotated[str, Depends(_the_day)]


@router.post(
    "",
    openapi_extra=takes(ReconcileBody),
    responses=gives(ReconcileAnswer, problems=(409, 413)),
    summary="Fetch a day's bills where they are missing, and reconcile it",
)
async def reconcile(request: Request, plaza: ThePlaza) -> Response:
    """Answer once all is done; a large day takes a minute. Asking again changes nothing."""
    body = wire.check(_body, await read_body(request), where="POST /v1/reconciliations")
    day = await _the_day(body.day)
    desk = plaza.bills
    platforms = desk.platforms if body.platform is None else (body.platform,)
    days = tuple([await desk.close_day(platform, day) for platform in platforms])
    return json_answer(_closed, ReconcileAnswer(days=days))


@router.put(
    "/{day}/bills/{platform}",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        }
    },
    responses=gives(DayReport, problems=(409, 413)),
    summary="Take a bill from a file, whole or not at all, and reconcile its day",
)
async def take_bill(
    request: Request,
    plaza: ThePlaza,
    day: TheDay,
    platform: Annotated[str, Path(pattern=_PLATFORM)],
    name: Annotated[str, Query(max_length=128, pattern=r"^[^/\\\r\n]*$")] = "bill",
) -> Response:
    """Take the file as it came from the platform, packed or not.

    A refused file is 400 and names the first wrong line.
    """
    content = await read_body(request, cap=PACKED_MAX)
    desk = plaza.bills
    await desk.take(platform, day, content, name=name or "bill")
    return json_answer(_report, await desk.reconcile(platform, day))


@router.get("/{day}", responses=gives(DayAnswer), summary="What a day's bills and books say")
async def read_day(plaza: ThePlaza, day: TheDay) -> Response:
    """Answer every platform whose bill is here."""
    reports = await plaza.reader.read(bill_queries.day_reports, day)
    payees = await plaza.reader.read(bill_queries.payee_sums, day)
    differences = await plaza.reader.read(bill_queries.bill_differences, day)
    answer = DayAnswer(day=day, reports=reports, payees=payees, differences=differences)
    return json_answer(_day, answer)


_CSV: dict[int | str, Any] = {
    200: {"description": "OK", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


@router.get(
    "/{day}/differences.csv",
    responses={**gives(DayAnswer), **_CSV},
    summary="A day's differences as CSV",
)
async def read_differences(
    plaza: ThePlaza, day: TheDay, *, standing: Annotated[bool, Query()] = False
) -> Response:
    """Answer the differences; *standing*: only those left for a person."""
    found = await plaza.reader.read(bill_queries.bill_differences, day, standing=standing)
    return _csv(differences_csv(found), f"differences_{day}.csv")


@router.get(
    "/{day}/settlements/{payee}.csv",
    responses={**gives(DayAnswer), **_CSV},
    summary="What the platforms settle for one payee of one day",
)
async def read_settlement(
    plaza: ThePlaza, day: TheDay, payee: Annotated[str, Path(pattern=r"^[0-9A-Za-z_-]{1,32}$")]
) -> Response:
    """Answer rows, totals and the SHA-256 over both."""
    sums = await plaza.reader.read(bill_queries.payee_sums, day)
    return _csv(settlement_csv(day, payee, sums), f"settlement_{day}_{payee}.csv")


def _csv(text: str, name: str) -> Response:
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return Response(text.encode("utf-8"), media_type="text/csv; charset=utf-8", headers=headers)
