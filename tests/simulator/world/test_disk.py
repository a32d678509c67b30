"""A full disk of the world is SQLite's own answer, by the production path."""

import pytest

from lane_controller.core.journalled import AppendEvent, Unit
from lane_controller.store import LaneStore, StoreFullError, open_journal
from plaza_server.rules.units import AddLane
from plaza_server.store import commit_group, open_store
from simulator.people import UNRULY_MIX
from simulator.world.build import PLAZA_ID, WorldConfig, build_world
from simulator.world.disk import no_room_for_lane, no_room_for_plaza
from simulator.world.faults import CommitFate, CommitTrouble
from simulator.world.world import World
from tolling.ids import LaneId

S = 1_000_000_000


def events(count: int) -> list[Unit]:
    """Return so many rows of a journal."""
    return [
        AppendEvent(segment=1, number=number, at_ns=number, body=b"{}", digest="0" * 64)
        for number in range(1, count + 1)
    ]


def add_lane(number: int) -> AddLane:
    """Return a row of the plaza that takes some room."""
    return AddLane(
        lane_id=LaneId(f"{number:03d}"), plaza_id=PLAZA_ID, token_hash=f"{number:064x}", now_ms=1
    )


def test_a_lanes_store_refuses_within_the_block_and_takes_it_behind_it() -> None:
    """Nothing of what needed a page is there; no bound is left."""
    subject = open_journal("sqlite://")
    with no_room_for_lane(subject), pytest.raises(StoreFullError):
        subject.commit(events(500))
    assert subject.last_at_ns() == 0
    subject.commit(events(500))
    assert subject.last_at_ns() == 500
    subject.close()


@pytest.mark.slow
def test_the_plazas_store_refuses_what_needs_a_page_and_takes_it_behind_the_block() -> None:
    """The group is rolled back, each alone tried: SQLite says full of the one that has no room."""
    store = open_store("sqlite://")
    many, one = [add_lane(number) for number in range(2, 250)], [add_lane(1)]
    with store.engine.connect() as connection:
        with no_room_for_plaza(connection):
            full, stored = commit_group(connection, [many, one])
        assert "full" in str(full)
        assert not isinstance(stored, Exception)
        (after,) = commit_group(connection, [many])
        assert not isinstance(after, Exception)
    store.close()


def _pages(world: World, store: LaneStore | None) -> int:
    if store is not None:
        return store.pages()
    with world.plaza_store.engine.connect() as connection:
        return int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())


@pytest.mark.simulation
@pytest.mark.parametrize("process", ["lane 001", "plaza"])
def test_no_page_is_added_while_the_disk_is_full(process: str) -> None:
    """What fits is stored, what does not is told so; behind the fault the store grows again."""
    full = CommitTrouble(process=process, at_ms=20_000, for_ms=60_000, fate=CommitFate.FULL)
    world = build_world(1, WorldConfig(mix=UNRULY_MIX, faults=(full,)))
    store = world.lanes[LaneId("001")].outside.store if process != "plaza" else None
    told: set[str] = set()

    def watch(now_ns: int, actor: str, kind: str, detail: str) -> None:
        # A commit that was begun before is not hit.
        if actor == process and 20.1 * S < now_ns < 80 * S and kind.startswith("Commit"):
            told.add(kind)

    world.heap.watch(watch)
    world.start()
    world.run_until(20 * S)
    filled = _pages(world, store)
    world.run_until(80 * S)
    assert _pages(world, store) == filled
    assert told == {"Committed", "CommitFailed"}
    world.run_until(300 * S)
    assert _pages(world, store) > filled
    world.close()
