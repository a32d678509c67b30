"""Two vehicles that changed places while a lane was blind: told apart only where a lane could."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.auditor import Blind, DriverStory, Evidence, audit
from simulator.auditor.alike import alike as subject
from simulator.auditor.evidence import Held
from simulator.plant.events import LogEntry, PlantEdge, What
from simulator.plant.vehicles import VehicleId
from tests.simulator.auditor.runs import LANE, S, body, chain, clean_run
from tolling.ids import LaneId

DEAD = Blind(lane_id=LANE, from_us=10 * S, until_us=13 * S, dead=True)


def edge(at_s: float, what: What, on: bool, vehicle: int | None = None) -> PlantEdge:
    """Return an edge of one vehicle, or of the boom."""
    number = None if vehicle is None else VehicleId(vehicle)
    return PlantEdge(at_us=int(at_s * S), lane=LaneId(LANE), what=what, on=on, vehicle_id=number)


RAMMED = (
    edge(0, What.BOOM_DOWN, True),
    edge(5, What.LOOP_1, True, 1),
    edge(10.4, What.LOOP_2, True, 1),
    edge(11.0, What.LOOP_1, False, 1),
    edge(11.9, What.LOOP_1, True, 2),
    edge(12.2, What.LOOP_2, False, 1),
)
"""The first rams the boom while the lane is dead for three seconds, the next takes its place."""


def run(log: tuple[LogEntry, ...], *blind: Blind) -> Evidence:
    """Return a run with that road and those blind whiles."""
    return clean_run(plant_log=log, blind=blind)


def test_one_in_anothers_place_after_an_outage_is_told_by_nothing_in_the_lane() -> None:
    """Loop 1 held, loop 2 free, boom down, before and after."""
    assert list(subject(run(RAMMED, DEAD))) == [(1, 2)]
    assert list(subject(run(RAMMED))) == []


@pytest.mark.parametrize(
    ("what", "log", "blind"),
    [
        ("it was on loop 2 already", (*RAMMED[:2], edge(9.5, What.LOOP_2, True, 1)), DEAD),
        ("eleven seconds and more", (), replace(DEAD, until_us=22 * S)),
        ("never back", (), replace(DEAD, until_us=None)),
        ("another lane", (), replace(DEAD, lane_id="002")),
        ("the boom was up before", (edge(6, What.BOOM_DOWN, False),), DEAD),
        ("the boom is up afterwards", (edge(12, What.BOOM_DOWN, False),), DEAD),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_lane_could_see_or_is_no_short_outage_is_no_excuse(
    what: str, log: tuple[LogEntry, ...], blind: Blind
) -> None:
    """Each single thing that a lane can know."""
    entries = tuple(sorted((*RAMMED, *log), key=lambda entry: entry.at_us))
    assert list(subject(run(entries, blind))) == [], what


def test_the_one_that_stays_is_no_pair() -> None:
    """Nobody takes its place."""
    assert list(subject(run(RAMMED[:2], DEAD))) == []


def test_such_two_have_one_purse() -> None:
    """The second paid the first one's toll, by the record: no breach of M1, and one without the
    outage."""
    first = DriverStory(
        lane_id=LANE,
        vehicle_id=1,
        plate="浙A12345",
        phone_fen=0,
        cash_fen=0,
        etc_fen=0,
        gone=True,
        backed_out=False,
    )
    second = replace(first, vehicle_id=2, plate="浙B00002", phone_fen=2500)
    records = chain(body())
    spoilt = clean_run(
        plant_log=RAMMED, drivers=(first, second), lane_records=records, plaza_records=records
    )
    assert "M1" in {finding.rule for finding in audit(spoilt).findings}
    excused = replace(spoilt, blind=(DEAD,))
    assert "M1" not in {finding.rule for finding in audit(excused).findings}


HELD = Held(lane_id=LANE, from_us=6 * S, until_us=20 * S)
BACKED = (
    edge(5, What.LOOP_1, True, 1),
    edge(9, What.LOOP_1, False, 1),
    edge(15, What.LOOP_1, True, 2),
)
"""The first goes backwards while loop 1 reads held, and the second comes."""


@pytest.mark.parametrize(
    ("held", "fen", "found"),
    [
        (HELD, 500, [(1, 2)]),
        (HELD, 0, []),
        (replace(HELD, until_us=13 * S), 500, []),
        (replace(HELD, from_us=10 * S), 500, []),
        (replace(HELD, lane_id="002"), 500, []),
    ],
)
def test_who_has_begun_to_pay_is_kept_by_a_loop_that_reads_held(
    held: Held, fen: int, found: list[tuple[int, int]]
) -> None:
    """The next one pays the rest; of one who paid nothing another plate tells."""
    for backed_out in (True, False):
        driver = replace(clean_run().drivers[0], phone_fen=0, etc_fen=fen, backed_out=backed_out)
        run = clean_run(plant_log=BACKED, held=(held,), drivers=(driver,))
        assert list(subject(run)) == (found if backed_out else [])


@pytest.mark.parametrize(
    ("came_s", "changes", "pairs"),
    [
        (11.9, {}, [(1, 2)]),
        (12.1, {}, []),
        (11.9, {"plate": "浙B00002"}, []),
        (11.9, {"etc_fen": 0}, []),
    ],
)
def test_a_tag_that_names_no_plate_is_of_whoever_stands_there(
    came_s: float, changes: dict[str, object], pairs: list[tuple[int, int]]
) -> None:
    """One ran through, the next came onto loop 1 within a second, and neither its tag nor the
    camera tells that it is another (seed 8961)."""
    driver = DriverStory(
        lane_id="001",
        vehicle_id=2,
        plate=None,
        phone_fen=0,
        cash_fen=0,
        etc_fen=3300,
        gone=True,
        backed_out=False,
    )
    log = (
        edge(5, What.LOOP_1, True, 1),
        edge(11, What.LOOP_1, False, 1),
        edge(came_s, What.LOOP_1, True, 2),
    )
    seen = replace(run(log), drivers=(replace(driver, **changes),))  # type: ignore[arg-type]
    assert list(subject(seen)) == pairs
