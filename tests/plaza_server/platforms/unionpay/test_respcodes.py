"""The table of the gateway's answer codes."""

from __future__ import annotations

import pytest

from plaza_server.platforms.unionpay import respcodes as subject
from tolling.orders import NextStep

SETS = {
    "captured": subject.CAPTURED,
    "in progress": subject.IN_PROGRESS,
    "undecided": subject.UNDECIDED,
    "busy": subject.BUSY,
    "ours to fix": subject.CONFIG_CODES,
    "refused": frozenset(subject.PAY_REFUSALS),
}


def test_a_code_has_one_meaning_for_a_payment() -> None:
    """No code is in two sets: refused and undecided at once would be a lost or a double payment."""
    seen: dict[str, str] = {}
    for name, codes in SETS.items():
        for code in codes:
            assert code not in seen, f"{code} is {seen.get(code)} and {name}"
            seen[code] = name


def test_every_refusal_tells_the_driver_what_to_do() -> None:
    """A final refusal never says wait."""
    for code, refused in subject.PAY_REFUSALS.items():
        assert refused.next is not NextStep.WAIT, code


@pytest.mark.parametrize("code", ["42", "74", "75", "99", "12", "37"])
def test_a_code_that_leaves_money_open_is_in_no_set_of_ends(code: str) -> None:
    """Money taken for an unknown end, any error, a known number, asked too often: not refused."""
    assert code not in subject.PAY_REFUSALS
    assert code not in subject.CAPTURED


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"00", "00"),
        (b"A6", "A6"),
        (None, ""),
        (b"", ""),
        (b"0", ""),
        (b"000", ""),
        (b"a6", ""),
        (b" 0", ""),
        ("二".encode()[:2], ""),
    ],
)
def test_only_two_capitals_or_digits_are_a_code(raw: bytes | None, expected: str) -> None:
    """What is no code is empty, and empty is in no set."""
    assert subject.normal_code(raw) == expected
