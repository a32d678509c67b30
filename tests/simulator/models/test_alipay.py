"""The simulated Alipay platform: what each call answers and what the books then say."""

from __future__ import annotations

import pytest

from simulator.models.alipay_values import BuyerBehaviour, TradeState
from tests.simulator.models.alipay_merchant import (
    NUMBER,
    T0,
    Merchant,
    S,
    make_platform,
    pay_biz,
)

NAMED = {"out_trade_no": NUMBER}


@pytest.fixture
def subject() -> Merchant:
    """A merchant with a platform of its own."""
    return Merchant()


def code_of(
    subject: Merchant,
    behaviour: BuyerBehaviour = BuyerBehaviour.PAYS,
    after_ms: int = 0,
    buyer: str = "driver-1",
    at_ns: int = T0,
) -> str:
    """Return a fresh code of a buyer that behaves so."""
    return subject.platform.issue_code(buyer, at_ns, behaviour, after_ms=after_ms).code


def test_a_barcode_payment_is_paid_at_once(subject: Merchant) -> None:
    """A small payment answers 10000 with number, trade_no, amounts and Beijing time, and is
    booked."""
    answer = subject.ask("pay", pay_biz(code_of(subject)))
    assert (answer["code"], answer["msg"]) == ("10000", "Success")
    assert answer["out_trade_no"] == NUMBER
    assert (
        answer["total_amount"] == answer["receipt_amount"] == answer["buyer_pay_amount"] == "25.50"
    )
    assert answer["gmt_payment"] == "2026-11-22 08:00:05"
    (trade,) = subject.platform.books(T0)
    assert (trade.captured_fen, trade.refunded_fen, trade.paid_at_ns) == (2550, 0, T0)
    assert trade.trade_no == answer["trade_no"]
    assert trade.state is TradeState.TRADE_SUCCESS
    (charge,) = subject.platform.charges_of("driver-1", T0)
    assert (charge.out_trade_no, charge.amount_fen) == (NUMBER, 2550)


def test_the_same_payment_sent_again_answers_the_same_and_charges_once(subject: Merchant) -> None:
    """An identical replay is the old answer, byte for byte, and no second charge."""
    biz = pay_biz(code_of(subject))
    first = subject.send("pay", biz)
    again = subject.send("pay", biz, at_ns=T0 + 3 * S)
    assert again.body == first.body
    assert len(subject.platform.charges_of("driver-1", T0 + 3 * S)) == 1


@pytest.mark.parametrize(
    ("change", "sub_code"),
    [
        ({"total_amount": "25.51"}, "ACQ.CONTEXT_INCONSISTENT"),
        ({"subject": "another"}, "ACQ.CONTEXT_INCONSISTENT"),
        ({"auth_code": "285555555555555555"}, "ACQ.TRADE_HAS_SUCCESS"),
    ],
)
def test_a_number_used_with_other_content_is_refused(
    subject: Merchant, change: dict[str, str], sub_code: str
) -> None:
    """out_trade_no is unique: other content is tampering, only another code says already paid."""
    biz = pay_biz(code_of(subject))
    subject.ask("pay", biz)
    answer = subject.ask("pay", {**biz, **change})
    assert (answer["code"], answer["sub_code"]) == ("40004", sub_code)
    assert subject.platform.books(T0)[0].captured_fen == 2550


