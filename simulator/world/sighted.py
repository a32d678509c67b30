"""What is known of the lanes from outside them, for the auditor: when they were blind or without
something, what the tariffs said and when a lane could know, and which orders people gave."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.auditor.evidence import (
    AuditedTariff,
    Blind,
    CashWord,
    Held,
    Hindered,
    Hindrance,
    LimitFault,
    Lying,
    Ordered,
    Untold,
)
from simulator.models.device_faults import DeviceFault
from simulator.plant.events import What
from simulator.world.clock import us
from simulator.world.faults import (
    ClockDrift,
    ClockJump,
    DeviceTroubleAt,
    LanePowerLoss,
    LineTrouble,
    lane_name,
)
from simulator.world.world import World
from tolling.inputs import Output, Point
from tolling.messages import CommandOutcome, OperatorAction

US_PER_MS = 1_000
UNREAD = frozenset(
    {
        DeviceFault.SILENT,
        DeviceFault.SLOW,
        DeviceFault.REBOOT,
        DeviceFault.DROPPED,
        DeviceFault.CORRUPTED,
        DeviceFault.ANSWER_LOST,
    }
)
"""Faults of a module whose points cannot be read meanwhile, or not in time."""
CURTAIN_LIES = frozenset({DeviceFault.CUT_WIRE, DeviceFault.STUCK_0, DeviceFault.STUCK_1})
READS_HELD = frozenset({DeviceFault.CUT_WIRE, DeviceFault.STUCK_0, DeviceFault.CROSSTALK})
NO_PLATE = frozenset({DeviceFault.SILENT, DeviceFault.SLOW, DeviceFault.UNREADABLE})
OF_INPUTS = CURTAIN_LIES | {DeviceFault.CHATTER, DeviceFault.CROSSTALK}
OF_OUTPUTS = frozenset({DeviceFault.OUTPUT_DEAD})
_HINDERS: dict[str, Hindrance] = {
    Output.RAISE: Hindrance.RAISE,
    Output.LANE_GREEN: Hindrance.LAMP,
    Point.BOOM_UP: Hindrance.LIMIT,
    Point.BOOM_DOWN: Hindrance.LIMIT,
    Point.LOOP_1: Hindrance.DETECTOR,
    Point.LOOP_2: Hindrance.DETECTOR,
    Point.CURTAIN: Hindrance.DETECTOR,
}
"""What a lane cannot do where the input or output of that name is sick."""
LOOP_LIES = frozenset({DeviceFault.CROSSTALK, DeviceFault.STUCK_1})
SEEN_LATE = frozenset({DeviceFault.SLOW, DeviceFault.SILENT, DeviceFault.REBOOT})
LIMIT_READS = {
    DeviceFault.CUT_WIRE: False,
    DeviceFault.STUCK_0: False,
    DeviceFault.STUCK_1: True,
    DeviceFault.CHATTER: None,
}
"""What a limit switch's input reads, whatever the switch does; None: now this, now that."""
_LIMITS = {Point.BOOM_UP: What.BOOM_UP, Point.BOOM_DOWN: What.BOOM_DOWN}
AT_WINDOW_MS = 60_000
"""So long before it drives on a vehicle may have come, and its plate not have been read."""


def blind(world: World) -> Iterator[Blind]:
    """Yield every while in which a lane could not read its inputs."""
    for lane_id in sorted(world.lanes):
        process = world.lanes[lane_id]
        starts = process.started_ns[1:]
        for number, died_ns in enumerate(process.deaths_ns):
            until_us = us(starts[number]) if number < len(starts) else None
            yield Blind(lane_id=lane_id, from_us=us(died_ns), until_us=until_us, dead=True)
    for fault in world.faults:
        match fault:
            case LanePowerLoss():
                until_us = (fault.at_ms + fault.for_ms) * US_PER_MS
                yield _unread(fault.lane_id, fault.at_ms, until_us)
            case DeviceTroubleAt(device="io") if fault.trouble.kind in UNREAD:
                yield _unread(fault.lane_id, fault.at_ms, _over_us(world, fault))


