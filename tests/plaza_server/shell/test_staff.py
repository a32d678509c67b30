"""People and their PIN hashes in one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from plaza_server.shell import staff as subject
from tolling.errors import BadInputError


def member(operator_id: str, name: str = "王芳") -> subject.StaffMember:
    return subject.StaffMember(
        operator_id=operator_id,
        name=name,
        role=subject.Role.ATTENDANT,
        pin_hash="scrypt$16$1$1$00$00",
    )


@pytest.mark.slow
def test_a_pin_fits_only_its_own_hash() -> None:
    """The hash is salted, so two people with one PIN differ."""
    first, second = subject.hash_pin("482913"), subject.hash_pin("482913")
    assert first != second
    assert "482913" not in first
    assert subject.pin_fits("482913", first)
    assert not subject.pin_fits("482914", first)


@pytest.mark.parametrize("pin", ["", "123", "1234567890123", "12a4", "１２３４"])
def test_a_pin_is_4_to_12_digits(pin: str) -> None:
    """Anything else is refused without repeating it."""
    with pytest.raises(BadInputError, match="4 to 12 digits"):
        subject.hash_pin(pin)


def test_people_are_added_replaced_and_read_again(tmp_path: Path) -> None:
    """Another process's change is seen at the next look."""
    path = tmp_path / "staff.json"
    book, other = subject.StaffBook(path), subject.StaffBook(path)
    assert book.members() == ()
    book.put(member("w1"))
    book.put(member("w2"))
    assert other.members() == (member("w1"), member("w2"))
    other.put(member("w1", "李娜"))
    assert book.members() == (member("w2"), member("w1", "李娜"))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_garbled_file_is_named(tmp_path: Path) -> None:
    """A list that cannot be read is an error, not an empty list."""
    path = tmp_path / "staff.json"
    path.write_text('{"members":[{"name":1}]}', encoding="utf-8")
    with pytest.raises(BadInputError, match=r"staff\.json"):
        subject.StaffBook(path).members()
