"""B1-B4: the boom, judged by the plant's own log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from simulator.auditor.authority import b2_by_person
from simulator.auditor.boom_told import b2_moves_told, b4_limits_told
from simulator.auditor.contacts import b3_longest_on
from simulator.auditor.counted import b2_counted, lied
from simulator.auditor.evidence import Evidence
from simulator.auditor.let_through import a1_let_through
from simulator.auditor.money import bodies
from simulator.plant.events import (
    BoomMove,
    Contact,
    Heading,
    Lamp,
    LogEntry,
    MoveCause,
    PlantEdge,
    Strike,
    StrikeCause,
    What,
)
from tolling.inputs import Output

CLEAR_US = 1_000_000
"""Every detector under the boom is free this long before a lower pulse."""
SIGHT_US = 150_000
"""An edge this fresh need not be known yet: a read may end 100 ms before the pulse, and a poll
goes before."""
TURN_US = 200_000
"""A heavy boom that is told to turn has turned within this."""
OPEN_MDEG = 85_000
"""A boom that stands as high as this is up, thousandths of a degree: raising it moves nothing."""
UNREAD_US = 1_000_000
"""A line that fails is found out after 0.5 s (design.md section 5, A2), and a detector that cannot
be read turns a boom on its way down: one whose limit was reached since may be turned all the
same. So long after such a line is well again nobody knows better either."""
_FORCED = (MoveCause.JAM, MoveCause.POWER, MoveCause.OBSTACLE)
UNDER = frozenset({What.LOOP_2, What.CURTAIN})
PRESENT = frozenset({What.LOOP_1, What.LOOP_2})
SEEN = PRESENT | UNDER
"""What tells that somebody is in the lane: a motorcycle may show on the curtain alone."""


def _lanes(seen: Evidence) -> Iterator[tuple[str, list[LogEntry]]]:
    lanes: dict[str, list[LogEntry]] = defaultdict(list)
    for entry in seen.plant_log:
        lanes[entry.lane].append(entry)
    yield from sorted(lanes.items())


class _Detectors:
    """Follows which detectors are occupied, and since when they are free."""

    def __init__(self) -> None:
        self.on: set[What] = set()
        self.free_since: dict[What, int] = {}
        self.before: dict[What, tuple[int, bool]] = {}

    def take(self, edge: PlantEdge) -> None:
        if edge.on:
            self.on.add(edge.what)
        else:
            self.on.discard(edge.what)
            self.free_since[edge.what] = edge.at_us
        self.before[edge.what] = (edge.at_us, edge.on)

    def hindered(self, what: What, at_us: int) -> bool:
        """Whether this detector should have kept the boom up at that moment."""
        changed = self.before.get(what)
        if changed is None:
            return False
        changed_us, on = changed
        if on:
            return at_us - changed_us > SIGHT_US
        return at_us - changed_us < CLEAR_US - SIGHT_US

    def held_us(self, what: Iterable[What], at_us: int) -> int:
        """For how long one of these has been occupied at that moment, the longest; else 0."""
        return max((at_us - self.before[each][0] for each in what if each in self.on), default=0)

    def present(self, at_us: int) -> bool:
        """Whether a vehicle holds a detector, or did within the last second."""
        if self.on & SEEN:
            return True
        return any(at_us - self.free_since.get(what, -CLEAR_US * 9) < CLEAR_US for what in SEEN)


def b1_no_touch(seen: Evidence) -> Iterator[str]:
    """No boom touches a vehicle; none is lowered before all is free for a second.

    A motorcycle that no loop feels and that drives under a boom on its way down is seen by the
    curtain as it comes under it, and by nothing before. Whether it drives into the boom or the boom
    comes down on it before anybody could have turned it is no lane's to hinder.
    """
    for lane, entries in _lanes(seen):
        detectors, felt = _Detectors(), set[int]()
        for entry in entries:
            if isinstance(entry, Strike):
                drove = entry.cause is StrikeCause.DROVE_INTO
                seen_us = detectors.held_us(UNDER, entry.at_us)
                unseen = entry.vehicle_id not in felt and seen_us <= SIGHT_US
                if not (unseen if entry.lowering else drove):
                    yield (
                        f"lane {lane}: the boom struck vehicle {entry.vehicle_id}"
                        f" at {entry.at_us} us"
                    )
            elif isinstance(entry, PlantEdge):
                detectors.take(entry)
                if entry.vehicle_id is not None and entry.what in PRESENT:
                    felt.add(entry.vehicle_id)
            elif _pulse(entry, Output.LOWER):
                for what in sorted(UNDER):
                    if detectors.hindered(what, entry.at_us):
                        yield f"lane {lane}: lowered at {entry.at_us} us, {what} not free for 1 s"


def _pulse(entry: LogEntry, output: Output) -> bool:
    return isinstance(entry, Contact) and entry.closed and entry.output is output


def b2_authorised(seen: Evidence) -> Iterator[str]:
    """Every raise has a vehicle (or is safety); every vehicle through is recorded, once."""
    for lane, entries in _lanes(seen):
        detectors, at_limit, still_us, is_open = _Detectors(), True, -UNREAD_US, False
        for entry in entries:
            if isinstance(entry, PlantEdge):
                detectors.take(entry)
            elif isinstance(entry, BoomMove):
                # A boom that moves, or was stopped half way, is raised for safety.
                at_limit = entry.heading is Heading.STILL and entry.cause is MoveCause.LIMIT
                still_us = entry.at_us
                is_open = at_limit and entry.angle_mdeg >= OPEN_MDEG
            elif isinstance(entry, Strike):
                at_limit = False  # It is bent: whoever finds it so tries to raise it.
            elif not _pulse(entry, Output.RAISE) or detectors.present(entry.at_us):
                continue
            elif is_open and (_unread_at(seen, entry) or _up_unread(seen, entry)):
                continue  # Asked to lower and blind since, or to rise and not told that it has.
            elif lied(seen, lane, entry.at_us):
                continue  # It took somebody of the lane beside for its own, or lost sight of one.
            elif at_limit and not _turned_unread(seen, entry, still_us):
                yield f"lane {lane}: raised at {entry.at_us} us with no vehicle in the lane"
    yield from b2_by_person(seen)
    yield from b2_moves_told(seen)
    if seen.at_rest:
        yield from _b2_recorded(seen)


def _turned_unread(seen: Evidence, raised: LogEntry, still_us: int) -> bool:
    """Return whether a boom may have been turned on its way down for a detector that could not be
    read, and have reached its limit meanwhile: just now, or before a module was back that takes the
    pulse at last. On wires nobody outside knows when a machine that is busy read late."""
    on_wires = seen.hindered is None
    just_now = raised.at_us - still_us <= UNREAD_US and (on_wires or _unread_at(seen, raised))
    return just_now or any(
        blind.lane_id == raised.lane
        and not blind.dead
        and blind.until_us is not None
        and blind.from_us <= still_us <= blind.until_us <= raised.at_us
        and raised.at_us <= blind.until_us + UNREAD_US
        for blind in seen.blind
    )


def _for_safety(seen: Evidence, raised: LogEntry, detectors: _Detectors) -> bool:
    return detectors.present(raised.at_us) or _unread_at(seen, raised)


def _unread_at(seen: Evidence, raised: LogEntry) -> bool:
    """Return whether the lane could not read its detectors then, or had only just begun to."""
    return any(
        blind.lane_id == raised.lane
        and blind.from_us <= raised.at_us
        and (blind.until_us is None or raised.at_us <= blind.until_us + UNREAD_US)
        for blind in seen.blind
    )


def _up_unread(seen: Evidence, raised: LogEntry) -> bool:
    """Return whether a lane could not read its upper limit: it raises an open boom once more."""
    return any(
        fault.lane_id == raised.lane
        and fault.what is What.BOOM_UP
        and fault.reads is not True
        and fault.from_us <= raised.at_us
        and (fault.until_us is None or raised.at_us <= fault.until_us + UNREAD_US)
        for fault in seen.limit_faults or ()
    )


def _b2_recorded(seen: Evidence) -> Iterator[str]:
    for record, body in bodies(seen.lane_records):
        unauthorised = body["end"] == "passed" and body["authorised_by"] == "nobody"
        if unauthorised and body["unpaid_reason"] != "violation":
            yield f"record {record.lane_id}/{record.seq}: passed by nobody's authority"
        unpaid = not body["legs"] and body["unpaid_reason"] is None
        if body["authorised_by"] == "tender" and unpaid:
            yield f"record {record.lane_id}/{record.seq}: passed on a tender it never gave"
    yield from b2_counted(seen)


def b3_quiet_start(seen: Evidence) -> Iterator[str]:
    """No lower after a start before a presence has ended; a raise only for a vehicle that is
    there. A presence that ended while nobody watched is ended all the same: its lower is owed. So
    is one the lane gave up, because nobody said that the vehicle was the same: no loop shows that,
    its record does, and each such record is good for one lower, and one more for each time the boom
    was raised again for safety meanwhile."""
    yield from b3_longest_on(seen)
    given_up = Counter(
        record.lane_id
        for record, body in bodies(seen.lane_records)
        if body["end"] == "left_during_outage"
    )
    for lane, entries in _lanes(seen):
        starts = sorted(r.at_us for r in seen.restarts if r.lane_id == lane)
        quiet, owed, down, detectors = False, False, False, _Detectors()
        for entry in entries:
            while starts and entry.at_us >= starts[0]:
                starts.pop(0)
                quiet, down = not owed, False
            if isinstance(entry, PlantEdge):
                detectors.take(entry)
                if entry.what in PRESENT and not entry.on:
                    quiet, owed = False, True
            elif _pulse(entry, Output.LOWER) and not quiet:
                owed = False
            elif quiet and _pulse(entry, Output.LOWER) and given_up[lane] > 0:
                given_up[lane] -= 1
                down = True
            elif quiet and _pulse(entry, Output.LOWER):
                yield f"lane {lane}: lowered at {entry.at_us} us right after a start"
            elif down and _pulse(entry, Output.RAISE) and _for_safety(seen, entry, detectors):
                given_up[lane] += 1
                down = False
            elif quiet and _pulse(entry, Output.RAISE) and not detectors.present(entry.at_us):
                yield f"lane {lane}: raised at {entry.at_us} us right after a start"


def b4_raise_wins(seen: Evidence) -> Iterator[str]:
    """A raise turns a lowering boom at once; nothing lowers a rising one; nobody is shown green
    before the upper limit says that the boom is up; and what a lane tells of its boom is what its
    limit switches say."""
    yield from b4_limits_told(seen)
    for lane, entries in _lanes(seen):
        heading, jammed = Heading.STILL, False
        if lane not in seen.false_limit:
            yield from _b4_green(lane, entries)
        for index, entry in enumerate(entries):
            if isinstance(entry, BoomMove):
                heading = entry.heading
                jammed = entry.cause in (MoveCause.JAM, MoveCause.POWER)
            elif _pulse(entry, Output.LOWER) and heading is Heading.UP and not jammed:
                yield f"lane {lane}: lowered at {entry.at_us} us while it was rising"
            elif _pulse(entry, Output.RAISE) and heading is Heading.DOWN:
                assert isinstance(entry, Contact)
                if entry.acted and not _turns(entries, index):
                    yield f"lane {lane}: a raise at {entry.at_us} us did not turn the boom"


def _turns(entries: list[LogEntry], index: int) -> bool:
    """Return whether the boom goes up, or is stopped by force, soon after entry *index*."""
    until_us = entries[index].at_us + TURN_US
    for entry in entries[index + 1 :]:
        if entry.at_us > until_us:
            return False
        if isinstance(entry, BoomMove) and (entry.heading is Heading.UP or entry.cause in _FORCED):
            return True
    return False


def _b4_green(lane: str, entries: list[LogEntry]) -> Iterator[str]:
    """Yield each green lamp that came on while the boom was not at its upper limit."""
    up, left_us = False, -SIGHT_US
    for entry in entries:
        if isinstance(entry, PlantEdge) and entry.what is What.BOOM_UP:
            up, left_us = entry.on, entry.at_us
        elif isinstance(entry, Lamp) and entry.output is Output.LANE_GREEN and entry.on:
            seen_up = up or entry.at_us - left_us < SIGHT_US
            if not seen_up:
                yield f"lane {lane}: green at {entry.at_us} us, and the boom was not up"


def a1_nobody_stuck(seen: Evidence) -> Iterator[str]:
    """Every driver is out of the lane in the end, and whoever paid was let through in time."""
    if not seen.at_rest:
        return
    for driver in seen.drivers:
        if not driver.gone:
            paid = driver.phone_fen + driver.cash_fen + driver.etc_fen
            yield f"vehicle {driver.vehicle_id} is still in lane {driver.lane_id}, paid {paid}"
    yield from a1_let_through(seen)
