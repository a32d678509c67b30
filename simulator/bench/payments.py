"""Durable payments per second through the real plaza process, against the bare handler that makes
the same hops and writes the same rows, at 1, 8 and 64 callers, on SQLite and PostgreSQL.

Both sides get the same callers (a process), the same gateway that answers at once (a process), and
each its own copy of one empty store. They take turns: a machine that drifts hits both alike.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import psycopg

from simulator.bench.children import Children, plain, program
from simulator.bench.figures import ratio
from simulator.bench.floor import caller, commits, gateway
from simulator.bench.floor import payments as handler
from simulator.bench.floor.groups import SQLITE
from simulator.bench.floor.rows import plain_of
from simulator.bench.rows import StoreReader, rows_of
from simulator.bench.scrape import cpu_s, histogram
from simulator.demo.http import Api, PlazaApi
from simulator.platforms.keys import KeyFiles, make_or_load_keys
from simulator.stack.postgres import USER, Database, DatabaseMissingError

PLAZA_ID = "330101"
APP_ID = "2021000000000001"
CALLERS = (1, 8, 64)
STORES = ("sqlite", "postgresql")
WARM_S = 1.0
PAYMENTS_RATIO_MIN = 0.5
"""Of ours to the bare handler's, at 64 callers (design figures)."""
LANE_FIRST = 101


