"""Tests of simulator.bench.scrape."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from simulator.bench import scrape as subject


def _page(*seconds: float, stage: str) -> str:
    registry = CollectorRegistry()
    stages = Histogram("toll_stage_seconds", "Stages.", ("lane", "stage"), registry=registry)
    for each in seconds:
        stages.labels("001", stage).observe(each)
    return generate_latest(registry).decode("utf-8")


def test_a_histogram_is_summed_over_pages_and_told_apart_by_label() -> None:
    """Only the named stage counts, on every lane's page."""
    pages = [_page(0.5, 1.5, stage="commit"), _page(1.0, stage="commit"), _page(9.0, stage="x")]
    found = subject.histogram(pages, "toll_stage_seconds", 'stage="commit"')
    assert found == subject.Total(seconds=3.0, count=3)
    assert found.mean_ms == 1_000.0


def test_what_was_there_before_does_not_count() -> None:
    """A mean between two readings is of the samples between them; none have no mean."""
    before = subject.Total(seconds=3.0, count=3)
    assert subject.Total(seconds=3.5, count=4).since(before).mean_ms == 500.0
    assert before.since(before).mean_ms is None


def test_the_system_tells_the_processor_time_of_a_process() -> None:
    """A running process has used some; one that is not there cannot be told."""
    used = subject.cpu_s([os.getpid()])
    assert used is not None
    assert used > 0
    assert subject.cpu_s([2**22 + 1]) is None
