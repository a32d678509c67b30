"""One status per leg of a toll, and one for all of them."""

from __future__ import annotations

import itertools

import pytest

from lane_controller.core.legs import (
    MOVES,
    LegEvent,
    LegStatus,
    Settlement,
    after,
    settlement,
)

ENDS = {LegStatus.CONSUMED, LegStatus.RELEASED, LegStatus.REFUND_DUE}


@pytest.mark.parametrize(("status", "event"), list(itertools.product(LegStatus, LegEvent)), ids=str)
def test_every_pair_has_a_status(status: LegStatus, event: LegEvent) -> None:
    """A pair of the table moves, every other one changes nothing."""
    assert after(status, event) is MOVES.get((status, event), status)


def test_what_is_over_stays_over() -> None:
    """No late word revives a leg that was consumed, released or is owed back."""
    assert not ENDS & {status for status, _ in MOVES}


def test_the_record_ends_every_leg() -> None:
    """Sealed with it or without it, no leg is left open, reserved or merely captured."""
    for status in LegStatus:
        assert after(status, LegEvent.LEFT_OUT) in ENDS


def test_only_a_record_consumes() -> None:
    """No refusal and no answer uses a leg up: the record's name for it does, and nothing else."""
    consumed = {event for (_, event), to in MOVES.items() if to is LegStatus.CONSUMED}
    assert consumed == {LegEvent.NAMED}


@pytest.mark.parametrize(
    ("statuses", "settled", "expected"),
    [
        ((), False, Settlement.NOTHING),
        ((LegStatus.RELEASED,), False, Settlement.NOTHING),
        ((LegStatus.OFFERED,), False, Settlement.GATHERING),
        ((LegStatus.RESERVED, LegStatus.RELEASED), False, Settlement.GATHERING),
        ((LegStatus.CAPTURED, LegStatus.REFUND_DUE), False, Settlement.GATHERING),
        ((LegStatus.RESERVED, LegStatus.CAPTURED), True, Settlement.SETTLED),
        ((LegStatus.REFUND_DUE, LegStatus.RELEASED), False, Settlement.UNDOING),
    ],
)
def test_all_legs_together_have_one_status(
    statuses: tuple[LegStatus, ...], settled: bool, expected: Settlement
) -> None:
    """Covered is settled; else something is gathered, undone, or nothing is there."""
    assert settlement(statuses, settled=settled) is expected
