"""Queues on their way out: bounded, in order, nothing acknowledged is lost."""

from __future__ import annotations

from lane_controller.engine.limits import NOTICES_MAX
from lane_controller.engine.uplink import NoticeQueue
from tolling.ids import BootId, LaneId
from tolling.messages import LaneNotice


def notice(number: int) -> LaneNotice:
    """Return a notice."""
    return LaneNotice(lane_id=LaneId("007"), boot_id=BootId("b"), number=number, utc_ms=0, name="n")


def test_the_queue_is_bounded_and_drops_the_oldest() -> None:
    """The one dropped is counted and named, even when it is under way."""
    subject = NoticeQueue(0, ())
    for number in range(1, NOTICES_MAX + 1):
        assert subject.put(notice(number)) is None
    head = subject.head()
    assert head is not None
    assert (head[0], subject.head()) == (1, None)
    assert subject.put(notice(NOTICES_MAX + 1)) == 1
    assert (len(subject), subject.dropped, subject.acked(1)) == (NOTICES_MAX, 1, False)
    following = subject.head()
    assert following is not None
    assert following[0] == 2
