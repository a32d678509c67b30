"""``python -m simulator.bench``: scan to raise against its floor, scan to boom up against 1.5 s,
the virtual world against a bare heap, and durable payments against a bare handler."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from simulator.bench.boom import TooSlowError
from simulator.bench.payments import CALLERS, ROUNDS, STORES, NothingPaidError, payments_bench
from simulator.bench.report import Result, as_json, payments_table, table
from simulator.bench.road import StuckError
from simulator.bench.rows import RowsUnclearError
from simulator.bench.run import Order, bench
from simulator.bench.world import WorldFailedError, world_speed
from simulator.broker import BrokerMissingError
from simulator.demo.children import ChildFailedError
from simulator.demo.files import BadPlaceError
from simulator.demo.http import CallFailedError
from simulator.platforms.keys import KeyFilesError

CANNOT_RUN = 2
LANES_MAX = 8
TABLE_WIDTH = 170
CARS_MAX = 10_000
ROUNDS_MAX = 20
SECONDS_MAX = 120
"""A plaza works on so many orders at most; a minute of load is far below."""
_EXPECTED = (
    BadPlaceError,
    BrokerMissingError,
    CallFailedError,
    ChildFailedError,
    KeyFilesError,
    NothingPaidError,
    RowsUnclearError,
    StuckError,
    TooSlowError,
    WorldFailedError,
    OSError,
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulator.bench", description=__doc__)
    parser.add_argument("--cars", type=_upto(CARS_MAX, 1), default=500, help="default 500")
    parser.add_argument(
        "--boom-cars", type=_upto(CARS_MAX, 0), default=60, help="default 60; 0 leaves them out"
    )
    parser.add_argument(
        "--world-seeds", type=_upto(CARS_MAX, 0), default=20, help="default 20; 0 leaves them out"
    )
    parser.add_argument("--lanes", type=_upto(LANES_MAX, 1), default=4, help="default 4")
    parser.add_argument(
        "--payment-seconds",
        type=_upto(SECONDS_MAX, 0),
        default=5,
        help="of load for each side, number of callers and store; default 5; 0 leaves them out",
    )
    parser.add_argument(
        "--payment-rounds", type=_upto(ROUNDS_MAX, 1), default=ROUNDS, help="default 3; the median"
    )
    parser.add_argument(
        "--payment-store", choices=STORES, action="append", help="only this one; may be repeated"
    )
    parser.add_argument(
        "--payment-callers", type=int, choices=CALLERS, action="append", help="only so many"
    )
    parser.add_argument("--payments", action="store_true", help="durable payments only")
    parser.add_argument("--json", action="store_true", help="last line: one JSON object")
    parser.add_argument("--dir", type=Path, help="where everything is written, and stays")
    return parser


def _upto(most: int, least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{least}..{most}")
        return value

    return read


def main(arguments: list[str] | None = None) -> int:
    """Measure and print. Returns the exit code: 2 where it cannot be measured."""
    given = _parser().parse_args(arguments)
    order = Order(cars=given.cars, boom_cars=given.boom_cars, lanes=given.lanes)
    root = given.dir.absolute() if given.dir else Path(tempfile.mkdtemp(prefix="toll-bench-"))
    try:
        result = Result()
        if not given.payments:
            result = asyncio.run(bench(order, root, tell=_tell))
            if given.world_seeds:
                _tell(f"virtual world: {given.world_seeds} seeds")
                result = replace(result, world=world_speed(given.world_seeds))
        if given.payment_seconds:
            measured = payments_bench(
                root / "payments",
                seconds=float(given.payment_seconds),
                rounds=given.payment_rounds,
                stores=tuple(given.payment_store or STORES),
                callers=tuple(given.payment_callers or CALLERS),
                tell=_tell,
            )
            result = replace(result, payments=asyncio.run(measured))
    except _EXPECTED as error:
        return _cannot(error)
    except BaseExceptionGroup as group:
        known, rest = group.split(_EXPECTED)
        if rest is not None or known is None:
            raise
        return _cannot(_first(known))
    finally:
        if given.dir is None:
            shutil.rmtree(root, ignore_errors=True)
    _print(result, as_line=given.json)
    return 0


def _print(result: Result, *, as_line: bool) -> None:
    if result.floor is not None:
        Console().print(table(result))
    if result.payments:
        Console(width=TABLE_WIDTH).print(payments_table(result.payments))
    if as_line:
        sys.stdout.write(json.dumps(as_json(result)) + "\n")


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _cannot(error: BaseException) -> int:
    _tell(f"simulator.bench: {error}")
    return CANNOT_RUN


if __name__ == "__main__":
    raise SystemExit(main())
