"""Receipts: what a driver can show, and anybody can check. Pure; signer and verifier come from
outside.

Strategy. A receipt is canonical JSON made from one sealed record alone, so it can be made again and
is the same to the byte. Its signature covers a short *token*: what a checker wants to read, and
the hash of the whole receipt. The same signature thus proves the receipt in a file and the token in
a QR, without a network:

    token   = base64url(payload || signature), no padding
    signed  = "open-toll-lane receipt" LF || payload
    payload = version(1) key_id(8) receipt_no(9) toll_fen(4) class(1) exited_ms(6) hash(32)
              plate_len(1) plate entry_len(1) entry        integers big-endian, text UTF-8

A QR holds ``<public url>/r/<receipt_no>?c=<check code>#<token>``: what is behind # never reaches a
server. The check code is the first 80 bits of the record's chain hash, so receipt numbers, which
count up, open nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from tolling.best_price import Reason
from tolling.canonical import canonical_bytes, from_canonical
from tolling.chain import SealedRecord
from tolling.errors import BadInputError, SignatureError
from tolling.ids import PassageId, parse_passage_id
from tolling.records import PassageEnd, PassageRecord, Tender
from tolling.signed_sets import Verifier
from tolling.tariffs import EntrySource
from tolling.vehicles import Plate, VehicleClass, VehicleKind

CHECK_BYTES = 10
"""80 bits: at the public page's rate bound no machine finds one in the age of the road."""
ENTRY_BYTES_MAX = 40
"""A longer station name is cut in the token, so that it fits a QR of version 15, level M."""
PLATE_BYTES_MAX = 16
URL_MAX = 100
"""Characters of the public URL: what is left of such a QR's 412 bytes."""
_VERSION = 1
_MARK = b"open-toll-lane receipt\n"
_KEY_BYTES, _NUMBER_BYTES, _MS_BYTES, _HASH_BYTES, _SIGNATURE_BYTES = 8, 9, 6, 32, 64
_TOKEN = re.compile(r"[A-Za-z0-9_-]{160,260}")

Signer = Callable[[bytes], bytes]
"""message -> Ed25519 signature, 64 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLeg:
    """One tender of it."""

    tender: str
    """As the record says: alipay, wechat, unionpay, cash, etc, ..."""
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was paid for one passage, without anything that names the driver."""

    receipt_no: PassageId
    """The passage_id."""
    plaza_id: str
    payee: str
    """Whose toll it is."""
    lane_id: str
    epoch: int
    seq: int
    """Place of the record in its lane's chain."""
    chain_hash: str
    """The record's, 64 hex digits."""
    vehicle_class: VehicleClass
    vehicle_kind: VehicleKind
    plate: str
    """Masked, ``浙A***45``; empty where none was read."""
    entry_station: str
    """Empty where the passage was never priced."""
    entry_source: EntrySource | None
    arrived_ms: int
    """UTC milliseconds by the lane's clock."""
    exited_ms: int
    """When the record was sealed."""
    full_toll_fen: int
    """By the tariff, before anything was taken off."""
    toll_due_fen: int
    toll_fen: int
    """What was paid: the sum of the legs, less what a coupon took off."""
    why: tuple[Reason, ...]
    """From the full toll to what was paid."""
    legs: tuple[ReceiptLeg, ...]
    issued_ms: int
    """When the plaza took the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReceipt:
    """A receipt as it travels."""

    content: str
    """Canonical JSON text of the Receipt."""
    key_id: str
    """Which key of the plaza signed, 16 hex digits."""
    signature: str
    """Ed25519, 128 hex digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptToken:
    """What a QR says by itself."""

    key_id: str
    receipt_no: PassageId
    toll_fen: int
    vehicle_class: int
    """National code."""
    exited_ms: int
    receipt_hash: str
    """SHA-256 of the receipt's bytes, 64 hex digits."""
    plate: str
    """Masked."""
    entry_station: str
    """Cut to ENTRY_BYTES_MAX bytes."""


# ---- from the record ----


