"""A2 and A3, judged by what is heard on the wires: nothing hides, and nothing grows without bound.

A lane tells of a degraded mode in two ways of its own: a notice when it begins and ends, and its
state, once a second, while it lasts. They must agree within the two seconds that design.md section
5 gives, when it begins and when it is over; and a state that calls a device lost names the mode its
lane is in for want of it. Both say by the lane's own clock when they were made, and by that they
are judged: a notice is kept until it gets through, minutes later where the broker was gone, and a
state that nobody heard proves nothing. A clock that was set back shows the same time twice: a state
heard before that proves nothing of a mode whose notice was heard after it. What a screen or the
display shows of it is for the wires world's own tests. That a lane notices at all what it has lost
is judged where the faults it was given are known (``noticed``).
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from simulator.auditor.evidence import Evidence, Tapped
from simulator.auditor.money import bodies
from simulator.auditor.noticed import VISIBLE_US, unnoticed
from simulator.auditor.room import full_disk

VISIBLE_MS = VISIBLE_US // 1_000
STAMPED_MS = 250
"""A state may be made so long after an event came and not know it yet: it is committed first."""
MODE_OF = {each: f"no_{each}" for each in ("display", "voice", "scanner", "camera", "etc")}
"""What a lane is without one of its devices."""
SILENT_MODE = "no_broker"
"""Heard of only when it is over: the channel that would show it is the one that is gone."""
_WELL = '"degraded":[]'
"""What the state of a lane without a degraded mode holds."""
_LOST = "lost"
_MADE = re.compile(r'"utc_ms":(\d+)')
"""When a state was made, by its lane."""
MESSAGE_BYTES_MAX = 65_536
"""No message or answer is longer; a state is 1 kB, an upload of 100 records some 150 kB the other
way."""
PER_SECOND_MAX = 100
"""Messages of one topic, or answers to one path of one lane, in any second. Ten are usual in a
faulty run; a retry without a pause makes hundreds."""
REMARKS_MAX = 16
ORDERS_MAX = 20
"""Of one record."""


_Times: TypeAlias = tuple[int, int]
"""When a message was made by its lane's clock, and when it was heard. Milliseconds."""


@dataclass(slots=True, kw_only=True)
class _Boot:
    """What one life of a lane said."""

    states: list[tuple[_Times, frozenset[str]]] = field(default_factory=list)
    """(times, names of the degraded modes), as heard."""
    began: list[tuple[_Times, int, str]] = field(default_factory=list)
    """(times, number of the notice, mode)."""
    ended: dict[str, list[tuple[int, _Times]]] = field(default_factory=lambda: defaultdict(list))
    """Mode -> (number of the notice that it is over, times)."""


