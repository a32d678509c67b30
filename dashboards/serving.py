"""The pages' server: NiceGUI on uvicorn, fed by the lanes' topics and the plaza's health."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator

import aiohttp
import structlog
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse
from nicegui import ui

from dashboards.shared.feed import BEAT_S, Feed
from dashboards.shared.texts import PATHS
from dashboards.staff import pages
from dashboards.staff.lane_source import LaneSource
from dashboards.staff.money_desk import MoneyDesk
from dashboards.staff.plaza_api import PlazaApi
from dashboards.staff.sessions import Sessions
from tolling.brokers import BrokerAddress
from tolling.clock import NS_PER_MS
from tolling.ids import PlazaId

RECONNECT_S = 30.0
"""Cuts shorter than this need no reload of the page; its own 3 s mark does not wait for it."""
PLAZA_ASK_S = 3.0
PLAZA_WAIT_S = 2.0
STOP_WAIT_S = 2
"""Open pages hold their sockets for as long as they are let."""


def serve(source: LaneSource, *, plaza_id: str, plaza_url: str, listener: socket.socket) -> None:
    """Serve the pages on *listener* until told to end; say so in one JSON line once they open."""
    feed = Feed(now_ms=now_ms)
    plaza_url = plaza_url.rstrip("/")
    server = _Server(
        uvicorn.Config(
            make_app(feed, plaza_id=plaza_id, plaza_url=plaza_url),
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=STOP_WAIT_S,
            server_header=False,
        )
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    asyncio.run(_serve(server, listener, feed, source, plaza_url))


def make_source(
    address: BrokerAddress, *, user: str, password: str, plaza_id: PlazaId
) -> LaneSource:
    """Return the source of lanes' states at a broker."""
    return LaneSource(
        address=address,
        user=user,
        password=password,
        plaza_id=plaza_id,
        now_ms=now_ms,
        utc_ms=_utc_ms,
    )


async def _serve(
    server: uvicorn.Server, listener: socket.socket, feed: Feed, source: LaneSource, plaza_url: str
) -> None:
    """Serve until told to end. A feed that breaks ends the server: it is started again, and no page
    looks alive meanwhile."""
    async with asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(source.run(feed), name="lane source"),
            tasks.create_task(_beat(feed), name="feed beat"),
        ]
        if plaza_url:
            asking = _watch_plaza(feed, plaza_url)
            running.append(tasks.create_task(asking, name="plaza health"))
        await server.serve(sockets=[listener])
        for task in running:
            task.cancel()


def make_app(feed: Feed, *, plaza_id: str, plaza_url: str) -> FastAPI:
    """Return the whole server: the pages, and plain routes for health checks.

    Args:   plaza_url: the plaza's API; empty: there are no pages of money.
    """
    api = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    # Checks must never open a page: each page that nobody holds open costs memory for a minute.
    @api.get("/health")
    async def health() -> JSONResponse:
        _, _, facts, rows = feed.snapshot()
        ok = bool(facts.get("broker"))
        answer = {"status": "ok" if ok else "no_broker", "lanes": len(rows)}
        return JSONResponse(answer, status_code=200 if ok else 503)

    @api.get("/")
    async def first(request: Request) -> RedirectResponse:
        return RedirectResponse(f"/{_language_of(request)}/")

    if plaza_url:
        desk = MoneyDesk(
            api=PlazaApi(plaza_url),
            sessions=Sessions(now_ms=now_ms),
            plaza_id=plaza_id,
            simulation=lambda: bool(feed.snapshot()[2].get("simulation")),
            utc_ms=_utc_ms,
        )
        api.include_router(desk.router())
    pages.install(feed, plaza_id=plaza_id, with_money=bool(plaza_url))
    ui.run_with(
        api,
        title="toll-dash",
        reconnect_timeout=RECONNECT_S,
        tailwind=False,
        show_welcome_message=False,
    )
    return api


def _language_of(request: Request) -> str:
    """Return the first of our languages the browser names, Chinese where it names none."""
    for part in request.headers.get("accept-language", "").split(","):
        wanted = part.strip().partition("-")[0].partition(";")[0].lower()
        if wanted in PATHS:
            return wanted
    return next(iter(PATHS))


async def _beat(feed: Feed) -> None:
    while True:
        feed.beat()
        await asyncio.sleep(BEAT_S)


async def _watch_plaza(feed: Feed, url: str) -> None:
    """Tell the pages whether the plaza answers, and whether it says it is a simulation."""
    limit = aiohttp.ClientTimeout(total=PLAZA_WAIT_S)
    async with aiohttp.ClientSession(timeout=limit) as session:
        while True:
            try:
                async with session.get(f"{url}/health") as answer:
                    said = await answer.json()
                    feed.tell(plaza=answer.status == 200)
                    if isinstance(said, dict) and isinstance(said.get("simulation"), bool):
                        feed.tell(simulation=said["simulation"])
            except (aiohttp.ClientError, TimeoutError, ValueError):
                feed.tell(plaza=False)
            await asyncio.sleep(PLAZA_ASK_S)


class _Server(uvicorn.Server):
    """Says when it serves, and ends with exit code 0 when told to."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals as wishes to end; the server's own way ends the process by the signal."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end)
        yield

    def _end(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if not self.should_exit and sockets:
            host, port = sockets[0].getsockname()[:2]
            said = {"url": f"http://{host}:{port}/", "pid": os.getpid()}
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


def now_ms() -> int:
    """Return milliseconds of a clock that only goes forward."""
    return time.monotonic_ns() // NS_PER_MS


def _utc_ms() -> int:
    return time.time_ns() // NS_PER_MS
