"""What runs beside the processes: a proxy between lanes and plaza that taps and cuts, and an ear on
the broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import aiomqtt
import httptools


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One answer or message, and when."""

    at_us: int
    channel: str
    body: bytes


class Wires:
    """One asyncio loop in a thread of its own: the proxy and the ear."""

    def __init__(self, at_us: Callable[[], int]) -> None:
        """Make it. *at_us*: the plant's time."""
        self._at_us = at_us
        self.heard: list[Heard] = []
        """Answers of the plaza and messages of the broker."""
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self._plaza: tuple[str, int] | None = None
        self._cut = False
        self._server: asyncio.Server | None = None
        self._ready = threading.Event()
        self._ears: asyncio.Queue[tuple[int, str, str]] = asyncio.Queue()
        self._thread = threading.Thread(target=self._run, name="wires", daemon=True)

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        assert self._ready.wait(10)

    def close(self) -> None:
        """End."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=10)

    @property
    def url(self) -> str:
        """Where lanes find the plaza."""
        return f"http://127.0.0.1:{self.port}"

    def lead_to(self, plaza: str | None) -> None:
        """The plaza serves at a URL from now on; None: nobody does, and connections are refused."""
        host, _, port = (plaza or "").removeprefix("http://").partition(":")
        self._plaza = (host, int(port)) if plaza else None
        self._at_once(self._follow)

    def cut(self) -> None:
        """The network is gone: what is open breaks, nothing new is accepted."""
        self._cut = True
        self._at_once(self._follow)

    def mend(self) -> None:
        """The network is back."""
        self._cut = False
        self._at_once(self._follow)

    def listen(self, port: int, user: str, password: str) -> None:
        """Hear every topic of the broker at *port*, also what was said while it was away."""
        self._loop.call_soon_threadsafe(self._ears.put_nowait, (port, user, password))

    def messages(self, leaf: str) -> list[Any]:
        """Return the JSON bodies heard on topics that end in *leaf*."""
        return [json.loads(one.body) for one in self.heard if one.channel.endswith(f"/{leaf}")]

    # ---- in the thread ----

    def _at_once(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self._loop.is_running() and not self._stop.is_set():
            asyncio.run_coroutine_threadsafe(work(), self._loop).result(timeout=10)

    async def _follow(self) -> None:
        """Listen only while there is a plaza: a dead one refuses, it does not hang up."""
        if self._plaza is None or self._cut:
            if self._server is not None:
                self._server.close()
                self._server = None
            self._break()
        elif self._server is None:
            self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._ready.set()
        async with asyncio.TaskGroup() as tasks:
            ear = tasks.create_task(self._listen(), name="ear")
            await self._stop.wait()
            ear.cancel()
        if self._server is not None:
            self._server.close()
        self._break()
        for _ in range(3):  # what was accepted a moment ago becomes a task in the next turn
            await asyncio.sleep(0)
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    def _break(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ours = {writer}
        self._open.add(writer)
        try:
            if self._plaza is None or self._cut:
                return
            try:
                far_reader, far_writer = await asyncio.open_connection(*self._plaza)
            except OSError:
                return
            ours.add(far_writer)
            self._open.add(far_writer)
            talk = _Talk(self)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_copy(reader, far_writer, talk.asked), name="to the plaza")
                tasks.create_task(_copy(far_reader, writer, talk.answered), name="to the lane")
        finally:
            self._open -= ours
            for end in ours:
                end.transport.abort()

    async def _listen(self) -> None:
        port, user, password = await self._ears.get()
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client(
                    "127.0.0.1",
                    port,
                    username=user,
                    password=password,
                    identifier="the-tap",
                    clean_session=False,
                    protocol=aiomqtt.ProtocolVersion.V311,
                    timeout=5,
                ) as client:
                    await client.subscribe("toll/#", qos=1)
                    async for message in client.messages:
                        body = message.payload
                        assert isinstance(body, bytes)
                        self.note(str(message.topic), body)
            await asyncio.sleep(0.1)

    def note(self, channel: str, body: bytes) -> None:
        """Keep one answer or message."""
        self.heard.append(Heard(at_us=self._at_us(), channel=channel, body=body))


class _Talk:
    """Both directions of one HTTP connection."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires
        self._asked: deque[str] = deque()
        self._requests = httptools.HttpRequestParser(_Asked(self._asked))
        self._answers = httptools.HttpResponseParser(_Answered(self._asked, wires))

    def asked(self, data: bytes) -> None:
        """Bytes of the lane."""
        self._requests.feed_data(data)

    def answered(self, data: bytes) -> None:
        """Bytes of the plaza."""
        self._answers.feed_data(data)


class _Asked:
    def __init__(self, asked: deque[str]) -> None:
        self._to = asked
        self._url = b""
        self.parser: Any = None

    def on_message_begin(self) -> None:
        self._url = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_headers_complete(self) -> None:
        self._to.append(self._url.decode("ascii"))


class _Answered:
    def __init__(self, asked: deque[str], wires: Wires) -> None:
        self._asked = asked
        self._wires = wires
        self._body = b""

    def on_message_begin(self) -> None:
        self._body = b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._wires.note(self._asked.popleft(), self._body)


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tap: Callable[[bytes], None]
) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            tap(data)
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
