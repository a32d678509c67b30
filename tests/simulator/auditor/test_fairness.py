"""What the auditor must not hold against a lane: what nobody in it can know or do."""

from __future__ import annotations

from dataclasses import replace

from simulator.auditor import DriverStory, LimitFault, audit
from simulator.auditor.evidence import AuditedRecord, Blind, Restart, Untold
from simulator.plant.events import (
    BoomMove,
    Contact,
    Heading,
    MoveCause,
    Passage,
    PlantEdge,
    Strike,
    StrikeCause,
    What,
)
from simulator.plant.vehicles import VehicleId
from tests.simulator.auditor.runs import LANE, S, body, chain, clean_run, edge, pulse, road, still
from tolling.inputs import Output

OTHER = DriverStory(
    lane_id="001",
    vehicle_id=2,
    plate="浙B00002",
    phone_fen=0,
    cash_fen=0,
    etc_fen=0,
    gone=True,
    backed_out=False,
)


TAG = {"tender": "etc", "amount_fen": 2500, "provider_txn_id": "t-1"}


def rules(**changes: object) -> set[str]:
    """Return the rules a changed clean run breaks."""
    return {finding.rule for finding in audit(clean_run(**changes)).findings}


def test_a_code_of_another_drivers_wallet_pays_for_the_one_who_held_it_up() -> None:
    """Told of the borrowed code both purses are one; not told of it, money is missing."""
    run = clean_run()
    records = chain(body(plate={"text": "浙B00002"}), body(legs=[], unpaid_reason="exempt"))
    drivers = (*run.drivers, OTHER)
    mixed = {"drivers": drivers, "plaza_records": records, "lane_records": records}
    assert "M1" in rules(**mixed)
    assert "M1" not in rules(**mixed, borrowed=((2, 1),))


def test_cash_of_one_who_backs_out_was_handed_back() -> None:
    """No record applies it then; of one who drove through it is missing."""
    driver = replace(clean_run().drivers[0], phone_fen=0, etc_fen=2500, cash_fen=800)
    first = body(end="left_during_outage", legs=[TAG])
    records = chain(first, body(legs=[], unpaid_reason="backed_out", end="backed_out"))
    run = {"plaza_records": records, "lane_records": records, "trades": ()}
    for backed_out in (False, True):
        drivers = (replace(driver, backed_out=backed_out),)
        told = " ".join(f.what for f in audit(clean_run(**run, drivers=drivers)).findings)
        assert ("vehicle 1: paid 800 by cash" in told) is not backed_out


def test_a_refund_the_platform_refuses_for_good_is_a_persons() -> None:
    """Stuck money is held against nobody; the same money with an order that ended is."""
    run = clean_run()
    records = chain(body(legs=[], unpaid_reason="violation"))
    trades = (replace(run.trades[0], payer=1),)
    kept = {"plaza_records": records, "lane_records": records, "trades": trades}
    assert "M1" in rules(**kept)
    stuck = (replace(run.orders[0], state="refund_stuck"),)
    assert "M1" not in rules(**kept, orders=stuck)


def test_money_on_a_record_without_a_plate_is_found_by_lane_tender_and_amount() -> None:
    """After a restart a car may be a new one without a plate: its money is on that record."""
    drivers = (replace(clean_run().drivers[0], phone_fen=0, cash_fen=800),)
    first = body(toll_due_fen=100, legs=[{"tender": "cash", "amount_fen": 100}])
    cash = body(plate=None, toll_due_fen=700, legs=[{"tender": "cash", "amount_fen": 700}])
    records = chain(first, cash)
    found = {"drivers": drivers, "plaza_records": records, "lane_records": records}
    assert "vehicle 1" not in " ".join(f.what for f in audit(clean_run(**found)).findings)
    other = chain(
        first, cash | {"toll_due_fen": 600, "legs": [{**cash["legs"][0], "amount_fen": 600}]}
    )
    found |= {"plaza_records": other, "lane_records": other}
    assert "vehicle 1" in " ".join(f.what for f in audit(clean_run(**found)).findings)


