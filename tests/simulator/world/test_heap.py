"""The heap: order of time, order within an instant, and the trace."""

from simulator.world.heap import Heap


def test_what_is_due_at_one_instant_happens_in_the_order_it_was_scheduled() -> None:
    """Time decides first, the order of scheduling second; a past instant means now."""
    subject, seen = Heap(), []
    subject.schedule(20, lambda: seen.append("late"))
    subject.schedule(10, lambda: seen.append("first"))
    subject.schedule(10, lambda: seen.append("second"))
    subject.schedule(10, lambda: subject.schedule(3, lambda: seen.append(f"at {subject.now_ns}")))
    subject.run_until(15)
    assert seen == ["first", "second", "at 10"]
    assert subject.now_ns == 15
    subject.run_until(30)
    assert seen[-1] == "late"


def test_the_trace_tells_runs_apart_by_time_actor_kind_and_detail() -> None:
    """The same notes give the same hash, any other note gives another."""

    def trace(*notes: tuple[str, str, str]) -> str:
        heap = Heap()
        for note in notes:
            heap.note(*note)
        return heap.trace_hash

    same = trace(("lane 001", "Start", "x"))
    assert trace(("lane 001", "Start", "x")) == same
    others = [("lane 002", "Start", "x"), ("lane 001", "Stop", "x"), ("lane 001", "Start", "y")]
    assert same not in [trace(other) for other in others]