def receipt_of(
    sealed: SealedRecord, record: PassageRecord, *, payee: str, issued_ms: int
) -> Receipt | None:
    """Return the receipt of a record just opened; None where no leg was applied to a passage."""
    if not record.legs or record.end is PassageEnd.BACKED_OUT:
        return None
    paid_fen = sum(leg.amount_fen for leg in record.legs if leg.tender is not Tender.COUPON)
    quote = record.quote
    full_fen = record.toll_due_fen if quote is None else quote.full_toll_fen
    return Receipt(
        receipt_no=record.passage_id,
        plaza_id=record.plaza_id,
        payee=payee,
        lane_id=record.lane_id,
        epoch=record.epoch,
        seq=sealed.seq,
        chain_hash=sealed.chain_hash,
        vehicle_class=record.vehicle_class,
        vehicle_kind=record.vehicle_kind,
        plate=masked(record.plate),
        entry_station="" if quote is None else quote.entry_station,
        entry_source=None if quote is None else quote.entry_source,
        arrived_ms=record.arrived.utc_ms,
        exited_ms=record.sealed.utc_ms,
        full_toll_fen=full_fen,
        toll_due_fen=record.toll_due_fen,
        toll_fen=paid_fen,
        why=(*_why(record, full_fen - record.toll_due_fen), *record.why),
        legs=tuple(
            ReceiptLeg(tender=leg.tender.value, amount_fen=leg.amount_fen) for leg in record.legs
        ),
        issued_ms=issued_ms,
    )


def _why(record: PassageRecord, saved_fen: int) -> tuple[Reason, ...]:
    if saved_fen <= 0 or record.vehicle_kind is VehicleKind.NORMAL:
        return ()
    kind = record.vehicle_kind
    code = f"exempt_{kind.name.lower()}"
    return (Reason(code=code, name=f"kind {int(kind)}", saved_fen=saved_fen),)


def masked(plate: Plate | None) -> str:
    """Return a plate its owner knows again and nobody else finds: ``浙A***45``."""
    if plate is None:
        return ""
    return f"{plate.text[:2]}{'*' * (len(plate.text) - 4)}{plate.text[-2:]}"


def check_code(chain_hash: str) -> str:
    """Return the code that opens the receipt of a record with this chain hash: 16 of A-Z2-7."""
    return base64.b32encode(bytes.fromhex(chain_hash)[:CHECK_BYTES]).decode("ascii")


# ---- signing and checking ----


def sign_receipt(content: bytes, *, key_id: str, sign: Signer) -> SignedReceipt:
    """Return a stored receipt (its canonical bytes) signed by the key *key_id*."""
    receipt = _read(content, where="stored receipt")
    signature = sign(_MARK + _payload(receipt, content, key_id))
    return SignedReceipt(content=content.decode("utf-8"), key_id=key_id, signature=signature.hex())


def check_receipt(signed: SignedReceipt, *, verify: Verifier) -> Receipt:
    """Return the receipt inside.

    Raises: SignatureError: not provably the plaza's. BadInputError: no receipt.
    """
    where = "receipt"
    try:
        content = signed.content.encode("utf-8")
    except UnicodeEncodeError:
        raise BadInputError(where=where, what="it holds half a character") from None
    receipt = _read(content, where=where)
    payload, signature = _signed_parts(signed, receipt, content)
    if not verify(signed.key_id, signature, _MARK + payload):
        raise SignatureError(where=where, what="its signature is not the plaza's")
    return receipt


def token_of(signed: SignedReceipt) -> str:
    """Return the token of a signed receipt: what a QR holds of it."""
    content = signed.content.encode("utf-8")
    payload, signature = _signed_parts(signed, _read(content, where="receipt"), content)
    return base64.urlsafe_b64encode(payload + signature).rstrip(b"=").decode("ascii")


def check_token(text: str, *, verify: Verifier) -> ReceiptToken:
    """Return what a token says, alone or behind the # of a receipt's URL.

    Raises: SignatureError: not provably the plaza's. BadInputError: no token.
    """
    raw = _token_bytes(text.strip().rpartition("#")[2])
    payload, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
    token = _parsed(payload)
    if not verify(token.key_id, signature, _MARK + payload):
        raise SignatureError(where="token", what="its signature is not the plaza's")
    return token


def qr_text(public_url: str, signed: SignedReceipt) -> str:
    """Return what the QR of a receipt holds. *public_url*: at most URL_MAX characters."""
    receipt = _read(signed.content.encode("utf-8"), where="receipt")
    return f"{page_url(public_url, receipt)}#{token_of(signed)}"


