"""Certificates: read, named by SN, traced to a root, and refused for the right reason."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from plaza_server.platforms import certificates as subject
from plaza_server.platforms.keys import rsa_signer
from plaza_server.platforms.unionpay.envelope import CertifiedCheck
from tests.plaza_server.platforms.damage import (
    damaged,
    with_a_strange_name,
    with_a_strange_version,
)
from tolling.errors import BadInputError

ALIPAY = Path(__file__).parents[2] / "golden" / "alipay_cert"
UNIONPAY = Path(__file__).parents[2] / "golden" / "unionpay_codec"
SERIALS = json.loads((ALIPAY / "serials.json").read_text())
NOW_MS = 1_795_314_605_000
OWNER = "中国银联股份有限公司"
# A certificate among the fixtures of the platform's own kit for Node, and what that kit says of it.
ISSUER = (
    "CN=Ant Financial Certification Authority Class 2 R1,"
    "OU=Certification Authority,O=Ant Financial,C=CN"
)
NUMBER = 42701552432456004857627230056898180491
PUBLISHED_SN = "7513daaaa48aa3ba2e4018d84402479c"


def read(path: Path) -> x509.Certificate:
    return subject.load_certificates(path)[0]


def chain(middle: str = "middle_cert.pem", now_ms: int = NOW_MS) -> CertifiedCheck:
    return subject.chain_check(
        root=UNIONPAY / "root_cert.pem",
        middle=UNIONPAY / middle,
        owner=OWNER,
        wall_ms=lambda: now_ms,
    )


MESSAGE = b"0123456789abcdef"
SIGNATURE = rsa_signer(UNIONPAY / "platform_private.pem")(MESSAGE)
STRANGER_SIGNATURE = rsa_signer(UNIONPAY / "stranger_private.pem")(MESSAGE)


@pytest.mark.parametrize("name", [name for name in SERIALS if name != "root"])
def test_a_serial_is_what_openssl_reads_from_the_certificate(name: str) -> None:
    """Issuer and serial number as OpenSSL prints them, hashed."""
    assert subject.serial_sn(read(ALIPAY / f"{name}_cert.pem")) == SERIALS[name]


def test_a_root_s_serial_leaves_out_what_is_not_signed_with_rsa() -> None:
    """Three roots in the file, two in the serial, in the file's order."""
    roots = subject.load_certificates(ALIPAY / "root_cert.pem")
    assert len(roots) == 3
    assert subject.root_sn(roots) == SERIALS["root"]
    assert subject.root_sn(roots).count("_") == 1


@pytest.mark.slow
def test_a_published_certificate_has_its_published_serial() -> None:
    """The platform's own kit says what the SN of this issuer and number is."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name.from_rfc4514_string(ISSUER)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(NUMBER)
        .not_valid_before(datetime(2020, 5, 14, tzinfo=UTC))
        .not_valid_after(datetime(2022, 5, 14, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    assert subject.serial_sn(certificate) == PUBLISHED_SN


def test_the_platform_s_certificate_vouches_for_what_it_signed() -> None:
    """Right chain, right company, in its time; also with the line ends an answer has."""
    pem = (UNIONPAY / "platform_cert.pem").read_bytes()
    check = chain()
    assert check(pem, SIGNATURE, MESSAGE)
    assert check(pem.replace(b"\n", b"\r\n"), SIGNATURE, MESSAGE)
    assert not check(pem, SIGNATURE, MESSAGE + b"x")
    assert not check(pem, b"", MESSAGE)


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("expired_cert", SIGNATURE),
        ("leaf_issued_cert", STRANGER_SIGNATURE),
        ("other_owner_cert", STRANGER_SIGNATURE),
        ("stranger_cert", STRANGER_SIGNATURE),
        ("merchant_cert", SIGNATURE),
        ("middle_cert", SIGNATURE),
        ("root_cert", SIGNATURE),
    ],
)
def test_another_certificate_vouches_for_nothing(name: str, signature: bytes) -> None:
    """Ended, issued by one that may not, another company's, another key's, ours, the issuer's."""
    pem = (UNIONPAY / f"{name}.pem").read_bytes()
    assert not chain()(pem, signature, MESSAGE)


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"hello",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        b"x" * (subject.MAX_CERTIFICATE_BYTES + 1),
        b"-----BEGIN CERTIFICATE-----\n"
        + base64.b64encode(b"\x30\x03\x02\x01\x01")
        + b"\n-----END",
    ],
)
def test_what_is_no_certificate_never_raises(pem: bytes) -> None:
    """It comes from a stranger."""
    assert not chain()(pem, SIGNATURE, MESSAGE)


@pytest.mark.slow
def test_a_damaged_certificate_never_raises_and_vouches_for_nothing_else() -> None:
    """The library raises more than it says, and some of it only when a name is asked for."""
    check, genuine = chain(), read(UNIONPAY / "platform_cert.pem")
    for pem in damaged(genuine):
        if check(pem, SIGNATURE, MESSAGE):
            believed = x509.load_pem_x509_certificate(pem)
            assert believed.tbs_certificate_bytes == genuine.tbs_certificate_bytes


