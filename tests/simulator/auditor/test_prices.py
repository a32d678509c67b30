"""M1: every record's toll is computed once more, from the tariff of its first display."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.auditor import AuditedTariff, audit
from simulator.plant.events import Display
from tests.simulator.auditor.runs import LANE, S, body, chain, clean_run, road
from tolling.ids import LaneId

BASE_MS = 1_800_000_000_000
OLD = AuditedTariff(
    version=1,
    from_us=-S,
    rows=(("A", 1, 2500, 10_000), ("B", 1, 4000, 30_000), ("A", 11, 9000, 10_000)),
)
NEW = AuditedTariff(version=2, from_us=20 * S, rows=(("A", 1, 2600, 10_000),))
HEARD = (("001", 1, 0), ("001", 2, 0))


def wall(at_s: float, quality: str = "synced") -> dict[str, Any]:
    """Return a lane's wall time."""
    return {"utc_ms": BASE_MS + int(at_s * 1000), "quality": quality}


def priced(**changes: Any) -> dict[str, Any]:
    """Return a record priced from A as a car of class 1 by the old version, at 1 s to 10 s."""
    quote = {
        "tariff_version": changes.pop("version", 1),
        "entry_station": changes.pop("station", "A"),
        "entry_source": changes.pop("source", "plate"),
    }
    plain = {
        "vehicle_class": 1,
        "vehicle_kind": 0,
        "quote": quote,
        "arrived": wall(1),
        "sealed": wall(10),
    }
    return body(**(plain | changes))


def rules(record: dict[str, Any], **changes: Any) -> set[str]:
    """Return the rules broken in a run with that record."""
    records = chain(record)
    told: dict[str, Any] = {
        "tariffs": (OLD, NEW),
        "tariffs_heard": HEARD,
        "wall_base_ms": BASE_MS,
        "lane_records": records,
        "plaza_records": records,
    }
    return {finding.rule for finding in audit(clean_run(**(told | changes))).findings}


def test_the_row_of_its_entry_class_and_version_is_what_is_due() -> None:
    """The right toll is no finding; without a tariff nothing is judged."""
    assert rules(priced()) == set()
    assert rules(priced(station="B"), tariffs=()) == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"station": "B"},
        {"vehicle_class": 11},
        {"station": "nowhere"},
        {"source": "farthest"},
        {"vehicle_kind": 10},
        {"version": 3},
        {"quote": None},
    ],
    ids=str,
)
def test_another_row_kind_or_version_is_found(changes: dict[str, Any]) -> None:
    """25 yuan are right for a car of class 1 from A, and for nobody else."""
    assert rules(priced(**changes)) == {"M1"}


def test_the_farthest_entry_costs_what_its_row_says_and_the_exempt_nothing() -> None:
    """Of the rows of its class the one with the longest way; a fire engine owes nothing."""
    leg = {"tender": "cash", "amount_fen": 4000}
    far = priced(source="farthest", station="B", toll_due_fen=4000, legs=[leg])
    assert "M1" not in rules(far, trades=(), drivers=())
    free = priced(vehicle_kind=10, toll_due_fen=0, legs=[], unpaid_reason="exempt")
    assert "M1" not in rules(free, trades=(), drivers=())


def late(**changes: Any) -> dict[str, Any]:
    """Return a record of 15 s to 40 s: the new version comes into force in between."""
    return priced(**({"arrived": wall(15), "sealed": wall(40)} | changes))


def shown(at_s: float) -> Display:
    """Return the old toll on the display."""
    lines = ("请出示付款码", "25.00元", "客1", "")
    return Display(at_us=int(at_s * S), lane=LaneId(LANE), lines=lines, green=False)


def test_the_version_in_force_at_the_first_display_counts() -> None:
    """Shown before it changed, the old price stays; shown long after, the old one is wrong."""
    assert rules(late(), plant_log=(*road(), shown(18))) == set()
    assert rules(late(), plant_log=(*road(), shown(18), shown(30))) == set()
    assert rules(late(), plant_log=(*road(), shown(30))) == {"M1"}
    assert rules(late(), plant_log=(*road(), shown(22))) == set(), "the journal was slow"


def welcome(at_s: float) -> Display:
    """Return a display that works and shows no toll."""
    return Display(at_us=int(at_s * S), lane=LaneId(LANE), lines=("欢迎光临",), green=False)


def dark(at_s: float) -> Display:
    """Return a display on which nothing can be read."""
    return Display(at_us=int(at_s * S), lane=LaneId(LANE), lines=(), green=False)


def test_a_display_that_was_dark_does_not_say_when_the_toll_was_priced() -> None:
    """Priced while nobody could read it and before the change, the old price stays."""
    assert rules(late(), plant_log=(*road(), dark(10), shown(30))) == set()
    assert rules(late(), plant_log=(*road(), dark(19), dark(21), shown(30))) == set()
    assert rules(late(), plant_log=(*road(), dark(26), shown(30))) == {"M1"}, "dark too late"
    assert rules(late(), plant_log=(*road(), dark(10), welcome(24), shown(30))) == {"M1"}
    again = (*road(), welcome(2), dark(10), welcome(24), shown(30))
    assert rules(late(), plant_log=again) == set(), "as it was before the dark (seed 3321)"


def test_a_version_before_its_time_is_found() -> None:
    """26 yuan before the new tariff is in force."""
    early = priced(version=2, toll_due_fen=2600, unpaid_reason="arrears")
    assert "M1" in rules(early)


def test_a_lane_that_was_not_told_keeps_what_it_has() -> None:
    """The new version had not reached it."""
    log = (*road(), shown(30))
    for heard in (HEARD[:1], (*HEARD[:1], ("001", 2, 29 * S + S // 2))):
        assert rules(late(), plant_log=log, tariffs_heard=heard) == set()


def test_a_lane_that_was_told_only_of_later_ones_prices_by_the_first_of_them() -> None:
    """The plaza's clock was ahead when it answered first: nothing else was there to price by."""
    log = (*road(), shown(18))
    early = priced(version=2, toll_due_fen=2600, unpaid_reason="arrears")
    assert rules(early, plant_log=log, tariffs_heard=(("001", 2, 0),)) == set()
    assert "M1" in rules(early, plant_log=log)


def test_a_lane_with_a_wrong_clock_is_judged_by_its_rows_alone() -> None:
    """Nobody can say what time it was for it."""
    log = (*road(), shown(30))
    assert rules(late(), plant_log=log, clocks_off=frozenset({"001"})) == set()
    assert rules(late(sealed=wall(40, "bad")), plant_log=log) == set()
    assert rules(late(), plant_log=log, wall_base_ms=None) == set()
    assert rules(late(station="B"), plant_log=log, wall_base_ms=None) == {"M1"}
