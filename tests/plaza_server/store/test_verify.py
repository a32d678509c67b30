"""The proof of the books names the row that was changed, whatever was changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from plaza_server.engine import CallKind
from plaza_server.rules.ledger_chain import link, stream_start
from plaza_server.rules.verify import BadRow
from plaza_server.store import audit_books
from plaza_server.store import tables as t
from plaza_server.store import verify as subject
from plaza_server.store.ledger_tables import ledger_streams
from plaza_server.store.verify import Proved, prove
from tests.plaza_server.bench_platform import charges_silently, waits
from tests.plaza_server.plaza_bench import TOLL, Bench, order_no, phone_leg
from tolling.records import Leg, Tender

ONE, TWO, FOUR = order_no(1), order_no(2), order_no(4)
LEGS = (Leg(tender=Tender.CASH, amount_fen=50), Leg(tender=Tender.ETC, amount_fen=TOLL - 50))


@pytest.fixture(scope="module")
def books() -> Bench:
    """Revenue by phone, cash and ETC, suspense, a refund, a waiting order; two process boots."""
    bench = Bench()
    bench.pay(1)
    bench.pay(2)
    bench.run(1_000)
    bench.crash()
    bench.start()
    bench.pay(3)
    bench.run(1_000)
    bench.seal_and_upload(1, phone_leg(ONE))
    bench.seal_and_upload(2)
    bench.seal_and_upload(9, *LEGS, attempts=())
    bench.run(60_000)
    bench.platform.script(CallKind.PAY, waits, charges_silently)
    bench.pay(4)
    bench.run(1_000)
    return bench


@contextmanager
def changed(books: Bench, *changes: str, chained: bool = True) -> Iterator[sa.Connection]:
    """Give a connection on which *changes* were made by hand, to be rolled back.

    *chained*: whoever made them knew how to make every hash right again.
    """
    with books.store.engine.connect() as connection, connection.begin() as transaction:
        names = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        for name in connection.execute(sa.text(names)).scalars().all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        for change in changes:
            assert connection.exec_driver_sql(change).rowcount > 0, change
        if chained:
            _chain_again(connection)
        yield connection
        transaction.rollback()


def _chain_again(connection: sa.Connection) -> None:
    c = t.transfers.c
    rows = [
        dict(row._mapping)
        for row in connection.execute(sa.select(t.transfers).order_by(c.stream, c.stream_no))
    ]
    heads = {row["stream"]: stream_start(row["stream"]) for row in rows}
    for row in rows:
        heads[row["stream"]] = link(heads[row["stream"]], row["stream"], row)
    connection.execute(t.transfers.delete())
    connection.execute(t.transfers.insert(), rows)
    connection.execute(ledger_streams.delete())
    for stream, head in heads.items():
        values = {"stream": stream, "next_no": head.next_no, "head_hash": head.head_hash}
        connection.execute(ledger_streams.insert(), values)


def found(connection: sa.Connection) -> BadRow:
    """Return the first bad row."""
    bad = next(audit_books(connection, Proved()), None)
    assert bad is not None, "nothing was found"
    return bad


def test_good_books_are_proven_and_counted(books: Bench) -> None:
    """What was walked is told; every batch is heard of."""
    proved, heard = Proved(), dict.fromkeys(("transfers", "orders", "records"), 0)

    def tell(table: str, rows: int) -> None:
        heard[table] += rows

    with books.store.reading() as connection:
        assert list(prove(connection, proved, tell)) == []
        assert heard == subject.sizes(connection)
    assert (proved.streams, proved.transfers) == (2, 12)
    assert (proved.pending_ended, proved.pending_open) == (3, 1)
    assert (proved.orders, proved.records, proved.legs, proved.quarantined) == (4, 3, 3, 0)
    assert proved.balances_fen["suspense"] == -TOLL
    assert sum(proved.balances_fen.values()) == 0


def test_small_batches_find_the_same(books: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row at the edge of a batch is neither walked twice nor left out."""
    monkeypatch.setattr(subject, "_BATCH", 1)
    proved = Proved()
    with books.store.reading() as connection:
        assert list(prove(connection, proved)) == []
    assert (proved.transfers, proved.orders, proved.records, proved.legs) == (12, 4, 3, 3)
    with changed(books, f"DELETE FROM orders WHERE out_trade_no = '{TWO}'") as connection:
        assert found(connection).key == f"{TWO}/capture"


