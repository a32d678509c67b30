"""The writer that keeps its connection writes as the one that takes a new one each time."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from plaza_server.rules.units import AddLane, GiveEpoch, NoteAlarm
from plaza_server.store import GroupWriter, open_store
from tolling.alarms import AlarmCode
from tolling.ids import LaneId, PlazaId

PLAZA = PlazaId("330101")


def lane(number: str, *, plaza: str = PLAZA) -> AddLane:
    return AddLane(
        lane_id=LaneId(number), plaza_id=PlazaId(plaza), token_hash=f"{number:0>64}", now_ms=1
    )


def epoch(number: str) -> GiveEpoch:
    return GiveEpoch(lane_id=LaneId(number), fresh=True, now_ms=1)


def broken() -> NoteAlarm:
    return NoteAlarm(
        code=AlarmCode.STORE_SLOW,
        raised=True,
        subject="x",
        what=None,  # type: ignore[arg-type]
        now_ms=1,
    )


def test_a_bad_group_costs_the_others_nothing(tmp_path: Path) -> None:
    """It is told of its failure alone, and the next group is written as before."""
    store = open_store(f"sqlite:///{tmp_path}/plaza.db")
    subject = GroupWriter(store.engine)
    good, bad = subject([[lane("101")], [broken()]])
    assert not isinstance(good, Exception)
    assert isinstance(bad, Exception)
    (after,) = subject([[epoch("101")]])
    assert not isinstance(after, Exception)
    assert subject([]) == []
    subject.close()
    store.close()


@pytest.mark.postgres
def test_a_server_that_drops_the_connection_is_connected_to_again(migrated_postgres: str) -> None:
    """The group that met the dead connection is written all the same."""
    store = open_store(migrated_postgres)
    subject = GroupWriter(store.engine)
    (first,) = subject([[lane("101")]])
    assert not isinstance(first, Exception)
    with store.engine.begin() as other:
        other.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        )
    (after,) = subject([[epoch("101")]])
    assert not isinstance(after, Exception)
    subject.close()
    store.close()
