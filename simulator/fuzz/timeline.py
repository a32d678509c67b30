"""What happened in a run, in lines a person can read: world seconds, who, what.

The words for what can be seen from outside: the trace of the heap (who did what), the plant's own
log (road, boom, display), alarms and notices on the wires, sealed records. Routine (heartbeats,
commits, polls of state) is left out. ``simulator.fuzz.telling`` reads a run along and says them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

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
from tolling.inputs import LowerRefusal

Say = Callable[[str], str | None]
"""The detail of a trace line -> what is told of it, or None."""


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


_REFUSED = {
    LowerRefusal.OCCUPIED: "a detector under it is occupied, faulty or unreadable",
    LowerRefusal.MISSING: "a detector under it was not read",
    LowerRefusal.STALE: "what was read of a detector under it is too old",
}


def _lowered(detail: str) -> str:
    refusal = _field(detail, "refusal")
    if refusal in ("", "None"):
        return "asked to lower the boom: done"
    return f"asked to lower the boom: refused, {_REFUSED[LowerRefusal(refusal)]}"


def _starts(detail: str) -> str:
    return f"starts, life {detail}"


def _broker(detail: str) -> str:
    return "has the broker" if _field(detail, "up") == "True" else "has LOST the broker"


LANE_WORDS: dict[str, Say] = {
    "starts": _starts,
    "dies": _plain("DIES"),
    "CodeScanned": _plain("a pay code is scanned"),
    "NotCodeScanned": _with("something is scanned that is no pay code:", "reason"),
    "PlateRead": _with("the camera reads", "text"),
    "TagRead": _with("a tag is read", "tag_id"),
    "EtcAnswered": _with("the tag reader answers", "charged_fen", "reason"),
    "CommitFailed": _with("a commit FAILS:", "why"),
    "PersonOrdered": _with("a person orders", "action"),
    "BarrierFailed": _plain("the barrier did not take the pulse"),
    "LowerAnswered": _lowered,
    "BrokerLink": _broker,
    "PlazaAnswered": _plaza_said,
    "PlazaFailed": _with("the plaza fails to answer:", "why"),
    "calls": _asks,
    "device": _device,
}
PLAZA_WORDS: dict[str, Say] = {
    "starts": _starts,
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
    """Return what a person is told of one line of the trace; None for routine, and for faults,
    whose target and end are in their plan."""
    if actor == "fault":
        return None
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


# ---- what was told on the wires and written down, in words ----


def alarm_words(notice: Mapping[str, Any]) -> tuple[str, bool, str]:
    """Return what an alarm is about, whether it begins, and its line."""
    subject = f"{notice['code']} of {notice['subject']}" if notice["subject"] else notice["code"]
    if notice["raised"]:
        return subject, True, f"ALARM {subject}: {notice['what']}"
    return subject, False, f"alarm {subject} is over"


def notice_words(notice: Mapping[str, Any]) -> tuple[str, bool, str] | None:
    """Return which degraded mode a notice is about, whether it begins, and its line; None for
    other notices."""
    begun, _, mode = notice["name"].partition("_")
    if begun == "degraded":
        return notice["name"], True, f"DEGRADED {mode}: {notice['facts'].get('detail', '')}"
    if begun == "restored":
        return f"degraded_{mode}", False, f"degraded mode {mode} is over"
    return None


def record_words(seq: int, body: Mapping[str, Any]) -> str:
    """Return what a person is told of a sealed record."""
    legs = " and ".join(f"{leg['amount_fen']} by {leg['tender']}" for leg in body["legs"])
    unpaid = f", {body['unpaid_reason']}" if body["unpaid_reason"] else ""
    toll = f"toll {body['toll_due_fen']}, {legs or 'nothing paid'}"
    return f"SEALS record {seq}: {body['end']}, {toll}{unpaid}"
