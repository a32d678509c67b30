"""Trace lines and entries of the plant's log, in words."""

import pytest

from lane_controller.core.events import LowerAnswered
from simulator.fuzz.timeline import (
    alarm_words,
    notice_words,
    record_words,
    road_words,
    words_for,
)
from simulator.plant.events import PlantEdge, Strike, StrikeCause, What
from simulator.plant.vehicles import VehicleId
from tolling.ids import LaneId
from tolling.inputs import LowerRefusal

LANE = LaneId("001")


@pytest.mark.parametrize(
    ("actor", "kind", "detail", "said"),
    [
        ("fault", "line_cut", "", None),
        ("driver 3", "ShowCode", "", "holds up a code"),
        ("driver 3", "Wake", "", None),
        ("lane 001", "dies", "1", "DIES"),
        ("lane 001", "starts", "2", "starts, life 2"),
        ("plaza 2", "starts", "3", "starts, life 3"),
        (
            "lane 001",
            "LowerAnswered",
            "LowerAnswered(refusal=None)",
            "asked to lower the boom: done",
        ),
        *(
            (
                "lane 001",
                "LowerAnswered",
                repr(LowerAnswered(refusal=refusal)),
                f"asked to lower the boom: refused, {words}",
            )
            for refusal, words in (
                (LowerRefusal.OCCUPIED, "a detector under it is occupied, faulty or unreadable"),
                (LowerRefusal.MISSING, "a detector under it was not read"),
                (LowerRefusal.STALE, "what was read of a detector under it is too old"),
            )
        ),
        ("lane 001", "BrokerLink", "BrokerLink(up=False)", "has LOST the broker"),
        ("lane 001", "BrokerLink", "BrokerLink(up=True)", "has the broker"),
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


def test_alarms_and_degraded_modes_are_told_in_pairs() -> None:
    """What begins and what ends is about the same thing; other notices are routine."""
    raised = {"code": "display_lost", "subject": "display", "raised": True, "what": "no answer"}
    of = "display_lost of display"
    assert alarm_words(raised) == (of, True, f"ALARM {of}: no answer")
    assert alarm_words({**raised, "raised": False}) == (of, False, f"alarm {of} is over")
    begun = {"name": "degraded_no_plaza", "facts": {"detail": "it does not answer"}}
    mode = "degraded_no_plaza"
    assert notice_words(begun) == (mode, True, "DEGRADED no_plaza: it does not answer")
    ended = {"name": "restored_no_plaza", "facts": {}}
    assert notice_words(ended) == (mode, False, "degraded mode no_plaza is over")
    assert notice_words({"name": "started", "facts": {}}) is None


def test_a_sealed_record_is_told_with_what_was_paid_and_how() -> None:
    """Every leg with its tender, and why nothing was paid where that is so."""
    legs = [{"amount_fen": 500, "tender": "etc"}, {"amount_fen": 300, "tender": "cash"}]
    body = {"end": "passed", "toll_due_fen": 800, "legs": legs, "unpaid_reason": None}
    said = "SEALS record 3: passed, toll 800, 500 by etc and 300 by cash"
    assert record_words(3, body) == said
    unpaid = {**body, "legs": [], "unpaid_reason": "violation"}
    assert record_words(4, unpaid) == "SEALS record 4: passed, toll 800, nothing paid, violation"
