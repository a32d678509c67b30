"""The demo for people: traffic without end, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

from rich.live import Live

from simulator.demo.files import Layout
from simulator.demo.http import CallFailedError
from simulator.demo.screen import Screen, console
from simulator.demo.town import PAGE_PORT, Town
from simulator.demo.traffic import Traffic, endless_behaviours

LOOK_S = 1.0
LOOK_SHARE = 20
"""Looking takes a twentieth of the time at most: answers grow with every vehicle."""


async def watched_run(layout: Layout, *, seed: int, page_port: int | None) -> None:
    """Run until cancelled.

    Args:   page_port: None: the usual one, or a free one where that is taken.
    Raises: as judged_run.
    """
    terminal = console()
    screen = Screen(plain=None if terminal.is_terminal else terminal.print)
    port = usual_port(PAGE_PORT) if page_port is None else page_port
    town = Town(layout, seed=seed, tell=screen.tell, judged=False, page_port=port)
    screen.urls = town.urls
    # Drawn by a thread of its own, so that starting parts is seen as well.
    drawn = Live(screen, console=terminal, refresh_per_second=4)
    with drawn if terminal.is_terminal else contextlib.nullcontext():
        async with town.running(), asyncio.TaskGroup() as tasks:
            behaviours = endless_behaviours(seed=seed)
            traffic = Traffic(town.site, town.plaza, layout.lanes, behaviours)
            tasks.create_task(traffic.run(), name="traffic")
            await _watch(town, traffic, screen)


async def _watch(town: Town, traffic: Traffic, screen: Screen) -> None:
    while True:
        began = time.monotonic()
        try:
            status = await town.site.status()
            screen.count(
                sent=len(traffic.lane_of),
                gone=status["vehicles"]["gone"],
                memories=await town.site.memories(),
                timings=await town.site.timings(),
            )
        except CallFailedError as error:
            screen.tell(str(error))
        for child in town.children.values():
            child.cut_log()
        await asyncio.sleep(max(LOOK_S, LOOK_SHARE * (time.monotonic() - began)))


def usual_port(port: int) -> int:
    """Return *port* where nobody has it, else 0: a free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port
