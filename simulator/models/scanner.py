"""The code scanner: a code is held before it, and it delivers bytes with a terminator.

In trigger mode it reads only while triggered: a code held up before is read when the trigger comes,
if it is still there. Codes are secrets, also simulated ones: they are kept for the faults that
repeat them and shown by no ``repr``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.models.device_faults import DeviceFault, DeviceTrouble, TroubleBoard, TroubleView

READ_MS = 60
"""From a code in view to its first byte on the line, usual for an image scanner."""
HOLD_MS = 4_000
"""How long a driver holds the phone up."""
REPEAT_MS = 300
_FAULTS = frozenset(
    {
        DeviceFault.HALF_CODE,
        DeviceFault.GLUED_CODES,
        DeviceFault.REPEATED_CODE,
        DeviceFault.PREVIOUS_CODE,
        DeviceFault.LOST_CODE,
        DeviceFault.UNPLUGGED,
        DeviceFault.SLOW,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Bytes the scanner sends, beginning at an instant."""

    at_ns: int
    data: bytes = field(repr=False)
    """With its terminator, where it has one."""
    whole: bool = True
    """Whether the terminator is there: a lane must drop what comes without."""


class ScannerModel:
    """One scanner."""

    def __init__(self, *, suffix: bytes = b"\r\n", trigger_mode: bool = False) -> None:
        self.suffix = suffix
        self.trigger_mode = trigger_mode
        self._triggered = not trigger_mode
        self._board = TroubleBoard(_FAULTS)
        self._last = b""
        self._held: tuple[bytes, bool, bool] | None = None
        self._held_until_ns = 0

    @property
    def triggered(self) -> bool:
        """Return whether the scanner reads now."""
        return self._triggered

    def inject(self, trouble: DeviceTrouble, now_ns: int) -> int:
        """Arm a fault and return its number. Raises: ValueError: not a fault of a scanner."""
        return self._board.inject(trouble, now_ns)

    def clear(self, fault_id: int | None = None) -> bool:
        """Disarm one fault, or all. Returns False where the number is unknown."""
        return self._board.clear(fault_id)

    def faults(self, now_ns: int) -> tuple[TroubleView, ...]:
        """Return all faults and their counts."""
        return self._board.views(now_ns)

    def plugged(self, now_ns: int) -> bool:
        """Return whether its plug is in."""
        return self._board.holds(DeviceFault.UNPLUGGED, now_ns) is None

    def next_change_ns(self, now_ns: int) -> int | None:
        """Return when a fault's time is up next, or None."""
        return self._board.next_change_ns(now_ns)

    def set_trigger(self, on: bool, now_ns: int) -> tuple[Delivery, ...]:
        """Start or stop reading. Returns what is read of a code that is held up already."""
        if not self.trigger_mode:
            return ()
        self._triggered = on
        if not on or self._held is None or now_ns >= self._held_until_ns:
            return ()
        (code, twice, half), self._held = self._held, None
        return self._deliver(code, now_ns, twice=twice, half=half)

    def present(
        self,
        code: bytes,
        now_ns: int,
        *,
        hold_ms: int = HOLD_MS,
        twice: bool = False,
        half: bool = False,
    ) -> tuple[Delivery, ...]:
        """Hold *code* before the scanner. Returns what it delivers; empty while it is not
        triggered.

        Args:   hold_ms: how long it stays there for a trigger that comes later.
                twice: the phone shakes: read two times.
                half: a finger lies over it: only its first half is read, without a terminator.
        """
        if not self._triggered:
            self._held, self._held_until_ns = (code, twice, half), now_ns + hold_ms * 1_000_000
            return ()
        return self._deliver(code, now_ns, twice=twice, half=half)

    def _deliver(
        self, code: bytes, now_ns: int, *, twice: bool, half: bool
    ) -> tuple[Delivery, ...]:
        if self._board.standing(DeviceFault.UNPLUGGED, now_ns):
            return ()
        before, self._last = self._last, code
        if self.trigger_mode:
            # A triggered scanner stops reading after one good read.
            self._triggered = False
        if self._board.draw(DeviceFault.LOST_CODE, now_ns) is not None:
            return ()
        at_ns = now_ns + READ_MS * 1_000_000 + self._board.delay_ns(now_ns)
        if half or self._board.draw(DeviceFault.HALF_CODE, now_ns) is not None:
            return (Delivery(at_ns=at_ns, data=code[: len(code) // 2], whole=False),)
        if self._board.draw(DeviceFault.GLUED_CODES, now_ns) is not None:
            return (Delivery(at_ns=at_ns, data=code + code + self.suffix),)
        if before and self._board.draw(DeviceFault.PREVIOUS_CODE, now_ns) is not None:
            return (Delivery(at_ns=at_ns, data=before + self.suffix),)
        first = Delivery(at_ns=at_ns, data=code + self.suffix)
        again = self._board.draw(DeviceFault.REPEATED_CODE, now_ns)
        if again is None and not twice:
            return (first,)
        gap_ms = REPEAT_MS if again is None else again.ms or REPEAT_MS
        return (first, Delivery(at_ns=at_ns + gap_ms * 1_000_000, data=first.data))
