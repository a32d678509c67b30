"""Reads of the store off the loop, in a few threads of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from plaza_server.store import Store

_P = ParamSpec("_P")
_T = TypeVar("_T")
READERS = 4
"""Reads are short; more threads only wait for each other."""


class Reader:
    """Runs query functions ``(connection, ...) -> value``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="reader")

    async def read(
        self, query: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Return what *query* finds. Raises: what the database raises."""

        def run() -> _T:
            with self._store.reading() as connection:
                return query(connection, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True)
