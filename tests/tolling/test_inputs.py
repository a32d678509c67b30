"""The boom may come down only over detectors freshly and surely free."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tolling.inputs import (
    READ_AGE_MAX_MS,
    InputSample,
    LowerRefusal,
    Point,
    Reading,
    may_lower,
)

NOW = 10**12
OLDEST = NOW - READ_AGE_MAX_MS * 1_000_000
BOTH = frozenset({Point.LOOP_2, Point.CURTAIN})


def sample(point: Point, reading: Reading = Reading.OFF, read_at_ns: int = NOW) -> InputSample:
    """Return one reading."""
    return InputSample(point=point, reading=reading, read_at_ns=read_at_ns)


LOOP = sample(Point.LOOP_2)
CURTAIN = sample(Point.CURTAIN)


@pytest.mark.parametrize(
    ("samples", "refusal"),
    [
        ([LOOP, CURTAIN], None),
        ([sample(Point.LOOP_2, read_at_ns=OLDEST), CURTAIN], None),
        ([LOOP, CURTAIN, sample(Point.LOOP_1, Reading.ON, 0)], None),
        ([LOOP, LOOP, CURTAIN], None),
        ([], LowerRefusal.MISSING),
        ([LOOP], LowerRefusal.MISSING),
        ([LOOP, sample(Point.LOOP_1)], LowerRefusal.MISSING),
        ([sample(Point.LOOP_2, read_at_ns=OLDEST - 1), CURTAIN], LowerRefusal.STALE),
        ([sample(Point.LOOP_2, read_at_ns=NOW + 1), CURTAIN], LowerRefusal.STALE),
        ([sample(Point.LOOP_2, Reading.ON), CURTAIN], LowerRefusal.OCCUPIED),
        ([sample(Point.LOOP_2, Reading.UNKNOWN), CURTAIN], LowerRefusal.OCCUPIED),
        ([LOOP, sample(Point.CURTAIN, Reading.UNKNOWN)], LowerRefusal.OCCUPIED),
        ([sample(Point.LOOP_2, Reading.ON), LOOP, CURTAIN], LowerRefusal.OCCUPIED),
        ([LOOP, sample(Point.LOOP_2, Reading.ON), CURTAIN], LowerRefusal.OCCUPIED),
    ],
)
def test_may_lower_says(samples: list[InputSample], refusal: LowerRefusal | None) -> None:
    """Each row's readings give that row's verdict; twice read, the occupied reading counts."""
    assert may_lower(samples, under_boom=BOTH, now_ns=NOW) is refusal


SAMPLES = st.builds(
    sample, st.sampled_from(Point), st.sampled_from(Reading), st.integers(OLDEST - 5, NOW + 5)
)


@given(st.lists(SAMPLES, max_size=6), st.sets(st.sampled_from(sorted(BOTH)), min_size=1))
def test_the_boom_never_comes_down_on_doubt(samples: list[InputSample], under: set[Point]) -> None:
    """Where lowering is allowed, every detector under the boom was read free and fresh."""
    if may_lower(samples, under_boom=frozenset(under), now_ns=NOW) is None:
        relevant = [each for each in samples if each.point in under]
        assert {each.point for each in relevant} == under
        assert all(each.reading is Reading.OFF for each in relevant)
        assert all(OLDEST <= each.read_at_ns <= NOW for each in relevant)


def test_a_boom_without_detectors_is_never_asked_about() -> None:
    """No detector under the boom trips the assertion instead of allowing."""
    with pytest.raises(AssertionError):
        may_lower([], under_boom=frozenset(), now_ns=NOW)


def test_only_off_is_free() -> None:
    """On and unknown both count as occupied."""
    assert [each for each in Reading if not each.occupied] == [Reading.OFF]
