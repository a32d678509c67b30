"""Signed roots over all records: for anybody who keeps them as a witness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import TypeAdapter

from plaza_server.api.documents import gives, json_answer
from plaza_server.api.plaza import OFFICE_ONLY, ThePlaza
from plaza_server.api.problems import ApiProblemError
from plaza_server.api.public import RATE_BOUND
from plaza_server.store import receipt_log
from tolling.errors import RefusedError
from tolling.roots import RootHead, SignedRoot

router = APIRouter(prefix="/v1/roots", tags=["receipts"])
RootNo = Annotated[int, Path(ge=1, le=2**53)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """That the log of one root begins with that of an earlier one."""

    old: RootHead
    new: SignedRoot
    path: tuple[str, ...]
    """Consistency proof of RFC 6962, hex."""


_root = TypeAdapter(SignedRoot)
_roots = TypeAdapter(tuple[SignedRoot, ...])
_growth = TypeAdapter(Growth)


@router.get(
    "",
    dependencies=[RATE_BOUND],
    responses=gives(tuple[SignedRoot, ...], problems=(429,)),
    summary="Signed roots, oldest first",
)
async def roots(
    plaza: ThePlaza, since: Annotated[int, Query(ge=1, le=2**53, description="root_no")] = 1
) -> Response:
    """Answer roots from number *since* on, 1,000 at most; each proves that it adds to the one
    before."""
    found = await plaza.reader.read(receipt_log.roots, since)
    return json_answer(_roots, tuple(found))


@router.get(
    "/{old}/consistency/{new}",
    dependencies=[RATE_BOUND],
    responses=gives(Growth, problems=(404, 429)),
    summary="That one root only adds to another",
)
async def consistency(plaza: ThePlaza, old: RootNo, new: RootNo) -> Response:
    """Answer the proof between any two roots, the earlier one first."""
    found = await plaza.reader.read(receipt_log.consistency, old, new)
    if found is None:
        raise ApiProblemError(
            404, code=RefusedError.code, reason="no_root", detail="no such pair of roots"
        )
    head, signed, path = found
    return json_answer(_growth, Growth(old=head, new=signed, path=path))


@router.post(
    "",
    status_code=201,
    dependencies=[OFFICE_ONLY],
    responses=gives(SignedRoot, 201, problems=(409,)),
    summary="Close a root now",
)
async def close(plaza: ThePlaza) -> Response:
    """Close a root over everything stored up to now; days are closed without being asked."""
    root = await plaza.roots.close(plaza.clock.wall().utc_ms)
    if root is None:
        raise ApiProblemError(
            409,
            code=RefusedError.code,
            reason="closed_already",
            detail="another process closed one at the same time",
        )
    return json_answer(_root, root, 201)
