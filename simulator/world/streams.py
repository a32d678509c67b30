"""Chance: one stream per actor, derived from the seed and the actor's name alone.

An actor that draws more or less than before changes nobody else's luck, so a failing seed can be
shrunk.
"""

from __future__ import annotations

import hashlib
from random import Random


class Streams:
    """All chance of one run."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def of(self, actor: str) -> Random:
        """Return a new stream of *actor*; the same one for the same seed on any machine."""
        digest = hashlib.sha256(f"{self.seed}/{actor}".encode()).digest()
        return Random(int.from_bytes(digest[:16], "big"))
