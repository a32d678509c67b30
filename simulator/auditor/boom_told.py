"""Parts of B2 and B4: what a lane tells of its boom, against what its limit switches told it.

A limit's input is known from the road's log and from the faults of inputs that were given. While a
lane reads both limits for a second, or none for a second longer than a boom takes, every state it
makes says that something is wrong with the boom. Up, or down, is said of no boom whose input has
not said so for half a second: an echo is not motion. And a boom that is lifted by hand or by its
spring is told of. States are judged by when their lane made them, so a lane whose clock was wrong
is not asked; nor is one while it was dead or could not read.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from simulator.auditor.evidence import Evidence, Hindrance, LimitFault
from simulator.plant.events import BoomMove, Contact, Heading, MoveCause, PlantEdge, What
from tolling.inputs import Output

SAYS_US = 1_000_000
"""What an input shows is in every state made so much later: a poll is 0.1 s."""
OPENS_US = 3_000_000
"""A boom reaches its limit within this, or it is a fault."""
ECHO_US = 500_000
"""An input is known within this."""
READS_US = 1_000_000
"""So long after it was dead or blind a lane may not know yet."""
TURNS_US = 15_000_000
"""A raise whose contact does not close is tried again for so long."""
LIMITS = frozenset({What.BOOM_UP, What.BOOM_DOWN})
WRONG = ('"barrier_fault"', '"boom_limits"', '"boom_not_up"', '"boom_not_down"')
"""How a state says that something is wrong with the boom."""
MOVED = "boom_moved"
_MADE = re.compile(r'"utc_ms":(\d+)')
_FOR_EVER_US = 1 << 62
_BY_ITSELF = frozenset({MoveCause.HAND, MoveCause.SPRING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """A boom that left its lower limit by hand or by its spring."""

    at_us: int
    down_us: int
    """Since when it had been down."""
    raised: bool
    """The contact for raising it has closed since."""


@dataclass(slots=True, kw_only=True)
class _Lane:
    """What the road knows of one lane's boom."""

    edges: list[PlantEdge] = field(default_factory=list)
    faults: list[LimitFault] = field(default_factory=list)
    contacts: list[int] = field(default_factory=list)
    """When a contact of the barrier closed."""
    lifted: list[Lifted] = field(default_factory=list)
    unread: list[tuple[int, int]] = field(default_factory=list)
    """From when until when it may not know what its inputs show, in order."""
    times: list[int] = field(default_factory=list)
    reads: list[tuple[bool | None, bool | None]] = field(default_factory=list)
    """What the inputs of the upper and the lower limit read from each of the times on; None: now
    this, now that."""

    def read(self) -> None:
        """Work out what the inputs read from when on. A boom is down as the run begins."""
        switches = {What.BOOM_UP: False, What.BOOM_DOWN: True}
        turns = {edge.at_us for edge in self.edges} | {0}
        for fault in self.faults:
            turns.add(fault.from_us)
            turns |= set() if fault.until_us is None else {fault.until_us}
        edges = iter(self.edges)
        edge = next(edges, None)
        for at_us in sorted(turns):
            while edge is not None and edge.at_us <= at_us:
                switches[edge.what] = edge.on
                edge = next(edges, None)
            standing = [
                each
                for each in self.faults
                if each.from_us <= at_us and (each.until_us is None or at_us < each.until_us)
            ]
            found = (
                _input(switches[What.BOOM_UP], What.BOOM_UP, standing),
                _input(switches[What.BOOM_DOWN], What.BOOM_DOWN, standing),
            )
            if not self.reads or found != self.reads[-1]:
                self.times.append(at_us)
                self.reads.append(found)

    def known_since(self, at_us: int) -> int | None:
        """Return since when this lane has known its inputs; None: at that moment it may not."""
        since_us = 0
        for from_us, until_us in self.unread:
            if from_us <= at_us <= until_us:
                return None
            if until_us < at_us:
                since_us = max(since_us, until_us)
        return since_us

    def off_since(self, place: int, number: int) -> int:
        """Return since when one of the two inputs reads off that does so at *place*."""
        while place and self.reads[place - 1][number] is False:
            place -= 1
        return self.times[place]

    def downs(self, from_us: int, until_us: int) -> list[bool | None]:
        """Return what the input of the lower limit read meanwhile."""
        first = bisect_right(self.times, from_us) - 1
        last = bisect_right(self.times, until_us)
        return [down for _, down in self.reads[first:last]]


