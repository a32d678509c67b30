"""Records in quarantine, read again by a plaza that has learnt since, on every kind of store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from plaza_server.rules.units import (
    BEFORE_ALL_RECORDS,
    AddLane,
    ReadAgain,
    RecordPlace,
    Sweep,
)
from plaza_server.store import Store, queries, record_units
from plaza_server.store import tables as t
from tests.plaza_server.plaza_bench import CASH_LEG, LANE, PLAZA, TOLL, Chain, record
from tests.plaza_server.rules.values import AT
from tests.plaza_server.store.test_units import ADD_LANE, LEASE, books, do, upload
from tolling.chain import SealedRecord
from tolling.errors import BadInputError
from tolling.ids import LaneId


@pytest.fixture
def subject(store: Store) -> Store:
    """A store with one lane."""
    do(store, ADD_LANE)
    return store


def test_a_record_that_can_be_read_at_last_does_all_it_says_once(
    subject: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its place in its chain stays as it was; nothing else of a sealed record may ever change."""
    good = Chain().seal(record(1, legs=(CASH_LEG,)))

    def refuse(sealed: SealedRecord) -> Any:
        raise BadInputError(where="record", what=f"unknown member in {sealed.seq}")

    with monkeypatch.context() as older:
        older.setattr(record_units, "open_record", refuse)
        upload(subject, good)
        bad = Chain(LaneId("002")).seal(b"not json")
        do(subject, AddLane(plaza_id=PLAZA, lane_id=LaneId("002"), token_hash="x", now_ms=1))
        upload(subject, bad, lane=LaneId("002"))
    places = []
    after: RecordPlace | None = BEFORE_ALL_RECORDS
    while after is not None:
        sweep = Sweep(lease=LEASE, limit=10, at=AT, unread_after=after)
        after = do(subject, sweep).unread
        if after is not None:
            places.append(after)
            said = [do(subject, ReadAgain(place=after, lease=LEASE, at=AT)) for _ in range(2)]
            assert (said[0].why is None) is (after.lane_id == LANE)
            assert said[1] == replace(said[0], orders=(), alarms=())
    assert [place.lane_id for place in places] == ["001", "002"]
    assert do(subject, Sweep(lease=LEASE, limit=10, at=AT)).unread is None
    with subject.reading() as connection:
        assert queries.record(connection, LANE, 1, 1) == good
        assert queries.record_of_passage(connection, record(1).passage_id) == good
        assert queries.balances(connection)["cash_lane:001"] == TOLL
        assert [row.subject for row in queries.alarms(connection)] == ["002/001/1"]
        why = sa.select(t.quarantine.c.why).where(t.quarantine.c.released_ms.is_(None))
        (still,) = connection.execute(why).scalars()
    assert "unknown member" not in still
    assert books(subject) == []


@pytest.mark.parametrize(
    "change",
    [
        {"passage_id": record(1).passage_id},
        {"passage_id": None},
        {"passage_id": "P9", "body": b"other"},
        {"passage_id": "P9", "seq": 7},
    ],
    ids=["one that has a record", "no passage", "its body too", "its place too"],
)
def test_a_record_is_given_a_passage_and_nothing_else(
    subject: Store, change: dict[str, Any]
) -> None:
    """The database refuses all but the one change, whoever asks, and REPLACE too."""
    chain = Chain()
    upload(subject, chain.seal(record(1, legs=(CASH_LEG,))), chain.seal(b"not json"))
    c = t.records.c
    asked = t.records.update().where(c.seq == 2).values(change)
    if subject.engine.dialect.name == "sqlite":
        asked = asked.prefix_with("OR REPLACE")
    with pytest.raises(sa.exc.DatabaseError), subject.engine.begin() as connection:
        connection.execute(asked)
    with subject.engine.begin() as connection:
        connection.execute(t.records.update().where(c.seq == 2).values(passage_id="P9"))
    with pytest.raises(sa.exc.DatabaseError), subject.engine.begin() as connection:
        connection.execute(t.records.update().where(c.seq == 2).values(passage_id="P8"))
    with subject.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(t.records)).scalar() == 2
