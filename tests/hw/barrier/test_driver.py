"""The barrier driver against modules on real TCP."""

from __future__ import annotations

import asyncio
import struct

import pytest

from hw.ports import BarrierPort
from tests.hw.barrier.rig import (
    ALARM,
    BOOM_DOWN,
    BOOM_UP,
    CURTAIN,
    GREEN,
    LOOP_2,
    LOWER,
    RAISE,
    adam,
    barrier_on,
    free_box,
)
from tests.hw.lines import IoBox, ModbusTcpBox, until
from tolling.devices import Device, Health
from tolling.errors import DeviceBusyError, DeviceError, DeviceUnavailableError
from tolling.inputs import LowerRefusal, Output, Point, Reading

pytestmark = [pytest.mark.wire, pytest.mark.asyncio]
ON, OFF = 0xFF00, 0


async def test_first_read_reports_every_point() -> None:
    """Each point is reported once at the first read, by its wiring's meaning."""
    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        port: BarrierPort = rig.subject
        assert port is rig.subject
        await until(lambda: len(rig.samples) == 5)
        found = {sample.point: sample.reading for sample in rig.samples}
        assert found == {
            Point.BOOM_UP: Reading.OFF,
            Point.BOOM_DOWN: Reading.ON,
            Point.LOOP_1: Reading.OFF,
            Point.LOOP_2: Reading.OFF,
            Point.CURTAIN: Reading.OFF,
        }


async def test_only_changes_are_reported() -> None:
    """A reading that stays is reported once, a change at once."""
    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        await until(lambda: len(rig.box.log) > 12)
        rig.box.coils[CURTAIN] = 0
        await until(lambda: rig.reading(Point.CURTAIN) is Reading.ON)
        assert len(rig.samples) == 6


async def test_start_reads_first_and_sends_nothing_else() -> None:
    """A start on contacts that are open sends no write at all, after reading the state."""
    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        await until(lambda: len(rig.box.log) > 10)
        assert rig.box.writes == []


async def test_start_opens_only_movement_contacts_that_read_closed() -> None:
    """A raise contact left closed is opened; an open lower contact and a burning lamp are left
    alone.
    """
    box = free_box()
    box.coils |= {RAISE: 1, GREEN: 1}
    async with ModbusTcpBox(box) as module, barrier_on(adam(module.port), module) as rig:
        await until(lambda: rig.box.coils[RAISE] == 0)
        await until(lambda: len(rig.samples) == 5)
        assert rig.box.writes == [(RAISE, OFF)]
        first_write = next(n for n, entry in enumerate(box.log) if entry[0] == 5)
        assert all(entry[0] == 1 for entry in box.log[:first_write])
        assert first_write > 0


async def test_raise_is_a_pulse() -> None:
    """A raise closes its contact and opens it again."""
    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        await rig.subject.raise_boom()
        assert rig.box.coils[RAISE] == 1
        await until(lambda: rig.box.coils[RAISE] == 0)
        assert rig.box.writes == [(RAISE, ON), (RAISE, OFF)]


async def test_raise_is_tried_again_where_its_echo_is_lost() -> None:
    """A raise whose answer is lost is sent again and succeeds."""
    lost: list[bytes] = []

    def swallow(pdu: bytes) -> bool:
        first = pdu == struct.pack(">BHH", 5, RAISE, ON) and not lost
        if first:
            lost.append(pdu)
        return first

    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        module.swallow = swallow
        await rig.subject.raise_boom()
        await until(lambda: rig.box.coils[RAISE] == 0)
        assert rig.box.writes == [(RAISE, ON), (RAISE, ON), (RAISE, OFF)]


async def test_pulse_ends_although_its_caller_has_gone() -> None:
    """A caller whose deadline ends while the echo is outstanding leaves no contact closed."""
    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        await until(lambda: len(rig.samples) == 5)
        module.swallow = lambda pdu: pdu[:3] == struct.pack(">BH", 5, RAISE) and pdu[3:] != b"\0\0"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await rig.subject.raise_boom()
        await until(lambda: (RAISE, OFF) in rig.box.writes)
        assert rig.box.coils[RAISE] == 0


