"""Keys are tried before anything depends on them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from plaza_server.platforms import keys as subject
from tolling.errors import BadInputError

GOLDEN = Path(__file__).parents[2] / "golden" / "alipay_codec"


def private_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def test_what_one_key_signs_its_public_half_accepts() -> None:
    """Signature and message belong together."""
    sign = subject.rsa_signer(GOLDEN / "platform_private.pem")
    check = subject.rsa_check(GOLDEN / "platform_public.pem")
    assert check(sign(b"text"), b"text")
    assert not check(sign(b"text"), b"other")
    assert not check(b"", b"text")


@pytest.mark.parametrize("content", [None, b"", b"rubbish", "short", "curve"])
@pytest.mark.parametrize("half", ["private", "public"])
def test_a_wrong_key_file_is_named(tmp_path: Path, content: bytes | str | None, half: str) -> None:
    """A missing, garbled, short or foreign key is refused with the file's name."""
    path = tmp_path / "key.pem"
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if content in ("short", "curve"):
        key = (
            rsa.generate_private_key(public_exponent=65537, key_size=1024)
            if content == "short"
            else ec.generate_private_key(ec.SECP256R1())
        )
        path.write_bytes(private_pem(key) if half == "private" else public_pem(key))
    elif isinstance(content, bytes):
        path.write_bytes(content)
    load = subject.rsa_signer if half == "private" else subject.rsa_check
    with pytest.raises(BadInputError, match=r"key\.pem"):
        load(path)


def test_our_own_public_key_is_not_taken_for_the_platforms() -> None:
    """The commonest mix-up is told at start."""
    sign = subject.rsa_signer(GOLDEN / "merchant_private.pem")
    with pytest.raises(BadInputError, match="our own public key"):
        subject.refuse_own_key(sign, subject.rsa_check(GOLDEN / "merchant_public.pem"), where="x")
    subject.refuse_own_key(sign, subject.rsa_check(GOLDEN / "platform_public.pem"), where="x")
