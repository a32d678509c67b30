"""Child processes of one bench: started one by one, all ended together, none of them twice."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from simulator.demo.child import argv_of
from simulator.demo.children import Child, ChildFailedError, Facts, Spec, json_line

ONCE_S = 60.0


class Children:
    """The children of one side: the floor's, or ours."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._started: list[Child] = []

    async def start(self, name: str, *argv: str, ready: str) -> Facts:
        """Start a program; return the first JSON line it prints that has *ready*.

        Raises: ChildFailedError.
        """
        return await self.start_as(Spec(name=name, argv=argv, read_ready=json_line(ready)))

    async def start_as(self, spec: Spec) -> Facts:
        """Start a program that says in its own way when it is ready. Raises: ChildFailedError."""
        child = Child(spec=spec, log=self._logs / f"{spec.name}.log", tell=lambda _: None)
        self._started.append(child)
        return await child.start()

    async def run_once(self, name: str, *argv: str) -> Facts:
        """Run a program to its end; return its last line, JSON. Raises: ChildFailedError."""
        process = await asyncio.create_subprocess_exec(
            *argv_of(*argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(ONCE_S):
                said, errors = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise ChildFailedError(f"{name} took longer than {ONCE_S:.0f} s") from None
        if process.returncode != 0:
            lines = errors.decode("utf-8", errors="replace").strip().splitlines()
            raise ChildFailedError(f"{name}: {lines[-1][:300] if lines else process.returncode}")
        return dict(json.loads(said.decode("utf-8").strip().splitlines()[-1]))

    def pids(self, name: str = "") -> list[int]:
        """Return the process ids of children whose names begin with *name*.

        Raises: ChildFailedError: one of them has ended.
        """
        found = []
        for child in self._started:
            if not child.spec.name.startswith(name):
                continue
            if child.pid is None:
                raise ChildFailedError(f"{child.spec.name} has ended; see {child.log}")
            found.append(child.pid)
        return found

    async def stop(self) -> None:
        """End all, those first that were started last."""
        while self._started:
            await self._started.pop().stop()


def program(name: str) -> str:
    """Return a console script's path. Raises: ChildFailedError: it is not installed."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise ChildFailedError(f"{name} is missing; install this project: pip install -e .")
    return found


def plain(facts: dict[str, Any]) -> str:
    """Return a program's one argument."""
    return json.dumps(facts)
