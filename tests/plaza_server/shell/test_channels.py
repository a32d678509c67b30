"""A platform's part of the plaza file becomes a client, its certificates and what fetches them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from plaza_server.config import AlipayPart, UnionpayPart
from plaza_server.platforms.alipay.certificates import CertificateBook, load_certificate_mode
from plaza_server.platforms.alipay.codec import AlipayConfig
from plaza_server.platforms.calls import HttpAnswer
from plaza_server.platforms.keys import rsa_signer
from plaza_server.rules.outcomes import Evidence
from plaza_server.shell import channels as subject
from tolling.errors import BadInputError

GOLDEN = Path(__file__).parents[2] / "golden"
ALIPAY_KEYS = GOLDEN / "alipay_codec"
ALIPAY = GOLDEN / "alipay_cert"
UNIONPAY = GOLDEN / "unionpay_codec"
SERIALS = json.loads((ALIPAY / "serials.json").read_text())
NOW_MS = 1_795_314_605_000


def alipay_part(**files: Path) -> AlipayPart:
    return AlipayPart.model_validate(
        {"gateway_url": "https://gateway.test/gateway.do", "app_id": "2021", **files}
    )


def unionpay_part() -> UnionpayPart:
    return UnionpayPart(
        gateway_url="https://gateway.test/backTransReq.do",
        merchant_id="777290058110048",
        sign_private_key=Path("merchant_private.pem"),
        sign_certificate=Path("merchant_cert.pem"),
        middle_certificate=Path("middle_cert.pem"),
        root_certificate=Path("root_cert.pem"),
    )


CERTIFICATES = {
    "app_private_key": Path("merchant_private.pem"),
    "app_cert": Path("merchant_cert.pem"),
    "alipay_cert": Path("platform_cert.pem"),
    "alipay_root_cert": Path("root_cert.pem"),
}


def test_key_mode_depends_on_no_certificate() -> None:
    """Nothing ends, nothing is fetched."""
    part = alipay_part(
        app_private_key=Path("merchant_private.pem"),
        alipay_public_key=Path("platform_public.pem"),
    )
    channel = subject.alipay_channel(part, ALIPAY_KEYS)
    assert channel.client.name == "alipay"
    assert (channel.expiries(), channel.fetcher) == ((), None)


def test_our_own_key_in_the_platform_s_place_is_told_at_start() -> None:
    """A frequent mix-up that makes every answer unbelievable."""
    part = alipay_part(
        app_private_key=Path("merchant_private.pem"),
        alipay_public_key=Path("merchant_public.pem"),
    )
    with pytest.raises(BadInputError, match="our own public key"):
        subject.alipay_channel(part, ALIPAY_KEYS)


def test_certificate_mode_knows_its_ends_and_can_fetch() -> None:
    """Ours and the platform's, by their keys in the file."""
    channel = subject.alipay_channel(alipay_part(**CERTIFICATES), ALIPAY)
    assert [end.name for end in channel.expiries()] == ["app_cert", "alipay_cert"]
    assert channel.fetcher is not None
    assert channel.fetcher.next_call(now_ms=NOW_MS) is None


@pytest.mark.slow
def test_unionpay_depends_on_three_certificates() -> None:
    """Ours, and two of the platform's; the one it signs with comes along."""
    channel = subject.unionpay_channel(unionpay_part(), UNIONPAY)
    assert channel.client.name == "unionpay"
    names = [end.name for end in channel.expiries()]
    assert names == ["sign_certificate", "middle_certificate", "root_certificate"]


def test_a_unionpay_file_that_does_not_fit_is_named(tmp_path: Path) -> None:
    """The certificate of another key."""
    for path in UNIONPAY.glob("*.pem"):
        shutil.copy(path, tmp_path)
    shutil.copy(UNIONPAY / "platform_cert.pem", tmp_path / "merchant_cert.pem")
    with pytest.raises(BadInputError, match=r"merchant_cert\.pem.*another key"):
        subject.unionpay_channel(unionpay_part(), tmp_path)


def fetcher() -> tuple[subject.AlipayFetcher, CertificateBook]:
    sign = rsa_signer(ALIPAY / "merchant_private.pem")
    mode = load_certificate_mode(
        app_cert=ALIPAY / "merchant_cert.pem",
        alipay_cert=ALIPAY / "platform_cert.pem",
        alipay_root_cert=ALIPAY / "root_cert.pem",
        sign=sign,
        wall_ms=lambda: NOW_MS,
    )
    account = AlipayConfig(
        gateway_url="https://gateway.test/gateway.do",
        app_id="2021000000000001",
        app_cert_sn=mode.app_cert_sn,
        alipay_root_cert_sn=mode.root_cert_sn,
    )
    return subject.AlipayFetcher(account, sign=sign, book=mode.book), mode.book


def downloaded(name: str) -> HttpAnswer:
    body = (ALIPAY / f"download_answer_{name}.json").read_bytes()
    return HttpAnswer(status=200, headers=(), body=body)


def test_a_wanted_certificate_is_fetched_and_held() -> None:
    """One call per certificate; afterwards its answers are believed and nothing is wanted."""
    fetch, book = fetcher()
    book.check_of(SERIALS["next_platform"])
    call = fetch.next_call(now_ms=NOW_MS)
    assert call is not None
    assert b"alipaycert.download" in call.body
    assert fetch.take(downloaded("good")) == f"{SERIALS['next_platform']} held"
    assert book.check_of(SERIALS["next_platform"]) is not None
    assert fetch.next_call(now_ms=NOW_MS) is None


@pytest.mark.parametrize("answer", [downloaded("stranger"), Evidence.TIMEOUT])
def test_a_download_that_fails_is_not_repeated_in_a_loop(answer: HttpAnswer | Evidence) -> None:
    """It is wanted again when an answer names it again."""
    fetch, book = fetcher()
    book.check_of(SERIALS["next_platform"])
    fetch.next_call(now_ms=NOW_MS)
    assert "refused" in fetch.take(answer)
    assert fetch.next_call(now_ms=NOW_MS) is None
    assert book.check_of(SERIALS["next_platform"]) is None
    assert fetch.next_call(now_ms=NOW_MS) is not None
