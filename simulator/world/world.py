"""One whole plaza in virtual time: its processes, its outside, and when it is at rest."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Engine, text

from plaza_server.store import Store
from simulator.models.alipay import AlipayModel
from simulator.plant import Plant
from simulator.world.clock import MachineClock
from simulator.world.disk import Disk
from simulator.world.faults import (
    PLAZA,
    ClockJump,
    CommitTrouble,
    DeviceTroubleAt,
    KillAt,
    KillAtStep,
    LineTrouble,
    PlatformTrouble,
    WorldFault,
    kind_of,
    lane_name,
)
from simulator.world.heap import Heap
from simulator.world.lane_process import LaneProcess
from simulator.world.links import Line, Wiretap
from simulator.world.phones import Phones
from simulator.world.plaza_process import PlazaProcess
from simulator.world.ports import LaneModels
from simulator.world.process import Process
from simulator.world.site import Site
from tolling.clock import NS_PER_MS, NS_PER_S
from tolling.ids import LaneId

LOOK_NS = NS_PER_S
"""How often a run is asked whether it is at rest."""

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
    platform: AlipayModel
    plaza: PlazaProcess
    plaza_store: Store
    lanes: dict[LaneId, LaneProcess]
    models: dict[LaneId, LaneModels]
    journals: dict[LaneId, Engine]
    disks: dict[str, Disk]
    clocks: dict[str, MachineClock]
    lines: dict[str, Line]
    tap: Wiretap
    faults: tuple[WorldFault, ...]
    fault_kinds: set[str] = field(default_factory=set)
    """Kinds that were armed."""

    # ---- running ----

    def start(self) -> None:
        """Start every process and set the faults; call once."""
        self.plaza.start()
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

        Args:   faults_until_ns: from here on nothing fails any more (liveness).
                rest_within_ns: give up so long after that.
        Returns: whether the world came to rest.
        """
        healed_ns: int | None = None
        while healed_ns is None or self.heap.now_ns < healed_ns + rest_within_ns:
            self.heap.run_until(self.heap.now_ns + LOOK_NS)
            if healed_ns is None and (self.heap.now_ns >= faults_until_ns or self.site.all_gone):
                healed_ns = self.heap.now_ns
                self.heal()
            if healed_ns is not None and self.at_rest:
                return True
        return False

    def heal(self) -> None:
        """End all faults."""
        for disk in self.disks.values():
            disk.heal()
        for line in self.lines.values():
            line.heal()
        for clock in self.clocks.values():
            clock.offset_ms = 0
        self.platform.clear_fault()
        now_ns = self.heap.now_ns
        for lane_id in sorted(self.models):
            models = self.models[lane_id]
            models.io.clear()
            models.scanner.clear()
            models.display.clear(now_ns=now_ns)
            models.camera.clear()
            models.etc.clear()
            self._devices_changed(lane_id)

    # ---- rest ----

    @property
    def at_rest(self) -> bool:
        """Return whether every vehicle is gone and every promise kept."""
        processes: list[Process] = [self.plaza, *self.lanes.values()]
        if not self.site.all_gone or not all(process.alive for process in processes):
            return False
        return self.unsent_records == 0 and self._lanes_empty() and self._count(_UNSETTLED) == 0

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

    def _lanes_empty(self) -> bool:
        for lane in self.lanes.values():
            engine = lane.engine
            if engine is None or not engine.idle or not engine.state.empty:
                return False
        return True

    def _count(self, sql: str) -> int:
        with self.plaza_store.engine.connect() as connection:
            return int(connection.execute(text(sql)).scalar_one())

    # ---- faults ----

    def _expect(self, fault: WorldFault) -> None:
        assert not isinstance(fault, KillAtStep)
        self.heap.schedule(fault.at_ms * NS_PER_MS, lambda: self._strike(fault))

    def _strike(self, fault: WorldFault) -> None:
        self.heap.note("fault", kind_of(fault), "")
        now_ns = self.heap.now_ns
        match fault:
            case KillAt():
                self.process(fault.process).kill(fault.down_ms)
            case CommitTrouble():
                self.disks[fault.process].trouble(fault)
            case LineTrouble():
                self.lines[fault.line].trouble(fault)
            case ClockJump():
                self._jump(fault)
            case PlatformTrouble():
                self.platform.inject(fault.fault, now_ns)
            case DeviceTroubleAt():
                lane_id = LaneId(fault.lane_id)
                getattr(self.models[lane_id], fault.device).inject(fault.trouble, now_ns)
                self._devices_changed(lane_id)
                if fault.trouble.for_ms is not None:
                    after_ns = fault.trouble.for_ms * NS_PER_MS
                    self.heap.after(after_ns, lambda: self._devices_changed(lane_id))
            case KillAtStep():
                raise AssertionError("a kill at a step is the process's own")

    def _jump(self, fault: ClockJump) -> None:
        clock = self.clocks[fault.process]
        clock.offset_ms += fault.offset_ms

        def back() -> None:
            if clock.offset_ms:
                clock.offset_ms -= fault.offset_ms

        self.heap.after(fault.for_ms * NS_PER_MS, back)

    def _devices_changed(self, lane_id: LaneId) -> None:
        self.models[lane_id].display.refresh(self.heap.now_ns)
        self.site.road_changed()
        ports = self.lanes[lane_id].ports
        if ports is not None:
            ports.trouble_came_or_went()

    def process(self, name: str) -> Process:
        """Return a process by its name."""
        if name == PLAZA:
            return self.plaza
        by_name: dict[str, Process] = {lane_name(each): self.lanes[each] for each in self.lanes}
        return by_name[name]
