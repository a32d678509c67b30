"""The plaza at a real broker: lanes' states in, commands out, results back."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

from plaza_server.shell.clock import SystemClock
from plaza_server.shell.telemetry import Broker, Telemetry
from simulator import broker as brokers
from tests.browser import rig
from tolling import wire
from tolling.alarms import AlarmCode
from tolling.brokers import broker_address
from tolling.ids import BootId, LaneId, PlazaId
from tolling.messages import (
    AlarmNotice,
    CommandOutcome,
    CommandResult,
    OperatorAction,
    OperatorCommand,
)

pytestmark = [pytest.mark.wire, pytest.mark.slow]
LANE = LaneId("001")
BASE = f"toll/{rig.PLAZA}/{LANE}"
RAISE = OperatorCommand(
    command_id="c-00000001",
    action=OperatorAction.RAISE,
    operator="901",
    reason="救护车通过",
    passage_id=None,
    boot_id=BootId("b1"),
    state_version=1,
)


class Wires:
    """A running broker and its accounts."""

    def __init__(self, prepared: brokers.Broker, port: int) -> None:
        self.prepared = prepared
        self.port = port

    @asynccontextmanager
    async def plaza(self, *, result_wait_s: float = 5.0) -> AsyncIterator[Telemetry]:
        """A connected subject."""
        telemetry = Telemetry(
            plaza_id=PlazaId(rig.PLAZA),
            broker=Broker(
                address=broker_address(f"mqtt://127.0.0.1:{self.port}", where="test"),
                user="plaza",
                password=self.prepared.users["plaza"].password,
            ),
            clock=SystemClock(),
            result_wait_s=result_wait_s,
        )
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(telemetry.run(), name="telemetry")
            await until(lambda: telemetry.connected)
            yield telemetry
            running.cancel()

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[aiomqtt.Client]:
        """A lane's connection."""
        user = self.prepared.users[brokers.lane_user(LANE)]
        async with aiomqtt.Client(
            "127.0.0.1",
            self.port,
            username=user.name,
            password=user.password,
            protocol=aiomqtt.ProtocolVersion.V311,
        ) as client:
            await client.subscribe(f"{BASE}/command", qos=1)
            yield client


@pytest.fixture
def wires(tmp_path: Path) -> Iterator[Wires]:
    """A broker."""
    prepared, process, port = rig.start_broker(tmp_path)
    yield Wires(prepared, port)
    end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process."""
    process.kill()
    process.wait(timeout=10)


async def until(holds: Callable[[], object]) -> None:
    """Wait for a condition, not for ever."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def answer(lane: aiomqtt.Client, result: CommandResult) -> wire.Any:
    """Answer the first command of a lane and return it."""
    async with asyncio.timeout(10):
        async for message in lane.messages:
            leaf = f"command/{result.command_id}/result"
            await lane.publish(f"{BASE}/{leaf}", wire.json_bytes(result), qos=1)
            assert not message.retain
            return wire.check(wire.operator_command, bytes(message.payload), where="test")
    raise AssertionError("no command")


@pytest.mark.asyncio
async def test_a_command_comes_back_with_the_lanes_result(wires: Wires) -> None:
    """The lane gets exactly the command; whoever sent it gets the lane's answer."""
    said = CommandResult(
        command_id=RAISE.command_id, outcome=CommandOutcome.REFUSED, reason="stale"
    )
    async with wires.plaza() as subject, wires.lane() as lane, asyncio.TaskGroup() as tasks:
        lane_side = tasks.create_task(answer(lane, said), name="lane")
        assert await subject.publish(LANE, RAISE) == said
        assert await lane_side == RAISE


@pytest.mark.asyncio
async def test_no_answer_is_unknown_and_never_refused(wires: Wires) -> None:
    """The command may have been carried out."""
    async with wires.plaza(result_wait_s=0.2) as subject:
        result = await subject.publish(LANE, RAISE)
    assert result.outcome is CommandOutcome.UNKNOWN


@pytest.mark.asyncio
async def test_without_a_broker_nothing_was_sent() -> None:
    """That much is certain: refused."""
    subject = Telemetry(
        plaza_id=PlazaId(rig.PLAZA),
        broker=Broker(
            address=broker_address("mqtt://127.0.0.1:9", where="test"), user="plaza", password=""
        ),
        clock=SystemClock(),
    )
    result = await subject.publish(LANE, RAISE)
    assert (result.outcome, result.reason) == (CommandOutcome.REFUSED, "no_broker")


@pytest.mark.asyncio
async def test_states_and_alarms_are_kept_and_bad_messages_are_not(wires: Wires) -> None:
    """The last state of a lane, alarms until they are cleared; a wrong message changes nothing."""
    alarm = AlarmNotice(
        lane_id=LANE,
        boot_id=BootId("b1"),
        number=1,
        utc_ms=1,
        code=AlarmCode.DEVICE_LOST,
        raised=True,
        subject="camera",
        what="no answer",
    )
    state = rig.snapshot(LANE, alarms=("device_lost",))
    other = rig.snapshot("002")
    async with wires.plaza() as subject, wires.lane() as lane:
        await lane.publish(f"{BASE}/state", b"no state", qos=1)
        await lane.publish(f"{BASE}/state", wire.json_bytes(other), qos=1)
        await lane.publish(f"{BASE}/state", wire.json_bytes(state), qos=1, retain=True)
        await lane.publish(f"{BASE}/alarm", wire.json_bytes(alarm), qos=1)
        await until(lambda: subject.alarms() == (alarm,))
        assert subject.lanes()[LANE].snapshot == state
        assert not subject.lanes()[LANE].retained
        assert list(subject.lanes()) == [LANE]
        assert subject.bad_messages == 2
        silent_ms = subject.silent_ms(LANE)
        assert silent_ms is not None
        assert silent_ms < 10_000
        assert subject.silent_ms(LaneId("009")) is None
        await lane.publish(f"{BASE}/state", wire.json_bytes(rig.snapshot(LANE)), qos=1)
        await until(lambda: subject.alarms() == ())
    async with wires.plaza() as again:
        await until(again.lanes)
        assert again.lanes()[LANE].retained
