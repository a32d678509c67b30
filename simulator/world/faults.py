"""What can go wrong in a run beside the models' own faults: processes, disks, lines, clocks.

A run's faults are values, drawn or written before it starts, so a failing run can be told in one
list and made smaller. Times are milliseconds of world time. Models keep their own vocabulary:
``PlatformTrouble`` and ``DeviceTroubleAt`` only say when one of theirs is armed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from simulator.models.device_faults import DeviceTrouble
from simulator.models.faults import Fault

PLAZA = "plaza"
"""Name of the plaza's process; a lane's is ``lane 001``."""


def lane_name(lane_id: str) -> str:
    """Return the name of a lane's process."""
    return f"lane {lane_id}"


class StepKind(StrEnum):
    """Points in a process's life at which it may be killed by number."""

    COMMIT = "commit"
    """A transaction is about to be committed: killed here, it is rolled back."""
    COMMITTED = "committed"
    """It is durable and nobody has been told."""
    SEND = "send"
    """A request is on its way and its sender has not gone on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KillAtStep:
    """Kill a process when it reaches its step number *step* (1 and up, over all its lives)."""

    process: str
    step: int
    down_ms: int = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KillAt:
    """Kill a process at an instant."""

    process: str
    at_ms: int
    down_ms: int = 2_000


class CommitFate(StrEnum):
    """What becomes of a commit."""

    FAILS = "fails"
    """Nothing of it is stored, and the process is told."""
    FULL = "full"
    """As FAILS, for want of space."""
    ANSWER_LOST = "answer_lost"
    """It is stored. The plaza is told that nobody knows; a lane dies before it is told."""
    SLOW = "slow"
    """It takes *ms* longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitTrouble:
    """A disk misbehaves for a while."""

    process: str
    at_ms: int
    for_ms: int
    fate: CommitFate
    permille: int = 1000
    """Of the commits meanwhile."""
    ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTrouble:
    """A line between two processes is cut, loses or delays for a while."""

    line: str
    """``lane 001-plaza``, ``lane 001-broker`` or ``plaza-platform``."""
    at_ms: int
    for_ms: int
    cut: bool = False
    lost_permille: int = 0
    ms: int = 0
    """How much later everything arrives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJump:
    """A machine's wall clock is set wrong, and right again after a while."""

    process: str
    at_ms: int
    for_ms: int
    offset_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformTrouble:
    """Arm one of the platform model's faults."""

    at_ms: int
    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTroubleAt:
    """Arm one of a device model's faults."""

    at_ms: int
    lane_id: str
    device: str
    """``io``, ``scanner``, ``display``, ``camera`` or ``etc``."""
    trouble: DeviceTrouble


WorldFault = (
    KillAtStep
    | KillAt
    | CommitTrouble
    | LineTrouble
    | ClockJump
    | PlatformTrouble
    | DeviceTroubleAt
)


def kind_of(fault: WorldFault) -> str:
    """Return the kind of a fault as reports count it."""
    match fault:
        case PlatformTrouble():
            return f"platform_{fault.fault.kind}"
        case DeviceTroubleAt():
            return f"{fault.device}_{fault.trouble.kind}"
        case CommitTrouble():
            return f"commit_{fault.fate}"
        case LineTrouble():
            return "line_cut" if fault.cut else "line_lossy" if fault.lost_permille else "line_slow"
        case ClockJump():
            return "clock_jump"
        case KillAtStep() | KillAt():
            return "kill"
