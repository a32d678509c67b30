"""Which pairs a run looked up, and that looking changes nothing."""

import pytest

from lane_controller.core import tables
from lane_controller.core.events import CodeScanned
from plaza_server.rules import order_table, orders
from simulator.fuzz.pairs import all_pairs, collected, lane_pair, order_pair
from simulator.fuzz.plan import Picks, plan
from simulator.fuzz.run import SeedJob, run_seed
from simulator.world.build import build_world, run_world


def test_every_pair_of_the_tables_has_one_name() -> None:
    """Machines times states times facts, and order states times events."""
    lane = sum(len(row) for table in tables.TABLES.values() for row in table.values())
    assert len(all_pairs()) == lane + len(order_table.TABLE)


def test_the_tables_are_put_back_also_after_an_error() -> None:
    """Production code sees its own tables again."""
    before = dict(tables.TABLES)

    def fail() -> None:
        with collected():
            assert orders.__dict__["TABLE"] is not order_table.TABLE
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert all(tables.TABLES[machine] is before[machine] for machine in before)
    assert orders.__dict__["TABLE"] is order_table.TABLE


@pytest.mark.simulation
def test_a_payment_reaches_the_pairs_of_its_way_and_no_unknown_one() -> None:
    """A driver who pays: a code scanned in tender, an order captured while sent."""
    job = SeedJob(seed=2, picks=Picks(vehicles=4, faults=()))
    pairs = run_seed(job).pairs
    assert pairs <= all_pairs()
    assert order_pair("created", "send") in pairs
    assert order_pair("paid", "record_names") in pairs
    for machine in tables.Machine:
        assert any(pair.startswith(f"{machine}.") for pair in pairs), machine


@pytest.mark.simulation
def test_collecting_changes_nothing_of_a_run() -> None:
    """The trace hash is the same with and without."""
    config = plan(4, Picks(vehicles=4))
    bare = run_world(build_world(4, config)).trace_hash
    with collected() as seen:
        watched = run_world(build_world(4, config)).trace_hash
    assert watched == bare
    assert seen


def test_names_are_written_as_the_tables_call_them() -> None:
    """``arriving.tender.CodeScanned``."""
    assert lane_pair("arriving", "tender", CodeScanned) == "arriving.tender.CodeScanned"
