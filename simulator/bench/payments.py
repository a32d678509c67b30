"""Durable payments per second through the real plaza process, against the bare handler that makes
the same hops and writes the same rows, at 1, 8 and 64 callers, on SQLite and PostgreSQL.

Both sides get the same callers (a process), the same gateway that answers at once (a process), and
each its own copy of one empty store. They take turns, several times: a machine that drifts hits
both alike, and the median of the rounds is told. A real plaza asks the platform once more about
every payment, a floor has no doubts: so the next turn begins once ours has asked about all of its
last one, the calls that fell into a measured window are counted, and what they cost is told too.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import statistics
import sys
import time
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
ROUNDS = 3
QUIET_S_MAX = 90.0
"""A plaza asks again about a payment within a minute; with some time to do it."""
QUIET_LOOK_S = 1.5
QUIET_LOOKS = 5
"""So often nothing may have been asked meanwhile: an undecided order is asked about every 2 s, a
paid one for the first time after 5 s."""


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
    signed_calls: int = 0
    """Calls of the platform in the measured windows; each is one signature of its process."""
    queries: int = 0
    """Those of them that only asked again."""
    cpu_ms_in_all: float | None = None
    """CPU time per payment with the query that confirms it afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Both sides at one number of callers."""

    callers: int
    floor: Load
    ours: Load
    rows_per_s: float
    """Payments per second if only their rows were written: bare group commits, no HTTP, no RSA."""
    rows_commits_per_payment: float | None = None
    """Groups made durable for each of those."""
    ratios: tuple[float, ...] = ()
    """Ours over the bare handler's, of every round."""
    machine_load: float | None = None
    """Processes that wanted a core, on average over the minute before; cores are few."""

    @property
    def times_floor(self) -> float:
        """Return ours over the bare handler's, the median of the rounds."""
        if self.ratios:
            return round(statistics.median(self.ratios), 3)
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
    rounds: int = ROUNDS,
    stores: tuple[str, ...] = STORES,
    callers: tuple[int, ...] = CALLERS,
    tell: Callable[[str], None],
) -> tuple[StoreFigures, ...]:
    """Measure every store at every number of callers.

    Args:   seconds: of load for each side, point and round, over a second of warming up.
    A store that this machine has not is told and left out.
    Raises: ChildFailedError, CallFailedError, KeyFilesError, NothingPaidError, RowsUnclearError,
            OSError.
    """
    found = []
    for store in stores:
        places = root / store
        places.mkdir(parents=True, mode=0o700)
        bench = _StoreBench(places, store=store, seconds=seconds, rounds=rounds, tell=tell)
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
        self,
        root: Path,
        *,
        store: str,
        seconds: float,
        rounds: int,
        tell: Callable[[str], None],
    ) -> None:
        self._root = root
        self._store = store
        self._seconds = seconds
        self._rounds = rounds
        self._asked_for = 0
        """Orders of ours that were paid, and are asked about again."""
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
        self._urls = {"ours": f"{plaza['url']}/v1/payments", "gateway": str(bare["url"])} | copies
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
        machine_load = round(os.getloadavg()[0], 1)
        for side in ("floor", "ours"):
            await self._drive(side, callers, seconds=WARM_S)
        await self._quiet()
        turns = [
            (await self._load("floor", callers), await self._load("ours", callers))
            for _ in range(self._rounds)
        ]
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
            floor=merged([floor for floor, _ in turns]),
            ours=merged([ours for _, ours in turns]),
            rows_per_s=round(alone["payments"] / alone["seconds"], 1),
            rows_commits_per_payment=round(alone["commits"] / max(1, alone["payments"]), 2),
            ratios=tuple(ratio(ours.per_s, floor.per_s) for floor, ours in turns),
            machine_load=machine_load,
        )
        floor, ours = point.floor, point.ours
        self._tell(
            f"{self._store}, {callers} callers: ours {ours.per_s:g}/s, bare {floor.per_s:g}/s"
            f" ({point.times_floor:g} x, of {', '.join(f'{each:g}' for each in point.ratios)}),"
            f" rows alone {point.rows_per_s:g}/s; {ours.signed_calls} signed calls for"
            f" {ours.payments} payments, {ours.queries} of them queries (bare:"
            f" {floor.signed_calls} for {floor.payments}, {floor.queries} of ours' queries);"
            f" load {machine_load:g}"
        )
        return point

    async def _load(self, side: str, callers: int) -> Load:
        name = "plaza" if side == "ours" else "floor-payments"
        pids = self._children.pids(name)
        was = await self._commits() if side == "ours" else None
        calls = await self._calls()
        cpu = cpu_s(pids)
        said = await self._drive(side, callers, seconds=self._seconds)
        used = cpu_s(pids)
        if not said["payments"]:
            raise NothingPaidError(f"{side}: no payment of {callers} callers was paid in time")
        paid = int(said["payments"])
        asked = {kind: count - calls[kind] for kind, count in (await self._calls()).items()}
        now = await self._commits() if side == "ours" else None
        await self._quiet()
        in_all = cpu_s(pids)
        groups = None if now is None or was is None else round((now - was) / paid, 2)
        return Load(
            payments=paid,
            per_s=round(paid / float(said["seconds"]), 1),
            cpu_ms=_cpu_ms(cpu, used, paid),
            cpu_ms_in_all=_cpu_ms(cpu, in_all, paid),
            signed_calls=asked[gateway.PAY] + asked[gateway.QUERY],
            queries=asked[gateway.QUERY],
            p50_ms=float(said["p50_ms"]),
            p99_ms=said["p99_ms"],
            unpaid=int(said["failed"]),
            commits_per_payment=groups,
        )

    async def _calls(self) -> dict[str, int]:
        async with self._session.post(self._urls["gateway"]) as answer:
            return dict(json.loads(await answer.read()))

    async def _quiet(self) -> None:
        """Wait until ours has asked again about everything it was paid, and asks no more, so that
        it leaves the next window alone."""
        end = time.monotonic() + QUIET_S_MAX
        was: dict[str, int] = {}
        same = 0
        while True:
            calls = await self._calls()
            same = same + 1 if calls == was else 0
            if calls[gateway.ASKED_AGAIN] >= self._asked_for and same >= QUIET_LOOKS:
                return
            if time.monotonic() > end:
                self._tell(f"{self._store}: ours still asks again; the next window shares with it")
                return
            was = calls
            await asyncio.sleep(QUIET_LOOK_S)

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
        if side == "ours":
            self._asked_for += int(said["payments"])
        for lane in lanes:
            # Each has made at most all of them; a number is never used twice.
            lane["first"] = int(str(lane["first"])) + done
        return said


def _cpu_ms(before: float | None, after: float | None, payments: int) -> float | None:
    if before is None or after is None:
        return None
    return round((after - before) * 1_000 / payments, 2)


def merged(loads: list[Load]) -> Load:
    """Return several rounds of one side as one: counts added up, the rest by its median."""
    return Load(
        payments=sum(each.payments for each in loads),
        unpaid=sum(each.unpaid for each in loads),
        signed_calls=sum(each.signed_calls for each in loads),
        queries=sum(each.queries for each in loads),
        per_s=round(statistics.median(each.per_s for each in loads), 1),
        p50_ms=statistics.median(each.p50_ms for each in loads),
        cpu_ms=_middle([each.cpu_ms for each in loads]),
        p99_ms=_middle([each.p99_ms for each in loads]),
        commits_per_payment=_middle([each.commits_per_payment for each in loads]),
        cpu_ms_in_all=_middle([each.cpu_ms_in_all for each in loads]),
    )


def _middle(found: list[float | None]) -> float | None:
    told = [each for each in found if each is not None]
    return round(statistics.median(told), 3) if told else None


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
