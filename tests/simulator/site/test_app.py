"""``python -m simulator.site``: one line of JSON, an end when told, and clear words on bad
input."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path

import pytest

from simulator.site.config import SiteConfigError, read_config

LANES = [{"lane_id": "001"}, {"lane_id": "002", "wire": "modbus+rtu", "scanner": "honeywell"}]


async def start(config: Path) -> asyncio.subprocess.Process:
    """Start a site as a child."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator.site", "--config", str(config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.wire
@pytest.mark.asyncio
async def test_it_says_where_everything_is_and_ends_when_told(tmp_path: Path) -> None:
    """One line with every lane's wires, ready to be put into a lane file; SIGTERM ends it with
    0."""
    config = tmp_path / "site.json"
    config.write_text(
        json.dumps({"run_dir": str(tmp_path / "run"), "lanes": LANES, "platforms": None})
    )
    child = await start(config)
    assert child.stdout is not None
    async with asyncio.timeout(30):
        facts = json.loads(await child.stdout.readline())
        one, two = facts["lanes"]
        assert one["modbus_url"].startswith("modbus+tcp://127.0.0.1:")
        assert one["devices"]["barrier"]["url"] == one["modbus_url"]
        assert two["devices"]["scanner"]["dialect"] == "honeywell"
        assert Path(two["modbus_url"].removeprefix("modbus+rtu://").partition("?")[0]).exists()
        assert facts["control_url"].startswith("http://127.0.0.1:")
        child.send_signal(signal.SIGTERM)
        out, err = await child.communicate()
    assert (child.returncode, out, err) == (0, b"", b"")


@pytest.mark.wire
@pytest.mark.asyncio
async def test_a_taken_port_is_named_and_ends_it(tmp_path: Path) -> None:
    """Exit code 2 and one line that names the port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = tmp_path / "site.json"
        config.write_text(
            json.dumps(
                {
                    "run_dir": str(tmp_path / "run"),
                    "lanes": LANES[:1],
                    "platforms": None,
                    "control_port": port,
                }
            )
        )
        child = await start(config)
        async with asyncio.timeout(30):
            out, err = await child.communicate()
    assert (child.returncode, out) == (2, b"")
    assert err.count(b"\n") == 1
    assert str(port).encode() in err


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("{", "JSON"),
        ('{"lanes": []}', "run_dir"),
        ('{"run_dir": "x", "lanes": []}', "lanes"),
        ('{"run_dir": "x", "lanes": [{"lane_id": "1"}]}', "lanes.0.lane_id"),
        ('{"run_dir": "x", "lanes": [{"lane_id": "001", "wire": "smoke"}]}', "lanes.0.wire"),
        ('{"run_dir": "x", "lanes": [{"lane_id": "001"}, {"lane_id": "001"}]}', "one lane_id"),
        ('{"run_dir": "x", "lanes": [{"lane_id": "001"}], "color": 1}', "color"),
        ('{"run_dir": "x", "lanes": [{"lane_id": "001"}], "wallets": ["gold"]}', "wallets.0"),
        (
            (
                '{"run_dir": "x", "lanes": [{"lane_id": "001"}], "wallets": ["emvco"], '
                '"platforms": {"ports": {"alipay": 1}}}'
            ),
            "alipay",
        ),
    ],
)
def test_a_wrong_config_names_file_and_key(tmp_path: Path, text: str, key: str) -> None:
    """Each error says which file, which key and what is wrong."""
    path = tmp_path / "site.json"
    path.write_text(text)
    with pytest.raises(SiteConfigError) as caught:
        read_config(path)
    assert str(path) in str(caught.value)
    assert key in str(caught.value)


def test_a_missing_config_is_named(tmp_path: Path) -> None:
    """No file, one clear error."""
    with pytest.raises(SiteConfigError, match="cannot be read"):
        read_config(tmp_path / "nowhere.json")