def test_a_vehicle_no_loop_ever_saw_need_not_be_recorded() -> None:
    """A motorcycle below both loops' thresholds, or a bumper that never leaves a gap."""
    unseen = Passage(
        lane=LANE,
        vehicle_id=VehicleId(9),
        plate=None,
        nose_us=11 * S,
        tail_us=11 * S + 1,
        nose_mdeg=90_000,
        least_mdeg=90_000,
        lane_green=True,
        struck=False,
    )
    assert "B2" not in rules(plant_log=(*road(), unseen))


def own_edge(at_s: float, what: What, on: bool, vehicle: int) -> PlantEdge:
    """Return an edge of a loop that this vehicle made."""
    return replace(edge(at_s, what, on), vehicle_id=VehicleId(vehicle))


def test_one_that_no_loop_told_from_the_one_before_need_not_be_recorded() -> None:
    """It left one loop free for a moment and the other not at all; a second would have told."""
    for gap_s, broken in ((0.05, False), (1.5, True)):
        first = tuple(
            replace(entry, vehicle_id=VehicleId(1))
            if isinstance(entry, PlantEdge) and entry.what is What.LOOP_1
            else entry
            for entry in road(lower_s=16.0)
        )
        through = next(entry for entry in first if isinstance(entry, Passage))
        follower = (
            own_edge(9 + gap_s, What.LOOP_1, True, 2),
            own_edge(9.7 + gap_s, What.LOOP_1, False, 2),
            replace(through, vehicle_id=VehicleId(2)),
        )
        log = tuple(sorted((*first, *follower), key=lambda entry: entry.at_us))
        assert ("B2" in rules(plant_log=log)) is broken


def test_one_close_behind_where_curtain_and_camera_told_nothing_need_not_be_recorded() -> None:
    """Loop 1 alone lost the first for less than a second; with either of the two a lane knows."""
    first = tuple(
        replace(entry, vehicle_id=VehicleId(1)) if isinstance(entry, PlantEdge) else entry
        for entry in road(lower_s=30.0)
    )
    through = next(entry for entry in first if isinstance(entry, Passage))
    for gap_s in (0.8, 1.2):
        follower = (
            own_edge(9 + gap_s, What.LOOP_1, True, 2),
            own_edge(20, What.LOOP_2, True, 2),
            own_edge(21, What.LOOP_1, False, 2),
            own_edge(22, What.LOOP_2, False, 2),
            replace(through, vehicle_id=VehicleId(2), nose_us=20 * S, tail_us=22 * S),
        )
        log = tuple(sorted((*first, *follower), key=lambda entry: entry.at_us))
        for lane, from_s, until_s in ((LANE, 7, 9), (LANE, 12, 30), ("002", 7, 9)):
            untold = Untold(lane_id=lane, from_us=from_s * S, until_us=until_s * S)
            known = gap_s > 1 or (lane, from_s) != (LANE, 7)
            assert ("B2" in rules(plant_log=log, untold=(untold,))) is known


def test_a_presence_the_lane_gave_up_after_a_start_is_good_for_one_lower() -> None:
    """Nobody said that the vehicle was the same: its record says so, and no loop does."""
    restart = Restart(at_us=20 * S, process="lane 001", lane_id="001")
    log = (*road(lower_s=12.0), *pulse(85, Output.LOWER, Heading.DOWN))
    run: dict[str, object] = {"restarts": (restart,), "plant_log": log}
    assert "B3" in rules(**run)
    records = chain(body(end="left_during_outage"))
    run |= {"lane_records": records, "plaza_records": records}
    assert "B3" not in rules(**run)
    twice = (*log, *pulse(95, Output.LOWER, Heading.DOWN))
    assert "B3" in rules(**(run | {"plant_log": twice}))
    raised = (*log, *pulse(90, Output.RAISE, Heading.UP), *pulse(95, Output.LOWER, Heading.DOWN))
    assert "B3" in rules(**(run | {"plant_log": raised})), "raised for nobody"
    run["blind"] = (Blind(lane_id="001", from_us=89 * S, until_us=91 * S, dead=False),)
    assert "B3" not in rules(**(run | {"plant_log": raised})), "raised for safety, down once more"
    again = (*raised, *pulse(99, Output.LOWER, Heading.DOWN))
    assert "B3" in rules(**(run | {"plant_log": again}))


