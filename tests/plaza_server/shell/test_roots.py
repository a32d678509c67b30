"""Days close by themselves, once each, by a clock that is trusted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from plaza_server.rules.merkle_log import CLOSE_AFTER_MS
from plaza_server.rules.units import AddLane, TakeRecords, Unit
from plaza_server.shell.reader import Reader
from plaza_server.shell.roots import LOOK_S_MAX, RootKeeper
from plaza_server.shell.signing import load_signing_key, load_verifier, make_signing_key
from plaza_server.store import Store, commit_group, open_store, queries, receipt_log
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import CASH_LEG, LANE, PLAZA, Chain, record
from tests.plaza_server.rules.values import AT
from tests.plaza_server.store.test_units import LEASE
from tolling.clock import ClockQuality, WallTime
from tolling.roots import DAY_MS, SignedRoot, check_growth, check_root, day_end_ms

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]
MIDNIGHT_MS = day_end_ms(EPOCH_MS)


@dataclass
class HandClock:
    """A clock that shows what a test sets."""

    utc_ms: int = EPOCH_MS
    quality: ClockQuality = ClockQuality.SYNCED

    def at_ns(self) -> int:
        """Return nothing that matters here."""
        return 0

    def wall(self) -> WallTime:
        """Return the time set."""
        return WallTime(utc_ms=self.utc_ms, quality=self.quality)


@dataclass
class Rig:
    """A store, a clock and a keeper over them."""

    store: Store
    clock: HandClock
    keeper: RootKeeper
    verify: Callable[[str, bytes, bytes], bool]
    chain: Chain = field(default_factory=Chain)
    failing: int = 0
    """Commits that fail before one goes well."""
    committed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by every try to commit."""

    def take(self, number: int, at_ms: int) -> None:
        """Take one record."""
        sealed = self.chain.seal(record(number, legs=(CASH_LEG,)))
        at = replace(AT, wall_ms=at_ms)
        self.commit_now(TakeRecords(lane_id=LANE, records=(sealed,), lease=LEASE, at=at))

    def commit_now(self, unit: Unit) -> tuple[object, ...]:
        """Commit one unit."""
        (result,) = commit_group(self.store.engine, [[unit]])
        assert isinstance(result, tuple)
        return result

    def alarms(self) -> list[Any]:
        """Return the alarms that stand."""
        with self.store.reading() as connection:
            return list(queries.alarms(connection))

    def roots(self) -> list[SignedRoot]:
        """Return the roots that are there."""
        with self.store.reading() as connection:
            return receipt_log.roots(connection)


@asynccontextmanager
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """Give a rig over a file store with one lane."""
    make_signing_key(tmp_path / "key.pem")
    key = load_signing_key(tmp_path / "key.pem")
    (tmp_path / "public.json").write_text(key.public_file_text())
    store = open_store(f"sqlite:///{tmp_path}/plaza.db")
    reader, clock = Reader(store), HandClock()

    async def commit(unit: Unit) -> tuple[object, ...]:
        made.committed.set()
        if made.failing:
            made.failing -= 1
            raise OSError("disk")
        return made.commit_now(unit)

    keeper = RootKeeper(plaza_id=PLAZA, reader=reader, commit=commit, clock=clock, key=key)
    made = Rig(
        store=store, clock=clock, keeper=keeper, verify=load_verifier(tmp_path / "public.json")
    )
    made.commit_now(AddLane(lane_id=LANE, plaza_id=PLAZA, token_hash="0" * 64, now_ms=EPOCH_MS))
    try:
        yield made
    finally:
        reader.close()
        store.close()


async def test_days_that_are_over_are_closed_in_order(tmp_path: Path) -> None:
    """Each once, the quiet ones too, and none before its grace is over."""
    async with rig(tmp_path) as subject:
        assert await subject.keeper.close_due() == LOOK_S_MAX
        subject.take(1, EPOCH_MS)
        subject.clock.utc_ms = MIDNIGHT_MS + CLOSE_AFTER_MS - 1_000
        assert await subject.keeper.close_due() == 1.0
        assert subject.roots() == []
        subject.take(2, MIDNIGHT_MS)
        subject.clock.utc_ms = MIDNIGHT_MS + CLOSE_AFTER_MS + 2 * DAY_MS
        assert await subject.keeper.close_due() == LOOK_S_MAX
        roots = subject.roots()
    assert [root.head.until_ms for root in roots] == [MIDNIGHT_MS + n * DAY_MS for n in range(3)]
    assert [root.head.size for root in roots] == [1, 2, 2]
    for root in roots:
        check_root(root, verify=subject.verify)
    check_growth(roots[0].head, roots[1])


async def test_it_runs_by_itself_and_outlives_a_failure(tmp_path: Path) -> None:
    """A commit that fails ends nothing; the next start closes the day."""
    async with rig(tmp_path) as subject:
        subject.take(1, EPOCH_MS)
        subject.clock.utc_ms = MIDNIGHT_MS + CLOSE_AFTER_MS
        for failing, closed in ((1, 0), (0, 1)):
            subject.failing = failing
            subject.committed.clear()
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(subject.keeper.run(), name="keeper")
                await asyncio.wait_for(subject.committed.wait(), timeout=20)
                assert not running.done()
                running.cancel()
            assert len(subject.roots()) == closed


async def test_a_day_that_cannot_be_closed_is_an_alarm_until_it_is(tmp_path: Path) -> None:
    """Raised once the store takes alarms again, cleared with the root."""
    async with rig(tmp_path) as subject:
        subject.take(1, EPOCH_MS)
        subject.clock.utc_ms = MIDNIGHT_MS + CLOSE_AFTER_MS
        for failing, standing in ((1, ["root_not_closed"]), (0, [])):
            subject.failing = failing
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(subject.keeper.run(), name="keeper")
                async with asyncio.timeout(20):
                    while [each.code for each in subject.alarms()] != standing:
                        await subject.committed.wait()
                        subject.committed.clear()
                        await asyncio.sleep(0)
                running.cancel()
            assert [each.code for each in subject.alarms()] == standing


async def test_a_doubted_clock_closes_no_day(tmp_path: Path) -> None:
    """A root names its day for ever."""
    async with rig(tmp_path) as subject:
        subject.take(1, EPOCH_MS)
        subject.clock.utc_ms = MIDNIGHT_MS + DAY_MS
        subject.clock.quality = ClockQuality.BAD
        assert await subject.keeper.close_due() == LOOK_S_MAX
        assert subject.roots() == []
        subject.clock.quality = ClockQuality.SYNCED
        await subject.keeper.close_due()
        assert len(subject.roots()) == 1


async def test_a_root_closed_by_hand_covers_now(tmp_path: Path) -> None:
    """Asked again for the same instant it is none."""
    async with rig(tmp_path) as subject:
        subject.take(1, EPOCH_MS)
        root = await subject.keeper.close(EPOCH_MS + 1)
        assert root is not None
        assert root.head.size == 1
        assert await subject.keeper.close(EPOCH_MS + 1) is None
