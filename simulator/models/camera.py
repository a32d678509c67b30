"""The plate camera: sees a vehicle come onto loop 1 and says a plate a little later, if it can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from simulator.models.device_faults import DeviceFault, DeviceTrouble, TroubleBoard, TroubleView
from tolling.vehicles import Plate, PlateColour

READ_MS = 250
"""From the trigger to the answer, usual for a camera that reads by itself."""
GOOD_PERCENT = 96
_DIGITS = "0123456789"
_FAULTS = frozenset(
    {DeviceFault.UNREADABLE, DeviceFault.MISREAD, DeviceFault.SILENT, DeviceFault.SLOW}
)


class Dice(Protocol):
    """A stream of chance; ``random.Random`` fits."""

    def randrange(self, stop: int, /) -> int:
        """Return an integer in 0..stop-1."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What the camera says, and when."""

    at_ns: int
    plate: Plate | None
    confidence_percent: int


class PlateCameraModel:
    """One camera."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._board = TroubleBoard(_FAULTS)

    def inject(self, trouble: DeviceTrouble, now_ns: int) -> int:
        """Arm a fault and return its number. Raises: ValueError: not a fault of a camera."""
        return self._board.inject(trouble, now_ns)

    def clear(self, fault_id: int | None = None) -> bool:
        """Disarm one fault, or all. Returns False where the number is unknown."""
        return self._board.clear(fault_id)

    def faults(self, now_ns: int) -> tuple[TroubleView, ...]:
        """Return all faults and their counts."""
        return self._board.views(now_ns)

    def silent(self, now_ns: int) -> bool:
        """Return whether the camera says nothing at all now."""
        return self._board.holds(DeviceFault.SILENT, now_ns) is not None

    def sees(self, plate: Plate | None, now_ns: int) -> Shot | None:
        """Return what the camera says of a vehicle that carries *plate*; None: nothing at all."""
        if self._board.standing(DeviceFault.SILENT, now_ns):
            return None
        at_ns = now_ns + READ_MS * 1_000_000 + self._board.delay_ns(now_ns)
        unreadable = self._board.draw(DeviceFault.UNREADABLE, now_ns) is not None
        if plate is None or unreadable:
            return Shot(at_ns=at_ns, plate=None, confidence_percent=0)
        if self._board.draw(DeviceFault.MISREAD, now_ns) is None:
            return Shot(at_ns=at_ns, plate=plate, confidence_percent=GOOD_PERCENT)
        return Shot(at_ns=at_ns, plate=self._misread(plate), confidence_percent=70)

    def _misread(self, plate: Plate) -> Plate:
        """Return *plate* with one of its digits read as another."""
        places = [at for at, letter in enumerate(plate.text) if letter in _DIGITS]
        if not places:
            return plate
        at = places[self._dice.randrange(len(places))]
        shift = 1 + self._dice.randrange(9)
        digit = _DIGITS[(_DIGITS.index(plate.text[at]) + shift) % 10]
        text = plate.text[:at] + digit + plate.text[at + 1 :]
        return Plate(text=text, colour=plate.colour)


def colour_of(text: str) -> PlateColour:
    """Return the usual ground colour of a plate: green for the eight-character ones of electric
    cars."""
    return PlateColour.GREEN if len(text) == 8 else PlateColour.BLUE
