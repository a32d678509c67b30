"""What the measured processes say of themselves: histogram sums, and CPU time as the system counts
it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"(?P<name>\w+?)_(?P<kind>sum|count)\{(?P<labels>[^}]*)\} (?P<value>\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Sum and count of one histogram."""

    seconds: float = 0.0
    count: int = 0

    def since(self, before: Total) -> Total:
        """Return what was added after *before*."""
        return Total(seconds=self.seconds - before.seconds, count=self.count - before.count)

    @property
    def mean_ms(self) -> float | None:
        """Return the mean in milliseconds, None without a sample."""
        return round(self.seconds / self.count * 1_000, 3) if self.count else None


def histogram(pages: Iterable[str], name: str, label: str = "") -> Total:
    """Return a histogram summed over Prometheus *pages*.

    Args:   label: ``name="value"`` that the samples must carry; empty takes all.
    """
    seconds, count = 0.0, 0
    for page in pages:
        for found in _LINE.finditer(page):
            if found["name"] != name or label not in found["labels"]:
                continue
            if found["kind"] == "sum":
                seconds += float(found["value"])
            else:
                count += int(float(found["value"]))
    return Total(seconds=seconds, count=count)


def cpu_s(pids: Iterable[int]) -> float | None:
    """Return the CPU seconds processes have used so far; None where the system does not tell."""
    ticks = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            return None
        # The second field is a name in brackets and may hold blanks; times are fields 14 and 15.
        fields = text.rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
