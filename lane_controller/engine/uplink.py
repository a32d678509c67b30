"""Records on their way to the plaza, notices on their way to the broker.

Both leave the lane's store only after the other side has said it has them. Records go in order,
one upload at a
time; a refused one stops the uplink with an alarm and loses nothing. Notices go one at a time in
order.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from lane_controller.engine.limits import NOTICES_MAX, UPLOAD_RETRY_MS_MAX, UPLOAD_RETRY_MS_MIN
from tolling.chain import Anchor
from tolling.messages import AlarmNotice, LaneNotice


@dataclass(slots=True)
class Uplink:
    """Where the upload of sealed records stands."""

    anchor: Anchor
    """The last sealed and committed record."""
    uploaded_seq: int
    call_id: int | None = None
    """Of the upload under way."""
    pause_ms: int = 0
    """0, or the present pause after a failure; a timer ends it."""
    waiting: bool = False
    refused: str = ""
    """Why the plaza takes no more; only a new epoch goes on."""

    @property
    def unsent(self) -> int:
        """Return how many sealed records the plaza has not acknowledged."""
        return self.anchor.seq - self.uploaded_seq

    @property
    def ready(self) -> bool:
        """Return whether an upload should go out now."""
        return self.unsent > 0 and self.call_id is None and not self.waiting and not self.refused

    def failed(self) -> int:
        """Note a failed upload; return the pause before the next, growing to a bound."""
        self.call_id = None
        grown = max(self.pause_ms * 2, UPLOAD_RETRY_MS_MIN)
        self.pause_ms = min(grown, UPLOAD_RETRY_MS_MAX)
        self.waiting = True
        return self.pause_ms


class NoticeQueue:
    """Notices and alarms not yet acknowledged by the broker, bounded."""

    def __init__(
        self, last: int, waiting: tuple[tuple[int, LaneNotice | AlarmNotice], ...]
    ) -> None:
        self.last = last
        self.dropped = 0
        self.flying: int | None = None
        self._queue: deque[tuple[int, LaneNotice | AlarmNotice]] = deque(waiting)

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, notice: LaneNotice | AlarmNotice) -> int | None:
        """Queue a notice under the next number; return a number now dropped for want of room."""
        self.last = notice.number
        self._queue.append((notice.number, notice))
        if len(self._queue) <= NOTICES_MAX:
            return None
        number, _ = self._queue.popleft()
        self.dropped += 1
        if self.flying == number:
            self.flying = None
        return number

    def head(self) -> tuple[int, LaneNotice | AlarmNotice] | None:
        """Return the notice to publish now, or None where one is under way or none waits."""
        if self.flying is not None or not self._queue:
            return None
        self.flying = self._queue[0][0]
        return self._queue[0]

    def acked(self, number: int) -> bool:
        """Forget an acknowledged notice; return whether it was waiting."""
        if self.flying == number:
            self.flying = None
        if self._queue and self._queue[0][0] == number:
            self._queue.popleft()
            return True
        return False

    def failed(self) -> None:
        """The notice under way was not acknowledged: it stays at the head."""
        self.flying = None
