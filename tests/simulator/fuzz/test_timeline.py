"""Trace lines and entries of the plant's log, in words."""

import pytest

from simulator.fuzz.timeline import road_words, words_for
from simulator.plant.events import PlantEdge, Strike, StrikeCause, What
from simulator.plant.vehicles import VehicleId
from tolling.ids import LaneId

LANE = LaneId("001")


@pytest.mark.parametrize(
    ("actor", "kind", "detail", "said"),
    [
        ("fault", "line_cut", "", "FAULT begins: line_cut"),
        ("driver 3", "ShowCode", "", "holds up a code"),
        ("driver 3", "Wake", "", None),
        ("lane 001", "dies", "1", "DIES"),
        ("lane 001", "CodeScanned", "CodeScanned(ref=...)", "a pay code is scanned"),
        (
            "lane 001",
            "PlazaAnswered",
            "PaymentAnswer(out_trade_no='42A01', state=<OrderState.PAID: 'paid'>, version=3)",
            "hears: order 42A01 is paid",
        ),
        (
            "lane 001",
            "device",
            "RaiseBoom(reason=<RaiseReason.TENDER: 'tender'>, passage_id='42')",
            "RAISES the boom (tender)",
        ),
        ("lane 001", "calls", "1 PostPayment(out_trade_no='42A01')", "sends the order 42A01"),
        ("lane 001", "TimerDue", "TimerDue(timer_id='beat')", None),
        ("plaza", "CommitFailed", "CommitFailed(why='OSError')", "a commit FAILS: OSError"),
        (
            "plaza 2",
            "PlatformAnswered",
            "(call_id='c1', outcome=Unknown(evidence=<Evidence.TIMEOUT: 'timeout'>))",
            "the platform says Unknown timeout",
        ),
        ("alipay", "pay", "42A01 200", "is asked: pay 42A01"),
        ("alipay", "query", "42A01 502", "is asked: query 42A01 -> HTTP 502"),
    ],
)
def test_a_trace_line_is_told_in_words_or_left_out(
    actor: str, kind: str, detail: str, said: str | None
) -> None:
    """Routine is left out; the rest has no code in it."""
    assert words_for(actor, kind, detail) == said


def test_the_road_is_told_by_its_vehicles() -> None:
    """An edge of a vehicle, a strike; limit switches are routine."""
    edge = PlantEdge(at_us=1, lane=LANE, what=What.LOOP_2, on=True, vehicle_id=VehicleId(7))
    assert road_words(edge) == "vehicle 7 comes onto loop 2"
    assert road_words(PlantEdge(at_us=1, lane=LANE, what=What.BOOM_UP, on=True)) is None
    hit = Strike(
        at_us=1,
        lane=LANE,
        vehicle_id=VehicleId(7),
        cause=StrikeCause.LOWERED_ON,
        angle_mdeg=400,
        lowering=True,
    )
    assert road_words(hit) == "the boom STRIKES vehicle 7 (lowered_on)"
