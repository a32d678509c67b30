"""Receipts: built from a record alone, signed once, checkable in a file and in a QR."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import Any

import pytest
import segno
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tests.plaza_server.plaza_bench import CASH_LEG, TOLL, Chain, order_no, phone_leg, record
from tolling.best_price import Reason
from tolling.canonical import canonical_bytes, from_canonical
from tolling.errors import BadInputError, SignatureError
from tolling.receipts import (
    ENTRY_BYTES_MAX,
    URL_MAX,
    Receipt,
    ReceiptLeg,
    SignedReceipt,
    check_code,
    check_receipt,
    check_token,
    masked,
    page_url,
    qr_text,
    receipt_bytes,
    receipt_of,
    sign_receipt,
    token_of,
)
from tolling.records import Leg, PassageEnd, PassageRecord, Tender
from tolling.vehicles import Plate, VehicleClass, VehicleKind

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY_ID = hashlib.sha256(KEY.public_key().public_bytes_raw()).hexdigest()[:16]
ISSUED_MS = 1_795_000_100_000


def verify(key_id: str, signature: bytes, message: bytes) -> bool:
    """Check by the test's own key."""
    try:
        KEY.public_key().verify(signature, message)
    except InvalidSignature:
        return False
    return key_id == KEY_ID


def made(what: PassageRecord | None = None) -> Receipt:
    """Return the receipt of a record, by default one paid in cash by a car with a plate."""
    found = replace(record(1, legs=(CASH_LEG,)), plate=Plate(text="沪A12345"))
    told = found if what is None else what
    receipt = receipt_of(Chain().seal(told), told, payee="310101", issued_ms=ISSUED_MS)
    assert receipt is not None
    return receipt


def signed(receipt: Receipt | None = None) -> SignedReceipt:
    """Return a receipt signed by the test's key."""
    return sign_receipt(receipt_bytes(receipt or made()), key_id=KEY_ID, sign=KEY.sign)


def test_a_receipt_says_what_was_paid_and_names_nobody() -> None:
    """Legs, toll, place and hash of its record; of the plate only what its owner knows again."""
    told = record(1, legs=(phone_leg(order_no(1)),), orders=(order_no(1),))
    told = replace(told, plate=Plate(text="浙AD12345"))
    sealed = Chain().seal(told)
    subject = receipt_of(sealed, told, payee="P1", issued_ms=ISSUED_MS)
    assert subject is not None
    assert subject.receipt_no == told.passage_id
    assert (subject.lane_id, subject.epoch, subject.seq) == ("001", 1, 1)
    assert subject.chain_hash == sealed.chain_hash
    assert (subject.toll_fen, subject.legs) == (
        TOLL,
        (ReceiptLeg(tender="alipay", amount_fen=TOLL),),
    )
    assert (subject.plate, subject.payee, subject.issued_ms) == ("浙A****45", "P1", ISSUED_MS)
    text = receipt_bytes(subject).decode()
    assert "浙AD12345" not in text
    assert order_no(1) not in text


def test_the_same_record_makes_the_same_bytes() -> None:
    """A receipt can be made again, and reads back as it was."""
    assert receipt_bytes(made()) == receipt_bytes(made())
    assert from_canonical(Receipt, receipt_bytes(made())) == made()


@pytest.mark.parametrize(
    "told",
    [
        record(1),
        record(1, toll_fen=0),
        replace(record(1, legs=(CASH_LEG,)), end=PassageEnd.BACKED_OUT),
    ],
)
def test_where_nothing_was_paid_for_a_passage_there_is_no_receipt(told: PassageRecord) -> None:
    """Backed out, free, or both."""
    assert receipt_of(Chain().seal(told), told, payee="P", issued_ms=1) is None


def test_a_toll_waived_by_the_vehicles_kind_is_explained() -> None:
    """Full toll, toll due, and the step between them."""
    told = record(1, legs=(CASH_LEG,))
    assert told.quote is not None
    kind = VehicleKind.GREEN_CHANNEL
    quote = replace(told.quote, full_toll_fen=TOLL + 450, vehicle_kind=kind)
    subject = made(replace(told, quote=quote, vehicle_kind=kind))
    assert subject.full_toll_fen - subject.toll_due_fen == 450
    assert subject.why == (Reason(code="exempt_green_channel", name="kind 21", saved_fen=450),)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("沪A12345", "沪A***45"), ("浙AD12345", "浙A****45"), ("WJ12345", "WJ***45")],
)
def test_a_plate_is_masked(text: str, shown: str) -> None:
    """Its owner knows it again."""
    assert masked(Plate(text=text)) == shown


def test_no_plate_is_no_text() -> None:
    """Where none was read."""
    assert masked(None) == ""


def test_the_check_code_is_80_bits_of_the_chain_hash() -> None:
    """As the page takes it."""
    code = check_code("00" * 10 + "ff" * 22)
    assert (code, len(check_code("5a" * 32))) == ("A" * 16, 16)
    assert page_url("https://toll.example/", made()).endswith(
        f"/r/{made().receipt_no}?c={check_code(made().chain_hash)}"
    )


