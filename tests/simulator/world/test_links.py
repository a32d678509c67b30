"""Lines: messages that are lost, late, doubled and overtaken."""

from random import Random

import pytest

from simulator.world.faults import LineTrouble, kind_of
from simulator.world.heap import Heap
from simulator.world.links import Broker, Line, Wiretap
from tolling.clock import NS_PER_MS, NS_PER_S


def line(**trouble: int | bool) -> tuple[Heap, Line]:
    """Return a line that misbehaves for a minute."""
    heap = Heap()
    subject = Line(heap, "a-b", Random(1))
    fault = LineTrouble(line="a-b", at_ms=0, for_ms=60_000, **trouble)  # type: ignore[arg-type]
    subject.trouble(fault)
    return heap, subject


def short(heap: Heap) -> Line:
    """Return the plaza's line to the broker: well, and without length."""
    return Line(heap, "plaza-broker", Random(3), latency_ns=0, spread_ns=1)


def test_a_healthy_line_takes_under_a_millisecond_and_makes_no_copies() -> None:
    """0.3 to 1 ms each way."""
    subject = Line(Heap(), "a-b", Random(1))
    (there,) = subject.crossings()
    assert there is not None
    assert there < NS_PER_MS


def test_a_doubling_line_delivers_half_of_the_messages_twice() -> None:
    """Each copy crosses by itself."""
    _, subject = line(doubled_permille=500)
    counts = [len(subject.crossings()) for _ in range(200)]
    assert set(counts) == {1, 2}
    assert 60 < counts.count(2) < 140


def test_a_spreading_line_lets_later_messages_overtake() -> None:
    """Two messages sent 1 ms apart arrive in either order."""
    _, subject = line(spread_ms=500)
    pairs = [(subject.cross(), subject.cross()) for _ in range(100)]
    overtaken = sum(one > other + NS_PER_MS for one, other in pairs if one and other)
    assert 20 < overtaken < 80


def test_a_late_line_holds_some_messages_back() -> None:
    """So many of a thousand come so much later, the others as ever."""
    _, subject = line(late_permille=300, late_ms=9_000)
    taken = [subject.cross() or 0 for _ in range(200)]
    assert 30 < sum(ns > 9 * NS_PER_S for ns in taken) < 90
    assert sum(ns < NS_PER_MS for ns in taken) > 100


def test_a_healed_line_is_as_before() -> None:
    """Nothing of a trouble stays."""
    _, subject = line(cut=True, doubled_permille=1_000)
    assert subject.crossings() == (None, None)
    subject.heal()
    assert len(subject.crossings()) == 1


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        ({"cut": True}, "line_cut"),
        ({"lost_permille": 1}, "line_lossy"),
        ({"ms": 1}, "line_slow"),
        ({"doubled_permille": 1, "spread_ms": 5}, "line_doubles"),
        ({"spread_ms": 5}, "line_reorders"),
        ({"late_permille": 1, "late_ms": 5}, "line_late"),
    ],
)
def test_each_trouble_of_a_line_has_its_name(trouble: dict[str, int], kind: str) -> None:
    """Reports count by it."""
    fault = LineTrouble(line="a-b", at_ms=0, for_ms=1, **trouble)  # type: ignore[arg-type]
    assert kind_of(fault) == kind


def test_a_doubled_command_is_delivered_more_than_once() -> None:
    """A broker redelivers: whoever takes commands must know them again."""
    heap, way = line(doubled_permille=1_000)
    subject = Broker(heap, way, Wiretap(heap), Random(2), plaza_line=short(heap))
    delivered: list[int] = []
    subject.command("toll/x/command", "{}", lambda: delivered.append(heap.now_ns))
    heap.run_until(NS_PER_S)
    assert len(delivered) >= 2


def test_a_command_over_the_plazas_short_line_takes_what_the_lanes_line_takes() -> None:
    """They stand in one room: nothing is added, and the tap hears it as it is published."""
    heap = Heap()
    tap = Wiretap(heap)
    subject = Broker(heap, Line(heap, "a-b", Random(1)), tap, Random(2), plaza_line=short(heap))
    delivered: list[int] = []
    subject.command("toll/x/command", "{}", lambda: delivered.append(heap.now_ns))
    assert [each.at_us for each in tap.seen] == [0]
    heap.run_until(NS_PER_S)
    assert 0 < delivered[0] < NS_PER_MS


def test_a_command_is_lost_where_the_plaza_cannot_reach_the_broker() -> None:
    """Nobody hears of it: it is in no topic, and it is not kept for when the line is well."""
    heap, cut = line(cut=True)
    tap = Wiretap(heap)
    subject = Broker(heap, Line(heap, "a-b", Random(1)), tap, Random(2), plaza_line=cut)
    delivered: list[int] = []
    subject.command("toll/x/command", "{}", lambda: delivered.append(heap.now_ns))
    heap.run_until(90 * NS_PER_S)
    assert (delivered, tap.seen) == ([], [])


def test_a_slow_line_of_the_plaza_makes_every_command_late() -> None:
    """It is published when it gets to the broker."""
    heap, slow = line(ms=2_000)
    tap = Wiretap(heap)
    subject = Broker(heap, Line(heap, "a-b", Random(1)), tap, Random(2), plaza_line=slow)
    delivered: list[int] = []
    subject.command("toll/x/command", "{}", lambda: delivered.append(heap.now_ns))
    heap.run_until(90 * NS_PER_S)
    assert delivered[0] > 2 * NS_PER_S
    assert tap.seen[0].at_us >= 2_000_000


def test_a_notice_whose_acknowledgement_is_late_is_not_told_yet() -> None:
    """It may be there already: what the lane has to tell after it still waits."""
    heap, way = line(late_permille=1_000, late_ms=5_000)
    subject = Broker(heap, way, Wiretap(heap), Random(2), plaza_line=short(heap))
    heard: list[bool] = []
    subject.publish("toll/x/001/state", "{}", heard.append)
    assert not subject.untold
    subject.publish("toll/x/001/event", "{}", heard.append)
    heap.run_until(6 * NS_PER_S)
    assert subject.untold
    heap.run_until(12 * NS_PER_S)
    assert (subject.untold, heard) == (False, [True, True])
