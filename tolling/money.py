"""Money as whole fen. Nothing in this project counts money in floats or decimals."""

from __future__ import annotations

import re
from dataclasses import dataclass

_YUAN = re.compile(r"(0|[1-9]\d{0,11})(?:\.(\d{1,2}))?", re.ASCII)
# A single toll, bill line or account balance stays far below this; it catches unit mistakes.
MAX_FEN = 10**14


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount of Chinese yuan as an integer number of fen, which may be negative; < MAX_FEN."""

    fen: int

    def __post_init__(self) -> None:
        assert type(self.fen) is int, "money is an int of fen"
        assert -MAX_FEN < self.fen < MAX_FEN, "amount out of range"

    @classmethod
    def from_yuan_text(cls, text: str) -> Money:
        """Return the amount written as yuan with at most two decimals, e.g. ``25`` or ``25.50``.

        Raises: ValueError: the text is not such a figure (sign, exponent and spaces included).
        Source: facts of the platforms: all Alipay amounts are yuan strings.
        """
        found = _YUAN.fullmatch(text)
        if found is None:
            raise ValueError("not an amount of yuan with at most two decimals")
        whole, part = found.groups()
        return cls(int(whole) * 100 + int((part or "").ljust(2, "0")))

    def yuan_text(self) -> str:
        """Return the amount as yuan with exactly two decimals, e.g. ``25.50``."""
        sign = "-" if self.fen < 0 else ""
        return f"{sign}{abs(self.fen) // 100}.{abs(self.fen) % 100:02d}"

    def __add__(self, other: Money) -> Money:
        return Money(self.fen + other.fen)

    def __sub__(self, other: Money) -> Money:
        return Money(self.fen - other.fen)

    def __neg__(self) -> Money:
        return Money(-self.fen)

    def __str__(self) -> str:
        return f"¥{self.yuan_text()}"


ZERO = Money(0)
