"""A device's health, told once per change."""

from __future__ import annotations

from hw.links.health import HealthTracker
from tolling.devices import Device, Health, HealthReport


def test_health_is_told_once_per_change() -> None:
    """The same health again is not told, with whatever words."""
    heard: list[HealthReport] = []
    subject = HealthTracker(Device.SCANNER, heard.append)
    assert subject.current is None
    subject.set(Health.OK, "answers")
    subject.set(Health.OK, "still answers")
    subject.set(Health.LOST, "gone")
    assert [report.health for report in heard] == [Health.OK, Health.LOST]
    assert subject.current is Health.LOST
