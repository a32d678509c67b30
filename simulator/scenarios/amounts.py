"""Durations as people write them: ``12s``, ``800ms``, ``2min``; inside they are microseconds.

Read and written exactly, in integers: what is written reads back as the same number.
"""

from __future__ import annotations

import re

UNITS: dict[str, int] = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}
"""Microseconds in each unit."""
SPAN_PATTERN = r"^-?[0-9]{1,15}(\.[0-9]{1,6})?(us|ms|s|min|h|d)$"
SPAN_MAX_US = 400 * UNITS["d"]
"""No run lasts so long; a clock may be off by a year."""
_SPAN = re.compile(SPAN_PATTERN, re.ASCII)


def parse_span(text: str) -> int | None:
    """Return a duration in microseconds, or None where *text* is none or has no whole number of
    them. ``0`` needs no unit."""
    if text == "0":
        return 0
    if _SPAN.fullmatch(text) is None:
        return None
    number = text.rstrip("usminhd")
    unit = UNITS[text[len(number) :]]
    whole, _, part = number.lstrip("-").partition(".")
    thousandths = int(whole + part) * unit
    found, rest = divmod(thousandths, int(10 ** len(part)))
    if rest or found > SPAN_MAX_US:
        return None
    return -found if number.startswith("-") else found


def span_text(us: int) -> str:
    """Return the shortest exact text of a duration in the largest unit that fits."""
    if us == 0:
        return "0s"
    sign, size = ("-", -us) if us < 0 else ("", us)
    for unit in ("d", "h", "min", "s", "ms"):
        if size % UNITS[unit] == 0:
            return f"{sign}{size // UNITS[unit]}{unit}"
    return f"{sign}{size}us"