def test_who_was_there_while_a_lane_was_dead_may_have_a_record_or_two_or_none() -> None:
    """The others are counted all the same; where nobody knows when it was dead, nobody is."""
    restart = Restart(at_us=20 * S, process="lane 001", lane_id="001")
    two = chain(body(), body(legs=[], unpaid_reason="violation", authorised_by="nobody"))

    def broken(records: tuple[AuditedRecord, ...], *dead: Blind) -> bool:
        found = rules(lane_records=records, plaza_records=records, restarts=(restart,), blind=dead)
        return "B2" in found

    there = Blind(lane_id="001", from_us=9 * S, until_us=20 * S, dead=True)
    later = replace(there, from_us=15 * S)
    four = (*two, *two)
    assert not broken(()), "on wires"
    assert not broken((), there)
    assert broken((), later)
    assert not broken(two, later)
    assert broken(four, later)
    assert broken((), replace(there, dead=False), later)


def test_a_boom_that_is_bent_or_half_way_is_raised_for_safety() -> None:
    """A raise with nobody in the lane: wrong from the lower limit, right from anywhere else."""
    raised = pulse(30, Output.RAISE, Heading.UP)
    assert "B2" in rules(plant_log=(*road(), *raised))
    jammed = BoomMove(
        at_us=25 * S, lane=LANE, heading=Heading.STILL, cause=MoveCause.JAM, angle_mdeg=40_000
    )
    strike = Strike(
        at_us=25 * S,
        lane=LANE,
        vehicle_id=VehicleId(1),
        cause=StrikeCause.DROVE_INTO,
        angle_mdeg=0,
        lowering=False,
    )
    for before in (jammed, strike):
        assert "B2" not in rules(plant_log=(*road(), before, *raised))


def test_a_boom_turned_for_a_detector_nobody_could_read_may_be_down_by_then() -> None:
    """Its limit was reached while nothing could be read; a second later, or in a lane that reads
    all, somebody must be there. A module that is back takes the pulse it did not take before."""
    down = still(13)
    silent = Blind(lane_id=LANE, from_us=12 * S, until_us=None, dead=False)
    long_ago = replace(silent, from_us=0, until_us=11 * S)
    beside = replace(silent, lane_id="002")
    for after_s, blind, broken in (
        (0.6, silent, False),
        (0.6, long_ago, True),
        (0.6, beside, True),
        (1.1, silent, True),
        (2.5, replace(silent, until_us=15 * S), False),
        (2.5, replace(silent, until_us=15 * S, dead=True), True),
        (3.1, replace(silent, until_us=15 * S), True),
        (2.5, replace(silent, from_us=14 * S, until_us=15 * S), True),
    ):
        raised = pulse(13 + after_s, Output.RAISE, Heading.UP)
        log = (*road()[:-1], down, *raised)
        assert ("B2" in rules(plant_log=log, blind=(blind,), hindered=())) is broken
    for after_s, broken in ((0.6, False), (1.1, True)):
        log = (*road()[:-1], down, *pulse(13 + after_s, Output.RAISE, Heading.UP))
        assert ("B2" in rules(plant_log=log)) is broken, "on wires"


