"""The plaza's own keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from plaza_server.shell import signing as subject
from tolling.errors import BadInputError

GOLDEN = Path(__file__).parents[2] / "golden" / "alipay_codec"


def test_a_made_key_signs_for_its_public_file(tmp_path: Path) -> None:
    """What the lane is given verifies what the plaza signs."""
    path = tmp_path / "keys" / "key.pem"
    subject.make_signing_key(path)
    key = subject.load_signing_key(path)
    public = json.loads(key.public_file_text())
    assert (public["algorithm"], public["key_id"]) == ("ed25519", key.key_id)
    raw = bytes.fromhex(public["public_key"])
    Ed25519PublicKey.from_public_bytes(raw).verify(key.sign(b"set"), b"set")
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_existing_key_is_never_replaced(tmp_path: Path) -> None:
    """Lanes trust the key they were given."""
    path = tmp_path / "key.pem"
    subject.make_signing_key(path)
    before = path.read_bytes()
    subject.make_signing_key(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [None, b"rubbish", (GOLDEN / "merchant_private.pem")])
def test_a_wrong_key_file_is_named(tmp_path: Path, content: bytes | Path | None) -> None:
    """Missing, garbled or another kind of key."""
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content.read_bytes() if isinstance(content, Path) else content)
    with pytest.raises(BadInputError, match=r"key\.pem"):
        subject.load_signing_key(path)


def test_a_secret_is_read_back(tmp_path: Path) -> None:
    """Hex in a file only its owner reads."""
    path = tmp_path / "secret"
    subject.make_secret(path, 32)
    assert len(subject.load_secret(path, min_bytes=32)) == 32
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [None, b"not hex", b"00ff"])
def test_a_wrong_secret_is_named(tmp_path: Path, content: bytes | None) -> None:
    """Missing, garbled or too short; the content is not repeated."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInputError, match="secret") as caught:
        subject.load_secret(path, min_bytes=32)
    assert "00ff" not in str(caught.value)


def test_a_public_file_checks_what_its_key_signed(tmp_path: Path) -> None:
    """Of several keys each its own; a changed message and an unknown key are False."""
    keys = []
    for name in ("a", "b"):
        subject.make_signing_key(tmp_path / f"{name}.pem")
        keys.append(subject.load_signing_key(tmp_path / f"{name}.pem"))
        (tmp_path / f"{name}.json").write_text(keys[-1].public_file_text())
    verify = subject.load_verifier(tmp_path / "a.json", tmp_path / "b.json")
    for key, other in (keys, keys[::-1]):
        assert verify(key.key_id, key.sign(b"x"), b"x")
        assert not verify(key.key_id, key.sign(b"x"), b"y")
        assert not verify(key.key_id, other.sign(b"x"), b"x")
        assert not verify(key.key_id, b"short", b"x")
    assert not verify("0" * 16, keys[0].sign(b"x"), b"x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"algorithm": "ed25519", "key_id": "0", "public_key": "00"}',
        '{"algorithm": "rsa", "key_id": "9f6c1e8d0b0ab9b1", "public_key": "' + "0" * 64 + '"}',
        '{"algorithm": "ed25519", "key_id": "0000000000000000", "public_key": "' + "0" * 64 + '"}',
    ],
)
def test_what_is_no_public_file_is_refused(tmp_path: Path, text: str) -> None:
    """Another file, another algorithm, a key under another's name."""
    path = tmp_path / "public.json"
    path.write_text(text)
    with pytest.raises(BadInputError, match=r"public\.json"):
        subject.load_verifier(path)
    with pytest.raises(BadInputError, match="No such file"):
        subject.load_verifier(tmp_path / "none.json")
