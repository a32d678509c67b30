"""A whole lane over real sockets: cars, money, a full disk, and nobody but the booth left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from lane_controller.core.states import LaneMode
from lane_controller.shell.replaying import replay_segments
from lane_controller.store import open_journal
from tests.lane_controller.shell.site import (
    CODE,
    FakePorts,
    Lane,
    ScriptedPlaza,
    running_lane,
    until,
)
from tolling.canonical import from_canonical
from tolling.inputs import Point, Reading
from tolling.pictures import PictureKind
from tolling.records import PassageRecord, Tender

pytestmark = pytest.mark.wire


@pytest_asyncio.fixture
async def plaza() -> AsyncIterator[ScriptedPlaza]:
    """A plaza on loopback."""
    found = ScriptedPlaza()
    await found.start()
    yield found
    await found.stop()


def records(plaza: ScriptedPlaza) -> list[PassageRecord]:
    """Return what the plaza was told of passages."""
    return [from_canonical(PassageRecord, each.body.encode()) for each in plaza.records]


def assert_no_code(folder: Path, *texts: str) -> None:
    """Fail where a file or text holds the pay code."""
    for path in folder.iterdir():
        if path.is_file():
            assert CODE.encode() not in path.read_bytes(), path.name
    for text in texts:
        assert CODE not in text


@pytest.mark.asyncio
async def test_car_pays_by_phone_and_passes(
    tmp_path: Path, plaza: ScriptedPlaza, capfd: pytest.CaptureFixture[str]
) -> None:
    """One scan, one charge, one raise, one record; the code is in no file and no log."""
    async with running_lane(tmp_path, plaza.url) as lane:
        await lane.ready()
        await lane.arrive()
        assert lane.ports.display.kinds()[-1] is PictureKind.TOLL
        await until(lambda: lane.ports.scanner.on, "the scan window")

        lane.scan()
        await until(lambda: lane.barrier.count("raise") == 1, "the raise")
        await lane.leave()
        await until(lambda: plaza.records, "the record at the plaza")
        await until(lambda: lane.barrier.count("lower") == 1, "the boom down again")
        async with aiohttp.ClientSession() as session:
            page = await (await session.get(lane.serving.metrics + "/metrics")).text()
            health = await (await session.get(lane.serving.metrics + "/healthz")).json()

    assert plaza.codes == [CODE]
    assert lane.barrier.count("raise") == 1
    (record,) = records(plaza)
    assert [leg.tender for leg in record.legs] == [Tender.ALIPAY]
    assert record.legs[0].amount_fen == record.toll_due_fen == 1_500
    assert 'toll_stage_seconds_count{lane="001",plaza="330101",stage="scan_to_raise"} 1.0' in page
    assert 'tender="alipay"} 1.0' in page
    assert health["ok"]
    out = capfd.readouterr()
    assert_no_code(tmp_path, page, out.out, out.err)


@pytest.mark.asyncio
async def test_dead_display_does_not_delay_the_raise(tmp_path: Path, plaza: ScriptedPlaza) -> None:
    """A display that never answers holds up neither the scan window nor the barrier."""

    def dead(ports: FakePorts) -> None:
        ports.display.dead = True

    async with running_lane(tmp_path, plaza.url, prepare=dead) as lane:
        await lane.ready()
        await lane.arrive()

        loop = asyncio.get_running_loop()
        began = loop.time()
        lane.scan()
        await until(lambda: lane.barrier.count("raise") == 1, "the raise")

        # A picture's own deadline is 1 s: a raise that waited for one would be later.
        assert loop.time() - began < 0.9
        await lane.leave()


@pytest.mark.asyncio
async def test_cash_works_when_the_plaza_is_gone(tmp_path: Path, plaza: ScriptedPlaza) -> None:
    """Without a plaza the booth still lets cars pay by cash; records go up when it is back."""
    async with running_lane(tmp_path, plaza.url) as lane:
        await lane.ready()
        await plaza.stop()
        await until(lambda: not lane.runner.state.plaza_up, "the lost plaza")
        booth = await lane.sign_in()

        for _ in range(2):
            raises = lane.barrier.count("raise")
            await lane.arrive()
            assert (await booth.order("cash_begin"))["outcome"] == "confirmed"
            assert (await booth.order("cash_taken"))["outcome"] == "confirmed"
            await until(lambda n=raises: lane.barrier.count("raise") == n + 1, "the raise")
            await lane.leave()
            await until(lambda: lane.barrier.inputs[Point.BOOM_DOWN] is Reading.ON, "the boom down")
        await booth.close()

        await plaza.start()
        await until(lambda: len(plaza.records) == 2, "both records at the plaza")

    assert [[leg.tender for leg in each.legs] for each in records(plaza)] == [[Tender.CASH]] * 2
    assert plaza.posts == 0


@pytest.mark.asyncio
async def test_full_disk_closes_the_lane_after_the_car_in_it(
    tmp_path: Path, plaza: ScriptedPlaza
) -> None:
    """A full disk frees the ballast; the car in the lane leaves, then the lane is closed."""
    async with running_lane(tmp_path, plaza.url) as lane:
        await lane.ready()
        await lane.arrive()
        assert lane.store.ballast is not None
        assert lane.store.ballast.held
        async with full_disk(lane):
            lane.scan()
            await until(
                lambda: lane.runner.state.mode is LaneMode.CLOSING, "the lane closing: disk full"
            )
            assert not lane.store.ballast.held

        await until(lambda: lane.barrier.count("raise") == 1, "the raise of the car in the lane")
        await lane.leave()
        await until(lambda: plaza.records, "its record")

    assert [leg.tender for leg in records(plaza)[0].legs] == [Tender.ALIPAY]


@asynccontextmanager
async def full_disk(lane: Lane) -> AsyncIterator[None]:
    """While it stands, the journal cannot grow."""
    await lane.in_journal(lambda: lane.store.set_max_pages(1))
    yield
    await lane.in_journal(lane.store.set_max_pages)


@pytest.mark.asyncio
async def test_journal_of_a_served_car_replays(tmp_path: Path, plaza: ScriptedPlaza) -> None:
    """A restart in between loses nothing, and every segment replays to the same digests."""
    async with running_lane(tmp_path, plaza.url) as lane:
        await lane.ready()
        await lane.arrive()
        lane.scan()
        await until(lambda: lane.barrier.count("raise") == 1, "the raise")
        await lane.leave()
        first_boot = lane.runner.state.boot_id
    async with running_lane(tmp_path, plaza.url) as lane:
        await lane.ready()
        assert lane.runner.state.boot_id != first_boot
        assert lane.barrier.log == []
        await until(lambda: plaza.records, "the record at the plaza")

    store = open_journal(f"sqlite:///{tmp_path / 'lane.db'}", read_only=True)
    results = replay_segments(store)
    store.close()
    assert len(results) == 2
    assert [each.difference for each in results] == [None, None]
    assert len(plaza.records) == 1


@pytest.mark.asyncio
async def test_code_of_the_previous_car_is_known_after_a_restart(
    tmp_path: Path, plaza: ScriptedPlaza
) -> None:
    """The machine's key outlives the process: a code used before it makes no order after it."""
    async with running_lane(tmp_path, plaza.url) as lane:
        await lane.ready()
        await lane.arrive()
        lane.scan()
        await until(lambda: lane.barrier.count("raise") == 1, "the raise")
        await lane.leave()
    async with running_lane(tmp_path, plaza.url) as lane:
        await lane.ready()
        await lane.arrive()
        booth = await lane.sign_in()
        lane.scan()
        # Answered behind the scan: what the scan led to has happened by then.
        await booth.order("cash_begin")
        await booth.close()
        assert lane.runner.state.arriving is not None
        assert lane.runner.state.arriving.orders == ()

    assert plaza.posts == 1
