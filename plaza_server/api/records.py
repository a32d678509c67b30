"""POST /v1/records: a lane's sealed records, exact bytes and chain."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from plaza_server.api.documents import BIG_BODY_BYTES, gives, json_answer, read_body, takes
from plaza_server.api.plaza import LaneCaller, ThePlaza, answered, own_lane
from plaza_server.engine import RecordsUploaded
from tolling import wire
from tolling.errors import BadInputError
from tolling.messages import RecordsAnswer, RecordsUpload

router = APIRouter(prefix="/v1/records", tags=["records"])
MAX_RECORDS = 100
"""As ``RecordsUpload`` says; about 2 KiB each."""


@router.post(
    "",
    openapi_extra=takes(RecordsUpload),
    responses=gives(RecordsAnswer, problems=(409, 413, 422)),
    summary="Take sealed records in order",
)
async def upload(request: Request, plaza: ThePlaza, lane: LaneCaller) -> Response:
    """Answer the chain's end after what was taken, and why no more was taken where so."""
    body = await read_body(request, cap=BIG_BODY_BYTES)
    sealed = wire.check(wire.records_upload, body, where="POST /v1/records")
    if not 1 <= len(sealed.records) <= MAX_RECORDS:
        raise BadInputError(
            where="POST /v1/records, field records", what=f"not 1 to {MAX_RECORDS} records"
        )
    for record in sealed.records:
        own_lane(lane, record.lane_id)
    value = await plaza.runner.ask(
        lambda request_id, at_ns, wall: RecordsUploaded(
            at_ns=at_ns, wall=wall, request_id=request_id, lane_id=lane, upload=sealed
        )
    )
    return json_answer(wire.records_answer, answered(value, RecordsAnswer))
