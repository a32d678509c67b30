"""Every fault the simulator knows, where it exists, and what it looks like in virtual time.

``docs/faults.md`` is written from here (``toll-sim faults > docs/faults.md``); a test holds the
page and the enums against each other, so that no kind is added in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from simulator.models.device_faults import DeviceFault
from simulator.models.faults import STAGES, PlatformFault
from simulator.world.faults import BarrierFault, CommitFate
from simulator.world.swarm import LEFT_OUT

_BY_DEVICE: dict[str, frozenset[DeviceFault]] = {
    "io": frozenset(
        {
            DeviceFault.CUT_WIRE,
            DeviceFault.STUCK_1,
            DeviceFault.STUCK_0,
            DeviceFault.CHATTER,
            DeviceFault.CROSSTALK,
            DeviceFault.OUTPUT_DEAD,
            DeviceFault.SILENT,
            DeviceFault.REBOOT,
            DeviceFault.SLOW,
            DeviceFault.DROPPED,
            DeviceFault.CORRUPTED,
            DeviceFault.ANSWER_LOST,
        }
    ),
    "scanner": frozenset(
        {
            DeviceFault.HALF_CODE,
            DeviceFault.GLUED_CODES,
            DeviceFault.REPEATED_CODE,
            DeviceFault.PREVIOUS_CODE,
            DeviceFault.LOST_CODE,
            DeviceFault.UNPLUGGED,
            DeviceFault.SLOW,
        }
    ),
    "display": frozenset({DeviceFault.DARK, DeviceFault.UNPLUGGED}),
    "camera": frozenset(
        {DeviceFault.UNREADABLE, DeviceFault.MISREAD, DeviceFault.SILENT, DeviceFault.SLOW}
    ),
    "etc": frozenset(
        {DeviceFault.SILENT, DeviceFault.SLOW, DeviceFault.REFUSES, DeviceFault.ANSWER_LOST}
    ),
}


class Face(StrEnum):
    """Where a fault exists."""

    BOTH = "world and wires"
    """The model has it, so both faces show it."""
    WORLD = "world"
    """Virtual time only; ``WORLD_ONLY`` says why."""
    BYTES = "wires; in the world as named"
    """It is about bytes, which the world's device ports have none of."""