async def test_pulse_ends_when_the_driver_is_stopped() -> None:
    """Stopping the driver in the middle of a pulse opens the contact."""
    box = free_box()
    async with ModbusTcpBox(box) as module:
        table = adam(module.port)
        table["outputs"]["raise"]["on_ms"] = 2000
        async with barrier_on(table, module) as rig:
            await rig.subject.raise_boom()
            assert box.coils[RAISE] == 1
        assert box.coils[RAISE] == 0
        assert box.writes == [(RAISE, ON), (RAISE, OFF)]


async def test_contact_is_opened_when_a_silent_module_is_back() -> None:
    """A contact whose release got no answer is opened once the module answers again."""
    box = free_box()
    async with ModbusTcpBox(box) as module, barrier_on(adam(module.port), module) as rig:
        await until(lambda: len(rig.samples) == 5)
        await rig.subject.raise_boom()
        module.silent = True
        await until(lambda: rig.reading(Point.LOOP_1) is Reading.UNKNOWN)
        assert box.coils[RAISE] == 1
        module.silent = False
        await until(lambda: box.coils[RAISE] == 0)


async def test_lower_pulses_where_all_is_free() -> None:
    """With everything under the boom free, lower is pulsed and nothing is refused."""
    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        await until(lambda: len(rig.samples) == 5)
        assert await rig.subject.lower_if_clear() is None
        await until(lambda: (LOWER, OFF) in rig.box.writes)
        assert rig.box.writes == [(LOWER, ON), (LOWER, OFF)]


async def test_lower_reads_each_module_afresh_before_its_pulse() -> None:
    """A detector that turned after the last poll stops the lower: it is read afresh, by one
    read.
    """
    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        await until(lambda: len(rig.samples) == 5)
        before = len(rig.box.log)
        rig.box.coils[LOOP_2] = 0
        assert await rig.subject.lower_if_clear() is LowerRefusal.OCCUPIED
        assert rig.box.writes == []
        assert (1, 0, 5) in rig.box.log[before:]


async def test_cut_wire_refuses_the_lower() -> None:
    """All inputs dead, as with a cut supply wire, read occupied and refuse the lower."""
    box = free_box()
    for address in range(12):
        box.coils[address] = 0
    async with ModbusTcpBox(box) as module, barrier_on(adam(module.port), module) as rig:
        await until(lambda: rig.reading(Point.LOOP_1) is Reading.ON)
        assert rig.reading(Point.LOOP_2) is Reading.ON
        assert rig.reading(Point.CURTAIN) is Reading.ON
        assert await rig.subject.lower_if_clear() is LowerRefusal.OCCUPIED
        assert rig.box.writes == []


async def test_silent_module_makes_its_points_unknown_and_refuses_the_lower() -> None:
    """0.5 s of silence: all points UNKNOWN, health LOST, no lower; answers again: all is as
    before.
    """
    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        await until(lambda: len(rig.samples) == 5)
        module.silent = True
        await until(lambda: rig.reading(Point.LOOP_2) is Reading.UNKNOWN)
        unknown = {s.point for s in rig.samples if s.reading is Reading.UNKNOWN}
        assert unknown == set(Point)
        assert {r.device for r in rig.health if r.health is Health.LOST} == {
            Device.BARRIER,
            Device.INPUTS,
            Device.LAMPS,
        }
        assert await rig.subject.lower_if_clear() is LowerRefusal.OCCUPIED
        module.silent = False
        await until(lambda: rig.reading(Point.LOOP_2) is Reading.OFF)
        await until(lambda: rig.health[-1].health is Health.OK)
        assert rig.box.writes == []