WRONG = "revenue:wechat:310101"
_END = f"'{ONE}/capture/end'"
_CUT = "DELETE FROM transfers WHERE transfer_id = (SELECT transfer_id FROM transfers WHERE stream"


@pytest.mark.parametrize(
    ("change", "table", "key", "what"),
    [
        (
            f"UPDATE transfers SET amount_fen = 1 WHERE transfer_id = {_END}",
            "transfers",
            f"{ONE}/capture/end",
            "hash",
        ),
        (
            f"UPDATE transfers SET wall_ms = 1 WHERE transfer_id = {_END}",
            "transfers",
            f"{ONE}/capture/end",
            "hash",
        ),
        (
            f"DELETE FROM transfers WHERE transfer_id = '{ONE}/capture'",
            "transfers",
            f"{TWO}/capture",
            "follows number 0",
        ),
        (
            f"{_CUT} = 'boot1' ORDER BY stream_no DESC LIMIT 1)",
            "ledger_streams",
            "boot1",
            "its last row",
        ),
        (
            "DELETE FROM transfers WHERE stream = 'boot1'",
            "ledger_streams",
            "boot1",
            "its last row 0",
        ),
        (
            "DELETE FROM ledger_streams WHERE stream = 'boot1'",
            "ledger_streams",
            "boot1",
            "no head",
        ),
        (
            "UPDATE ledger_streams SET head_hash = 'x' WHERE stream = 'boot2'",
            "ledger_streams",
            "boot2",
            "head",
        ),
    ],
)
def test_a_broken_chain_is_found(
    books: Bench, change: str, table: str, key: str, what: str
) -> None:
    """A changed row, a missing one, a cut tail, a lost stream, a lost or changed head."""
    with changed(books, change, chained=False) as connection:
        bad = found(connection)
    assert (bad.rule, bad.table, bad.key) == ("M5", table, key)
    assert what in bad.what


@pytest.mark.parametrize(
    ("change", "table", "key", "what"),
    [
        (
            f"UPDATE transfers SET debit = 'pocket' WHERE transfer_id = '{ONE}/revenue'",
            "transfers",
            f"{ONE}/revenue",
            "pocket is not in the chart",
        ),
        (
            f"UPDATE transfers SET debit = 'cash_safe' WHERE transfer_id = '{ONE}/revenue'",
            "transfers",
            f"{ONE}/revenue",
            "no transfer goes from cash_safe",
        ),
        (
            f"UPDATE transfers SET kind = 'gift' WHERE transfer_id = '{ONE}/revenue'",
            "transfers",
            f"{ONE}/revenue",
            "gift",
        ),
        (
            f"UPDATE transfers SET amount_fen = {10**14} WHERE transfer_id = '{ONE}/revenue'",
            "transfers",
            f"{ONE}/revenue",
            "moves",
        ),
        (
            f"UPDATE transfers SET pending_id = 'x' WHERE transfer_id = {_END}",
            "transfers",
            f"{ONE}/capture/end",
            "not there",
        ),
        (
            f"UPDATE transfers SET amount_fen = 9 WHERE transfer_id = {_END}",
            "transfers",
            f"{ONE}/capture/end",
            "not there",
        ),
        (
            f"DELETE FROM transfers WHERE transfer_id = '{ONE}/revenue'",
            "orders",
            ONE,
            f"transfer {ONE}/revenue is missing",
        ),
        (
            f"UPDATE transfers SET credit = '{WRONG}' WHERE transfer_id = '{ONE}/revenue'",
            "transfers",
            f"{ONE}/revenue",
            "credit is revenue:wechat:310101",
        ),
        (
            f"UPDATE orders SET captured_fen = 9 WHERE out_trade_no = '{ONE}'",
            "transfers",
            f"{ONE}/capture/end",
            "kind is post",
        ),
        (
            f"UPDATE orders SET refunded_fen = 0 WHERE out_trade_no = '{TWO}'",
            "orders",
            TWO,
            "0 of 2550 fen given back",
        ),
        (
            f"DELETE FROM transfers WHERE transfer_id = '{TWO}/refund'",
            "orders",
            TWO,
            "is missing",
        ),
        (
            f"UPDATE orders SET state = 'closed', pending = 0 WHERE out_trade_no = '{FOUR}'",
            "orders",
            FOUR,
            f"transfer {FOUR}/capture/end is missing",
        ),
        (f"DELETE FROM orders WHERE out_trade_no = '{ONE}'", "transfers", f"{ONE}/capture", "no"),
        (f"DELETE FROM orders WHERE out_trade_no = '{FOUR}'", "transfers", f"{FOUR}/capture", "no"),
    ],
)
def test_books_that_do_not_agree_are_found_behind_right_hashes(
    books: Bench, change: str, table: str, key: str, what: str
) -> None:
    """Whoever can write the database can hash: what rows say must agree too."""
    with changed(books, change) as connection:
        bad = found(connection)
    assert (bad.table, bad.key) == (table, key)
    assert what in bad.what