@pytest.mark.parametrize(
    ("behaviour", "sub_code"),
    [
        (BuyerBehaviour.BALANCE_SHORT, "ACQ.BUYER_BALANCE_NOT_ENOUGH"),
        (BuyerBehaviour.RISK_REFUSED, "ACQ.PAYMENT_REQUEST_HAS_RISK"),
        (BuyerBehaviour.UNKNOWN_CODE, "ACQ.PAYMENT_AUTH_CODE_INVALID"),
    ],
)
def test_a_refused_payment_uses_number_and_code_up(
    subject: Merchant, behaviour: BuyerBehaviour, sub_code: str
) -> None:
    """A refusal answers 40004 with zeros; number and code are spent, and no trade exists."""
    code = code_of(subject, behaviour)
    answer = subject.ask("pay", pay_biz(code))
    assert (answer["code"], answer["sub_code"]) == ("40004", sub_code)
    assert answer["buyer_pay_amount"] == "0.00"
    assert subject.ask("pay", pay_biz(code))["sub_code"] == sub_code
    fresh = code_of(subject)
    assert subject.ask("pay", pay_biz(fresh))["sub_code"] == "ACQ.CONTEXT_INCONSISTENT"
    second = subject.ask("pay", pay_biz(code, number=NUMBER[:-1] + "2"))
    assert second["sub_code"] == "ACQ.PAYMENT_AUTH_CODE_INVALID"
    assert subject.ask("query", NAMED)["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    assert subject.platform.books(T0) == ()


def test_a_code_pays_once(subject: Merchant) -> None:
    """The previous car's code is refused under a new number."""
    code = code_of(subject)
    subject.ask("pay", pay_biz(code))
    answer = subject.ask("pay", pay_biz(code, number=NUMBER[:-1] + "2"))
    assert answer["sub_code"] == "ACQ.PAYMENT_AUTH_CODE_INVALID"
    assert len(subject.platform.books(T0)) == 1


def test_a_code_expires_after_60_seconds(subject: Merchant) -> None:
    """A code is good until its minute is over, not from then on."""
    early, late = code_of(subject), code_of(subject)
    stamp = {"timestamp": "2026-11-22 08:01:05"}
    good = subject.ask("pay", pay_biz(early), at_ns=T0 + 60 * S - 1, **stamp)
    assert good["code"] == "10000"
    other = pay_biz(late, number=NUMBER[:-1] + "2")
    bad = subject.ask("pay", other, at_ns=T0 + 60 * S, **stamp)
    assert bad["sub_code"] == "ACQ.PAYMENT_AUTH_CODE_INVALID"


def test_a_password_makes_the_trade_wait_and_then_paid(subject: Merchant) -> None:
    """10003 first, WAIT_BUYER_PAY until the password is entered, then TRADE_SUCCESS at that
    time."""
    code = code_of(subject, BuyerBehaviour.CONFIRMS, 5_000)
    answer = subject.ask("pay", pay_biz(code))
    assert (answer["code"], answer["receipt_amount"]) == ("10003", "0.00")
    waiting = subject.ask("query", NAMED, at_ns=T0 + 5 * S - 1)
    assert waiting["trade_status"] == "WAIT_BUYER_PAY"
    paid = subject.ask("query", NAMED, at_ns=T0 + 5 * S)
    assert (paid["trade_status"], paid["total_amount"]) == ("TRADE_SUCCESS", "25.50")
    assert paid["send_pay_date"] == "2026-11-22 08:00:10"
    assert subject.ask("pay", pay_biz(code), at_ns=T0 + 6 * S)["code"] == "10000"


def test_books_read_later_show_the_password_entered_in_between(subject: Merchant) -> None:
    """The auditor sees a confirmation nobody asked about, at its own instant."""
    subject.ask("pay", pay_biz(code_of(subject, BuyerBehaviour.CONFIRMS, 20_000)))
    (trade,) = subject.platform.books(T0 + 100 * S)
    assert trade.paid_at_ns == T0 + 20 * S


def test_an_unpaid_trade_closes_by_itself(subject: Merchant) -> None:
    """timeout_express ends the waiting; the number stays closed."""
    code = code_of(subject, BuyerBehaviour.NEVER_CONFIRMS)
    subject.ask("pay", pay_biz(code))
    assert subject.ask("query", NAMED, at_ns=T0 + 119 * S)["trade_status"] == "WAIT_BUYER_PAY"
    assert subject.ask("query", NAMED, at_ns=T0 + 120 * S)["trade_status"] == "TRADE_CLOSED"
    assert (
        subject.ask("pay", pay_biz(code), at_ns=T0 + 121 * S)["sub_code"] == "ACQ.TRADE_HAS_CLOSE"
    )


def test_a_password_after_the_close_moves_nothing(subject: Merchant) -> None:
    """Who confirms after timeout_express pays nothing."""
    subject.ask("pay", pay_biz(code_of(subject, BuyerBehaviour.CONFIRMS, 130_000)))
    (trade,) = subject.platform.books(T0 + 200 * S)
    assert (trade.state, trade.captured_fen) == (TradeState.TRADE_CLOSED, 0)


def test_a_closed_dialog_closes_the_trade(subject: Merchant) -> None:
    """The buyer's no ends the trade unpaid."""
    subject.ask("pay", pay_biz(code_of(subject, BuyerBehaviour.CLOSES_DIALOG, 3_000)))
    assert subject.ask("query", NAMED, at_ns=T0 + 3 * S)["trade_status"] == "TRADE_CLOSED"


def test_trade_no_wins_over_out_trade_no(subject: Merchant) -> None:
    """Where a query names both numbers, the platform's own decides."""
    first = subject.ask("pay", pay_biz(code_of(subject)))
    subject.ask("pay", pay_biz(code_of(subject), number=NUMBER[:-1] + "2", amount="3.00"))
    both = {"out_trade_no": NUMBER[:-1] + "2", "trade_no": first["trade_no"]}
    assert subject.ask("query", both)["out_trade_no"] == NUMBER


def test_cancel_closes_a_waiting_trade_for_good(subject: Merchant) -> None:
    """action close, no money moved, and the password entered later pays nothing."""
    subject.ask("pay", pay_biz(code_of(subject, BuyerBehaviour.CONFIRMS, 5_000)))
    answer = subject.ask("cancel", NAMED, at_ns=T0 + S)
    assert (answer["code"], answer["action"], answer["retry_flag"]) == ("10000", "close", "N")
    (trade,) = subject.platform.books(T0 + 10 * S)
    assert (trade.state, trade.captured_fen) == (TradeState.TRADE_CLOSED, 0)
    again = subject.ask("cancel", NAMED, at_ns=T0 + 11 * S)
    assert again["action"] == "close"


def test_cancel_gives_a_paid_trade_back(subject: Merchant) -> None:
    """action refund: all of it is back, once, however often cancel is called."""
    subject.ask("pay", pay_biz(code_of(subject)))
    answer = subject.ask("cancel", NAMED, at_ns=T0 + S)
    assert answer["action"] == "refund"
    assert subject.ask("cancel", NAMED, at_ns=T0 + 2 * S)["action"] == "refund"
    (trade,) = subject.platform.books(T0 + 2 * S)
    assert (trade.captured_fen, trade.refunded_fen) == (2550, 2550)
    assert [refund.by_cancel for refund in trade.refunds] == [True]
    assert trade.state is TradeState.TRADE_CLOSED


def test_cancel_of_an_unknown_number_uses_it_up(subject: Merchant) -> None:
    """Success without an action; a payment that arrives later under that number is refused."""
    answer = subject.ask("cancel", NAMED)
    assert answer["code"] == "10000"
    assert "action" not in answer
    assert "trade_no" not in answer
    late = subject.ask("pay", pay_biz(code_of(subject)), at_ns=T0 + S)
    assert late["sub_code"] == "ACQ.TRADE_HAS_CLOSE"
    assert subject.ask("query", NAMED, at_ns=T0 + S)["sub_code"] == "ACQ.TRADE_NOT_EXIST"


def test_the_harsher_platform_charges_after_a_cancel_of_nothing() -> None:
    """With cancel_closes_unknown off a late payment still charges, so closed needs a later
    query."""
    subject = Merchant(platform=make_platform(cancel_closes_unknown=False))
    subject.ask("cancel", NAMED)
    assert subject.ask("pay", pay_biz(code_of(subject)), at_ns=T0 + S)["code"] == "10000"


def test_partial_refunds_add_up_and_are_made_once(subject: Merchant) -> None:
    """fund_change says whether this call moved money; refund_fee is the total so far."""
    subject.ask("pay", pay_biz(code_of(subject)))
    part = {**NAMED, "refund_amount": "10.00", "out_request_no": NUMBER + "R01"}
    first = subject.ask("refund", part)
    assert (first["fund_change"], first["refund_fee"], first["send_back_fee"]) == (
        "Y",
        "10.00",
        "10.00",
    )
    again = subject.ask("refund", part)
    assert (again["fund_change"], again["refund_fee"], again["send_back_fee"]) == (
        "N",
        "10.00",
        "0.00",
    )
    assert subject.ask("query", NAMED)["trade_status"] == "TRADE_SUCCESS"
    rest = {**NAMED, "refund_amount": "15.50", "out_request_no": NUMBER + "R02"}
    assert subject.ask("refund", rest)["refund_fee"] == "25.50"
    assert subject.ask("query", NAMED)["trade_status"] == "TRADE_CLOSED"
    (charge,) = subject.platform.charges_of("driver-1", T0)
    assert (charge.amount_fen, charge.refunded_fen) == (2550, 2550)


@pytest.mark.parametrize(
    ("change", "sub_code"),
    [
        ({"refund_amount": "25.51", "out_request_no": "R2"}, "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"),
        ({"refund_amount": "20.00", "out_request_no": "R2"}, "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"),
        ({"refund_amount": "9.00", "out_request_no": "R1"}, "ACQ.DISCORDANT_REPEAT_REQUEST"),
        ({"refund_amount": "9.00", "out_request_no": ""}, "ACQ.INVALID_PARAMETER"),
        ({"refund_amount": "-1", "out_request_no": "R2"}, "ACQ.INVALID_PARAMETER"),
        ({"refund_amount": "0.00", "out_request_no": "R2"}, "ACQ.INVALID_PARAMETER"),
        ({"out_trade_no": "x", "refund_amount": "1", "out_request_no": "R"}, "ACQ.TRADE_NOT_EXIST"),
    ],
)
def test_a_wrong_refund_moves_nothing(
    subject: Merchant, change: dict[str, str], sub_code: str
) -> None:
    """More than is left, another amount under one key, a part without a key: all refused."""
    subject.ask("pay", pay_biz(code_of(subject)))
    subject.ask("refund", {**NAMED, "refund_amount": "10.00", "out_request_no": "R1"})
    answer = subject.ask("refund", {**NAMED, **change})
    assert (answer["code"], answer["sub_code"]) == ("40004", sub_code)
    assert subject.platform.books(T0)[0].refunded_fen == 1000


def test_a_waiting_trade_cannot_be_refunded(subject: Merchant) -> None:
    """There is nothing to give back yet."""
    subject.ask("pay", pay_biz(code_of(subject, BuyerBehaviour.NEVER_CONFIRMS)))
    answer = subject.ask("refund", {**NAMED, "refund_amount": "25.50"})
    assert answer["sub_code"] == "ACQ.TRADE_STATUS_ERROR"


def test_an_old_trade_cannot_be_refunded_or_cancelled() -> None:
    """TRADE_FINISHED is final."""
    subject = Merchant(platform=make_platform(finish_after_ms=60_000))
    subject.ask("pay", pay_biz(code_of(subject)))
    at_ns = T0 + 60 * S
    assert subject.ask("query", NAMED, at_ns=at_ns)["trade_status"] == "TRADE_FINISHED"
    whole = {**NAMED, "refund_amount": "25.50"}
    assert subject.ask("refund", whole, at_ns=at_ns)["sub_code"] == "ACQ.TRADE_HAS_FINISHED"
    assert subject.ask("cancel", NAMED, at_ns=at_ns)["sub_code"] == "ACQ.TRADE_HAS_FINISHED"


def test_a_refund_can_be_asked_for(subject: Merchant) -> None:
    """A refund that was made answers REFUND_SUCCESS; one that was not answers bare success."""
    subject.ask("pay", pay_biz(code_of(subject)))
    subject.ask("refund", {**NAMED, "refund_amount": "10.00", "out_request_no": "R1"})
    made = subject.ask("fastpay.refund.query", {**NAMED, "out_request_no": "R1"})
    assert (made["refund_status"], made["refund_amount"]) == ("REFUND_SUCCESS", "10.00")
    never = subject.ask("fastpay.refund.query", {**NAMED, "out_request_no": "R2"})
    assert never == {"code": "10000", "msg": "Success"}
    none = subject.ask("fastpay.refund.query", {"out_trade_no": "x", "out_request_no": "R1"})
    assert none["sub_code"] == "ACQ.TRADE_NOT_EXIST"


def test_the_answer_names_its_delay() -> None:
    """The face never sleeps: latency and jitter are stated, from the seed alone."""
    subject = Merchant(platform=make_platform(latency_ms=600, latency_jitter_ms=100))
    delays = [subject.send("query", NAMED).delay_ns for _ in range(20)]
    assert all(600_000_000 <= delay <= 700_000_000 for delay in delays)
    assert len(set(delays)) > 1
    subject.platform.set_latency_ms(5)
    assert subject.send("query", NAMED).delay_ns == 5_000_000


def test_no_answer_and_no_view_holds_a_pay_code(subject: Merchant) -> None:
    """The code stays in the wallet: no answer, book, call or repr shows it."""
    issued = subject.platform.issue_code("driver-1", T0)
    body = subject.send("pay", pay_biz(issued.code)).body.decode()
    refused = subject.send("pay", pay_biz(issued.code, number=NUMBER + "X")).body.decode()
    seen = [body, refused, repr(issued), repr(subject.platform.books(T0))]
    seen += [repr(subject.platform.calls()), repr(subject.platform.charges_of("driver-1", T0))]
    assert all(issued.code not in text for text in seen)


def test_the_same_seed_gives_the_same_bytes() -> None:
    """One seed, one platform: codes, trade numbers and signatures repeat."""
    one, two = Merchant(), Merchant()
    bodies = [m.send("pay", pay_biz(code_of(m))).body for m in (one, two)]
    assert bodies[0] == bodies[1]


def test_calls_are_kept_for_the_auditor(subject: Merchant) -> None:
    """Every request is noted with its number and answer, so a second pay call can be seen."""
    subject.ask("pay", pay_biz(code_of(subject)))
    subject.ask("query", NAMED)
    calls = subject.platform.calls()
    assert [(call.method, call.out_trade_no, call.code) for call in calls] == [
        ("alipay.trade.pay", NUMBER, "10000"),
        ("alipay.trade.query", NUMBER, "10000"),
    ]


def test_cancel_and_refund_query_need_a_trade_they_can_find(subject: Merchant) -> None:
    """A trade_no the platform never gave out, or no key, is refused and uses nothing up."""
    subject.ask("pay", pay_biz(code_of(subject)))
    foreign = subject.ask("cancel", {"trade_no": "1"})
    assert (foreign["sub_code"], foreign["retry_flag"]) == ("ACQ.TRADE_NOT_EXIST", "N")
    assert subject.ask("cancel", {})["sub_code"] == "ACQ.INVALID_PARAMETER"
    assert subject.ask("fastpay.refund.query", NAMED)["sub_code"] == "ACQ.INVALID_PARAMETER"
    assert subject.platform.books(T0)[0].captured_fen == 2550


def test_a_password_paid_by_another_code_is_tampering(subject: Merchant) -> None:
    """While a trade waits, another code under its number is refused and the trade waits on."""
    biz = pay_biz(code_of(subject, BuyerBehaviour.CONFIRMS, 5_000))
    subject.ask("pay", biz)
    other = subject.ask("pay", {**biz, "auth_code": code_of(subject)})
    assert other["sub_code"] == "ACQ.CONTEXT_INCONSISTENT"
    assert len(subject.platform.books(T0 + 9 * S)) == 1
