"""Requests and answers in certificate mode, and the fetching of a new certificate."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaza_server.platforms.alipay import codec_certificates as subject
from plaza_server.platforms.alipay.codec import AlipayCodec, AlipayConfig
from plaza_server.platforms.alipay.envelope import CertificateKeys
from plaza_server.platforms.calls import HttpAnswer, HttpCall, SignatureCheck
from plaza_server.platforms.certificates import certificate_check, load_certificates
from plaza_server.platforms.keys import rsa_signer
from plaza_server.rules.calls import CallKind
from plaza_server.rules.outcomes import Evidence, Misconfigured, Paid, PlatformOutcome, Unknown
from tests.plaza_server.platforms.alipay.test_certificates import GOLDEN, SERIALS, mode, pem
from tests.plaza_server.platforms.alipay.test_codec import NOW_MS, ORDER, PAID_MS, TRADE_NO

SIGN = rsa_signer(GOLDEN / "merchant_private.pem")
CONFIG = AlipayConfig(
    gateway_url="https://gateway.test/gateway.do",
    app_id="2021000000000001",
    app_cert_sn=SERIALS["merchant"],
    alipay_root_cert_sn=SERIALS["root"],
)
NEXT = SERIALS["next_platform"]
PAID = Paid(captured_fen=2550, provider_txn_id=TRADE_NO, paid_at_ms=PAID_MS)
BAD_SIGNATURE = Unknown(evidence=Evidence.BAD_SIGNATURE)

ANSWERS: dict[str, PlatformOutcome] = {
    "query_answer_paid": PAID,
    "query_answer_by_the_next": BAD_SIGNATURE,
    "query_answer_by_a_stranger": BAD_SIGNATURE,
    "query_answer_names_another": BAD_SIGNATURE,
    "query_answer_names_none": BAD_SIGNATURE,
    "query_answer_names_garbage": BAD_SIGNATURE,
    "query_answer_by_an_ended": BAD_SIGNATURE,
    "query_answer_unsigned_error": Misconfigured(detail="unsigned 40002 isv.invalid-app-cert-sn"),
}
BOOK = mode().book
DOWNLOADS: dict[str, tuple[str, Evidence | None]] = {
    "download_answer_good": (NEXT, None),
    "download_answer_by_the_old_one": (NEXT, None),
    "download_answer_of_another": (NEXT, Evidence.BAD_SIGNATURE),
    "download_answer_stranger": (SERIALS["stranger"], Evidence.BAD_SIGNATURE),
    "download_answer_ended": (SERIALS["ended_platform"], Evidence.BAD_SIGNATURE),
    "download_answer_unchained": (SERIALS["unchained_platform"], Evidence.BAD_SIGNATURE),
    "download_answer_badly_signed": (NEXT, Evidence.BAD_SIGNATURE),
    "download_answer_no_base64": (NEXT, Evidence.GARBLED),
    "download_answer_no_pem": (NEXT, Evidence.BAD_SIGNATURE),
    "download_answer_refused": (NEXT, Evidence.PLATFORM_UNSURE),
}
"""Answer -> the serial that was asked for, and why its certificate is not believed."""


def golden(name: str, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status=status, headers=(), body=(GOLDEN / f"{name}.json").read_bytes())


def signs_like(call: HttpCall, name: str) -> None:
    """Compare a request with the hand-written text and OpenSSL's signature of it."""
    pairs = dict(parse_qsl(call.body.decode("ascii"), strict_parsing=True))
    assert pairs.pop("sign") == (GOLDEN / f"{name}_request.sign").read_text()
    text = "&".join(f"{key}={pairs[key]}" for key in sorted(pairs))
    assert text == (GOLDEN / f"{name}_request.to_sign").read_text()


def test_a_request_carries_both_serials_and_signs_them() -> None:
    """Ours and the roots', among the signed pairs."""
    codec = AlipayCodec(CONFIG, sign=SIGN, verify=mode().book.keys)
    signs_like(codec.build(CallKind.QUERY, ORDER, code=None, now_ms=NOW_MS), "query")
    assert "app_cert_sn" in codec.probe(now_ms=NOW_MS).body.decode()