_INSERT = (
    "INSERT INTO transfers (transfer_id, kind, debit, credit, amount_fen, out_trade_no, pending_id,"
    " at_ns, wall_ms, stream, stream_no, chain_hash) VALUES"
)


def _row(name: str, *, kind: str = "posted", number: str = "NULL", pending: str = "NULL") -> str:
    accounts = "'cash_lane:001', 'revenue:cash:310101'"
    place = "1, 1, 'boot1', 99, ''"
    return f"{_INSERT} ('{name}', '{kind}', {accounts}, 7, {number}, {pending}, {place})"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("gift/1", "nothing that the plaza knows of"),
        ("001/001/3/leg/x", "nothing that the plaza knows of"),
        ("001/001/3/leg/3", "has no leg 3"),
        ("001/001/3/leg/0", "has no leg 0"),
        ("001/001/77/leg/1", "has no leg 1"),
        ("002/001/3/leg/1", "record 002/001/3 has no leg"),
    ],
)
def test_a_transfer_without_cause_is_found(books: Bench, name: str, what: str) -> None:
    """Every transfer is about an order, a leg of a record, or what its topic stands for."""
    with changed(books, _row(name)) as connection:
        bad = found(connection)
    assert (bad.table, bad.key) == ("transfers", name)
    assert what in bad.what


def test_a_transfer_about_an_order_under_another_name_has_no_cause(books: Bench) -> None:
    """To carry the number of an order is not enough."""
    with changed(books, _row("gift", number=f"'{ONE}'")) as connection:
        assert found(connection).key == "gift"


def test_an_extra_transfer_of_an_order_is_found(books: Bench) -> None:
    """Its order does not call for it."""
    with changed(books, _row(f"{ONE}/bonus", number=f"'{ONE}'")) as connection:
        assert "does not call for it" in found(connection).what


def test_a_pending_transfer_ended_twice_is_found(books: Bench) -> None:
    """Also in a database that lost its unique index."""
    drop = "CREATE TABLE copy AS SELECT * FROM transfers"
    again = _row("again", kind="void", number=f"'{ONE}'", pending=f"'{ONE}/capture'")
    accounts = "UPDATE transfers SET debit = 'clearing:alipay', credit = 'suspense', amount_fen ="
    with books.store.engine.connect() as connection, connection.begin() as transaction:
        for statement in (
            drop,
            "DROP TABLE transfers",
            "ALTER TABLE copy RENAME TO transfers",
            again,
            f"{accounts} {TOLL} WHERE transfer_id = 'again'",
        ):
            connection.exec_driver_sql(statement)
        _chain_again(connection)
        bad = found(connection)
        transaction.rollback()
    assert (bad.key, bad.what) == (f"{ONE}/capture", "is ended more than once")


