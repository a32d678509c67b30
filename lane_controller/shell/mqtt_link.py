"""Telemetry out and commands in, over MQTT 3.1.1 (topics: docs/architecture.md, contracts).

State and notices go out at QoS 1 and count as sent only when the broker has acknowledged them.
Commands come in on a clean session and never retained: one that waited in the broker while the lane
was away is not obeyed. The link is down as soon as an acknowledgement fails to come within 2 s; the
state goes out once a second, so a silent broker is noticed within 3 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

import aiomqtt
import structlog

from hw.links.backoff import Backoff
from lane_controller.engine import inputs as inp
from lane_controller.shell.clock import jitter
from tolling import wire
from tolling.ending import heed_cancel
from tolling.errors import BadInputError
from tolling.ids import BootId, LaneId, PlazaId
from tolling.messages import (
    AlarmNotice,
    CommandResult,
    LaneNotice,
    LaneSnapshot,
    OperatorCommand,
)

ACK_S = 2.0
"""A broker that does not acknowledge for longer is taken as gone."""
KEEP_ALIVE_S = 3
"""The broker publishes the last will after 1.5 times this: a lane whose box lost its power is
offline within 5 s (A2). A lane that lives says something once a second."""
GOODBYE_S = 0.5
"""How long a lane that stops waits for the broker to take its goodbye."""
COMMANDS_MAX = 64
"""Commands waiting in the client; a person gives one every few seconds."""
COMMAND_BYTES_MAX = 8_192
RESULTS_MAX = 64
"""Results waiting for the broker; older ones are dropped, whoever asked has given up by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccess:
    """Where the broker is, and how it knows this lane."""

    host: str
    port: int
    user: str | None
    password: str | None
    """A secret."""


def parse_broker_url(url: str, *, password: str | None = None, where: str) -> BrokerAccess:
    """Return the broker of ``mqtt://user:password@host:port``.

    Args:   password: takes the place of the one in the URL (from a file or the environment).
            where: file and key, for the error.
    Raises: BadInputError: never repeats the URL, it may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 1883
    except ValueError:
        raise BadInputError(where=where, what="the url cannot be read") from None
    if parts.scheme != "mqtt" or not parts.hostname or parts.path.strip("/") or parts.query:
        raise BadInputError(where=where, what="the url is not mqtt://user:password@host:port")
    user = unquote(parts.username) if parts.username else None
    found = password if password is not None else unquote(parts.password or "") or None
    return BrokerAccess(host=parts.hostname, port=port, user=user, password=found)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneTopics:
    """The lane's subtree."""

    plaza_id: PlazaId
    lane_id: LaneId

    def of(self, leaf: str) -> str:
        """Return one topic of the lane."""
        return f"toll/{self.plaza_id}/{self.lane_id}/{leaf}"


