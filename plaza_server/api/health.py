"""Is the plaza alive, may it be asked, and its figures. Plain routes without a token."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from pydantic import TypeAdapter

from plaza_server.api.documents import gives, json_answer
from plaza_server.api.plaza import ThePlaza
from plaza_server.store import queries

router = APIRouter(tags=["health"])
MAX_DOUBT = 1000
"""Undecided orders looked at for their ages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a supervisor or a page needs to know first."""

    status: str
    """ok | stopping"""
    plaza_id: str
    version: str
    open_orders: int
    suspended: tuple[str, ...]
    """Platforms that are off."""
    simulation: bool
    """No real money moves here: pages say so."""


_health = TypeAdapter(Health)


@router.get(
    "/health", responses=gives(Health), summary="Alive, and may it be asked? 503 while stopping"
)
async def health(plaza: ThePlaza) -> Response:
    """Answer 200 while requests are welcome."""
    ready = plaza.runner.ready
    answer = Health(
        status="ok" if ready else "stopping",
        plaza_id=plaza.plaza_id,
        version=plaza.version,
        open_orders=plaza.runner.open_orders,
        suspended=plaza.runner.suspended,
        simulation=plaza.simulation,
    )
    return json_answer(_health, answer, 200 if ready else 503)


@router.get("/metrics", response_class=PlainTextResponse, summary="Figures for Prometheus")
async def metrics(plaza: ThePlaza) -> Response:
    """Answer the registry in text format; ages of undecided orders are read afresh."""
    now_ms = plaza.clock.wall().utc_ms
    orders = await plaza.reader.read(queries.open_orders, limit=MAX_DOUBT)
    plaza.metrics.note_doubt([max(0, now_ms - order.created_ms) for order in orders])
    for channel, skew_ms in plaza.channels().items():
        plaza.metrics.note_platform(
            channel, skew_ms=skew_ms, suspended=channel in plaza.runner.suspended
        )
    return PlainTextResponse(
        plaza.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8"
    )
