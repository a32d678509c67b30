"""One running plaza per test file."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.plaza_server.plaza_process import PlazaProcess, plaza_running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plaza(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PlazaProcess]:
    """A plaza with one lane and a scripted gateway."""
    async with plaza_running(tmp_path_factory.mktemp("plaza")) as running:
        yield running