@pytest.mark.parametrize(
    ("change", "table", "key", "what"),
    [
        (
            "UPDATE records SET body = CAST(body || ' ' AS BLOB) WHERE seq = 2",
            "records",
            "001/001/2",
            "forged",
        ),
        ("UPDATE records SET body = x'ff' WHERE seq = 2", "records", "001/001/2", "no text"),
        ("DELETE FROM records WHERE seq = 2", "records", "001/001/3", "gap"),
        ("DELETE FROM records WHERE seq = 3", "lanes", "001", "its chain ends with 2"),
        ("UPDATE lanes SET seq = 7", "lanes", "001", "its anchor is record 7"),
        ("UPDATE records SET lane_id = '005' WHERE seq = 3", "records", "005/001/3", "no such"),
        ("UPDATE records SET passage_id = 'P' WHERE seq = 3", "records", "001/001/3", "does not"),
        (
            "DELETE FROM transfers WHERE transfer_id = '001/001/3/leg/1'",
            "transfers",
            "001/001/3/leg/1",
            "no transfer books it",
        ),
        (
            "UPDATE transfers SET amount_fen = 9 WHERE transfer_id = '001/001/3/leg/1'",
            "transfers",
            "001/001/3/leg/1",
            "books 9 fen on cash_lane:001",
        ),
        (
            "UPDATE transfers SET kind = 'pending' WHERE transfer_id = '001/001/3/leg/2'",
            "transfers",
            "001/001/3/leg/2",
            "moves nothing",
        ),
    ],
)
def test_a_record_that_is_not_what_it_was_is_found(
    books: Bench, change: str, table: str, key: str, what: str
) -> None:
    """Bytes, gaps, anchors and the booking of every leg."""
    with changed(books, change) as connection:
        bad = found(connection)
    assert (bad.table, bad.key) == (table, key)
    assert what in bad.what


def test_a_named_order_that_is_not_revenue_is_found(books: Bench) -> None:
    """Also where the order itself was made to agree: the record stands."""
    changes = (
        f"DELETE FROM transfers WHERE transfer_id = '{ONE}/revenue'",
        f"UPDATE orders SET record = 'none' WHERE out_trade_no = '{ONE}'",
    )
    with changed(books, *changes) as connection:
        bad = found(connection)
    assert (bad.rule, bad.table, bad.key) == ("M1", "orders", ONE)


def test_a_difference_that_is_told_is_no_bad_row(books: Bench) -> None:
    """A record that names what was never captured is kept as a difference, for a person."""
    bench = Bench()
    bench.seal_and_upload(1, phone_leg(ONE))
    bench.run(1_000)
    with bench.store.reading() as connection:
        assert list(audit_books(connection, Proved())) == []
    gone = "DELETE FROM differences"
    with changed(bench, gone, chained=False) as connection:
        assert found(connection).key == ONE


_POSTING = (
    "INSERT INTO bill_postings (platform, day, posting_key, posting_no, out_trade_no, fee,"
    " clearing_fen, transfer_id, posted_ms) VALUES ('alipay', '2026-11-22', 'k', 1, 'o', 1, {fen},"
    " 'bill/alipay/2026-11-22/k/1', 1)"
)


def test_a_topic_has_its_own_causes(books: Bench) -> None:
    """A bill's posting and its transfer call for each other, and agree on amount and side."""
    name = "bill/alipay/2026-11-22/k/1"
    accounts = "UPDATE transfers SET debit = 'fees:alipay', credit = 'clearing:alipay'"
    row = (_row(name), f"{accounts} WHERE transfer_id = '{name}'")
    with changed(books, *row) as connection:
        bad = found(connection)
    assert (bad.table, bad.key) == ("transfers", name)
    assert bad.what == "nothing in bill_postings causes a bill transfer"
    for fen, good in ((-7, True), (7, False), (-8, False)):
        with changed(books, *row, _POSTING.format(fen=fen)) as connection:
            bad_rows = list(prove(connection, Proved()))
        assert (bad_rows == []) is good, fen
        assert all((bad.table, bad.key) == ("bill_postings", name) for bad in bad_rows)
    with changed(books, _POSTING.format(fen=-7)) as connection:
        assert found(connection).table == "bill_postings"
