"""kill -9 of lane and plaza at every commit and every send of a payment, with the platform up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from simulator.plant import Contact, Passage, Strike
from simulator.stack.nursery import Nursery
from simulator.stack.plan import PLAZA
from tests.kill.campaign import Campaign, kill_lanes, kill_plaza, must
from tolling.inputs import Output

pytestmark = [pytest.mark.kill, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]
LANES = ("001", "002", "003", "004", "005")
SIDES = ("lanes", "plaza")


@pytest.fixture(scope="module")
def campaigns(
    tmp_path_factory: pytest.TempPathFactory, nursery: Nursery
) -> Iterator[dict[str, Campaign]]:
    """Give what came of killing lanes in one stack and the plaza in another, side by side."""
    root = tmp_path_factory.mktemp("k")
    with ThreadPoolExecutor(2) as pool:
        lanes = pool.submit(kill_lanes, root / "l", nursery, LANES)
        plaza = pool.submit(kill_plaza, root / "p", nursery)
        yield {"lanes": lanes.result(), "plaza": plaza.result()}


@pytest.fixture(params=SIDES)
def subject(request: pytest.FixtureRequest, campaigns: dict[str, Campaign]) -> Campaign:
    """Give the campaign against one side."""
    return campaigns[request.param]


def test_the_process_died_at_every_point(subject: Campaign) -> None:
    """Each commit before and after, each send before, in flight and after; by SIGKILL only.

    Commits that only note a device may fall together with their neighbours on a busy machine: a
    payment may have a few commits less than the one that was counted, never a step that every
    payment has.
    """
    kinds = ("at", "name", "number", "when")
    planned = {tuple(point[kind] for kind in kinds) for point in subject.points}
    struck = {tuple(point[kind] for kind in kinds) for point in subject.struck}
    assert struck <= planned
    needed = {
        tuple(point[kind] for kind in kinds)
        for point in subject.points
        if must(point, subject.steps)
    }
    assert needed <= struck
    assert len(planned - struck) <= len(planned) // 5, sorted(planned - struck)
    assert subject.faults == []
    assert set(subject.statuses) == {-9}
    assert len(subject.statuses) == len(subject.struck)


def test_the_auditor_finds_nothing(subject: Campaign) -> None:
    """Money and barrier rules hold over the whole run, by what is seen from outside."""
    assert subject.verdict.findings == ()


def test_a_passage_is_charged_once_or_not_at_all(subject: Campaign) -> None:
    """By the platform's own books: at most one trade of a passage keeps money, and never twice."""
    kept = Counter(
        trade.out_trade_no[:21]
        for trade in subject.evidence.trades
        if trade.captured_fen != trade.refunded_fen
    )
    assert set(kept.values()) <= {1}
    by_phone = {
        leg["out_trade_no"][:21]
        for record in subject.records
        for leg in record["legs"]
        if leg["tender"] == "alipay"
    }
    assert by_phone == set(kept)


def test_every_vehicle_has_one_record_and_it_arrived_once(subject: Campaign) -> None:
    """No passage is lost or told twice, and no vehicle passes unrecorded.

    A lane that was blind for long, on a machine that gives its process no turn, and whom nobody
    told within five seconds that the vehicle is the same, gives its passage up: it ends as
    left_during_outage by nobody's authority and without money, and who stands there is new
    (design.md section 4). Such a record is beside the vehicle's own one, never in its place.
    """
    ids = [record["passage_id"] for record in subject.records]
    assert len(ids) == len(set(ids))
    through = [e for e in subject.evidence.plant_log if isinstance(e, Passage)]
    assert len(through) == subject.vehicles
    ended = [r for r in subject.records if r["end"] in ("passed", "left_during_outage")]
    own = [record for record in ended if not given_up(record)]
    assert len(own) == subject.vehicles
    plates = Counter(record["plate"]["text"] for record in own if record["plate"])
    assert set(plates.values()) <= {1}
    assert set(plates) <= {driver.plate for driver in subject.evidence.drivers}
    assert {record["plaza_id"] for record in subject.records} == {PLAZA}


def given_up(record: Mapping[str, Any]) -> bool:
    """Return whether the lane lost sight of who stood there before anybody had paid."""
    blind = {"long_restart", "inputs_lost", "inputs_long_lost", "not_still_around_outage"}
    return (
        record["end"] == "left_during_outage"
        and record["authorised_by"] == "nobody"
        and not record["legs"]
        and bool(blind & set(record["remarks"]))
    )


def test_the_boom_gets_no_command_by_a_start(subject: Campaign) -> None:
    """One raise a vehicle and no more, although the lane started again in its middle; and no boom
    touched anybody."""
    log = subject.evidence.plant_log
    assert not [entry for entry in log if isinstance(entry, Strike)]
    raises = [e for e in log if isinstance(e, Contact) and e.closed and e.output is Output.RAISE]
    # A raise whose echo died with the lane is given again for the same vehicle.
    assert subject.vehicles <= len(raises) <= subject.vehicles + len(subject.struck)


def test_every_car_left_and_paid_once(subject: Campaign) -> None:
    """Whoever's phone payment was lost in the kill paid cash; nobody paid both."""
    for driver in subject.evidence.drivers:
        assert driver.gone
        assert driver.phone_fen + driver.cash_fen == 5_400, driver


def test_nothing_is_left_open(subject: Campaign) -> None:
    """Orders end as paid, closed or refunded without a person."""
    assert {order["state"] for order in subject.orders} <= {"paid", "closed", "refunded", "refused"}
