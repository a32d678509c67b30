"""The lane's time: never backwards, continued over restarts, trusted only when compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lane_controller.shell.clock import (
    FRESH_NS,
    HOLDOVER_NS,
    LaneClock,
    SystemTimes,
)
from tolling.clock import NS_PER_MS, NS_PER_S, ClockQuality

UTC_MS = 1_795_000_000_000


@dataclass(slots=True)
class Machine:
    """A machine whose clocks the test turns."""

    boot_ns: int = 50 * NS_PER_S
    utc_ms: int = UTC_MS
    boot: str = "boot-1"

    def times(self) -> SystemTimes:
        """Return its clocks."""
        return SystemTimes(
            boottime_ns=lambda: self.boot_ns,
            utc_ns=lambda: self.utc_ms * NS_PER_MS,
            machine_boot=self.boot,
        )

    def go(self, ns: int) -> None:
        """Let time pass."""
        self.boot_ns += ns
        self.utc_ms += ns // NS_PER_MS


def test_time_never_goes_back() -> None:
    """A boot clock that steps back holds the lane's time."""
    machine = Machine()
    subject = LaneClock(None, last_at_ns=0, times=machine.times())
    before = subject.at_ns()
    machine.boot_ns -= NS_PER_S

    assert subject.at_ns() == before


def test_restart_on_the_same_boot_goes_on(tmp_path: Path) -> None:
    """The base is kept, so a duration over a restart is exact, and the downtime is known."""
    machine = Machine()
    first = LaneClock(tmp_path / "mark", last_at_ns=0, times=machine.times())
    at_ns = first.at_ns()
    first.write_mark()
    machine.go(4 * NS_PER_S)

    subject = LaneClock(tmp_path / "mark", last_at_ns=at_ns - 9, times=machine.times())

    assert subject.at_ns() == at_ns + 4 * NS_PER_S
    assert subject.downtime_ms == 4_000


def test_restart_after_another_boot_is_ahead_of_the_journal(tmp_path: Path) -> None:
    """After a power cut nothing is earlier than the journal's last event; downtime is unknown."""
    machine = Machine()
    first = LaneClock(tmp_path / "mark", last_at_ns=0, times=machine.times())
    first.write_mark()
    later = Machine(boot_ns=NS_PER_S, boot="boot-2")

    subject = LaneClock(tmp_path / "mark", last_at_ns=90 * NS_PER_S, times=later.times())

    assert subject.at_ns() > 90 * NS_PER_S
    assert subject.downtime_ms is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"machine":"boot-1","base_ns":"x"}', "\0\1"])
def test_damaged_mark_is_another_boot(tmp_path: Path, text: str) -> None:
    """A mark that cannot be read costs the downtime and nothing else."""
    (tmp_path / "mark").write_text(text)

    subject = LaneClock(tmp_path / "mark", last_at_ns=70 * NS_PER_S, times=Machine().times())

    assert subject.downtime_ms is None
    assert subject.at_ns() > 70 * NS_PER_S


def test_quality_follows_the_last_comparison() -> None:
    """Bad before any comparison, synced for an hour, holdover for days, then bad again."""
    machine = Machine()
    subject = LaneClock(None, last_at_ns=0, times=machine.times())
    assert subject.wall().quality is ClockQuality.BAD

    assert subject.compare(UTC_MS + 1_900, asked_at_ns=subject.at_ns())
    assert subject.wall().quality is ClockQuality.SYNCED
    machine.go(FRESH_NS + NS_PER_S)
    assert subject.wall().quality is ClockQuality.HOLDOVER
    machine.go(HOLDOVER_NS)
    assert subject.wall().quality is ClockQuality.BAD


def test_clock_that_disagrees_is_bad() -> None:
    """More than 2 s off the plaza is bad, until a comparison agrees again."""
    machine = Machine()
    subject = LaneClock(None, last_at_ns=0, times=machine.times())

    assert not subject.compare(UTC_MS + 2_001, asked_at_ns=subject.at_ns())
    assert subject.wall().quality is ClockQuality.BAD
    assert subject.compare(UTC_MS, asked_at_ns=subject.at_ns())
    assert subject.wall().quality is ClockQuality.SYNCED


def test_slow_answer_is_no_disagreement() -> None:
    """The plaza's time was read before its answer came: the way back counts in its favour."""
    machine = Machine()
    subject = LaneClock(None, last_at_ns=0, times=machine.times())
    asked = subject.at_ns()
    machine.go(3 * NS_PER_S)

    assert subject.compare(UTC_MS, asked_at_ns=asked)


def test_step_of_the_machines_clock_moves_nothing() -> None:
    """The wall clock is the last good comparison plus monotonic time."""
    machine = Machine()
    subject = LaneClock(None, last_at_ns=0, times=machine.times())
    subject.compare(UTC_MS, asked_at_ns=subject.at_ns())
    machine.go(NS_PER_S)
    machine.utc_ms += 86_400_000

    assert subject.wall().utc_ms == UTC_MS + 1_000
    assert subject.compare(UTC_MS + 1_000, asked_at_ns=subject.at_ns())
    assert subject.wall().utc_ms == UTC_MS + 1_000


def test_comparison_survives_a_restart(tmp_path: Path) -> None:
    """A restarted lane knows the time before the plaza has answered."""
    machine = Machine()
    first = LaneClock(tmp_path / "mark", last_at_ns=0, times=machine.times())
    first.compare(UTC_MS, asked_at_ns=first.at_ns())
    first.write_mark()
    machine.go(2 * NS_PER_S)

    subject = LaneClock(tmp_path / "mark", last_at_ns=0, times=machine.times())

    assert subject.wall().utc_ms == UTC_MS + 2_000
    assert subject.wall().quality is ClockQuality.SYNCED


def test_machine_without_a_boot_id_is_another_boot(tmp_path: Path) -> None:
    """Where the boot cannot be told, the downtime cannot either."""
    times = replace(Machine().times(), machine_boot="")
    LaneClock(tmp_path / "mark", last_at_ns=0, times=times).write_mark()

    assert LaneClock(tmp_path / "mark", last_at_ns=0, times=times).downtime_ms is None
