"""The owner of a Modbus bus, on RTU ptys and TCP."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path

import pytest

from hw.links.modbus import ModbusBus, NotPermittedError, Urgency
from hw.links.modbus_pdu import COIL_OFF, COIL_ON
from hw.links.tables import Table
from hw.links.urls import ModbusUrl, ModbusWire, SerialUrl, TcpUrl, parse_modbus_url
from tests.hw.golden import golden
from tests.hw.lines import (
    IoBox,
    ModbusTcpBox,
    Pty,
    TcpPeer,
    clock,
    crc16,
    no_jitter,
    running,
    until,
)
from tolling.errors import DeviceProtocolError, DeviceTimeoutError, DeviceUnavailableError

pytestmark = [pytest.mark.wire, pytest.mark.asyncio]
FRAMES = golden("modbus")


def bus_on(url: ModbusUrl) -> ModbusBus:
    """Return a bus."""
    return ModbusBus(url, clock=clock, jitter=no_jitter)


def tcp_bus(port: int) -> ModbusBus:
    """Return a bus on a local Modbus/TCP port."""
    return bus_on(parse_modbus_url(f"modbus+tcp://127.0.0.1:{port}", where="w"))


def rtu_bus(device: Pty) -> ModbusBus:
    """Return a bus on a pty."""
    line = SerialUrl(path=str(device.link))
    return bus_on(ModbusUrl(wire=ModbusWire.RTU, line=line, timeout_ms=150))


async def read_one(subject: ModbusBus, address: int, urgency: Urgency = Urgency.POLL) -> int:
    """Return one coil."""
    found = await subject.read(Table.COIL, device_id=1, address=address, count=1, urgency=urgency)
    return found.values[0]


def rtu_answer(values: int) -> bytes:
    """Return device 1's answer to a read of up to 8 coils."""
    body = bytes([1, 1, 1, values])
    return body + crc16(body)


@pytest.mark.parametrize(
    ("frame", "address", "value"),
    [
        ("waveshare_relay_0_on", 0, COIL_ON),
        ("waveshare_relay_0_off", 0, COIL_OFF),
        ("waveshare_relay_0_pulse_500_ms", 0x0200, 5),
    ],
)
async def test_writes_are_golden(tmp_path: Path, frame: str, address: int, value: int) -> None:
    """Coil writes and timed pulses are byte for byte the maker's, and their echo is taken."""
    device = Pty(tmp_path / "tty")
    device.plug()
    subject = rtu_bus(device)
    async with running(subject):
        answer = subject.post_coil(device_id=1, address=address, value=value, urgency=Urgency.RAISE)
        await until(lambda: bytes(device.received) == FRAMES[frame])
        device.send(FRAMES[frame])
        assert (await answer).values == ()
    device.unplug()


async def test_late_rtu_answer_is_not_taken_for_the_next_one(tmp_path: Path) -> None:
    """An answer that comes after its timeout dies in the guard time; the next request gets its
    own.
    """
    device = Pty(tmp_path / "tty")
    device.plug()
    subject = rtu_bus(device)
    async with running(subject):
        with pytest.raises(DeviceTimeoutError):
            await read_one(subject, 0)
        asked = len(device.received)
        async with asyncio.TaskGroup() as tasks:
            second = tasks.create_task(read_one(subject, 1), name="second")
            await asyncio.sleep(0.05)
            device.send(rtu_answer(1))
            await until(lambda: len(device.received) > asked)
            device.send(rtu_answer(0))
        assert second.result() == 0
    device.unplug()


async def test_abandoned_rtu_request_runs_to_its_end(tmp_path: Path) -> None:
    """A caller's deadline abandons the answer only: the next request waits and is answered
    right.
    """
    device = Pty(tmp_path / "tty")
    device.plug()
    subject = rtu_bus(device)
    async with running(subject):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.09):
                await read_one(subject, 0)
        asked = len(device.received)
        async with asyncio.TaskGroup() as tasks:
            second = tasks.create_task(read_one(subject, 1), name="second")
            device.send(rtu_answer(1))
            await until(lambda: len(device.received) > asked)
            device.send(rtu_answer(0))
        assert second.result() == 0
    device.unplug()


async def test_raise_does_not_wait_for_the_guard(tmp_path: Path) -> None:
    """After a silence on RTU a raise is on the line at once, other requests after 0.3 s."""
    device = Pty(tmp_path / "tty")
    device.plug()
    subject = rtu_bus(device)
    async with running(subject):
        with pytest.raises(DeviceTimeoutError):
            await read_one(subject, 0)
        device.received.clear()
        answer = subject.post_coil(device_id=1, address=0, value=COIL_ON, urgency=Urgency.RAISE)
        await until(lambda: bytes(device.received) == FRAMES["waveshare_relay_0_on"], within_s=0.2)
        device.send(FRAMES["waveshare_relay_0_on"])
        await answer
    device.unplug()


