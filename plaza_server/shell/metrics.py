"""The plaza's figures for Prometheus. Names are a contract with the dashboards.

Labels are few and closed: no order number, plate or lane-made text ever becomes one.
"""

from __future__ import annotations

import functools
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from tolling.ids import PlazaId

_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 30, 60)
"""The limits that are promised (0.3, 2, 3, 10 s) are bounds, so their ratios are exact."""
_COMMIT_BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Metrics:
    """One registry per process; the API serves it."""

    def __init__(self, plaza: PlazaId, *, version: str) -> None:
        self.registry = CollectorRegistry()
        self._plaza = plaza
        self.payment_results = Counter(
            "toll_payment_results",
            "Answers to pay by platform: paid, waiting, refused, unknown, misconfigured.",
            ("plaza", "channel", "result"),
            registry=self.registry,
        )
        self.payment_seconds = Histogram(
            "toll_payment_seconds",
            "From the pay call to its answer.",
            ("plaza", "channel"),
            buckets=_BOUNDS,
            registry=self.registry,
        )
        self.platform_calls = Counter(
            "toll_platform_calls",
            "Calls to platforms by kind and kind of outcome.",
            ("plaza", "channel", "call", "result"),
            registry=self.registry,
        )
        self.commit_seconds = Histogram(
            "toll_commit_seconds",
            "One durable transaction of the group commit.",
            ("plaza",),
            buckets=_COMMIT_BOUNDS,
            registry=self.registry,
        )
        self.commit_groups = Counter(
            "toll_commit_groups",
            "Commits, several of which share a transaction.",
            ("plaza",),
            registry=self.registry,
        )
        self.requests_waiting = self._gauge("toll_requests_waiting", "Requests not yet answered.")
        self.engine_faults = Counter(
            "toll_engine_faults",
            "Engines thrown away after an internal error.",
            ("plaza",),
            registry=self.registry,
        )
        self.alarms_total = Counter(
            "toll_alarms", "Alarms raised.", ("plaza", "code"), registry=self.registry
        )
        self.alarm_active = self._gauge("toll_alarm_active", "Alarms standing, by code.", "code")
        self.platform_suspended = self._gauge(
            "toll_platform_suspended", "1 while a platform is off.", "channel"
        )
        self.clock_skew_seconds = self._gauge(
            "toll_platform_clock_skew_seconds", "Platform clock minus ours.", "channel"
        )
        self.doubt_orders = self._gauge("toll_doubt_orders", "Undecided orders by age.", "age")
        self.doubt_oldest_seconds = self._gauge(
            "toll_doubt_oldest_seconds", "Age of the oldest undecided order; 0 without one."
        )
        # Looked up once for each set of labels, of which there are few, and not for each payment.
        self._of = functools.cache(self._labelled)
        build = self._gauge("toll_build_info", "1, with the version.", "version")
        build.labels(plaza, version).set(1)

    def _labelled(self, figure: Any, *labels: str) -> Any:
        return figure.labels(self._plaza, *labels)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, ("plaza", *labels), registry=self.registry)

    def note_call(self, channel: str, kind: str, result: str, seconds: float) -> None:
        """Count one platform call; pay has its own figures too."""
        self._of(self.platform_calls, channel, kind, result).inc()
        if kind == "pay":
            self._of(self.payment_results, channel, result).inc()
            self._of(self.payment_seconds, channel).observe(seconds)

    def note_commit(self, groups: int, seconds: float) -> None:
        """Count one transaction."""
        self._of(self.commit_groups).inc(groups)
        self._of(self.commit_seconds).observe(seconds)

    def note_alarm(self, code: str, *, raised: bool, active: int) -> None:
        """Count an alarm that was raised, and say how many of its code stand."""
        if raised:
            self.alarms_total.labels(self._plaza, code).inc()
        self.alarm_active.labels(self._plaza, code).set(active)

    def note_doubt(self, ages_ms: list[int]) -> None:
        """Say how old the undecided orders are."""
        young = sum(1 for age in ages_ms if age < 60_000)
        middle = sum(1 for age in ages_ms if 60_000 <= age < 600_000)
        for name, count in (
            ("under_1m", young),
            ("under_10m", middle),
            ("over_10m", len(ages_ms) - young - middle),
        ):
            self.doubt_orders.labels(self._plaza, name).set(count)
        self.doubt_oldest_seconds.labels(self._plaza).set(max(ages_ms, default=0) / 1000)

    def note_platform(self, channel: str, *, skew_ms: int | None, suspended: bool) -> None:
        """Say how a platform stands."""
        self.platform_suspended.labels(self._plaza, channel).set(int(suspended))
        if skew_ms is not None:
            self.clock_skew_seconds.labels(self._plaza, channel).set(skew_ms / 1000)

    def note_waiting(self, count: int) -> None:
        """Say how many requests wait for an answer."""
        self._of(self.requests_waiting).set(count)

    def note_fault(self) -> None:
        """Count an engine that was thrown away."""
        self.engine_faults.labels(self._plaza).inc()

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self.registry)