def test_a_download_asks_for_one_serial() -> None:
    """Signed like every other call."""
    signs_like(subject.build_download(CONFIG, NEXT, now_ms=NOW_MS, sign=SIGN), "download")


def test_one_serial_alone_is_no_certificate_mode() -> None:
    """Half a mode would be refused by the platform with every request."""
    with pytest.raises(AssertionError):
        AlipayConfig(gateway_url="x", app_id="1", app_cert_sn="a")


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_an_answer_is_believed_by_the_certificate_it_names(name: str) -> None:
    """Only one we hold, in its time, that made this signature."""
    codec = AlipayCodec(CONFIG, sign=SIGN, verify=mode().book.keys)
    assert codec.read(CallKind.QUERY, ORDER, golden(name), now_ms=NOW_MS) == ANSWERS[name]


def test_a_new_certificate_is_fetched_and_then_believed() -> None:
    """The first answer under it proves nothing and wants it; the same answer later is paid."""
    book = mode().book
    codec = AlipayCodec(CONFIG, sign=SIGN, verify=book.keys)
    answer = golden("query_answer_by_the_next")
    assert codec.read(CallKind.QUERY, ORDER, answer, now_ms=NOW_MS) == BAD_SIGNATURE
    assert book.wanted == (NEXT,)
    found = subject.read_download(
        golden("download_answer_good"), NEXT, judge=book.judge, known=book.keys
    )
    assert isinstance(found, bytes)
    assert book.add(found, NEXT)
    assert codec.read(CallKind.QUERY, ORDER, answer, now_ms=NOW_MS) == PAID


@pytest.mark.parametrize("name", sorted(DOWNLOADS))
def test_a_download_brings_a_certificate_or_the_reason_why_not(name: str) -> None:
    """Traced to the roots, of the serial asked for, in an answer the platform signed."""
    book = mode().book
    serial, why = DOWNLOADS[name]
    found = subject.read_download(golden(name), serial, judge=book.judge, known=book.keys)
    assert found == (pem("next_platform") if why is None else why)


def test_every_golden_answer_is_in_a_table() -> None:
    """No frame lies about unused."""
    assert {path.stem for path in GOLDEN.glob("*_answer_*.json")} == set(ANSWERS) | set(DOWNLOADS)


def test_another_status_brings_no_certificate() -> None:
    """A proxy's page is no answer."""
    book = mode().book
    found = subject.read_download(
        golden("download_answer_good", 502), NEXT, judge=book.judge, known=book.keys
    )
    assert found is Evidence.HTTP_STATUS


@pytest.mark.slow
@given(body=st.binary(max_size=300), cut=st.integers(min_value=0, max_value=8000))
def test_no_bytes_and_no_half_answer_bring_a_certificate(body: bytes, cut: int) -> None:
    """Never raises; a cut answer is none."""
    whole = golden("download_answer_good").body
    for each in (body, whole[: min(cut, len(whole) - 1)]):
        answer = HttpAnswer(status=200, headers=(), body=each)
        found = subject.read_download(answer, NEXT, judge=BOOK.judge, known=BOOK.keys)
        assert isinstance(found, Evidence)


def test_a_certificate_alone_is_not_enough() -> None:
    """A judge that vouches for it, and an answer signed by somebody else: not believed."""
    check = rsa_check_of("next_platform")
    found = subject.read_download(
        golden("download_answer_badly_signed"),
        NEXT,
        judge=lambda text, serial: check,
        known=CertificateKeys(check_of=lambda serial: None),
    )
    assert found is Evidence.BAD_SIGNATURE


def rsa_check_of(name: str) -> SignatureCheck:
    """Return the check with the key of a golden certificate."""
    check = certificate_check(load_certificates(GOLDEN / f"{name}_cert.pem")[0])
    assert check is not None
    return check
