"""What is possible now: mode of the lane, devices, links, store, tariffs, clock.

Every degraded mode has a name, a reason and a start time. None of them stops a vehicle that has
paid, and cash
works in all of them.
"""

from __future__ import annotations

from lane_controller.core import commands as cmd
from lane_controller.core import identify, interlock, paying
from lane_controller.core.draft import Draft
from lane_controller.core.events import (
    DeviceChanged,
    EpochGranted,
    FaultCaught,
    LinkChanged,
    Started,
    StoreChanged,
    StoreState,
    TariffsInstalled,
    WalletsChanged,
)
from lane_controller.core.states import LaneMode, Phase
from tolling.alarms import AlarmCode, Degraded
from tolling.clock import ClockQuality
from tolling.devices import Device, Health
from tolling.inputs import Output
from tolling.tariffs import TariffSet, in_force

DEGRADED_OF: dict[Device, Degraded] = {
    Device.DISPLAY: Degraded.NO_DISPLAY,
    Device.VOICE: Degraded.NO_VOICE,
    Device.SCANNER: Degraded.NO_SCANNER,
    Device.CAMERA: Degraded.NO_CAMERA,
    Device.ETC: Degraded.NO_ETC,
    Device.BARRIER: Degraded.BARRIER_FAULT,
}

# Before 2025-01-01 no lane of this program existed: a clock that says so was never set.
CLOCK_SANE_FROM_MS = 1_735_660_800_000
# Passages of a lane without an epoch are numbered from the wall clock, so that a lost journal
# repeats none.
UNENROLLED_BASE_S = 1_700_000_000


def started(draft: Draft) -> None:
    """Take up the new boot: links and devices must be heard of again."""
    fact = draft.event.fact
    assert isinstance(fact, Started)
    draft.put(
        boot_id=fact.boot_id,
        plaza_up=False,
        broker_up=False,
        store=StoreState.FULL if draft.state.store is StoreState.FULL else StoreState.OK,
        devices={},
        canopy_green=False,
    )
    first = draft.state.mode_reason == "not started"
    if first and draft.state.config.opens_at_start:
        draft.put(mode=LaneMode.OPEN, mode_reason="opens at start")
    if first and draft.state.epoch == 0:
        number = draft.event.wall.utc_ms // 1000 - UNENROLLED_BASE_S
        draft.put(next_passage_no=max(1, min(number, 900_000_000)))
    if draft.state.epoch == 0:
        draft.alarm(AlarmCode.NO_EPOCH, "", "the plaza has not enrolled this lane yet")
    draft.clear(AlarmCode.STORE_SLOW)
    draft.restore(Degraded.SLOW_STORE)
    if draft.state.tariff is None:
        draft.alarm(AlarmCode.NO_TARIFF, "", "no valid tariff set is in the lane")
    draft.degrade(Degraded.NO_PLAZA, "not heard of since the start")
    draft.note("started", "first start" if fact.downtime_ms is None else f"{fact.downtime_ms} ms")


def device_changed(draft: Draft) -> None:
    """A device came or went: name the degraded mode, and bring its picture back."""
    fact = draft.event.fact
    assert isinstance(fact, DeviceChanged)
    draft.put(devices={**draft.state.devices, fact.device.value: fact.health})
    degraded = DEGRADED_OF.get(fact.device)
    if fact.health is Health.LOST:
        draft.alarm(AlarmCode.DEVICE_LOST, fact.device.value, fact.what)
        if degraded is not None:
            draft.degrade(degraded, fact.what)
        return
    if fact.health is Health.CONNECTING:
        return
    draft.clear(AlarmCode.DEVICE_LOST, fact.device.value)
    if degraded is not None and fact.device is not Device.BARRIER:
        draft.restore(degraded)
    elif fact.device is Device.BARRIER and not _barrier_alarms(draft):
        draft.restore(Degraded.BARRIER_FAULT)
    if fact.device in (Device.LAMPS, Device.BARRIER):
        interlock.tell_lamps(draft)  # A module that was without power has forgotten them.
    if fact.device is Device.SCANNER and draft.state.scanner_on:
        draft.emit(cmd.SetScanner(on=True))
    if fact.device in (Device.DISPLAY, Device.VOICE):
        _tell_again(draft)


