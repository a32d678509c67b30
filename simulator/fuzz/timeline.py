"""What happened in a run, in lines a person can read: world seconds, who, what.

Told from what can be seen from outside: the trace of the heap (who did what), the plant's own log
(road, boom, display) and the auditor's findings. Routine (heartbeats, commits, polls of state) is
left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from simulator.fuzz.plan import describe, plan
from simulator.fuzz.run import SeedJob, SeedResult, run_config
from simulator.plant.events import (
    BoomMove,
    Contact,
    Display,
    LogEntry,
    Passage,
    PlantEdge,
    Strike,
    What,
)
from simulator.world.platforms import PLATFORM_OF
from simulator.world.world import World

NS_PER_US = 1_000
US_PER_S = 1_000_000
LINES_MAX = 160
HEAD_LINES = 30
"""Of a longer run the first lines and the last ones are told."""
WIDTH = 110

Say = Callable[[str], str | None]
"""The detail of a trace line -> what is told of it, or None."""


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


# ---- the trace, in words ----


def _plain(text: str) -> Say:
    return lambda detail: text


def _with(text: str, *names: str) -> Say:
    """Return a saying with named fields of the detail behind it, as far as they are there."""

    def say(detail: str) -> str:
        found = [_field(detail, name) for name in names]
        return " ".join([text, *(each for each in found if each)])

    return say


def _field(detail: str, name: str) -> str:
    """Return one field of a value's text, an enum member by its value."""
    found = re.search(rf"\b{name}=(<\w+\.\w+: '?([^'>]*)'?>|'[^']*'|[^,)(]+)", detail)
    if found is None:
        return ""
    return (found[2] or found[1]).strip("'")


def _plaza_said(detail: str) -> str | None:
    if "PaymentAnswer(" in detail:
        number = _field(detail, "out_trade_no")
        return f"hears: order {number} is {_field(detail, 'state')}"
    if "RecordsAnswer(" in detail:
        return f"hears: the plaza has its records up to {_field(detail, 'seq')}"
    return None


def _asks(detail: str) -> str | None:
    found = re.match(r"\d+ (\w+)\(", detail)
    words = {
        "PostPayment": "sends the order",
        "PostCancel": "asks to cancel order",
        "GetPayment": "asks for order",
        "PostRecords": "uploads records",
    }
    if found is None or found[1] not in words:
        return None
    return f"{words[found[1]]} {_field(detail, 'out_trade_no')}".rstrip()


def _device(detail: str) -> str | None:
    name = detail.partition("(")[0]
    if name == "RaiseBoom":
        return f"RAISES the boom ({_field(detail, 'reason')})"
    if name == "LowerIfClear":
        return "asks to lower the boom"
    if name == "ShowToll":
        return f"shows the toll {_field(detail, 'toll_fen')}"
    if name in ("ChargeTag", "AskTag"):
        return f"{name} {_field(detail, 'amount_fen')}".rstrip()
    return None


LANE_WORDS: dict[str, Say] = {
    "starts": _with("starts, life"),
    "dies": _plain("DIES"),
    "CodeScanned": _plain("a pay code is scanned"),
    "NotCodeScanned": _with("something is scanned that is no pay code:", "reason"),
    "PlateRead": _with("the camera reads", "text"),
    "TagRead": _with("a tag is read", "tag_id"),
    "EtcAnswered": _with("the tag reader answers", "charged_fen", "reason"),
    "CommitFailed": _with("a commit FAILS:", "why"),
    "PersonOrdered": _with("a person orders", "action"),
    "BarrierFailed": _plain("the barrier did not take the pulse"),
    "LowerAnswered": _with("lowering answered:", "refusal"),
    "BrokerLink": _with("the broker's link is up:", "up"),
    "PlazaAnswered": _plaza_said,
    "PlazaFailed": _with("the plaza fails to answer:", "why"),
    "calls": _asks,
    "device": _device,
}
PLAZA_WORDS: dict[str, Say] = {
    "starts": _with("starts, life"),
    "dies": _plain("DIES"),
    "PaymentRequested": _with("takes a payment", "passage_id", "attempt", "toll_fen"),
    "CancelRequested": _with("is asked to cancel", "out_trade_no"),
    "RecordsUploaded": _plain("takes records"),
    "CommitFailed": _with("a commit FAILS:", "why"),
    "PlatformAnswered": lambda detail: (
        f"the platform says {detail.partition('outcome=')[2].partition('(')[0]} "
        f"{_field(detail.partition('outcome=')[2], 'evidence')}"
    ).rstrip(),
}
DRIVER_WORDS = {
    "ShowCode": "holds up a code",
    "AskCash": "asks to pay cash",
    "DriveOn": "drives on",
    "BackOut": "reverses",
}


