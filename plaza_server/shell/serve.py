"""From a checked config to a serving plaza, and back down without losing an answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import structlog
import uvicorn

from plaza_server.api.app import guarded, make_app
from plaza_server.api.plaza import CommandPublisher, PlatformRoute, Plaza, admin_hash_of
from plaza_server.config import PlazaConfig
from plaza_server.engine import EngineConfig, PlazaEngine
from plaza_server.platforms.ports import PlatformClient
from plaza_server.shell.bills import BillDesk, sources_of
from plaza_server.shell.certificate_watch import CertificateWatch
from plaza_server.shell.clock import SystemClock
from plaza_server.shell.metrics import Metrics
from plaza_server.shell.parts import Parts
from plaza_server.shell.platform_watch import PlatformWatch
from plaza_server.shell.reader import Reader
from plaza_server.shell.roots import RootKeeper
from plaza_server.shell.runner import PlazaRunner
from plaza_server.shell.telemetry import Telemetry
from plaza_server.store import GroupWriter, Store, open_store
from tolling.errors import BadInputError
from tolling.ids import BootId, PlazaId

KEEP_ALIVE_S = 75
"""Longer than a client's 60 s, so that it is always the client who ends a quiet connection."""
STOP_REQUESTS_S = 5
TELEMETRY_PAUSE_S = 5.0


