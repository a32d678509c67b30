"""The lines of a stack: one asyncio loop in a thread of its own with a proxy for every line and an
ear on the broker."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

from simulator.auditor import Tapped
from simulator.stack.part import StackError
from simulator.stack.proxy import GOOD, Cut, Manners, Proxy
from simulator.stack.taps import Tap

CALL_S = 10.0


def address_of(url: str) -> tuple[str, int]:
    """Return host and port of a URL that names both."""
    parts = urlsplit(url)
    assert parts.hostname is not None, "a URL with a host"
    assert parts.port is not None, "a URL with a port"
    return parts.hostname, parts.port


class Wires:
    """All lines of one stack."""

    def __init__(
        self,
        at_us: Callable[[], int],
        lines: Sequence[str],
        *,
        tapped: Sequence[str] = (),
        seed: int = 0,
    ) -> None:
        """Make them; ``start`` opens them.

        Args:   at_us: the plant's time. lines: their names.
                tapped: those whose HTTP answers are kept.
        """
        self.tap = Tap(at_us)
        self.lines: Mapping[str, Proxy] = {
            name: Proxy(name, seed=seed, listen=self.tap.http)
            if name in tapped
            else Proxy(name, seed=seed)
            for name in lines
        }
        self._tapped = tuple(tapped)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._broken: BaseException | None = None
        self._ears: asyncio.Queue[tuple[int, str, str]] = asyncio.Queue()
        self._thread = threading.Thread(target=self._run, name="wires", daemon=True)

    @property
    def heard(self) -> list[Tapped]:
        """Return answers of the plaza and messages of the broker, in order."""
        return self.tap.seen

    def start(self) -> None:
        """Open every line."""
        self._thread.start()
        assert self._ready.wait(CALL_S), "the lines do not open"

    def close(self) -> None:
        """End."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(timeout=CALL_S)
        elif not self._loop.is_closed():
            self._loop.close()

    def url(self, line: str, scheme: str = "http") -> str:
        """Return where one end of a line finds the other."""
        return f"{scheme}://127.0.0.1:{self.lines[line].port}"

    def lead(self, line: str, target: str | None) -> None:
        """The server of a line is at a URL from now on; None: it is gone."""
        where = None if target is None else address_of(target)
        self._do(lambda: self.lines[line].lead_to(where))

    def behave(self, line: str, manners: Manners) -> None:
        """Have a line do this from now on."""
        self._do(lambda: self.lines[line].behave(manners))

    def cut(self) -> None:
        """The lanes' network is gone: what is open breaks, nothing new is accepted."""
        for line in self._tapped:
            self.behave(line, Manners(cut=Cut.REFUSE))

    def mend(self) -> None:
        """Every line is good again."""
        for line in self.lines:
            self.behave(line, GOOD)

    def listen(self, port: int, user: str, password: str) -> None:
        """Hear every topic of the broker at *port*, also what was said while it was away."""
        self._loop.call_soon_threadsafe(self._ears.put_nowait, (port, user, password))

    def messages(self, leaf: str) -> list[Any]:
        """Return the JSON bodies heard on topics that end in *leaf*."""
        return [json.loads(one.text) for one in self.heard if one.channel.endswith(f"/{leaf}")]

    # ---- in the thread ----

    def _do(self, work: Callable[[], None]) -> None:
        """Have *work* done by the loop's thread and wait for it; nothing once it was closed.

        Raises: StackError: the thread has broken down.
        """
        if self._broken is not None:
            raise StackError(f"the lines broke down: {self._broken!r}")
        if not self._thread.is_alive() or self._stop.is_set():
            return
        done: Future[None] = Future()

        def turn() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
                done.set_exception(error)
            else:
                done.set_result(None)

        self._loop.call_soon_threadsafe(turn)
        done.result(timeout=CALL_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseExceptionGroup as group:
            self._broken = _first(group)
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        async with AsyncExitStack() as kept:
            for proxy in self.lines.values():
                await kept.enter_async_context(proxy.serving())
            self._ready.set()
            async with asyncio.TaskGroup() as tasks:
                ear = tasks.create_task(self._listen(), name="ear")
                await self._stop.wait()
                while not ear.done():
                    # Its library may take a cancellation for a lost connection.
                    ear.cancel()
                    await asyncio.wait({ear}, timeout=1.0)

    async def _listen(self) -> None:
        port, user, password = await self._ears.get()
        await self.tap.listen(host="127.0.0.1", port=port, user=user, password=password)


def _first(group: BaseException) -> BaseException:
    """Return the first error in a group, however deep it lies."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
