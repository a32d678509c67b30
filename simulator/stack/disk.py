"""A lane's disk that can be full: a small file system of its own where root allows one, else a
limit on the size of the lane's files."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

SIZE_MIB = 160
"""The lane's ballast is 64 MiB; its journal of an hour is a few."""
FILLER = "filler"
BLOCKS = (1 << 20, 4_096, 1)
FILE_BYTES_MAX = 4_096
"""With a limit in place of a file system: no file of the lane grows beyond this."""


class SmallDisk:
    """The disk of one lane."""

    def __init__(self, folder: Path, pid: Callable[[], int | None]) -> None:
        """Mount it on *folder*, which is empty; where that is not allowed, limit the process.

        Args:   pid: the lane's process, None while it does not run.
        """
        self._folder = folder
        self._pid = pid
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=700", "toll", str(folder)]
        done = None
        with contextlib.suppress(OSError):
            done = subprocess.run(command, check=False, capture_output=True)
        self._mounted = done is not None and done.returncode == 0

    @property
    def how(self) -> str:
        """Return how it is made small: ``tmpfs`` or ``rlimit_fsize``."""
        return "tmpfs" if self._mounted else "rlimit_fsize"

    def fill(self) -> bool:
        """Leave no byte free; return whether that could be done."""
        if self._mounted:
            fill(self._folder / FILLER)
            return True
        return self._limit(FILE_BYTES_MAX)

    def free(self) -> None:
        """Give the space back."""
        if self._mounted:
            (self._folder / FILLER).unlink(missing_ok=True)
        else:
            self._limit(resource.RLIM_INFINITY)

    def _limit(self, most: int) -> bool:
        """Set the soft limit of the lane's files. One that was started meanwhile has none."""
        pid = self._pid()
        if pid is None:
            return False
        with contextlib.suppress(OSError, ValueError):
            hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
            soft = hard if most == resource.RLIM_INFINITY else most
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
            return True
        return False

    def remove(self, *, keep: bool) -> None:
        """Take the file system away; with *keep* its files stay in the folder."""
        if not self._mounted:
            return
        self.free()
        aside = self._folder.with_name(f"{self._folder.name}.kept")
        if keep:
            shutil.copytree(self._folder, aside, symlinks=True, ignore=_no_ballast)
        subprocess.run(["umount", "--lazy", str(self._folder)], check=False, capture_output=True)
        self._mounted = False
        if keep:
            shutil.copytree(aside, self._folder, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(aside)


def fill(path: Path) -> None:
    """Take every byte that is left, the last ones too."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for size in BLOCKS:
            with contextlib.suppress(OSError):
                while True:
                    os.write(descriptor, b"\0" * size)
    finally:
        os.close(descriptor)


def _no_ballast(folder: str, names: list[str]) -> list[str]:
    """Name what is not worth keeping: zeros, and sockets, which cannot be copied."""
    return [name for name in names if name.endswith(".ballast") or Path(folder, name).is_socket()]
