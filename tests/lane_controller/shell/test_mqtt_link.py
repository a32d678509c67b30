"""Telemetry and commands over a real broker: what counts as sent, and who is obeyed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import pytest_asyncio

from lane_controller.engine import inputs as inp
from lane_controller.shell.mqtt_link import BrokerAccess, LaneTopics, MqttLink, parse_broker_url
from lane_controller.store import open_journal
from simulator.stack.proxy import GOOD, Cut, Manners, Proxy
from tests.lane_controller.shell.site import CODE, Lane, ScriptedPlaza, running_lane, until
from tests.lane_controller.shell.test_operator_port import VIEW
from tolling.errors import BadInputError
from tolling.ids import BootId, LaneId, PlazaId

NATS = Path(sys.executable).with_name("nats-server")
TOPIC = "toll/330101/001"


class Broker:
    """A real nats-server with MQTT on a port of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._config = folder / "nats.conf"
        self._config.write_text(
            f"""
            server_name: broker
            listen: "127.0.0.1:-1"
            mqtt {{ listen: "127.0.0.1:{self.port}" }}
            jetstream {{ store_dir: "{folder / "store"}", sync_interval: always }}
            authorization {{ users: [
                {{ user: lane, password: secret }}, {{ user: plaza, password: other }}
            ] }}
            """
        )
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start, and wait until it listens."""
        self._process = subprocess.Popen(  # noqa: ASYNC220 - returns at once
            [str(NATS), "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        await until(self._listens, "the broker's port")

    def kill(self) -> None:
        """Kill -9."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def access(self) -> BrokerAccess:
        """How the lane reaches it."""
        return parse_broker_url(f"mqtt://lane:secret@127.0.0.1:{self.port}", where="test")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker, not started."""
    (tmp_path / "nats").mkdir()
    found = Broker(tmp_path / "nats")
    yield found
    found.kill()


@pytest_asyncio.fixture
async def plaza() -> AsyncIterator[ScriptedPlaza]:
    """A plaza on loopback."""
    found = ScriptedPlaza()
    await found.start()
    yield found
    await found.stop()


class Desk:
    """The plaza's side of the broker: hears everything of the lane, gives commands."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self.heard: list[tuple[str, dict[str, Any]]] = []

    async def listen(self) -> None:
        """Remember every message."""
        async for message in self._client.messages:
            leaf = str(message.topic).removeprefix(f"{TOPIC}/")
            if leaf != "command":
                self.heard.append((leaf, json.loads(bytes(message.payload))))

    def of(self, leaf: str) -> list[dict[str, Any]]:
        """Return what was heard on one topic."""
        return [body for each, body in self.heard if each == leaf]

    async def send(self, body: bytes, *, retain: bool = False) -> None:
        """Publish on the command topic."""
        await self._client.publish(f"{TOPIC}/command", body, qos=1, retain=retain)

    async def order(self, action: str, command_id: str, **fields: Any) -> None:
        """Give a command decided on the newest state, unless *fields* say otherwise."""
        state = self.of("state")[-1]
        body = {
            "command_id": command_id,
            "action": action,
            "operator": "201",
            "reason": "from afar",
            "passage_id": None,
            "boot_id": state["boot_id"],
            "state_version": state["state_version"],
        } | fields
        await self.send(json.dumps(body).encode())


@asynccontextmanager
async def desk_at(broker: Broker) -> AsyncIterator[Desk]:
    """Connect to the broker as the plaza."""
    async with aiomqtt.Client(
        "127.0.0.1",
        broker.port,
        username="plaza",
        password="other",
        protocol=aiomqtt.ProtocolVersion.V311,
    ) as client:
        await client.subscribe(f"{TOPIC}/#", qos=1)
        found = Desk(client)
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(found.listen(), name="desk")
            try:
                yield found
            finally:
                listening.cancel()


def broker_up(lane: Lane) -> Callable[[], bool]:
    """Return whether the lane knows its broker."""
    return lambda: lane.runner.state.broker_up


@pytest.mark.wire
@pytest.mark.asyncio
async def test_commands_over_the_broker(
    tmp_path: Path, broker: Broker, plaza: ScriptedPlaza
) -> None:
    """A fresh command is obeyed once; stale, retained and broken ones move nothing."""
    await broker.start()
    async with desk_at(broker) as desk:
        async with running_lane(tmp_path, plaza.url, broker=broker.access) as lane:
            await until(lambda: desk.of("state"), "the lane's state")
            await until(lambda: desk.of("online") and desk.of("online")[-1]["online"], "the birth")

            await desk.order("raise", "c1")
            await until(lambda: desk.of("command/c1/result"), "the result")
            assert desk.of("command/c1/result")[0]["outcome"] == "confirmed"
            assert lane.barrier.count("raise") == 1

            await desk.order("raise", "c1")
            await until(lambda: len(desk.of("command/c1/result")) == 2, "the same result again")
            assert lane.barrier.count("raise") == 1

            await desk.order("raise", "c2", state_version=0)
            await desk.order("raise", "c3", boot_id="another")
            await desk.order("raise", "c4", local=True, boot_id="another")
            await desk.send(b'{"action": "raise"}')
            await desk.send(b"not json " + CODE.encode())
            await desk.order("raise", "c/5")
            await desk.order("close_lane", "c6")
            await until(lambda: desk.of("command/c6/result"), "the last result")
            for stale in ("c2", "c3", "c4"):
                assert desk.of(f"command/{stale}/result")[0]["reason"] == "stale"
            assert lane.barrier.count("raise") == 1
            assert lane.runner.state.mode.value == "closed"

        await until(lambda: not desk.of("online")[-1]["online"], "the goodbye")
    assert CODE not in json.dumps(desk.heard)


