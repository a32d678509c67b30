"""I/O modules: currents follow the plant with their polarity, faults stand between, relays move the
boom."""

from __future__ import annotations

import pytest

from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.models.io_modules import IoModules, Wiring
from simulator.plant import Contact, LaneGeometry, Plant, Vehicle, VehicleId
from tolling.ids import LaneId
from tolling.inputs import Output, Point, Reading, may_lower

LANE = LaneId("001")
MS = 1_000_000
S = 1_000 * MS


def new_lane(wiring: Wiring | None = None) -> tuple[Plant, IoModules]:
    """An empty lane with its modules."""
    plant = Plant({LANE: LaneGeometry()})
    return plant, IoModules(plant, LANE, wiring=wiring)


def readings(subject: IoModules, now_ns: int) -> dict[Point, Reading]:
    """All points by their reading."""
    return {sample.point: sample.reading for sample in subject.samples(now_ns)}


def test_an_empty_lane_reads_free_with_live_detectors() -> None:
    """Detectors are energised = free, limits energised = reached."""
    _, subject = new_lane()
    assert readings(subject, 0) == {
        Point.BOOM_UP: Reading.OFF,
        Point.BOOM_DOWN: Reading.ON,
        Point.LOOP_1: Reading.OFF,
        Point.LOOP_2: Reading.OFF,
        Point.CURTAIN: Reading.OFF,
    }
    assert subject.energised(Point.LOOP_1, 0)
    assert not subject.energised(Point.BOOM_UP, 0)


def test_a_car_at_the_window_takes_the_current_away() -> None:
    """Loop 1 occupied is no current; reading it brings the plant up to now."""
    plant, subject = new_lane()
    plant.arrive(LANE, Vehicle(vehicle_id=VehicleId(1), plate=None), 0)
    assert not subject.energised(Point.LOOP_1, 20 * S)
    assert subject.reading(Point.LOOP_1, 20 * S) is Reading.ON
    assert plant.now_us == 20_000_000
    assert any(edge.point is Point.LOOP_1 for edge in plant.advance(20_000_000))


def test_a_cut_wire_reads_occupied_and_not_reached() -> None:
    """Without current a detector is occupied, a limit not reached, and nothing may be lowered."""
    _, subject = new_lane()
    subject.inject(DeviceTrouble(kind=DeviceFault.CUT_WIRE, where=Point.LOOP_2), 0)
    subject.inject(DeviceTrouble(kind=DeviceFault.CUT_WIRE, where=Point.BOOM_DOWN), 0)
    read = readings(subject, 0)
    assert read[Point.LOOP_2] is Reading.ON
    assert read[Point.BOOM_DOWN] is Reading.OFF
    assert read[Point.LOOP_1] is Reading.OFF
    under = frozenset({Point.LOOP_2, Point.CURTAIN})
    assert may_lower(subject.samples(0), under_boom=under, now_ns=0) is not None
    subject.clear()
    assert may_lower(subject.samples(0), under_boom=under, now_ns=0) is None
    assert subject.faults(0)[0].fired >= 2


@pytest.mark.parametrize(
    ("kind", "reading"), [(DeviceFault.STUCK_1, Reading.OFF), (DeviceFault.STUCK_0, Reading.ON)]
)
def test_a_stuck_input_says_the_same_whatever_happens(kind: DeviceFault, reading: Reading) -> None:
    """Stuck with current a loop reads free for ever, stuck without it occupied."""
    plant, subject = new_lane()
    subject.inject(DeviceTrouble(kind=kind, where=Point.LOOP_1), 0)
    assert subject.reading(Point.LOOP_1, 0) is reading
    plant.arrive(LANE, Vehicle(vehicle_id=VehicleId(1), plate=None), 0)
    assert subject.reading(Point.LOOP_1, 20 * S) is reading


def test_chatter_flips_with_its_period_and_says_when() -> None:
    """A chattering input changes every period; the world is told when to look again."""
    _, subject = new_lane()
    subject.inject(DeviceTrouble(kind=DeviceFault.CHATTER, where=Point.LOOP_1, ms=20), 0)
    assert subject.next_change_ns(0) == 20 * MS
    levels = [subject.energised(Point.LOOP_1, at * 20 * MS) for at in range(4)]
    assert levels == [True, False, True, False]


def test_a_silent_module_reads_unknown_until_its_time_is_up() -> None:
    """Silence for 500 ms is unknown for 500 ms."""
    _, subject = new_lane()
    subject.inject(DeviceTrouble(kind=DeviceFault.SILENT, for_ms=500), 0)
    assert set(readings(subject, 499 * MS).values()) == {Reading.UNKNOWN}
    assert subject.next_change_ns(0) == 500 * MS
    assert Reading.UNKNOWN not in readings(subject, 500 * MS).values()


def test_one_silent_module_leaves_the_other_alone() -> None:
    """With two modules only the points of the silent one are unknown."""
    wiring = Wiring(points={Point.LOOP_2: "loops"})
    _, subject = new_lane(wiring)
    subject.inject(DeviceTrouble(kind=DeviceFault.SILENT, where="loops"), 0)
    read = readings(subject, 0)
    assert read[Point.LOOP_2] is Reading.UNKNOWN
    assert read[Point.LOOP_1] is Reading.OFF


