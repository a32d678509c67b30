"""The virtual world: one heap of (ns, number, callback) over production code and the models.

``build_world(seed, config)`` makes a plaza with its road and people, ``run_world(world)`` lets it
run to rest and returns what came of it, with the evidence for the auditor.
"""

from simulator.world.build import WorldConfig, WorldResult, build_world, lane_ids, run_world
from simulator.world.world import World

__all__ = ["World", "WorldConfig", "WorldResult", "build_world", "lane_ids", "run_world"]
