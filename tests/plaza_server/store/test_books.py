"""The self-audit sees what is planted, and nothing in good books."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from plaza_server.engine import CallKind
from plaza_server.store import verify_books
from tests.plaza_server.bench_platform import charges_silently, waits
from tests.plaza_server.plaza_bench import CASH_LEG, Bench, order_no, phone_leg

NUMBER = order_no(1)


@pytest.fixture(scope="module")
def subject() -> Bench:
    """Books with one of each: revenue by phone and cash, suspense, a refund, a waiting order."""
    bench = Bench()
    bench.pay(1)
    bench.pay(2)
    bench.pay(3)
    bench.run(1_000)
    bench.seal_and_upload(1, phone_leg(NUMBER))
    bench.seal_and_upload(2)
    bench.seal_and_upload(9, CASH_LEG, attempts=())
    bench.run(60_000)
    bench.platform.script(CallKind.PAY, waits, charges_silently)
    bench.pay(4)
    bench.run(1_000)
    return bench


def test_good_books_have_no_problems(subject: Bench) -> None:
    """Every account, order and chain agrees."""
    assert subject.problems() == []
    states = [subject.state(number) for number in (1, 2, 3, 4)]
    assert states == ["paid", "refunded", "paid", "waiting"]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("UPDATE orders SET captured_fen = 1 WHERE out_trade_no = :n", "M1"),
        ("UPDATE orders SET record = 'omitted' WHERE out_trade_no = :n", "M1"),
        ("UPDATE orders SET record = 'none' WHERE out_trade_no = :n", "M1"),
        ("UPDATE orders SET state = 'unknown' WHERE out_trade_no = :n", "M4"),
        ("UPDATE orders SET state = 'closed' WHERE out_trade_no = :n", "M4"),
        ("UPDATE orders SET pending = NOT pending WHERE out_trade_no = :n", "M5"),
        ("UPDATE orders SET refunded_fen = 99999 WHERE out_trade_no = :n", "M5"),
        ("UPDATE orders SET state = 'refunded' WHERE out_trade_no = :n", "M5"),
        ("UPDATE transfers SET amount_fen = 1 WHERE transfer_id = :n || '/revenue'", "M1"),
        ("UPDATE transfers SET amount_fen = 1 WHERE transfer_id = :n || '/capture'", "M5"),
        ("DELETE FROM transfers WHERE transfer_id = :n || '/capture/end'", "M5"),
        ("DELETE FROM transfers WHERE credit = 'refund_due'", "M5"),
        ("UPDATE transfers SET debit = 'etc' WHERE debit = 'suspense'", "M5"),
        ("UPDATE records SET body = CAST(body || ' ' AS BLOB) WHERE seq = 2", "M6"),
        ("DELETE FROM records WHERE seq = 2", "M6"),
        ("DELETE FROM records WHERE seq = 3", "M6"),
        ("UPDATE lanes SET seq = 7", "M6"),
        ("UPDATE orders SET code_hash = '28123456789012345678' WHERE out_trade_no = :n", "M7"),
        ("UPDATE orders SET code_hash = NULL WHERE out_trade_no = :n", "M7"),
    ],
)
def test_a_planted_fault_is_found(subject: Bench, change: str, rule: str) -> None:
    """Each rule sees the fault made for it."""
    with subject.store.engine.connect() as connection, connection.begin() as transaction:
        names = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        for name in connection.execute(sa.text(names)).scalars().all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        wanted = {"n": NUMBER} if ":n" in change else {}
        assert connection.execute(sa.text(change), wanted).rowcount > 0
        found = verify_books(connection)
        transaction.rollback()
    assert rule in {problem.rule for problem in found}
    assert all(problem.what for problem in found)
    assert subject.problems() == []
