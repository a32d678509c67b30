"""The lane's figures for Prometheus, and a health page, on a loopback port of its own.

Names are a contract with the dashboards. Labels are few and closed: no number of an order, plate or
text made by the lane ever becomes one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from lane_controller.core.states import LaneMode, LaneState
from tolling.alarms import Degraded
from tolling.devices import Health
from tolling.ids import LaneId, PlazaId

_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 30, 60)
"""The limits that are promised (0.3, 2, 3, 10 s) are bounds, so their ratios are exact."""
SCAN_TO_RAISE = "scan_to_raise"
"""Stage: from the last byte of the paid code to the raise command."""
COMMIT = "commit"
"""Stage: one durable commit of the journal."""


class Metrics:
    """One registry per process."""

    def __init__(self, plaza: PlazaId, lane: LaneId, *, version: str) -> None:
        self.registry = CollectorRegistry()
        self._own = (plaza, lane)
        self._passages = self._counter(
            "toll_passages", "Sealed passages by vehicle kind and first tender.", "kind", "tender"
        )
        self._stage = Histogram(
            "toll_stage_seconds",
            "How long a stage of a passage takes.",
            ("plaza", "lane", "stage"),
            buckets=_BOUNDS,
            registry=self.registry,
        )
        self._alarms = self._counter("toll_alarms", "Alarms raised.", "code")
        self._commands = self._counter(
            "toll_remote_commands", "Commands of people by how they ended.", "origin", "outcome"
        )
        self._faults = self._counter("toll_dropped_inputs", "News of devices dropped in a flood.")
        self._mode = self._gauge("toll_lane_mode", "1 for the mode the lane is in.", "mode")
        self._health = self._gauge(
            "toll_device_health", "1 for the health a device is in.", "device", "health"
        )
        self._degraded = self._gauge("toll_degraded", "1 while a degraded mode stands.", "name")
        self._alarm_active = self._gauge("toll_alarm_active", "Alarms standing, by code.", "code")
        self._backlog = self._gauge("toll_upload_backlog", "Records the plaza has not got.")
        self._links = self._gauge("toll_link_up", "1 while a link works.", "link")
        build = self._gauge("toll_build_info", "1, with the version.", "version")
        build.labels(*self._own, version).set(1)
        self._alarm_codes: set[str] = set()

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, ("plaza", "lane", *labels), registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, ("plaza", "lane", *labels), registry=self.registry)

    def note_stage(self, stage: str, seconds: float) -> None:
        """Count one stage's time."""
        self._stage.labels(*self._own, stage).observe(seconds)

    def note_passage(self, *, kind: str, tender: str) -> None:
        """Count one sealed passage; *tender* is ``none`` where nothing was paid."""
        self._passages.labels(*self._own, kind, tender).inc()

    def note_alarm(self, code: str) -> None:
        """Count an alarm that was raised."""
        self._alarms.labels(*self._own, code).inc()

    def note_command(self, *, origin: str, outcome: str) -> None:
        """Count a person's command. *origin*: local or broker."""
        self._commands.labels(*self._own, origin, outcome).inc()

    def note_dropped(self, count: int) -> None:
        """Count dropped news of devices."""
        self._faults.labels(*self._own).inc(count)

    def show(self, state: LaneState, *, unsent: int) -> None:
        """Show the lane's state as gauges."""
        for mode in LaneMode:
            self._mode.labels(*self._own, mode.value).set(state.mode is mode)
        for device, health in state.devices.items():
            for each in Health:
                self._health.labels(*self._own, device, each.value).set(health is each)
        standing = {mode.name for mode in state.degraded}
        for name in Degraded:
            self._degraded.labels(*self._own, name.value).set(name in standing)
        codes = [alarm.code for alarm in state.alarms]
        self._alarm_codes |= set(codes)
        for code in self._alarm_codes:
            self._alarm_active.labels(*self._own, code).set(codes.count(code))
        self._backlog.labels(*self._own).set(unsent)
        self._links.labels(*self._own, "plaza").set(state.plaza_up)
        self._links.labels(*self._own, "broker").set(state.broker_up)


class MetricsPort:
    """Serves /metrics and /healthz on loopback."""

    def __init__(
        self, metrics: Metrics, host: str, port: int, *, health: Callable[[], dict[str, Any]]
    ) -> None:
        """Make the port. *port* 0 takes a free one. *health*: what /healthz says."""
        self._metrics = metrics
        self._host = host
        self._port = port
        self._health = health
        self.url = ""
        """Where it serves, once it is ready."""
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled. Raises: OSError: the port is taken."""
        app = web.Application(client_max_size=1024)
        app.router.add_get("/metrics", self._metrics_page)
        app.router.add_get("/healthz", self._health_page)
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._host, self._port)
            await site.start()
            host, port = runner.addresses[0][:2]
            self._port = port  # The same one again after a restart of this page.
            self.url = f"http://{host}:{port}"
            self.ready.set()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    async def _metrics_page(self, _: web.Request) -> web.Response:
        body = generate_latest(self._metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _health_page(self, _: web.Request) -> web.Response:
        return web.Response(text=json.dumps(self._health()), content_type="application/json")
