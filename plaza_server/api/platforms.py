"""The routing table of payment platforms, for staff: who takes which codes, and is it on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import TypeAdapter

from plaza_server.api.documents import gives, json_answer
from plaza_server.api.plaza import OFFICE_ONLY, PlatformRoute, ThePlaza
from plaza_server.store import queries
from plaza_server.store.queries import AlarmRow
from tolling.alarms import AlarmCode
from tolling.paycodes import Wallet

router = APIRouter(prefix="/v1/platforms", tags=["platforms"])


class PlatformHealth(StrEnum):
    """Whether a platform takes new payments now."""

    ON = "on"
    SUSPENDED = "suspended"
    """It refuses us, brings no proof, or its clock is too far from ours; it is tried again by
    itself."""
    DISABLED = "disabled"
    """Turned off in the plaza file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformLine:
    """One platform of the plaza file."""

    name: str
    wallets: tuple[Wallet, ...]
    """Whose codes it takes."""
    enabled: bool
    """As the plaza file says."""
    health: PlatformHealth
    since_ms: int | None
    """UTC milliseconds when it was suspended; None where it is not."""
    why: str
    """Why it is suspended, in words of ours; else empty."""
    fee_rate_bp: int
    """What it keeps of each payment as contracted, in hundredths of a percent."""
    skew_ms: int | None
    """Its clock minus ours by its last answer; None before one."""


_lines = TypeAdapter(tuple[PlatformLine, ...])


@router.get(
    "",
    dependencies=[OFFICE_ONLY],
    responses=gives(tuple[PlatformLine, ...]),
    summary="Payment platforms: wallets, health, fee rate, clock",
)
async def platforms(plaza: ThePlaza) -> Response:
    """Answer every configured platform as this process sees it now."""
    suspended, skews = plaza.runner.suspended, plaza.channels()
    alarms = await plaza.reader.read(queries.alarms)
    lines = tuple(
        line_of(
            route,
            suspended=route.name in suspended,
            skew_ms=skews.get(route.name),
            alarms=alarms,
        )
        for route in plaza.routes
    )
    return json_answer(_lines, lines)


def line_of(
    route: PlatformRoute, *, suspended: bool, skew_ms: int | None, alarms: list[AlarmRow]
) -> PlatformLine:
    """Return one platform's line. *alarms*: those that stand; they say since when and why."""
    health = PlatformHealth.ON
    if not route.enabled:
        health = PlatformHealth.DISABLED
    elif suspended:
        health = PlatformHealth.SUSPENDED
    causes = [
        each
        for each in alarms
        if each.subject == route.name
        and each.code in {AlarmCode.PLATFORM_SUSPENDED, AlarmCode.CLOCK_BAD}
    ]
    cause = min(causes, key=lambda each: each.raised_ms, default=None)
    told = cause if health is PlatformHealth.SUSPENDED else None
    return PlatformLine(
        name=route.name,
        wallets=route.wallets,
        enabled=route.enabled,
        health=health,
        since_ms=None if told is None else told.raised_ms,
        why="" if told is None else told.what,
        fee_rate_bp=route.fee_rate_bp,
        skew_ms=skew_ms,
    )
