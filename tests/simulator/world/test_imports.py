"""The world runs production code, and none of its shells."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from lane_controller import store as lane_store
from lane_controller.engine import engine as lane_engine
from lane_controller.engine import recovery
from lane_controller.store import database as lane_database
from plaza_server import engine as plaza_engine
from plaza_server import store as plaza_store
from plaza_server.platforms.alipay import codec as alipay_codec
from simulator.platforms import http as platform_http
from simulator.world import (
    build,
    lane_process,
    platform_line,
    platforms,
    plaza_process,
    ports,
    shelf,
)
from tolling import coupons, inputs, paycodes

ROOT = Path(__file__).parents[3]
NEVER = (
    "hw",
    "lane_controller.shell",
    "plaza_server.shell",
    "plaza_server.api",
    "simulator.emulators",
    "simulator.platforms",
    "simulator.site",
    "simulator.demo",
    "simulator.chaos",
    "dashboards",
)
PRODUCTION = (
    "lane_controller.core.lane",
    "lane_controller.engine.engine",
    "lane_controller.store.units",
    "plaza_server.rules.orders",
    "plaza_server.engine.engine",
    "plaza_server.store.units",
    "plaza_server.platforms.alipay.codec",
)


@pytest.mark.slow
def test_importing_the_world_loads_production_code_and_no_shell() -> None:
    """Core, engines, rules, stores and codecs are the production modules; shells are not there."""
    code = "import simulator.world.build, sys; print('\\n'.join(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert set(PRODUCTION) <= loaded
    shells = [name for name in loaded if name.startswith(NEVER) or name.endswith(".client")]
    ours = ("hw", "lane_", "plaza_", "simulator", "dashboards")
    assert [name for name in shells if name.startswith(ours)] == []


def test_the_world_runs_the_very_functions_production_runs() -> None:
    """Not a copy and not a stand-in: the same objects, by identity."""
    assert lane_process.LaneEngine is lane_engine.LaneEngine
    assert lane_process.recover is recovery.recover
    assert build.LaneStore is lane_store.LaneStore
    assert plaza_process.PlazaEngine is plaza_engine.PlazaEngine
    assert plaza_process.commit_group is plaza_store.commit_group
    assert shelf.open_store is plaza_store.open_store
    assert shelf.connect is lane_database.connect
    assert platforms.AlipayCodec is alipay_codec.AlipayCodec
    assert ports.may_lower is inputs.may_lower
    assert ports.classify_scan is coupons.classify_scan
    assert coupons.classify is paycodes.classify


def test_world_and_http_server_share_the_platforms_one_byte_face() -> None:
    """Request bytes in, signed answer bytes out: ``AlipayModel.handle``, and neither face builds an
    answer of its own."""
    for face in (platform_line, platform_http):
        source = inspect.getsource(face)
        assert source.count("_model.handle(") == 1, face.__name__
        assert "answer_bytes" not in source, face.__name__
        assert "signature_of" not in source, face.__name__
    assert platform_line.HttpRequest is platform_http.HttpRequest


def test_no_file_of_the_world_knows_asyncio_threads_clocks_or_sockets() -> None:
    """Time comes from the heap and chance from the streams; only streams.py knows random."""
    forbidden = {"asyncio", "threading", "time", "socket", "selectors", "secrets", "uuid", "random"}
    found = []
    for path in sorted((ROOT / "simulator" / "world").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [
                f"{path.name} {name}"
                for name in names
                # The class is only a type there: every object comes from streams.py.
                if name.partition(".")[0] in forbidden and name != "random.Random"
            ]
    assert found == []
