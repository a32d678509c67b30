"""Where the rows come from: the lanes' topics at the broker, as a user who may only read."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass

import aiomqtt
import structlog

from dashboards.shared.feed import Feed
from dashboards.staff.lane_rows import lane_row
from tolling import wire
from tolling.brokers import BrokerAddress, lane_topic, parse_lane_topic
from tolling.ending import heed_cancel
from tolling.errors import BadInputError

KEEP_ALIVE_S = 2
"""A dead link is noticed after 1.5 times this: a page says so within about 3 s."""
CONNECT_WAIT_S = 3.0
RETRY_FIRST_S = 0.25
RETRY_MAX_S = 3.0
"""The broker is next door; a page that comes back 3 s after it is soon enough."""
RETAINED_AGE_MAX_MS = 86_400_000
"""A state that lay at the broker for longer is shown as this old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSource:
    """What to connect to. The times come from outside: monotonic and wall milliseconds."""

    address: BrokerAddress
    user: str
    password: str
    plaza_id: str
    now_ms: Callable[[], int]
    utc_ms: Callable[[], int]

    async def run(self, feed: Feed) -> None:
        """Put every lane's state into *feed* until cancelled; connect again for ever."""
        log = structlog.get_logger("dash.source")
        gap_s = RETRY_FIRST_S
        while True:
            try:
                async with self._client() as client:
                    await client.subscribe(lane_topic(self.plaza_id, "+", "state"), qos=1)
                    feed.tell(broker=True)
                    gap_s = RETRY_FIRST_S
                    async for message in client.messages:
                        self._take(feed, message)
            except (aiomqtt.MqttError, OSError) as error:
                log.warning("broker_lost", error=type(error).__name__)
            feed.tell(broker=False)
            heed_cancel()
            await asyncio.sleep(gap_s)
            gap_s = min(gap_s * 2, RETRY_MAX_S)

    def _client(self) -> aiomqtt.Client:
        return aiomqtt.Client(
            self.address.host,
            self.address.port,
            username=self.user,
            password=self.password,
            protocol=aiomqtt.ProtocolVersion.V311,
            keepalive=KEEP_ALIVE_S,
            timeout=CONNECT_WAIT_S,
            tls_context=ssl.create_default_context() if self.address.tls else None,
        )

    def _take(self, feed: Feed, message: aiomqtt.Message) -> None:
        named = parse_lane_topic(str(message.topic))
        payload: object = message.payload
        if named is None or not isinstance(payload, bytes | bytearray) or not payload:
            return
        try:
            snapshot = wire.check(
                wire.lane_snapshot, bytes(payload), where=f"state of lane {named.lane_id}"
            )
            if snapshot.lane_id != named.lane_id:
                raise BadInputError(
                    where=f"state of lane {named.lane_id}", what="says another lane's number"
                )
        except BadInputError as error:
            structlog.get_logger("dash.source").warning("bad_message", what=str(error))
            return
        # A fresh message is as old as its way, and no lane's clock is asked. One that lay at the
        # broker is only dated by the lane itself.
        age_ms = self.utc_ms() - snapshot.utc_ms if message.retain else 0
        heard_ms = self.now_ms() - min(max(0, age_ms), RETAINED_AGE_MAX_MS)
        feed.put(named.lane_id, lane_row(snapshot, heard_ms=heard_ms))
