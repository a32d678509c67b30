"""One whole plaza in virtual time: its processes, its outside, and when it is at rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from sqlalchemy import Engine

from plaza_server.rules.units import PutSet
from plaza_server.store import Store, commit_group
from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.plant import Heading, Plant
from simulator.world.bills import BillDay
from simulator.world.captures import CaptureWatch
from simulator.world.clock import MachineClock, us
from simulator.world.disk import Disk
from simulator.world.faults import (
    BarrierFault,
    BarrierTrouble,
    ClockDrift,
    ClockJump,
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
from simulator.world.heap import Heap
from simulator.world.keys import PLAZA_KEY_ID, plaza_sign
from simulator.world.lane_process import LaneProcess
from simulator.world.links import Line, Wiretap
from simulator.world.phones import Phones
from simulator.world.platforms import WorldPlatform
from simulator.world.plaza_process import PlazaProcess
from simulator.world.ports import LaneModels
from simulator.world.process import Process
from simulator.world.site import Site
from simulator.world.traffic import changed_tariff
from tolling.clock import NS_PER_MS, NS_PER_S
from tolling.ids import LaneId
from tolling.inputs import PULSE_OUTPUTS
from tolling.signed_sets import wrap_tariff
from tolling.tariffs import TariffRow, TariffSet

LOOK_NS = NS_PER_S
"""How often a run is asked whether it is at rest."""
LOOKS_BEFORE_OFF = 5
"""Looks at which lanes were done before they are switched off: what they last told was shown."""

_WITHOUT_POWER = (
    ("io", DeviceFault.REBOOT),
    ("scanner", DeviceFault.UNPLUGGED),
    ("display", DeviceFault.UNPLUGGED),
    ("camera", DeviceFault.SILENT),
    ("etc", DeviceFault.SILENT),
)
"""What a lane's devices look like from outside while the box has no power."""

_UNSETTLED = "SELECT count(*) FROM orders WHERE work AND state <> 'refund_stuck'"
"""Orders somebody still has to ask about; one the platform refuses to refund is a person's."""
_OPEN = (
    "SELECT count(*) FROM orders WHERE state IN"
    " ('created', 'sent', 'waiting', 'unknown', 'closing')"
)