class MqttLink:
    """The lane's connection to its broker; reconnects by itself, 0.1 to 5 s apart."""

    def __init__(
        self,
        access: BrokerAccess,
        topics: LaneTopics,
        *,
        boot_id: BootId,
        give: Callable[[inp.Input], None],
        command: Callable[[OperatorCommand], None],
    ) -> None:
        """Make the link.

        Args:   give: takes BrokerLink, NoticeAcked and NoticeFailed.
                command: takes each good command.
        """
        self._access = access
        self._topics = topics
        self._boot_id = boot_id
        self._give = give
        self._command = command
        self._log = structlog.get_logger("lane.broker")
        self._state: LaneSnapshot | None = None
        self._notice: tuple[int, LaneNotice | AlarmNotice] | None = None
        self._results: list[CommandResult] = []
        self._work = asyncio.Event()
        self._up = False

    # ---- what the runner calls ----

    def publish_state(self, snapshot: LaneSnapshot) -> None:
        """Publish the newest state; one that waits is replaced."""
        self._state = snapshot
        self._work.set()

    def publish_notice(self, number: int, notice: LaneNotice | AlarmNotice) -> None:
        """Publish a notice; answered by NoticeAcked or NoticeFailed."""
        if not self._up:
            self._give(inp.NoticeFailed(number=number))
            return
        self._notice = number, notice
        self._work.set()

    def publish_result(self, result: CommandResult) -> None:
        """Publish the result of a command that came over the broker."""
        self._results = [*self._results, result][-RESULTS_MAX:]
        self._work.set()

    # ---- the connection ----

    async def run(self) -> None:
        """Keep the connection until cancelled."""
        backoff = Backoff(jitter)
        while True:
            try:
                await self._connected(backoff)
            except* (aiomqtt.MqttError, OSError, TimeoutError, ValueError) as group:
                self._gone(group.exceptions[0])
            heed_cancel()
            await asyncio.sleep(backoff.next_s())

    def _gone(self, error: BaseException) -> None:
        if self._up:
            self._up = False
            self._log.warning("broker_gone", error=type(error).__name__)
            self._give(inp.BrokerLink(up=False))
        if self._notice is not None:
            number, _ = self._notice
            self._notice = None
            self._give(inp.NoticeFailed(number=number))

    async def _connected(self, backoff: Backoff) -> None:
        async with asyncio.TaskGroup() as tasks, self._client() as client:
            await client.subscribe(self._topics.of("command"), qos=1, timeout=ACK_S)
            await self._publish(client, "online", self._online(up=True), retain=True)
            self._up = True
            backoff.reset()
            self._log.info("broker_up")
            self._give(inp.BrokerLink(up=True))
            sender = tasks.create_task(self._send(client), name="broker sender")
            try:
                async for message in client.messages:
                    self._take(message)
            except asyncio.CancelledError:
                # A clean end sends no last will, so the lane says itself that it is gone.
                await self._say_gone(client)
                raise
            finally:
                sender.cancel()

    async def _say_gone(self, client: aiomqtt.Client) -> None:
        with contextlib.suppress(aiomqtt.MqttError, OSError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await self._publish(client, "online", self._online(up=False), retain=True)

    def _client(self) -> aiomqtt.Client:
        online = self._topics.of("online")
        will = aiomqtt.Will(online, self._online(up=False), qos=1, retain=True)
        return aiomqtt.Client(
            self._access.host,
            self._access.port,
            username=self._access.user,
            password=self._access.password,
            # One lane, one client: a second one with the same name throws the first out.
            identifier=f"lane-{self._topics.plaza_id}-{self._topics.lane_id}",
            protocol=aiomqtt.ProtocolVersion.V311,
            clean_session=True,
            will=will,
            keepalive=KEEP_ALIVE_S,
            timeout=ACK_S,
            max_queued_incoming_messages=COMMANDS_MAX,
        )

    def _online(self, *, up: bool) -> bytes:
        return json.dumps({"online": up, "boot_id": self._boot_id}).encode("ascii")

    async def _publish(
        self, client: aiomqtt.Client, leaf: str, payload: bytes, *, retain: bool = False
    ) -> None:
        topic = self._topics.of(leaf)
        await client.publish(topic, payload, qos=1, retain=retain, timeout=ACK_S)

    async def _send(self, client: aiomqtt.Client) -> None:
        """Publish what waits, one after the other: results, notices, then the newest state."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._results or self._notice is not None or self._state is not None:
                await self._send_one(client)

    async def _send_one(self, client: aiomqtt.Client) -> None:
        if self._results:
            result = self._results[0]
            leaf = f"command/{result.command_id}/result"
            await self._publish(client, leaf, wire.json_bytes(result))
            # Results that came meanwhile may have pushed it out of the bounded list.
            self._results = [each for each in self._results if each is not result]
        elif self._notice is not None:
            number, notice = self._notice
            leaf = "alarm" if isinstance(notice, AlarmNotice) else "event"
            await self._publish(client, leaf, wire.json_bytes(notice))
            self._notice = None
            self._give(inp.NoticeAcked(number=number))
        elif self._state is not None:
            state, self._state = self._state, None
            await self._publish(client, "state", wire.json_bytes(state), retain=True)

    # ---- commands ----

    def _take(self, message: aiomqtt.Message) -> None:
        where = "command over the broker"
        if message.retain:
            self._log.warning("command_refused", what="it is retained")
            return
        payload = message.payload
        if len(payload) > COMMAND_BYTES_MAX:
            self._log.warning("command_refused", what=f"longer than {COMMAND_BYTES_MAX} bytes")
            return
        try:
            command: OperatorCommand = wire.check(wire.operator_command, payload, where=where)
            check_command_id(command.command_id, where=where)
        except BadInputError as error:
            self._log.warning("command_refused", where=error.where, what=error.what)
            return
        # Whoever stands at the lane uses its own port; the broker may not claim to.
        self._command(replace(command, local=False))


def check_command_id(command_id: str, *, where: str) -> None:
    """Refuse a command id that cannot be part of a topic.

    Raises: BadInputError.
    """
    if not command_id.isprintable() or not set(command_id).isdisjoint("+#/"):
        raise BadInputError(where=where, what="command_id holds a sign that no topic may hold")
