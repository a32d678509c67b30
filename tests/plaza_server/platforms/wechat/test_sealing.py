"""The APIv3 key and what it opens."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from plaza_server.platforms.wechat import sealing as subject
from tests.plaza_server.platforms.wechat import golden
from tolling.errors import BadInputError

SECRET = b"x" * 32


def test_a_secret_opens_what_was_sealed_under_it_and_nothing_else() -> None:
    """Nonce, text, associated data and secret must all fit."""
    sealed = AESGCM(SECRET).encrypt(b"n" * 12, b"text", b"about")
    unseal = subject.unsealer(SECRET)
    assert unseal(b"n" * 12, sealed, b"about") == b"text"
    assert unseal(b"m" * 12, sealed, b"about") is None
    assert unseal(b"n" * 12, sealed[:-1], b"about") is None
    assert unseal(b"n" * 12, b"", b"about") is None
    assert unseal(b"n" * 12, sealed, b"") is None
    assert unseal(b"", sealed, b"about") is None
    assert subject.unsealer(b"y" * 32)(b"n" * 12, sealed, b"about") is None


def test_the_environment_goes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine's secret store may hold the key instead of a file."""
    path = tmp_path / "apiv3.key"
    path.write_bytes(b"a" * 32 + b"\n")
    assert subject.load_apiv3_key(path) == b"a" * 32
    monkeypatch.setenv("WECHAT_APIV3_KEY", "b" * 32)
    assert subject.load_apiv3_key(path) == subject.load_apiv3_key(None) == b"b" * 32


@pytest.mark.parametrize("content", [b"", b"a" * 31, b"a" * 33])
def test_a_key_of_another_length_is_named_and_not_shown(tmp_path: Path, content: bytes) -> None:
    """The older API key and a cut copy are refused at start."""
    path = tmp_path / "apiv3.key"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=r"apiv3\.key") as caught:
        subject.load_apiv3_key(path)
    assert "aaa" not in str(caught.value)


def test_a_missing_key_says_where_it_belongs(tmp_path: Path) -> None:
    """File or environment, and the third way."""
    with pytest.raises(BadInputError, match="WECHAT_APIV3_KEY"):
        subject.load_apiv3_key(None)
    with pytest.raises(BadInputError, match=r"nowhere\.key"):
        subject.load_apiv3_key(tmp_path / "nowhere.key")


def test_only_rsa_certificates_are_taken() -> None:
    """Rubbish and a curve's certificate are no key of the platform's."""
    pem = (golden.GOLDEN / "platform_certificate.pem").read_bytes()
    assert subject.read_certificate(pem) is not None
    assert subject.read_certificate(b"rubbish") is None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    good = x509.load_pem_x509_certificate(pem)
    curve = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(good.not_valid_before_utc)
        .not_valid_after(good.not_valid_after_utc)
        .sign(key, hashes.SHA256())
    )
    assert subject.read_certificate(curve.public_bytes(serialization.Encoding.PEM)) is None
