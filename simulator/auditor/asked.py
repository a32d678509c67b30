"""Part of M1: who pays by phone is charged a sum that stood on the fee display before him.

By the road's log and the platforms' books: the sums that could be read there from the moment a
vehicle stood at the window (what stood there then included) until the platform took the money.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from simulator.auditor.evidence import CapturedTrade, Evidence
from simulator.auditor.payers import LANE_DIGITS
from simulator.plant.events import Display, PlantEdge, What

_YUAN = re.compile(r"(\d{1,12})\.(\d{2})元", re.ASCII)


@dataclass(slots=True, kw_only=True)
class _Window:
    """A vehicle's first stand at a window."""

    lane: str
    from_us: int
    until_us: int | None = None
    sums: list[tuple[int, int | None]] = field(default_factory=list)
    """(time, fen) of every picture with a sum; None where it went dark: nobody knows then what a
    display without a plug shows when it comes back."""

    def read(self, until_us: int) -> set[int | None]:
        """Return what could be read until an instant."""
        return {fen for at_us, fen in self.sums if at_us <= until_us}


def m1_asked(seen: Evidence) -> Iterator[str]:
    """Yield every order of which another sum was captured than any its payer could read.

    Nobody's whose wallet others held up, no order of which another amount than asked for was
    taken, and nobody before whom the display was dark or showed no sum at all.
    """
    due = {order.out_trade_no: order.toll_fen for order in seen.orders}
    shared = {vehicle for pair in seen.borrowed for vehicle in pair}
    windows = _windows(seen)
    for trade in seen.trades:
        window = windows.get(trade.payer or 0)
        asked = trade.captured_fen and trade.captured_fen == due.get(trade.out_trade_no)
        if window is None or not asked or trade.payer in shared or not _there(window, trade):
            continue
        read = window.read(trade.paid_at_us or 0)
        if read and None not in read and trade.captured_fen not in read:
            sums = ", ".join(str(fen) for fen in sorted(fen for fen in read if fen is not None))
            yield (
                f"order {trade.out_trade_no}: {trade.captured_fen} fen were captured, the display"
                f" said {sums}"
            )


def _there(window: _Window, trade: CapturedTrade) -> bool:
    """Return whether the payer stood there when the money was taken."""
    at_us = trade.paid_at_us
    here = at_us is not None and window.from_us <= at_us
    gone = here and window.until_us is not None and window.until_us < (at_us or 0)
    return here and not gone and trade.out_trade_no[LANE_DIGITS] == window.lane


class _Display:
    """What stands on one lane's display."""

    def __init__(self) -> None:
        self.fen: int | None = None
        """The sum; None where there is none, or nobody knows whether it is of now."""
        self._before: tuple[str, ...] = ()
        self._dark = False

    def shows(self, lines: tuple[str, ...]) -> bool:
        """Take a picture into account. Return whether nobody knows whose it is: it is dark, or
        shows again what stood there before it was, which may be older than the last frame."""
        if not any(line.strip() for line in lines):
            self._dark, self.fen = True, None
            return True
        again = self._dark and lines == self._before
        self._before, self._dark = lines, False
        self.fen = None if again else _sum(lines)
        return again


def _windows(seen: Evidence) -> dict[int, _Window]:
    windows: dict[int, _Window] = {}
    at_window: dict[str, _Window] = {}
    displays: dict[str, _Display] = defaultdict(_Display)
    for entry in seen.plant_log:
        display = displays[entry.lane]
        if isinstance(entry, Display):
            unsure = display.shows(entry.lines)
            here = at_window.get(entry.lane)
            if here is not None and (unsure or display.fen is not None):
                here.sums.append((entry.at_us, display.fen))
        elif isinstance(entry, PlantEdge) and entry.what is What.AT_WINDOW:
            number = entry.vehicle_id
            if number is None:
                continue
            if entry.on and number not in windows:
                window = _Window(lane=entry.lane, from_us=entry.at_us)
                if display.fen is not None:
                    window.sums.append((entry.at_us, display.fen))
                windows[number] = at_window[entry.lane] = window
            elif not entry.on and at_window.get(entry.lane) is windows.get(number):
                at_window.pop(entry.lane).until_us = entry.at_us
    return windows


def _sum(lines: tuple[str, ...]) -> int | None:
    for line in lines:
        found = _YUAN.fullmatch(line.strip())
        if found is not None:
            return int(found[1]) * 100 + int(found[2])
    return None
