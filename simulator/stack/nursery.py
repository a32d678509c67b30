"""Starts processes fast: one process imports the programs once, every start is a fork of it.

A forked process is as real as any other: it has its own number, its own memory and sockets, runs
the production ``main`` with its own argument list and dies of SIGKILL. What is saved is the second
or two that the imports cost, which a run with a hundred starts cannot pay.

Orders come as JSON lines on standard input and news leaves on standard output; when standard input
ends, every child is killed and the nursery ends.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simulator.stack.hurry import hurry
from simulator.stack.wall import go_by

_PR_SET_PDEATHSIG = 1
_LIBRARIES = (
    "lane_controller.main",
    "lane_controller.config",
    "lane_controller.shell.logs",
    "lane_controller.shell.serve",
    "plaza_server.main",
    "plaza_server.shell.certificate_watch",
    "plaza_server.shell.logs",
    "plaza_server.shell.parts",
    "plaza_server.shell.serve",
    "simulator.site.app",
    "hw.registry",
    "hw.barrier.driver",
    "hw.camera.driver",
    "hw.display.driver",
    "hw.etc.driver",
    "hw.scanner.driver",
    "pysqlite3.dbapi2",
    "pymodbus.client",
    "serialx",
    "alembic.command",
    "alembic.config",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.dialects.postgresql",
    "psycopg",
    "typer._adapters",
    "typer._click.decorators",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
    "_strptime",
    "encodings.ascii",
    "encodings.idna",
)
"""What every start would import, most of it only when its command is run; programs of the lane and
the plaza, never parts of this process."""
BIRTH_S = 60.0
END_S = 20.0


class NurseryError(Exception):
    """The nursery, or a process of it, does not do what it is told; one line for people."""


class Child:
    """One process the nursery started."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended = threading.Event()
        self.status: int | None = None
        """As of ``Popen.returncode``: below 0 is a signal."""

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal, unless it has ended."""
        if not self.ended.is_set():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def wait(self, within_s: float = 20.0) -> int:
        """Return the exit status. Raises: NurseryError: it does not end."""
        if not self.ended.wait(within_s):
            raise NurseryError(f"process {self.pid} does not end within {within_s:.0f} s")
        assert self.status is not None, "a process that ended has a status"
        return self.status


class Nursery:
    """The side of whoever wants processes."""

    def __init__(
        self, *, hurried: bool, planter: str | None = None, cwd: Path | None = None
    ) -> None:
        """Start it.

        Args:   hurried: the plaza's slow proofs take a tenth (simulator.stack.hurry).
                planter: a module with ``plant(module, plan)``, called in each process that has a
                plan before its ``main``: it plants a known bug or a death.
                cwd: where the processes run; None: here.
        """
        command = [sys.executable, "-m", "simulator.stack.nursery"]
        command += ["--hurried"] if hurried else []
        command += ["--planter", planter] if planter is not None else []
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=cwd,
            # A Ctrl-C at the terminal is for our process, which ends its children in order.
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self._children: dict[int, tuple[Child, Callable[[Child], None] | None]] = {}
        self._born: list[int] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="nursery", daemon=True)
        self._reader.start()

    def start(
        self,
        module: str,
        *arguments: str,
        out: Path,
        log: Path,
        plan: Path | None = None,
        clock: Path | None = None,
        file_bytes_max: int | None = None,
        on_end: Callable[[Child], None] | None = None,
    ) -> Child:
        """Fork one process that runs ``main`` of *module*.

        Args:   out: standard output, begun anew. log: standard error, appended.
                plan: handed to the planter; None: nothing is planted in this one.
                clock: how wrong its wall clock is (simulator.stack.wall); None: the machine's.
                file_bytes_max: no file grows over this (RLIMIT_FSIZE).
                on_end: called in a thread of its own when the process has ended.
        Raises: NurseryError: the nursery is gone, or does not answer.
        """
        order = {
            "module": module,
            "arguments": arguments,
            "out": str(out),
            "log": str(log),
            "plan": None if plan is None else str(plan),
            "clock": None if clock is None else str(clock),
            "file_bytes_max": file_bytes_max,
        }
        with self._lock:
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(json.dumps(order) + "\n")
                self._process.stdin.flush()
            except (OSError, ValueError):
                raise NurseryError("the nursery has ended; see its error above") from None
            with self._news:
                if not self._news.wait_for(lambda: bool(self._born), timeout=BIRTH_S):
                    raise NurseryError(f"no process was born within {BIRTH_S:.0f} s")
                child = self._children[self._born.pop()][0]
                self._children[child.pid] = (child, on_end)
                if child.ended.is_set() and on_end is not None:
                    self._tell(child, on_end)
        return child

    def close(self) -> None:
        """End the nursery and all it started."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        if not self._children:
            # It has nobody to end, and may still be importing.
            self._process.kill()
        self._process.wait(timeout=END_S)
        self._reader.join(timeout=END_S)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            news = json.loads(line)
            with self._news:
                if "born" in news:
                    child = Child(news["born"])
                    self._children[child.pid] = (child, None)
                    self._born.append(child.pid)
                else:
                    child, on_end = self._children[news["ended"]]
                    child.status = news["status"]
                    child.ended.set()
                    if on_end is not None:
                        self._tell(child, on_end)
                self._news.notify_all()

    def _tell(self, child: Child, on_end: Callable[[Child], None]) -> None:
        threading.Thread(target=on_end, args=(child,), name="child ended", daemon=True).start()


# ---- the nursery's own side ----


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hurried", action="store_true")
    parser.add_argument("--planter")
    options = parser.parse_args()
    if options.hurried:
        hurry()
    for name in (*_LIBRARIES, *([options.planter] if options.planter else [])):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    assert threading.active_count() == 1, "a fork copies only one thread"
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    children: set[int] = set()
    pending = b""
    while True:
        ready, _, _ = select.select([0, wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
            _reap(children)
        if 0 in ready:
            data = os.read(0, 65_536)
            if not data:
                break
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                pid = _fork(json.loads(line), (wake_read, wake_write), options.planter)
                children.add(pid)
                _say(born=pid)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    for pid in children:
        os.waitpid(pid, 0)


def _say(**news: int) -> None:
    os.write(1, json.dumps(news).encode() + b"\n")


def _reap(children: set[int]) -> None:
    for pid in sorted(children):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            children.discard(pid)
            _say(ended=pid, status=os.waitstatus_to_exitcode(status))


def _fork(order: dict[str, Any], fds: tuple[int, int], planter: str | None) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(0)
        for fd in fds:
            os.close(fd)
        status = _run(order, planter)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            sys.stderr.write(f"{ended.code}\n")
        status = ended.code if isinstance(ended.code, int) else 1 if ended.code else 0
    except BaseException:  # noqa: BLE001 - a child never runs on as its parent
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)


def _run(order: dict[str, Any], planter: str | None) -> int:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
    os.dup2(os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    if order["file_bytes_max"] is not None:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_bytes_max"], hard))
    if order["clock"] is not None:
        go_by(Path(order["clock"]))
    module = importlib.import_module(order["module"])
    sys.argv = [order["module"], *order["arguments"]]
    if order["plan"] is not None and planter is not None:
        importlib.import_module(planter).plant(order["module"], Path(order["plan"]))
    ended = module.main()
    return ended if isinstance(ended, int) else 0


if __name__ == "__main__":
    main()
