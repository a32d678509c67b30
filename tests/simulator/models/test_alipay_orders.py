"""When a trade closes by itself, and what a call may name."""

from __future__ import annotations

import pytest

from simulator.models.alipay_orders import (
    PayOrder,
    RefundOrder,
    named_trade,
    parse_pay,
    parse_refund,
)
from simulator.models.alipay_values import AlipayConfig
from tests.simulator.models.alipay_merchant import T0, S, pay_biz

CODE = "285000000000000001"


def order(**more: str) -> PayOrder | str:
    """Return what a payment with *more* is read as."""
    biz: dict[str, object] = dict(pay_biz(CODE, **more))
    return parse_pay(biz, config=AlipayConfig(), now_ns=T0)


@pytest.mark.parametrize(
    ("said", "lives_s"),
    [
        ({"timeout_express": "1m"}, 60),
        ({"timeout_express": "2h"}, 7_200),
        ({"timeout_express": "15d"}, 15 * 86_400),
        ({"timeout_express": "1c"}, 16 * 3_600 - 5),
        ({"timeout_express": ""}, 180),
        ({"timeout_express": "", "time_expire": "2026-11-22 08:01:00"}, 55),
        ({"timeout_express": "10m", "time_expire": "2026-11-22 08:01:00"}, 55),
    ],
)
def test_a_trade_closes_when_its_order_says(said: dict[str, str], lives_s: int) -> None:
    """Minutes, hours, days, the end of the Beijing day, an instant; three minutes where nothing is
    said."""
    read = order(**said)
    assert isinstance(read, PayOrder)
    assert read.closes_at_ns == T0 + lives_s * S


def test_too_large_an_amount_has_its_own_refusal() -> None:
    """Above 100,000,000 yuan the order is refused as too large, not as malformed."""
    assert isinstance(order(amount="100000000.00"), PayOrder)
    assert order(amount="100000000.01") == "ACQ.TOTAL_FEE_EXCEED"


def test_an_order_never_shows_its_code() -> None:
    """Neither the code nor what could be searched for it stands in the text of an order."""
    read = order()
    assert isinstance(read, PayOrder)
    assert CODE not in repr(read)
    assert read.digest not in repr(read)


def test_a_refund_key_is_letters_digits_and_underscores() -> None:
    """Another key is refused before any trade is looked for."""
    assert isinstance(parse_refund({"refund_amount": "1", "out_request_no": "A_1"}), RefundOrder)
    assert parse_refund({"refund_amount": "1", "out_request_no": "a-1"}) == "ACQ.INVALID_PARAMETER"


def test_a_call_that_names_no_trade_is_told_apart() -> None:
    """One number, the other, or none."""
    assert named_trade({"out_trade_no": "A"}) == ("A", "")
    assert named_trade({"trade_no": "2"}) == ("", "2")
    assert named_trade({"out_trade_no": ["A"]}) is None
