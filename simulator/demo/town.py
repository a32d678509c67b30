"""A whole toll plaza on this machine: every part its own process, started in order, kept running.

Broker and site come first, then the plaza (made by its own ``init``), then the lanes with files
written from what the site says of its wires, and the pages. Nothing here imports a part it starts.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from simulator import broker as brokers
from simulator.demo import files
from simulator.demo.child import argv_of
from simulator.demo.children import READY_S, Child, ChildFailedError, Facts, Spec, json_line
from simulator.demo.http import PlazaApi, SiteApi
from simulator.models.wallets import ALL_WALLETS
from simulator.stack.booth import Booth
from simulator.stack.evidence import settled_by
from simulator.stack.proxy import Proxy
from simulator.stack.site_client import SiteClient
from simulator.stack.taps import Tap
from simulator.stack.wires import address_of
from tolling.paycodes import Wallet

PLAZA_ID = "330101"
OPERATOR, LEADER = "901", "902"
"""The attendant at every lane's window."""
PAGE_PORT = 8090
"""The pages' usual port; where it is taken, a free one."""


class Town:
    """One running plaza and what is known of it."""

    def __init__(
        self,
        layout: files.Layout,
        *,
        seed: int,
        tell: Callable[[str], None],
        judged: bool,
        page_port: int = 0,
        wallets: Sequence[Wallet] = ALL_WALLETS,
    ) -> None:
        """Prepare a run; nothing is made or started yet.

        Args:   tell: takes progress in words, a line each.
                judged: set the auditor's taps.
                page_port: of the pages; 0 takes a free one.
                wallets: on the drivers' phones, in turn; their platforms are there.
        """
        self.layout = layout
        self.seed = seed
        self.tell = tell
        self.judged = judged
        self.page_port = page_port
        self.wallets = tuple(wallets)
        self.children: dict[str, Child] = {}
        self.urls: dict[str, str] = {}
        """Where ``broker``, ``site``, ``plaza`` and ``page`` are, once they are up; ``token`` signs
        in at the page of a run that is watched."""
        self.platforms: dict[str, dict[str, Any]] = {}
        """What the site says of its payment platforms, by name."""
        self.tap = Tap(self.now_us)
        self.site: SiteApi
        self.plaza: PlazaApi
        self._running: list[asyncio.Task[None]] = []
        self._site_facts: Facts = {}
        self._devices: dict[str, Any] = {}
        self._public_file = Path()
        self._admin_token = ""
        self._mqtt_port = 0
        self._offset_us: int | None = None
        self._lane_plaza_url = ""
        self._broker: brokers.Broker
        self._session: aiohttp.ClientSession

    def now_us(self) -> int:
        """Return the plant's clock, 0 before the site runs."""
        return self.plant_us(time.monotonic_ns())

    def plant_us(self, monotonic_ns: int) -> int:
        """Return an instant of this machine on the plant's clock."""
        if self._offset_us is None:
            return 0
        return max(0, monotonic_ns // 1000 + self._offset_us)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run everything while the block runs; then end every child.

        Raises: ChildFailedError: a part cannot be started (or, within the block, not be kept).
        """
        self.layout.make()
        async with AsyncExitStack() as kept:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
            self._session = await kept.enter_async_context(
                aiohttp.ClientSession(connector=connector)
            )
            kept.push_async_callback(self._stop_all)
            tasks = await kept.enter_async_context(asyncio.TaskGroup())
            kept.callback(self._end_tasks)
            await self._start_outside(tasks)
            await self._start_plaza(tasks, kept)
            await self._start_lanes(tasks, kept)
            self._task(tasks, self._start_page(tasks), "start page")
            yield

    # ---- the parts ----

    async def _start_outside(self, tasks: asyncio.TaskGroup) -> None:
        self._broker = brokers.prepare(
            self.layout.broker, plaza_id=PLAZA_ID, lanes=self.layout.lanes
        )
        files.write_site(self.layout, seed=self.seed, wallets=self.wallets)
        site_argv = (sys.executable, "-m", "simulator.site", "--config", str(self.layout.site_file))
        await asyncio.gather(
            self._child(tasks, "broker", self._broker.argv, _broker_ready, self._broker_up),
            self._child(tasks, "site", site_argv, json_line("control_url"), self._site_up),
            self._make_plaza(),
        )
        before_ns = time.monotonic_ns()
        status = await self.site.status()
        middle_ns = (before_ns + time.monotonic_ns()) // 2
        self._offset_us = int(status["now_us"]) - middle_ns // 1000
        if self.judged:
            user = self._broker.users["tap"]
            listening = self.tap.listen(
                host=brokers.LOOPBACK,
                port=self._mqtt_port,
                user=user.name,
                password=user.password,
            )
            self._task(tasks, listening, "tap")

    def _broker_up(self, facts: Facts) -> None:
        self._mqtt_port = facts["port"]
        self.urls["broker"] = f"mqtt://{brokers.LOOPBACK}:{self._mqtt_port}"
        # Started again it must be where everybody looks for it.
        self._broker.write(mqtt_port=self._mqtt_port)

    def _site_up(self, facts: Facts) -> None:
        self.site = SiteApi(self._session, facts["control_url"])
        self.urls["site"] = facts["control_url"]
        self.platforms = facts["platforms"]
        self._site_facts = facts
        self._devices = {lane["lane_id"]: lane["devices"] for lane in facts["lanes"]}

    async def _make_plaza(self) -> None:
        init = (_program("plaza-server"), "init", str(self.layout.plaza))
        made = await self._run_once("plaza init", (*init, "--plaza-id", PLAZA_ID, "--port", "0"))
        self._public_file = Path(made["public_file"])
        self._admin_token = Path(made["admin_token_file"]).read_text(encoding="ascii").strip()
        self.tell("plaza's files are made")

    async def _start_plaza(self, tasks: asyncio.TaskGroup, kept: AsyncExitStack) -> None:
        server = _program("plaza-server")
        files.finish_plaza(
            self.layout, broker=self._broker, mqtt_port=self._mqtt_port, platforms=self.platforms
        )
        argv = (server, "run", "--config", str(self.layout.plaza_file))
        await self._child(tasks, "plaza", argv, json_line("url"), self._plaza_up)
        self._lane_plaza_url = self.urls["plaza"]
        if self.judged:
            proxy = Proxy("lanes-plaza", listen=self.tap.http)
            proxy.lead_to(address_of(self.urls["plaza"]))
            await kept.enter_async_context(proxy.serving())
            self._lane_plaza_url = f"http://{brokers.LOOPBACK}:{proxy.port}"

    def _plaza_up(self, facts: Facts) -> None:
        self.urls["plaza"] = facts["url"]
        self.plaza = PlazaApi(self._session, facts["url"], token=self._admin_token)
        files.fix_plaza_port(self.layout, facts["url"])

    async def _start_lanes(self, tasks: asyncio.TaskGroup, kept: AsyncExitStack) -> None:
        pin = f"{secrets.randbelow(10**8):08d}"
        await self.plaza.add_attendant(OPERATOR, name="demo", pin=pin)
        if not self.judged:
            # Whoever watches looks at the pages of money too. No lane needs this person's PIN.
            unused = f"{secrets.randbelow(10**8):08d}"
            self.urls["token"] = await self.plaza.add_shift_leader(LEADER, name="demo", pin=unused)
            self.tell(f"token to sign in at the page: {self.urls['token']}")
        for lane in self.layout.lanes:
            files.write_lane(
                self.layout,
                lane,
                devices=self._devices[lane],
                plaza_url=self._lane_plaza_url,
                token=await self.plaza.add_lane(lane),
                public_file=self._public_file,
                broker=self._broker,
                mqtt_port=self._mqtt_port,
            )
        program = _program("lane-controller")
        await asyncio.gather(
            *(
                self._child(
                    tasks,
                    f"lane {lane}",
                    (program, "run", str(self.layout.lane_file(lane))),
                    json_line("operator_socket"),
                )
                for lane in self.layout.lanes
            )
        )
        layout = self.layout
        booth = Booth(
            SiteClient(self._site_facts),
            lanes=layout.lanes,
            sockets=layout.socket,
            operator=OPERATOR,
            pin=pin,
            settled=lambda lane, passage: settled_by(layout.journal(lane), passage),
            helps=False,
        )
        booth.start()
        kept.push_async_callback(asyncio.to_thread, booth.close)

    async def _start_page(self, tasks: asyncio.TaskGroup) -> None:
        password = self.layout.root / "page.password"
        files.write_secret(password, self._broker.users["page"].password)
        argv = (
            *(_program("toll-dash"), "--plaza", PLAZA_ID, "--port", str(self.page_port)),
            *("--broker-url", self.urls["broker"], "--broker-password-file", str(password)),
            *("--plaza-url", self.urls["plaza"]),
        )
        await self._child(tasks, "page", argv, json_line("url"), self._page_up)

    def _page_up(self, facts: Facts) -> None:
        self.urls["page"] = facts["url"]
        self.tell(f"page: {facts['url']}")

    # ---- processes ----

    async def _child(
        self,
        tasks: asyncio.TaskGroup,
        name: str,
        argv: tuple[str, ...],
        read_ready: Callable[[str], Facts | None],
        on_up: Callable[[Facts], None] = lambda _: None,
    ) -> None:
        started = time.monotonic()
        child = Child(
            spec=Spec(name=name, argv=argv, read_ready=read_ready),
            log=self.layout.logs / f"{name.replace(' ', '-')}.log",
            tell=self.tell,
            on_up=on_up,
        )
        self.children[name] = child
        await child.start()
        self.tell(f"{name} is up ({time.monotonic() - started:.1f} s)")
        self._task(tasks, child.keep(), f"keep {name}")

    async def _run_once(self, name: str, argv: tuple[str, ...]) -> Facts:
        """Run a program to its end and return the JSON line it printed."""
        log = self.layout.logs / f"{name.replace(' ', '-')}.log"
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *argv_of(*argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
            try:
                async with asyncio.timeout(READY_S):
                    said, _ = await process.communicate()
            except TimeoutError:
                raise ChildFailedError(f"{name} took longer than {READY_S:.0f} s") from None
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if process.returncode != 0:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            why = lines[-1] if lines else f"exit code {process.returncode}"
            raise ChildFailedError(f"{name} failed: {why[:300]}")
        return dict(json.loads(said.decode("utf-8").strip().splitlines()[-1]))

    def _task(self, tasks: asyncio.TaskGroup, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run *work* until it ends or the town does."""
        self._running.append(tasks.create_task(work, name=name))

    def _end_tasks(self) -> None:
        for task in self._running:
            task.cancel()

    async def _stop_all(self) -> None:
        """End the children, those first that depend on others."""
        order = ("page", "lane", "plaza", "site", "broker")
        for part in order:
            named = [child for name, child in self.children.items() if name.split()[0] == part]
            await asyncio.gather(*(child.stop() for child in named))


def _broker_ready(log: str) -> Facts | None:
    port = brokers.mqtt_port_in(log)
    return None if port is None else {"port": port}


def _program(name: str) -> str:
    """Return a console script's path. Raises: ChildFailedError: it is not installed."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise ChildFailedError(f"{name} is missing; install this project: pip install -e .")
    return found
