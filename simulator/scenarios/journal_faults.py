"""What failed around a lane, as far as its journal shows it, as faults of the world.

A journal knows that a device was lost or the plaza did not answer, never why: a lost device is
silent or unplugged here, a lost plaza is a cut line, a time without the process is a kill.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lane_controller.core.events import (
    DeviceChanged,
    Fact,
    LinkChanged,
    Started,
    StoreChanged,
    StoreState,
)
from lane_controller.engine.limits import COMMIT_SLOW_MS, LINK_LOST_MS
from simulator.models.device_faults import MAX_MS as DEVICE_MS_MAX
from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.world.faults import (
    CommitFate,
    CommitTrouble,
    DeviceTroubleAt,
    KillAt,
    LineTrouble,
    WorldFault,
    lane_name,
)
from simulator.world.lane_process import START_NS
from tolling.clock import NS_PER_MS
from tolling.devices import Device, Health

US_PER_MS = 1_000
START_MS = START_NS // NS_PER_MS
_MODELS: dict[Device, tuple[str, DeviceFault]] = {
    Device.BARRIER: ("io", DeviceFault.SILENT),
    Device.INPUTS: ("io", DeviceFault.SILENT),
    Device.LAMPS: ("io", DeviceFault.SILENT),
    Device.SCANNER: ("scanner", DeviceFault.UNPLUGGED),
    Device.DISPLAY: ("display", DeviceFault.UNPLUGGED),
    Device.CAMERA: ("camera", DeviceFault.SILENT),
    Device.ETC: ("etc", DeviceFault.SILENT),
}
"""Which model's fault makes the lane say that a device is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spell:
    """Something was wrong from one moment to another."""

    what: str
    from_us: int
    to_us: int


def faults_of(facts: list[tuple[int, Fact]], lane: str) -> tuple[WorldFault, ...]:
    """Return the faults of a journal, in the order they began."""
    faults: list[WorldFault] = [*_kills(facts, lane)]
    for spell in _spells(facts):
        made = _fault(spell, lane)
        if made is not None:
            faults.append(made)
    return tuple(sorted(faults, key=lambda fault: getattr(fault, "at_ms", 0)))


def _kills(facts: list[tuple[int, Fact]], lane: str) -> Iterator[WorldFault]:
    before_us: int | None = None
    for at_us, fact in facts:
        if isinstance(fact, Started) and before_us is not None:
            down_ms = (at_us - before_us) // US_PER_MS
            at_ms = before_us // US_PER_MS
            if fact.downtime_ms is not None:
                at_ms = at_us // US_PER_MS - fact.downtime_ms
                down_ms = fact.downtime_ms
            down_ms = max(1, down_ms - START_MS)
            yield KillAt(process=lane_name(lane), at_ms=max(0, at_ms), down_ms=down_ms)
        before_us = at_us


def _told(fact: Fact) -> tuple[str, bool] | None:
    """Return what a fact says is wrong (True) or well again."""
    if isinstance(fact, DeviceChanged) and fact.device in _MODELS:
        device, _ = _MODELS[fact.device]
        return device, fact.health is Health.LOST
    if isinstance(fact, LinkChanged):
        return f"link {fact.link}", not fact.up
    if isinstance(fact, StoreChanged):
        return "store", fact.store is not StoreState.OK
    return None


def _spells(facts: list[tuple[int, Fact]]) -> Iterator[_Spell]:
    """Yield what was wrong and for how long; at a start everything is looked at anew."""
    open_since: dict[str, tuple[str, int]] = {}
    well: set[str] = set()
    last_us = facts[-1][0] if facts else 0
    for at_us, fact in facts:
        if isinstance(fact, Started):
            yield from _ended(open_since, at_us)
            open_since, well = {}, set()
            continue
        told = _told(fact)
        if told is None:
            continue
        name, wrong = told
        detail = fact.store.value if isinstance(fact, StoreChanged) else name
        if not wrong:
            well.add(name)
            if name in open_since:
                yield from _ended({name: open_since.pop(name)}, at_us)
        elif name not in open_since and (name in well or name == "store"):
            open_since[name] = (detail, at_us)
    yield from _ended(open_since, last_us)


def _ended(since: dict[str, tuple[str, int]], at_us: int) -> Iterator[_Spell]:
    for what, from_us in since.values():
        yield _Spell(what=what, from_us=from_us, to_us=max(at_us, from_us + US_PER_MS))


def _fault(spell: _Spell, lane: str) -> WorldFault | None:
    at_ms = spell.from_us // US_PER_MS
    for_ms = (spell.to_us - spell.from_us) // US_PER_MS
    name = lane_name(lane)
    if spell.what == "link plaza":
        # The lane says so when it has heard nothing for a while: the line was cut before.
        early_ms = max(0, at_ms - LINK_LOST_MS)
        return LineTrouble(
            line=f"{name}-plaza", at_ms=early_ms, for_ms=at_ms + for_ms - early_ms, cut=True
        )
    if spell.what == "link broker":
        return LineTrouble(line=f"{name}-broker", at_ms=at_ms, for_ms=for_ms, cut=True)
    if spell.what == StoreState.FULL:
        return CommitTrouble(process=name, at_ms=at_ms, for_ms=for_ms, fate=CommitFate.FULL)
    if spell.what == StoreState.SLOW:
        fate, slow_ms = CommitFate.SLOW, COMMIT_SLOW_MS + 200
        return CommitTrouble(process=name, at_ms=at_ms, for_ms=for_ms, fate=fate, ms=slow_ms)
    kind = next((kind for device, kind in _MODELS.values() if device == spell.what), None)
    if kind is None:
        return None
    trouble = DeviceTrouble(kind=kind, for_ms=max(1, min(for_ms, DEVICE_MS_MAX)))
    return DeviceTroubleAt(at_ms=at_ms, lane_id=lane, device=spell.what, trouble=trouble)