def _unread(lane_id: str, at_ms: int, until_us: int | None) -> Blind:
    return Blind(lane_id=lane_id, from_us=at_ms * US_PER_MS, until_us=until_us, dead=False)


def _over_us(world: World, fault: DeviceTroubleAt) -> int | None:
    over_ns = world.over_ns(fault)
    return None if over_ns is None else us(over_ns)


def hindered(world: World) -> Iterator[Hindered]:
    """Yield every while in which a fault beside its program kept a lane from letting anybody
    through, or from being heard."""
    lines = {
        f"{lane_name(lane_id)}-{other}": (lane_id, what)
        for lane_id in world.lanes
        for other, what in (("plaza", Hindrance.DEAF), ("broker", Hindrance.MUTE))
    }
    for fault in world.faults:
        match fault:
            case LineTrouble() if fault.line in lines:
                until_us = (fault.at_ms + fault.for_ms) * US_PER_MS
                lane_id, what = lines[fault.line]
                yield Hindered(
                    lane_id=lane_id,
                    what=what,
                    from_us=fault.at_ms * US_PER_MS,
                    until_us=until_us,
                )
            case DeviceTroubleAt():
                for what in _hindrances(fault):
                    yield Hindered(
                        lane_id=fault.lane_id,
                        what=what,
                        from_us=fault.at_ms * US_PER_MS,
                        until_us=_over_us(world, fault),
                    )


def _hindrances(fault: DeviceTroubleAt) -> tuple[Hindrance, ...]:
    """Return what a fault of a reader, or of inputs or outputs of a module, keeps a lane from; one
    that names no place is of any."""
    if fault.device == "etc":
        return (Hindrance.READER,)
    if fault.device != "io":
        return ()
    kind, where = fault.trouble.kind, fault.trouble.where
    if where in _HINDERS:
        return (_HINDERS[where],)
    if where == "" and kind in OF_INPUTS:
        return (Hindrance.LIMIT, Hindrance.DETECTOR)
    return (Hindrance.RAISE, Hindrance.LAMP) if where == "" and kind in OF_OUTPUTS else ()


def untold(world: World) -> Iterator[Untold]:
    """Yield every while in which a lane's curtain lied and its camera had read no plate."""
    troubles = [fault for fault in world.faults if isinstance(fault, DeviceTroubleAt)]
    for fault in troubles:
        trouble = fault.trouble
        curtain = fault.device == "io" and trouble.where == Point.CURTAIN
        if not curtain or trouble.kind not in CURTAIN_LIES:
            continue
        until_ms = _end_ms(fault)
        if any(
            other.device == "camera"
            and other.lane_id == fault.lane_id
            and other.trouble.kind in NO_PLATE
            and other.at_ms <= until_ms
            and fault.at_ms - AT_WINDOW_MS <= _end_ms(other)
            for other in troubles
        ):
            from_us, until_us = fault.at_ms * US_PER_MS, until_ms * US_PER_MS
            yield Untold(lane_id=fault.lane_id, from_us=from_us, until_us=until_us)


def held(world: World) -> Iterator[Held]:
    """Yield every while in which a lane's loop 1 may have read held with nobody on it."""
    for fault in world.faults:
        match fault:
            case DeviceTroubleAt(device="io") if fault.trouble.kind in READS_HELD:
                if fault.trouble.where in ("", Point.LOOP_1):
                    from_us, until_us = fault.at_ms * US_PER_MS, _end_ms(fault) * US_PER_MS
                    yield Held(lane_id=fault.lane_id, from_us=from_us, until_us=until_us)