async def test_module_that_answers_with_an_error_is_unknown_at_once() -> None:
    """A module that says it cannot read its inputs is not trusted for another half second."""
    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        await until(lambda: len(rig.samples) == 5)
        rig.box.exception = 4
        await until(lambda: rig.reading(Point.LOOP_2) is Reading.UNKNOWN, within_s=0.4)


async def test_raise_takes_back_a_lower_that_has_not_begun() -> None:
    """A raise that comes while a lower still reads its detectors leaves the lower contact
    untouched.
    """
    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        await until(lambda: len(rig.samples) == 5)
        async with asyncio.TaskGroup() as tasks:
            lower = tasks.create_task(_outcome(rig.subject), name="lower")
            await asyncio.sleep(0)
            tasks.create_task(rig.subject.raise_boom(), name="raise")
        assert isinstance(lower.result(), DeviceBusyError)
        await until(lambda: (RAISE, OFF) in rig.box.writes)
        assert rig.box.writes == [(RAISE, ON), (RAISE, OFF)]


async def test_raise_cuts_a_running_lower_short() -> None:
    """A raise during the lower's pulse goes out first, then the lower contact is opened early."""
    async with ModbusTcpBox(free_box()) as module:
        table = adam(module.port)
        table["outputs"]["lower"]["on_ms"] = 2000
        async with barrier_on(table, module) as rig:
            await until(lambda: len(rig.samples) == 5)
            assert await rig.subject.lower_if_clear() is None
            await rig.subject.raise_boom()
            await until(lambda: (LOWER, OFF) in rig.box.writes, within_s=0.5)
            assert rig.box.writes[:3] == [(LOWER, ON), (RAISE, ON), (LOWER, OFF)]


async def test_lower_is_not_begun_while_raise_is_pulsed() -> None:
    """While the raise contact is closed a lower is refused as busy and nothing is written."""
    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        await until(lambda: len(rig.samples) == 5)
        await rig.subject.raise_boom()
        assert isinstance(await _outcome(rig.subject), DeviceBusyError)
        await until(lambda: (RAISE, OFF) in rig.box.writes)
        assert (LOWER, ON) not in rig.box.writes


async def test_abandoned_lower_is_not_pulsed() -> None:
    """A caller that gives up before the pulse has left gets no pulse afterwards."""
    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        await until(lambda: len(rig.samples) == 5)
        module.silent = True
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await rig.subject.lower_if_clear()
        module.silent = False
        polls = len(rig.box.log)
        await until(lambda: len(rig.box.log) > polls + 5)
        assert rig.box.writes == []


async def test_polls_are_quick_only_while_the_boom_moves() -> None:
    """After a raise polls come at most 20 ms apart until the limit is reached, then slow down."""
    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        await until(lambda: len(rig.samples) == 5)
        await rig.subject.raise_boom()
        rig.box.coils[BOOM_DOWN] = 0
        moving = await _polls_within(rig.box, 0.4)
        rig.box.coils[BOOM_UP] = 1
        await until(lambda: rig.reading(Point.BOOM_UP) is Reading.ON)
        idle = await _polls_within(rig.box, 0.4)
        assert moving >= 10
        assert idle <= 6


async def test_echo_is_not_motion() -> None:
    """A raise that the module takes and the boom ignores reports no limit."""
    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        await until(lambda: len(rig.samples) == 5)
        await rig.subject.raise_boom()
        await until(lambda: (RAISE, OFF) in rig.box.writes)
        assert rig.reading(Point.BOOM_UP) is Reading.OFF
        assert rig.reading(Point.BOOM_DOWN) is Reading.ON


async def test_lamp_is_set_again_when_its_module_comes_back() -> None:
    """A module that lost its outputs with its power gets the lamp it was told, and no movement."""
    box = free_box()
    async with ModbusTcpBox(box) as module, barrier_on(adam(module.port), module) as rig:
        await until(lambda: len(rig.samples) == 5)
        await rig.subject.set_output(Output.LANE_GREEN, True)
        assert box.coils[GREEN] == 1
        module.silent = True
        await until(lambda: rig.reading(Point.LOOP_1) is Reading.UNKNOWN)
        box.coils[GREEN] = 0
        module.silent = False
        await until(lambda: box.coils[GREEN] == 1)
        assert {address for address, _ in box.writes} == {GREEN}


