"""A scenario: one run of the world as a file says it, read whole or refused whole.

``read_scenario(text)`` gives a Scenario, ``to_config`` the world it asks for, and ``from_config``
writes any world's plan as such a file: what a shrinker found, what a journal recorded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from simulator.scenarios.cars import (
    LANE_WORD,
    SPAWN,
    SPAWN_KEYS,
    VEHICLE,
    CarLine,
    lane_of,
    number_cars,
    write_car,
)
from simulator.scenarios.derived import fields_of, key_of, keys_of
from simulator.scenarios.expectations import EXPECT, Expectations
from simulator.scenarios.faults import FaultShape
from simulator.scenarios.nodes import (
    BadScenarioError,
    Items,
    Node,
    Problem,
    Problems,
    Table,
    Text,
    read_nodes,
)
from simulator.scenarios.shapes import BAD, Flag, Key, ListOf, Record, Span, Whole, Words
from simulator.scenarios.steps import STEP, Step
from simulator.scenarios.tariff import TARIFF, Moment
from simulator.scenarios.writer import Plain, to_yaml
from simulator.world.build import PLAZAS_MAX, WorldConfig, lane_ids
from simulator.world.faults import PLAZA_BROKER, WorldFault, lane_name, plaza_names
from simulator.world.platforms import PLATFORM_OF
from simulator.world.site import Car
from simulator.world.streams import Streams
from simulator.world.traffic import draw_cars
from tolling.ids import LaneId

VERSION = 1
"""Of the format; a file of another one is refused."""
NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,79}$"
_NAMED = frozenset(
    {
        "lanes",
        "vehicles",
        "mix",
        "gap_ms",
        "latency_ms",
        "latency_jitter_ms",
        "attended",
        "faults",
        "cars",
        "start_ms",
        "tariff_rows",
    }
)
_USUAL = WorldConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One run: its world, what people do in it, and what must come of it."""

    name: str
    seed: int
    config: WorldConfig
    shows_en: str = ""
    shows_zh: str = ""
    steps: tuple[Step, ...] = ()
    expected: Expectations = field(default_factory=Expectations)


SHOWS = Record(
    keys={"en": Key(shape=Words(), default=""), "zh": Key(shape=Words(), default="")},
    what="`shows`",
)
PLATFORM = Record(
    keys={
        "latency": Key(shape=Span(unit_us=1_000), default=_USUAL.latency_ms),
        "jitter": Key(shape=Span(unit_us=1_000), default=_USUAL.latency_jitter_ms),
    },
    what="platform",
)
WORLD = Record(keys=keys_of(WorldConfig, without=_NAMED), what="world")
_NAME = Words(what="a name", pattern=NAME_PATTERN, hint="use a-z, 0-9 and -, at most 80")
TOP = Record(
    keys={
        "scenario": Key(shape=Whole(least=VERSION, most=VERSION), about="version of the format"),
        "name": Key(shape=_NAME, default="", about="else the file's name"),
        "shows": Key(shape=SHOWS, default=None, about="what it shows, in one sentence"),
        "seed": Key(shape=Whole(), default=1, about="of all chance in the run"),
        "lanes": Key(shape=Whole(least=1, most=999), default=1, about="001 and up"),
        "attended": Key(shape=Flag(), default=True, about="somebody sits in the booth"),
        "tariff": Key(shape=TARIFF, default=(), about="`world`, or the rows in force at 0s"),
        "start": Key(shape=Moment(), default=_USUAL.start_ms, about="the wall clock at 0s"),
        "platform": Key(shape=PLATFORM, default=None, about="how fast the platform answers"),
        "world": Key(shape=WORLD, default=None, about="the rest of how the plaza is built"),
        "spawn": Key(shape=SPAWN, default=None, about="vehicles drawn from the seed"),
        "vehicles": Key(shape=ListOf(item=VEHICLE), default=None, about="vehicles, one by one"),
        "faults": Key(shape=ListOf(item=FaultShape()), default=()),
        "attendant": Key(shape=ListOf(item=STEP), default=(), about="what a person does when"),
        "expect": Key(shape=EXPECT, default=Expectations()),
    },
    what="scenario",
)


