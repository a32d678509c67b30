"""The attendant's word on who stands at the window: only of whom he saw drive up."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

import pytest

from simulator.world import booth as subject
from simulator.world.heap import Heap
from tolling.clock import NS_PER_S
from tolling.messages import OperatorAction, OperatorCommand


@dataclass
class Arriving:
    """What the lane's port shows of the vehicle at the window."""

    passage_id: str
    phase: str
    since_ms: int
    awaits_entry: bool = False


@dataclass
class View:
    """What the lane's port shows."""

    arriving: Arriving | None
    mode: str = "open"
    boot_id: str = "boot-1"
    state_version: int = 1


class LaneConfig:
    """The lane's file, as far as the booth asks."""

    lane_id = "001"


@dataclass
class Lane:
    """A lane's local port, by a script."""

    shows: View
    config: LaneConfig = field(default_factory=LaneConfig)
    heard: list[OperatorCommand] = field(default_factory=list)

    @property
    def nobody_here(self) -> bool:
        """Return whether the port would show an open lane with nobody at its window."""
        return self.shows.arriving is None and self.shows.mode == "open"

    def view(self) -> View:
        """Return what the port shows."""
        return self.shows

    def order(self, command: OperatorCommand, told: Any) -> None:
        """Take a command."""
        self.heard.append(command)


@pytest.mark.parametrize(
    ("since_ms", "stood", "stands", "word"),
    [
        (2_000, 1, 1, OperatorAction.SAME_VEHICLE),
        (2_000, 1, 2, OperatorAction.OTHER_VEHICLE),
        (4_000, 2, 2, None),
        (2_000, None, 2, None),
    ],
)
def test_the_attendant_speaks_only_of_whom_he_saw_drive_up(
    since_ms: int, stood: int | None, stands: int, word: OperatorAction | None
) -> None:
    """Who was first seen long after the passage began may have taken another's place."""
    heap = Heap()
    port = Lane(View(Arriving("p1", "tender", since_ms)))
    at_window = [stood]
    outside = subject.BoothOutside(
        at_window=lambda: at_window[0], ticket=lambda vehicle: None, money=lambda vehicle, fen: None
    )
    subject.Booth(heap, cast(Any, port), outside, Random(1)).begin()
    heap.run_until(NS_PER_S)
    at_window[0] = stands
    port.shows = View(Arriving("p1", "unsure", since_ms + 9_000))
    heap.run_until(2 * NS_PER_S)
    assert [command.action for command in port.heard] == ([] if word is None else [word])