def test_a_relay_moves_the_boom_and_a_timed_pulse_ends_by_itself() -> None:
    """A pulse of 500 ms raises the boom and lets go at its own instant."""
    _, subject = new_lane()
    subject.pulse(Output.RAISE, 500, 0)
    assert subject.relay(Output.RAISE)
    assert subject.due_ns() == 500 * MS
    subject.tick(700 * MS)
    assert not subject.relay(Output.RAISE)
    assert subject.due_ns() is None
    assert subject.reading(Point.BOOM_UP, 900 * MS) is Reading.ON


def test_a_write_ends_a_timed_pulse_and_a_new_one_starts_over() -> None:
    """Off means off; the old pulse's end does not cut the new one short."""
    _, subject = new_lane()
    subject.pulse(Output.ALARM, 500, 0)
    subject.write(Output.ALARM, False, 100 * MS)
    subject.pulse(Output.ALARM, 500, 200 * MS)
    subject.tick(500 * MS)
    assert subject.relay(Output.ALARM)
    subject.tick(700 * MS)
    assert not subject.relay(Output.ALARM)


def test_a_pulse_that_is_over_has_let_go_before_the_next_one() -> None:
    """Each pulse closes the contact anew, also where nobody ticked in between."""
    plant, subject = new_lane()
    subject.pulse(Output.RAISE, 300, 0)
    subject.pulse(Output.RAISE, 300, 5 * S)
    closings = [entry.at_us for entry in plant.log if isinstance(entry, Contact) and entry.closed]
    assert closings == [0, 5_000_000]


def test_lamps_follow_their_relay_and_a_dead_output_does_nothing() -> None:
    """People see the lamp; a dead raise contact leaves the boom down."""
    plant, subject = new_lane()
    subject.write(Output.LANE_GREEN, True, 0)
    assert plant.view(LANE).lane_green
    subject.inject(DeviceTrouble(kind=DeviceFault.OUTPUT_DEAD, where=Output.RAISE), 0)
    subject.write(Output.RAISE, True, 0)
    assert subject.relay(Output.RAISE)
    assert subject.reading(Point.BOOM_DOWN, S) is Reading.ON


def test_a_transfer_tells_the_fate_of_one_request() -> None:
    """Dropped requests are not done; lost answers are done; faults are used up one by one."""
    _, subject = new_lane()
    subject.inject(DeviceTrouble(kind=DeviceFault.DROPPED, times=1), 0)
    subject.inject(DeviceTrouble(kind=DeviceFault.ANSWER_LOST, times=1), 0)
    subject.inject(DeviceTrouble(kind=DeviceFault.CORRUPTED, times=1), 0)
    subject.inject(DeviceTrouble(kind=DeviceFault.SLOW, times=1, ms=30), 0)
    dropped, lost, bad, good = (subject.transfer("io", 0) for _ in range(4))
    assert not dropped.arrives
    assert (lost.arrives, lost.answered) == (True, False)
    assert (bad.answered, bad.corrupted, bad.delay_ns) == (True, True, 30 * MS)
    assert (good.answered, good.corrupted, good.delay_ns) == (True, False, 0)


def test_a_fault_no_module_can_have_is_refused() -> None:
    """A scanner's fault on a module is an error that names what it can have."""
    _, subject = new_lane()
    with pytest.raises(ValueError, match="cut_wire"):
        subject.inject(DeviceTrouble(kind=DeviceFault.HALF_CODE), 0)


def test_a_module_that_restarts_drops_its_relays_and_is_silent() -> None:
    """What it held is let go at once; it answers again after its while."""
    _, subject = new_lane()
    subject.write(Output.LANE_GREEN, True, 0)
    subject.inject(DeviceTrouble(kind=DeviceFault.REBOOT, for_ms=3_000), S)
    assert not subject.relay(Output.LANE_GREEN)
    assert subject.reading(Point.LOOP_1, 2 * S) is Reading.UNKNOWN
    assert not subject.transfer("io", 2 * S).arrives
    assert subject.reading(Point.LOOP_1, 5 * S) is Reading.OFF
    assert not subject.relay(Output.LANE_GREEN)


def test_crosstalk_shows_the_cars_of_the_lane_beside() -> None:
    """Only the loop it speaks of, only while it stands, and never the other way round."""
    other = LaneId("002")
    plant = Plant({LANE: LaneGeometry(), other: LaneGeometry()})
    subject = IoModules(plant, LANE, beside=other)
    plant.arrive(other, Vehicle(vehicle_id=VehicleId(1), plate=None), 0)
    plant.catch_up(20_000_000)
    assert subject.reading(Point.LOOP_1, 20 * S) is Reading.OFF
    subject.inject(
        DeviceTrouble(kind=DeviceFault.CROSSTALK, where=Point.LOOP_1, for_ms=1_000), 20 * S
    )
    assert subject.reading(Point.LOOP_1, 20 * S) is Reading.ON
    assert subject.reading(Point.LOOP_2, 20 * S) is Reading.OFF
    assert subject.reading(Point.LOOP_1, 22 * S) is Reading.OFF
