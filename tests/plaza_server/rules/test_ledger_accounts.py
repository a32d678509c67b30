"""The chart of accounts and its table of transfers."""

from __future__ import annotations

import pytest

from plaza_server.rules import ledger_accounts as subject
from plaza_server.rules.ledger_accounts import AccountKind

ACCOUNTS = {
    AccountKind.CLEARING: subject.clearing("wechat"),
    AccountKind.SUSPENSE: "suspense",
    AccountKind.REFUND_DUE: "refund_due",
    AccountKind.REVENUE: subject.revenue("coupon", "north"),
    AccountKind.FEES: subject.fees("unionpay"),
    AccountKind.CASH_LANE: subject.cash_lane("007"),
    AccountKind.CASH_SAFE: "cash_safe",
    AccountKind.ETC: "etc",
    AccountKind.COUPON: "coupon",
    AccountKind.DIFFERENCES: subject.differences("alipay"),
}


def test_every_kind_has_accounts() -> None:
    """What the functions name is in the chart, as that kind."""
    assert {kind: subject.kind_of(name) for kind, name in ACCOUNTS.items()} == {
        kind: kind for kind in AccountKind
    }
    assert all(subject.is_account(name) for name in ACCOUNTS.values())


@pytest.mark.parametrize(
    "name",
    [
        "",
        "revenue",
        "revenue:alipay",
        "revenue:shells:north",
        "revenue:cash:",
        "revenue:cash:a:b",
        "clearing",
        "clearing:",
        "clearing:Ali Pay",
        "suspense:alipay",
        "cash",
        "cash_lane:1",
        "cash_lane:",
        "pocket",
    ],
)
def test_other_names_are_no_accounts(name: str) -> None:
    """A name that is no account of the chart is refused, however near it comes."""
    assert subject.kind_of(name) is None
    assert not subject.is_account(name)
    assert not subject.may_transfer(name, "suspense")


def test_a_transfer_goes_only_where_the_table_says() -> None:
    """Of all pairs of kinds exactly those of the table are allowed, each with what happened."""
    found = {
        (one, other)
        for one, debit in ACCOUNTS.items()
        for other, credit in ACCOUNTS.items()
        if subject.may_transfer(debit, credit)
    }
    assert found == set(subject.ALLOWED)
    assert all(subject.ALLOWED.values())


@pytest.mark.parametrize(
    ("debit", "credit"),
    [
        ("clearing:alipay", "revenue:alipay:p"),
        ("suspense", "clearing:alipay"),
        ("revenue:alipay:p", "clearing:alipay"),
        ("clearing:alipay", "clearing:wechat"),
        ("cash_lane:001", "suspense"),
    ],
)
def test_short_cuts_are_refused(debit: str, credit: str) -> None:
    """No capture is earned without a record, no refund is made that was not due."""
    assert not subject.may_transfer(debit, credit)


def test_a_tombstone_has_no_clearing_account() -> None:
    """No platform, no money."""
    with pytest.raises(AssertionError):
        subject.clearing("")


def test_every_kind_grows_one_way_but_differences() -> None:
    """Debit kinds and credit kinds are apart; differences may be either."""
    assert not subject.DEBIT_KINDS & subject.CREDIT_KINDS
    both = subject.DEBIT_KINDS | subject.CREDIT_KINDS
    assert set(AccountKind) - both == {AccountKind.DIFFERENCES}
