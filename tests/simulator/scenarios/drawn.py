"""Helper of the scenarios' tests: any fault and any vehicle the simulator's own classes allow."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from simulator.models.device_faults import SINGLE
from simulator.people import BEHAVIOURS, EVERYDAY_MIX, UNRULY_MIX, Behaviour
from simulator.scenarios.derived import fields_of
from simulator.scenarios.faults import DEVICES, WIRES
from simulator.world.build import WorldConfig, lane_ids
from simulator.world.faults import WorldFault, lane_name, plaza_names
from simulator.world.site import Car
from simulator.world.streams import Streams
from simulator.world.traffic import draw_cars

LANES = 2
_PLACES: dict[str, tuple[str, ...]] = {
    "lane_id": lane_ids(LANES),
    "process": (*plaza_names(1), *(lane_name(lane) for lane in lane_ids(LANES))),
    "line": ("plaza-platform", "lane 001-plaza", "lane 002-broker"),
    "where": ("", *WIRES),
    "platform": ("alipay",),
    "sub_code": ("", "ACQ.SYSTEM_ERROR"),
    "calls": ("pay", "query", "cancel"),
}


def values(kind: Any, name: str = "") -> st.SearchStrategy[Any]:
    """Return values of a type, as a field *name* of a fault may hold them."""
    kind = getattr(kind, "__supertype__", kind)
    inside = typing.get_args(kind)
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        some = [each for each in inside if each is not type(None)]
        optional = st.none() if len(some) < len(inside) else st.nothing()
        return st.one_of(optional, *(values(each, name) for each in some))
    if typing.get_origin(kind) is tuple:
        return st.lists(values(inside[0], name), max_size=2, unique=True).map(tuple)
    if name in _PLACES:
        return st.sampled_from(_PLACES[name])
    if kind is str:
        return st.sampled_from(["", "some words"])
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(1, 1_000) if "permille" in name else st.integers(1, 600_000)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return st.sampled_from(list(kind))
    assert isinstance(kind, type), kind
    return built(kind)


@st.composite
def built(draw: st.DrawFn, kind: Any) -> Any:
    """Return a value of a dataclass, one that it takes."""
    given = {name: draw(values(hint, name)) for name, (hint, _) in fields_of(kind).items()}
    try:
        return kind(**given)
    except AssertionError:
        reject()


@st.composite
def faults(draw: st.DrawFn) -> WorldFault:
    """Return any fault of the world."""
    kind = draw(st.sampled_from(typing.get_args(WorldFault)))
    fault: Any = draw(built(kind))
    if "device" in fields_of(kind):
        device = draw(st.sampled_from(sorted(DEVICES)))
        trouble_kind = draw(st.sampled_from(sorted(DEVICES[device])))
        trouble = _with(
            fault.trouble,
            kind=trouble_kind,
            where=fault.trouble.where if device == "io" else "",
            skip=fault.trouble.skip if trouble_kind in SINGLE else 0,
        )
        fault = _with(fault, device=device, trouble=trouble)
    if "cut" in fields_of(kind) and draw(st.booleans()):
        fault = _with(fault, cut=True)
    return typing.cast(WorldFault, fault)


def _with(value: Any, **changes: Any) -> Any:
    return dataclasses.replace(value, **changes)


@st.composite
def cars(draw: st.DrawFn) -> tuple[Car, ...]:
    """Return a few vehicles, some of them driven as nobody named."""
    seed = draw(st.integers(0, 10_000))
    drawn = draw_cars(
        lanes=lane_ids(LANES),
        vehicles=draw(st.integers(0, 4)),
        mix=UNRULY_MIX,
        gap_ms=draw(st.integers(1_000, 60_000)),
        dice=Streams(seed).of("traffic"),
    )
    made = []
    for car in drawn:
        if draw(st.booleans()):
            us = draw(st.integers(1, 60_000_000))
            driver: Behaviour = _with(car.behaviour, reaction_us=us, name=draw(_NAMES))
            made.append(_with(car, behaviour=driver, arrives_us=us))
        else:
            body = _with(car.vehicle, gap_mm=draw(st.integers(300, 20_000)))
            made.append(_with(car, vehicle=body))
    return tuple(made)


_NAMES = st.sampled_from(["odd one", *BEHAVIOURS])


@st.composite
def configs(draw: st.DrawFn) -> WorldConfig:
    """Return any plan of a world with two lanes."""
    return WorldConfig(
        lanes=LANES,
        vehicles=draw(st.integers(0, 50)),
        mix=draw(st.sampled_from([EVERYDAY_MIX, UNRULY_MIX, {"phone_ok": 3, "pays_etc": 1}])),
        gap_ms=draw(st.integers(1, 60_000)),
        latency_ms=draw(st.integers(0, 5_000)),
        latency_jitter_ms=draw(st.integers(0, 500)),
        attended=draw(st.booleans()),
        faults=tuple(draw(st.lists(faults(), max_size=4))),
        cars=draw(st.none() | cars()),
    )
