"""Orders to devices: each on its own, the newest picture, always an answer where one is due."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.engine.inputs import DeviceFact
from lane_controller.shell.clock import LaneClock
from lane_controller.shell.codes import CodeBook
from lane_controller.shell.devices import DeviceDesk, DeviceEars
from tests.lane_controller.shell.site import CODE, Barrier, FakePorts, until
from tolling.devices import Device
from tolling.errors import DeviceTimeoutError
from tolling.ids import PassageId
from tolling.inputs import LowerRefusal, Output, Point, Reading
from tolling.paycodes import NotAPayCode
from tolling.pictures import DisplayPicture, PictureKind

PASSAGE = PassageId("330101001001000000001")
TOLL = cmd.ShowToll(
    passage_id=PASSAGE, picture=DisplayPicture(kind=PictureKind.TOLL, toll_fen=1_500)
)


class Bench:
    """A desk over ports in memory, and what it told."""

    def __init__(self) -> None:
        self.facts: list[DeviceFact] = []
        codes = CodeBook(b"k" * 32)
        clock = LaneClock(None, last_at_ns=0)
        self.ears = DeviceEars(self.facts.append, codes=codes, clock=clock)
        self.ports = FakePorts(self.ears)

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[DeviceDesk]:
        """Run a desk for the length of a test."""
        subject = DeviceDesk(self.ports, self.facts.append)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(subject.run(), name="desk")
            await subject.ready.wait()
            try:
                yield subject
            finally:
                running.cancel()

    def of(self, kind: type) -> list[DeviceFact]:
        """Return the facts of one class."""
        return [fact for fact in self.facts if isinstance(fact, kind)]


@pytest.mark.asyncio
async def test_toll_is_told_by_each_device_that_took_it() -> None:
    """Display and voice each tell that they have the toll."""
    bench = Bench()
    async with bench.desk() as subject:
        subject.carry_out(TOLL)
        await until(lambda: len(bench.of(ev.TollShown)) == 2, "both told")

    devices = {fact.device for fact in bench.facts if isinstance(fact, ev.TollShown)}
    assert devices == {Device.DISPLAY, Device.VOICE}
    assert bench.of(ev.TollNotShown) == []


@pytest.mark.asyncio
async def test_toll_that_nobody_took_is_told_once() -> None:
    """Only when display and voice have both failed is the toll not shown."""
    bench = Bench()
    bench.ports.display.broken = True
    bench.ports.voice.broken = True
    async with bench.desk() as subject:
        subject.carry_out(TOLL)
        await until(lambda: bench.of(ev.TollNotShown), "not shown")

    assert bench.of(ev.TollNotShown) == [ev.TollNotShown(passage_id=PASSAGE)]


@pytest.mark.asyncio
@pytest.mark.slow
async def test_dead_display_takes_the_newest_picture_when_it_lives_again() -> None:
    """Pictures do not queue behind a dead display: the newest takes the place of the others."""
    bench = Bench()
    bench.ports.display.dead = True
    async with bench.desk() as subject:
        subject.carry_out(TOLL)
        await until(lambda: bench.ports.voice.pictures, "the voice, which lives")
        for kind in (PictureKind.CHECKING, PictureKind.PASSWORD, PictureKind.PAID):
            subject.carry_out(cmd.ShowPicture(picture=DisplayPicture(kind=kind)))
        bench.ports.display.dead = False
        await until(lambda: bench.ports.display.pictures, "a picture")

    assert bench.ports.display.kinds() == [PictureKind.PAID]


@pytest.mark.asyncio
async def test_raise_goes_out_beside_a_dead_display_and_a_hanging_lower() -> None:
    """Nothing that hangs holds up a raise."""
    bench = Bench()
    bench.ports.display.dead = True
    hanging = asyncio.Event()

    async def hang() -> LowerRefusal | None:
        await hanging.wait()
        return LowerRefusal.OCCUPIED

    bench.ports.barrier = BarrierThat(bench.ears, lower=hang)
    async with bench.desk() as subject:
        subject.carry_out(TOLL)
        subject.carry_out(cmd.LowerIfClear())
        subject.carry_out(cmd.RaiseBoom(reason=cmd.RaiseReason.TENDER, passage_id=PASSAGE))
        await until(lambda: bench.ports.barrier.count("raise") == 1, "the raise")
        hanging.set()
        await until(lambda: bench.of(ev.LowerAnswered), "the lower's answer")

    assert bench.of(ev.LowerAnswered) == [ev.LowerAnswered(refusal=LowerRefusal.OCCUPIED)]


class BarrierThat(Barrier):
    """A barrier whose lower is replaced."""

    def __init__(self, ears: DeviceEars, *, lower: object) -> None:
        super().__init__(ears)
        self.lower = lower

    async def lower_if_clear(self) -> LowerRefusal | None:
        """Do what the test says."""
        result: LowerRefusal | None = await self.lower()
        return result


@pytest.mark.asyncio
@pytest.mark.parametrize("error", [DeviceTimeoutError(where="b", what="w"), RuntimeError("fault")])
async def test_barrier_that_fails_is_a_fact(error: Exception) -> None:
    """A device error and a driver's own fault both come back as BarrierFailed."""
    bench = Bench()

    async def fail() -> None:
        raise error

    bench.ports.barrier = BarrierThat(bench.ears, lower=fail)
    bench.ports.barrier.raise_boom = fail
    async with bench.desk() as subject:
        subject.carry_out(cmd.RaiseBoom(reason=cmd.RaiseReason.TENDER, passage_id=PASSAGE))
        subject.carry_out(cmd.LowerIfClear())
        await until(lambda: len(bench.of(ev.BarrierFailed)) == 2, "both failures")

    assert {fact.raising for fact in bench.facts if isinstance(fact, ev.BarrierFailed)} == {
        True,
        False,
    }


