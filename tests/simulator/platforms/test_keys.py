"""Key files of the simulated Alipay."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from simulator.platforms.keys import KeyFilesError, key_files_in, make_or_load_keys
from simulator.platforms.pems import private_pem

pytestmark = pytest.mark.slow


def test_keys_are_made_private_and_taken_up_again(tmp_path: Path) -> None:
    """Mode 0600, PKCS#8 and 2048 bits; a second start keeps the same keys."""
    files, keys = make_or_load_keys(tmp_path / "keys")
    assert {path.stat().st_mode & 0o777 for path in files.paths()} == {0o600}
    private = files.app_private.read_bytes()
    assert private.startswith(b"-----BEGIN PRIVATE KEY-----")
    key = serialization.load_pem_private_key(private, password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 2048
    signature = key.sign(b"text", padding.PKCS1v15(), hashes.SHA256())
    assert keys.is_signed(b"text", signature)
    assert not keys.is_signed(b"other", signature)
    _, again = make_or_load_keys(tmp_path / "keys")
    assert again.sign(b"text") == keys.sign(b"text")
    public = serialization.load_pem_public_key(files.alipay_public.read_bytes())
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(keys.sign(b"text"), b"text", padding.PKCS1v15(), hashes.SHA256())


def test_a_directory_with_some_files_only_is_refused(tmp_path: Path) -> None:
    """Half a set of keys is never mixed with new ones; the error names the missing file."""
    files, _ = make_or_load_keys(tmp_path)
    files.app_public.unlink()
    with pytest.raises(KeyFilesError, match=r"app_public_key\.pem is missing"):
        make_or_load_keys(tmp_path)


def test_a_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    """Garbage in a key file is one clear line."""
    files, _ = make_or_load_keys(tmp_path)
    files.alipay_private.write_text("nothing")
    with pytest.raises(KeyFilesError, match=r"alipay_private_key\.pem"):
        make_or_load_keys(tmp_path)


def test_a_damaged_key_is_named(tmp_path: Path) -> None:
    """A number of it changed on disk: found at once, by a signature that does not verify."""
    files, _ = make_or_load_keys(tmp_path)
    key = serialization.load_pem_private_key(files.app_private.read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.private_numbers()
    d = numbers.d + 2
    changed = rsa.RSAPrivateNumbers(
        p=numbers.p,
        q=numbers.q,
        d=d,
        dmp1=d % (numbers.p - 1),
        dmq1=d % (numbers.q - 1),
        iqmp=numbers.iqmp,
        public_numbers=numbers.public_numbers,
    )
    wrong = changed.private_key(unsafe_skip_rsa_key_validation=True)
    files.app_private.write_bytes(private_pem(wrong))
    with pytest.raises(KeyFilesError, match=r"app_private_key\.pem"):
        make_or_load_keys(tmp_path)


def test_keys_that_are_no_pair_are_refused(tmp_path: Path) -> None:
    """A public key of another pair would make every signature fail later; it is told at once."""
    files, _ = make_or_load_keys(tmp_path)
    files.app_public.write_bytes(files.alipay_public.read_bytes())
    with pytest.raises(KeyFilesError, match="does not belong"):
        make_or_load_keys(tmp_path)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file in the way is an error with its path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFilesError, match="file"):
        make_or_load_keys(tmp_path / "file" / "keys")
    assert not key_files_in(tmp_path).app_private.exists()
