"""Tests of simulator.bench.figures."""

from __future__ import annotations

import pytest

from simulator.bench import figures as subject


@pytest.mark.parametrize(
    ("ordered", "percent", "expected"),
    [
        ((7,), 50, 7),
        ((1, 2, 3), 50, 2),
        ((1, 2, 3, 4), 50, 2),
        (tuple(range(1, 101)), 99, 99),
        (tuple(range(1, 101)), 100, 100),
    ],
)
def test_a_percentile_is_one_of_the_samples(
    ordered: tuple[int, ...], percent: int, expected: int
) -> None:
    """It is the smallest sample that so many percent are not above."""
    assert subject.percentile(ordered, percent) == expected


def test_few_samples_have_no_tail() -> None:
    """Fewer than 200 samples give no p99; 200 do."""
    assert subject.spread(range(1, 200)).p99_ms is None
    whole = subject.spread([1_000 * number for number in range(200, 0, -1)])
    assert (whole.samples, whole.p50_ms, whole.p99_ms) == (200, 100.0, 198.0)


def test_a_ratio_needs_a_floor() -> None:
    """A floor that took no time is a fault of the bench."""
    assert subject.ratio(15.0, 10.0) == 1.5
    with pytest.raises(AssertionError):
        subject.ratio(15.0, 0.0)


@pytest.mark.parametrize(
    ("total", "blocks", "expected"),
    [(10, 3, (4, 3, 3)), (2, 10, (1, 1)), (0, 3, ()), (500, 10, (50,) * 10)],
)
def test_shares_sum_to_the_whole(total: int, blocks: int, expected: tuple[int, ...]) -> None:
    """Cars are dealt into blocks without a rest and without an empty block."""
    assert subject.shares(total, blocks) == expected
