"""What the auditor's taps hear: answers of the plaza to a lane, messages at the broker.

Requests are not kept: one of them holds a pay code.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import aiomqtt
import httptools

from simulator.auditor import Tapped
from tolling.ending import heed_cancel

KEPT_MAX = 1_000_000
"""Messages kept; an hour of eight lanes makes some 200,000."""
RETRY_S = 0.1
KEEP_ALIVE_S = 5
_BROKER_GONE = (
    aiomqtt.MqttError,
    OSError,
    TimeoutError,
    ValueError,
    RuntimeError,
    asyncio.InvalidStateError,
)
"""The last three: the library meets a socket that was closed while it connected."""


class Tap:
    """What was heard, in order."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        """*now_us*: the plant's clock."""
        self._now_us = now_us
        self.seen: list[Tapped] = []
        self.listening = asyncio.Event()
        """Set while the broker holds the tap's subscription."""

    def note(self, channel: str, data: bytes) -> None:
        """Keep one message or answer. The auditor reads it as text."""
        assert len(self.seen) < KEPT_MAX, "a judged run is bounded"
        text = data.decode("utf-8", errors="replace")
        self.seen.append(Tapped(at_us=self._now_us(), channel=channel, text=text))

    def http(self) -> HttpListener:
        """Return what listens to one HTTP connection."""
        return HttpListener(self)

    async def listen(self, *, host: str, port: int, user: str, password: str) -> None:
        """Hear every topic until cancelled; connect again whenever the broker is back, and hear
        what was said meanwhile."""
        while True:
            try:
                async with aiomqtt.Client(
                    host,
                    port,
                    username=user,
                    password=password,
                    identifier="the-tap",
                    clean_session=False,
                    protocol=aiomqtt.ProtocolVersion.V311,
                    keepalive=KEEP_ALIVE_S,
                    timeout=KEEP_ALIVE_S,
                ) as client:
                    await client.subscribe("toll/#", qos=1)
                    self.listening.set()
                    async for message in client.messages:
                        if isinstance(message.payload, bytes | bytearray):
                            self.note(str(message.topic), bytes(message.payload))
            except _BROKER_GONE:
                pass
            heed_cancel()
            self.listening.clear()
            await asyncio.sleep(RETRY_S)


class HttpListener:
    """Listens to one HTTP connection and notes each whole answer with its request's first line."""

    def __init__(self, tap: Tap) -> None:
        asked: deque[str] = deque()
        request, answer = _Request(asked), _Answer(asked, tap)
        self._requests = httptools.HttpRequestParser(request)
        self._answers = httptools.HttpResponseParser(answer)
        request.parser, answer.parser = self._requests, self._answers
        self._lost = False

    def asked(self, data: bytes) -> None:
        """Bytes of the lane."""
        self._feed(self._requests, data)

    def answered(self, data: bytes) -> None:
        """Bytes of the plaza."""
        self._feed(self._answers, data)

    def _feed(self, parser: Any, data: bytes) -> None:
        if self._lost:
            return
        try:
            parser.feed_data(data)
        except httptools.HttpParserError:
            # Not HTTP: whoever sent it gets an error, and there is nothing to note.
            self._lost = True


class _Request:
    def __init__(self, asked: deque[str]) -> None:
        self._to = asked
        self._url = b""
        self.parser: Any = None

    def on_message_begin(self) -> None:
        self._url = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_headers_complete(self) -> None:
        method = self.parser.get_method().decode("ascii", errors="replace")
        self._to.append(f"{method} {self._url.decode('ascii', errors='replace')}")


class _Answer:
    def __init__(self, asked: deque[str], tap: Tap) -> None:
        self._asked = asked
        self._tap = tap
        self._body = b""
        self.parser: Any = None

    def on_message_begin(self) -> None:
        self._body = b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        asked = self._asked.popleft() if self._asked else "?"
        self._tap.note(f"{asked} {self.parser.get_status_code()}", self._body)
