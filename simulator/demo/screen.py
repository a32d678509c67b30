"""What a person sees of the demo in the terminal: what starts, where to look, what happens."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

LINES = 8
"""Messages kept on the screen."""
_ABOUT = {
    "page": "the lanes, live (add en/ or zh/)",
    "token": "signs in at the page as a shift leader (money, passages)",
    "plaza": "the plaza's API; its documentation under /docs",
    "site": "control of the simulated outside",
    "broker": "telemetry and commands",
}


@dataclass(slots=True)
class Screen:
    """Collects what is shown and draws it."""

    said: deque[str] = field(default_factory=lambda: deque(maxlen=LINES))
    urls: Mapping[str, str] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    plain: Callable[[str], None] | None = None
    """Where the output is no terminal: says each message and each vehicle gone by as a line."""

    def tell(self, line: str) -> None:
        """Add one message."""
        self.said.append(line)
        if self.plain is not None:
            self.plain(line)

    def count(
        self,
        *,
        sent: int,
        gone: int,
        memories: list[dict[str, Any]],
        timings: list[dict[str, Any]],
    ) -> None:
        """Take new figures."""
        tenders = dict.fromkeys(("phone", "cash", "etc"), 0)
        for memory in memories:
            for by in {money["by"] for money in memory["taken"] if money["amount_fen"] > 0}:
                tenders[by] += 1
        known = [t["scan_to_boom_up_us"] for t in timings if t["straight"]]
        waits = [us / 1e6 for us in known if us is not None]
        if self.plain is not None and gone != self.counts.get("left", 0):
            last = _seconds(waits[-1] if waits else None)
            self.plain(f"{gone} vehicles gone, last scan to boom up {last}")
        self.counts = {
            "came": sent,
            "left": gone,
            **tenders,
            "p50": statistics.median(waits) if waits else None,
            "last": waits[-1] if waits else None,
        }

    def __rich__(self) -> Group:
        """Return what the terminal shows."""
        return Group(*self._parts())

    def _parts(self) -> list[Any]:
        places = Table.grid(padding=(0, 2))
        for name, about in _ABOUT.items():
            if name in self.urls:
                style = "bold" if name == "page" else ""
                places.add_row(name, Text(self.urls[name], style=style), Text(about, style="dim"))
        parts: list[Any] = [Panel(places, title="Open toll lane - simulation", expand=False)]
        if self.counts:
            parts.append(self._figures())
        parts += [Text(line, style="dim") for line in self.said]
        parts.append(Text("Ctrl-C ends everything.", style="dim"))
        return parts

    def _figures(self) -> Table:
        counts = self.counts
        table = Table(expand=False)
        heads = ("came", "left", "by phone", "cash", "ETC", "scan to boom up, p50", "last")
        for head in heads:
            table.add_column(head, justify="right")
        table.add_row(
            *(str(counts[name]) for name in ("came", "left", "phone", "cash", "etc")),
            *(_seconds(counts[name]) for name in ("p50", "last")),
        )
        return table


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def console() -> Console:
    """Return the terminal for progress: never standard output, which is for results."""
    return Console(stderr=True, highlight=False)
