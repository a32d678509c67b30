"""The drivers' phones of a site: whose wallet a code before the scanner is of."""

from __future__ import annotations

import random

import pytest

from simulator.models.alipay import AlipayModel
from simulator.models.alipay_values import AlipayConfig
from simulator.models.unionpay import UnionpayModel
from simulator.models.unionpay_values import UnionpayConfig
from simulator.models.wallets import ALL_WALLETS
from simulator.models.wechat import WechatModel
from simulator.models.wechat_values import WechatConfig
from simulator.people import CodeKind, ShowCode, WalletWill
from simulator.site.phones import NoBank, Phones, Wallets
from simulator.world.keys import WorldGatewayKeys, WorldUnionpayKeys, WorldWechatKeys
from tolling.ids import LaneId
from tolling.paycodes import Wallet, classify

LANE, OTHER_LANE = LaneId("001"), LaneId("002")


@pytest.fixture
def subject() -> Phones:
    """Phones whose codes belong to no platform."""
    return Phones(NoBank(random.Random(1)))


def show(kind: CodeKind) -> ShowCode:
    """Return the intent to hold up a code of that kind."""
    return ShowCode(code=kind, will=WalletWill.PAYS, after_ms=0)


def test_ones_own_code_is_nobody_elses(subject: Phones) -> None:
    """A fresh one, and the same once more."""
    code = subject.hold_up("driver-1", LANE, show(CodeKind.FRESH), 0)
    assert subject.hold_up("driver-1", LANE, show(CodeKind.SAME), 1) == code
    assert subject.borrowed == set()


@pytest.mark.parametrize("kind", [CodeKind.PREVIOUS, CodeKind.USED])
def test_a_picture_of_anothers_code_is_told_with_its_owner(subject: Phones, kind: CodeKind) -> None:
    """Who held it up, and whose wallet pays."""
    subject.hold_up("driver-1", LANE, show(CodeKind.FRESH), 0)
    subject.hold_up("driver-2", LANE, show(kind), 1)
    assert subject.borrowed == {("driver-2", "driver-1")}


def test_a_screenshot_is_of_a_phone_in_another_lane_where_there_is_one(subject: Phones) -> None:
    """Two lanes then scan one code."""
    code = subject.hold_up("driver-1", OTHER_LANE, show(CodeKind.FRESH), 0)
    subject.hold_up("driver-2", LANE, show(CodeKind.FRESH), 1)
    assert subject.hold_up("driver-3", LANE, show(CodeKind.USED), 2) == code
    assert subject.borrowed == {("driver-3", "driver-1")}


def test_what_the_scanner_makes_of_a_code_counts_as_held_up(subject: Phones) -> None:
    """It delivers the code it read before this one."""
    before = subject.hold_up("driver-1", LANE, show(CodeKind.FRESH), 0)
    subject.hold_up("driver-2", LANE, show(CodeKind.FRESH), 1)
    subject.delivered("driver-2", before)
    subject.delivered("driver-2", b"never issued")
    assert subject.borrowed == {("driver-2", "driver-1")}


@pytest.fixture
def wallets() -> Wallets:
    """Give the wallets of all three platforms."""
    platforms = {
        "alipay": AlipayModel(config=AlipayConfig(), keys=WorldGatewayKeys(), rng=random.Random(1)),
        "wechat": WechatModel(config=WechatConfig(), keys=WorldWechatKeys(), rng=random.Random(2)),
        "unionpay": UnionpayModel(
            config=UnionpayConfig(), keys=WorldUnionpayKeys(), rng=random.Random(3)
        ),
    }
    return Wallets(platforms, ALL_WALLETS)


def test_whoever_shows_a_phone_has_the_next_wallet_in_turn_and_keeps_it(wallets: Wallets) -> None:
    """Four drivers, four wallets; a second code of the first is of his own wallet again."""
    subject = Phones(wallets)
    buyers = ["driver-9", "driver-2", "driver-3", "driver-7", "driver-9"]
    codes = [subject.hold_up(buyer, LANE, show(CodeKind.FRESH), 0) for buyer in buyers]
    found = [getattr(classify(code), "wallet", None) for code in codes]
    assert found == [*ALL_WALLETS, Wallet.ALIPAY]
    assert [subject.movements(buyer, 0) for buyer in buyers] == [()] * 5


def test_a_driver_can_be_given_a_wallet(wallets: Wallets) -> None:
    """It is out of turn: the next who shows a phone has the first of the row."""
    subject = Phones(wallets)
    subject.carries("driver-1", Wallet.WECHAT)
    codes = [
        subject.hold_up(buyer, LANE, show(CodeKind.FRESH), 0) for buyer in ("driver-1", "driver-2")
    ]
    found = [getattr(classify(code), "wallet", None) for code in codes]
    assert found == [Wallet.WECHAT, Wallet.ALIPAY]
