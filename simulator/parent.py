"""A child process that ends when its parent does, however the parent ended."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
"""Linux: the signal the kernel sends when the thread that started us is gone. Source: prctl(2)."""
POLL_S = 0.5
"""How often the parent is looked for where the kernel does not tell."""


def end_with_parent(*, parent_pid: int | None = None) -> None:
    """Have SIGTERM sent to this process when its parent ends.

    Args:   parent_pid: who the parent must be; None takes the present one. A parent that ended
            before this call is noticed only when it is named.
    """
    parent = os.getppid() if parent_pid is None else parent_pid
    if not _ask_kernel():
        watch = threading.Thread(target=_watch, args=(parent,), name="parent watch", daemon=True)
        watch.start()
    if os.getppid() != parent:
        # It ended before the kernel was asked, so no signal would ever come.
        os.kill(os.getpid(), signal.SIGTERM)


def _ask_kernel() -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_S)
    os.kill(os.getpid(), signal.SIGTERM)
