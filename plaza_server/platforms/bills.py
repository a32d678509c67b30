"""The face every platform's bill calls show to the shell: ask where the bill is, fetch it, read it.

A bill is asked for by one signed call whose answer is verified like any other; what it leads to is
a file of its own: behind an address that dies within seconds, or in the answer itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from plaza_server.platforms.calls import HttpAnswer, HttpCall
from plaza_server.rules.bills import Bill


@dataclass(frozen=True, slots=True, kw_only=True)
class BillAt:
    """The bill is behind this address, for some seconds."""

    url: str = field(repr=False)
    """Holds a token."""
    name: str
    """Of the file, for people."""
    sha1: str = ""
    """Of the unpacked text, signed for by the platform; empty where it tells none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillHere:
    """The bill came in the answer."""

    content: bytes = field(repr=False)
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoBill:
    """Signed: nothing happened on that day, so there is no bill and never will be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotYet:
    """No bill for now: not made yet, or no believable answer."""

    why: str
    """The platform's own code, or evidence; never its free text."""


BillAnswer = BillAt | BillHere | NoBill | NotYet


class BillCalls(Protocol):
    """One platform's bill as bytes. Pure: signers and verifiers are given to it."""

    @property
    def name(self) -> str:
        """The platform's name."""

    @property
    def merchant(self) -> str:
        """Whose bill it must be, as the bill itself says it; empty where we do not know."""

    def ask(self, day: str, *, now_ms: int) -> HttpCall:
        """Return the call that asks for the bill of *day* (yyyy-MM-dd)."""

    def read(self, day: str, answer: HttpAnswer, *, now_ms: int) -> BillAnswer:
        """Return what an answer to that leads to. Total: never raises for any bytes."""

    def fetch(self, place: BillAt, *, now_ms: int) -> HttpCall:
        """Return the call that fetches the file."""

    def parse(self, content: bytes, day: str, *, name: str, sha1: str = "") -> Bill:
        """Return the whole bill.

        Args:   sha1: of the place it came from; empty for a file a person brought.
        Raises: BadInputError: refused whole; names the file and the first wrong line.
        """
