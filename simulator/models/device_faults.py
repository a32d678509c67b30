"""What can go wrong with a lane's devices, and which fault acts now.

Faults of one device stand on one board. A standing fault (a cut wire, a silent module) is asked
about with ``standing``; one that hits single events (a half code, a lost answer) is drawn with
``draw``. Both count: a run can show that what it armed really acted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MAX_ARMED = 64
"""Faults armed at once on one device; more is a loop in the caller."""
MAX_MS = 600_000


class DeviceFault(StrEnum):
    """One way a device misbehaves. *where* names a point, an output or a module, where one is
    meant."""

    CUT_WIRE = "cut_wire"
    """Input *where* gets no current any more: a detector wired energised = free reads occupied."""
    STUCK_1 = "stuck_1"
    """Input *where* always reads energised: a shorted wire, a welded contact."""
    STUCK_0 = "stuck_0"
    """Input *where* always reads without current."""
    CHATTER = "chatter"
    """Input *where* flips every *ms*."""
    OUTPUT_DEAD = "output_dead"
    """Output *where* takes the command and its contact does not close."""
    SILENT = "silent"
    """The device (module *where*; empty = all) takes what comes and answers nothing."""
    SLOW = "slow"
    """Everything takes *ms* longer."""
    DROPPED = "dropped"
    """A request gets lost on its way; nothing is done and nothing answered."""
    CORRUPTED = "corrupted"
    """An answer arrives with one byte wrong."""
    UNPLUGGED = "unplugged"
    """Its plug is out."""
    HALF_CODE = "half_code"
    """The scanner delivers the first half of a code, without a terminator."""
    GLUED_CODES = "glued_codes"
    """The scanner delivers a code twice without a terminator between them."""
    REPEATED_CODE = "repeated_code"
    """The scanner delivers the code again after *ms*."""
    PREVIOUS_CODE = "previous_code"
    """The scanner delivers the code it read before this one."""
    LOST_CODE = "lost_code"
    """The scanner beeps and delivers nothing."""
    DARK = "dark"
    """The display takes its frames and shows nothing."""
    UNREADABLE = "unreadable"
    """The camera sees a vehicle and no plate."""
    MISREAD = "misread"
    """The camera reads one character wrong."""
    REFUSES = "refuses"
    """The reader refuses the charge."""
    ANSWER_LOST = "answer_lost"
    """Carried out, and the answer never comes."""
    REBOOT = "reboot"
    """Module *where* restarts: its relays drop at once and it is silent while the fault stands."""
    CROSSTALK = "crosstalk"
    """Loop *where* also sees what stands on the same loop of the lane beside it."""


SINGLE = frozenset(
    {
        DeviceFault.OUTPUT_DEAD,
        DeviceFault.DROPPED,
        DeviceFault.CORRUPTED,
        DeviceFault.HALF_CODE,
        DeviceFault.GLUED_CODES,
        DeviceFault.REPEATED_CODE,
        DeviceFault.PREVIOUS_CODE,
        DeviceFault.LOST_CODE,
        DeviceFault.UNREADABLE,
        DeviceFault.MISREAD,
        DeviceFault.REFUSES,
        DeviceFault.ANSWER_LOST,
    }
)
"""Faults that hit single events, which can be counted; the others stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTrouble:
    """One fault to arm."""

    kind: DeviceFault
    where: str = ""
    """Point, output or module it speaks of; empty = any."""
    skip: int = 0
    """Events it could hit that go by before it acts at all; 0 where it stands."""
    times: int | None = None
    """How often it fires before it is used up; None = until cleared."""
    for_ms: int | None = None
    """How long it stays armed; None = no limit of time."""
    ms: int = 0
    """Duration the kind speaks of, 0..600,000."""

    def __post_init__(self) -> None:
        assert self.skip >= 0, "skip: 0 and up"
        assert self.skip == 0 or self.kind in SINGLE, (
            f"{self.kind} stands: say when it begins and how long it lasts, not which event it hits"
        )
        assert self.times is None or self.times >= 1, "times: 1 and up, or none"
        assert self.for_ms is None or self.for_ms >= 1, "for_ms: 1 and up, or none"
        assert 0 <= self.ms <= MAX_MS, "ms: 0..600000"


@dataclass(frozen=True, slots=True, kw_only=True)
class TroubleView:
    """One armed or used-up fault and its counts."""

    fault_id: int
    trouble: DeviceTrouble
    armed: bool
    fired: int
    """How often it acted on an event, or was found standing."""
    used_up_ns: int | None
    """When it acted for the last of its times; None: it has some left, or is not counted."""


