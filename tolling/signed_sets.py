"""Signed, versioned sets: how tariffs and lists travel from the plaza to the lanes.

The envelope carries the exact content text, its row count and hash, and a signature over the header
and that hash. The verifier is passed in, so this file knows no key library. A wrong set is refused
whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from tolling.canonical import canonical_bytes, from_canonical
from tolling.errors import BadInputError, SignatureError
from tolling.tariffs import TariffSet


class SetKind(StrEnum):
    """What a signed set holds."""

    TARIFF = "tariff"
    """A TariffSet."""
    EPOCH = "epoch"
    """An epoch record: enrols a lane, or re-anchors one whose chain is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedSet:
    """One signed set as it travels."""

    kind: SetKind
    set_id: str
    version: int
    made_at_ms: int
    effective_from_ms: int
    row_count: int
    content: str
    """Canonical JSON text of the content."""
    content_hash: str
    """SHA-256 of the content's UTF-8 bytes, 64 hex digits."""
    key_id: str
    """Which key of the plaza signed."""
    signature: str
    """Ed25519 over ``signed_bytes``, 128 hex digits."""


Verifier = Callable[[str, bytes, bytes], bool]
"""(key_id, signature, message) -> whether it is that key's signature; False for an unknown key."""


def signed_bytes(envelope: SignedSet) -> bytes:
    """Return the bytes the signature covers: every header field and the content's hash."""
    fields = (
        "open-toll-lane signed set",
        envelope.kind.value,
        envelope.set_id,
        str(envelope.version),
        str(envelope.made_at_ms),
        str(envelope.effective_from_ms),
        str(envelope.row_count),
        envelope.content_hash,
        envelope.key_id,
    )
    return "\n".join(fields).encode("utf-8")


def check_set(envelope: SignedSet, *, verify: Verifier) -> str:
    """Return the content text of a set that is provably the plaza's and whole.

    Raises: SignatureError: hash or signature do not fit.
    """
    where = f"{envelope.kind} set {envelope.set_id} version {envelope.version}"
    try:
        content = envelope.content.encode("utf-8")
        message = signed_bytes(envelope)
    except UnicodeEncodeError as error:
        raise SignatureError(where=where, what="it holds half a character") from error
    if hashlib.sha256(content).hexdigest() != envelope.content_hash:
        raise SignatureError(where=where, what="its content does not fit its hash")
    try:
        signature = bytes.fromhex(envelope.signature)
    except ValueError as error:
        raise SignatureError(where=where, what="its signature is not hex digits") from error
    if not verify(envelope.key_id, signature, message):
        raise SignatureError(where=where, what="its signature is not the plaza's")
    return envelope.content


def open_tariff(envelope: SignedSet, *, verify: Verifier) -> TariffSet:
    """Return the tariff inside a signed set.

    Raises: SignatureError: not provably the plaza's.
            BadInputError: not a tariff, or other than its header says.
    """
    content = check_set(envelope, verify=verify)
    tariff = from_canonical(TariffSet, content.encode("utf-8"))
    assert isinstance(tariff, TariffSet)
    said = (
        SetKind.TARIFF,
        tariff.tariff_id,
        tariff.version,
        tariff.made_at_ms,
        tariff.effective_from_ms,
        len(tariff.rows),
    )
    header = (
        envelope.kind,
        envelope.set_id,
        envelope.version,
        envelope.made_at_ms,
        envelope.effective_from_ms,
        envelope.row_count,
    )
    if said != header:
        raise BadInputError(
            where=f"tariff set {envelope.set_id}", what="content differs from header"
        )
    return tariff


def wrap_tariff(tariff: TariffSet, *, key_id: str, sign: Callable[[bytes], bytes]) -> SignedSet:
    """Return *tariff* signed. *sign*: message -> signature bytes of key *key_id*."""
    content = canonical_bytes(tariff)
    unsigned = SignedSet(
        kind=SetKind.TARIFF,
        set_id=tariff.tariff_id,
        version=tariff.version,
        made_at_ms=tariff.made_at_ms,
        effective_from_ms=tariff.effective_from_ms,
        row_count=len(tariff.rows),
        content=content.decode("utf-8"),
        content_hash=hashlib.sha256(content).hexdigest(),
        key_id=key_id,
        signature="",
    )
    return replace(unsigned, signature=sign(signed_bytes(unsigned)).hex())