def _input(switch: bool, what: What, faults: list[LimitFault]) -> bool | None:
    """Return what an input reads: a shorted wire beats a cut one, and whatever comes and goes is
    anything."""
    reads = {fault.reads for fault in faults if fault.what is what}
    if None in reads:
        return None
    return True if True in reads else False if False in reads else switch


def b4_limits_told(seen: Evidence) -> Iterator[str]:
    """Yield states of lanes that know nothing of a boom whose limits read wrong, and states that
    say where the boom is against its limits."""
    base_ms = seen.wall_base_ms
    if seen.limit_faults is None or base_ms is None:
        return
    lanes = _lanes(seen)
    told: set[tuple[str, str, int]] = set()
    for tapped in seen.tapped:
        if not tapped.channel.endswith("/state") or not tapped.channel.startswith("toll/"):
            continue
        lane = tapped.channel.split("/")[2]
        made = _MADE.search(tapped.text)
        if lane not in lanes or lane in seen.clocks_off or made is None:
            continue
        made_us = (int(made.group(1)) - base_ms) * 1_000
        for from_us, what in _wrong(lanes[lane], tapped.text, made_us):
            if (lane, what, from_us) not in told:
                told.add((lane, what, from_us))
                yield f"lane {lane}: its state of {made_us} us {what} from {from_us} us on"


def _wrong(lane: _Lane, text: str, made_us: int) -> Iterator[tuple[int, str]]:
    """Yield what a state does not know or says falsely, and since when that is so."""
    known_us = lane.known_since(made_us)
    if known_us is None:
        return
    place = bisect_right(lane.times, made_us) - 1
    up, down = lane.reads[place]
    from_us = lane.times[place]
    since_us = max(from_us, known_us)
    if up is False and down is False:
        number = bisect_right(lane.contacts, made_us)
        since_us = max(since_us, lane.contacts[number - 1] if number else since_us) + OPENS_US
    wrong = up is not None and up is down
    if wrong and made_us - since_us > SAYS_US and not any(word in text for word in WRONG):
        which = "both limits read reached" if up else "no limit read reached"
        yield from_us, f"shows nothing wrong, and {which}"
    for number, says in enumerate(('"barrier":"up"', '"barrier":"down"')):
        if says in text and lane.reads[place][number] is False:
            left_us = lane.off_since(place, number)
            if made_us - max(left_us, known_us) > ECHO_US:
                yield left_us, f"says {says}, and that limit did not read so"


def b2_moves_told(seen: Evidence) -> Iterator[str]:
    """Yield booms that were lifted without a command, and whose lane never told of it."""
    if not seen.at_rest or seen.limit_faults is None or seen.hindered is None:
        return
    lanes = {name: lane for name, lane in _lanes(seen).items() if lane.lifted}
    if not lanes:
        return
    words = _words(seen)
    for name, lane in sorted(lanes.items()):
        for lifted in lane.lifted:
            if _must_know(seen, name, lane, lifted) and not _told(seen, name, lifted, words[name]):
                yield f"lane {name}: its boom was lifted at {lifted.at_us} us, and it never said so"


