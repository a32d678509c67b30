"""Two plaza processes on one PostgreSQL."""

from __future__ import annotations

import pytest

from plaza_server.engine import CallKind
from plaza_server.store import open_store
from tests.plaza_server.bench_platform import charges_silently, waits
from tests.plaza_server.plaza_bench import Bench, order_no, phone_leg

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def test_one_process_takes_over_from_another_that_died(migrated_postgres: str) -> None:
    """Its lease runs out; the other one finds the capture without sending pay."""
    subject = Bench(open_store(migrated_postgres))
    subject.platform.script(CallKind.PAY, charges_silently)
    subject.pay(1)
    subject.run(1_000)
    assert subject.state(1) == "sent"
    subject.crash()
    subject.start()
    subject.run(60_000)
    assert subject.state(1) == "sent", "the lease of the dead process still runs"
    subject.run(120_000)
    assert subject.state(1) == "paid"
    subject.seal_and_upload(1, phone_leg(order_no(1)))
    subject.run(60_000)
    subject.check()
    assert subject.platform.count(CallKind.PAY) == 1
    subject.store.close()


def test_a_cancel_at_the_other_process_ends_an_order(migrated_postgres: str) -> None:
    """The lane asks another process than the one it paid at: the order is closed there."""
    first = Bench(open_store(migrated_postgres))
    first.platform.script(CallKind.PAY, waits)
    first.pay(1)
    first.run(4_000)
    second = Bench(open_store(migrated_postgres), name="other", now_ns=first.now_ns)
    second.platform = first.platform
    second.cancel(1)
    for _ in range(300):
        first.run(1_000)
        second.run(1_000)
    assert second.state(1) == "closed"
    second.check()
    assert first.engine is not None
    assert first.engine.open_orders == 0, "the first process has noticed"
    first.store.close()
    second.store.close()
