"""A plaza that ran before receipts were made gets them with its upgrade."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from plaza_server.store import open_store
from plaza_server.store.migrate import MIGRATIONS
from plaza_server.store.receipt_units import receipt_view
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import CASH_LEG, LANE, PLAZA, Chain, passage, record
from tolling.receipts import receipt_bytes, receipt_of


@pytest.mark.slow
def test_records_from_before_have_receipts_after(tmp_path: Path) -> None:
    """The same bytes as if they had come later; none where nothing was paid or understood."""
    path = tmp_path / "plaza.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    chain = Chain()
    told = record(1, legs=(CASH_LEG,))
    sealed = [chain.seal(each) for each in (told, record(2), b"no record")]
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        add_lane = "INSERT INTO lanes VALUES (:lane, :plaza, 1, 3, 'x', 'y', 0)"
        connection.execute(sa.text(add_lane), {"lane": LANE, "plaza": PLAZA})
        add = "INSERT INTO records VALUES (:lane, 1, :seq, :passage, :before, :hash, :body, :at)"
        for each, number in zip(sealed, (passage(1), passage(2), None), strict=True):
            row = {
                "lane": LANE,
                "seq": each.seq,
                "passage": number,
                "before": each.previous_hash,
                "hash": each.chain_hash,
                "body": each.body.encode(),
                "at": EPOCH_MS,
            }
            connection.execute(sa.text(add), row)
    engine.dispose()
    store = open_store(f"sqlite:///{path}")
    try:
        with store.reading() as connection:
            found = receipt_view(connection, passage(1))
            count = connection.execute(sa.text("SELECT count(*) FROM receipts")).scalar_one()
    finally:
        store.close()
    receipt = receipt_of(sealed[0], told, payee=PLAZA, issued_ms=EPOCH_MS)
    assert receipt is not None
    assert found is not None
    assert (found.content.encode(), count) == (receipt_bytes(receipt), 1)
