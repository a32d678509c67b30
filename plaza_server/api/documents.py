"""Request bodies read whole and bounded, answers written from the words, and both in the OpenAPI
text.

Bodies are parsed by ``tolling.wire``, never by the framework: its errors repeat the input.
"""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import ConfigDict, TypeAdapter

from plaza_server.api.problems import MEDIA_TYPE, ApiProblemError
from tolling.errors import BadInputError
from tolling.wire import MAX_BODY_BYTES

BODY = ConfigDict(extra="forbid", hide_input_in_errors=True)
"""Of every body that is no word of its own: a member nobody knows refuses it whole. Given as the
dataclass' ``config``; said in a decorator above it, pydantic does not hear it."""
SMALL_BODY_BYTES = 16 * 1024
"""More than any body but tariffs and records."""
_REF = "#/components/schemas/{model}"
COMPONENTS: dict[str, Any] = {
    "Problem": {
        "type": "object",
        "title": "Problem",
        "description": "RFC 9457; code as in tolling/errors.toml, reason one stable word.",
        "required": ["type", "title", "status", "code", "reason", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "integer"},
            "reason": {"type": "string"},
            "detail": {"type": "string"},
        },
    }
}
"""Schemas the routes speak of; merged into the OpenAPI text by the app."""


def schema_of(kind: Any) -> dict[str, Any]:
    """Return the JSON schema of a word, its parts put among the components."""
    schema = TypeAdapter(kind).json_schema(ref_template=_REF, mode="validation")
    COMPONENTS.update(schema.pop("$defs", {}))
    return schema


def takes(kind: Any) -> dict[str, Any]:
    """Return ``openapi_extra`` for a route whose body is *kind* as JSON."""
    content = {"application/json": {"schema": schema_of(kind)}}
    return {"requestBody": {"required": True, "content": content}}


def gives(kind: Any, *statuses: int, problems: tuple[int, ...] = ()) -> dict[int | str, Any]:
    """Return ``responses`` for a route that answers *kind*, and the problems it may end with."""
    answer = {"description": "OK", "content": {"application/json": {"schema": schema_of(kind)}}}
    problem = {
        "description": "Problem",
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}},
    }
    made: dict[int | str, Any] = dict.fromkeys(statuses or (200,), answer)
    made.update(dict.fromkeys((*problems, 400, 401, 403, 500, 503), problem))
    return made


def json_answer(adapter: TypeAdapter[Any], value: object, status: int = 200) -> Response:
    """Return *value* as a JSON answer that no cache keeps."""
    return Response(
        adapter.dump_json(value),
        status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def read_body(request: Request, *, cap: int = SMALL_BODY_BYTES) -> bytes:
    """Return the whole body.

    Raises: ApiProblemError: 413 past *cap* bytes, at the first byte too many.
    """
    said = request.headers.get("content-length", "")
    body = bytearray()
    too_long = said.isdigit() and int(said[:12]) > cap
    if not too_long:
        async for chunk in request.stream():
            body += chunk
            if len(body) > cap:
                too_long = True
                break
    if too_long:
        raise ApiProblemError(
            413,
            code=BadInputError.code,
            reason="too_large",
            detail=f"the body is longer than {cap} bytes",
            headers={"Connection": "close"},
        )
    return bytes(body)


BIG_BODY_BYTES = MAX_BODY_BYTES
"""Tariff sets and up to 100 records."""
