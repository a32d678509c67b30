"""Plaza, broker and network are gone: cash always works, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulator.stack.nursery import Nursery
from simulator.stack.plan import QUICK, Plan
from simulator.stack.stack import Stack

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.long]
LANES = ("001", "002", "003", "004")
CARS = 20


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Iterator[Stack]:
    """Give a stack in which 20 cars have left with plaza, broker and network gone; then all came
    back."""
    subject = Stack(tmp_path_factory.mktemp("n") / "s", nursery, Plan(lanes=LANES, limits=QUICK))
    with subject.running():
        for lane in LANES:
            subject.shows(lane, "欢迎")
        subject.kill_broker()
        subject.plaza.stop(hard=True)
        subject.wires.cut()
        for lane in LANES:
            subject.wait_health(lane, "plaza_up", False)
        mix = {"phone_ok": 1, "pays_cash": 1}
        subject.site.ask("POST", "/traffic", {"vehicles": CARS, "mix": mix})
        subject.wait_gone(CARS, 100)
        for lane in LANES:
            subject.wait_health(lane, "unsent_records", CARS // len(LANES))
        subject.wires.mend()
        subject.plaza.start()
        subject.start_broker()
        subject.wait_rest()
        yield subject


def test_every_car_left_by_cash(stack: Stack) -> None:
    """Nobody was charged by phone, and nobody stayed."""
    memories = stack.site.ask("GET", "/memories")["memories"]
    assert len(memories) == CARS
    assert {memory["paid_fen"] for memory in memories} == {5_400}
    assert stack.site.trades() == []


def test_every_record_came_when_the_plaza_was_back(stack: Stack) -> None:
    """Twenty records, cash on each, in unbroken chains."""
    records = stack.records()
    assert len(records) == CARS
    assert {leg["tender"] for record in records for leg in record["legs"]} == {"cash"}


def test_the_auditor_finds_nothing(stack: Stack) -> None:
    """Also not a pay code that a driver held up in vain."""
    assert stack.audit().findings == ()


def test_a_journal_replays_to_the_same_digests(stack: Stack) -> None:
    """Every event of every lane gives the commands it gave then."""
    for lane in LANES:
        segments = stack.replay(lane)
        assert segments
        assert all(segment["same"] and segment["events"] > 50 for segment in segments)
