"""The fee display: one way, and people believe what it shows."""

from __future__ import annotations

from simulator.models.device_faults import DeviceFault, DeviceTrouble, TroubleBoard, TroubleView
from simulator.plant import Plant
from tolling.ids import LaneId
from tolling.pictures import DisplayPicture, picture_lines

_FAULTS = frozenset({DeviceFault.DARK, DeviceFault.UNPLUGGED})


class FeeDisplayModel:
    """One fee display with its pass lamp."""

    def __init__(self, plant: Plant, lane: LaneId) -> None:
        self._plant = plant
        self.lane = lane
        self._board = TroubleBoard(_FAULTS)
        self._lines: tuple[str, ...] = ()
        self._green = False
        self.frames = 0
        """How often something was shown."""

    def inject(self, trouble: DeviceTrouble, now_ns: int) -> int:
        """Arm a fault and return its number. Raises: ValueError: not a fault of a display."""
        fault_id = self._board.inject(trouble, now_ns)
        self.refresh(now_ns)
        return fault_id

    def clear(self, fault_id: int | None = None, *, now_ns: int | None = None) -> bool:
        """Disarm one fault, or all. Returns False where the number is unknown."""
        found = self._board.clear(fault_id)
        if now_ns is not None:
            self.refresh(now_ns)
        return found

    def faults(self, now_ns: int) -> tuple[TroubleView, ...]:
        """Return all faults and their counts."""
        return self._board.views(now_ns)

    def plugged(self, now_ns: int) -> bool:
        """Return whether its plug is in."""
        return self._board.holds(DeviceFault.UNPLUGGED, now_ns) is None

    def next_change_ns(self, now_ns: int) -> int | None:
        """Return when a fault's time is up next, or None."""
        return self._board.next_change_ns(now_ns)

    @property
    def lines(self) -> tuple[str, ...]:
        """Return the lines last taken, shown or not."""
        return self._lines

    def show_picture(self, picture: DisplayPicture, now_ns: int) -> None:
        """Show *picture* (the face of the virtual world)."""
        self.show(picture_lines(picture), picture.green, now_ns)

    def show(self, lines: tuple[str, ...], green: bool, now_ns: int) -> None:
        """Show *lines* and the display's own lamp (the face of the wires)."""
        if self._board.standing(DeviceFault.UNPLUGGED, now_ns):
            return
        self.frames += 1
        self._lines, self._green = lines, green
        if self._board.standing(DeviceFault.DARK, now_ns):
            self._put((), False, now_ns)
        else:
            self._put(lines, green, now_ns)

    def refresh(self, now_ns: int) -> None:
        """Put on the road what can be seen now, after a fault came or went."""
        dark = self._board.holds(DeviceFault.DARK, now_ns) is not None
        seen = not dark and self.plugged(now_ns)
        self._put(self._lines if seen else (), self._green and seen, now_ns)

    def _put(self, lines: tuple[str, ...], green: bool, now_ns: int) -> None:
        at_us = max(now_ns // 1_000, self._plant.now_us)
        self._plant.show(self.lane, lines, green, at_us)
