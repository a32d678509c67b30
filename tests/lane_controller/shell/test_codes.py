"""Pay codes in memory: bounded in number and time, never written."""

from __future__ import annotations

from pathlib import Path

import pytest

from lane_controller.shell.codes import CODE_LIFE_NS, CODES_MAX, CodeBook, read_key
from tolling.errors import JournalError
from tolling.paycodes import PayCode, classify

KEY = b"k" * 32


def code(number: int = 0) -> PayCode:
    """Return one Alipay code."""
    found = classify(f"28{number:016d}".encode())
    assert isinstance(found, PayCode)
    return found


def test_code_is_found_by_its_hash_until_dropped() -> None:
    """The hash leads to the code; dropped, it leads nowhere, and its scan time stays known."""
    subject = CodeBook(KEY)
    ref = subject.keep(code(), at_ns=0, scanned_ns=7)

    assert subject.find(ref.keyed_hash, at_ns=1) == code()
    subject.drop(ref.keyed_hash)
    assert subject.find(ref.keyed_hash, at_ns=1) is None
    assert subject.scanned_ns(ref.keyed_hash) == 7


def test_code_is_forgotten_after_90_seconds() -> None:
    """A code lives 90 s and not a nanosecond longer; scanned again it lives on."""
    subject = CodeBook(KEY)
    ref = subject.keep(code(), at_ns=0, scanned_ns=0)

    assert subject.find(ref.keyed_hash, at_ns=CODE_LIFE_NS) is not None
    subject.keep(code(), at_ns=CODE_LIFE_NS, scanned_ns=0)
    assert subject.find(ref.keyed_hash, at_ns=CODE_LIFE_NS + 1) is not None
    assert subject.find(ref.keyed_hash, at_ns=2 * CODE_LIFE_NS + 1) is None
    assert len(subject) == 0


def test_codes_are_bounded() -> None:
    """The oldest codes go first."""
    subject = CodeBook(KEY)
    refs = [subject.keep(code(n), at_ns=n, scanned_ns=n) for n in range(CODES_MAX + 1)]

    assert len(subject) == CODES_MAX
    assert subject.find(refs[0].keyed_hash, at_ns=99) is None
    assert subject.find(refs[-1].keyed_hash, at_ns=99) is not None


def test_key_is_made_once_and_private(tmp_path: Path) -> None:
    """The key outlives the process and nobody else reads it."""
    key = read_key(tmp_path / "key")

    assert len(key) == 32
    assert read_key(tmp_path / "key") == key
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert read_key(tmp_path / "other") != key


def test_damaged_key_is_refused(tmp_path: Path) -> None:
    """A key of another length is no key."""
    (tmp_path / "key").write_bytes(b"short")

    with pytest.raises(JournalError, match="is not a key"):
        read_key(tmp_path / "key")