def _barrier_alarms(draft: Draft) -> bool:
    codes = {AlarmCode.BOOM_LIMITS, AlarmCode.BOOM_NOT_DOWN, AlarmCode.BOOM_NOT_UP}
    return any(AlarmCode(alarm.code) in codes for alarm in draft.state.alarms)


def _tell_again(draft: Draft) -> None:
    if draft.state.phase is Phase.HELD and draft.passage.toll_due_fen:
        identify.show_toll(draft)  # It waited for exactly this.
    elif draft.state.picture is not None:
        draft.emit(cmd.ShowPicture(picture=draft.state.picture))


def link_changed(draft: Draft) -> None:
    """The plaza or the broker came or went."""
    fact = draft.event.fact
    assert isinstance(fact, LinkChanged)
    plaza = fact.link == "plaza"
    code = AlarmCode.PLAZA_LOST if plaza else AlarmCode.BROKER_LOST
    degraded = Degraded.NO_PLAZA if plaza else Degraded.NO_BROKER
    draft.put(**{"plaza_up" if plaza else "broker_up": fact.up})
    if fact.up:
        draft.clear(code)
        draft.restore(degraded)
        if plaza:
            paying.phone_money_back(draft)
        return
    draft.alarm(code, "", f"the {fact.link} does not answer")
    draft.degrade(degraded, f"the {fact.link} does not answer")
    if plaza and draft.state.phase is Phase.TENDER:
        paying.offer_other_tender(draft)


def tariffs_installed(draft: Draft) -> None:
    """Checked sets are in the lane; passages already priced keep their price."""
    fact = draft.event.fact
    assert isinstance(fact, TariffsInstalled)
    assert fact.sets, "a tariff message without sets"
    draft.put(tariffs=fact.sets)
    if draft.state.tariff is None:
        draft.put(tariff=_first(fact.sets, draft))
    draft.clear(AlarmCode.NO_TARIFF)
    if draft.state.phase is Phase.HELD and draft.passage.quote is None:
        identify.price(draft)


def _first(sets: tuple[TariffSet, ...], draft: Draft) -> TariffSet:
    earliest = min(sets, key=lambda each: (each.effective_from_ms, each.version))
    return in_force(sets, current=earliest, now=draft.event.wall)


def epoch_granted(draft: Draft) -> None:
    """The plaza enrolled the lane: numbers of the new epoch begin at 1."""
    fact = draft.event.fact
    assert isinstance(fact, EpochGranted)
    # Epochs only grow: an older one again would use its passage numbers twice.
    if fact.epoch > draft.state.epoch:
        draft.put(epoch=fact.epoch, next_passage_no=1)
        draft.note("epoch_granted", str(fact.epoch))
    draft.clear(AlarmCode.NO_EPOCH)


def wallets_changed(draft: Draft) -> None:
    """Platforms went off or came back: a driver at the window is told at once."""
    fact = draft.event.fact
    assert isinstance(fact, WalletsChanged)
    before = paying.phone_money_possible(draft)
    # Not a notice of its own: the plaza has the alarm, and a code that is turned away says why.
    draft.put(wallets_off=fact.off)
    after = paying.phone_money_possible(draft)
    if after and not before:
        paying.phone_money_back(draft)
    elif before and not after and draft.state.phase is Phase.TENDER:
        paying.offer_other_tender(draft)