def page_url(public_url: str, receipt: Receipt) -> str:
    """Return the address of a receipt's page, with its check code."""
    assert len(public_url) <= URL_MAX, "the config bounds it"
    code = check_code(receipt.chain_hash)
    return f"{public_url.rstrip('/')}/r/{receipt.receipt_no}?c={code}"


def _read(content: bytes, *, where: str) -> Receipt:
    receipt = from_canonical(Receipt, content)
    assert isinstance(receipt, Receipt)
    try:
        parse_passage_id(receipt.receipt_no)
    except ValueError as error:
        raise BadInputError(where=where, what=str(error)) from None
    in_range = 0 <= receipt.toll_fen < 2**32 and 0 <= receipt.exited_ms < 2 ** (8 * _MS_BYTES)
    if not in_range or len(receipt.plate.encode("utf-8")) > PLATE_BYTES_MAX:
        raise BadInputError(where=where, what="a field is out of range")
    return receipt


def _signed_parts(signed: SignedReceipt, receipt: Receipt, content: bytes) -> tuple[bytes, bytes]:
    try:
        signature = bytes.fromhex(signed.signature)
        payload = _payload(receipt, content, signed.key_id)
    except (ValueError, OverflowError):
        raise BadInputError(
            where="receipt", what="its key_id or signature is not hex digits"
        ) from None
    if len(signature) != _SIGNATURE_BYTES:
        raise BadInputError(where="receipt", what="its signature has another length")
    return payload, signature


def _payload(receipt: Receipt, content: bytes, key_id: str) -> bytes:
    key = bytes.fromhex(key_id)
    if len(key) != _KEY_BYTES:
        raise ValueError("a key_id is 16 hex digits")
    plate = receipt.plate.encode("utf-8")
    entry = _cut(receipt.entry_station)
    return b"".join(
        (
            bytes([_VERSION]),
            key,
            int(receipt.receipt_no).to_bytes(_NUMBER_BYTES, "big"),
            receipt.toll_fen.to_bytes(4, "big"),
            bytes([int(receipt.vehicle_class)]),
            receipt.exited_ms.to_bytes(_MS_BYTES, "big"),
            hashlib.sha256(content).digest(),
            bytes([len(plate)]),
            plate,
            bytes([len(entry)]),
            entry,
        )
    )


def _cut(text: str) -> bytes:
    """Return a station's name in at most ENTRY_BYTES_MAX bytes, whole characters."""
    return text.encode("utf-8")[:ENTRY_BYTES_MAX].decode("utf-8", "ignore").encode("utf-8")


def _token_bytes(text: str) -> bytes:
    if _TOKEN.fullmatch(text) is not None:
        try:
            return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except binascii.Error:
            pass
    raise BadInputError(
        where="token",
        what="not a receipt's token",
        do="Give the whole text of the QR, or what is behind its #",
    )


def _parsed(payload: bytes) -> ReceiptToken:
    wrong = BadInputError(where="token", what="not of this version, or cut short")
    sizes = (1, _KEY_BYTES, _NUMBER_BYTES, 4, 1, _MS_BYTES, _HASH_BYTES)
    parts = []
    for size in sizes:
        parts.append(payload[:size])
        payload = payload[size:]
    for most in (PLATE_BYTES_MAX, ENTRY_BYTES_MAX):
        count = payload[0] if payload else most + 1
        if count > most or len(payload) <= count:
            raise wrong
        parts.append(payload[1 : 1 + count])
        payload = payload[1 + count :]
    version, key, number, toll, class_, exited, digest, plate, entry = parts
    try:
        receipt_no = f"{int.from_bytes(number, 'big'):021d}"
        parse_passage_id(receipt_no)
        texts = plate.decode("utf-8"), entry.decode("utf-8")
    except ValueError:
        raise wrong from None
    if payload or version != bytes([_VERSION]):
        raise wrong
    return ReceiptToken(
        key_id=key.hex(),
        receipt_no=PassageId(receipt_no),
        toll_fen=int.from_bytes(toll, "big"),
        vehicle_class=class_[0],
        exited_ms=int.from_bytes(exited, "big"),
        receipt_hash=digest.hex(),
        plate=texts[0],
        entry_station=texts[1],
    )


def receipt_bytes(receipt: Receipt) -> bytes:
    """Return the bytes a receipt is stored and hashed as."""
    return canonical_bytes(receipt)
