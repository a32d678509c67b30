"""The swarm: which faults exist in a run is drawn first, then how many and when."""

from simulator.world.build import lane_ids
from simulator.world.faults import KillAt, KillAtStep, LineTrouble, kind_of, plaza_names
from simulator.world.swarm import EACH_MAX, KINDS_MIN, Scene, draw_faults

UNTIL_MS = 100_000


def test_one_seed_draws_one_swarm_and_another_seed_another() -> None:
    """The faults depend on nothing but the seed and the scene."""
    swarms = [draw_faults(seed, lanes=lane_ids(2), until_ms=UNTIL_MS) for seed in (3, 3, 4)]
    assert swarms[0] == swarms[1]
    assert swarms[0] != swarms[2]


def test_every_run_has_some_faults_none_later_than_told() -> None:
    """At least one of each of the kinds drawn, in order of time."""
    for seed in range(100):
        faults = draw_faults(seed, lanes=lane_ids(2), until_ms=UNTIL_MS)
        assert KINDS_MIN <= len(faults) <= 20 * EACH_MAX
        times = [getattr(fault, "at_ms", 0) for fault in faults]
        assert times == sorted(times)
        assert times[-1] <= UNTIL_MS


def test_the_second_plaza_fails_only_where_there_is_one() -> None:
    """A swarm names processes and lines of its own scene."""
    for plazas in (1, 2):
        scene = Scene(lanes=lane_ids(2), plazas=plaza_names(plazas))
        named = set()
        for seed in range(200):
            for fault in draw_faults(seed, lanes=lane_ids(2), until_ms=UNTIL_MS, plazas=plazas):
                if isinstance(fault, KillAt | KillAtStep):
                    named.add(fault.process)
                elif isinstance(fault, LineTrouble):
                    named.add(fault.line)
                assert kind_of(fault)
        assert named == {*scene.processes, *scene.lines}