def _must_know(seen: Evidence, name: str, lane: _Lane, lifted: Lifted) -> bool:
    """Return whether a lane had to take what it saw for a movement without its command."""
    at_us = lifted.at_us
    place = bisect_right(lane.times, at_us - 1) - 1
    if lifted.raised or lane.reads[place] != (False, True) or lane.times[place] > at_us - READS_US:
        return False  # It was told to rise, or the lane did not know that it was down.
    if any(down is not False for down in lane.downs(at_us, at_us + ECHO_US)):
        return False  # Nor does it know that it is not.
    if any(at_us <= closed_us <= at_us + ECHO_US for closed_us in lane.contacts):
        return False  # It moved the boom itself before it could know.
    for blind in (each for each in seen.blind if each.lane_id == name):
        # What it had ordered before a module was silent may never have got there.
        first_us = at_us - READS_US if blind.dead else lifted.down_us - TURNS_US
        last_us = at_us + (TURNS_US if blind.dead else SAYS_US)
        until_us = _FOR_EVER_US if blind.until_us is None else blind.until_us + READS_US
        if blind.from_us <= last_us and first_us <= until_us:
            return False
    return not any(
        each.lane_id == name
        and each.what is Hindrance.RAISE
        and each.from_us <= at_us
        and (each.until_us is None or lifted.down_us - TURNS_US <= each.until_us)
        for each in seen.hindered or ()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    """One alarm about a boom that moved, raised or cleared, or a state that shows it."""

    made_us: int
    """By the lane's clock."""
    heard_us: int
    stands: bool


def _words(seen: Evidence) -> dict[str, list[_Word]]:
    words: dict[str, list[_Word]] = defaultdict(list)
    base_ms = seen.wall_base_ms or 0
    for tapped in seen.tapped:
        if f'"{MOVED}"' not in tapped.text or not tapped.channel.startswith("toll/"):
            continue
        *_, lane, topic = tapped.channel.split("/")
        try:
            body = json.loads(tapped.text)
        except ValueError:
            continue
        stands = topic == "state" or (topic == "alarm" and bool(body.get("raised")))
        if topic in ("state", "alarm"):
            made_us = (int(body.get("utc_ms", 0)) - base_ms) * 1_000
            words[lane].append(_Word(made_us=made_us, heard_us=tapped.at_us, stands=stands))
    return words


def _told(seen: Evidence, name: str, lifted: Lifted, words: list[_Word]) -> bool:
    """Return whether a lane told of it in time by its own clock, or had told before and not taken
    it back; by a clock that was wrong at times nobody knows when it told."""
    at_us = lifted.at_us
    if name in seen.clocks_off:
        return any(word.stands and word.heard_us >= at_us for word in words)
    in_time = [word for word in words if word.made_us <= at_us + SAYS_US]
    return any(word.made_us >= at_us - 1_000 and word.stands for word in in_time) or (
        bool(in_time) and max(in_time, key=lambda word: word.made_us).stands
    )


# ---- the road ----


def _lanes(seen: Evidence) -> dict[str, _Lane]:
    lanes: dict[str, _Lane] = defaultdict(_Lane)
    down_us: dict[str, int] = defaultdict(int)
    raised: dict[str, bool] = defaultdict(bool)
    moved: dict[str, BoomMove] = {}
    for entry in seen.plant_log:
        lane = lanes[entry.lane]
        if isinstance(entry, Contact):
            if entry.closed:
                lane.contacts.append(entry.at_us)
                raised[entry.lane] = entry.output is Output.RAISE
        elif isinstance(entry, BoomMove):
            moved[entry.lane] = entry
        elif isinstance(entry, PlantEdge) and entry.what in LIMITS:
            lane.edges.append(entry)
            if entry.what is not What.BOOM_DOWN:
                continue
            if entry.on:
                down_us[entry.lane] = entry.at_us
                continue
            move = moved.get(entry.lane)
            if move is not None and move.cause in _BY_ITSELF and move.heading is Heading.UP:
                lane.lifted.append(
                    Lifted(
                        at_us=entry.at_us,
                        down_us=down_us[entry.lane],
                        raised=raised[entry.lane],
                    )
                )
    for fault in seen.limit_faults or ():
        lanes[fault.lane_id].faults.append(fault)
    for blind in seen.blind:
        until_us = _FOR_EVER_US if blind.until_us is None else blind.until_us + READS_US
        lanes[blind.lane_id].unread.append((blind.from_us, until_us))
    for lane in lanes.values():
        lane.unread.sort()
        lane.read()
    return dict(lanes)