async def test_wrong_echo_is_no_success(tmp_path: Path) -> None:
    """An echo with another address is not the answer to this write."""
    device = Pty(tmp_path / "tty")
    device.plug()
    subject = rtu_bus(device)
    async with running(subject):
        answer = subject.post_coil(device_id=1, address=0, value=COIL_ON, urgency=Urgency.LEVEL)
        await until(lambda: len(device.received) == 8)
        body = struct.pack(">BBHH", 1, 5, 9, COIL_ON)
        device.send(body + crc16(body))
        with pytest.raises(DeviceTimeoutError, match="no answer to this request"):
            await answer
    device.unplug()


async def test_rtu_bus_comes_back_after_an_unplug(tmp_path: Path) -> None:
    """An unplugged RTU line fails its requests and works again when it is back."""
    device = Pty(tmp_path / "tty")
    device.plug()
    subject = rtu_bus(device)
    async with running(subject):
        with pytest.raises(DeviceTimeoutError):
            await read_one(subject, 0)
        device.unplug()
        for _ in range(3):
            with pytest.raises((DeviceUnavailableError, DeviceTimeoutError)):
                await read_one(subject, 0)
        device.received.clear()
        device.plug()
        async with asyncio.TaskGroup() as tasks:
            back = tasks.create_task(_until_read(subject), name="back")
            await until(lambda: len(device.received) >= 8)
            device.send(rtu_answer(1))
        assert back.result() == 1
    device.unplug()


async def test_most_urgent_goes_first() -> None:
    """What waits is sent by urgency: raise, release, lower, poll, lamp."""
    box = IoBox()
    async with ModbusTcpBox(box) as module:
        subject = tcp_bus(module.port)
        async with running(subject):
            await read_one(subject, 99)
            posted = [
                subject.post_coil(device_id=1, address=urgency, value=COIL_ON, urgency=urgency)
                for urgency in reversed(Urgency)
            ]
            await asyncio.gather(*posted)
        assert [address for address, _ in box.writes] == list(Urgency)


async def test_refused_permit_sends_nothing() -> None:
    """A permit is asked when the turn of its request has come; refused, nothing leaves."""
    async with ModbusTcpBox(IoBox()) as module:
        subject = tcp_bus(module.port)
        async with running(subject):
            answer = subject.post_coil(
                device_id=1,
                address=0,
                value=COIL_ON,
                urgency=Urgency.LOWER,
                permit=lambda: False,
            )
            with pytest.raises(NotPermittedError):
                await answer
            await read_one(subject, 0)
        assert module.box.writes == []


async def test_request_that_must_run_outlives_its_bus() -> None:
    """A release that waits when the bus is stopped is still sent."""
    async with ModbusTcpBox(IoBox()) as module:
        subject = tcp_bus(module.port)
        async with running(subject):
            await read_one(subject, 0)
            answer = subject.post_coil(
                device_id=1, address=3, value=COIL_OFF, urgency=Urgency.RELEASE, must_run=True
            )
            answer.cancel()
        assert module.box.writes == [(3, COIL_OFF)]


async def test_exception_answer_is_a_protocol_error() -> None:
    """A device that refuses is told apart from one that is silent."""
    box = IoBox()
    box.exception = 2
    async with ModbusTcpBox(box) as module:
        subject = tcp_bus(module.port)
        async with running(subject):
            with pytest.raises(DeviceProtocolError, match="exception 2"):
                await read_one(subject, 0)


async def test_silent_tcp_device_costs_its_timeout_once() -> None:
    """A silent device fails a request within about its timeout; there is no retry below."""
    async with ModbusTcpBox(IoBox()) as module:
        module.silent = True
        subject = tcp_bus(module.port)
        async with running(subject):
            with pytest.raises(DeviceTimeoutError):
                async with asyncio.timeout(0.6):
                    await read_one(subject, 0)


async def test_device_that_is_not_there_is_unavailable_and_found_when_it_comes() -> None:
    """A refused connection is an error at once; when the device listens, requests work."""
    box = ModbusTcpBox(IoBox())
    async with box:
        pass
    subject = tcp_bus(box.port)
    async with running(subject):
        with pytest.raises(DeviceUnavailableError):
            await read_one(subject, 0)
        async with box:
            assert await _until_read(subject) == 0


async def test_rtu_frames_through_a_gateway() -> None:
    """RTU over TCP carries the same frames with their CRC."""
    async with TcpPeer() as peer:
        url = ModbusUrl(
            wire=ModbusWire.RTU_TCP,
            line=TcpUrl(host="127.0.0.1", port=peer.port),
            timeout_ms=150,
        )
        subject = bus_on(url)
        async with running(subject):
            answer = subject.post_coil(device_id=1, address=0, value=COIL_ON, urgency=Urgency.RAISE)
            await until(lambda: bytes(peer.received) == FRAMES["waveshare_relay_0_on"])
            peer.send(FRAMES["waveshare_relay_0_on"])
            await answer


async def _until_read(subject: ModbusBus) -> int:
    async with asyncio.timeout(4):
        while True:
            try:
                return await read_one(subject, 0)
            except (DeviceUnavailableError, DeviceTimeoutError):
                await asyncio.sleep(0.02)
