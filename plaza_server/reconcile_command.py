"""plaza-server reconcile: closes a day from the command line, with bills fetched or from a file."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from plaza_server.config import load_config
from plaza_server.rules.bills import is_day
from plaza_server.rules.reconcile_values import BillDifference, DayReport, PayeeSum
from plaza_server.rules.units import Unit
from plaza_server.shell.bills import BillDesk, DayClosed, Progress, sources_of
from plaza_server.shell.clock import SystemClock
from plaza_server.shell.logs import set_up_logs
from plaza_server.shell.parts import Parts
from plaza_server.store import Store, bill_queries, commit_group, open_store
from tolling.errors import BadInputError
from tolling.money import Money

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Direct:
    """Reads and commits in this thread: nobody else is served meanwhile."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(
        self, query: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Return what *query* finds."""
        with self._store.reading() as connection:
            return query(connection, *args, **kwargs)

    async def commit(self, *units: Unit) -> tuple[object, ...]:
        """Commit units as one group. Raises: what the store raises."""
        (result,) = commit_group(self._store.engine, [units])
        if isinstance(result, Exception):
            raise result
        return result


def reconcile(config: Path, *, day: str, platform: str, file: Path | None, as_json: bool) -> bool:
    """Close *day* of one platform, or of all where *platform* is empty; tell what stands then.

    Returns: whether every bill is here and nothing is left for a person.
    Raises: BadInputError: a wrong file, key, day or bill. RefusedError: a plaza serves on this
            SQLite file; ask it instead (POST /v1/reconciliations).
    """
    if not is_day(day):
        raise BadInputError(where="--day", what="no day of the calendar", do="Write yyyy-MM-dd")
    if file is not None and not platform:
        raise BadInputError(where="--file", what="whose bill is it?", do="Add --platform")
    content = None if file is None else _content(file)
    checked = load_config(config)
    # What a run says is told at its end; logs are for the process that serves.
    set_up_logs("error")
    home = config.resolve().parent
    parts = Parts(checked, home)
    store = open_store(checked.store_url(home))
    try:
        direct = _Direct(store)
        desk = BillDesk(
            sources=sources_of(
                checked, {name: each.bills for name, each in parts.channels.items()}
            ),
            commit=direct.commit,
            reader=direct,
            clock=SystemClock(),
        )
        platforms = (platform,) if platform else desk.platforms
        name = "" if file is None else file.name
        with _bar() as progress:
            closed = asyncio.run(_close(desk, platforms, day, content, name, progress))
        with store.reading() as connection:
            left = bill_queries.bill_differences(connection, day, standing=True)
            payees = bill_queries.payee_sums(connection, day)
    finally:
        store.close()
    left = tuple(each for each in left if each.platform in platforms)
    if as_json:
        _tell_json(day, closed, left, payees)
    else:
        _tell_people(day, closed, left)
    return not left and all(each.report is not None for each in closed)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadInputError(where=str(file), what=error.strerror or "cannot be read") from None


async def _close(
    desk: BillDesk,
    platforms: tuple[str, ...],
    day: str,
    content: bytes | None,
    name: str,
    progress: Progress,
) -> list[DayClosed]:
    closed = []
    for platform in platforms:
        if content is not None:
            await desk.take(platform, day, content, name=name)
        closed.append(await desk.close_day(platform, day, progress=progress))
    return closed


@contextmanager
def _bar() -> Iterator[Progress]:
    """Show progress where a person looks: on stderr, on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("order numbers", total=None)
        yield lambda done, whole: bar.update(task, completed=done, total=whole)


def _tell_json(
    day: str,
    closed: list[DayClosed],
    left: tuple[BillDifference, ...],
    payees: tuple[PayeeSum, ...],
) -> None:
    reports = [each.report for each in closed if each.report is not None]
    fields = {
        "day": day,
        "matched": sum(each.matched for each in reports),
        "healed": sum(each.healed for each in reports),
        "left_for_a_person": sum(each.left for each in reports),
        "difference_fen": sum(each.difference_fen for each in reports),
        "fee_fen": sum(each.fee_fen for each in reports),
        "platforms": {each.platform: asdict(each) for each in reports},
        "payees": [asdict(each) for each in payees],
        "missing": {each.platform: each.missing for each in closed if each.report is None},
        "left": [asdict(each) for each in left],
    }
    sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")


def _tell_people(day: str, closed: list[DayClosed], left: tuple[BillDifference, ...]) -> None:
    write = sys.stdout.write
    for each in closed:
        if each.report is None:
            write(f"{day} {each.platform}: no bill ({each.missing})\n")
        else:
            write(_sentence(each.report))
    for one in left:
        write(f"  {one.what} {one.platform} {one.out_trade_no}: {one.action}\n")


def _sentence(report: DayReport) -> str:
    bill = report.bill
    return (
        f"{report.day} {report.platform}: bill {report.version} has {bill.pay_count} payments, "
        f"{_yuan(bill.pay_fen)}, and {bill.refund_count} refunds, {_yuan(bill.refund_fen)}; fees "
        f"{_yuan(bill.fee_fen)}. {report.matched} rows match, {report.healed} differences healed, "
        f"{report.left} left for a person ({_yuan(report.difference_fen)} unexplained)\n"
    )


def _yuan(fen: int) -> str:
    return f"{Money(fen).yuan_text()} yuan"
