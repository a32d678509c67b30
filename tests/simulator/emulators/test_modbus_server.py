"""Modbus on real wires: TCP, RTU over TCP and a pty, with the faults of real modules."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient

from simulator.emulators.modbus_frames import crc16
from simulator.emulators.modbus_server import ModbusHub, RtuLine, serving_tcp
from simulator.emulators.modbus_units import USUAL_INPUTS, USUAL_OUTPUTS, IoUnit, Profile
from simulator.emulators.pty_line import PtyLine
from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.models.io_modules import IoModules
from simulator.plant import LaneGeometry, Plant
from simulator.platforms.clock import RealClock
from tolling.ids import LaneId
from tolling.inputs import Output

pytestmark = [pytest.mark.wire, pytest.mark.asyncio]
LANE = LaneId("001")
READ_INPUTS = bytes.fromhex("02 0000 0005")
INPUTS = bytes.fromhex("02 01 1E")


class Lane:
    """Modules of one lane behind a hub, two of them: units 1 and 7."""

    def __init__(self) -> None:
        plant = Plant({LANE: LaneGeometry()})
        clock = RealClock()
        self.plant = plant
        self.io = IoModules(plant, LANE)
        self.touched = 0
        units = {
            number: IoUnit(
                self.io,
                clock.now_ns,
                module=f"m{number}",
                profile=Profile.WAVESHARE_RELAY_8CH,
                inputs=USUAL_INPUTS,
                outputs=USUAL_OUTPUTS if number == 1 else {},
            )
            for number in (1, 7)
        }
        self.hub = ModbusHub(self.io, units, clock.now_ns, changed=self._touch)

    def _touch(self) -> None:
        self.touched += 1

    def fault(self, kind: DeviceFault, *, times: int | None = 1, ms: int = 0) -> None:
        """Arm a fault of all modules."""
        self.io.inject(DeviceTrouble(kind=kind, times=times, ms=ms), 0)


@asynccontextmanager
async def connected(
    port: int,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A raw connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


def tcp(transaction: int, unit: int, pdu: bytes) -> bytes:
    """A request with its TCP header, written by hand."""
    return (
        transaction.to_bytes(2, "big")
        + bytes(2)
        + (len(pdu) + 1).to_bytes(2, "big")
        + bytes([unit])
        + pdu
    )


async def test_tcp_answers_each_request_under_its_own_transaction() -> None:
    """Two requests at once come back with their own numbers and contents."""
    lane = Lane()
    async with serving_tcp(lane.hub) as port, connected(port) as (reader, writer):
        writer.write(tcp(1, 1, READ_INPUTS) + tcp(2, 1, bytes.fromhex("01 0000 0001")))
        async with asyncio.timeout(2):
            assert await reader.readexactly(10) == tcp(1, 1, INPUTS)
            assert await reader.readexactly(10) == tcp(2, 1, bytes.fromhex("01 01 00"))


async def test_a_write_moves_the_boom_and_tells_the_road() -> None:
    """Coil 0 closes the raise contact; whoever runs the road hears of it."""
    lane = Lane()
    async with serving_tcp(lane.hub) as port, connected(port) as (reader, writer):
        writer.write(tcp(3, 1, bytes.fromhex("05 0000 FF00")))
        async with asyncio.timeout(2):
            await reader.readexactly(12)
    assert lane.io.relay(Output.RAISE)
    assert lane.touched == 1
    assert lane.plant.view(LANE).angle_mdeg == 0
    lane.plant.advance(lane.plant.now_us + 900_000)
    assert lane.plant.view(LANE).boom_up


async def test_a_slow_answer_keeps_its_transaction_and_is_overtaken() -> None:
    """A late answer comes after the next one, under its own number: none is mixed up."""
    lane = Lane()
    lane.fault(DeviceFault.SLOW, ms=60)
    async with serving_tcp(lane.hub) as port, connected(port) as (reader, writer):
        writer.write(tcp(1, 1, READ_INPUTS) + tcp(2, 1, READ_INPUTS))
        async with asyncio.timeout(2):
            assert await reader.readexactly(10) == tcp(2, 1, INPUTS)
            assert await reader.readexactly(10) == tcp(1, 1, INPUTS)


@pytest.mark.parametrize("kind", [DeviceFault.DROPPED, DeviceFault.SILENT, DeviceFault.ANSWER_LOST])
async def test_a_lost_request_or_answer_leaves_the_next_one_alone(kind: DeviceFault) -> None:
    """The first request is not answered, the second is; only a lost answer was carried out."""
    lane = Lane()
    lane.fault(kind)
    async with serving_tcp(lane.hub) as port, connected(port) as (reader, writer):
        writer.write(tcp(1, 1, bytes.fromhex("05 0002 FF00")) + tcp(2, 1, READ_INPUTS))
        async with asyncio.timeout(2):
            assert await reader.readexactly(10) == tcp(2, 1, INPUTS)
    assert lane.io.relay(Output.LANE_GREEN) is (kind is DeviceFault.ANSWER_LOST)


async def test_a_corrupted_answer_is_wrong_in_one_byte() -> None:
    """On TCP the transaction is wrong, so that a client must not take it."""
    lane = Lane()
    lane.fault(DeviceFault.CORRUPTED)
    async with serving_tcp(lane.hub) as port, connected(port) as (reader, writer):
        writer.write(tcp(1, 1, READ_INPUTS))
        async with asyncio.timeout(2):
            got = await reader.readexactly(10)
    differing = [one for one, two in zip(got, tcp(1, 1, INPUTS), strict=True) if one != two]
    assert len(differing) == 1
    assert got[:2] != b"\x00\x01"


async def test_a_unit_that_is_not_there_is_named_on_tcp_and_silent_on_a_line() -> None:
    """A gateway says so; a serial line says nothing."""
    lane = Lane()
    async with serving_tcp(lane.hub) as port, connected(port) as (reader, writer):
        writer.write(tcp(1, 9, READ_INPUTS))
        async with asyncio.timeout(2):
            assert await reader.readexactly(9) == tcp(1, 9, bytes.fromhex("82 0B"))
    async with serving_tcp(lane.hub, rtu=True) as port, connected(port) as (reader, writer):
        for unit in (9, 7):
            body = bytes([unit]) + READ_INPUTS
            writer.write(body + crc16(body))
        async with asyncio.timeout(2):
            body = bytes([7]) + INPUTS
            assert await reader.readexactly(6) == body + crc16(body)


async def test_a_broken_stream_is_hung_up() -> None:
    """Bytes that are no Modbus end the connection."""
    lane = Lane()
    async with serving_tcp(lane.hub) as port, connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        async with asyncio.timeout(2):
            assert await reader.read() == b""


@pytest.mark.parametrize("rtu", [False, True])
async def test_pymodbus_agrees(rtu: bool) -> None:
    """A client by other hands reads inputs, writes a coil and gets exceptions."""
    lane = Lane()
    framer = FramerType.RTU if rtu else FramerType.SOCKET
    async with serving_tcp(lane.hub, rtu=rtu) as port:
        client = AsyncModbusTcpClient("127.0.0.1", port=port, framer=framer, timeout=1, retries=0)
        try:
            assert await client.connect()
            read = await client.read_discrete_inputs(0, count=5, device_id=1)
            assert read.bits[:5] == [False, True, True, True, True]
            written = await client.write_coil(2, True, device_id=1)
            assert not written.isError()
            assert lane.io.relay(Output.LANE_GREEN)
            refused = await client.read_holding_registers(0, count=1, device_id=1)
            assert refused.isError()
            assert refused.exception_code == 2
        finally:
            client.close()


async def test_rtu_on_a_pty_answers_in_order_and_takes_its_time(tmp_path: Path) -> None:
    """At 9600 baud request and answer take at least their bytes' time, one after the other."""
    lane = Lane()
    line = PtyLine(tmp_path / "modbus")
    RtuLine(lane.hub, line, baud=9_600)
    line.plug()
    driver = os.open(line.link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    loop = asyncio.get_running_loop()
    got, came = bytearray(), asyncio.Event()

    def read() -> None:
        got.extend(os.read(driver, 256))
        if len(got) >= 12:
            came.set()

    loop.add_reader(driver, read)
    try:
        body, answer = b"\x01" + READ_INPUTS, b"\x01" + INPUTS
        began = loop.time()
        os.write(driver, (body + crc16(body)) * 2)
        async with asyncio.timeout(2):
            await came.wait()
        assert bytes(got) == (answer + crc16(answer)) * 2
        assert loop.time() - began >= 2 * (8 + 6) * 10 / 9_600
    finally:
        loop.remove_reader(driver)
        os.close(driver)
        line.unplug()


async def test_a_broadcast_is_done_by_all_and_answered_by_none(tmp_path: Path) -> None:
    """Unit 0 on a serial line writes to every module; nothing comes back."""
    lane = Lane()
    async with serving_tcp(lane.hub, rtu=True) as port, connected(port) as (reader, writer):
        body = b"\x00" + bytes.fromhex("05 0002 FF00")
        after = b"\x01" + READ_INPUTS
        writer.write(body + crc16(body) + after + crc16(after))
        async with asyncio.timeout(2):
            answer = b"\x01" + INPUTS
            assert await reader.readexactly(6) == answer + crc16(answer)
    assert lane.io.relay(Output.LANE_GREEN)
