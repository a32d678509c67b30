"""Clocks of the world's machines: jumps, drift, and timers that run on a wrong oscillator."""

from simulator.world.clock import WALL_BASE_MS, MachineClock
from simulator.world.heap import Heap
from simulator.world.process import Process
from tolling.clock import NS_PER_MS, NS_PER_S, ClockQuality


class Idle(Process):
    """A process that does nothing by itself."""

    def on_start(self) -> None:
        """Nothing."""

    def on_death(self) -> None:
        """Nothing."""


def test_a_fast_clock_gains_and_is_set_right_in_one_step() -> None:
    """10 % too fast for 10 s: both clocks show 11 s; then the wall clock is right again and the
    monotonic one never goes back."""
    heap = Heap()
    subject = MachineClock(heap)
    subject.boot(0)
    subject.drift(100_000)
    heap.run_until(10 * NS_PER_S)
    assert subject.at_ns() == 11 * NS_PER_S
    assert subject.wall().utc_ms == WALL_BASE_MS + 11_000
    subject.jump(5_000, noticed=True)
    assert subject.wall().utc_ms == WALL_BASE_MS + 16_000
    assert subject.wall().quality is ClockQuality.BAD
    subject.set_right()
    assert subject.at_ns() == 11 * NS_PER_S
    assert subject.wall().utc_ms == WALL_BASE_MS + 10_000
    assert subject.wall().quality is ClockQuality.SYNCED
    heap.run_until(12 * NS_PER_S)
    assert subject.at_ns() == 13 * NS_PER_S


def test_a_clock_knows_when_it_was_set_back() -> None:
    """Set wrong to an earlier time, or set right from a later one; never where it goes forward."""
    heap = Heap()
    subject = MachineClock(heap)
    subject.boot(0)
    subject.jump(5_000, noticed=False)
    heap.run_until(NS_PER_S)
    subject.set_right()
    subject.set_right()
    heap.run_until(2 * NS_PER_S)
    subject.jump(-5_000, noticed=False)
    heap.run_until(3 * NS_PER_S)
    subject.set_right()
    subject.drift(100_000)
    heap.run_until(4 * NS_PER_S)
    subject.set_right()
    assert subject.set_back_ns == [NS_PER_S, 2 * NS_PER_S, 4 * NS_PER_S]


def test_timers_run_on_the_machines_oscillator() -> None:
    """A timer of 1 s fires when the machine's own clock has gone on by 1 s, never before."""
    for ppm in (-100_000, 0, 100_000):
        heap = Heap()
        clock = MachineClock(heap)
        clock.boot(0)
        subject = Idle(heap, "idle", ())
        subject.machine = clock
        subject.start()
        clock.drift(ppm)
        fired: list[tuple[int, int]] = []
        subject.set_timer(
            "t", 1_000, lambda _, f=fired, c=clock, h=heap: f.append((h.now_ns, c.at_ns()))
        )
        heap.run_until(2 * NS_PER_S)
        ((real_ns, shown_ns),) = fired
        assert 0 <= shown_ns - NS_PER_S < NS_PER_MS
        assert abs(real_ns - NS_PER_S * 1_000_000 // (1_000_000 + ppm)) < NS_PER_MS


def test_a_timer_set_on_a_fast_clock_waits_when_the_clock_is_set_right() -> None:
    """The oscillator runs right again half way: the timer keeps to what the clock shows."""
    heap = Heap()
    clock = MachineClock(heap)
    subject = Idle(heap, "idle", ())
    subject.machine = clock
    subject.start()
    clock.drift(100_000)
    fired: list[int] = []
    subject.set_timer("t", 1_100, lambda _: fired.append(clock.at_ns()))
    heap.schedule(NS_PER_S // 2, clock.set_right)
    heap.run_until(NS_PER_S)
    assert fired == []
    heap.run_until(2 * NS_PER_S)
    assert fired == [1_100 * NS_PER_MS]
