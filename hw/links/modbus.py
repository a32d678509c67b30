"""One Modbus bus and its only user.

Every request goes through one queue to one task, which runs each to its own end: a caller that
stops waiting abandons the answer, never the exchange (a cancelled exchange would leave its answer
on the line for the next request to take). The queue is ordered by urgency, so a raise overtakes
everything that has not begun.

- No retries below this: one request holds the bus at most its timeout (<= 300 ms), where the
  library's own defaults would hold it 12 s.
- On RTU wires an answer carries no number. After a timeout or a broken answer the bus is silent for
  a guard time so that a late answer dies there; every answer is checked for function, length,
  address and value. Only a raise does not wait for the guard: it may be sent twice without harm.
- The line is opened by the task itself when a request needs it, at most every back-off; the
  library's own reconnecting (a task nobody owns, up to 300 s apart) is off.
- A request may carry a permit, asked immediately before its bytes leave. Where it says no, nothing
  was sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from hw.links.backoff import Backoff, Jitter
from hw.links.modbus_pdu import WriteCoilValue
from hw.links.tables import Table
from hw.links.urls import ModbusUrl, ModbusWire, SerialUrl, TcpUrl
from tolling.errors import (
    DeviceBusyError,
    DeviceError,
    DeviceProtocolError,
    DeviceTimeoutError,
    DeviceUnavailableError,
)

QUEUE_MAX = 64
"""A lane has about ten requests under way at most; more means a bus that is stuck."""
GUARD_S = 0.3
"""Silence after a doubtful exchange on RTU: twice what an answer may take there."""
SETTLE_S = 0.05
"""Silence after an RTU line is opened, so that an answer to somebody before us is not taken for
ours."""
DRAIN_S = 0.7
"""How long releases that wait when the bus is stopped may still take."""

MonotonicNs = Callable[[], int]
Permit = Callable[[], bool]

# The library prints earlier traffic on every timeout; a lane reports a silence once, by health.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


class Urgency(IntEnum):
    """Who goes first where several wait; lower first."""

    RAISE = 0
    RELEASE = 1
    """Let a pulsed output go."""
    LOWER = 2
    """Fresh reads for a lower, and its pulse."""
    POLL = 3
    LEVEL = 4
    """Lamps and alarm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRead:
    """What a read brought."""

    values: tuple[int, ...]
    """Bits as 0 or 1, or 16-bit words; as many as were asked for."""
    ended_ns: int
    """When the answer was complete."""


class NotPermittedError(Exception):
    """A request's permit said no when its turn came: nothing was sent. Stays inside hw."""


@dataclass(slots=True, order=True)
class _Job:
    urgency: Urgency
    number: int
    request: ModbusPDU = field(compare=False)
    answer: asyncio.Future[TableRead] = field(compare=False)
    expected: int = field(compare=False)
    """How many values a read brings; 0 for a write."""
    must_run: bool = field(compare=False)
    """Sent although its caller no longer waits."""
    permit: Permit | None = field(compare=False)


