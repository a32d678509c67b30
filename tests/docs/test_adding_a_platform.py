"""The page about adding a platform is true: its example codec passes every platform's checks."""

from __future__ import annotations

import base64
import json
import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from plaza_server.config import load_config
from plaza_server.platforms.calls import HttpAnswer
from plaza_server.platforms.keys import rsa_check, rsa_signer
from plaza_server.rules.calls import CallKind
from plaza_server.rules.outcomes import (
    CancelAgain,
    CancelDone,
    Closed,
    Misconfigured,
    NotThere,
    Paid,
    PlatformOutcome,
    RefundDone,
    RefundRefused,
    Refused,
    Waiting,
)
from tests.conformance.platform_codecs import CHECKS, Candidate, Check, Sample
from tests.plaza_server.platforms.unionpay.test_codec import CODE, NOW_MS, ORDER, AnOrder
from tolling.ids import LaneId, OutRefundNo, OutTradeNo
from tolling.orders import NextStep, ReasonCode
from tolling.paycodes import PayCode, Wallet

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "adding-a-platform.md"
KEYS = ROOT / "tests" / "golden" / "alipay_codec"
SIGN = rsa_signer(KEYS / "platform_private.pem")
OTHER = AnOrder(
    out_trade_no=OutTradeNo("330101001001000000008A01"),
    lane_id=LaneId("001"),
    out_refund_no=OutRefundNo("330101001001000000008A01R01"),
)

NAMED = set(re.findall(r"`([\w./-]+\.(?:py|md|toml))`", PAGE.read_text(encoding="utf-8")))
"""Files in the page's text."""
BALANCE = Refused(reason=ReasonCode.BALANCE, next=NextStep.OTHER_TENDER)
SAMPLES: tuple[tuple[CallKind, dict[str, object], PlatformOutcome], ...] = (
    (
        CallKind.PAY,
        {"state": "PAID", "fen": 2550, "txn": "C1"},
        Paid(captured_fen=2550, provider_txn_id="C1", paid_at_ms=None),
    ),
    (CallKind.PAY, {"state": "CONFIRM"}, Waiting()),
    (CallKind.PAY, {"error": "NO_MONEY"}, BALANCE),
    (
        CallKind.QUERY,
        {"state": "PAID", "fen": 2551, "txn": "C1"},
        Paid(captured_fen=2551, provider_txn_id="C1", paid_at_ms=None),
    ),
    (CallKind.QUERY, {"state": "CONFIRM"}, Waiting()),
    (CallKind.QUERY, {"state": "ENDED"}, Closed()),
    (CallKind.QUERY, {"state": "NONE"}, NotThere()),
    (CallKind.CANCEL, {"state": "ENDED", "back": True}, CancelDone(gave_back=True)),
    (CallKind.CANCEL, {"state": "BUSY"}, CancelAgain()),
    (
        CallKind.REFUND,
        {"state": "NEVER", "refund": ORDER.out_refund_no},
        RefundRefused(detail="NEVER", final=True),
    ),
    (
        CallKind.REFUND_QUERY,
        {"state": "BACK", "fen": 2550, "refund": ORDER.out_refund_no},
        RefundDone(refunded_total_fen=2550),
    ),
    (CallKind.QUERY, {"error": "CLOCK"}, Misconfigured(detail="CLOCK")),
)


def blocks(language: str) -> list[str]:
    """Return the page's code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@cache
def example() -> ModuleType:
    """Return the page's codec as a module."""
    (text,) = blocks("python")
    module = ModuleType("citypay_of_the_page")
    sys.modules[module.__name__] = module  # dataclasses look their module up
    exec(compile(text, str(PAGE), "exec"), module.__dict__)
    return module


def answered(call: CallKind, number: str, fields: dict[str, object]) -> HttpAnswer:
    """Return an answer CityPay would sign."""
    body = json.dumps({"call": call.value, "order": number} | fields).encode()
    signature = base64.b64encode(SIGN(body)).decode()
    return HttpAnswer(status=200, headers=(("X-City-Sign", signature),), body=body)


@cache
def candidate() -> Candidate:
    """Return the page's codec, ready to be judged."""
    module = example()
    codec = module.CitypayCodec(
        module.CitypayConfig(base_url="https://citypay.test", merchant="M1"),
        sign=rsa_signer(KEYS / "merchant_private.pem"),
        verify=rsa_check(KEYS / "platform_public.pem"),
    )
    return Candidate(
        codec=codec,
        order=ORDER,
        other=OTHER,
        code=PayCode(CODE, Wallet.UNIONPAY),
        now_ms=NOW_MS,
        samples=tuple(
            Sample(kind=kind, answer=answered(kind, ORDER.out_trade_no, fields), outcome=outcome)
            for kind, fields, outcome in SAMPLES
        ),
        probe_answer=answered(CallKind.QUERY, module.PROBE_NO, {"state": "NONE"}),
    )


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_the_page_s_codec_keeps_the_common_rules(check: Check) -> None:
    """What the page shows would be let in."""
    check(candidate())


@pytest.mark.parametrize("name", sorted(NAMED))
def test_every_file_the_page_names_is_there(name: str) -> None:
    """A page outlives the files it speaks of; this one does not."""
    if name in {"bill.py", "codec_bills.py", "plaza.toml"}:
        return
    assert (ROOT / name).exists(), name


def test_every_outcome_of_the_rules_is_explained() -> None:
    """The table is whole, and names nothing that is not there."""
    table = PAGE.read_text(encoding="utf-8").partition("| outcome |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([A-Z]\w+)`", table))
    kinds = {
        each.__name__
        for each in (
            *(Paid, Waiting, Refused, Misconfigured, Closed, NotThere),
            *(CancelDone, CancelAgain, RefundDone, RefundRefused),
        )
    }
    assert kinds | {"Unknown"} == named & (kinds | {"Unknown"})


@pytest.mark.slow
def test_the_page_s_plaza_file_is_a_good_one(tmp_path: Path) -> None:
    """The example of a platform's part is taken as it stands."""
    (part,) = blocks("toml")
    path = tmp_path / "plaza.toml"
    path.write_text(
        '[plaza]\nid = "330101"\nname = "x"\n[store]\nurl = "sqlite:///plaza.db"\n' + part,
        encoding="utf-8",
    )
    unionpay = load_config(path).platforms.unionpay
    assert unionpay is not None
    assert unionpay.accept_unverified


def test_every_command_of_the_page_is_one_of_ours_or_the_system_s() -> None:
    """No command that nobody can run; the tests it names are there."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    for line in lines:
        assert line.split()[0] in {
            *("openssl", "printf", "base64", "pytest", "plaza-server", "curl", "toll-sim")
        }, line
        for name in re.findall(r"tests/[\w./]+", line):
            assert (ROOT / name).exists(), name
