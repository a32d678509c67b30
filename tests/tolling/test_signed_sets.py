"""A lane takes a set only whole and only from the plaza."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given

from tests.tolling.words import tariff_sets
from tolling.canonical import canonical_bytes
from tolling.errors import BadInputError, SignatureError
from tolling.signed_sets import (
    SetKind,
    SignedSet,
    check_set,
    open_tariff,
    signed_bytes,
    wrap_tariff,
)
from tolling.tariffs import TariffRow, TariffSet
from tolling.vehicles import VehicleClass

KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)


def verify(key_id: str, signature: bytes, message: bytes) -> bool:
    """Return whether *signature* is that of the one key known, ``k1``."""
    if key_id != "k1":
        return False
    try:
        KEY.public_key().verify(signature, message)
    except InvalidSignature:
        return False
    return True


ROW = TariffRow(
    row=1, entry_station="E1", vehicle_class=VehicleClass.CAR_1, toll_fen=500, distance_m=1000
)
TARIFF = TariffSet(tariff_id="T", version=2, made_at_ms=1, effective_from_ms=2, rows=(ROW,))
SIGNED = wrap_tariff(TARIFF, key_id="k1", sign=KEY.sign)


def signed_again(**changes: Any) -> SignedSet:
    """Return the set changed and signed by the plaza itself."""
    changed = replace(SIGNED, **changes)
    if "content" in changes:
        digest = hashlib.sha256(changed.content.encode()).hexdigest()
        changed = replace(changed, content_hash=digest)
    return replace(changed, signature=KEY.sign(signed_bytes(changed)).hex())


@given(tariff_sets())
def test_a_signed_tariff_opens_as_it_was(tariff: TariffSet) -> None:
    """What the plaza wraps, the lane opens as the same value."""
    subject = wrap_tariff(tariff, key_id="k1", sign=KEY.sign)
    assert (len(subject.signature), subject.row_count) == (128, len(tariff.rows))
    assert check_set(subject, verify=verify) == canonical_bytes(tariff).decode()
    assert open_tariff(subject, verify=verify) == tariff


@pytest.mark.parametrize(
    "change",
    [
        {"set_id": "U"},
        {"version": 3},
        {"made_at_ms": 9},
        {"effective_from_ms": 9},
        {"row_count": 9},
        {"kind": SetKind.EPOCH},
        {"key_id": "k2"},
        {"content": SIGNED.content.replace("500", "100")},
        {"content": "\ud800"},
        {"set_id": "\ud800"},
        {"content_hash": "0" * 64},
        {"signature": "zz"},
        {"signature": ""},
        {"signature": OTHER_KEY.sign(signed_bytes(SIGNED)).hex()},
    ],
)
def test_a_changed_set_is_refused(change: dict[str, Any]) -> None:
    """Any changed field, and another key's signature, is refused."""
    with pytest.raises(SignatureError, match=r"T|set"):
        open_tariff(replace(SIGNED, **change), verify=verify)


@pytest.mark.parametrize(
    "change",
    [
        {"set_id": "U"},
        {"version": 3},
        {"made_at_ms": 9},
        {"effective_from_ms": 9},
        {"row_count": 9},
        {"kind": SetKind.EPOCH},
        {"content": "{}"},
        {"content": SIGNED.content.replace("500", "-500")},
    ],
)
def test_a_signed_set_that_is_no_such_tariff_is_refused(change: dict[str, Any]) -> None:
    """A good signature over a header that fits another content is refused whole."""
    with pytest.raises(BadInputError):
        open_tariff(signed_again(**change), verify=verify)
