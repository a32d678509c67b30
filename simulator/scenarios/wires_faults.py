"""A world's faults on real processes: each becomes deeds at their times, or is said to be
impossible there."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, assert_never

from simulator.stack import wall
from simulator.stack.disk import SmallDisk
from simulator.stack.part import Part
from simulator.stack.proxy import GOOD, Cut, Manners, Way
from simulator.stack.stack import Stack
from simulator.stack.wires import Wires
from simulator.world.catalogue import AT_A_STEP, TOLD_OF_IT, WORLD_ONLY
from simulator.world.faults import (
    BarrierFault,
    BarrierTrouble,
    ClockDrift,
    ClockJump,
    CommitFate,
    CommitTrouble,
    DeviceTroubleAt,
    KillAt,
    KillAtStep,
    LanePowerLoss,
    LineTrouble,
    PlatformTrouble,
    TariffSwitch,
    WorldFault,
    kind_of,
    lane_name,
)
from simulator.world.traffic import changed_tariff
from tolling.tariffs import TariffRow

BOOM_RAISE_MS, BOOM_LOWER_MS = 900, 1_200
"""The site's usual boom, which a slow one is a multiple of."""
BOOM_MS_MAX = 10_000
_BARRIER = "barrier"


class CannotOnWiresError(Exception):
    """A fault that real processes cannot have; it says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing that is done at its time."""

    at_ms: int
    do: Callable[[], object]


