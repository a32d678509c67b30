"""One commit at a time; what it promises leaves when it came back."""

from __future__ import annotations

from lane_controller.core import journalled as jn
from lane_controller.engine import effects as fx
from lane_controller.engine.journal import PATIENT_MAX, Journal

UNIT = jn.DropUnsealed()
EFFECT = fx.DropCode(keyed_hash="a")


def test_effects_wait_for_everything_added_before_them() -> None:
    """Free when nothing waits, else with the commit."""
    subject = Journal()
    subject.hold(EFFECT)
    assert subject.release_free() == [EFFECT]
    subject.add(UNIT)
    subject.hold(EFFECT)
    assert subject.release_free() == []
    commit = subject.next_commit()
    assert commit is not None
    assert (subject.next_commit(), subject.again(), subject.busy) == (None, commit, True)
    assert subject.committed(commit.commit_id + 1) == []
    assert subject.committed(commit.commit_id) == [EFFECT]
    assert (subject.again(), subject.backlog) == (None, 0)


def test_a_patient_unit_goes_with_the_next_commit() -> None:
    """It asks for none of its own and holds nothing up, until there are many."""
    subject = Journal()
    subject.add(jn.DropNotice(number=1))
    subject.hold(EFFECT)
    assert (subject.release_free(), subject.next_commit()) == ([EFFECT], None)
    subject.add(UNIT)
    commit = subject.next_commit()
    assert commit is not None
    assert commit.units == (jn.DropNotice(number=1), UNIT)
    subject.committed(commit.commit_id)
    for number in range(2, PATIENT_MAX + 1):
        subject.add(jn.DropNotice(number=number))
        assert subject.next_commit() is None
    subject.add(jn.MarkUploaded(epoch=1, seq=1))
    many = subject.next_commit()
    assert many is not None
    assert len(many.units) == PATIENT_MAX


def test_what_must_not_happen_any_more_is_forgotten_everywhere() -> None:
    """Under way and gathered."""
    subject = Journal()
    subject.add(UNIT)
    subject.hold(EFFECT)
    commit = subject.next_commit()
    assert commit is not None
    subject.hold(EFFECT)
    subject.forget(lambda effect: effect == EFFECT)
    assert subject.committed(commit.commit_id) == []
    assert subject.release_free() == []