def store_changed(draft: Draft) -> None:
    """The journal is slow, full or well again."""
    fact = draft.event.fact
    assert isinstance(fact, StoreChanged)
    draft.put(store=fact.store)
    if fact.store is StoreState.SLOW:
        draft.alarm(AlarmCode.STORE_SLOW, "", "a commit takes longer than 1 s")
        draft.degrade(Degraded.SLOW_STORE, "a commit takes longer than 1 s")
    else:
        draft.clear(AlarmCode.STORE_SLOW)
        draft.restore(Degraded.SLOW_STORE)
    if fact.store is StoreState.FULL:
        draft.alarm(
            AlarmCode.DISK_FULL, "", "the journal cannot grow: free space on the lane's disk"
        )
        draft.degrade(Degraded.DISK_FULL, "the journal cannot grow")
        if draft.state.mode is LaneMode.OPEN:
            draft.put(mode=LaneMode.CLOSING, mode_reason="disk_full")
    elif fact.store is StoreState.OK:
        draft.clear(AlarmCode.DISK_FULL)
        draft.restore(Degraded.DISK_FULL)
        if draft.state.mode_reason == "disk_full":
            was_closed = draft.state.mode is LaneMode.CLOSED
            draft.put(mode=LaneMode.OPEN, mode_reason="space again")
            if was_closed:
                identify.serve_held(draft)


def fault_caught(draft: Draft) -> None:
    """The program itself failed: only raise and stop move anything until a person resets."""
    fact = draft.event.fact
    assert isinstance(fact, FaultCaught)
    draft.put(mode=LaneMode.ATTENDED_ONLY, mode_reason=fact.what)
    draft.scanner(False)
    draft.alarm(AlarmCode.CORE_FAULT, "", fact.what)
    draft.degrade(Degraded.ATTENDED_ONLY, fact.what)


# ---- joint rules ----


def close_when_empty(draft: Draft) -> bool:
    """A closing lane is closed once nobody is in it."""
    if draft.state.mode is LaneMode.CLOSING and draft.state.empty:
        draft.put(mode=LaneMode.CLOSED)
        return True
    return False


def canopy_follows(draft: Draft) -> bool:
    """The canopy lamp says whether the lane takes vehicles."""
    green = draft.state.mode is LaneMode.OPEN
    if green is draft.state.canopy_green:
        return False
    draft.put(canopy_green=green)
    draft.emit(cmd.SetOutput(output=Output.CANOPY_GREEN, on=green))
    return True


def tariff_follows(draft: Draft) -> bool:
    """A tariff comes into force between vehicles; a bad clock keeps the one in force."""
    state = draft.state
    if state.tariff is None or not state.tariffs:
        return False
    now = in_force(state.tariffs, current=state.tariff, now=draft.event.wall)
    if now is state.tariff:
        return False
    same = now == state.tariff
    # The same content read from the journal is another object: compared once, not at every event.
    draft.put(tariff=now)
    if same:
        return False
    draft.note("tariff_in_force", f"{now.tariff_id} version {now.version}")
    return True


def phone_money_follows(draft: Draft) -> bool:
    """No phone money is a degraded mode with a name, whatever causes it."""
    possible = paying.phone_money_possible(draft)
    before = draft.state.degraded
    if possible and not before:
        return False
    if possible:
        draft.restore(Degraded.NO_PHONE_MONEY)
    else:
        draft.degrade(Degraded.NO_PHONE_MONEY, _why_no_phone(draft))
    return draft.state.degraded != before


def _why_no_phone(draft: Draft) -> str:
    if draft.state.epoch == 0:
        return "the lane is not enrolled"
    if not draft.state.plaza_up:
        return "the plaza does not answer"
    full = draft.state.store is StoreState.FULL
    return "the journal is full" if full else "no platform takes payments"


def clock_follows(draft: Draft) -> bool:
    """A wall clock that is not to be trusted is a degraded mode."""
    wall = draft.event.wall
    bad = wall.quality is ClockQuality.BAD or wall.utc_ms < CLOCK_SANE_FROM_MS
    stands = any(mode.name is Degraded.CLOCK_BAD for mode in draft.state.degraded)
    if bad == stands:
        return False
    if bad:
        draft.alarm(AlarmCode.CLOCK_BAD, "", "the wall clock is not to be trusted")
        draft.degrade(Degraded.CLOCK_BAD, "the wall clock is not to be trusted")
    else:
        draft.clear(AlarmCode.CLOCK_BAD)
        draft.restore(Degraded.CLOCK_BAD)
    return True
