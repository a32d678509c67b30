"""The guards of conftest.py guard."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def _run(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    """Run *source* as a test file beside a copy of this project's conftest."""
    (folder / "conftest.py").write_text((TESTS / "conftest.py").read_text())
    (folder / "test_it.py").write_text(textwrap.dedent(source))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-o", "asyncio_default_fixture_loop_scope=function", str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_leaked_task_fails_the_test(tmp_path: Path) -> None:
    """A test that ends while a task of its own is alive fails and names the task."""
    source = """
        import asyncio, pytest

        @pytest.mark.asyncio
        async def test_leak():
            asyncio.get_running_loop().create_task(asyncio.sleep(60), name="forgotten")
        """
    result = _run(tmp_path, source)
    assert result.returncode == 1
    assert "tasks still alive after the test: forgotten" in result.stdout


@pytest.mark.slow
def test_task_ended_by_a_fixture_is_no_leak(tmp_path: Path) -> None:
    """A task that the test's own fixture ends in its tear-down is not a leak."""
    source = """
        import asyncio, contextlib, pytest, pytest_asyncio

        @pytest_asyncio.fixture
        async def server():
            task = asyncio.get_running_loop().create_task(asyncio.sleep(60))
            yield
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        @pytest.mark.asyncio
        async def test_uses_it(server):
            await asyncio.sleep(0)

        def test_without_a_loop():
            pass
        """
    result = _run(tmp_path, source)
    assert result.returncode == 0, result.stdout
    assert "suite unit: 2 tests" in result.stdout
