"""Whether a lane notices what it has lost (A2), and what its disk cannot do (A3).

Who gave the fault knows what a lane is without, and from when to when; the lane has to find out by
itself, and its state to name the mode for it. The bounds are those of design.md section 5:
detection as each kind of line and device allows it, and two seconds more until it is seen.

Held to it is a lane that could: it ran, and was not just started; its line to the broker worked;
and what it lost was lost for all that time. A plaza whose answers are late on a bad line may be
heard for a while after the line is cut. A lane whose clock drifts counts its seconds by that. Only
what was heard in time counts, by whoever listens: the lane's own clock is not asked.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from simulator.auditor.evidence import Evidence, Hindrance, Loss, Lost, Tapped

US_PER_S = 1_000_000
VISIBLE_US = 2 * US_PER_S
"""A degraded mode is seen this long after its detection at the latest."""
ON_ITS_WAY_US = 20_000
"""A state that was made at the last moment is heard a little later."""
STARTED_US = 2 * US_PER_S
"""A lane that was started, or whose line to the broker is well again, is heard after this: it tries
to connect once a second."""
ANSWERED_US = 15 * US_PER_S
"""An answer of the plaza may be on its way for so long where its line delays it."""
DRIFTS = (5, 4)
"""A clock that runs too slow makes a second last so much longer at the most."""

_While: TypeAlias = tuple[int, int]
"""From when to when, in microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """What a lane owes to whoever watches it when it has lost something."""

    rule: str
    what: str
    """The loss, in words."""
    modes: tuple[str, ...]
    """One of them is to be seen."""
    within_us: int
    """From the loss to its detection."""
    from_us: int | None = None
    """How long the loss lasts before it is one; None: until it must have been seen."""


DUE: dict[Loss, _Due] = {
    Loss.MODULE: _Due(
        rule="A2",
        what="its I/O module is silent",
        modes=("barrier_fault",),
        within_us=US_PER_S // 2,
    ),
    Loss.INPUTS: _Due(
        rule="A2", what="its inputs cannot be read", modes=("no_inputs",), within_us=US_PER_S // 2
    ),
    Loss.SCANNER: _Due(
        rule="A2", what="its scanner is unplugged", modes=("no_scanner",), within_us=US_PER_S // 2
    ),
    Loss.DISPLAY: _Due(
        rule="A2", what="its display is unplugged", modes=("no_display",), within_us=US_PER_S // 2
    ),
    # It says something every two seconds: two of them may be lost.
    Loss.ETC: _Due(
        rule="A2", what="its tag reader is silent", modes=("no_etc",), within_us=5 * US_PER_S
    ),
    Loss.PLAZA: _Due(
        rule="A2", what="the plaza is gone", modes=("no_plaza",), within_us=3 * US_PER_S
    ),
    Loss.ROOM: _Due(rule="A3", what="its disk is full", modes=("disk_full",), within_us=0),
    # What a full disk hinders is told by that name.
    Loss.PACE: _Due(
        rule="A3",
        what="its disk is slow",
        modes=("slow_store", "disk_full"),
        within_us=US_PER_S,
        from_us=3 * US_PER_S // 2,
    ),
}
"""By what is lost. A commit is slow after a second, and half of one more excuses a clock that runs
too slow."""


@dataclass(slots=True)
class _Told:
    """A lane's states, in the order they were heard."""

    at_us: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def shows(self, modes: tuple[str, ...], from_us: int, until_us: int) -> bool:
        """Return whether a state heard in a while names one of these modes."""
        first, last = bisect_left(self.at_us, from_us), bisect_right(self.at_us, until_us)
        names = [f'"name":"{mode}"' for mode in modes]
        return any(name in text for text in self.texts[first:last] for name in names)


def unnoticed(seen: Evidence, rule: str) -> Iterator[str]:
    """Yield what a lane was without, or its disk could not do, and no state of it told."""
    owed = [lost for lost in seen.lost if DUE[lost.what].rule == rule]
    if not owed:
        return
    told = _told(seen.tapped, {lost.lane_id for lost in owed})
    excused = _excused(seen)
    for lost in owed:
        due = DUE[lost.what]
        within_us = _by_its_clock(due.within_us + VISIBLE_US, seen, lost.lane_id)
        for from_us, _ in _judged(seen, lost, within_us, excused[lost.lane_id]):
            by_us = from_us + within_us
            if not told[lost.lane_id].shows(due.modes, from_us, by_us + ON_ITS_WAY_US):
                modes = " or ".join(due.modes)
                yield (
                    f"lane {lost.lane_id}: {due.what} from {lost.from_us} us on, and no state until"
                    f" {by_us} us shows {modes}"
                )


def _by_its_clock(span_us: int, seen: Evidence, lane_id: str) -> int:
    slow, right = DRIFTS if lane_id in seen.clocks_off else (1, 1)
    return span_us * slow // right


def _told(tapped: Iterable[Tapped], lanes: set[str]) -> dict[str, _Told]:
    """Return the states of these lanes."""
    told: dict[str, _Told] = defaultdict(_Told)
    for each in tapped:
        if each.channel.endswith("/state"):
            lane_id = each.channel.split("/")[2]
            if lane_id in lanes:
                told[lane_id].at_us.append(each.at_us)
                told[lane_id].texts.append(each.text)
    return told


def _excused(seen: Evidence) -> dict[str, list[_While]]:
    """Return when each lane could not be heard: it was dead or just started, or its line to the
    broker did not work."""
    found: dict[str, list[_While]] = defaultdict(lambda: [(0, STARTED_US)])
    for blind in seen.blind:
        if blind.dead:
            found[blind.lane_id].append(_and_after(blind.from_us, blind.until_us, STARTED_US))
    for each in seen.hindered or ():
        if each.what is Hindrance.MUTE:
            found[each.lane_id].append(_and_after(each.from_us, each.until_us, STARTED_US))
    return found


_NEVER_US = 1 << 62


def _and_after(from_us: int, until_us: int | None, after_us: int) -> _While:
    return from_us, _NEVER_US if until_us is None else until_us + after_us


def _judged(seen: Evidence, lost: Lost, within_us: int, excused: list[_While]) -> Iterator[_While]:
    """Yield the whiles of a loss in which a lane that was there had the time to notice it."""
    lasts_us = DUE[lost.what].from_us or within_us
    if lost.until_us - lost.from_us < lasts_us:
        return
    whole = (lost.from_us, max(lost.until_us, lost.from_us + within_us))
    if lost.what is Loss.PLAZA:
        excused = [*excused, *_answers_late(seen, lost)]
    for from_us, until_us in _without(whole, excused):
        if until_us - from_us >= within_us:
            yield from_us, until_us


def _answers_late(seen: Evidence, lost: Lost) -> Iterator[_While]:
    """Yield when an answer that was delayed on a lane's line to the plaza may yet come."""
    for each in seen.hindered or ():
        itself = (each.from_us, each.until_us) == (lost.from_us, lost.until_us)
        if each.what is Hindrance.DEAF and each.lane_id == lost.lane_id and not itself:
            yield _and_after(each.from_us, each.until_us, ANSWERED_US)


def _without(whole: _While, parts: Iterable[_While]) -> Iterator[_While]:
    """Yield what is left of a while without these parts of it."""
    from_us, end_us = whole
    for part_from_us, part_until_us in sorted(parts):
        if part_until_us <= from_us:
            continue
        if part_from_us >= end_us:
            break
        if part_from_us > from_us:
            yield from_us, part_from_us
        from_us = part_until_us
    if from_us < end_us:
        yield from_us, end_us