def test_one_signature_proves_the_file_and_the_token() -> None:
    """The token says what the receipt says, and is bound to its bytes."""
    subject = signed()
    assert check_receipt(subject, verify=verify) == made()
    token = check_token(token_of(subject), verify=verify)
    receipt = made()
    assert (token.receipt_no, token.toll_fen) == (receipt.receipt_no, receipt.toll_fen)
    assert (token.plate, token.entry_station) == (receipt.plate, "west")
    assert (token.vehicle_class, token.exited_ms) == (1, receipt.exited_ms)
    assert token.receipt_hash == hashlib.sha256(subject.content.encode()).hexdigest()
    assert check_token(qr_text("https://toll.example", subject), verify=verify) == token


CHANGES: list[dict[str, Any]] = [
    {"toll_fen": TOLL + 1},
    {"plate": "沪A***46"},
    {"vehicle_class": VehicleClass.CAR_2},
    {"payee": "another"},
    {"seq": 2},
    {"legs": (ReceiptLeg(tender="etc", amount_fen=TOLL),)},
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_receipt_is_not_the_plazas(change: dict[str, Any]) -> None:
    """Any field, in the token or only in the file."""
    other = receipt_bytes(replace(made(), **change)).decode()
    with pytest.raises(SignatureError):
        check_receipt(replace(signed(), content=other), verify=verify)


@pytest.mark.slow
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_token_is_not_the_plazas(place: int, flip: int) -> None:
    """Any byte of payload or signature."""
    text = token_of(signed())
    raw = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    raw[place % len(raw)] ^= flip
    changed = base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()
    with pytest.raises((SignatureError, BadInputError)):
        check_token(changed, verify=verify)


@pytest.mark.slow
@given(st.text(max_size=300) | st.text("ABCabc019_-", min_size=150, max_size=270))
def test_what_is_no_token_is_refused(text: str) -> None:
    """As input, never as another error."""
    with pytest.raises((SignatureError, BadInputError)):
        check_token(text, verify=verify)


@pytest.mark.parametrize(
    "wrong",
    [
        {"key_id": "xyz"},
        {"key_id": "00"},
        {"signature": "nothex"},
        {"signature": "00"},
        {"content": "{}"},
        {"content": "\ud800"},
    ],
)
def test_a_malformed_receipt_is_bad_input(wrong: dict[str, str]) -> None:
    """Key, signature and content."""
    with pytest.raises(BadInputError):
        check_receipt(replace(signed(), **wrong), verify=verify)


def test_another_key_is_not_the_plazas() -> None:
    """The key named is the one that must have signed."""
    with pytest.raises(SignatureError):
        check_receipt(replace(signed(), key_id="0" * 16), verify=verify)


@pytest.mark.parametrize(
    "change",
    [
        {"toll_fen": 2**32},
        {"exited_ms": 2**48},
        {"exited_ms": -1},
        {"receipt_no": "12"},
        {"plate": "浙" * 6},
    ],
)
def test_what_has_no_place_in_a_token_is_not_signed(change: dict[str, Any]) -> None:
    """A lane's wild clock or figure stops its own receipt and nothing else."""
    with pytest.raises(BadInputError):
        signed(replace(made(), **change))


@pytest.mark.slow
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_a_long_station_is_cut_at_a_character(name: str) -> None:
    """And the receipt keeps it whole."""
    subject = signed(replace(made(), entry_station=name))
    token = check_token(token_of(subject), verify=verify)
    assert name.startswith(token.entry_station)
    assert len(token.entry_station.encode()) <= ENTRY_BYTES_MAX
    assert check_receipt(subject, verify=verify).entry_station == name


@pytest.mark.slow
def test_the_longest_receipt_fits_a_qr_of_version_15() -> None:
    """Longest URL, station and plate, level M."""
    receipt = replace(made(), entry_station="站" * 60, plate="浙A****45")
    text = qr_text("https://" + "x" * (URL_MAX - 8), signed(receipt))
    code = segno.make_qr(text, error="m", boost_error=False)
    assert int(code.version) <= 15


def with_coupon(off_fen: int) -> PassageRecord:
    """Return a record that a coupon and cash paid."""
    legs = (Leg(tender=Tender.COUPON, amount_fen=off_fen, provider_txn_id="K-1"),)
    if off_fen < TOLL:
        legs += (Leg(tender=Tender.CASH, amount_fen=TOLL - off_fen),)
    return record(1, legs=legs)


def test_a_coupon_is_a_leg_and_a_reason_and_no_money_of_the_drivers() -> None:
    """Full toll less what the record says was taken off is what was paid."""
    subject = made(with_coupon(500))
    assert (subject.full_toll_fen, subject.toll_fen) == (TOLL, TOLL - 500)
    assert [(leg.tender, leg.amount_fen) for leg in subject.legs] == [
        ("coupon", 500),
        ("cash", TOLL - 500),
    ]
    assert [(why.code, why.saved_fen) for why in subject.why] == [("coupon_fixed", 500)]
    assert check_receipt(signed(subject), verify=verify) == subject


def test_a_toll_a_coupon_covered_has_a_receipt_of_nothing() -> None:
    """It can be checked like any other."""
    subject = made(with_coupon(TOLL))
    assert subject.toll_fen == 0
    assert check_receipt(signed(subject), verify=verify) == subject


def test_a_record_from_before_coupons_is_read_as_it_is() -> None:
    """It has no field for why: its bytes give the record and the receipt they always gave."""
    old = canonical_bytes(record(1, legs=(CASH_LEG,))).replace(b',"why":[]', b"")
    assert b"why" not in old
    found = from_canonical(PassageRecord, old)
    assert made(found) == made(record(1, legs=(CASH_LEG,)))