@dataclass(slots=True, kw_only=True)
class World:
    """Everything of one run. Made by ``build_world``."""

    seed: int
    heap: Heap
    plant: Plant
    site: Site
    phones: Phones
    platforms: dict[str, WorldPlatform]
    plazas: tuple[PlazaProcess, ...]
    """Its processes, all on one store."""
    plaza_store: Store
    lanes: dict[LaneId, LaneProcess]
    models: dict[LaneId, LaneModels]
    journals: dict[LaneId, Engine]
    disks: dict[str, Disk]
    clocks: dict[str, MachineClock]
    lines: dict[str, Line]
    tap: Wiretap
    captures: CaptureWatch
    faults: tuple[WorldFault, ...]
    fault_kinds: set[str] = field(default_factory=set)
    """Kinds that were armed."""

    bill: BillDay | None = None
    """How the day is closed once all is at rest; None: it is not."""

    tariff_rows: tuple[TariffRow, ...] = ()
    """The run's own tariff; empty: the world's."""
    tariffs: list[TariffSet] = field(default_factory=list)
    """Every version that was put into the plaza's store, the first one included."""

    healed_ns: int | None = None
    """When all faults were ended; None: they were not yet."""

    _boards: dict[DeviceTroubleAt, int] = field(default_factory=dict)
    """Numbers of devices' faults on their boards, as they were armed."""
    _faults_due: int = 0
    """Faults that are still to strike."""

    @property
    def plaza(self) -> PlazaProcess:
        """Return the plaza's first process."""
        return self.plazas[0]

    # ---- running ----

    def start(self) -> None:
        """Start every process and set the faults; call once."""
        for plaza in self.plazas:
            plaza.start()
        for lane_id in sorted(self.lanes):
            self.lanes[lane_id].start()
        for fault in self.faults:
            self.fault_kinds.add(kind_of(fault))
            if not isinstance(fault, KillAtStep):
                self._expect(fault)

    def run_until(self, at_ns: int) -> None:
        """Let everything happen up to an instant."""
        self.heap.run_until(at_ns)

    def run_to_rest(self, *, faults_until_ns: int, rest_within_ns: int) -> bool:
        """Run until every vehicle is gone and nothing is left to do.

        Lanes that are done are switched off, each by itself once no fault is to come: another one
        may have a queue yet, and the plaza may look at an order for an hour; neither needs it.

        Args:   faults_until_ns: from here on nothing fails any more (liveness).
                rest_within_ns: give up so long after that.
        Returns: whether the world came to rest.
        """
        healed_ns: int | None = None
        done = dict.fromkeys(self.lanes, 0)
        while healed_ns is None or self.heap.now_ns < healed_ns + rest_within_ns:
            self.heap.run_until(self.heap.now_ns + LOOK_NS)
            if healed_ns is None and (self.heap.now_ns >= faults_until_ns or self.site.all_gone):
                healed_ns = self.heap.now_ns
                self.heal()
            if healed_ns is not None and self.at_rest:
                return True
            for lane_id, lane in self.lanes.items():
                finished = not (self._faults_due or lane.off) and self._lane_done(lane_id)
                done[lane_id] = done[lane_id] + 1 if finished else 0
                if done[lane_id] == LOOKS_BEFORE_OFF:
                    lane.switch_off()
        return False

    def heal(self) -> None:
        """End all faults."""
        self.healed_ns = self.heap.now_ns
        for disk in self.disks.values():
            disk.heal()
        for line in self.lines.values():
            line.heal()
        for clock in self.clocks.values():
            clock.set_right()
        for platform in self.platforms.values():
            platform.clear_fault()
        now_ns = self.heap.now_ns
        for lane_id in sorted(self.models):
            models = self.models[lane_id]
            models.io.clear()
            models.scanner.clear()
            models.display.clear(now_ns=now_ns)
            models.camera.clear()
            models.etc.clear()
            self._mend_barrier(lane_id)
            self._devices_changed(lane_id)

    def close(self) -> None:
        """Give back the connections to the store its processes keep; nothing runs after it."""
        for plaza in self.plazas:
            plaza.on_death()

    # ---- rest ----

    @property
    def at_rest(self) -> bool:
        """Return whether every vehicle is gone and every promise kept."""
        if not self.site.all_gone or not all(plaza.alive for plaza in self.plazas):
            return False
        return self._lanes_done() and self._count(_UNSETTLED) == 0

    def _lanes_done(self) -> bool:
        """Return whether no lane has anything left to do or to tell."""
        return all(self._lane_done(lane_id) for lane_id in self.lanes)

    def _lane_done(self, lane_id: LaneId) -> bool:
        lane = self.lanes[lane_id]
        engine = lane.engine
        if not (lane.alive or lane.off) or engine is None or self.site.comes_to(lane_id):
            return False
        if engine.unsent_records or not engine.idle or not engine.state.empty:
            return False
        if any(self.models[lane_id].io.relay(output) for output in PULSE_OUTPUTS):
            return False  # Its boom is told to move at this moment.
        # What it still has to tell follows that acknowledgement.
        return not lane.outside.broker.untold

    @property
    def unsent_records(self) -> int:
        """Return how many sealed records the plaza has not acknowledged; a lane that is down
        counts as one."""
        engines = [lane.engine for lane in self.lanes.values()]
        return sum(1 if engine is None else engine.unsent_records for engine in engines)

    @property
    def open_orders(self) -> int:
        """Return how many orders the plaza's store holds undecided."""
        return self._count(_OPEN)

    def _count(self, sql: str) -> int:
        # By the driver: it is asked every second of a world at its end.
        connection = self.plaza_store.engine.raw_connection()
        try:
            (count,) = connection.cursor().execute(sql).fetchone()
        finally:
            connection.close()
        return int(count)

    # ---- faults ----

    def _expect(self, fault: WorldFault) -> None:
        assert not isinstance(fault, KillAtStep)
        self._faults_due += 1
        self.heap.schedule(fault.at_ms * NS_PER_MS, lambda: self._strike(fault))

    def _strike(self, fault: WorldFault) -> None:
        self._faults_due -= 1
        self.heap.note("fault", kind_of(fault), "")
        now_ns = self.heap.now_ns
        match fault:
            case KillAt():
                self.process(fault.process).kill(fault.down_ms)
            case CommitTrouble():
                self.disks[fault.process].trouble(fault)
            case LineTrouble():
                self.lines[fault.line].trouble(fault)
            case ClockJump() | ClockDrift():
                self._clock(fault)
            case PlatformTrouble():
                self.platforms[fault.platform].inject(fault.fault, now_ns)
            case DeviceTroubleAt():
                lane_id = LaneId(fault.lane_id)
                self._boards[fault] = self._device(lane_id, fault.device, fault.trouble)
            case LanePowerLoss():
                self._power(fault)
            case BarrierTrouble():
                self._barrier(fault)
            case TariffSwitch():
                self._tariff(fault)
            case KillAtStep():
                raise AssertionError("a kill at a step is the process's own")
            case _:
                assert_never(fault)

    def _clock(self, fault: ClockJump | ClockDrift) -> None:
        clock = self.clocks[fault.process]
        if isinstance(fault, ClockJump):
            clock.jump(fault.offset_ms, noticed=fault.noticed)
        else:
            clock.drift(fault.ppm)
        self.heap.after(fault.for_ms * NS_PER_MS, clock.set_right)

    def _device(self, lane_id: LaneId, device: str, trouble: DeviceTrouble) -> int:
        number: int = getattr(self.models[lane_id], device).inject(trouble, self.heap.now_ns)
        self._devices_changed(lane_id)
        if trouble.for_ms is not None:
            after_ns = trouble.for_ms * NS_PER_MS
            self.heap.after(after_ns, lambda: self._devices_changed(lane_id))
        return number

    def over_ns(self, fault: DeviceTroubleAt) -> int | None:
        """Return when a device's fault is over: after its time, when it has acted as often as it
        may, or where all faults were ended; None: it stands at the end of the run."""
        at_ns, for_ms = fault.at_ms * NS_PER_MS, fault.trouble.for_ms
        ends = [] if for_ms is None else [at_ns + for_ms * NS_PER_MS]
        if self.healed_ns is not None and self.healed_ns >= at_ns:
            ends.append(self.healed_ns)
        model = getattr(self.models[LaneId(fault.lane_id)], fault.device)
        ends += [
            view.used_up_ns
            for view in model.faults(self.heap.now_ns)
            if view.fault_id == self._boards.get(fault) and view.used_up_ns is not None
        ]
        return min(ends, default=None)

    def _power(self, fault: LanePowerLoss) -> None:
        """Everything in the lane's box goes off, the process first; the boom does as it is made."""
        lane_id, now_us = LaneId(fault.lane_id), us(self.heap.now_ns)
        self.lanes[lane_id].kill(fault.for_ms)
        self.plant.boom_power(lane_id, False, now_us)
        for device, kind in _WITHOUT_POWER:
            self._device(lane_id, device, DeviceTrouble(kind=kind, for_ms=fault.for_ms))
        self._later_mended(lane_id, fault.for_ms)

    def _barrier(self, fault: BarrierTrouble) -> None:
        lane_id, now_us = LaneId(fault.lane_id), us(self.heap.now_ns)
        match fault.kind:
            case BarrierFault.POWER:
                self.plant.boom_power(lane_id, False, now_us)
            case BarrierFault.JAM:
                self.plant.boom_jam(lane_id, now_us, at_mdeg=fault.mdeg)
            case BarrierFault.SLOW:
                self._boom_times(lane_id, fault.percent)
            case BarrierFault.HAND_UP:
                self.plant.boom_by_hand(lane_id, Heading.UP, now_us)
        self.site.road_changed()
        self._later_mended(lane_id, fault.for_ms)

    def _later_mended(self, lane_id: LaneId, after_ms: int) -> None:
        def mend() -> None:
            self._mend_barrier(lane_id)
            self.site.road_changed()

        self.heap.after(after_ms * NS_PER_MS, mend)

    def _mend_barrier(self, lane_id: LaneId) -> None:
        now_us = us(self.heap.now_ns)
        self.plant.boom_power(lane_id, True, now_us)
        self.plant.boom_unjam(lane_id, now_us)
        self._boom_times(lane_id, 100)

    def _boom_times(self, lane_id: LaneId, percent: int) -> None:
        geometry = self.site.geometry(lane_id)
        self.plant.boom_times(
            lane_id,
            us(self.heap.now_ns),
            raise_us=geometry.raise_us * percent // 100,
            lower_us=geometry.lower_us * percent // 100,
        )

    def _tariff(self, fault: TariffSwitch) -> None:
        now_ms = self.heap.wall_base_ms + self.heap.now_ns // NS_PER_MS
        version = len(self.tariffs) + 1
        tariff = changed_tariff(
            version=version,
            percent=fault.percent,
            from_ms=now_ms + fault.notice_ms,
            now_ms=now_ms,
            rows=self.tariff_rows,
        )
        self.put_tariff(tariff, now_ms)

    def put_tariff(self, tariff: TariffSet, now_ms: int) -> None:
        """Put a signed version of the tariff into the plaza's store, as its operator does."""
        self.tariffs.append(tariff)
        unit = PutSet(
            envelope=wrap_tariff(tariff, key_id=PLAZA_KEY_ID, sign=plaza_sign), now_ms=now_ms
        )
        (result,) = commit_group(self.plaza_store.engine, [[unit]])
        if isinstance(result, Exception):
            raise result

    def _devices_changed(self, lane_id: LaneId) -> None:
        self.models[lane_id].display.refresh(self.heap.now_ns)
        self.site.road_changed()
        ports = self.lanes[lane_id].ports
        if ports is not None:
            ports.trouble_came_or_went()

    def process(self, name: str) -> Process:
        """Return a process by its name."""
        for plaza in self.plazas:
            if plaza.name == name:
                return plaza
        by_name: dict[str, Process] = {lane_name(each): self.lanes[each] for each in self.lanes}
        return by_name[name]
