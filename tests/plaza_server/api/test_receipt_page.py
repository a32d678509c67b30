"""The page's words: language, verdicts, escaping."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from plaza_server.api.receipt_page import is_chinese, shown, unknown
from plaza_server.rules.receipts import (
    ReceiptEvent,
    ReceiptState,
    ReceiptStep,
    ReceiptView,
    RefundLine,
    RefundProgress,
)
from tests.plaza_server.plaza_bench import TOLL
from tests.tolling.test_receipts import made, signed
from tolling.best_price import Reason
from tolling.receipts import ReceiptLeg
from tolling.tariffs import EntrySource
from tolling.vehicles import VehicleClass

S = ReceiptState


def view(**changes: Any) -> ReceiptView:
    """Return a delivered receipt, changed."""
    whole = ReceiptView(
        receipt=made(),
        content="",
        state=S.DELIVERED,
        signed=signed(),
        steps=(),
        refunds=(),
    )
    return replace(whole, **changes)


def page(what: ReceiptView, *, chinese: bool = True, simulation: bool = False) -> str:
    """Return the page of a receipt."""
    return shown(
        what, chinese=chinese, plaza_name="云岭站", simulation=simulation, qr="<svg></svg>"
    )


def step(state: ReceiptState, event: ReceiptEvent) -> ReceiptStep:
    """Return one step of a history."""
    return ReceiptStep(event=event, to_state=state, who="xq7", why="", wall_ms=1_795_314_605_000)


REIMBURSED = step(S.REIMBURSED, ReceiptEvent.REIMBURSE)
WHOLE = RefundLine(tender="cash", amount_fen=TOLL, progress=RefundProgress.DONE, of_toll=True)


@pytest.mark.parametrize(
    ("asked", "accepted", "chinese"),
    [
        ("", "", True),
        ("zh", "en", True),
        ("en", "zh-CN", False),
        ("de", "en", False),
        ("", "en-US,en;q=0.9", False),
        ("", "zh-TW", True),
        ("", "fr,de;q=0.9", True),
        ("", "fr, en;q=0.5, zh;q=0.7", True),
        ("", "en;q=x, zh;q=0.1", True),
        ("", ";;;q=,,", True),
        ("", "en;q=0.2," * 500, False),
    ],
)
def test_the_language_is_the_askers(asked: str, accepted: str, chinese: bool) -> None:
    """?lang= first, then Accept-Language by weight, then Chinese."""
    assert is_chinese(asked, accepted) is chinese


@pytest.mark.parametrize(
    ("what", "zh", "en"),
    [
        (view(), "✓ 有效", "✓ Valid"),
        (
            view(refunds=(replace(WHOLE, amount_fen=50),)),
            "可报销金额 25.00 元",
            "¥25.00 may be claimed",
        ),
        (view(state=S.REIMBURSED, steps=(REIMBURSED,)), "不能再次报销", "cannot be paid out again"),
        (view(state=S.VOIDED), "收费站已收回本收据", "The plaza took this receipt back"),
        (
            view(state=S.VOIDED, refunds=(WHOLE,), steps=(REIMBURSED,)),
            "作废前已于 2026-11-22 10:30:05 报销",
            "It was reimbursed before that",
        ),
        (
            view(state=S.VOIDED, refunds=(WHOLE,)),
            "通行费已全额退还",
            "The whole toll was given back",
        ),
        (
            view(refunds=(replace(WHOLE, of_toll=False, progress=RefundProgress.UNDER_WAY),)),
            "多付退款</dt><dd>25.50 元 现金，退款中",
            "Paid too much</dt><dd>¥25.50 Cash, on its way back",
        ),
    ],
)
def test_every_state_is_said_in_both_languages(what: ReceiptView, zh: str, en: str) -> None:
    """And who did it is nobody's business."""
    for text, chinese in ((zh, True), (en, False)):
        told = page(what, chinese=chinese)
        assert text in told
        assert "xq7" not in told


def test_nothing_of_a_record_becomes_markup() -> None:
    """A station, payee or tender with brackets and dollars stays text."""
    evil = '"><script>alert(1)</script>$title'
    receipt = replace(
        made(), entry_station=evil, payee=evil, legs=(ReceiptLeg(tender=evil, amount_fen=TOLL),)
    )
    told = page(view(receipt=receipt))
    assert "<script" not in told
    assert told.count("&lt;script&gt;alert(1)&lt;/script&gt;$title") == 3


def test_every_class_and_odd_entry_has_words() -> None:
    """Discounts and a farthest entry are explained; a wild clock breaks no page."""
    why = (Reason(code="etc_rate", name="ETC", saved_fen=127),)
    for vehicle_class in VehicleClass:
        receipt = replace(
            made(),
            vehicle_class=vehicle_class,
            entry_source=EntrySource.FARTHEST,
            full_toll_fen=TOLL + 127,
            why=why,
            exited_ms=2**47,
        )
        zh, en = (page(view(receipt=receipt), chinese=chinese) for chinese in (True, False))
        assert "按最远" in zh
        assert "ETC 优惠，减 1.27 元" in zh
        assert "entry not known" in en
        assert "应收全额" in zh
    assert "六型货车" in page(view(receipt=replace(made(), vehicle_class=VehicleClass.TRUCK_6)))


def test_a_simulation_says_so_on_every_page() -> None:
    """Nobody shall take practice for money."""
    assert "模拟运行" in page(view(), simulation=True)
    assert "Simulation" in unknown(chinese=False, simulation=True)
    assert "模拟运行" not in page(view())


def test_a_coupon_is_told_with_its_reason() -> None:
    """Each leg, the full toll, and why less was paid; one a coupon covered whole is not void."""
    legs = (
        ReceiptLeg(tender="coupon", amount_fen=500),
        ReceiptLeg(tender="cash", amount_fen=TOLL - 500),
    )
    why = (Reason(code="coupon_fixed", name="券", saved_fen=500),)
    receipt = replace(made(), toll_fen=TOLL - 500, full_toll_fen=TOLL, legs=legs, why=why)
    zh, en = (page(view(receipt=receipt), chinese=chinese) for chinese in (True, False))
    assert "· 优惠券" in zh
    assert "优惠券，减 5.00 元" in zh
    assert "Coupon, 5.00 yuan off" in en
    nothing = view(receipt=replace(receipt, toll_fen=0))
    assert not nothing.refunded_whole
    assert "✓ 有效" in page(nothing)
