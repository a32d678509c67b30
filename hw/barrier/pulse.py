"""One movement contact: closed for a moment, and opened again whatever happens.

The pulse runs in a task of its own from the moment its write is queued, so a caller that stops
waiting, a deadline or a cancelled lane never leaves the contact closed: the release is handed to
the bus synchronously and the bus sends it although nobody waits. Where the module cannot be reached
the contact is remembered as not released, and the driver releases it when the module answers again.
"""

from __future__ import annotations

import asyncio
import contextlib

from hw.barrier.point_map import TIMED_STEP_MS, Action, OutputWire
from hw.links.modbus import ModbusBus, NotPermittedError, Permit, TableRead, Urgency
from hw.links.modbus_pdu import COIL_OFF, COIL_ON
from tolling.errors import DeviceBusyError, DeviceError

RELEASE_TRIES = 3
RELEASE_S = 1.0
"""All tries of one release together; a module that is silent for longer is released when it is
back."""


class PulseOutput:
    """The contact of raise or lower."""

    def __init__(self, wire: OutputWire, bus: ModbusBus, device_id: int) -> None:
        assert wire.action in (Action.PULSE, Action.TIMED)
        self.wire = wire
        self._bus = bus
        self._device_id = device_id
        self._cut_short = asyncio.Event()
        self.active = False
        """A pulse is under way."""
        self.unreleased = False
        """The contact may be closed: its release was not acknowledged."""

    def cut_short(self) -> None:
        """End a pulse that is under way."""
        self._cut_short.set()

    async def fire(
        self,
        started: asyncio.Future[None],
        *,
        urgency: Urgency,
        tries: int = 1,
        permit: Permit | None = None,
    ) -> None:
        """Close the contact, answer *started*, wait, open it. Never raises a DeviceError.

        Args:   started: gets the end of the closing write: None, or the DeviceError it ended with.
                tries: how often the closing write is tried, 1..3.
        """
        if self.active:
            _fail(
                started, DeviceBusyError(where=str(self.wire.output), what="a pulse is under way")
            )
            return
        self.active = True
        self._cut_short.clear()
        sent, whole = True, False
        try:
            await self._close_contact(urgency, tries, permit)
            if not started.done():
                started.set_result(None)
            whole = await self._hold()
        except NotPermittedError as error:
            sent = False
            _fail(started, error)
        except DeviceError as error:
            _fail(started, error)
        finally:
            try:
                if sent and not (whole and self.wire.action is Action.TIMED):
                    await self.release()
            finally:
                self.active = False
                _fail(
                    started,
                    DeviceBusyError(where=str(self.wire.output), what="the barrier is stopped"),
                )

    async def release(self) -> None:
        """Open the contact; leave ``unreleased`` set where that is not acknowledged. Never raises
        DeviceError."""
        self.unreleased = True
        with contextlib.suppress(TimeoutError, DeviceBusyError):
            async with asyncio.timeout(RELEASE_S):
                for _ in range(RELEASE_TRIES):
                    answer = self._bus.post_coil(
                        device_id=self._device_id,
                        address=self.wire.address,
                        value=COIL_OFF,
                        urgency=Urgency.RELEASE,
                        must_run=True,
                    )
                    answer.add_done_callback(_retrieve)
                    with contextlib.suppress(DeviceError):
                        await asyncio.shield(answer)
                        self.unreleased = False
                        return

    async def _close_contact(self, urgency: Urgency, tries: int, permit: Permit | None) -> None:
        timed = self.wire.action is Action.TIMED
        address = self.wire.timed_address if timed else self.wire.address
        assert address is not None, "the map was checked"
        for left in reversed(range(tries)):
            try:
                await self._bus.post_coil(
                    device_id=self._device_id,
                    address=address,
                    value=self.wire.on_ms // TIMED_STEP_MS if timed else COIL_ON,
                    urgency=urgency,
                    permit=permit,
                )
                return
            except (NotPermittedError, DeviceBusyError):
                raise
            except DeviceError:
                if left == 0:
                    raise

    async def _hold(self) -> bool:
        """Wait for the length of the pulse. Return whether it was left whole."""
        try:
            async with asyncio.timeout(self.wire.on_ms / 1000):
                await self._cut_short.wait()
        except TimeoutError:
            return True
        return False


def _fail(started: asyncio.Future[None], error: DeviceError | NotPermittedError) -> None:
    if not started.done():
        started.set_exception(error)
        _retrieve(started)


def _retrieve(answer: asyncio.Future[None] | asyncio.Future[TableRead]) -> None:
    """Mark an answer's error as seen: its caller may have gone."""
    if not answer.cancelled():
        answer.exception()