@pytest.mark.parametrize("damage", [with_a_strange_version, with_a_strange_name])
def test_a_damaged_file_is_told_by_its_name(
    damage: Callable[[x509.Certificate], bytes], tmp_path: Path
) -> None:
    """No other word of the library's reaches who starts the plaza."""
    path = tmp_path / "damaged.pem"
    path.write_bytes(damage(read(UNIONPAY / "platform_cert.pem")))
    with pytest.raises(BadInputError, match=r"damaged\.pem.*no certificate in PEM"):
        subject.load_certificates(path)


def test_a_verdict_is_kept_and_the_time_is_not() -> None:
    """A certificate believed yesterday ends today."""
    now_ms = [NOW_MS]
    check = subject.chain_check(
        root=UNIONPAY / "root_cert.pem",
        middle=UNIONPAY / "middle_cert.pem",
        owner=OWNER,
        wall_ms=lambda: now_ms[0],
    )
    pem = (UNIONPAY / "platform_cert.pem").read_bytes()
    assert check(pem, SIGNATURE, MESSAGE)
    now_ms[0] = 2_398_377_600_001  # 2046-01-01, one millisecond too late
    assert not check(pem, SIGNATURE, MESSAGE)
    now_ms[0] = NOW_MS
    assert check(pem, SIGNATURE, MESSAGE)


def test_many_strangers_do_not_fill_the_memory_of_verdicts() -> None:
    """A flood of certificates is forgotten, and the platform's is judged anew."""
    check = chain()
    for number in range(subject.KNOWN_MAX * 3):
        assert not check(b"stranger %d" % number, SIGNATURE, MESSAGE)
    assert check((UNIONPAY / "platform_cert.pem").read_bytes(), SIGNATURE, MESSAGE)


def test_root_and_middle_must_belong_together() -> None:
    """A mixture of two downloads is told at start, with the file's name."""
    with pytest.raises(BadInputError, match=r"platform_cert\.pem.*not issued by"):
        chain(middle="platform_cert.pem")


@pytest.mark.parametrize("name", ["platform", "next_platform"])
def test_a_certificate_leads_over_its_issuer_to_a_root(name: str) -> None:
    """With the issuer behind it; without it, in another order or at another time it does not."""
    first, middle = subject.load_certificates(ALIPAY / f"{name}_cert.pem")
    roots = subject.load_certificates(ALIPAY / "root_cert.pem")
    assert subject.traced_to(first, [middle], roots, wall_ms=NOW_MS)
    assert not subject.traced_to(first, [], roots, wall_ms=NOW_MS)
    assert not subject.traced_to(middle, [first], roots, wall_ms=NOW_MS)
    assert not subject.traced_to(first, [middle], roots[1:], wall_ms=NOW_MS)
    assert not subject.traced_to(first, [middle], roots, wall_ms=0)


def test_our_certificate_must_be_of_our_key() -> None:
    """Two accounts' files mixed up are told at start."""
    sign = rsa_signer(UNIONPAY / "merchant_private.pem")
    own = subject.load_own_certificate(UNIONPAY / "merchant_cert.pem", sign)
    assert own.serial_number == 69597475696
    with pytest.raises(BadInputError, match="another key than our private key"):
        subject.load_own_certificate(UNIONPAY / "platform_cert.pem", sign)


def test_a_file_without_a_certificate_is_named(tmp_path: Path) -> None:
    """Missing, or a key where a certificate belongs."""
    with pytest.raises(BadInputError, match=r"nothing\.pem"):
        subject.load_certificates(tmp_path / "nothing.pem")
    with pytest.raises(BadInputError, match="no certificate in PEM"):
        subject.load_certificates(UNIONPAY / "merchant_private.pem")


def test_a_curve_s_certificate_has_no_check_of_ours() -> None:
    """The platforms sign with RSA; another key is not silently accepted."""
    curve = subject.load_certificates(ALIPAY / "root_cert.pem")[1]
    assert subject.certificate_check(curve) is None


def test_an_end_is_told_in_utc_milliseconds() -> None:
    """The name stays when a newer certificate takes its place."""
    end = subject.expiry_of(read(UNIONPAY / "platform_cert.pem"), name="alipay_cert")
    assert end == subject.Expiry(name="alipay_cert", not_after_ms=2_398_377_600_000)


def test_only_an_issuer_may_issue() -> None:
    """Signed by the platform's own leaf, with the right names: the leaf is no issuer."""
    leaf = read(UNIONPAY / "platform_cert.pem")
    issued_by_it = read(UNIONPAY / "leaf_issued_cert.pem")
    issued_by_it.verify_directly_issued_by(leaf)
    assert not subject.was_issued_by(issued_by_it, leaf)
    assert subject.was_issued_by(leaf, read(UNIONPAY / "middle_cert.pem"))