def test_an_open_boom_may_be_raised_again_by_a_lane_that_cannot_see() -> None:
    """It was asked down and nothing could be read since: the pulse moves nothing. A lane that sees,
    or a boom that is down, is no such case."""
    silent = Blind(lane_id=LANE, from_us=29 * S, until_us=None, dead=False)
    raised = pulse(30, Output.RAISE, Heading.UP)
    opened = BoomMove(
        at_us=20 * S, lane=LANE, heading=Heading.STILL, cause=MoveCause.LIMIT, angle_mdeg=90_000
    )
    shut = replace(opened, angle_mdeg=0)
    for last, blind, broken in (
        (opened, (silent,), False),
        (opened, (), True),
        (shut, (silent,), True),
    ):
        assert ("B2" in rules(plant_log=(*road(), last, *raised), blind=blind)) is broken


def test_an_open_boom_may_be_raised_again_by_a_lane_that_is_not_told_that_it_is_up() -> None:
    """Its upper limit is cut, or comes and goes: it tries again. Not one whose limit is well, or
    reads on, or is another's, nor where the boom is down."""
    cut = LimitFault(
        lane_id=LANE, what=What.BOOM_UP, reads=False, from_us=25 * S, until_us=29_500_000
    )
    raised = pulse(30, Output.RAISE, Heading.UP)
    opened = BoomMove(
        at_us=20 * S, lane=LANE, heading=Heading.STILL, cause=MoveCause.LIMIT, angle_mdeg=90_000
    )
    for last, fault, broken in (
        (opened, cut, False),
        (opened, replace(cut, reads=None), False),
        (opened, replace(cut, reads=True), True),
        (opened, replace(cut, what=What.BOOM_DOWN), True),
        (opened, replace(cut, until_us=28_900_000), True),
        (replace(opened, angle_mdeg=0), cut, True),
    ):
        found = rules(plant_log=(*road(), last, *raised), limit_faults=(fault,), hindered=())
        assert ("B2" in found) is broken


def test_a_motorcycle_the_curtain_alone_sees_may_have_the_boom_raised() -> None:
    """No loop feels it; the boom is turned for it all the same."""
    bike = edge(29.9, What.CURTAIN, True)
    raised = pulse(30, Output.RAISE, Heading.UP)
    assert "B2" not in rules(plant_log=(*road(), bike, *raised))
    assert "B2" in rules(plant_log=(*road(), *raised))


def test_a_motorcycle_that_nothing_sees_before_the_boom_is_nobodys_to_spare() -> None:
    """No loop feels it, the curtain sees it as it comes under a boom on its way down; one that a
    loop felt, or the curtain a while before, is a breach of B1, whoever met whom."""
    strike = Strike(
        at_us=12 * S + 500_000,
        lane=LANE,
        vehicle_id=VehicleId(9),
        cause=StrikeCause.DROVE_INTO,
        angle_mdeg=30_000,
        lowering=True,
    )
    bike = edge(12.49, What.CURTAIN, True)
    felt = replace(edge(3, What.LOOP_1, True), vehicle_id=VehicleId(9))
    on_it = replace(strike, cause=StrikeCause.LOWERED_ON)
    for met in (strike, on_it):
        assert "B1" not in rules(plant_log=(*road(), bike, met))
        assert "B1" in rules(plant_log=(felt, *road(), bike, met))
        assert "B1" in rules(plant_log=(*road(), edge(12.3, What.CURTAIN, True), met))
    assert "B1" in rules(plant_log=(*road(), bike, replace(on_it, lowering=False)))


def test_a_heavy_boom_has_a_moment_to_turn_and_no_more() -> None:
    """A raise while it falls: up within 0.2 s is at once, later is a breach of B4."""
    for turn_s, broken in ((0.1, False), (0.5, True)):
        at_us = 12 * S + 300_000
        contact = Contact(at_us=at_us, lane=LANE, output=Output.RAISE, closed=True, acted=True)
        turned = BoomMove(
            at_us=at_us + int(turn_s * S),
            lane=LANE,
            heading=Heading.UP,
            cause=MoveCause.PULSE,
            angle_mdeg=60_000,
        )
        log = (*road()[:-1], contact, turned, still(14))
        assert ("B4" in rules(plant_log=log)) is broken