class Deeds:
    """Makes the deeds of faults on one stack."""

    def __init__(
        self,
        stack: Stack,
        disks: Mapping[str, SmallDisk],
        *,
        tariff_rows: tuple[TariffRow, ...] = (),
    ) -> None:
        """*disks*: the small disks of processes, by their names. *tariff_rows*: of the first
        version; empty: the world's own."""
        self._stack = stack
        self._tariff_rows = tariff_rows
        self._disks = disks

    def of(self, fault: WorldFault) -> tuple[Deed, ...]:
        """Return what is done for a fault. Raises: CannotOnWiresError."""
        match fault:
            case KillAt():
                part = self._part(fault.process)
                return (_at(fault.at_ms, lambda: part.kill_for(fault.down_ms / 1_000)),)
            case LineTrouble():
                return tuple(self._line(fault))
            case CommitTrouble():
                return tuple(self._disk(fault))
            case PlatformTrouble():
                return (self._platform(fault),)
            case DeviceTroubleAt():
                return (self._device(fault),)
            case LanePowerLoss():
                return tuple(self._power(fault))
            case BarrierTrouble():
                return tuple(self._boom(fault))
            case ClockJump():
                return tuple(self._clock(fault))
            case TariffSwitch():
                return (_at(fault.at_ms, lambda: self._tariff(fault)),)
            case ClockDrift():
                raise _cannot(fault)
            case KillAtStep():
                raise CannotOnWiresError(f"{kind_of(fault)}: {AT_A_STEP}")
            case _:
                assert_never(fault)

    def _part(self, process: str) -> Part:
        part = self._stack.parts.get(process)
        if part is None:
            raise CannotOnWiresError(f"kill: there is no process {process}")
        return part

    def _platform(self, fault: PlatformTrouble) -> Deed:
        site, name = self._stack.site, fault.platform
        if name not in self._stack.plan.platform_names:
            raise CannotOnWiresError(f"{kind_of(fault)}: nobody here pays by {name}")
        body = {**asdict(fault.fault), "calls": list(fault.fault.calls)}
        kind = str(body.pop("kind"))
        return _at(fault.at_ms, lambda: site.platform_fault(kind, platform=name, **body))

    def _line(self, fault: LineTrouble) -> Iterator[Deed]:
        wires = self._stack.wires
        # All plaza processes reach a platform over one line here, and each platform has its own.
        every = fault.line.endswith("-platform")
        names = self._stack.plan.platform_lines if every else (fault.line,)
        if not set(names) <= set(wires.lines):
            raise CannotOnWiresError(f"{kind_of(fault)}: there is no line {fault.line}")
        manners = _manners(fault)
        yield _at(fault.at_ms, lambda: _behave(wires, names, manners))
        yield _at(fault.at_ms + fault.for_ms, lambda: _behave(wires, names, GOOD))

    def _disk(self, fault: CommitTrouble) -> Iterator[Deed]:
        if fault.fate is not CommitFate.FULL:
            raise _cannot(fault, f" of {fault.process}")
        disk = self._disks.get(fault.process)
        if disk is None:
            raise CannotOnWiresError(f"{kind_of(fault)}: there is no disk of {fault.process}")
        yield _at(fault.at_ms, disk.fill)
        yield _at(fault.at_ms + fault.for_ms, disk.free)

    def _device(self, fault: DeviceTroubleAt) -> Deed:
        device = _BARRIER if fault.device == "io" else fault.device
        body: dict[str, Any] = {
            key: value for key, value in asdict(fault.trouble).items() if value is not None
        }
        kind = str(body.pop("kind"))
        body["where"] = str(body["where"])
        site = self._stack.site
        return _at(fault.at_ms, lambda: site.fault(fault.lane_id, device, kind, **body))

    def _power(self, fault: LanePowerLoss) -> Iterator[Deed]:
        site, lane = self._stack.site, fault.lane_id
        part = self._part(lane_name(lane))
        yield _at(fault.at_ms, lambda: part.kill_for(fault.for_ms / 1_000))
        yield _at(fault.at_ms, lambda: self._boom_does(lane, "power_off"))
        for device, kind in (
            (_BARRIER, "reboot"),
            ("scanner", "unplugged"),
            ("display", "unplugged"),
        ):
            away = partial(site.fault, lane, device, kind, for_ms=fault.for_ms)
            yield _at(fault.at_ms, away)
        yield _at(fault.at_ms + fault.for_ms, lambda: self._boom_does(lane, "power_on"))

    def _boom(self, fault: BarrierTrouble) -> Iterator[Deed]:
        lane, end_ms = fault.lane_id, fault.at_ms + fault.for_ms
        match fault.kind:
            case BarrierFault.POWER:
                yield _at(fault.at_ms, lambda: self._boom_does(lane, "power_off"))
                yield _at(end_ms, lambda: self._boom_does(lane, "power_on"))
            case BarrierFault.JAM:
                yield _at(fault.at_ms, lambda: self._boom_does(lane, "jam", at_mdeg=fault.mdeg))
                yield _at(end_ms, lambda: self._boom_does(lane, "unjam"))
            case BarrierFault.SLOW:
                yield _at(fault.at_ms, lambda: self._boom_times(lane, fault.percent))
                yield _at(end_ms, lambda: self._boom_times(lane, 100))
            case BarrierFault.HAND_UP:
                yield _at(fault.at_ms, lambda: self._boom_does(lane, "hand_up"))

    def _clock(self, fault: ClockJump) -> Iterator[Deed]:
        clock = self._part(fault.process).clock
        assert clock is not None, "every process of a stack has its own"
        if fault.noticed:
            raise CannotOnWiresError(f"{kind_of(fault)}: {TOLD_OF_IT}")
        yield _at(fault.at_ms, lambda: wall.set_off(clock, fault.offset_ms))
        yield _at(fault.at_ms + fault.for_ms, lambda: wall.set_off(clock, 0))

    def _tariff(self, fault: TariffSwitch) -> None:
        now_ms = time.time_ns() // 1_000_000
        self._stack.put_tariff(
            changed_tariff(
                version=len(self._stack.tariffs) + 1,
                percent=fault.percent,
                from_ms=now_ms + fault.notice_ms,
                now_ms=now_ms,
                rows=self._tariff_rows,
            )
        )

    def _boom_does(self, lane: str, action: str, **more: object) -> None:
        self._stack.site.ask("POST", f"/lanes/{lane}/boom", {"action": action, **more})

    def _boom_times(self, lane: str, percent: int) -> None:
        raise_ms = min(BOOM_RAISE_MS * percent // 100, BOOM_MS_MAX)
        lower_ms = min(BOOM_LOWER_MS * percent // 100, BOOM_MS_MAX)
        self._boom_does(lane, "times", raise_ms=raise_ms, lower_ms=lower_ms)

    def end(self) -> None:
        """End every fault there is."""
        stack = self._stack
        for part in stack.parts.values():
            part.signal(signal.SIGCONT)
            if part.clock is not None:
                wall.set_off(part.clock, 0)
        for disk in self._disks.values():
            disk.free()
        stack.wires.mend()
        stack.site.heal()
        for lane in stack.plan.lanes:
            self._boom_does(lane, "unjam")
            self._boom_does(lane, "power_on")


def full_disks(faults: tuple[WorldFault, ...]) -> tuple[str, ...]:
    """Return the processes whose disk gets full in a run."""
    return tuple(
        sorted(
            {
                fault.process
                for fault in faults
                if isinstance(fault, CommitTrouble) and fault.fate is CommitFate.FULL
            }
        )
    )


def _behave(wires: Wires, names: Iterable[str], manners: Manners) -> None:
    for name in names:
        wires.behave(name, manners)


def _at(at_ms: int, do: Callable[[], object]) -> Deed:
    return Deed(at_ms=at_ms, do=do)


def _manners(fault: LineTrouble) -> Manners:
    if fault.cut:
        return Manners(cut=Cut.RESET)
    if fault.lost_permille or fault.doubled_permille or fault.late_permille:
        raise _cannot(fault, f" on {fault.line}")
    way = Way(delay_ms=fault.ms, jitter_ms=fault.spread_ms)
    return Manners(to_server=way, to_client=way)


def _cannot(fault: WorldFault, where: str = "") -> CannotOnWiresError:
    """Return the refusal of a kind that the catalogue knows in virtual time alone."""
    return CannotOnWiresError(f"{kind_of(fault)}{where}: {WORLD_ONLY[kind_of(fault)]}")
