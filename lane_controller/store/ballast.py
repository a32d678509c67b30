"""Space kept for the moment the disk is full.

The file lies beside the journal. When a commit finds no space the file is deleted, so that the
passages in the lane can end and be recorded; it is made again once there is plenty.
"""

from __future__ import annotations

import os
from pathlib import Path

BALLAST_BYTES = 64 * 1024 * 1024
"""Over 30,000 commits of 2 kB: a day of a busy lane, but it ends its passages within minutes."""
SPARE_RATIO = 2
"""Made again only where twice its size is free: else the next commit would free it at once."""


class Ballast:
    """One file of a fixed size, real blocks on the disk."""

    def __init__(self, path: Path, size: int = BALLAST_BYTES) -> None:
        self._path = path
        self._size = size

    @property
    def held(self) -> bool:
        """Return whether the space is held."""
        try:
            return self._path.stat().st_size >= self._size
        except OSError:
            return False

    def free(self) -> bool:
        """Give the space back; return whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def make(self) -> bool:
        """Hold the space where there is plenty; return whether it is held now."""
        if self.held:
            return True
        try:
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize < self._size * SPARE_RATIO:
                return False
            file = os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600)
            try:
                os.posix_fallocate(file, 0, self._size)
            finally:
                os.close(file)
        except OSError:
            self.free()
            return False
        return True
