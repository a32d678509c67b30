"""Tokens of lanes and people: random texts, of which only a hash is kept."""

from __future__ import annotations

import base64
import hashlib

TOKEN_BYTES = 32


def new_token(random_bytes: bytes) -> str:
    """Return a token made of 32 *random_bytes* from the operating system; shown once, never
    stored."""
    assert len(random_bytes) == TOKEN_BYTES, "a token is 256 random bits"
    return base64.urlsafe_b64encode(random_bytes).rstrip(b"=").decode("ascii")


def token_hash(token: str) -> str:
    """Return what is stored of a token. A plain hash will do: 256 random bits cannot be guessed."""
    return hashlib.sha256(token.encode("utf-8")).hexdigest()
