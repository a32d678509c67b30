"""What holds whatever comes: the core never raises, never lowers on a vehicle, seals each once."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lane_controller.core import events as ev
from lane_controller.core.states import LaneConfig, LaneMode, Phase
from tests.lane_controller.core.playbook import (
    CONFIG,
    CURTAIN,
    LOOP_1,
    LOOP_2,
    OFF,
    ON,
    UNKNOWN,
    Playbook,
    change,
    code,
)
from tests.lane_controller.core.scenes import FACTS, TAG
from tolling.devices import EtcOutcome
from tolling.inputs import Point
from tolling.messages import OperatorAction
from tolling.orders import NextStep, OrderState

TWO_DETECTORS = replace(CONFIG, under_boom=frozenset({LOOP_2, CURTAIN}), attended=False)


class Monkey:
    """Does anything to a lane, most of it what could really happen."""

    def __init__(self, book: Playbook, dice: Random) -> None:
        self.book = book
        self.dice = dice

    def pick(self, *choices: Any) -> Any:
        """Draw one of these."""
        return self.dice.choice(choices)

    def act(self) -> None:
        """Do one thing."""
        book = self.book
        here = book.state.arriving
        kind = self.pick(*"iiiwwwbfoooooppccccc")
        if book.state.mode is LaneMode.ATTENDED_ONLY and kind in "pf":
            book.act(OperatorAction.RESET)
        elif kind == "c":
            self.cooperate()
        elif kind == "i":
            point = self.pick(LOOP_1, LOOP_1, LOOP_2, LOOP_2, CURTAIN, Point.BOOM_UP)
            _ = book >> change(point, self.pick(ON, OFF, ON, OFF, ON, OFF, UNKNOWN))
        elif kind == "w":
            book.wait(self.pick(40, 300, 1000, 1500, 8000))
        elif kind == "b":
            up = self.pick(True, False)
            book.read(boom_up=ON if up else OFF, boom_down=OFF if up else ON)
        elif kind == "p":
            passage = here.passage_id if here is not None else None
            action = self.pick(*OperatorAction)
            number = self.pick(0, 1, 2, 16, 21)
            book.act(
                action, passage_id=passage, text=self.pick("E1", "", "沪A12345"), number=number
            )
        elif kind == "o" and here is not None:
            self.money()
        else:
            facts = FACTS[self.pick(*FACTS)]
            _ = book >> self.pick(*facts)

    def cooperate(self) -> None:
        """Do what would happen next on a good day."""
        book = self.book
        match book.phase:
            case Phase.ABSENT if book.state.leaving is not None:
                book.read(loop_1=OFF, loop_2=OFF).wait(1000)
            case Phase.ABSENT:
                book.read(loop_2=OFF, loop_1=ON)
            case Phase.IDENTIFYING:
                book.wait(4000)
            case Phase.PRICED:
                book.told()
            case Phase.TENDER:
                _ = book >> code(f"c{self.dice.randrange(1000)}")
            case Phase.RELEASED:
                book.boom_up().read(loop_2=ON, loop_1=OFF)
            case _ if book.passage.orders:
                book.answer(self.pick(OrderState.PAID, OrderState.REFUSED), version=9)
            case _:
                book.wait(5000)

    def money(self) -> None:
        """Let display, phones, tags and the plaza speak about the vehicle at the window."""
        book, here = self.book, self.book.passage
        what = self.pick("told", "code", "code", "answer", "answer", "silence", "tag", "charged")
        if what == "told":
            book.told()
        elif what == "code":
            _ = book >> code(f"c{self.pick(1, 2, 3, 4, 5, 6)}")
        elif what == "tag":
            _ = book >> ev.TagRead(tag=TAG)
        elif what == "charged":
            fen = self.pick(0, here.toll_due_fen, 1)
            done = EtcOutcome(reference="r", charged_fen=fen, txn_id="x", reason="")
            outcome = self.pick(done, None)
            _ = book >> ev.EtcAnswered(
                passage_id=here.passage_id, outcome=outcome, failed=outcome is None
            )
        elif here.orders:
            number = self.pick(*here.orders).out_trade_no
            if what == "silence":
                book.silence(self.pick(*ev.NoAnswer), number)
            else:
                state = self.pick(*OrderState, OrderState.PAID, OrderState.REFUSED)
                book.answer(
                    state,
                    number=number,
                    version=self.pick(1, 2, 3, 4),
                    then=self.pick(*NextStep),
                    captured_fen=self.pick(None, None, 7),
                )


@settings(max_examples=max(10, settings().max_examples // 5), deadline=None)
@given(seed=st.integers(0, 2**32), config=st.sampled_from([CONFIG, TWO_DETECTORS]))
@pytest.mark.slow
def test_no_sequence_of_events_breaks_a_rule(seed: int, config: LaneConfig) -> None:
    """Whatever comes, illegal events too, the rules of the playbook hold at every step."""
    monkey = Monkey(Playbook(config).open(), Random(seed))
    for _ in range(60):
        monkey.act()
