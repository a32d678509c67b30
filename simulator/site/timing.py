"""How long a driver waits from his code to the open boom, in the plant's own time.

A code counts from the microsecond its last byte is on the line. Straight passages (one whole fresh
code, paid without a password, no cash) are what the lane's own speed is judged by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from simulator.emulators.scanner import OnDelivered
from simulator.people import CodeKind, ShowCode, WalletWill
from simulator.plant import Contact, LogEntry, PlantEdge, What
from simulator.site.lane_site import LaneSite
from simulator.site.road import Road
from tolling.ids import LaneId
from tolling.inputs import Output

KEPT_MAX = 100_000
"""Passages kept; the oldest go first."""
_STRAIGHT = (CodeKind.FRESH, CodeKind.SAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One passage's way from scan to open boom."""

    vehicle_id: int
    lane: LaneId
    scan_us: int
    """The last byte of the code that was delivered last before the raise."""
    raise_us: int
    """The raise contact closed."""
    boom_up_us: int | None
    """The upper limit was reached; None: not yet."""
    straight: bool
    codes: int
    """Codes held up by this driver until then."""

    @property
    def scan_to_raise_us(self) -> int:
        """Return what the lane controller, plaza and platform took."""
        return self.raise_us - self.scan_us

    @property
    def scan_to_boom_up_us(self) -> int | None:
        """Return what the driver waited, or None while he still does."""
        return None if self.boom_up_us is None else self.boom_up_us - self.scan_us


@dataclass(slots=True)
class _Shown:
    vehicle_id: int
    codes: int
    straight: bool
    scan_us: int | None = None


class Timings:
    """Measures every lane of a site."""

    def __init__(self, road: Road, lanes: Mapping[LaneId, LaneSite]) -> None:
        self._road = road
        self._shown: dict[LaneId, _Shown] = {}
        self._open: dict[LaneId, int] = {}
        self._done: dict[int, Timing] = {}
        for lane, site in lanes.items():
            site.scanner.on_delivered = self._listener(lane)
        road.listen(self._turn)

    @property
    def all(self) -> tuple[Timing, ...]:
        """Return all passages measured, the oldest first."""
        return tuple(self._done.values())

    def shown(self, lane: LaneId, vehicle_id: int, show: ShowCode) -> None:
        """A driver holds up a code."""
        before = self._shown.get(lane)
        codes = before.codes if before is not None and before.vehicle_id == vehicle_id else 0
        straight = codes == 0 and show.code in _STRAIGHT and show.will is WalletWill.PAYS
        self._shown[lane] = _Shown(vehicle_id, codes + 1, straight)

    def _listener(self, lane: LaneId) -> OnDelivered:
        def delivered(whole: bool) -> None:
            shown = self._shown.get(lane)
            if shown is not None and whole:
                shown.scan_us = self._road.now_us()

        return delivered

    def _turn(self, edges: tuple[PlantEdge, ...], entries: tuple[LogEntry, ...]) -> None:
        del edges
        for entry in entries:
            if isinstance(entry, Contact):
                if entry.output is Output.RAISE and entry.closed and entry.acted:
                    self._raised(entry)
            elif isinstance(entry, PlantEdge) and entry.what is What.BOOM_UP and entry.on:
                number = self._open.pop(entry.lane, None)
                if number is not None:
                    self._done[number] = replace(self._done[number], boom_up_us=entry.at_us)

    def _raised(self, entry: Contact) -> None:
        shown = self._shown.get(entry.lane)
        if shown is None or shown.scan_us is None or shown.vehicle_id in self._done:
            return
        if len(self._done) >= KEPT_MAX:
            del self._done[next(iter(self._done))]
        self._done[shown.vehicle_id] = Timing(
            vehicle_id=shown.vehicle_id,
            lane=entry.lane,
            scan_us=shown.scan_us,
            raise_us=entry.at_us,
            boom_up_us=None,
            straight=shown.straight,
            codes=shown.codes,
        )
        self._open[entry.lane] = shown.vehicle_id