class _Server(uvicorn.Server):
    """Says when it serves, and sends long polls home before it waits for them."""

    def __init__(
        self, config: uvicorn.Config, *, on_up: Callable[[], None], on_down: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._on_up = on_up
        self._on_down = on_down

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the plaza: the server's own way would end the process unfinished."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if not self.should_exit:
            self._on_up()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer everybody who waits, then close."""
        self._on_down()
        await super().shutdown(sockets)


def make_plaza(
    parts: Parts,
    store: Store,
    *,
    writer: GroupWriter,
    version: str,
    publisher: CommandPublisher | None = None,
) -> Plaza:
    """Return the parts of one process, wired together; nothing runs yet."""
    config = parts.config
    plaza_id = PlazaId(config.plaza.id)
    skews = partial(_skews, parts.clients)
    clock = SystemClock(skew_ms=partial(_worst_skew, parts.clients))
    metrics = Metrics(plaza_id, version=version)

    def make_engine(boot_id: BootId) -> PlazaEngine:
        return PlazaEngine(
            EngineConfig(
                plaza_id=plaza_id,
                plaza_name=config.plaza.name,
                boot_id=boot_id,
                platforms=config.platforms.enabled(),
                exclusive=store.exclusive,
                payee=config.plaza.payee,
            )
        )

    runner = PlazaRunner(
        make_engine=make_engine,
        commit_group=writer,
        clients=parts.clients,
        clock=clock,
        code_key=parts.code_key,
        metrics=metrics,
    )
    reader = Reader(store)
    return Plaza(
        plaza_id=plaza_id,
        name=config.plaza.name,
        version=version,
        runner=runner,
        reader=reader,
        clock=clock,
        metrics=metrics,
        key=parts.key,
        staff=parts.staff,
        admin_hash=admin_hash_of(parts.admin_token),
        channels=skews,
        routes=_routes(config),
        roots=RootKeeper(
            plaza_id=plaza_id, reader=reader, commit=runner.commit, clock=clock, key=parts.key
        ),
        bills=BillDesk(
            sources=sources_of(
                config, {name: channel.bills for name, channel in parts.channels.items()}
            ),
            commit=runner.commit,
            reader=reader,
            clock=clock,
            healed=runner.look_again,
        ),
        public_url=config.receipts.public_url,
        simulation=config.plaza.simulation,
        two_person_above_fen=config.refunds.two_person_above_fen,
        publisher=publisher,
    )


def _routes(config: PlazaConfig) -> tuple[PlatformRoute, ...]:
    return tuple(
        PlatformRoute(
            name=name, wallets=wallets, enabled=part.enabled, fee_rate_bp=part.fee_rate_bp
        )
        for name, wallets, part in config.platforms.configured()
    )


def _skews(clients: dict[str, PlatformClient]) -> dict[str, int | None]:
    return {name: client.skew_ms for name, client in clients.items()}


def _worst_skew(clients: dict[str, PlatformClient]) -> int | None:
    found = [client.skew_ms for client in clients.values() if client.skew_ms is not None]
    return max(found, key=abs, default=None)


async def serve(config: PlazaConfig, home: Path, *, version: str) -> bool:
    """Serve until a signal; return whether all went well.

    Prints one JSON line ``{"url": ..., "pid": ...}`` once requests are welcome.
    Raises: BadInputError: a wrong file or key, or another process holds the store.
    """
    parts = Parts(config, home)
    parts.write_public_file()
    log = structlog.get_logger("plaza")
    listener = _listen(config.http.host, config.http.port)
    store = open_store(config.store_url(home))
    writer = GroupWriter(store.engine)
    try:
        for warning in store.warnings:
            log.warning("store", what=warning)
        telemetry = None
        if parts.broker is not None:
            plaza_id = PlazaId(config.plaza.id)
            telemetry = Telemetry(plaza_id=plaza_id, broker=parts.broker, clock=SystemClock())
        plaza = make_plaza(parts, store, writer=writer, version=version, publisher=telemetry)
        try:
            watch = CertificateWatch(parts.channels, commit=plaza.runner.commit, clock=plaza.clock)
            await _run(plaza, listener, telemetry, watch, _platform_watch(parts, plaza))
        finally:
            plaza.reader.close()
        return not plaza.runner.failed
    finally:
        writer.close()
        store.close()
        listener.close()


async def _run(
    plaza: Plaza,
    listener: socket.socket,
    telemetry: Telemetry | None,
    watch: CertificateWatch,
    platforms: PlatformWatch,
) -> None:
    url = "http://{}:{}".format(*listener.getsockname()[:2])
    log = structlog.get_logger("plaza")

    def up() -> None:
        log.info("serving", url=url, plaza_id=plaza.plaza_id)
        sys.stdout.write(json.dumps({"url": url, "pid": os.getpid()}) + "\n")
        sys.stdout.flush()

    server = _Server(
        uvicorn.Config(
            guarded(make_app(plaza)),
            loop="none",
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=STOP_REQUESTS_S,
        ),
        on_up=up,
        on_down=plaza.runner.refuse_requests,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, plaza.runner.stop)
    started = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(plaza.runner.run(started), name="runner")
        hearing = tasks.create_task(_hear(telemetry), name="telemetry")
        closing = tasks.create_task(_close_roots(plaza, started), name="daily roots")
        watching = tasks.create_task(_watch(watch, started), name="certificates")
        probing = tasks.create_task(_watch(platforms, started), name="platforms")
        billing = tasks.create_task(_watch(plaza.bills, started), name="bills")
        tasks.create_task(_end_with(plaza.runner, server), name="end with the runner")
        starting = tasks.create_task(started.wait(), name="started")
        await asyncio.wait({running, starting}, return_when=asyncio.FIRST_COMPLETED)
        starting.cancel()
        if not running.done():
            await server.serve(sockets=[listener])
        plaza.runner.stop()
        hearing.cancel()
        closing.cancel()
        watching.cancel()
        probing.cancel()
        billing.cancel()
    log.info("stopped")


async def _hear(telemetry: Telemetry | None) -> None:
    """Keep the lanes' telemetry coming; its own failure never stops a payment."""
    while telemetry is not None:
        try:
            await telemetry.run()
        except Exception as error:  # noqa: BLE001 - its supervisor
            structlog.get_logger("plaza").error("telemetry_broke", error=type(error).__name__)
            await asyncio.sleep(TELEMETRY_PAUSE_S)


async def _close_roots(plaza: Plaza, started: asyncio.Event) -> None:
    """Close days once the committer takes work."""
    await started.wait()
    await plaza.roots.run()


def _platform_watch(parts: Parts, plaza: Plaza) -> PlatformWatch:
    keepers = {name: each.keeper for name, each in parts.channels.items() if each.keeper}
    return PlatformWatch(
        {name: each.client for name, each in parts.channels.items()},
        keepers=keepers,
        suspended=lambda: plaza.runner.suspended,
        report=plaza.runner.probed,
        clock=plaza.clock,
    )


async def _watch(
    watch: CertificateWatch | PlatformWatch | BillDesk, started: asyncio.Event
) -> None:
    """Watch certificates, platforms or bills, once the committer takes work."""
    await started.wait()
    await watch.run()


async def _end_with(runner: PlazaRunner, server: uvicorn.Server) -> None:
    await runner.wait_stopped.wait()
    server.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    """Return a bound socket. Raises: BadInputError: the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise BadInputError(
            where=f"[http] {host}:{port}",
            what=error.strerror or "cannot be bound",
            do="Choose another port, or 0 for a free one",
        ) from None
    listener.setblocking(False)
    return listener