def load_scenario(path: Path) -> Scenario:
    """Return the scenario in a file.

    Raises: BadScenarioError: it is refused. OSError: it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        problem = Problem(line=0, what=f"is not UTF-8 at byte {error.start}: save it as UTF-8")
        raise BadScenarioError(str(path), (problem,)) from None
    return read_scenario(text, where=str(path), name=path.name.partition(".")[0])


def read_scenario(text: str, *, where: str = "scenario", name: str = "scenario") -> Scenario:
    """Return the scenario of a file's text.

    Args:   where: the file's name in errors. name: of the scenario, where the file says none.
    Raises: BadScenarioError: it is refused, with every problem that was found.
    """
    top = read_nodes(text, where=where)
    _check_version(top, where)
    problems = Problems()
    read = TOP.read(top, problems)
    # What is wrong elsewhere hides nothing: places are looked for in the file as it stands.
    _check_places(top, problems)
    if _value(top, "spawn") is None and _value(top, "vehicles") is None:
        problems.add(top.line, "nobody comes: add `vehicles:` or `spawn:`")
    problems.refuse_any(where)
    assert read is not BAD
    try:
        config = _config(read)
    except AssertionError as error:
        raise BadScenarioError(where, (Problem(line=top.line, what=str(error)),)) from None
    if read["vehicles"] is not None:
        cars = _cars(read, config, _rows(top, "vehicles"), problems)
        config = canonical(replace(config, cars=cars))
    problems.refuse_any(where)
    shows = read["shows"] or {"en": "", "zh": ""}
    return Scenario(
        name=read["name"] or name,
        seed=read["seed"],
        config=config,
        shows_en=shows["en"],
        shows_zh=shows["zh"],
        steps=read["attendant"],
        expected=read["expect"],
    )


def _check_version(top: Table, where: str) -> None:
    said = _value(top, "scenario")
    known = not isinstance(said, Text) or not re.fullmatch(r"[0-9]{1,9}", said.text)
    if isinstance(said, Text) and not known and int(said.text) != VERSION:
        what = f"is format {said.text}: this program reads {VERSION}"
        raise BadScenarioError(where, (Problem(line=said.line, what=what),))


def _value(top: Table, key: str) -> Node | None:
    return next((entry.value for entry in top.entries if entry.key == key), None)


def _rows(top: Table, key: str) -> tuple[Node, ...]:
    found = _value(top, key)
    return found.items if isinstance(found, Items) else ()


def _cars(
    read: dict[str, Any], config: WorldConfig, rows: tuple[Node, ...], problems: Problems
) -> tuple[Car, ...]:
    """Return the spawned vehicles, where there are such, and the named ones behind them."""
    drawn = () if read["spawn"] is None else draw_all(config, read["seed"])
    spawned = max((int(car.vehicle.vehicle_id) for car in drawn), default=0)
    lines: tuple[CarLine, ...] = read["vehicles"]
    placed = []
    for place, (line, row) in enumerate(zip(lines, rows, strict=True), 1):
        if line.number is not None and line.number <= spawned:
            problems.add(row.line, f"id {line.number} is a spawned vehicle's: take one above them")
        placed.append(replace(line, number=line.number or spawned + place))
    return drawn + number_cars(tuple(placed), rows, problems)


def draw_all(config: WorldConfig, seed: int) -> tuple[Car, ...]:
    """Return the vehicles a world of this plan draws."""
    streams = Streams(seed)
    return draw_cars(
        lanes=lane_ids(config.lanes),
        vehicles=config.vehicles,
        mix=config.mix,
        gap_ms=config.gap_ms,
        dice=streams.of("traffic"),
        odd_permille=config.odd_permille,
        odd_dice=streams.of("odd vehicles"),
    )


def _config(read: dict[str, Any]) -> WorldConfig:
    """Return the world without the vehicles that are named one by one."""
    platform = read["platform"] or {"latency": _USUAL.latency_ms, "jitter": 0}
    world = read["world"] or {}
    spawn = read["spawn"]
    drawn = {}
    if spawn is not None:
        drawn = {"vehicles": spawn["vehicles"], "mix": spawn["mix"], "gap_ms": spawn["gap"]}
    return WorldConfig(
        lanes=read["lanes"],
        attended=read["attended"],
        latency_ms=platform["latency"],
        latency_jitter_ms=platform["jitter"],
        faults=read["faults"],
        tariff_rows=read["tariff"],
        start_ms=read["start"],
        **{name: world[key_of(name)] for name in fields_of(WorldConfig) if key_of(name) in world},
        **drawn,
    )


def _check_places(top: Table, problems: Problems) -> None:
    """Note every lane, process, line and platform that this scenario does not have.

    What cannot be read is passed over: it is a problem of its own already.
    """
    known = _places(top)
    for row in _rows(top, "faults"):
        fault = FaultShape().read(row, Problems())
        for name, places in known.items():
            place = getattr(fault, name, None)
            if place is not None and place not in places:
                said = f"{name.removesuffix('_id')} `{place}`"
                problems.add(row.line, f"there is no {said} here: {_range(places)}")
    lanes = known.get("lane_id")
    expect = _value(top, "expect")
    shown = [] if not isinstance(expect, Table) else [expect]
    rows = [each for table in shown for key in _SHOWN for each in _rows(table, key)]
    for row in (*_rows(top, "vehicles"), *_rows(top, "attendant"), *rows):
        lane = lane_of(row)
        known_form = lane is not None and re.fullmatch(LANE_WORD.pattern or "", lane.text)
        if lane is not None and known_form and lanes is not None and lane.text not in lanes:
            problems.add(lane.line, f"there is no lane `{lane.text}` here: {_range(lanes)}")


_SHOWN = ("shown", "never_shown")
"""Expectations that may name a lane."""


def _places(top: Table) -> dict[str, list[str]]:
    """Return what a fault may name, by the name of its field; without what the file's own figures
    leave open because they cannot be read."""
    world = _value(top, "world")
    inside = world if isinstance(world, Table) else Table(line=top.line, entries=())
    lanes = _alone(top, "lanes", TOP)
    plazas = _alone(inside, "plazas", WORLD)
    wallets = _alone(inside, "wallets", WORLD)
    known: dict[str, list[str]] = {}
    if wallets is not BAD:
        known["platform"] = sorted({PLATFORM_OF[wallet] for wallet in wallets})
    if lanes is BAD:
        return known
    named = [str(lane) for lane in lane_ids(lanes)]
    known["lane_id"] = named
    if plazas is BAD or not 1 <= plazas <= PLAZAS_MAX:
        return known
    names = plaza_names(plazas)
    known["process"] = [*names, *map(lane_name, map(LaneId, named))]
    lines = [f"{name}-platform" for name in names]
    lines += [f"{lane_name(LaneId(lane))}-{end}" for lane in named for end in ("plaza", "broker")]
    known["line"] = [*lines, PLAZA_BROKER]
    return known


def _alone(table: Table, name: str, record: Record) -> Any:
    """Return the value of one key, its default where it is not there, BAD where it is bad."""
    node, key = _value(table, name), record.keys[name]
    return key.default if node is None else key.shape.read(node, Problems())


def _range(places: Sequence[str]) -> str:
    return f"this scenario has {', '.join(places[:8])}{', ...' if len(places) > 8 else ''}"


# ---- a scenario as a file ----


def to_config(scenario: Scenario) -> WorldConfig:
    """Return the world a scenario asks for; its seed is the scenario's."""
    return scenario.config


