"""What pages see of a lane."""

from __future__ import annotations

from lane_controller.core.states import OrderPhase
from lane_controller.engine import telemetry as subject
from tests.lane_controller.engine.rig import Rig
from tolling.orders import OrderState


def test_a_page_sees_vehicle_order_and_alarms() -> None:
    """Toll, plate, order state and how long it has been there."""
    view = Rig().open().arrive().scan().wait(1000).subject.view()
    assert view.arriving is not None
    assert (view.arriving.toll_fen, view.arriving.order_state) == (2500, OrderState.SENT)
    assert view.arriving.since_ms == 1000
    assert view.leaving is None
    assert set(subject._ORDER_STATE) == set(OrderPhase)
