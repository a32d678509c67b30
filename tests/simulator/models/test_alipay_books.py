"""The books under any sequence of calls: money is taken once and never given back twice."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.models.alipay_books import AlipayBooks
from simulator.models.alipay_values import AlipayConfig, BuyerBehaviour
from simulator.models.alipay_wallets import Wallets
from tests.simulator.models.alipay_merchant import pay_biz

MS = 1_000_000
NUMBERS = st.sampled_from(["T1", "T2", "T3"])
CODES = st.integers(0, 3)
AMOUNTS = st.sampled_from(["0.01", "10.00", "25.50"])
CALLS = st.one_of(
    st.tuples(st.just("pay"), NUMBERS, CODES, AMOUNTS),
    st.tuples(st.just("query"), NUMBERS, CODES, AMOUNTS),
    st.tuples(st.just("cancel"), NUMBERS, CODES, AMOUNTS),
    st.tuples(st.just("refund"), NUMBERS, CODES, AMOUNTS),
)


@pytest.mark.slow
@settings(deadline=None)
@given(
    behaviours=st.lists(st.sampled_from(BuyerBehaviour), min_size=4, max_size=4),
    steps=st.lists(st.tuples(CALLS, st.integers(0, 90_000)), max_size=25),
    remembers=st.booleans(),
)
def test_money_is_conserved_under_any_sequence_of_calls(
    behaviours: list[BuyerBehaviour],
    steps: list[tuple[tuple[str, str, int, str], int]],
    remembers: bool,
) -> None:
    """0 <= refunded <= captured; one capture per number and per code; what is paid stays paid."""
    config = AlipayConfig(cancel_closes_unknown=remembers)
    rng = random.Random(1)
    wallets = Wallets(rng=rng, code_ttl_ms=10**9)
    subject = AlipayBooks(config=config, wallets=wallets, rng=rng)
    codes = [
        wallets.issue(
            f"d{i}", 0, behaviour, after_ms=30_000, prefix=28, length=18, ttl_ms=None
        ).code
        for i, behaviour in enumerate(behaviours)
    ]
    now_ns, before = 0, {}
    for (call, number, which, amount), pause_ms in steps:
        now_ns += pause_ms * MS
        subject.advance(now_ns)
        if call == "pay":
            subject.pay(pay_biz(codes[which], number, amount), now_ns)
        elif call == "refund":
            request = {"refund_amount": amount, "out_request_no": f"{number}R{which}"}
            subject.refund({"out_trade_no": number, **request}, now_ns)
        else:
            {"query": subject.query, "cancel": subject.cancel}[call](
                {"out_trade_no": number}, now_ns
            )
        views = subject.views(now_ns)
        assert all(0 <= v.refunded_fen <= v.captured_fen <= v.total_fen for v in views)
        captured = [v for v in views if v.captured_fen]
        assert len({v.out_trade_no for v in captured}) == len(captured)
        assert len({v.code_no for v in captured}) == len(captured)
        for view in views:
            old_captured, old_refunded = before.get(view.out_trade_no, (0, 0))
            assert view.captured_fen >= old_captured
            assert view.refunded_fen >= old_refunded
        before = {v.out_trade_no: (v.captured_fen, v.refunded_fen) for v in views}
    taken = sum(v.captured_fen - v.refunded_fen for v in subject.views(now_ns))
    remembered = [c for i in range(4) for c in subject.charges_of(f"d{i}")]
    assert taken == sum(c.amount_fen - c.refunded_fen for c in remembered)


def test_confirmations_and_closings_happen_in_order_of_time() -> None:
    """A trade whose buyer confirms before its end is paid, also when nobody looked in between."""
    config = AlipayConfig()
    rng = random.Random(1)
    wallets = Wallets(rng=rng, code_ttl_ms=60_000)
    subject = AlipayBooks(config=config, wallets=wallets, rng=rng)
    for i, after_ms in enumerate((60_000, 60_001)):
        code = wallets.issue(
            f"d{i}",
            0,
            BuyerBehaviour.CONFIRMS,
            after_ms=after_ms,
            prefix=28,
            length=18,
            ttl_ms=None,
        ).code
        subject.pay(pay_biz(code, f"T{i}", timeout_express="1m"), 0)
    subject.advance(600_000 * MS)
    assert [v.paid_at_ns for v in subject.views(600_000 * MS)] == [60_000 * MS, None]