def words_for(actor: str, kind: str, detail: str) -> str | None:
    """Return what a person is told of one line of the trace; None for routine."""
    if actor == "fault":
        return f"FAULT begins: {kind}"
    if actor in PLATFORM_OF.values():
        number, _, status = detail.partition(" ")
        return f"is asked: {kind} {number}" + ("" if status == "200" else f" -> HTTP {status}")
    if actor.startswith("driver "):
        return DRIVER_WORDS.get(kind)
    words = PLAZA_WORDS if actor.startswith("plaza") else LANE_WORDS
    say = words.get(kind)
    return None if say is None else say(detail)


# ---- the road, in words ----

_EDGES = {
    What.ON_ROAD: ("drives into the lane", "has left the lane"),
    What.AT_WINDOW: ("stops at the window", "moves off the window"),
    What.LOOP_1: ("comes onto loop 1", "leaves loop 1"),
    What.LOOP_2: ("comes onto loop 2", "leaves loop 2"),
}


def road_words(entry: LogEntry) -> str | None:
    """Return what a person is told of one entry of the plant's log."""
    match entry:
        case PlantEdge():
            words = _EDGES.get(entry.what)
            if words is None or entry.vehicle_id is None:
                return None
            return f"vehicle {entry.vehicle_id} {words[0] if entry.on else words[1]}"
        case Strike():
            return f"the boom STRIKES vehicle {entry.vehicle_id} ({entry.cause})"
        case BoomMove():
            return f"the boom {_heading(entry)}"
        case Contact():
            return f"{entry.output} pulse" if entry.closed else None
        case Display():
            return f"display: {' | '.join(line for line in entry.lines if line)}"
        case Passage():
            return f"vehicle {entry.vehicle_id} is through"
        case _:
            return None


def _heading(move: BoomMove) -> str:
    if move.heading == "still":
        return f"stands at {move.angle_mdeg // 1000} degrees ({move.cause})"
    return f"goes {move.heading} ({move.cause})"


# ---- the whole ----


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A run told."""

    lines: tuple[str, ...]
    result: SeedResult


def tell(job: SeedJob) -> Story:
    """Run a seed once more and tell what happens in it."""
    config = plan(job.seed, job.picks)
    told: list[Told] = []
    worlds: list[World] = []

    def watch(now_ns: int, actor: str, kind: str, detail: str) -> None:
        what = words_for(actor, kind, detail)
        if what is not None:
            who = "outside" if actor == "fault" else actor
            told.append(Told(at_us=now_ns // NS_PER_US, number=len(told), who=who, what=what))

    def on_built(world: World) -> None:
        worlds.append(world)
        world.heap.watch(watch)

    result = run_config(job.seed, config, canary=job.canary, on_built=on_built)
    for entry in worlds[0].plant.log:
        what = road_words(entry)
        if what is not None:
            number = len(told)
            told.append(Told(at_us=entry.at_us, number=number, who=f"road {entry.lane}", what=what))
    told.sort(key=lambda line: (line.at_us, line.number))
    lines = _bounded([str(line) for line in _without_repeats(told)])
    return Story(lines=(*describe(config), *lines, *_ends(result)), result=result)


def _without_repeats(told: list[Told]) -> list[Told]:
    """Return the lines without what one actor says again and again with nothing between."""
    kept: list[Told] = []
    last: dict[str, str] = {}
    for line in told:
        if last.get(line.who) != line.what:
            kept.append(line)
        last[line.who] = line.what
    return kept


def _bounded(lines: list[str]) -> list[str]:
    if len(lines) <= LINES_MAX:
        return lines
    left_out = len(lines) - LINES_MAX
    gap = f"            ... {left_out} lines left out ..."
    return [*lines[:HEAD_LINES], gap, *lines[HEAD_LINES + left_out :]]


def _ends(result: SeedResult) -> list[str]:
    return [f"BROKEN  {finding}" for finding in result.findings]
