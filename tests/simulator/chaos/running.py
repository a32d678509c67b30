"""Runs ``toll-sim chaos`` as a person would, and looks at what it leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = (
    sys.executable,
    "-c",
    "from simulator.chaos.command import app; app(prog_name='toll-sim chaos')",
)


def chaos(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        [*PROGRAM, *arguments, "--json"], capture_output=True, text=True, check=False
    )


def still_running(directory: Path) -> list[str]:
    """Command lines of processes that name *directory*, this one's left out."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, UnicodeDecodeError):
                continue
            if str(directory) in line:
                found.append(line)
    return found


def figures(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The last line."""
    return dict(json.loads(done.stdout.splitlines()[-1]))
