"""The OpenAPI text and the running plaza agree, whatever is thrown at it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.plaza_server.plaza_process import PlazaProcess

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.wire,
    pytest.mark.slow,
    pytest.mark.long,
]
CHECKS = (
    "not_a_server_error,status_code_conformance,"
    "content_type_conformance,response_schema_conformance"
)
EXAMPLES = 15
"""Per operation and caller: a look at every field; a night's run raises it by environment."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("token", ["lane", "admin"])
async def test_generated_requests_get_documented_answers(
    plaza: PlazaProcess, tmp_path: Path, token: str
) -> None:
    """No 5xx but the documented, no undocumented status, type or shape."""
    secret = plaza.lane_token if token == "lane" else plaza.admin
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{plaza.url}/openapi.json",
        *("--header", f"Authorization: Bearer {secret}"),
        *("--checks", CHECKS, "--phases", "examples,fuzzing"),
        *("--max-examples", os.environ.get("TOLL_CONTRACT_EXAMPLES", str(EXAMPLES))),
        *("--generation-deterministic", "--no-shrink", "--workers", "1"),
        *("--suppress-health-check", "all", "--warnings", "off", "--request-timeout", "10"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()[-6000:]
    assert (await plaza.ask("GET", "/health")).status == 200
    assert b"handler_broke" not in plaza.kept()
    assert b"engine_broke" not in plaza.kept()
