"""A lane's disk is made full and gets its space back, with and without the right to mount one."""

from __future__ import annotations

import errno
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.stack.disk import SmallDisk

pytestmark = pytest.mark.wire
WRITER = (
    "import sys\n"
    "for line in sys.stdin:\n"
    "    try:\n"
    "        with open(sys.argv[1], 'wb', buffering=0) as file: file.write(bytes(20_000))\n"
    "        with open(sys.argv[1], 'rb') as file: print(len(file.read()), flush=True)\n"
    "    except OSError as error: print(error.errno, flush=True)\n"
)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Give a process that writes 20,000 bytes whenever it is told to, and says what came of it."""
    (tmp_path / "disk").mkdir()
    command = [sys.executable, "-c", WRITER, str(tmp_path / "disk" / "file")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=10)


def writes(process: subprocess.Popen[str]) -> int:
    """Have it write; return how many bytes are there, or the error's number."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def test_a_full_file_system_has_no_byte_left_and_is_given_back(
    tmp_path: Path, writer: subprocess.Popen[str]
) -> None:
    """ENOSPC while it is full; its files stay when it is taken away."""
    folder = tmp_path / "disk"
    subject = SmallDisk(folder, lambda: writer.pid)
    if subject.how != "tmpfs":
        pytest.skip("mounting needs root")
    try:
        (folder / "kept").write_text("a journal")
        assert subject.fill()
        assert writes(writer) in (0, errno.ENOSPC)
        subject.free()
        assert writes(writer) == 20_000
    finally:
        subject.remove(keep=True)
    assert (folder / "kept").read_text() == "a journal"
    assert not folder.is_mount()


def test_where_nothing_can_be_mounted_the_process_may_write_no_long_file(
    tmp_path: Path, writer: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """EFBIG while it is full, and all its room again afterwards."""
    monkeypatch.setenv("PATH", str(tmp_path))
    subject = SmallDisk(tmp_path / "disk", lambda: writer.pid)
    assert subject.how == "rlimit_fsize"
    assert subject.fill()
    assert writes(writer) in (4_096, errno.EFBIG)
    subject.free()
    assert resource.prlimit(writer.pid, resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    assert writes(writer) == 20_000
    subject.remove(keep=False)


def test_a_lane_that_is_down_has_no_disk_to_fill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a process there is nobody to be limited."""
    monkeypatch.setenv("PATH", str(tmp_path))
    subject = SmallDisk(tmp_path, lambda: None)
    assert not subject.fill()