@pytest.mark.asyncio
async def test_lamps_that_are_not_wired_are_not_asked() -> None:
    """An output without a wire is passed over; the others keep their newest level."""
    bench = Bench()
    async with bench.desk() as subject:
        subject.without(Output.CANOPY_GREEN)
        subject.carry_out(cmd.SetOutput(output=Output.CANOPY_GREEN, on=True))
        subject.carry_out(cmd.SetOutput(output=Output.LANE_GREEN, on=False))
        subject.carry_out(cmd.SetOutput(output=Output.LANE_GREEN, on=True))
        await until(lambda: bench.ports.barrier.lamps, "the lamp")

    assert bench.ports.barrier.lamps == {Output.LANE_GREEN: True}


@pytest.mark.asyncio
async def test_tag_charge_without_an_answer_is_unknown() -> None:
    """A charge that brought no answer failed for nobody knows; asked again it is known."""
    bench = Bench()
    bench.ports.etc.silent = True
    async with bench.desk() as subject:
        subject.carry_out(cmd.ChargeTag(passage_id=PASSAGE, tag_id="t", amount_fen=900))
        await until(lambda: bench.of(ev.EtcAnswered), "the charge's end")
        subject.carry_out(cmd.AskTag(passage_id=PASSAGE))
        await until(lambda: len(bench.of(ev.EtcAnswered)) == 2, "the query's end")

    first, second = (fact for fact in bench.facts if isinstance(fact, ev.EtcAnswered))
    assert (first.outcome, first.failed) == (None, True)
    assert second.outcome is not None
    assert (second.outcome.charged_fen, second.failed) == (900, False)


@pytest.mark.asyncio
async def test_lane_without_devices_answers_at_once() -> None:
    """A toll nobody can show and a tag nobody can charge are answered all the same."""
    bench = Bench()
    bench.ports.display = bench.ports.voice = bench.ports.etc = None  # type: ignore[assignment]
    subject = DeviceDesk(bench.ports, bench.facts.append)
    subject.carry_out(TOLL)

    assert bench.facts == [ev.TollNotShown(passage_id=PASSAGE)]


def test_scan_becomes_a_reference_or_a_reason() -> None:
    """A code's text stays in the shell; something else is told by its reason only."""
    bench = Bench()
    bench.ears.on_scan(CODE.encode())
    bench.ears.on_scan(b"http://parcel")
    bench.ports.barrier.set(Point.LOOP_1, Reading.ON)

    scanned, refused, changed = bench.facts
    assert isinstance(scanned, ev.CodeScanned)
    assert CODE not in repr(scanned)
    assert refused == ev.NotCodeScanned(reason=NotAPayCode.UNKNOWN_FORMAT)
    assert changed == ev.InputChanged(point=Point.LOOP_1, reading=Reading.ON)
