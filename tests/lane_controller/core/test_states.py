"""The state is one value that can be saved and read again."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

import pytest

from lane_controller.core.states import LaneState
from lane_controller.core.tables import STATES, Machine
from tests.lane_controller.core.playbook import CONFIG
from tests.lane_controller.core.scenes import state_in
from tolling.canonical import canonical_bytes, from_canonical

PAIRS = [(machine, where) for machine in Machine for where in STATES[machine]]


@pytest.mark.parametrize(("machine", "where"), PAIRS, ids=str)
def test_every_state_survives_the_journal(machine: Machine, where: StrEnum) -> None:
    """Canonical bytes and back are equal."""
    state = state_in(machine, where)
    assert from_canonical(LaneState, canonical_bytes(state)) == state


def test_a_boom_without_a_detector_is_no_lane() -> None:
    """It could never be lowered safely."""
    with pytest.raises(AssertionError, match="detector"):
        replace(CONFIG, under_boom=frozenset())
