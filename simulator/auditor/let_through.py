"""Part of A1: whoever paid is let through by the lane itself, and cash always works.

Judged by the road's log, the platforms' books, the answers on the wire and the words of the people
in the booth. A person who raises the boom in the end makes no lane good: what counts is how soon
the lane did it. Only vehicles at the window are judged, and only while nothing else kept the lane
from it: no vehicle's while of doubt after the lane was dead or blind, no line, contact, switch or
lamp that failed. A barrier that does not move when its contact closes is no lane's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from simulator.auditor.evidence import CashWord, Evidence, Hindrance
from simulator.auditor.payers import RAISES_US, Paid, hindered, payers
from simulator.plant.events import Contact, Lamp, PlantEdge, What
from tolling.inputs import Output

GREEN_US = 1_500_000
"""From the boom's being up with nobody under it to the green lamp, without which nobody drives on.
Who was under it has left when loop 2 is free for 1 s; a poll takes 0.1 s, a boom that is told to
rise where it is up is looked at again after 0.3 s."""
SERVES_US = 12_000_000
"""Cash that was asked for is not refused for so long: an entry is read off the ticket within 5 s,
and a lane waits 5 s for a plate."""
REFUSALS_MIN = 3
UNDER = frozenset({What.LOOP_2, What.CURTAIN})
CORE_FAULT = '"core_fault"'
"""In the alarm of a lane that set itself aside: from then on only a person raises."""


@dataclass(slots=True, kw_only=True)
class _Stand:
    """A vehicle's time on the road and at the window."""

    lane: str
    came_us: int
    """It drove into the lane."""
    from_us: int | None = None
    """It came to the window, for the first time."""
    spells: list[tuple[int, int | None]] = field(default_factory=list)
    """From when until when it stood there; None: to the end."""

    def until_us(self, at_us: int) -> int | None:
        """Return until when it goes on standing there; *at_us* itself where it does not stand."""
        for from_us, until_us in self.spells:
            if from_us <= at_us and (until_us is None or at_us < until_us):
                return until_us
        return at_us


@dataclass(slots=True, kw_only=True)
class _Lane:
    """What the road saw of a lane's barrier."""

    raised: list[int] = field(default_factory=list)
    """When its contact closed."""
    red: list[tuple[int, bool]] = field(default_factory=list)
    """(time, the boom is up, nobody under it, and the lamp is not green), whenever one changed."""
    up: bool = False
    green: bool = False
    under: set[What] = field(default_factory=set)
    """Detectors under the boom that somebody holds."""

    def looked(self, at_us: int) -> None:
        """Keep what a driver sees from that moment on."""
        self.red.append((at_us, self.up and not self.green and not self.under))


class _Road:
    """Who stood where, and what each barrier did, by the plant's log."""

    def __init__(self, seen: Evidence) -> None:
        self.stands: dict[int, _Stand] = {}
        self.lanes: dict[str, _Lane] = defaultdict(_Lane)
        for entry in seen.plant_log:
            lane = self.lanes[entry.lane]
            if isinstance(entry, PlantEdge):
                if entry.what in UNDER:
                    (lane.under.add if entry.on else lane.under.discard)(entry.what)
                    lane.looked(entry.at_us)
                elif entry.what is What.BOOM_UP:
                    lane.up = entry.on
                    lane.looked(entry.at_us)
                elif entry.vehicle_id is not None:
                    self._moved(entry.lane, entry, entry.vehicle_id)
            elif isinstance(entry, Contact):
                if entry.closed and entry.output is Output.RAISE:
                    lane.raised.append(entry.at_us)
            elif isinstance(entry, Lamp) and entry.output is Output.LANE_GREEN:
                lane.green = entry.on
                lane.looked(entry.at_us)

    def _moved(self, lane: str, edge: PlantEdge, vehicle: int) -> None:
        stand = self.stands.get(vehicle)
        if edge.what is What.ON_ROAD and edge.on and stand is None:
            self.stands[vehicle] = _Stand(lane=lane, came_us=edge.at_us)
        elif edge.what is What.AT_WINDOW and stand is not None:
            if edge.on:
                stand.from_us = edge.at_us if stand.from_us is None else stand.from_us
                stand.spells.append((edge.at_us, None))
            elif stand.spells:
                stand.spells[-1] = (stand.spells[-1][0], edge.at_us)

    def raised(self, stand: _Stand, until_us: int, *, from_us: int | None = None) -> bool:
        """Return whether the contact closed for whoever stands there, until an instant.

        Args:   from_us: a raise counts from then on, or as it came to the window, if that is
                earlier.
        """
        raised = self.lanes[stand.lane].raised
        came_us = stand.from_us or 0
        place = bisect_left(raised, came_us if from_us is None else min(came_us, from_us))
        return place < len(raised) and raised[place] <= until_us


