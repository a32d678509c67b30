"""A wall clock of its own for each process of a stack, as each machine of a plaza has one.

The machine's clock belongs to everybody on it. A process that is started with a clock file asks the
machine's wall clock and adds what stands in that file, now: whoever writes to it sets that
process's clock wrong, and right again. Its monotonic clock is left alone, as a step of a real wall
clock leaves it.
"""

from __future__ import annotations

import mmap
import struct
import time
from pathlib import Path

_OFFSET = struct.Struct("<q")
NS_PER_MS = 1_000_000


def set_off(path: Path, offset_ms: int) -> None:
    """Set the clock of the processes that use *path* so far wrong; 0 sets it right."""
    if not path.exists():
        path.write_bytes(_OFFSET.pack(0))
    with path.open("r+b") as file:
        file.write(_OFFSET.pack(offset_ms * NS_PER_MS))


def go_by(path: Path) -> None:
    """Have this process's wall clock go by *path* from now on. Call it before its ``main``."""
    with path.open("rb") as file:
        offset = mmap.mmap(file.fileno(), _OFFSET.size, prot=mmap.PROT_READ)
    true_ns = time.time_ns

    def wall_ns() -> int:
        return true_ns() + int(_OFFSET.unpack(offset[: _OFFSET.size])[0])

    def wall_s() -> float:
        return wall_ns() / 1e9

    vars(time)["time_ns"] = wall_ns
    vars(time)["time"] = wall_s