def a2_visible(seen: Evidence) -> Iterator[str]:
    """Every degraded mode has name, reason and start, and the lane's state shows it in time."""
    boots: dict[tuple[str, str], _Boot] = defaultdict(_Boot)
    for times, body in _told_by_lanes(seen.tapped, "event"):
        _take_notice(boots[_boot_of(body)], times, body)
    changed = sorted({made_ms for boot in boots.values() for made_ms in _changes(boot)})
    states = [each for each in seen.tapped if _matters(each, changed)]
    for times, body in _told_by_lanes(states, "state"):
        modes = body.get("degraded") or []
        for mode in modes:
            if not (mode.get("name") and mode.get("reason") and mode.get("since_ms")):
                yield f"lane {body.get('lane_id')}: a degraded mode without a reason: {mode}"
        names = frozenset(str(mode.get("name")) for mode in modes)
        yield from _unnamed(body, names)
        boots[_boot_of(body)].states.append((times, names))
    for (lane, _), boot in sorted(boots.items()):
        set_back_ms = [at_us // 1_000 for name, at_us in seen.clocks_set_back if name == lane]
        if not set_back_ms:
            yield from (f"lane {lane}: {what}" for what in _lasting(boot))
        for times, number, mode in boot.began:
            from_ms = max((at_ms for at_ms in set_back_ms if at_ms <= times[1]), default=0)
            if _hidden(boot, times, number, mode, from_ms):
                yield f"lane {lane}: {mode} began at {times[0]} ms of its clock, no state showed it"
    yield from unnoticed(seen, "A2")


def _boot_of(body: dict[str, Any]) -> tuple[str, str]:
    return str(body.get("lane_id")), str(body.get("boot_id"))


def _changes(boot: _Boot) -> Iterator[int]:
    """Yield when a mode began or was over, by the lane's clock."""
    yield from (made_ms for (made_ms, _), _, _ in boot.began)
    yield from (made_ms for ends in boot.ended.values() for _, (made_ms, _) in ends)


def _matters(tapped: Tapped, changed: list[int]) -> bool:
    """Return whether a state can say anything: most are of a lane that is well, and made at no time
    at which any mode began or ended."""
    well = _WELL in tapped.text and f'"{_LOST}"' not in tapped.text
    made = _MADE.search(tapped.text) if well else None
    if made is None:
        return True
    made_ms = int(made.group(1))
    next_changed = bisect_left(changed, made_ms - VISIBLE_MS)
    return next_changed < len(changed) and changed[next_changed] < made_ms


def _unnamed(body: dict[str, Any], names: frozenset[str]) -> Iterator[str]:
    """Yield devices that a state calls lost without the mode its lane is in for want of them."""
    devices = body.get("devices") or {}
    for device, mode in MODE_OF.items():
        if devices.get(device) == _LOST and mode not in names:
            yield f"lane {body.get('lane_id')}: its {device} is lost, and its state has no {mode}"


def _lasting(boot: _Boot) -> Iterator[str]:
    """Yield modes that are over and shown all the same. A lane whose clock was set back is not
    asked: its times come twice."""
    for mode, ends in sorted(boot.ended.items()):
        for number, (over_ms, _) in ends:
            again = [
                made_ms
                for (made_ms, _), after, name in boot.began
                if name == mode and after > number
            ]
            if _shown_still(boot, mode, over_ms, min(again, default=None)):
                yield f"{mode} was over at {over_ms} ms of its clock, and is shown still"


def _shown_still(boot: _Boot, mode: str, over_ms: int, until_ms: int | None) -> bool:
    """Return whether every state made in the two seconds after a mode was over shows it, and one
    made later, before it began again.

    No state of those two seconds heard: what is shown later may be a mode that began again, and
    the death of its lane has lost the notice.
    """
    told = [
        (made_ms > over_ms + VISIBLE_MS, mode in modes)
        for (made_ms, _), modes in boot.states
        if over_ms < made_ms and (until_ms is None or made_ms < until_ms)
    ]
    in_time = [stands for late, stands in told if not late]
    return bool(in_time) and all(in_time) and any(stands for late, stands in told if late)


def _take_notice(boot: _Boot, times: _Times, body: dict[str, Any]) -> None:
    verb, _, mode = str(body.get("name")).partition("_")
    if verb == "degraded" and mode != SILENT_MODE:
        boot.began.append((times, int(body["number"]), mode))
    elif verb == "restored":
        boot.ended[mode].append((int(body["number"]), times))


def _hidden(boot: _Boot, began: _Times, number: int, mode: str, from_ms: int) -> bool:
    """Return whether the states made in the two seconds after a mode began knew nothing of it.

    No state of that time heard: no channel worked, or the mode was over before the next one. A
    state heard long after is not of that time, whatever its lane's clock says: it jumped. Nor is
    one heard before *from_ms*, when the clock was last set back before the notice was heard; what
    it showed of the mode counts all the same.
    """
    ends = [end for end in boot.ended[mode] if end[0] > number]
    over = min(ends)[1] if ends else (began[0] + VISIBLE_MS + 1, began[1] + VISIBLE_MS)
    last_ms = min(over[0] - 1, began[0] + VISIBLE_MS)
    told = [
        (made_ms, mode in modes)
        for (made_ms, heard_ms), modes in boot.states
        if began[0] <= made_ms <= last_ms
        and heard_ms <= over[1] + VISIBLE_MS
        and (mode in modes or heard_ms >= from_ms)
    ]
    late = any(made_ms > began[0] + STAMPED_MS for made_ms, _ in told)
    return late and not any(shown for _, shown in told)


def _told_by_lanes(
    messages: Iterable[Tapped], topic: str
) -> Iterator[tuple[_Times, dict[str, Any]]]:
    for tapped in messages:
        if not tapped.channel.startswith("toll/") or not tapped.channel.endswith(f"/{topic}"):
            continue
        try:
            body = json.loads(tapped.text)
        except ValueError:
            continue
        if isinstance(body, dict) and body.get("boot_id") and isinstance(body.get("utc_ms"), int):
            yield (body["utc_ms"], tapped.at_us // 1_000), body


def a3_bounded(seen: Evidence) -> Iterator[str]:
    """No message is longer, no channel busier and no record fuller than it may be; and a lane whose
    disk is slow or full says so and does as it should."""
    recent: dict[str, deque[int]] = defaultdict(deque)
    told: set[str] = set()
    for tapped in sorted(seen.tapped, key=lambda tapped: tapped.at_us):
        if tapped.channel.endswith("/command"):
            continue  # What comes in is anybody's; the lane refuses what is too long at its edge.
        if len(tapped.text.encode("utf-8", errors="replace")) > MESSAGE_BYTES_MAX:
            yield f"{tapped.channel}: a message of {len(tapped.text)} characters"
        times = recent[tapped.channel]
        times.append(tapped.at_us)
        while times[0] <= tapped.at_us - 1_000_000:
            times.popleft()
        if len(times) > PER_SECOND_MAX and tapped.channel not in told:
            told.add(tapped.channel)
            yield f"{tapped.channel}: {len(times)} messages in the second before {tapped.at_us} us"
    for record, body in bodies(seen.plaza_records):
        for name, most in (("remarks", REMARKS_MAX), ("orders", ORDERS_MAX)):
            found = body.get(name)
            if isinstance(found, list) and len(found) > most:
                yield f"record {record.lane_id}/{record.epoch}/{record.seq}: {len(found)} {name}"
    yield from unnoticed(seen, "A3")
    yield from full_disk(seen)