class ModbusBus:
    """The owner of one bus. ``run`` must be running for anything to happen."""

    def __init__(self, url: ModbusUrl, *, clock: MonotonicNs, jitter: Jitter) -> None:
        self.url = url
        self._clock = clock
        self._backoff = Backoff(jitter)
        self._queue: asyncio.PriorityQueue[_Job] = asyncio.PriorityQueue(QUEUE_MAX)
        self._count = 0
        self._client: AsyncModbusTcpClient | AsyncModbusSerialClient | None = None
        self._quiet_until = 0.0
        self._try_again_at = 0.0

    async def run(self) -> None:
        """Own the bus until cancelled; then let waiting releases out, for at most 0.7 s."""
        client = self._client = _make_client(self.url)
        client.register(WriteCoilValue)
        task = asyncio.current_task()
        assert task is not None, "run is awaited in a task"
        cancels = task.cancelling()
        try:
            # The library waits by asyncio.wait_for, which before Python 3.12 loses a cancellation
            # that arrives together with the answer; the count of cancellations does not.
            while task.cancelling() == cancels:
                await self._serve(await self._queue.get())
            raise asyncio.CancelledError
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_S):
                    await self._drain()
            client.close()
            self._client = None

    async def read(
        self, table: Table, *, device_id: int, address: int, count: int, urgency: Urgency
    ) -> TableRead:
        """Return *count* (1..125) values of a table, in the order of their addresses.

        Raises: DeviceUnavailableError, DeviceTimeoutError, DeviceProtocolError, DeviceBusyError.
        """
        request = _READS[table](dev_id=device_id, address=address, count=count)
        return await self._post(request, urgency, expected=count).answer

    def post_coil(
        self,
        *,
        device_id: int,
        address: int,
        value: int,
        urgency: Urgency,
        must_run: bool = False,
        permit: Permit | None = None,
    ) -> asyncio.Future[TableRead]:
        """Queue FC 05 with a 16-bit *value* and return its answer-to-be, synchronously.

        The answer is an error where the echo differs, the device refuses or is silent
        (DeviceError), and NotPermittedError where nothing was sent. A cancelled answer takes the
        request out of the queue, unless it has begun or must run.
        Raises: DeviceBusyError: the queue is full.
        """
        request = WriteCoilValue(dev_id=device_id, address=address, value=value)
        return self._post(request, urgency, must_run=must_run, permit=permit).answer

    def _post(
        self,
        request: ModbusPDU,
        urgency: Urgency,
        *,
        expected: int = 0,
        must_run: bool = False,
        permit: Permit | None = None,
    ) -> _Job:
        self._count += 1
        answer: asyncio.Future[TableRead] = asyncio.get_running_loop().create_future()
        job = _Job(urgency, self._count, request, answer, expected, must_run, permit)
        try:
            self._queue.put_nowait(job)
        except asyncio.QueueFull:
            raise DeviceBusyError(where=str(self.url), what=f"{QUEUE_MAX} requests wait") from None
        return job

    async def _drain(self) -> None:
        while not self._queue.empty():
            job = self._queue.get_nowait()
            if job.must_run:
                await self._serve(job)
            elif not job.answer.done():
                job.answer.set_exception(self._unavailable("the bus is being closed"))

    async def _serve(self, job: _Job) -> None:
        """Run one request to its end and answer it."""
        if job.answer.done() and not job.must_run:
            return
        try:
            read = await self._exchange(job)
        except (DeviceError, NotPermittedError) as error:
            if not job.answer.done():
                job.answer.set_exception(error)
        except asyncio.CancelledError:
            if job.must_run and not self._queue.full():
                self._queue.put_nowait(job)
            elif not job.answer.done():
                job.answer.set_exception(self._unavailable("the bus was closed during the request"))
            raise
        else:
            if not job.answer.done():
                job.answer.set_result(read)

    async def _exchange(self, job: _Job) -> TableRead:
        client = await self._connected(urgent=job.urgency <= Urgency.RELEASE)
        if not self.url.wire.numbered and job.urgency is not Urgency.RAISE:
            await asyncio.sleep(max(0.0, self._quiet_until - self._now()))
        if job.permit is not None and not job.permit():
            raise NotPermittedError
        try:
            response = await client.execute(False, job.request)
        except (ConnectionException, OSError):
            raise self._unavailable("the line broke") from None
        except ModbusException:
            self._quiet_until = self._now() + GUARD_S
            raise DeviceTimeoutError(
                where=self._where(job), what=f"no answer within {self.url.timeout_ms} ms"
            ) from None
        return self._checked(job, response)

    def _checked(self, job: _Job, response: ModbusPDU) -> TableRead:
        """Return what *response* brings.

        Raises: DeviceProtocolError: the device says it cannot. DeviceTimeoutError: not its answer.
        """
        ended_ns = self._clock()
        request = job.request
        if response.isError() and response.function_code == request.function_code | 0x80:
            raise DeviceProtocolError(
                where=self._where(job),
                what=f"refused with Modbus exception {response.exception_code}",
            )
        values = _values(request, response, job.expected)
        if values is None:
            self._quiet_until = self._now() + GUARD_S
            raise DeviceTimeoutError(where=self._where(job), what="no answer to this request")
        return TableRead(values=values, ended_ns=ended_ns)

    async def _connected(self, *, urgent: bool) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        """Return the client with its line open. Raises: DeviceUnavailableError: it does not
        open."""
        client = self._client
        assert client is not None, "requests are served by run only"
        if client.connected:
            return client
        if not urgent and self._now() < self._try_again_at:
            raise self._unavailable("the line is not open")
        if not await client.connect():
            self._try_again_at = self._now() + self._backoff.next_s()
            raise self._unavailable("the line does not open")
        self._backoff.reset()
        if not self.url.wire.numbered:
            self._quiet_until = self._now() + SETTLE_S
        return client

    def _unavailable(self, what: str) -> DeviceUnavailableError:
        return DeviceUnavailableError(where=str(self.url), what=what)

    def _where(self, job: _Job) -> str:
        return f"{self.url} device {job.request.dev_id}"

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


_READS: dict[Table, type[ModbusPDU]] = {
    Table.COIL: ReadCoilsRequest,
    Table.DISCRETE: ReadDiscreteInputsRequest,
    Table.HOLDING: ReadHoldingRegistersRequest,
    Table.INPUT: ReadInputRegistersRequest,
}


def _values(request: ModbusPDU, response: ModbusPDU, expected: int) -> tuple[int, ...] | None:
    """Return the values of an answer, () for a good echo, None where it answers something else."""
    if response.function_code != request.function_code or response.dev_id != request.dev_id:
        return None
    if isinstance(request, WriteCoilValue):
        good = (
            isinstance(response, WriteCoilValue)
            and response.address == request.address
            and response.value == request.value
        )
        return () if good else None
    if request.function_code in (1, 2):
        whole_bytes = (expected + 7) // 8 * 8
        if len(response.bits) != whole_bytes:
            return None
        return tuple(int(bit) for bit in response.bits[:expected])
    if len(response.registers) != expected:
        return None
    return tuple(response.registers)


def _make_client(url: ModbusUrl) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
    timeout_s = url.timeout_ms / 1000
    if isinstance(url.line, SerialUrl):
        return AsyncModbusSerialClient(
            url.line.path,
            framer=FramerType.RTU,
            baudrate=url.line.baud,
            bytesize=url.line.byte_size,
            parity=url.line.parity,
            stopbits=url.line.stop_bits,
            reconnect_delay=0,
            timeout=timeout_s,
            retries=0,
        )
    assert isinstance(url.line, TcpUrl)
    return AsyncModbusTcpClient(
        url.line.host,
        port=url.line.port,
        framer=FramerType.SOCKET if url.wire is ModbusWire.TCP else FramerType.RTU,
        reconnect_delay=0,
        timeout=timeout_s,
        retries=0,
    )
