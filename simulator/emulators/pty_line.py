"""A serial line: a pty behind a stable symlink that can be pulled out and put back.

The driver opens the symlink, as it would open a port that udev names. Unplugging closes the pty, so
the driver sees a hang-up; plugging in makes a new one and points the symlink at it in one step. The
driver's end is kept open here as well: a pty without a reader makes its master spin with errors.
"""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import Callable
from pathlib import Path

CHUNK = 4_096


def _nobody(_data: bytes) -> None:
    """Drop bytes nobody listens to."""


class PtyLine:
    """One line. Plug it in inside a running event loop; unplug it before the loop ends."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.on_bytes: Callable[[bytes], None] = _nobody
        """Called with what the other end wrote."""
        self.dropped = 0
        """Bytes lost because nobody read them and the line's buffer was full, or it was
        unplugged."""
        self._master: int | None = None
        self._slave: int | None = None

    @property
    def plugged(self) -> bool:
        """Return whether the line is there."""
        return self._master is not None

    def plug(self) -> None:
        """Make the line and point the symlink at it; nothing where it is there."""
        if self._master is not None:
            return
        master, slave = pty.openpty()
        # Raw, or the line would echo, eat control characters and rewrite line ends.
        tty.setraw(slave)
        os.set_blocking(master, False)
        self._master, self._slave = master, slave
        asyncio.get_running_loop().add_reader(master, self._read, master)
        aside = self.link.with_name(f"{self.link.name}.new")
        aside.unlink(missing_ok=True)
        aside.symlink_to(os.ttyname(slave))
        aside.replace(self.link)

    def unplug(self) -> None:
        """Take the line away: whoever has it open gets a hang-up, whoever opens it finds
        nothing."""
        if self._master is None or self._slave is None:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        self.link.unlink(missing_ok=True)
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = None

    def write(self, data: bytes) -> None:
        """Put *data* on the line at once; what does not fit is lost, as on a real one."""
        if self._master is None:
            self.dropped += len(data)
            return
        try:
            written = os.write(self._master, data)
        except OSError:
            written = 0
        self.dropped += len(data) - written

    def _read(self, master: int) -> None:
        try:
            data = os.read(master, CHUNK)
        except OSError:
            return
        if data and master == self._master:
            self.on_bytes(data)