@dataclass(slots=True, kw_only=True)
class _Armed:
    fault_id: int
    trouble: DeviceTrouble
    until_ns: int | None
    cleared: bool = False
    passed: int = 0
    fired: int = 0
    used_up_ns: int | None = None

    def armed(self, now_ns: int) -> bool:
        if self.cleared or (self.until_ns is not None and now_ns >= self.until_ns):
            return False
        return self.trouble.times is None or self.fired < self.trouble.times


class TroubleBoard:
    """The faults of one device."""

    def __init__(self, kinds: frozenset[DeviceFault]) -> None:
        self._kinds = kinds
        self._board: dict[int, _Armed] = {}
        self._known: set[DeviceFault] = set()
        """Kinds that were ever armed: of the others nothing needs to be looked for."""
        self._next_id = 1

    @property
    def kinds(self) -> frozenset[DeviceFault]:
        """Return the faults this device can have."""
        return self._kinds

    @property
    def untouched(self) -> bool:
        """Return whether nothing was ever armed: nothing can act, and nothing is counted."""
        return not self._known

    def inject(self, trouble: DeviceTrouble, now_ns: int) -> int:
        """Arm *trouble* and return its number.

        Raises: ValueError: this device cannot have it, or too many are armed.
        """
        if trouble.kind not in self._kinds:
            raise ValueError(
                f"this device has no fault {trouble.kind}: it has {sorted(self._kinds)}"
            )
        for fault_id in [k for k, entry in self._board.items() if not entry.armed(now_ns)]:
            if len(self._board) < MAX_ARMED:
                break
            del self._board[fault_id]
        if len(self._board) >= MAX_ARMED:
            raise ValueError(f"{MAX_ARMED} faults are armed already: clear some")
        until = None if trouble.for_ms is None else now_ns + trouble.for_ms * 1_000_000
        entry = _Armed(fault_id=self._next_id, trouble=trouble, until_ns=until)
        self._board[entry.fault_id] = entry
        self._known.add(trouble.kind)
        self._next_id += 1
        return entry.fault_id

    def clear(self, fault_id: int | None = None) -> bool:
        """Disarm one fault, or all; counts stay readable. Returns False: the number is unknown."""
        if fault_id is None:
            for entry in self._board.values():
                entry.cleared = True
            return True
        found = self._board.get(fault_id)
        if found is None:
            return False
        found.cleared = True
        return True

    def views(self, now_ns: int) -> tuple[TroubleView, ...]:
        """Return every fault still known, in the order they were armed."""
        return tuple(
            TroubleView(
                fault_id=entry.fault_id,
                trouble=entry.trouble,
                armed=entry.armed(now_ns),
                fired=entry.fired,
                used_up_ns=entry.used_up_ns,
            )
            for entry in self._board.values()
        )

    def draw(self, kind: DeviceFault, now_ns: int, *, where: str = "") -> DeviceTrouble | None:
        """Return the oldest armed fault of *kind* that speaks of *where*, and count it as fired."""
        if kind not in self._known:
            return None
        for entry in self._board.values():
            trouble = entry.trouble
            if trouble.kind is kind and trouble.where in ("", where) and entry.armed(now_ns):
                if entry.passed < trouble.skip:
                    entry.passed += 1
                    continue
                entry.fired += 1
                if entry.fired == trouble.times:
                    entry.used_up_ns = now_ns
                return trouble
        return None

    def standing(self, kind: DeviceFault, now_ns: int, *, where: str = "") -> bool:
        """Return whether a fault of *kind* holds now, and count it as fired."""
        return kind in self._known and self.draw(kind, now_ns, where=where) is not None

    def delay_ns(self, now_ns: int, *, where: str = "") -> int:
        """Return how much longer than usual the device takes now."""
        slow = self.draw(DeviceFault.SLOW, now_ns, where=where)
        return 0 if slow is None else slow.ms * 1_000_000

    def holds(self, kind: DeviceFault, now_ns: int, *, where: str = "") -> DeviceTrouble | None:
        """Return what ``draw`` would, without counting it."""
        if kind not in self._known:
            return None
        for entry in self._board.values():
            trouble = entry.trouble
            if trouble.kind is kind and trouble.where in ("", where) and entry.armed(now_ns):
                return trouble
        return None

    def next_change_ns(self, now_ns: int) -> int | None:
        """Return when a fault's time is up next, or None where none is limited in time."""
        ends = [
            entry.until_ns
            for entry in self._board.values()
            if entry.until_ns is not None and entry.armed(now_ns)
        ]
        return min(ends) if ends else None
