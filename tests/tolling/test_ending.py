"""A loop that outlives every failure ends when it is told to."""

from __future__ import annotations

import asyncio

import pytest

from tolling.ending import heed_cancel

TURNS_MAX = 50


class Loop:
    """A supervisor's loop around something that fails as it is told to end."""

    def __init__(self, *, heeds: bool) -> None:
        self._heeds = heeds
        self.begun = asyncio.Event()
        self.turns = 0

    async def run(self) -> None:
        """Go on for ever, as far as a test can wait for that."""
        while self.turns < TURNS_MAX:
            self.turns += 1
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._part(), name="part")
                    self.begun.set()
                    await asyncio.Event().wait()
            except* OSError:
                if self._heeds:
                    heed_cancel()
            await asyncio.sleep(0)

    async def _part(self) -> None:
        await self.begun.wait()
        raise OSError


@pytest.mark.parametrize("heeds", [True, False])
@pytest.mark.asyncio
async def test_a_cancellation_that_a_failure_hid_is_heeded(*, heeds: bool) -> None:
    """A TaskGroup whose part failed in that moment raises the failure alone; who does not look at
    the count goes on."""
    subject = Loop(heeds=heeds)
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(subject.run(), name="loop")
        await subject.begun.wait()
        await asyncio.sleep(0)
        run.cancel()
        await asyncio.wait({run})
    assert run.cancelled() is heeds
    assert subject.turns == (1 if heeds else TURNS_MAX)


@pytest.mark.asyncio
async def test_nobody_who_may_go_on_is_ended() -> None:
    """A deadline's own cancellation is taken back before its error is seen."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
    heed_cancel()


@pytest.mark.asyncio
async def test_a_failure_behind_a_finished_body_leaves_a_count() -> None:
    """Why no supervisor of strange code heeds the count. Where this fails, Python has learnt."""

    async def fail() -> None:
        await asyncio.sleep(0)
        raise OSError

    async def supervise() -> int:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(fail(), name="part")
        except* OSError:
            pass
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(supervise(), name="supervisor")
    assert run.result() == 1


def test_code_outside_a_task_is_left_alone() -> None:
    """A callback of the loop is nobody's task."""

    async def run() -> BaseException | None:
        told: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

        def callback() -> None:
            try:
                heed_cancel()
            except BaseException as error:  # noqa: BLE001 - it is what is asked about
                told.set_result(error)
            else:
                told.set_result(None)

        asyncio.get_running_loop().call_soon(callback)
        return await told

    assert asyncio.run(run()) is None
