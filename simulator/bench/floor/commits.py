"""Bare group commits of a payment's rows, and nothing around them: what the disk and the database
would carry."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from pathlib import Path

import uvloop

from simulator.bench.floor.common import options, say
from simulator.bench.floor.groups import Groups
from simulator.bench.floor.rows import payment_of

PLAZA = "330101"
LANE = "999"


async def _main() -> None:
    given = options()
    rows = payment_of(json.loads(Path(given["rows"]).read_text(encoding="utf-8")))
    groups = Groups(given["store"])
    numbers = itertools.count(1)
    paid = 0
    began = time.monotonic()
    end = began + float(given["seconds"])

    async def caller() -> None:
        nonlocal paid
        while time.monotonic() < end:
            number = next(numbers)
            passage = f"{PLAZA}{LANE}001{number:09d}"
            await groups.write(rows.commit(rows.before, passage, number))
            await groups.write(rows.commit(rows.after, passage, number))
            paid += 1

    async with asyncio.TaskGroup() as tasks:
        for each in range(int(given["callers"])):
            tasks.create_task(caller(), name=f"caller {each}")
    seconds = time.monotonic() - began
    say(payments=paid, seconds=round(seconds, 3), commits=groups.commits)


if __name__ == "__main__":
    uvloop.run(_main())
