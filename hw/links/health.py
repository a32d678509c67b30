"""A device's health, reported once per change."""

from __future__ import annotations

from hw.ports import OnHealth
from tolling.devices import Device, Health, HealthReport


class HealthTracker:
    """Remembers one device's health and reports it when it changes."""

    def __init__(self, device: Device, on_health: OnHealth) -> None:
        self._device = device
        self._on_health = on_health
        self._current: Health | None = None

    @property
    def current(self) -> Health | None:
        """What was reported last, None before the first report."""
        return self._current

    def set(self, health: Health, what: str) -> None:
        """Report *health* if it is new. *what*: for people, without any input of a driver."""
        if health is self._current:
            return
        self._current = health
        self._on_health(HealthReport(device=self._device, health=health, what=what))