def lying(world: World) -> Iterator[Lying]:
    """Yield every while in which a lane's loops need not show who was there. What comes and goes
    while a module is slow or silent is seen late, together, or never."""
    for fault in world.faults:
        if not isinstance(fault, DeviceTroubleAt) or fault.device != "io":
            continue
        kind = fault.trouble.kind
        loop = fault.trouble.where in ("", Point.LOOP_1, Point.LOOP_2)
        if (loop and kind in LOOP_LIES) or kind in SEEN_LATE:
            yield Lying(
                lane_id=fault.lane_id,
                from_us=fault.at_ms * US_PER_MS,
                until_us=_over_us(world, fault),
            )


def limit_faults(world: World) -> Iterator[LimitFault]:
    """Yield every while in which a limit's input did not follow its switch. What a fault that fires
    so many times makes of it nobody can tell from outside."""
    for fault in world.faults:
        if not isinstance(fault, DeviceTroubleAt) or fault.device != "io":
            continue
        trouble = fault.trouble
        if trouble.kind not in LIMIT_READS:
            continue
        for point, what in _LIMITS.items():
            if trouble.where in ("", point):
                yield LimitFault(
                    lane_id=fault.lane_id,
                    what=what,
                    reads=LIMIT_READS[trouble.kind] if trouble.times is None else None,
                    from_us=fault.at_ms * US_PER_MS,
                    until_us=_over_us(world, fault),
                )


def _end_ms(fault: DeviceTroubleAt) -> int:
    """Return when a device works again; one that fails a few times does so within a minute."""
    for_ms = fault.trouble.for_ms
    return fault.at_ms + (AT_WINDOW_MS if for_ms is None else for_ms)


def tariffs(world: World) -> Iterator[AuditedTariff]:
    """Yield every version that was put into the plaza."""
    for each in world.tariffs:
        rows = tuple(
            (row.entry_station, int(row.vehicle_class), row.toll_fen, row.distance_m)
            for row in each.rows
        )
        from_us = (each.effective_from_ms - world.heap.wall_base_ms) * US_PER_MS
        yield AuditedTariff(version=each.version, from_us=from_us, rows=rows)


def tariffs_heard(world: World) -> Iterator[tuple[str, int, int]]:
    """Yield when each version was first answered to each lane."""
    for lane_id in sorted(world.lanes):
        for version, at_ns in world.lanes[lane_id].tariffs_heard.items():
            yield lane_id, version, us(at_ns)


def clocks_off(world: World) -> Iterator[str]:
    """Yield the lanes whose wall clock was wrong at times."""
    wrong = {fault.process for fault in world.faults if isinstance(fault, ClockJump | ClockDrift)}
    for lane_id in sorted(world.lanes):
        if lane_name(lane_id) in wrong:
            yield lane_id


def clocks_set_back(world: World) -> Iterator[tuple[str, int]]:
    """Yield when each lane's wall clock was set to an earlier time than it showed."""
    for lane_id in sorted(world.lanes):
        for at_ns in world.clocks[lane_name(lane_id)].set_back_ns:
            yield lane_id, us(at_ns)


def ordered(world: World) -> Iterator[Ordered]:
    """Yield every order of a person to let a vehicle through."""
    for lane_id, booth in sorted(world.site.booths.items()):
        for order in booth.let_through:
            yield Ordered(
                lane_id=lane_id,
                at_us=us(order.at_ns),
                passage_id=order.passage_id,
                vehicle_id=order.vehicle_id,
            )


def cash(world: World) -> Iterator[CashWord]:
    """Yield every word about cash."""
    for lane_id, booth in sorted(world.site.booths.items()):
        for vehicle_id, words in booth.cash.items():
            for said in words:
                result = said.result
                yield CashWord(
                    lane_id=lane_id,
                    vehicle_id=vehicle_id,
                    taken=said.action is OperatorAction.CASH_TAKEN,
                    at_us=us(said.at_ns),
                    answered_us=None if said.answered_ns is None else us(said.answered_ns),
                    accepted=result is not None and result.outcome is CommandOutcome.CONFIRMED,
                    reason="" if result is None else result.reason,
                )
