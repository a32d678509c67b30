"""Reads along in a world and tells it: who did what, what fault stood when, what was written down.

The words are ``timeline``'s. Beside the trace and the plant's log this reads the plan (when each
fault begins and ends, and of what), the wiretap (alarms, degraded modes) and the lanes' journals
(sealed records). Reading changes nothing: the trace of the run stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simulator.fuzz.timeline import alarm_words, notice_words, record_words, road_words, words_for
from simulator.scenarios.faults import grammar_of
from simulator.world.evidence import rows_of
from simulator.world.faults import KillAtStep, WorldFault, kind_of, lane_name
from simulator.world.world import World
from tolling.ids import LaneId

NS_PER_US = 1_000
US_PER_MS = 1_000
US_PER_S = 1_000_000
STARTED_US = 2 * US_PER_S
"""What begins and ends before this is how every lane starts: routine."""
WIDTH = 120
OUTSIDE = "outside"
_RECORDS = (
    "SELECT epoch, seq, body FROM records WHERE epoch > :epoch OR (epoch = :epoch AND seq > :seq)"
    " ORDER BY epoch, seq"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One line of a timeline."""

    at_us: int
    number: int
    """Of lines at one instant, in the order in which they were told."""
    who: str
    what: str

    def __str__(self) -> str:
        return f"{self.at_us / US_PER_S:9.3f} s  {self.who:9} {self.what}"[:WIDTH]


class Telling:
    """One world that is read along. Make it before the world starts."""

    def __init__(self, world: World) -> None:
        """Begin to read."""
        self._world = world
        self._told: list[Told] = []
        self._records: dict[str, tuple[int, int]] = {}
        """Lane -> epoch and seq of the last record told."""
        self._lanes = {lane_name(lane): lane for lane in world.lanes}
        world.heap.watch(self._watch)

    def _watch(self, now_ns: int, actor: str, kind: str, detail: str) -> None:
        at_us = now_ns // NS_PER_US
        what = words_for(actor, kind, detail)
        if what is not None:
            self._tell(at_us, actor, what)
        if kind == "Committed" and actor in self._lanes:
            self._tell_records(at_us, actor)

    def _tell(self, at_us: int, who: str, what: str) -> None:
        self._told.append(Told(at_us=at_us, number=len(self._told), who=who, what=what))

    def _tell_records(self, at_us: int, name: str) -> None:
        epoch, seq = self._records.get(name, (0, 0))
        journal = self._world.journals[LaneId(self._lanes[name])]
        for row in rows_of(journal, _RECORDS, epoch=epoch, seq=seq):
            self._records[name] = (row["epoch"], row["seq"])
            self._tell(at_us, name, record_words(row["seq"], json.loads(row["body"])))

    # ---- at the end ----

    def lines(self) -> tuple[str, ...]:
        """Return the run told, without what one actor says again and again. Call once."""
        for entry in self._world.plant.log:
            what = road_words(entry)
            if what is not None:
                self._tell(entry.at_us, f"road {entry.lane}", what)
        for at_us, who, what in self._tapped():
            self._tell(at_us, who, what)
        # A fault is told before what it does at that instant.
        self._told += [
            Told(at_us=at_us, number=-1, who=who, what=what) for at_us, who, what in self._faults()
        ]
        self._told.sort(key=lambda line: (line.at_us, line.number))
        return tuple(str(line) for line in _without_repeats(self._told))

    def _faults(self) -> Iterator[tuple[int, str, str]]:
        """Yield the begin and the end of every fault that came; a kill at a step tells itself."""
        now_us = self._world.heap.now_ns // NS_PER_US
        healed_ns = self._world.healed_ns
        over_us = now_us if healed_ns is None else healed_ns // NS_PER_US
        left = []
        for fault in self._world.faults:
            if isinstance(fault, KillAtStep) or fault.at_ms * US_PER_MS > now_us:
                continue
            said = f"{kind_of(fault)} of {grammar_of(fault).to_target(fault)}"
            begun_us, for_ms = fault.at_ms * US_PER_MS, _lasts_ms(fault)
            if for_ms is None:
                yield begun_us, OUTSIDE, f"FAULT begins: {said}{_often(fault)}"
                left += [said] if _stands(fault) else []
                continue
            yield begun_us, OUTSIDE, f"FAULT begins: {said}, for {for_ms / 1_000:.1f} s"
            end_us = begun_us + for_ms * US_PER_MS
            if end_us <= over_us:
                yield end_us, OUTSIDE, f"fault ends: {said}"
            elif begun_us <= over_us:
                left.append(said)
        if healed_ns is not None:
            for said in left:
                yield over_us, OUTSIDE, f"fault ends, as all do now: {said}"

    def _tapped(self) -> Iterator[tuple[int, str, str]]:
        """Yield alarms and degraded modes as they were told to the plaza, each once."""
        begun: dict[tuple[str, str], tuple[int, str]] = {}
        seen: set[str] = set()
        for tapped in self._world.tap.seen:
            where, _, channel = tapped.channel.rpartition("/")
            if channel not in ("alarm", "event") or not where.startswith("toll/"):
                continue
            lane = where.rpartition("/")[2]
            who = lane if lane not in self._world.lanes else lane_name(LaneId(lane))
            notice = json.loads(tapped.text)
            if "number" in notice and tapped.text in seen:
                continue  # Somebody on the way sent it twice, or no acknowledgement came back.
            seen.add(tapped.text)
            said = alarm_words(notice) if channel == "alarm" else notice_words(notice)
            if said is None:
                continue
            subject, begins, what = said
            if begins and tapped.at_us < STARTED_US:
                begun[who, subject] = (tapped.at_us, what)
                continue
            first = begun.pop((who, subject), None)
            if first is not None:
                if tapped.at_us < STARTED_US:
                    continue
                yield first[0], who, first[1]
            yield tapped.at_us, who, what
        for (who, _), (at_us, what) in begun.items():
            yield at_us, who, what


def _lasts_ms(fault: Any) -> int | None:
    """Return how long a fault stands; None where its plan does not say."""
    inner = getattr(fault, "fault", None) or getattr(fault, "trouble", None) or fault
    found = getattr(inner, "for_ms", None)
    return found if isinstance(found, int) else None


def _stands(fault: WorldFault) -> bool:
    """Return whether a fault without an end of its own is there until all faults end."""
    inner = getattr(fault, "fault", None) or getattr(fault, "trouble", None)
    return inner is not None and inner.times is None


def _often(fault: WorldFault) -> str:
    """Return how often a fault hits that has no end in time."""
    inner = getattr(fault, "fault", None) or getattr(fault, "trouble", None)
    times = None if inner is None else inner.times
    return "" if times is None else ", once" if times == 1 else f", {times} times"


def _without_repeats(told: list[Told]) -> Iterator[Told]:
    """Yield the lines without what one actor says again and again with nothing between."""
    last: dict[str, str] = {}
    for line in told:
        if last.get(line.who) != line.what:
            yield line
        last[line.who] = line.what
