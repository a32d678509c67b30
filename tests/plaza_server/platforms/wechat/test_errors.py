"""The tables of error codes."""

from __future__ import annotations

import pytest

from plaza_server.platforms.wechat import errors as subject


def test_no_code_means_two_things() -> None:
    """A code refuses, waits, is absent or is our own fault: one of them."""
    groups = [
        subject.USER_PAYING,
        subject.NOT_THERE,
        subject.CONFIG_CODES,
        subject.PAY_CONFIG_CODES,
        subject.TOO_OFTEN,
        frozenset(subject.PAY_REFUSALS),
    ]
    assert sum(len(group) for group in groups) == len(frozenset().union(*groups))


@pytest.mark.parametrize(
    "code", ["SYSTEM_ERROR", "BANK_ERROR", "TRADE_ERROR", "OUT_TRADE_NO_USED", "INVALID_REQUEST"]
)
def test_what_may_still_be_paid_is_no_refusal(code: str) -> None:
    """A driver must not be asked to pay again while the first payment may have happened."""
    assert code not in subject.PAY_REFUSALS
    assert code not in subject.CONFIG_CODES


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("SIGN_ERROR", "SIGN_ERROR"),
        ("", ""),
        (None, ""),
        (5, ""),
        ("A B", ""),
        ("A\nB", ""),
        ("___", ""),
        ("错误", ""),
        ("X" * 65, ""),
    ],
)
def test_only_what_looks_like_a_code_is_told_on(said: object, code: str) -> None:
    """A code goes into logs and alarms; free text does not."""
    assert subject.normal_code(said) == code
