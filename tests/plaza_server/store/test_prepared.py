"""A prepared statement does on every database what its SQLAlchemy statement does."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from plaza_server.store import Store
from plaza_server.store import tables as t
from plaza_server.store.prepared import Prepared

INSERT = Prepared(t.entries.insert())
LATEST = Prepared(
    sa.select(t.entries)
    .where(t.entries.c.plate == sa.bindparam("plate"))
    .order_by(t.entries.c.entered_ms.desc())
    .limit(1)
)
CLASS = Prepared(
    t.entries.update()
    .where(t.entries.c.entry_id == sa.bindparam("name"))
    .values(vehicle_class=sa.bindparam("new_class"))
)


def _row(name: str, entered_ms: int, **more: object) -> dict[str, object]:
    return {
        "entry_id": name,
        "plate": "浙A12345",
        "medium_id": None,
        "entry_station": name,
        "entered_ms": entered_ms,
        "vehicle_class": 1,
        **more,
    }


def test_rows_go_in_and_come_out(store: Store) -> None:
    """One and many, with a value of the statement's own (its LIMIT) beside the named ones."""
    with store.engine.begin() as connection:
        INSERT.run(connection, _row("east", 1_000))
        INSERT.run_many(connection, [_row("west", 3_000), _row("north", 2_000)])
        found = LATEST.run(connection, {"plate": "浙A12345"}).mappings().one()
        assert (found["entry_station"], found["medium_id"]) == ("west", None)
        assert LATEST.run(connection, {"plate": "x"}).one_or_none() is None


def test_an_update_counts_its_rows(store: Store) -> None:
    """What the guard of a unit asks."""
    with store.engine.begin() as connection:
        INSERT.run(connection, _row("east", 1_000))
        assert CLASS.run(connection, {"name": "east", "new_class": 3}).rowcount == 1
        assert CLASS.run(connection, {"name": "west", "new_class": 3}).rowcount == 0


def test_an_insert_fills_the_columns_its_row_names(store: Store) -> None:
    """The database numbers what it numbers itself."""
    alarm = Prepared(t.alarms.insert())
    row = {"code": "c", "subject": "s", "what": "w", "raised_ms": 1}
    with store.engine.begin() as connection:
        alarm.run(connection, row)
        alarm.run(connection, {**row, "cleared_ms": 5})
        query = sa.select(t.alarms.c.alarm_no, t.alarms.c.cleared_ms).order_by(t.alarms.c.alarm_no)
        first, second = connection.execute(query).all()
        assert first.alarm_no < second.alarm_no
        assert (first.cleared_ms, second.cleared_ms) == (None, 5)


def test_the_driver_does_the_same_without_a_result(store: Store) -> None:
    """Written, counted and found in the same transaction, and rolled back with it."""
    with store.engine.connect() as connection, connection.begin() as transaction:
        assert INSERT.write(connection, _row("east", 1_000)) == 1
        assert CLASS.write(connection, {"name": "east", "new_class": 3}) == 1
        assert CLASS.write(connection, {"name": "west", "new_class": 3}) == 0
        found = LATEST.first(connection, {"plate": "浙A12345"})
        assert found is not None
        assert found[0] == "east"
        assert LATEST.first(connection, {"plate": "x"}) is None
        transaction.rollback()
    with store.reading() as connection:
        assert LATEST.first(connection, {"plate": "浙A12345"}) is None


def test_an_error_of_the_driver_is_one_of_sqlalchemy_and_repeats_no_value(store: Store) -> None:
    """Whoever writes a group tells a row that is there already from a broken database."""
    with store.engine.connect() as connection:
        connection.begin()
        INSERT.write(connection, _row("east", 1_000))
        with pytest.raises(sa.exc.IntegrityError) as caught:
            INSERT.run_many(connection, [_row("west", 1), _row("east", 1_000)])
        connection.rollback()
    assert "浙A12345" not in str(caught.value)
    with store.reading() as connection:
        assert LATEST.first(connection, {"plate": "浙A12345"}) is None, "all or nothing"
