"""The plaza's side of the broker: lanes' states, events and alarms in, people's commands out.

Nothing here decides. A command is sent once, QoS 1, never retained, over a clean session; its
result comes back on ``.../command/{id}/result``. Where none comes in time the outcome is unknown,
never refused. The broker may be away for as long as it likes: lanes and payments do without it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiomqtt
import structlog

from plaza_server.shell.clock import Clock
from tolling import wire
from tolling.brokers import BrokerAddress, LaneTopic, lane_topic, parse_lane_topic
from tolling.clock import NS_PER_MS
from tolling.ending import heed_cancel
from tolling.errors import BadInputError
from tolling.ids import LaneId, PlazaId
from tolling.messages import (
    AlarmNotice,
    CommandOutcome,
    CommandResult,
    LaneNotice,
    LaneSnapshot,
    OperatorCommand,
)

RESULT_WAIT_S = 5.0
"""A raise is read back within 3 s, cash_begin waits up to 2 s for cancels; then it is unknown."""
ACK_WAIT_S = 5.0
"""The broker writes to disk before it acknowledges; far more than its slowest disk."""
KEEP_ALIVE_S = 5
"""A dead link is noticed after 1.5 times this."""
RETRY_FIRST_S = 0.5
RETRY_MAX_S = 10.0
"""Gaps between attempts to connect double from the first to the longest."""
LANES_MAX = 1000
"""Lane numbers have three digits."""
QOS = 1
GRANTED_MAX = 2
"""SUBACK codes above it are refusals (MQTT 3.1.1, 3.9.3)."""
HEARD = ("state", "event", "alarm", "online", "command/+/result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where the broker is and who the plaza is there."""

    address: BrokerAddress
    user: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLane:
    """The last a lane said of itself."""

    snapshot: LaneSnapshot
    received_ns: int
    """On the plaza's monotonic clock; a retained state may be far older, see its utc_ms."""
    retained: bool
    """It lay at the broker: nobody knows whether the lane still runs."""


