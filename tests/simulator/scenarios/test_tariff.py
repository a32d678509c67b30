"""A file's own tariff and its wall clock: read, told by line where wrong, and what is paid by."""

from __future__ import annotations

import json

import pytest

from simulator.scenarios.nodes import BadScenarioError
from simulator.scenarios.running import run_scenario
from simulator.scenarios.scenario import read_scenario, write_scenario
from simulator.world.build import build_world, run_world
from tolling.vehicles import VehicleClass

MIDNIGHT_MS = 1_798_732_740_000
"""2026-12-31T23:59:00+08:00."""
TEXT = """\
scenario: 1
name: own
tariff:
  - {entry: EAST, toll_fen: 1234, distance_m: 9000}
  - {entry: EAST, class: truck_1, toll_fen: 4321, distance_m: 9000}
start: 2026-12-31T23:59:00+08:00
vehicles:
  - {at: 4s, behaviour: pays_cash, plate: 苏B00001, entry: {station: EAST}}
"""


def problems(text: str) -> str:
    """Return what is wrong with a file."""
    with pytest.raises(BadScenarioError) as caught:
        read_scenario(text)
    return str(caught.value)


def test_rows_are_numbered_as_they_stand_and_the_moment_is_utc() -> None:
    """Class car_1 where none is said."""
    config = read_scenario(TEXT).config
    assert [row.row for row in config.tariff_rows] == [1, 2]
    assert [row.toll_fen for row in config.tariff_rows] == [1234, 4321]
    assert config.tariff_rows[1].vehicle_class is VehicleClass.TRUCK_1
    assert config.start_ms == MIDNIGHT_MS
    assert read_scenario(TEXT.replace("23:59:00+08:00", "15:59:00Z")).config == config


def test_it_is_written_back_as_it_was_read() -> None:
    """The same world from the file the program writes; the world's own tariff by its name."""
    scenario = read_scenario(TEXT)
    assert read_scenario(write_scenario(scenario)) == scenario
    usual = read_scenario("scenario: 1\nname: x\ntariff: world\nspawn: {vehicles: 1}\n")
    assert usual.config.tariff_rows == ()
    assert '\ntariff: world\nstart: "2026-11-22T08:00:00+08:00"\n' in write_scenario(usual)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("23:59:00+08:00", "23:59:00", ":6: .*does not say where"),
        ("2026-12-31T23:59:00+08:00", "tomorrow", ":6: `tomorrow` is no moment: write date"),
        ("2026-12-31", "1999-12-31", ":6: .*not within the years 2026 to 2099"),
        ("23:59:00+08:00", "23:59:00.5+08:00", ":6: .*finer than a second"),
        ("2026-12-31T23:59:00+08:00", "[1]", ":6: one moment is meant"),
        ("class: truck_1, ", "", ":5: entry EAST has two rows for class 1"),
        ("toll_fen: 4321, ", "", ":5: key `toll_fen` is missing"),
        ("toll_fen: 1234", "toll_fen: 10000001", ":4: 10000001 is not within 0..10000000"),
        ("entry: EAST, toll_fen", "entry: 东, toll_fen", ":4: `东` is not a station"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(before: str, after: str, words: str) -> None:
    """Each mistake, where it stands."""
    import re

    assert re.search(words, problems(TEXT.replace(before, after, 1)))


def test_an_empty_tariff_or_another_name_is_refused() -> None:
    """A tariff has rows, or is the world's."""
    head = "scenario: 1\nname: x\nspawn: {vehicles: 1}\n"
    assert ":4: holds 0, not 1..10000" in problems(head + "tariff: []\n")
    assert "`mars` is no tariff known here" in problems(head + "tariff: mars\n")


@pytest.mark.simulation
def test_a_run_takes_its_toll_and_its_time_from_the_file() -> None:
    """12.34 yuan shortly after midnight of the new year, and no rule is broken."""
    scenario = read_scenario(TEXT)
    assert run_scenario(scenario).ok
    world = build_world(scenario.seed, scenario.config)
    (record,) = (json.loads(each.body) for each in run_world(world).evidence.plaza_records)
    assert record["toll_due_fen"] == 1234
    assert 0 < record["arrived"]["utc_ms"] - MIDNIGHT_MS < 60_000
