"""Bare group commit: one thread, one connection, everything that waits goes in one transaction."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Sequence
from typing import Any

import psycopg
import pysqlite3.dbapi2 as sqlite

from simulator.bench.floor.rows import Statement

SQLITE = "sqlite:///"
GROUP_MAX = 256
_Unit = tuple[Sequence[Statement], asyncio.Future[None]]


class Groups:
    """Durable when ``write`` returns. SQLite: WAL, synchronous FULL; PostgreSQL as it comes."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: queue.SimpleQueue[_Unit] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self.commits = 0
        threading.Thread(target=self._run, name="bare committer", daemon=True).start()

    async def write(self, statements: Sequence[Statement]) -> None:
        """Write a unit with whatever else waits, and return once it is durable."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting.put((statements, done))
        await done

    def _run(self) -> None:
        connection: Any = _connect(self._url)
        while True:
            units = [self._waiting.get()]
            while len(units) < GROUP_MAX and not self._waiting.empty():
                units.append(self._waiting.get())
            waiting = [done for _, done in units]
            try:
                self._commit(connection.cursor(), units)
            except (sqlite.Error, psycopg.Error) as error:
                self._loop.call_soon_threadsafe(_fail, waiting, error)
                return
            self._loop.call_soon_threadsafe(_settle, waiting)

    def _commit(self, cursor: Any, units: list[_Unit]) -> None:
        cursor.execute("BEGIN IMMEDIATE" if self._url.startswith(SQLITE) else "BEGIN")
        for statement, values in _by_statement(units).items():
            cursor.executemany(statement, values)
        cursor.execute("COMMIT")
        self.commits += 1


def _by_statement(units: list[_Unit]) -> dict[str, list[tuple[object, ...]]]:
    found: dict[str, list[tuple[object, ...]]] = {}
    for statements, _ in units:
        for statement, values in statements:
            found.setdefault(statement, []).append(values)
    return found


def _connect(url: str) -> Any:
    if not url.startswith(SQLITE):
        return psycopg.connect(url, autocommit=True)
    connection = sqlite.connect(url.removeprefix(SQLITE), isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _fail(done: list[asyncio.Future[None]], error: Exception) -> None:
    for each in done:
        if not each.done():
            each.set_exception(error)


def _settle(done: list[asyncio.Future[None]]) -> None:
    for each in done:
        if not each.done():
            each.set_result(None)
