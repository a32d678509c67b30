"""Starts a program that ends with its parent: ``python -m simulator.demo.child PID PROGRAM ...``.

The kernel keeps the wish over ``exec``, so this serves programs that are not ours as well; and it
is asked in a process of its own, before anything of the program runs.
"""

from __future__ import annotations

import os
import sys

from simulator.parent import end_with_parent


def argv_of(*program: str) -> tuple[str, ...]:
    """Return what to start so that *program* ends with this process."""
    return (sys.executable, "-m", "simulator.demo.child", str(os.getpid()), *program)


def main() -> None:
    """Become the program."""
    if len(sys.argv) < 3 or not sys.argv[1].isdecimal():
        sys.exit("usage: python -m simulator.demo.child PARENT_PID PROGRAM [ARGUMENT ...]")
    end_with_parent(parent_pid=int(sys.argv[1]))
    try:
        os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - the argument list is our parent's
    except OSError as error:
        sys.exit(f"{sys.argv[2]}: {error.strerror}")


if __name__ == "__main__":
    main()
