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
"""Name of the plaza's (first) process; a lane's is ``lane 001``."""
PLAZA_BROKER = "plaza-broker"
"""The line over which all processes of the plaza reach the broker."""


def plaza_names(count: int) -> tuple[str, ...]:
    """Return the names of the plaza's processes on one store: ``plaza``, ``plaza 2``, ..."""
    return (PLAZA, *(f"{PLAZA} {number}" for number in range(2, count + 1)))


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
    """``lane 001-plaza``, ``lane 001-broker``, ``plaza-platform``, ``plaza 2-platform`` or
    ``plaza-broker``."""
    at_ms: int
    for_ms: int
    cut: bool = False
    lost_permille: int = 0
    ms: int = 0
    """How much later everything arrives."""
    doubled_permille: int = 0
    """Of the messages: somebody on the way (a proxy, a broker) sends each once more."""
    spread_ms: int = 0
    """Each message takes up to so much longer, by chance: later ones overtake earlier ones."""
    late_permille: int = 0
    late_ms: int = 0
    """So many messages arrive *late_ms* later, when nobody waits for them any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJump:
    """A machine's wall clock is set wrong, and right again after a while."""

    process: str
    at_ms: int
    for_ms: int
    offset_ms: int
    noticed: bool = False
    """The machine knows meanwhile that its clock is bad (``clock_quality``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockDrift:
    """A machine's oscillator is off: its timers and its wall clock run too fast or too slow; after
    a while it runs right again, and the wall clock is set right in one step."""

    process: str
    at_ms: int
    for_ms: int
    ppm: int
    """Millionths too fast, below 0 too slow; -200,000..200,000. A bad crystal has 100, a stolen
    virtual machine far more."""

    def __post_init__(self) -> None:
        assert -200_000 <= self.ppm <= 200_000, "ppm: -200000..200000"


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePowerLoss:
    """A whole lane box loses its power: the process, its modules, its devices and the barrier.

    Relays drop, the boom does what its ``power_fail`` says, and every device is as it was left
    when the power comes back.
    """

    lane_id: str
    at_ms: int
    for_ms: int


class BarrierFault(StrEnum):
    """What can befall the barrier itself."""

    POWER = "power"
    """The motor has no power: the boom does what its ``power_fail`` says."""
    JAM = "jam"
    """Something blocks the boom at *mdeg*, or where it is."""
    SLOW = "slow"
    """The motor takes *percent* of its usual time."""
    HAND_UP = "hand_up"
    """Somebody raises it by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BarrierTrouble:
    """The barrier itself misbehaves for a while."""

    lane_id: str
    at_ms: int
    for_ms: int
    kind: BarrierFault
    mdeg: int | None = None
    """Of JAM: the angle in thousandths of a degree; None: where the boom is."""
    percent: int = 400
    """Of SLOW, 100 and up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffSwitch:
    """The next version of the tariff is put into the plaza's store, and comes into force later.

    Every toll is *percent* of the first version's. The lanes are told by the plaza, as always.
    """

    at_ms: int
    notice_ms: int
    """From being put to being in force."""
    percent: int

    def __post_init__(self) -> None:
        assert self.notice_ms >= 0, "a tariff is not changed backwards"
        assert self.percent > 0, "a tariff has tolls"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformTrouble:
    """Arm one of a platform model's faults."""

    at_ms: int
    fault: Fault
    platform: str = "alipay"
    """Its name."""


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
    | ClockDrift
    | LanePowerLoss
    | BarrierTrouble
    | TariffSwitch
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
            return _line_kind(fault)
        case ClockJump():
            return "clock_jump"
        case ClockDrift():
            return "clock_drift"
        case LanePowerLoss():
            return "lane_power_loss"
        case BarrierTrouble():
            return f"barrier_{fault.kind}"
        case TariffSwitch():
            return "tariff_switch"
        case KillAtStep() | KillAt():
            return "kill"


def _line_kind(fault: LineTrouble) -> str:
    if fault.cut:
        return "line_cut"
    if fault.lost_permille:
        return "line_lossy"
    if fault.doubled_permille:
        return "line_doubles"
    if fault.late_permille:
        return "line_late"
    return "line_reorders" if fault.spread_ms else "line_slow"
