"""The board of one device: armed faults fire as often as told, and every one is counted."""

from __future__ import annotations

import pytest

from simulator.models.device_faults import MAX_ARMED, DeviceFault, DeviceTrouble, TroubleBoard

KINDS = frozenset({DeviceFault.SILENT, DeviceFault.SLOW})


def test_a_fault_fires_as_often_as_armed() -> None:
    """After its times are used up it is armed no more, and says how often it fired."""
    subject = TroubleBoard(KINDS)
    subject.inject(DeviceTrouble(kind=DeviceFault.SILENT, times=2), 0)
    assert [subject.standing(DeviceFault.SILENT, 0) for _ in range(3)] == [True, True, False]
    (view,) = subject.views(0)
    assert (view.armed, view.fired) == (False, 2)


def test_a_fault_may_wait_for_the_nth_event_and_a_standing_one_may_not() -> None:
    """Two codes go by, the third is lost; a silent module cannot be counted."""
    subject = TroubleBoard(frozenset({DeviceFault.LOST_CODE}))
    subject.inject(DeviceTrouble(kind=DeviceFault.LOST_CODE, skip=2, times=1), 0)
    drawn = [subject.draw(DeviceFault.LOST_CODE, 0) is not None for _ in range(4)]
    assert drawn == [False, False, True, False]
    with pytest.raises(AssertionError, match="silent stands"):
        DeviceTrouble(kind=DeviceFault.SILENT, skip=1)


def test_when_the_last_of_its_times_was_is_kept() -> None:
    """A fault is over then, whatever is asked of the device later."""
    subject = TroubleBoard(KINDS)
    subject.inject(DeviceTrouble(kind=DeviceFault.SILENT, times=2), 0)
    seen = []
    for now_ns in (3, 5, 8):
        subject.standing(DeviceFault.SILENT, now_ns)
        seen.append(subject.views(now_ns)[0].used_up_ns)
    assert seen == [None, 5, 5]


def test_looking_does_not_count() -> None:
    """``holds`` asks without using a fault up."""
    subject = TroubleBoard(KINDS)
    subject.inject(DeviceTrouble(kind=DeviceFault.SILENT, times=1), 0)
    assert subject.holds(DeviceFault.SILENT, 0) is not None
    assert subject.views(0)[0].fired == 0


def test_where_narrows_a_fault_and_empty_means_all() -> None:
    """A fault that names a place spares the others."""
    subject = TroubleBoard(KINDS)
    number = subject.inject(DeviceTrouble(kind=DeviceFault.SLOW, where="a", ms=5), 0)
    assert subject.delay_ns(0, where="b") == 0
    assert subject.delay_ns(0, where="a") == 5_000_000
    assert subject.clear(number)
    assert not subject.clear(99)
    assert subject.delay_ns(0, where="a") == 0


def test_too_many_faults_are_refused_and_used_up_ones_make_room() -> None:
    """The board is bounded."""
    subject = TroubleBoard(KINDS)
    for _ in range(MAX_ARMED):
        subject.inject(DeviceTrouble(kind=DeviceFault.SILENT), 0)
    with pytest.raises(ValueError, match="clear some"):
        subject.inject(DeviceTrouble(kind=DeviceFault.SILENT), 0)
    subject.clear()
    subject.inject(DeviceTrouble(kind=DeviceFault.SILENT), 0)