def canonical(config: WorldConfig) -> WorldConfig:
    """Return *config* with the figures of drawn traffic as usual where no traffic is drawn."""
    if config.cars is None:
        return replace(config, mix=dict(config.mix))
    return replace(config, vehicles=_USUAL.vehicles, mix=dict(_USUAL.mix), gap_ms=_USUAL.gap_ms)


def from_config(
    seed: int,
    config: WorldConfig,
    findings: Sequence[str] = (),
    *,
    name: str = "found",
    shows_en: str = "",
    heading: Sequence[str] = (),
    expected: Expectations | None = None,
) -> str:
    """Return a scenario file of one world's plan. Run again it has the same trace.

    Args:   findings: what was wrong in that run, as comments. The file expects that nothing is: it
            fails until the bug is repaired.
            heading: more comments. expected: what must come of it; None: what always must.
    """
    scenario = Scenario(
        name=name,
        seed=seed,
        config=config,
        shows_en=shows_en,
        expected=expected or Expectations(),
    )
    return write_scenario(scenario, heading=(*heading, *(f"found: {each}" for each in findings)))


def write_scenario(scenario: Scenario, *, heading: Sequence[str] = ()) -> str:
    """Return the file of a scenario; ``read_scenario`` gives the same one back."""
    config = canonical(scenario.config)
    top: dict[str, Plain] = {"scenario": VERSION, "name": scenario.name}
    shows = SHOWS.write({"en": scenario.shows_en, "zh": scenario.shows_zh})
    platform = PLATFORM.write({"latency": config.latency_ms, "jitter": config.latency_jitter_ms})
    rest = {key_of(n): getattr(config, n) for n in fields_of(WorldConfig) if n not in _NAMED}
    world = WORLD.write(rest)
    parts: dict[str, Plain] = {
        "shows": shows,
        "seed": scenario.seed,
        "lanes": config.lanes,
        "attended": config.attended,
        "tariff": TARIFF.write(config.tariff_rows),
        "start": Moment().write(config.start_ms),
        "platform": platform,
        "world": world,
    }
    top |= {key: value for key, value in parts.items() if value != {}}
    if config.cars is None:
        spawn = {"vehicles": config.vehicles, "mix": dict(config.mix), "gap": config.gap_ms}
        assert set(spawn) == set(SPAWN_KEYS)
        top["spawn"] = SPAWN.write(spawn)
    else:
        top["vehicles"] = [write_car(car) for car in config.cars]
    if config.faults:
        top["faults"] = [write_fault(fault) for fault in config.faults]
    if scenario.steps:
        top["attendant"] = [STEP.write(step) for step in scenario.steps]
    expected = EXPECT.write(scenario.expected)
    if expected:
        top["expect"] = expected
    return to_yaml(top, heading=heading)


def write_fault(fault: WorldFault) -> Plain:
    """Return a fault as a file says it."""
    return FaultShape().write(fault)
