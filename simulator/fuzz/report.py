"""What many seeds came to, as one JSON object."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

from simulator.auditor import CHECKS
from simulator.fuzz.run import CRASH, LIVENESS, SeedResult

NS_PER_S = 1_000_000_000


class Totals:
    """Sums over seeds, added in the order of the seeds."""

    def __init__(self) -> None:
        self.seeds = 0
        self.vehicles = 0
        self.cpu_ns = 0
        self.world_ns = 0
        self.violations: dict[str, int | None] = dict.fromkeys((*CHECKS, LIVENESS, CRASH))
        self.failing: list[SeedResult] = []
        self.fault_kinds: set[str] = set()
        self.pairs: set[str] = set()
        self.crashed = 0
        self._trace = hashlib.blake2b(digest_size=16)

    def add(self, result: SeedResult) -> None:
        """Count one seed."""
        self.seeds += 1
        self.vehicles += result.vehicles
        self.cpu_ns += result.cpu_ns
        self.world_ns += result.world_ns
        for rule, count in result.violations.items():
            if count is not None:
                self.violations[rule] = (self.violations.get(rule) or 0) + count
        if result.broken:
            self.failing.append(result)
        self.fault_kinds |= set(result.fault_kinds)
        self.pairs |= result.pairs
        self._trace.update(f"{result.seed} {result.trace_hash}\n".encode())

    def as_dict(self) -> dict[str, Any]:
        """Return the figures under the names of the command's last line."""
        cpu_s = self.cpu_ns / NS_PER_S
        return {
            "seeds": self.seeds,
            "vehicles": self.vehicles,
            "vehicles_per_s": round(self.vehicles / cpu_s, 1) if cpu_s else 0.0,
            "violations": self.violations,
            "failing_seeds": [result.seed for result in self.failing],
            "fault_kinds": sorted(self.fault_kinds),
            "pairs_reached": len(self.pairs),
            "trace_hash": self._trace.hexdigest(),
            "world_s": self.world_ns // NS_PER_S,
            "core_s": round(cpu_s, 1),
        }

    def rules(self) -> Counter[str]:
        """Return how many seeds broke each rule."""
        return Counter(rule for result in self.failing for rule in sorted(result.broken))
