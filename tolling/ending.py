"""A link that is told to end, ends: for the loops that connect again after every failure.

A cancellation can get lost on its way up. A TaskGroup whose task failed in the same moment raises
that failure alone, and ``asyncio.wait_for`` prefers the answer (both before Python 3.12 or 3.13); a
library that waits so raises its own error. Who catches that and tries again runs for ever, and
with it the program that waits for its end. The count of cancellations does not get lost.

The count may be too high: before Python 3.13 a TaskGroup whose body has ended, and whose task fails
then, leaves one behind. So this is for loops that know all they await, as those around an MQTT
client do, and never for a supervisor of strange code: that would take a driver that failed for
one that was told to end, and not start it again.

Serves the edges only: it asks asyncio.
"""

from __future__ import annotations

import asyncio


def heed_cancel() -> None:
    """End the running task where it was told to, whatever became of the telling.

    To be called before a loop that catches a link's failures connects again. Nothing happens to a
    task whose cancellations were all taken back, as by ``asyncio.timeout``.

    Raises: asyncio.CancelledError.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