async def test_lamp_that_was_not_acknowledged_is_set_again_while_its_module_lives() -> None:
    """One lost write leaves no driver before a red lamp: polls that go on prove nothing of it."""
    lost: list[bytes] = []

    def swallow(pdu: bytes) -> bool:
        first = pdu == struct.pack(">BHH", 5, GREEN, ON) and not lost
        if first:
            lost.append(pdu)
        return first

    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        await until(lambda: len(rig.samples) == 5)
        module.swallow = swallow
        with pytest.raises(DeviceError):
            await rig.subject.set_output(Output.LANE_GREEN, True)
        await until(lambda: rig.box.writes == [(GREEN, ON), (GREEN, ON)])


async def test_alarm_ends_by_itself() -> None:
    """The alarm is put out after its longest on-time."""
    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        await rig.subject.set_output(Output.ALARM, True)
        assert rig.box.coils[ALARM] == 1
        await until(lambda: rig.box.coils[ALARM] == 0)


async def test_output_that_is_not_wired_is_an_error() -> None:
    """An output the lane does not have is refused by name."""
    async with ModbusTcpBox(free_box()) as module, barrier_on(adam(module.port), module) as rig:
        with pytest.raises(DeviceUnavailableError, match="canopy_green"):
            await rig.subject.set_output(Output.CANOPY_GREEN, True)


async def test_two_modules_are_read_apart() -> None:
    """With loops on a second module, its silence makes only its points unknown and refuses the
    lower.
    """
    loops = IoBox()
    loops.discretes |= {0: 1, 1: 1, 2: 1}
    async with ModbusTcpBox(free_box()) as first, ModbusTcpBox(loops) as second:
        table = adam(first.port)
        table["modules"] = {
            "loops": {
                "url": f"modbus+tcp://127.0.0.1:{second.port}",
                "profile": "moxa_iologik_e1212",
            }
        }
        for channel, point in enumerate(("loop_1", "loop_2", "curtain")):
            table["inputs"][point] = {"module": "loops", "channel": channel}
        async with barrier_on(table, first, second) as rig:
            await until(lambda: len(rig.samples) == 5)
            assert await rig.subject.lower_if_clear() is None
            await until(lambda: (LOWER, OFF) in rig.box.writes)
            second.silent = True
            await until(lambda: rig.reading(Point.LOOP_2) is Reading.UNKNOWN)
            assert rig.reading(Point.BOOM_DOWN) is Reading.ON
            assert await rig.subject.lower_if_clear() is LowerRefusal.OCCUPIED


async def test_timed_pulse_is_left_to_its_module() -> None:
    """A Waveshare relay gets one flash-on of n x 100 ms and no release."""
    box = IoBox()
    box.discretes |= {BOOM_UP: 0, BOOM_DOWN: 1, 2: 1, LOOP_2: 1, CURTAIN: 1}
    async with ModbusTcpBox(box) as module:
        table = adam(module.port, profile="waveshare_relay_8ch")
        table["outputs"]["raise"]["on_ms"] = 300
        async with barrier_on(table, module) as rig:
            await until(lambda: len(rig.samples) == 5)
            await rig.subject.raise_boom()
            await until(lambda: not rig.subject._raise.active)
            assert box.writes == [(0x0200, 3)]


async def _outcome(subject: BarrierPort) -> LowerRefusal | DeviceError | None:
    try:
        return await subject.lower_if_clear()
    except DeviceError as error:
        return error


async def _polls_within(box: IoBox, seconds: float) -> int:
    before = len(box.log)
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    await until(lambda: loop.time() > end)
    return len(box.log) - before
