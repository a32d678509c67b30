"""Order states fall into open, captured and ended without money."""

from __future__ import annotations

from tolling.orders import CAPTURED_STATES, OPEN_STATES, OrderState


def test_every_state_is_open_captured_or_ended_without_money() -> None:
    """No state is both open and captured; only refused and closed are neither."""
    assert not OPEN_STATES & CAPTURED_STATES
    assert set(OrderState) - OPEN_STATES - CAPTURED_STATES == {
        OrderState.REFUSED,
        OrderState.CLOSED,
    }


def test_the_five_open_states_are_those_of_the_design() -> None:
    """Created, sent, waiting, unknown and closing count as open."""
    assert sorted(OPEN_STATES) == ["closing", "created", "sent", "unknown", "waiting"]