@pytest.mark.wire
@pytest.mark.asyncio
async def test_a_stop_as_the_broker_goes_is_heeded(broker: Broker) -> None:
    """Whatever step of losing its broker the link is in when it is told to end, it ends."""
    await broker.start()
    line = Proxy("broker")
    line.lead_to(("127.0.0.1", broker.port))
    async with line.serving():
        for steps in range(30):
            line.behave(GOOD)
            told: list[inp.Input] = []
            access = replace(broker.access, port=line.port)
            topics = LaneTopics(plaza_id=PlazaId("330101"), lane_id=LaneId("001"))
            link = MqttLink(
                access, topics, boot_id=BootId("b1"), give=told.append, command=lambda _: None
            )
            async with asyncio.TaskGroup() as tasks:
                run = tasks.create_task(link.run(), name="link")
                await until(lambda: inp.BrokerLink(up=True) in told, "the link")  # noqa: B023
                link.publish_state(VIEW)
                line.behave(Manners(cut=Cut.RESET))
                for _ in range(steps):
                    await asyncio.sleep(0)
                run.cancel()
                done, _ = await asyncio.wait({run}, timeout=5.0)
                assert done, f"still running when told to end {steps} steps after the cut"


@pytest.mark.wire
@pytest.mark.slow
@pytest.mark.asyncio
@pytest.mark.parametrize("manners", [Manners(hang=True), Manners(cut=Cut.RESET)])
async def test_a_lane_that_dies_is_offline_within_five_seconds(
    broker: Broker, manners: Manners
) -> None:
    """By its last will: also where its box lost its power and nobody closes the connection."""
    await broker.start()
    told: list[inp.Input] = []
    clock = asyncio.get_running_loop().time
    line = Proxy("broker")
    line.lead_to(("127.0.0.1", broker.port))
    async with desk_at(broker) as desk, line.serving():
        link = MqttLink(
            replace(broker.access, port=line.port),
            LaneTopics(plaza_id=PlazaId("330101"), lane_id=LaneId("001")),
            boot_id=BootId("b1"),
            give=told.append,
            command=lambda _: None,
        )
        async with asyncio.TaskGroup() as tasks:
            run = tasks.create_task(link.run(), name="link")
            await until(lambda: inp.BrokerLink(up=True) in told, "the link")
            link.publish_state(VIEW)
            await until(lambda: desk.of("state"), "the lane's state")
            assert desk.of("online")[-1]["online"]
            line.behave(manners)
            died_s = clock()
            await until(lambda: not desk.of("online")[-1]["online"], "its last will")
            took_s = clock() - died_s
            run.cancel()
    assert took_s < 5.0


def _numbers(desk: Desk) -> list[int]:
    return [body["number"] for leaf, body in desk.heard if leaf in ("event", "alarm")]


@pytest.mark.wire
@pytest.mark.kill
@pytest.mark.asyncio
async def test_broker_killed_and_back_gets_every_notice(
    tmp_path: Path, broker: Broker, plaza: ScriptedPlaza
) -> None:
    """While the broker is dead cars pay and pass; each notice is delivered once it is back."""
    await broker.start()
    async with running_lane(tmp_path, plaza.url, broker=broker.access) as lane:
        await lane.ready()
        await until(broker_up(lane), "the broker")
        broker.kill()
        await until(lambda: not lane.runner.state.broker_up, "the lost broker", seconds=3.0)

        await lane.arrive()
        lane.scan()
        await until(lambda: lane.barrier.count("raise") == 1, "the raise")
        await lane.leave()
        journal = open_journal(f"sqlite:///{tmp_path / 'lane.db'}", read_only=True)
        waiting = [number for number, _ in journal.image().notices]
        assert waiting

        await broker.start()
        async with desk_at(broker) as desk:
            await until(broker_up(lane), "the broker again")
            await until(lambda: set(waiting) <= set(_numbers(desk)), "every notice")
            # What has arrived leaves the journal with the next commit of anything else.
            await lane.arrive()
            await until(
                lambda: not {number for number, _ in journal.image().notices} & set(waiting),
                "a notice queue without them",
            )
            journal.close()
            numbers = _numbers(desk)
            assert numbers == sorted(numbers)
            names = [body["name"] for body in desk.of("event")]
            assert "vehicle_arrived" in names
    assert len(plaza.codes) == 1


@pytest.mark.parametrize(
    ("url", "host", "port", "user", "password"),
    [
        ("mqtt://h", "h", 1883, None, None),
        ("mqtt://u:p%40x@10.0.0.1:1884", "10.0.0.1", 1884, "u", "p@x"),
    ],
)
def test_broker_url_names_host_and_user(
    url: str, host: str, port: int, user: str | None, password: str | None
) -> None:
    """A broker's url says where it is and who the lane is."""
    found = parse_broker_url(url, where="f")

    assert (found.host, found.port, found.user, found.password) == (host, port, user, password)


@pytest.mark.parametrize(
    "url", ["", "http://h", "mqtt://", "mqtt://h:99999", "mqtt://u:geheim@h/x"]
)
def test_wrong_broker_url_is_not_repeated(url: str) -> None:
    """The error names the key and never the url: it may hold a password."""
    with pytest.raises(BadInputError, match=r"key broker\.url") as error:
        parse_broker_url(url, where="lane.toml, key broker.url")

    assert "geheim" not in str(error.value)
