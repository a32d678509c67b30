"""The smallest worlds in which planted bugs show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.models.faults import Fault, PlatformFault
from simulator.people import BEHAVIOURS, Behaviour, WalletWill
from simulator.world.build import WorldConfig, lane_ids
from simulator.world.faults import (
    PLAZA,
    BarrierFault,
    BarrierTrouble,
    CommitFate,
    CommitTrouble,
    DeviceTroubleAt,
    KillAt,
    LineTrouble,
    PlatformTrouble,
    TariffSwitch,
    WorldFault,
    lane_name,
)
from simulator.world.streams import Streams
from simulator.world.traffic import make_car
from tolling.inputs import Point

LANE = lane_name(lane_ids(1)[0])
CHANGES_AND_CONFIRMS = replace(
    BEHAVIOURS["changes_to_cash"],
    name="changes_and_confirms",
    will=WalletWill.CONFIRMS,
    confirm_us=12_000_000,
)
"""Asks for cash, and enters the password all the same."""

REFUSED_AND_OFF = replace(
    BEHAVIOURS["coupon_no_balance"], name="refused_and_off", drives_off_us=1_500_000
)
"""Holds up a coupon, has no money on the phone, and drives off."""


def world(
    *names: str | Behaviour,
    faults: Callable[[int], tuple[WorldFault, ...]] = lambda seed: (),
    lanes: int = 1,
    gap_ms: int = 25_000,
    latency_ms: int = 600,
    attended: bool = True,
) -> Callable[[int], WorldConfig]:
    """Return a maker of worlds with one driver of each kind, *gap_ms* apart."""

    def make(seed: int) -> WorldConfig:
        streams = Streams(seed)
        cars = tuple(
            make_car(
                lane=lane_ids(lanes)[number % lanes],
                number=number + 1,
                behaviour=BEHAVIOURS[kind] if isinstance(kind, str) else kind,
                arrives_ms=4_000 + gap_ms * number,
                dice=streams.of(f"car {number}"),
            )
            for number, kind in enumerate(names)
        )
        return WorldConfig(
            lanes=lanes,
            cars=cars,
            faults=faults(seed),
            latency_ms=latency_ms,
            attended=attended,
        )

    return make


def platform(kind: PlatformFault, times: int, **more: Any) -> WorldFault:
    """Return a fault of the platform that stands from the first second."""
    return PlatformTrouble(at_ms=1_000, fault=Fault(kind=kind, times=times, **more))


def plaza_disk_fails(seed: int) -> tuple[WorldFault, ...]:
    """Return a plaza's disk on which two commits of five fail, at a time of the seed's."""
    at_ms = 15_000 + 500 * (seed % 20)
    return (
        CommitTrouble(
            process=PLAZA, at_ms=at_ms, for_ms=60_000, fate=CommitFate.FAILS, permille=400
        ),
    )


def link_lossy(seed: int) -> tuple[WorldFault, ...]:
    """Return a lane's line to the plaza that loses three messages of ten."""
    at_ms = 10_000 + 200 * (seed % 20)
    return (LineTrouble(line=f"{LANE}-plaza", at_ms=at_ms, for_ms=90_000, lost_permille=300),)


def display_gone(seed: int) -> tuple[WorldFault, ...]:
    """Return a display that is unplugged while the first vehicle comes: nobody sees a toll, and
    where nobody sits in the booth a person far away lets it through."""
    trouble = DeviceTrouble(kind=DeviceFault.UNPLUGGED, for_ms=20_000)
    return (
        DeviceTroubleAt(at_ms=1_000, lane_id=lane_ids(1)[0], device="display", trouble=trouble),
    )


def boom_lifted(seed: int) -> tuple[WorldFault, ...]:
    """Return somebody who lifts the boom by hand before the first vehicle is there."""
    at_ms = 3_000 + 100 * (seed % 10)
    kind = BarrierFault.HAND_UP
    return (BarrierTrouble(lane_id=lane_ids(1)[0], at_ms=at_ms, for_ms=1_000, kind=kind),)


def limit_lost(seed: int) -> tuple[WorldFault, ...]:
    """Return a lower limit switch that reads nothing for longer than a boom takes."""
    trouble = DeviceTrouble(kind=DeviceFault.STUCK_0, where=Point.BOOM_DOWN, for_ms=15_000)
    at_ms = 22_000 + 100 * (seed % 10)
    return (DeviceTroubleAt(at_ms=at_ms, lane_id=lane_ids(1)[0], device="io", trouble=trouble),)


def inputs_silent(seed: int) -> tuple[WorldFault, ...]:
    """Return a module that says nothing for two seconds, when the first vehicle has gone."""
    trouble = DeviceTrouble(kind=DeviceFault.SILENT, for_ms=2_000)
    at_ms = 32_000 + 100 * (seed % 10)
    return (DeviceTroubleAt(at_ms=at_ms, lane_id=lane_ids(1)[0], device="io", trouble=trouble),)


def plaza_dies(seed: int) -> tuple[WorldFault, ...]:
    """Return a plaza that is killed and stays away for ten seconds, at a time of the seed's."""
    return (KillAt(process=PLAZA, at_ms=22_000 + 100 * (seed % 20), down_ms=10_000),)


def module_silent(seed: int) -> tuple[WorldFault, ...]:
    """Return an I/O module that says nothing for six seconds, after the first vehicle has left."""
    trouble = DeviceTrouble(kind=DeviceFault.SILENT, for_ms=6_000)
    at_ms = 22_000 + 100 * (seed % 20)
    return (DeviceTroubleAt(at_ms=at_ms, lane_id=lane_ids(1)[0], device="io", trouble=trouble),)


def lane_disk(fate: CommitFate, *, ms: int = 0) -> Callable[[int], tuple[WorldFault, ...]]:
    """Return a maker of a lane's disk that does that to every commit for two minutes, from when its
    first vehicle is in it."""

    def make(seed: int) -> tuple[WorldFault, ...]:
        at_ms = 6_000 + 100 * (seed % 20)
        return (CommitTrouble(process=LANE, at_ms=at_ms, for_ms=120_000, fate=fate, ms=ms),)

    return make


def tariff_of_tomorrow(seed: int) -> tuple[WorldFault, ...]:
    """Return a tariff that is in the lane from its start, and in force long after the run."""
    return (TariffSwitch(at_ms=100, notice_ms=3_600_000, percent=150),)


def lane_dies(seed: int) -> tuple[WorldFault, ...]:
    """Return a lane that is killed while nobody is in it, at a time of the seed's."""
    return (KillAt(process=LANE, at_ms=22_000 + 100 * (seed % 20), down_ms=500),)
