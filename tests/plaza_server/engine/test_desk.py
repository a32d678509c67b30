"""The engine's desk: moments, ids, commits."""

from __future__ import annotations

import pytest

from plaza_server.engine.desk import Desk, EngineConfig
from plaza_server.engine.effects import Alarm, Commit
from plaza_server.rules.limits import LEASE_MS
from plaza_server.rules.orders import AlarmNote
from plaza_server.rules.units import ReadOrder
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import PLAZA, order_no
from tolling.alarms import AlarmCode
from tolling.clock import ClockQuality, WallTime
from tolling.ids import BootId

WALL = WallTime(utc_ms=EPOCH_MS, quality=ClockQuality.SYNCED)


def desk(*, boot: str = "b1", exclusive: bool = True) -> Desk[str]:
    """Return a desk at work."""
    config = EngineConfig(
        plaza_id=PLAZA,
        plaza_name="东站",
        boot_id=BootId(boot),
        platforms=(),
        exclusive=exclusive,
    )
    made: Desk[str] = Desk(config)
    made.begin(5, WALL)
    return made


def test_a_commit_comes_back_once_with_what_it_was_for() -> None:
    """A second answer, or another engine's, is nobody's."""
    subject = desk()
    subject.commit(ReadOrder(out_trade_no=order_no(1)), "poll")
    (effect,) = subject.take()
    assert isinstance(effect, Commit)
    assert desk(boot="b2").ended(effect.commit_id) is None
    assert subject.ended(effect.commit_id) == "poll"
    assert subject.ended(effect.commit_id) is None


def test_ids_name_their_boot() -> None:
    """No two engine objects give the same id."""
    assert desk(boot="b1").new_id() != desk(boot="b2").new_id()


def test_time_never_goes_backwards() -> None:
    """A programmer's error, caught at once."""
    with pytest.raises(AssertionError):
        desk().begin(4, WALL)


def test_effects_are_taken_before_the_next_input() -> None:
    """What one input led to is carried out first."""
    subject = desk()
    subject.alarms([AlarmNote(code=AlarmCode.REFUND_STUCK, raised=True, subject="s", what="w")])
    with pytest.raises(AssertionError):
        subject.begin(6, WALL)
    assert subject.take() == [
        Alarm(code=AlarmCode.REFUND_STUCK, raised=True, subject="s", what="w")
    ]


def test_only_the_only_process_steals() -> None:
    """One of several waits for a lease to end, unless it is asked to act at once."""
    assert desk(exclusive=True).lease().steal
    shared = desk(exclusive=False)
    assert not shared.lease().steal
    assert shared.lease(steal=True).steal
    assert shared.lease().until_ms == EPOCH_MS + LEASE_MS
