"""The bare gateway speaks Alipay's form and believes nobody."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlencode

import pytest

from simulator.bench.floor import gateway as subject
from simulator.bench.floor.common import Rsa2
from simulator.platforms.keys import make_or_load_keys

pytestmark = [pytest.mark.slow]
NUMBER = "330101101001000000001A01"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rsa2, Rsa2]:
    """Return the platform's keys and the merchant's."""
    files, _ = make_or_load_keys(tmp_path_factory.mktemp("keys"))
    return (
        Rsa2(files.alipay_private, files.app_public),
        Rsa2(files.app_private, files.alipay_public),
    )


def asked(merchant: Rsa2, method: str, **biz: str) -> bytes:
    pairs = {"method": method, "charset": "utf-8", "biz_content": json.dumps(biz)}
    text = "&".join(f"{key}={pairs[key]}" for key in sorted(pairs))
    sign = base64.b64encode(merchant.sign(text.encode())).decode()
    return urlencode(pairs | {"sign": sign}).encode()


def node(merchant: Rsa2, body: bytes) -> dict[str, str]:
    whole = json.loads(body)
    name = next(iter(whole))
    start = body.index(b":") + 1
    text = body[start : body.rindex(b',"sign":')]
    assert merchant.is_signed(base64.b64decode(whole["sign"]), text)
    return dict(whole[name])


@pytest.mark.asyncio
async def test_it_takes_the_money_and_remembers_it(keys: tuple[Rsa2, Rsa2]) -> None:
    """The real plaza asks again: the same amount, the same number."""
    platform, merchant = keys
    gateway = subject.BareGateway(platform)
    unknown = await gateway.answer(asked(merchant, subject.QUERY, out_trade_no=NUMBER))
    assert node(merchant, unknown)["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    pay = asked(merchant, subject.PAY, out_trade_no=NUMBER, total_amount="25.50")
    paid = node(merchant, await gateway.answer(pay))
    again = node(
        merchant, await gateway.answer(asked(merchant, subject.QUERY, out_trade_no=NUMBER))
    )
    assert paid == again
    assert (paid["total_amount"], paid["trade_status"]) == ("25.50", "TRADE_SUCCESS")


@pytest.mark.asyncio
async def test_a_stranger_s_request_is_refused(keys: tuple[Rsa2, Rsa2]) -> None:
    """Checking a signature is part of the work that is measured."""
    platform, _ = keys
    gateway = subject.BareGateway(platform)
    with pytest.raises(ValueError, match="bad signature"):
        await gateway.answer(asked(platform, subject.PAY, out_trade_no=NUMBER, total_amount="1.00"))


@pytest.mark.asyncio
async def test_the_gateway_counts_what_it_answered(keys: tuple[Rsa2, Rsa2]) -> None:
    """Pays, queries, and how many orders were asked about: two queries of one order are one."""
    platform, merchant = keys
    gateway = subject.BareGateway(platform)
    await gateway.answer(
        asked(merchant, subject.PAY, out_trade_no=NUMBER, auth_code="28", total_amount="25.50")
    )
    for _ in range(2):
        await gateway.answer(asked(merchant, subject.QUERY, out_trade_no=NUMBER))
    assert json.loads(await gateway.answer(b"")) == {
        subject.PAY: 1,
        subject.QUERY: 2,
        subject.ASKED_AGAIN: 1,
    }