class Telemetry:
    """One connection to the broker, kept up for as long as ``run`` runs."""

    def __init__(
        self,
        *,
        plaza_id: PlazaId,
        broker: Broker,
        clock: Clock,
        result_wait_s: float = RESULT_WAIT_S,
    ) -> None:
        """*result_wait_s*: how long a command's result is waited for."""
        self._plaza_id = plaza_id
        self._broker = broker
        self._clock = clock
        self._result_wait_s = result_wait_s
        self._log = structlog.get_logger("plaza.telemetry")
        self._client: aiomqtt.Client | None = None
        self._lanes: dict[LaneId, LiveLane] = {}
        self._alarms: dict[tuple[LaneId, str, str], AlarmNotice] = {}
        self._waiting: dict[tuple[LaneId, str], asyncio.Future[CommandResult]] = {}
        self.bad_messages = 0
        """Messages that were no message of a lane, since the start."""

    @property
    def connected(self) -> bool:
        """Return whether the broker holds our subscriptions."""
        return self._client is not None

    def lanes(self) -> dict[LaneId, LiveLane]:
        """Return every lane's last state, by its number."""
        return dict(sorted(self._lanes.items()))

    def alarms(self) -> tuple[AlarmNotice, ...]:
        """Return the lanes' alarms that stand, oldest first."""
        return tuple(sorted(self._alarms.values(), key=lambda alarm: alarm.utc_ms))

    async def run(self) -> None:
        """Stay connected until cancelled; gaps between attempts grow to 10 s."""
        gap_s = RETRY_FIRST_S
        while True:
            try:
                async with self._connected() as client:
                    gap_s = RETRY_FIRST_S
                    self._log.info("broker_connected")
                    async for message in client.messages:
                        self._take(str(message.topic), message.payload, retained=message.retain)
                self._log.warning("broker_lost", error="the connection ended")
            except (aiomqtt.MqttError, OSError) as error:
                self._log.warning("broker_lost", error=type(error).__name__, retry_s=gap_s)
            heed_cancel()
            await asyncio.sleep(gap_s)
            gap_s = min(gap_s * 2, RETRY_MAX_S)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiomqtt.Client]:
        address = self._broker.address
        async with aiomqtt.Client(
            address.host,
            address.port,
            username=self._broker.user,
            password=self._broker.password,
            protocol=aiomqtt.ProtocolVersion.V311,
            clean_session=True,
            keepalive=KEEP_ALIVE_S,
            timeout=ACK_WAIT_S,
            tls_context=ssl.create_default_context() if address.tls else None,
        ) as client:
            for leaf in HEARD:
                topic = lane_topic(self._plaza_id, "+", leaf)
                for code in await client.subscribe(topic, qos=QOS):
                    if (code if isinstance(code, int) else code.value) > GRANTED_MAX:
                        raise aiomqtt.MqttError(f"the broker refuses {topic}")
            self._client = client
            try:
                yield client
            finally:
                self._client = None

    # ---- commands out ----

    async def publish(self, lane_id: LaneId, command: OperatorCommand) -> CommandResult:
        """Send *command* once and return the lane's result; unknown where none came in time."""
        client = self._client
        if client is None:
            return _result(command, CommandOutcome.REFUSED, "no_broker")
        key = (lane_id, command.command_id)
        answer: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        self._waiting[key] = answer
        try:
            await client.publish(
                lane_topic(self._plaza_id, lane_id, "command"),
                wire.json_bytes(command),
                qos=QOS,
                retain=False,
            )
            async with asyncio.timeout(self._result_wait_s):
                return await answer
        except (aiomqtt.MqttError, TimeoutError):
            # It may have reached the lane: nobody may read this as refused.
            return _result(command, CommandOutcome.UNKNOWN, "no_answer")
        finally:
            self._waiting.pop(key, None)

    # ---- lanes' messages in ----

    def _take(self, topic: str, payload: object, *, retained: bool) -> None:
        named = parse_lane_topic(topic)
        # An empty payload only tells that a retained message was taken away.
        if named is None or not isinstance(payload, bytes | bytearray) or not payload:
            return
        try:
            self._read(named, bytes(payload), retained=retained)
        except BadInputError as error:
            self.bad_messages += 1
            self._log.warning("bad_message", leaf=_leaf(named), lane=named.lane_id, what=error.what)

    def _read(self, named: LaneTopic, payload: bytes, *, retained: bool) -> None:
        where = f"toll/{named.plaza_id}/{named.lane_id}/{_leaf(named)}"
        if named.leaf == "state":
            self._note_state(named, wire.check(wire.lane_snapshot, payload, where=where), retained)
        elif named.leaf == "event":
            notice = wire.check(wire.lane_notice, payload, where=where)
            _same_lane(named, notice.lane_id, where)
            self._note_event(notice)
        elif named.leaf == "alarm":
            alarm = wire.check(wire.alarm_notice, payload, where=where)
            _same_lane(named, alarm.lane_id, where)
            self._note_alarm(alarm)
        elif named.leaf.startswith("command/"):
            result = wire.check(wire.command_result, payload, where=where)
            waiting = self._waiting.get((named.lane_id, result.command_id))
            if waiting is not None and not waiting.done():
                waiting.set_result(result)

    def _note_state(self, named: LaneTopic, snapshot: LaneSnapshot, retained: bool) -> None:
        _same_lane(named, snapshot.lane_id, f"toll/{named.plaza_id}/{named.lane_id}/state")
        assert len(self._lanes) <= LANES_MAX, "a lane's number has three digits"
        self._lanes[named.lane_id] = LiveLane(
            snapshot=snapshot, received_ns=self._clock.at_ns(), retained=retained
        )
        # The state is the truth about what stands: an alarm it does not name was cleared.
        standing = set(snapshot.alarms)
        for key in [k for k in self._alarms if k[0] == named.lane_id and k[1] not in standing]:
            del self._alarms[key]

    def _note_event(self, notice: LaneNotice) -> None:
        self._log.info("lane_event", lane=notice.lane_id, name=notice.name, number=notice.number)

    def _note_alarm(self, alarm: AlarmNotice) -> None:
        key = (alarm.lane_id, alarm.code.value, alarm.subject)
        if alarm.raised:
            self._alarms[key] = alarm
        else:
            self._alarms.pop(key, None)
        self._log.warning(
            "lane_alarm",
            lane=alarm.lane_id,
            code=alarm.code.value,
            raised=alarm.raised,
            subject=alarm.subject,
        )

    def silent_ms(self, lane_id: LaneId) -> int | None:
        """Return how long a lane has said nothing, None for one that never did."""
        live = self._lanes.get(lane_id)
        if live is None:
            return None
        return max(0, self._clock.at_ns() - live.received_ns) // NS_PER_MS


def _same_lane(named: LaneTopic, said: LaneId, where: str) -> None:
    if said != named.lane_id:
        raise BadInputError(where=where, what="another lane's number than its topic")


def _leaf(named: LaneTopic) -> str:
    return named.leaf.partition("/")[0]


def _result(command: OperatorCommand, outcome: CommandOutcome, reason: str) -> CommandResult:
    return CommandResult(command_id=command.command_id, outcome=outcome, reason=reason)
