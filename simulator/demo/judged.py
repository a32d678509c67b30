"""A run that ends by itself: so many vehicles, then the auditor's verdict in one line of JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from simulator.auditor import Restart, Verdict, audit
from simulator.demo import report
from simulator.demo.evidence import ask_outside, gather
from simulator.demo.files import Layout
from simulator.demo.http import Api, CallFailedError
from simulator.demo.town import Town
from simulator.demo.traffic import Traffic, drawn_behaviours
from simulator.stack.evidence import Outside
from simulator.stack.operator_port import OperatorPort, PortError

START_S = 15
PER_VEHICLE_S = 10
"""A judged run of v vehicles over n lanes ends within START_S + PER_VEHICLE_S x v / n on two free
cores; start-up of all processes takes 8 s of it."""
GIVE_UP_FACTOR = 4
"""A busier machine may take this many times as long; then the run is judged as it stands."""
LOOK_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a judged run came to."""

    figures: dict[str, Any]
    verdict: Verdict
    problem: str | None
    """Why the run is no good; None where it is."""


async def judged_run(
    layout: Layout, *, vehicles: int, seed: int, tell: Callable[[str], None]
) -> Judged:
    """Run *vehicles* over the lanes of *layout* and judge what happened.

    Raises: ChildFailedError, CallFailedError, BadPlaceError, BrokerMissingError (also in groups):
            a part could not be started or kept.
    """
    lanes = len(layout.lanes)
    limit_s = START_S + PER_VEHICLE_S * vehicles / lanes
    town = Town(layout, seed=seed, tell=tell, judged=True)
    async with town.running():
        tell(f"{vehicles} vehicles over {lanes} lanes, usually within {limit_s:.0f} s")
        behaviours = iter(drawn_behaviours(vehicles, seed=seed))
        traffic = Traffic(town.site, town.plaza, layout.lanes, behaviours)
        try:
            async with asyncio.timeout(limit_s * GIVE_UP_FACTOR):
                await traffic.run()
                await _wait_rest(town, vehicles)
            at_rest = True
        except TimeoutError:
            at_rest = False
        outside = await _ask(town)
    restarts = tuple(_restarts(town))
    evidence = gather(
        layout, outside, tapped=tuple(town.tap.seen), restarts=restarts, at_rest=at_rest
    )
    verdict = audit(evidence)
    figures = report.summary(layout, outside, verdict)
    return Judged(figures=figures, verdict=verdict, problem=report.failed(figures, wanted=vehicles))


async def _ask(town: Town) -> Outside:
    async with aiohttp.ClientSession() as session:
        platforms = {
            name: Api(session, facts["control_url"]) for name, facts in town.platforms.items()
        }
        return await ask_outside(town.site, platforms, town.layout.lanes)


async def _wait_rest(town: Town, vehicles: int) -> None:
    """Wait until everybody is out, every record uploaded and every order decided."""
    while True:
        try:
            if await _rests(town, vehicles):
                return
        except (CallFailedError, PortError):
            pass  # Whoever is being started again is asked again.
        await asyncio.sleep(LOOK_S)


async def _rests(town: Town, vehicles: int) -> bool:
    status = await town.site.status()
    if status["vehicles"]["gone"] < vehicles:
        return False
    for lane in town.layout.lanes:
        said = await asyncio.to_thread(_lane_status, town.layout.socket(lane))
        if said["unsent_records"] or said["arriving"] or said["leaving"]:
            return False
        if said["barrier"] != "down":
            return False
    return not (await town.plaza.health())["open_orders"]


def _lane_status(socket: Path) -> dict[str, Any]:
    """Return what a lane says of itself at its operator port. Raises: PortError."""
    with OperatorPort(socket) as port:
        return port.status()


def _restarts(town: Town) -> list[Restart]:
    found = []
    for name, child in town.children.items():
        if name == "plaza" or name.startswith("lane "):
            for started_ns in child.starts:
                found.append(
                    Restart(
                        at_us=town.plant_us(started_ns),
                        process=name,
                        lane_id=name.removeprefix("lane ") if name != "plaza" else None,
                    )
                )
    return found


def json_text(figures: dict[str, Any]) -> str:
    """Return the closing line."""
    return json.dumps(figures, ensure_ascii=False)