_A_DISK = "a real disk takes commits or is full"
_TCP = "TCP loses, doubles and delays no single message; cut the line or make it slow"
WORLD_ONLY: Mapping[str, str] = {
    "commit_fails": _A_DISK,
    "commit_answer_lost": _A_DISK,
    "commit_slow": _A_DISK,
    "line_lossy": _TCP,
    "line_doubles": _TCP,
    "line_late": _TCP,
    "clock_drift": "all processes share this machine's oscillator",
}
"""Kinds that real processes cannot have, each with the reason; every other kind exists on wires."""
AT_A_STEP = "the steps of a real process cannot be counted from outside"
TOLD_OF_IT = "a real process is not told of it"
IN_PART: Mapping[str, str] = {
    "kill": f"on wires at an instant alone: {AT_A_STEP}",
    "clock_jump": f"on wires never noticed by the process: {TOLD_OF_IT}",
    "line_reorders": "on wires between connections: TCP keeps the order of each",
}
"""Kinds of which wires have a part, and which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultEntry:
    """One kind of fault."""

    target: str
    """Device, ``platform``, ``process``, ``line``, ``disk``, ``clock``, ``barrier``, ``lane`` or
    ``plaza``."""
    kind: str
    face: Face
    what: str
    in_world: str
    """What the lane or the plaza sees of it in virtual time."""
    note: str = ""
    """What of it wires cannot show, and why; empty: nothing."""


_DEVICE_TEXTS: dict[DeviceFault, tuple[Face, str, str]] = {
    DeviceFault.CUT_WIRE: (
        Face.BOTH,
        "an input gets no current",
        "a detector reads occupied, a limit not reached",
    ),
    DeviceFault.STUCK_1: (
        Face.BOTH,
        "an input always reads energised",
        "a detector reads free, a limit reached",
    ),
    DeviceFault.STUCK_0: (Face.BOTH, "an input never reads energised", "as a cut wire"),
    DeviceFault.CHATTER: (Face.BOTH, "an input flips", "the input flips"),
    DeviceFault.CROSSTALK: (
        Face.BOTH,
        "a loop also sees the lane beside (where the model was told which lane that is)",
        "the loop reads occupied while that lane's is",
    ),
    DeviceFault.OUTPUT_DEAD: (
        Face.BOTH,
        "a relay draws and its contact does not close",
        "the command is done, nothing moves",
    ),
    DeviceFault.SILENT: (Face.BOTH, "the device answers nothing", "timeout, then unavailable"),
    DeviceFault.REBOOT: (
        Face.BOTH,
        "a module restarts: relays drop, then silence",
        "outputs drop, timeout, then unavailable",
    ),
    DeviceFault.SLOW: (Face.BOTH, "everything takes longer", "late, from 0.3 s on a timeout"),
    DeviceFault.DROPPED: (Face.BYTES, "a request is lost on its way", "timeout, nothing done"),
    DeviceFault.CORRUPTED: (
        Face.BYTES,
        "an answer has one byte wrong",
        "protocol error: done, and nobody knows",
    ),
    DeviceFault.ANSWER_LOST: (
        Face.BOTH,
        "done, and the answer never comes",
        "timeout: done, and nobody knows",
    ),
    DeviceFault.UNPLUGGED: (Face.BOTH, "the plug is out", "unavailable"),
    DeviceFault.HALF_CODE: (Face.BOTH, "half a code, no terminator", "nothing is delivered"),
    DeviceFault.GLUED_CODES: (Face.BOTH, "two codes in one delivery", "no pay code"),
    DeviceFault.REPEATED_CODE: (Face.BOTH, "the same code again", "a second scan"),
    DeviceFault.PREVIOUS_CODE: (Face.BOTH, "the code read before this one", "another's code"),
    DeviceFault.LOST_CODE: (Face.BOTH, "a beep and no bytes", "nothing is delivered"),
    DeviceFault.DARK: (Face.BOTH, "frames are taken, nothing is shown", "the driver sees nothing"),
    DeviceFault.UNREADABLE: (Face.BOTH, "a vehicle without a plate", "a read without a plate"),
    DeviceFault.MISREAD: (Face.BOTH, "one character read wrong", "another plate"),
    DeviceFault.REFUSES: (Face.BOTH, "the tag refuses the charge", "refused, with its reason"),
}
_PLATFORM_TEXTS: dict[PlatformFault, tuple[str, str]] = {
    PlatformFault.DROPPED_BEFORE: ("never processed, the connection breaks", "unknown"),
    PlatformFault.PROCESSED_LATE: ("carried out late, never answered", "unknown, then a capture"),
    PlatformFault.HTTP_5XX: ("a proxy answers 502; carried out or not", "unknown"),
    PlatformFault.HTTP_429: ("a proxy answers 429", "unknown"),
    PlatformFault.GATEWAY_ERROR: ("a signed 20000; carried out or not", "unknown"),
    PlatformFault.ERROR_BURST: ("20000, system error and 502 in turn", "unknown, breaker"),
    PlatformFault.UNSIGNED_ERROR: ("an unsigned configuration error", "unknown, suspended, alarm"),
    PlatformFault.BUSINESS_REFUSED: ("a signed refusal; carried out or not", "as signed"),
    PlatformFault.CANCEL_REFUSED: ("cancel refused, try again", "still open"),
    PlatformFault.CANCEL_LIES: ("cancel says done and did nothing", "found by the second query"),
    PlatformFault.PASSWORD_WAIT: ("the buyer enters a password later", "waiting"),
    PlatformFault.CHARGED_WRONG: ("takes more than was asked", "mismatch, refunded whole"),
    PlatformFault.WRONG_AMOUNT: ("says more than it took", "mismatch, refund refused for good"),
    PlatformFault.FOREIGN_ORDER: ("signed, about another lane's order", "unknown, alarm"),
    PlatformFault.AWKWARD_JSON: ("a legal answer that is hard to verify", "as signed"),
    PlatformFault.BAD_SIGNATURE: ("the signature is of other bytes", "unknown, alarm"),
    PlatformFault.MISSING_SIGNATURE: ("no signature", "unknown, alarm"),
    PlatformFault.DUPLICATE_NODE: ("a second, unsigned node says paid", "unknown, alarm"),
    PlatformFault.TRUNCATED: ("the body ends in its middle", "unknown"),
    PlatformFault.HALF_ANSWER: ("the connection breaks in the body", "unknown"),
    PlatformFault.ANSWER_LOST: ("carried out, no byte of answer", "unknown"),
    PlatformFault.SLOW: ("answered late; for minutes: a degraded platform", "late or unknown"),
    PlatformFault.KEY_CHANGED: ("signs with a key nobody was told of", "unknown, alarm, till told"),
    PlatformFault.SIGNATURE_PROBE: (
        "a signature made to be refused",
        "unknown, alarm; WeChat's without one",
    ),
    PlatformFault.STALE_ANSWER: ("signed for an instant long ago (WeChat)", "unknown, alarm"),
    PlatformFault.CERTIFICATE_EXPIRED: ("the TLS handshake fails", "not sent"),
}
_COMMIT_TEXTS: dict[CommitFate, tuple[str, str]] = {
    CommitFate.FAILS: ("the transaction is rolled back", "told that it failed"),
    CommitFate.FULL: (
        "no space",
        "SQLite may add no page (`max_page_count`): what fits is stored, the rest is refused",
    ),
    CommitFate.ANSWER_LOST: ("stored, and the process is told it failed", "stored unknowingly"),
    CommitFate.SLOW: ("takes up to seconds", "over 1 s: a degraded mode"),
}
_BARRIER_TEXTS: dict[BarrierFault, tuple[Face, str, str]] = {
    BarrierFault.POWER: (Face.BOTH, "the motor has no power", "power_fail open, hold or free"),
    BarrierFault.JAM: (Face.BOTH, "something blocks the boom", "no limit in time"),
    BarrierFault.SLOW: (Face.BOTH, "the motor is slow", "late limits, from 3 s a fault"),
    BarrierFault.HAND_UP: (Face.BOTH, "somebody raises it by hand", "movement without command"),
}
_OTHERS: tuple[tuple[str, str, str, str], ...] = (
    ("process", "kill", "kill -9 at an instant, or at any commit or send", "object dropped"),
    ("lane", "lane_power_loss", "the whole lane box goes dark", "kill, reboot, power_fail"),
    ("line", "line_cut", "nothing crosses", "unreachable, timeout, broker away"),
    ("line", "line_lossy", "some messages are lost", "timeout"),
    ("line", "line_slow", "everything arrives later", "late or timeout"),
    ("line", "line_doubles", "a proxy or broker sends messages twice", "a second request"),
    ("line", "line_reorders", "later messages overtake earlier ones", "another order"),
    ("line", "line_late", "some messages come when nobody waits", "late request or answer"),
    ("clock", "clock_jump", "the wall clock is set wrong and right again", "another time"),
    ("clock", "clock_drift", "timers and wall clock run too fast or slow", "another pace"),
    ("plaza", "tariff_switch", "a new tariff version comes into force", "another price"),
)


def entries() -> Iterator[FaultEntry]:
    """Yield every kind of fault, by target."""
    for entry in _all():
        if entry.kind in WORLD_ONLY:
            yield replace(entry, face=Face.WORLD, note=WORLD_ONLY[entry.kind])
        else:
            yield replace(entry, note=IN_PART.get(entry.kind, ""))


def _all() -> Iterator[FaultEntry]:
    """Yield every kind as if wires could have it."""
    for device, kinds in _BY_DEVICE.items():
        for kind in DeviceFault:
            if kind in kinds:
                face, what, in_world = _DEVICE_TEXTS[kind]
                yield _entry(device, f"{device}_{kind.value}", what, in_world, face)
    for fault in STAGES:
        yield _entry("platform", f"platform_{fault.value}", *_PLATFORM_TEXTS[fault])
    for fate in CommitFate:
        yield _entry("disk", f"commit_{fate.value}", *_COMMIT_TEXTS[fate])
    for barrier in BarrierFault:
        face, what, in_world = _BARRIER_TEXTS[barrier]
        yield _entry("barrier", f"barrier_{barrier.value}", what, in_world, face)
    for target, name, what, in_world in _OTHERS:
        yield _entry(target, name, what, in_world)


def _entry(target: str, kind: str, what: str, in_world: str, face: Face = Face.BOTH) -> FaultEntry:
    return FaultEntry(target=target, kind=kind, face=face, what=what, in_world=in_world)


_HEAD = """# Faults

Written by `toll-sim faults > docs/faults.md`; a test holds it against the code.

A fault's kind is the name reports count it by. Faults of devices and platforms are the models' own,
so the virtual world and the wires show the same thing. What is about a device's bytes exists on
wires and appears in virtual time as what its driver makes of it: a timeout, unavailable, a protocol
error.
Processes, disks, lines and clocks of the virtual world are the world's own; on wires (`toll-sim
scenario --wires`) kill -9, a small disk, a proxy between two processes, a wall clock for each
process and an unplugged pty do the same. What real processes cannot have says so with its reason.
Two plaza processes on one store (`WorldConfig.plazas`) are no fault but a way to run.
"""


def page() -> str:
    """Return docs/faults.md."""
    lines = [
        _HEAD,
        "| target | kind | where | what happens | in virtual time |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {entry.target} | `{entry.kind}` | {entry.face.value}"
        f"{f' ({entry.note})' if entry.note else ''} | {entry.what} | {entry.in_world} |"
        for entry in entries()
    ]
    lines += ["", "Seeds (`toll-sim fuzz`) draw all of them but:"]
    lines += [f"- `{kind}`: {why}." for kind, why in LEFT_OUT.items()]
    return "\n".join(lines) + "\n"
