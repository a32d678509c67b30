"""plaza-server verify: proves a plaza's books from its database, and names the first bad row."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from plaza_server.config import load_config
from plaza_server.rules.verify import BadRow
from plaza_server.store import audit_books, open_for_reading
from plaza_server.store.verify import Proved, Tell, sizes

VERIFIED = (
    ("streams", "streams of the ledger, gapless, every hash and head right"),
    ("transfers", "transfers, each allowed by the chart and caused by something"),
    ("pending_ended", "pending transfers posted or voided, each once"),
    ("pending_open", "pending transfers that stand with their undecided orders"),
    ("orders", "orders, captured and refunded as their transfers say"),
    ("records", "sealed records, gapless, every hash over the exact bytes"),
    ("legs", "legs of records, each booked once"),
    ("quarantined", "records in quarantine, booked nowhere"),
)


def verify(config: Path, *, store: str, as_json: bool) -> bool:
    """Prove the books of the database in *config*, or at the URL *store*; tell what was found.

    Returns: whether nothing is wrong.
    Raises: BadInputError: a wrong file or key, no such store, or tables of another version.
    """
    checked = load_config(config)
    url = store or checked.store_url(config.resolve().parent)
    opened = open_for_reading(url)
    proved = Proved()
    try:
        with opened.reading() as connection, _bar(sizes(connection)) as tell:
            bad = next(audit_books(connection, proved, tell), None)
    finally:
        opened.close()
    if as_json:
        _tell_json(proved, bad)
    else:
        _tell_people(proved, bad)
    return bad is None


def _tell_json(proved: Proved, bad: BadRow | None) -> None:
    told = asdict(proved)
    balances = told.pop("balances_fen")
    fields = {
        "problems": 0 if bad is None else 1,
        "bad": None if bad is None else asdict(bad),
        "walked" if bad else "proved": told,
        "balances_fen": balances,
    }
    sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")


def _tell_people(proved: Proved, bad: BadRow | None) -> None:
    if bad is not None:
        sys.stdout.write(f"BAD {bad.rule}: {bad.table} {bad.key}: {bad.what}\n")
        return
    for name, what in VERIFIED:
        sys.stdout.write(f"{getattr(proved, name):>12,} {what}\n")
    for account, fen in proved.balances_fen.items():
        sys.stdout.write(f"{fen:>12,} fen on {account}\n")
    sys.stdout.write("proved: nothing in these books is wrong\n")


@contextmanager
def _bar(total: dict[str, int]) -> Iterator[Tell]:
    """Show how far the proof is, on a terminal; tables one below the other."""
    if not sys.stderr.isatty():
        yield lambda _table, _rows: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        tasks = {table: bar.add_task(table, total=rows) for table, rows in total.items()}
        yield lambda table, rows: bar.update(tasks[table], advance=rows)