class NothingPaidError(Exception):
    """One side carried nothing of its load; one line for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one side carried at one number of callers."""

    payments: int
    per_s: float
    cpu_ms: float | None
    """CPU time of its process per payment."""
    p50_ms: float
    p99_ms: float | None
    unpaid: int = 0
    """Answered, but not with "paid" within the deadline: a machine too busy for this load."""
    commits_per_payment: float | None = None
    """Groups made durable for each payment; under 2 where payments share them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Both sides at one number of callers."""

    callers: int
    floor: Load
    ours: Load
    rows_per_s: float
    """Payments per second if only their rows were written: bare group commits, no HTTP, no RSA."""

    @property
    def times_floor(self) -> float:
        """Return ours over the bare handler's."""
        return ratio(self.ours.per_s, self.floor.per_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFigures:
    """One store's points."""

    store: str
    points: tuple[Point, ...]


async def payments_bench(
    root: Path,
    *,
    seconds: float,
    stores: tuple[str, ...] = STORES,
    callers: tuple[int, ...] = CALLERS,
    tell: Callable[[str], None],
) -> tuple[StoreFigures, ...]:
    """Measure every store at every number of callers.

    Args:   seconds: of load for each side and point, over a second of warming up.
    A store that this machine has not is told and left out.
    Raises: ChildFailedError, CallFailedError, KeyFilesError, NothingPaidError, RowsUnclearError,
            OSError.
    """
    found = []
    for store in stores:
        places = root / store
        places.mkdir(parents=True, mode=0o700)
        bench = _StoreBench(places, store=store, seconds=seconds, tell=tell)
        try:
            points = await bench.run(callers)
        except DatabaseMissingError as error:
            tell(f"{store} is left out: {error}")
            continue
        found.append(StoreFigures(store=store, points=points))
    return tuple(found)


class _StoreBench:
    """The programs of one store, and what they carry."""

    def __init__(
        self, root: Path, *, store: str, seconds: float, tell: Callable[[str], None]
    ) -> None:
        self._root = root
        self._store = store
        self._seconds = seconds
        self._tell = tell
        self._children = Children(root)
        self._session: aiohttp.ClientSession
        self._urls: dict[str, str] = {}
        self._lanes: list[dict[str, object]] = []
        self._keys: KeyFiles
        self._code = 1

    async def run(self, callers: tuple[int, ...]) -> tuple[Point, ...]:
        async with aiohttp.ClientSession() as self._session, self._database() as database:
            try:
                await self._start(database, max(callers))
                points = [await self._point(each) for each in callers]
            finally:
                await self._children.stop()
        return tuple(points)

    # ---- starting ----

    @asynccontextmanager
    async def _database(self) -> AsyncIterator[Database | None]:
        if self._store == "sqlite":
            yield None
            return
        database = Database(self._root)
        try:
            database.start()
            yield database
        finally:
            database.stop()
            database.remove()

    async def _start(self, database: Database | None, lanes: int) -> None:
        self._keys, _ = make_or_load_keys(self._root / "keys")
        bare = await self._bare(
            gateway,
            private=str(self._keys.alipay_private),
            public=str(self._keys.app_public),
        )
        home = self._root / "plaza"
        theirs, copies = _store_urls(database, home)
        made = await self._children.run_once(
            "plaza init",
            *(program("plaza-server"), "init", str(home), "--plaza-id", PLAZA_ID, "--port", "0"),
            *("--store-url", theirs, "--alipay-url", str(bare["url"])),
            *("--alipay-app-id", APP_ID, "--alipay-app-key", str(self._keys.app_private)),
            *("--alipay-public-key", str(self._keys.alipay_public)),
        )
        _copy(database, home, copies)
        argv = (program("plaza-server"), "run", "--config", str(made["config"]))
        plaza = await self._children.start("plaza", *argv, ready="url")
        token = Path(made["admin_token_file"]).read_text(encoding="ascii").strip()
        admin = PlazaApi(self._session, str(plaza["url"]), token=token)
        for at in range(lanes):
            self._lanes.append(await self._new_lane(admin, f"{LANE_FIRST + at:03d}"))
        url = theirs.replace("+psycopg", "") if database else f"{SQLITE}{home / 'plaza.db'}"
        store = StoreReader(url=url)
        self._urls = {"ours": f"{plaza['url']}/v1/payments"} | copies
        rows = await self._rows(store)
        bare_handler = await self._bare(
            handler,
            rows=rows,
            private=str(self._keys.app_private),
            public=str(self._keys.alipay_public),
            platform_url=str(bare["url"]),
            store=copies["handler"],
        )
        self._urls["floor"] = str(bare_handler["url"])

    async def _new_lane(self, admin: PlazaApi, lane: str) -> dict[str, object]:
        token = await admin.add_lane(lane)
        own = Api(self._session, admin.url, token=token)
        epoch = (await own.call("GET", f"/v1/lanes/{lane}/epoch?fresh=true"))["epoch"]
        return {"plaza_id": PLAZA_ID, "lane_id": lane, "token": token, "epoch": epoch, "first": 1}

    async def _rows(self, store: StoreReader) -> str:
        """Pay twice through the real plaza and keep what it wrote; return the file's name."""
        before = store.tables()
        lane = self._lanes[0]
        head = f"{PLAZA_ID}{lane['lane_id']}{lane['epoch']:03d}"
        # In one go: a moment later the plaza begins to ask again about the first.
        await self._drive("ours", 1, seconds=0.0, least=2)
        rows = rows_of(store, before, first=f"{head}{1:09d}", second=f"{head}{2:09d}")
        path = self._root / "rows.json"
        path.write_text(json.dumps(plain_of(rows)), encoding="utf-8")
        return str(path)

    async def _bare(self, program_of: ModuleType, **given: object) -> dict[str, Any]:
        argv = (sys.executable, "-m", program_of.__name__, plain(given))
        name = f"floor-{program_of.__name__.rpartition('.')[2]}"
        return dict(await self._children.start(name, *argv, ready="url"))

    # ---- measuring ----

    async def _point(self, callers: int) -> Point:
        for side in ("floor", "ours"):
            await self._drive(side, callers, seconds=WARM_S)
        floor = await self._load("floor", callers)
        ours = await self._load("ours", callers)
        alone = await self._children.run_once(
            "bare commits",
            *(sys.executable, "-m", commits.__name__),
            plain(
                {
                    "rows": str(self._root / "rows.json"),
                    "store": self._urls[f"commits_{callers}"],
                    "callers": callers,
                    "seconds": self._seconds,
                }
            ),
        )
        point = Point(
            callers=callers,
            floor=floor,
            ours=ours,
            rows_per_s=round(alone["payments"] / alone["seconds"], 1),
        )
        self._tell(
            f"{self._store}, {callers} callers: ours {ours.per_s:g}/s, bare {floor.per_s:g}/s"
            f" ({point.times_floor:g} x), rows alone {point.rows_per_s:g}/s"
        )
        return point

    async def _load(self, side: str, callers: int) -> Load:
        name = "plaza" if side == "ours" else "floor-payments"
        pids = self._children.pids(name)
        was = await self._commits() if side == "ours" else None
        cpu = cpu_s(pids)
        said = await self._drive(side, callers, seconds=self._seconds)
        used = cpu_s(pids)
        if not said["payments"]:
            raise NothingPaidError(f"{side}: no payment of {callers} callers was paid in time")
        paid = int(said["payments"])
        now = await self._commits() if side == "ours" else None
        groups = None if now is None or was is None else round((now - was) / paid, 2)
        return Load(
            payments=paid,
            per_s=round(paid / float(said["seconds"]), 1),
            cpu_ms=None if cpu is None or used is None else round((used - cpu) * 1_000 / paid, 2),
            p50_ms=float(said["p50_ms"]),
            p99_ms=said["p99_ms"],
            unpaid=int(said["failed"]),
            commits_per_payment=groups,
        )

    async def _commits(self) -> int:
        url = self._urls["ours"].removesuffix("/v1/payments")
        async with self._session.get(f"{url}/metrics") as answer:
            answer.raise_for_status()
            return histogram([await answer.text()], "toll_commit_seconds").count

    async def _drive(
        self, side: str, callers: int, *, seconds: float, least: int = 1
    ) -> dict[str, Any]:
        """Drive the callers for so long, each as a lane of its own, and for *least* payments."""
        lanes = self._lanes[:callers]
        given = {
            "url": self._urls[side],
            "lanes": lanes,
            "first_code": self._code,
            "seconds": seconds,
            "least": least,
        }
        said = await self._children.run_once(
            "callers", sys.executable, "-m", caller.__name__, plain(given)
        )
        done = int(said["payments"]) + int(said["failed"])
        self._code += done
        for lane in lanes:
            # Each has made at most all of them; a number is never used twice.
            lane["first"] = int(str(lane["first"])) + done
        return said


def _store_urls(database: Database | None, home: Path) -> tuple[str, dict[str, str]]:
    """Return the plaza's store URL, and the bare programs' by name."""
    names = ("handler", *(f"commits_{each}" for each in CALLERS))
    if database is None:
        return f"{SQLITE}plaza.db", {name: f"{SQLITE}{home / name}.db" for name in names}
    at = database.url.rpartition("/")[0]
    theirs = database.url.replace("postgresql://", "postgresql+psycopg://")
    return theirs, {name: f"{at}/{name}" for name in names}


def _copy(database: Database | None, home: Path, copies: dict[str, str]) -> None:
    """Give each bare program its own copy of the empty store the plaza has made."""
    if database is None:
        for url in copies.values():
            shutil.copyfile(home / "plaza.db", url.removeprefix(SQLITE))
        return
    with psycopg.connect(
        database.url.replace("/postgres", "/template1"), autocommit=True, user=USER
    ) as connection:
        for name in copies:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE postgres")
