"""A barrier driver on boxes of bits behind real TCP."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from hw.barrier.driver import ContactBarrier
from hw.config import ContactBarrierConfig
from hw.links.modbus import ModbusBus
from tests.hw.lines import IoBox, ModbusTcpBox, clock, no_jitter, running
from tolling.devices import HealthReport
from tolling.inputs import InputSample, Point, Reading

RAISE, LOWER, GREEN, ALARM = 16, 17, 18, 19
BOOM_UP, BOOM_DOWN, LOOP_1, LOOP_2, CURTAIN = range(5)


def adam(port: int, **more: Any) -> dict[str, Any]:
    """Return a barrier table on one ADAM-6050."""
    return {
        "driver": "contact_barrier",
        "url": f"modbus+tcp://127.0.0.1:{port}",
        "profile": "adam_6050",
        "inputs": {
            "boom_up": {"channel": 0},
            "boom_down": {"channel": 1},
            "loop_1": {"channel": 2},
            "loop_2": {"channel": 3},
            "curtain": {"channel": 4},
        },
        "outputs": {
            "raise": {"channel": 0, "on_ms": 100},
            "lower": {"channel": 1, "on_ms": 100},
            "lane_green": {"channel": 2},
            "alarm": {"channel": 3, "on_ms": 100},
        },
        **more,
    }


def free_box() -> IoBox:
    """Return a box of a lane at rest: boom down, nothing on the loops, wires whole."""
    box = IoBox()
    box.coils |= {BOOM_UP: 0, BOOM_DOWN: 1, LOOP_1: 1, LOOP_2: 1, CURTAIN: 1}
    return box


@dataclass
class Rig:
    """What a test sees of a running driver."""

    subject: ContactBarrier
    modules: list[ModbusTcpBox]
    samples: list[InputSample] = field(default_factory=list)
    health: list[HealthReport] = field(default_factory=list)

    @property
    def box(self) -> IoBox:
        """The first module's bits."""
        return self.modules[0].box

    def reading(self, point: Point) -> Reading | None:
        """Return what was reported of a point last."""
        return next((s.reading for s in reversed(self.samples) if s.point is point), None)


@contextlib.asynccontextmanager
async def barrier_on(table: dict[str, Any], *modules: ModbusTcpBox) -> AsyncIterator[Rig]:
    """Run a driver over modules that listen already."""
    point_map = ContactBarrierConfig.model_validate(table).point_map()
    urls = dict.fromkeys(module.url for module in point_map.modules)
    buses = {url: ModbusBus(url, clock=clock, jitter=no_jitter) for url in urls}
    samples: list[InputSample] = []
    health: list[HealthReport] = []
    subject = ContactBarrier(
        point_map, buses, on_input=samples.append, on_health=health.append, clock=clock
    )
    async with running(*buses.values(), subject):
        yield Rig(subject=subject, modules=list(modules), samples=samples, health=health)
