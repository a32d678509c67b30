"""What a person at the lane does at a fixed time: ``{at: 20s, lane: "001", do: raise, ...}``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.scenarios.cars import LANE_WORD
from simulator.scenarios.derived import shape_of
from simulator.scenarios.shapes import Key, Record, Span, Whole, Words
from tolling.messages import CommandOutcome, OperatorAction


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command of a person."""

    at_us: int
    lane: str
    action: OperatorAction
    reason: str = ""
    text: str = ""
    number: int = 0
    answer: CommandOutcome | None = None
    """How it must end; None says nothing."""


def _make(read: dict[str, Any]) -> Step:
    return Step(
        at_us=read["at"],
        lane=read["lane"],
        action=read["do"],
        reason=read["reason"],
        text=read["text"],
        number=read["number"],
        answer=read["answer"],
    )


def _take(step: Step) -> dict[str, Any]:
    return {
        "at": step.at_us,
        "lane": step.lane,
        "do": step.action,
        "reason": step.reason,
        "text": step.text,
        "number": step.number,
        "answer": step.answer,
    }


STEP = Record(
    keys={
        "at": Key(shape=Span(unit_us=1)),
        "lane": Key(shape=LANE_WORD, default="001"),
        "do": Key(shape=shape_of(OperatorAction), about="what the person orders"),
        "reason": Key(shape=Words(), default="", about="raise, lower, arrears and set_kind ask"),
        "text": Key(shape=Words(), default="", about="entry station or plate"),
        "number": Key(shape=Whole(), default=0, about="class or kind code"),
        "answer": Key(
            shape=shape_of(CommandOutcome), default=None, about="how it must end, if it matters"
        ),
    },
    what="attendant's step",
    make=_make,
    take=_take,
    title="one command of a person",
)
