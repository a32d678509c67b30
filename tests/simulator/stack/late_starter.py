"""A process that says it serves a second after its start: run by test_part as a part of a stack."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

LATE_S = 1.0


def main() -> int:
    """Say nothing for a second from the second start on, then serve until a signal."""
    marker = sys.argv[1]
    if os.path.exists(marker):
        time.sleep(LATE_S)
    else:
        with open(marker, "w", encoding="utf-8"):
            pass
    sys.stdout.write(json.dumps({"pid": os.getpid()}) + "\n")
    sys.stdout.flush()
    signal.pause()
    return 0
