"""Arming, firing and counting a platform's faults."""

from __future__ import annotations

import random

import pytest

from simulator.models.faults import MAX_ARMED, STAGES, Fault, FaultBoard, PlatformFault, Stage

MS = 1_000_000
LOST = Fault(kind=PlatformFault.ANSWER_LOST)


@pytest.fixture
def subject() -> FaultBoard:
    """An empty board."""
    return FaultBoard(dice=random.Random(5))


def test_every_kind_has_a_stage() -> None:
    """The table of stages names each kind once."""
    assert set(STAGES) == set(PlatformFault)


def test_a_fault_fires_as_often_as_it_was_armed_for(subject: FaultBoard) -> None:
    """Two times means the next two, and the counts say so."""
    subject.inject(Fault(kind=PlatformFault.ANSWER_LOST, times=2), 0)
    fired = [bool(subject.draw("pay", 0)) for _ in range(4)]
    assert fired == [True, True, False, False]
    (view,) = subject.views(0)
    assert (view.armed, view.seen, view.fired) == (False, 2, 2)


def test_a_fault_may_wait_for_the_nth_request_it_could_hit(subject: FaultBoard) -> None:
    """Two pays go by, the third is hit; a query is not counted."""
    subject.inject(Fault(kind=PlatformFault.ANSWER_LOST, calls=("pay",), skip=2), 0)
    fired = [bool(subject.draw(call, 0)) for call in ("pay", "query", "pay", "pay", "pay")]
    assert fired == [False, False, False, True, False]


def test_a_fault_fires_until_it_is_cleared(subject: FaultBoard) -> None:
    """times None has no end of its own; cleared counts stay readable."""
    number = subject.inject(Fault(kind=PlatformFault.ANSWER_LOST, times=None), 0)
    assert all(subject.draw("pay", 0) for _ in range(10))
    assert subject.clear(number)
    assert not subject.draw("pay", 0)
    assert subject.views(0)[0].fired == 10
    assert not subject.clear(number + 1)


def test_a_fault_ends_with_its_time(subject: FaultBoard) -> None:
    """for_ms counts from the instant it was armed."""
    subject.inject(Fault(kind=PlatformFault.HTTP_5XX, times=None, for_ms=1_000), 5 * MS)
    assert subject.draw("query", 1_004 * MS)
    assert not subject.draw("query", 1_005 * MS)


def test_a_fault_hits_only_the_calls_it_names(subject: FaultBoard) -> None:
    """A fault for query leaves pay alone; a cancel fault never hits anything else."""
    subject.inject(Fault(kind=PlatformFault.HTTP_5XX, calls=("query",)), 0)
    subject.inject(Fault(kind=PlatformFault.CANCEL_LIES), 0)
    assert not subject.draw("pay", 0)
    assert set(subject.draw("query", 0)) == {Stage.ARRIVAL}
    assert set(subject.draw("cancel", 0)) == {Stage.BUSINESS}


def test_a_chance_is_drawn_from_the_dice_handed_in(subject: FaultBoard) -> None:
    """300 in a thousand fires about that often, and the same seed fires the same way."""
    subject.inject(Fault(kind=PlatformFault.SLOW, times=None, permille=300), 0)
    fired = [bool(subject.draw("pay", 0)) for _ in range(1_000)]
    assert 250 < sum(fired) < 350
    again = FaultBoard(dice=random.Random(5))
    again.inject(Fault(kind=PlatformFault.SLOW, times=None, permille=300), 0)
    assert fired == [bool(again.draw("pay", 0)) for _ in range(1_000)]


def test_one_request_takes_one_fault_of_a_stage(subject: FaultBoard) -> None:
    """The first armed of a stage fires, the second waits for the next request; slow joins."""
    subject.inject(LOST, 0)
    subject.inject(Fault(kind=PlatformFault.TRUNCATED), 0)
    subject.inject(Fault(kind=PlatformFault.SLOW, ms=5), 0)
    first = subject.draw("pay", 0)
    assert {f.fault.kind for f in first.values()} == {
        PlatformFault.ANSWER_LOST,
        PlatformFault.SLOW,
    }
    assert {f.fault.kind for f in subject.draw("pay", 0).values()} == {PlatformFault.TRUNCATED}


def test_used_up_faults_make_room(subject: FaultBoard) -> None:
    """The board is bounded and never forgets an armed fault for a new one."""
    keeps = subject.inject(Fault(kind=PlatformFault.CANCEL_LIES, times=None), 0)
    for _ in range(MAX_ARMED + 5):
        subject.inject(LOST, 0)
        assert subject.draw("pay", 0)
    views = subject.views(0)
    assert len(views) <= MAX_ARMED
    assert views[0].fault_id == keeps
    assert views[0].armed


@pytest.mark.parametrize(
    "wrong", [{"times": 0}, {"permille": 0}, {"permille": 1001}, {"ms": -1}, {"fen": 0}]
)
def test_a_fault_outside_its_range_is_refused(wrong: dict[str, int]) -> None:
    """A wrong figure is caught where the fault is made."""
    with pytest.raises(AssertionError):
        Fault(kind=PlatformFault.SLOW, **wrong)  # type: ignore[arg-type]