def a1_let_through(seen: Evidence) -> Iterator[str]:
    """Yield whoever paid and was not let through by the lane, and whose cash was not taken."""
    if not seen.at_rest or seen.hindered is None:
        return
    road, told = _Road(seen), set[int]()
    aside = {_lane_of(tap.channel) for tap in seen.tapped if _set_aside(tap.channel, tap.text)}
    for paid in payers(seen):
        stand = road.stands.get(paid.vehicle_id)
        if stand is None or stand.lane in aside or paid.vehicle_id in told:
            continue
        what = _kept_waiting(seen, road, stand, paid)
        if what is not None:
            told.add(paid.vehicle_id)
            yield f"lane {stand.lane}: vehicle {paid.vehicle_id} paid {paid.how}, and {what}"
    for vehicle, words in sorted(_words(seen).items()):
        stand = road.stands.get(vehicle)
        if stand is not None and stand.lane not in aside:
            yield from _not_served(seen, road, stand, words)


def _lane_of(channel: str) -> str:
    return channel.split("/")[2]


def _set_aside(channel: str, text: str) -> bool:
    return channel.startswith("toll/") and channel.endswith("/alarm") and CORE_FAULT in text


def _kept_waiting(seen: Evidence, road: _Road, stand: _Stand, paid: Paid) -> str | None:
    """Return what the lane did not do for a vehicle that has paid; None where it did, or could
    not."""
    at_us = max(paid.at_us, stand.from_us or 0) if paid.as_it_came else paid.at_us
    until_us = stand.until_us(at_us)
    by_us = at_us + RAISES_US
    if until_us is not None and until_us <= by_us:
        return None  # It has gone, by whatever way.
    if _in_doubt(seen, stand, by_us):
        return None
    if not road.raised(stand, by_us, from_us=paid.at_us if paid.as_it_came else None):
        if hindered(seen, stand.lane, at_us, by_us, {Hindrance.RAISE}):
            return None
        return f"the boom was not told to rise by {by_us} us"
    red_us = _red_from(road.lanes[stand.lane], at_us, until_us)
    if red_us is None or _in_doubt(seen, stand, red_us + GREEN_US):
        return None
    failing = {Hindrance.LIMIT, Hindrance.LAMP, Hindrance.DETECTOR}
    if hindered(seen, stand.lane, at_us, red_us + GREEN_US, failing):
        return None
    return f"the boom was up from {red_us} us on, without green"


def _red_from(lane: _Lane, from_us: int, until_us: int | None) -> int | None:
    """Return since when the boom was up, the way free and the lamp not green, for longer than it
    may be."""
    since_us: int | None = None
    for at_us, red in lane.red:
        if since_us is not None and min(at_us, until_us or at_us) - since_us > GREEN_US:
            return since_us
        if until_us is not None and at_us >= until_us:
            return None
        since_us = None if not red else since_us if since_us is not None else max(at_us, from_us)
    if since_us is not None and (until_us is None or until_us - since_us > GREEN_US):
        return since_us
    return None


def _in_doubt(seen: Evidence, stand: _Stand, until_us: int) -> bool:
    """Return whether the lane was dead or blind since the vehicle came: it may not be the same to
    it any more, and a person has to say so."""
    return any(
        blind.lane_id == stand.lane
        and blind.from_us <= until_us
        and (blind.until_us is None or blind.until_us >= stand.came_us)
        for blind in seen.blind
    )


# ---- cash ----


def _words(seen: Evidence) -> dict[int, list[CashWord]]:
    """Return what was said of each vehicle's cash and answered, in order."""
    words: dict[int, list[CashWord]] = defaultdict(list)
    for word in sorted(seen.cash or (), key=lambda word: word.at_us):
        if word.answered_us is not None:
            words[word.vehicle_id].append(word)
    return words


def _not_served(seen: Evidence, road: _Road, stand: _Stand, words: list[CashWord]) -> Iterator[str]:
    """Yield a vehicle whose cash the lane would not take though nothing stood against it: it was
    not let through, and had not paid by phone or by a tag."""
    refused: list[CashWord] = []
    for word in (*words, None):
        if word is not None and not word.accepted:
            refused.append(word)
            continue
        if len(refused) >= REFUSALS_MIN:
            first_us, last_us = refused[0].at_us, refused[-1].at_us
            lasting = last_us - first_us >= SERVES_US
            vehicle = refused[0].vehicle_id
            if lasting and not _reason(seen, road, stand, vehicle, last_us):
                yield (
                    f"lane {stand.lane}: vehicle {vehicle} wants to pay cash, refused"
                    f" {len(refused)} times from {first_us} us on: {refused[-1].reason}"
                )
        refused = []


def _reason(seen: Evidence, road: _Road, stand: _Stand, vehicle: int, until_us: int) -> bool:
    """Return whether there is a reason to take no cash for a vehicle any more."""
    if _in_doubt(seen, stand, until_us) or road.raised(stand, until_us):
        return True
    wallets = {vehicle, *(owner for buyer, owner in seen.borrowed if buyer == vehicle)}
    by_phone = any(
        trade.payer in wallets and trade.paid_at_us is not None and trade.paid_at_us <= until_us
        for trade in seen.trades
    )
    return by_phone or any(debit.vehicle_id == vehicle for debit in seen.debits)
