"""What a lane's answers mean to the attendant at its window."""

from __future__ import annotations

import hashlib

import pytest

from simulator.people import LaneSays
from simulator.stack.booth import said
from simulator.stack.operator_port import pin_hash
from tolling.messages import OperatorAction

BEGIN, TAKEN = OperatorAction.CASH_BEGIN, OperatorAction.CASH_TAKEN


@pytest.mark.parametrize(
    ("action", "outcome", "reason", "says"),
    [
        (BEGIN, "confirmed", "", LaneSays.ACCEPTED),
        (TAKEN, "confirmed", "", LaneSays.ACCEPTED),
        (BEGIN, "refused", "wait_for_phone_answer", LaneSays.NOT_NOW),
        (BEGIN, "refused", "stale", LaneSays.NOT_NOW),
        (TAKEN, "refused", "cash_not_begun", LaneSays.NOT_NOW),
        (BEGIN, "refused", "phone_paid_give_cash_back", LaneSays.PAID_BY_PHONE),
        (BEGIN, "refused", "released_already", LaneSays.PAID_BY_PHONE),
        (TAKEN, "refused", "released_already", LaneSays.ACCEPTED),
        (BEGIN, "refused", "disk_full", LaneSays.NOT_NOW),
    ],
)
def test_no_money_is_taken_or_kept_on_a_doubt(
    action: OperatorAction, outcome: str, reason: str, says: LaneSays
) -> None:
    """Accepted only where the lane said so, or has the money of the first try in its journal."""
    assert said(action, {"outcome": outcome, "reason": reason}) is says


@pytest.mark.slow
def test_a_pin_is_hashed_as_a_lane_file_wants_it() -> None:
    """scrypt with its parameters and a salt of its own; never the PIN."""
    subject = pin_hash("271828")
    name, n, r, p, salt, digest = subject.split("$")
    assert (name, n, r, p) == ("scrypt", "16384", "8", "1")
    made = hashlib.scrypt(
        b"271828", salt=bytes.fromhex(salt), n=16_384, r=8, p=1, dklen=32, maxmem=1 << 26
    )
    assert made.hex() == digest
    assert subject != pin_hash("271828")
