"""The three platforms served together: key files, control APIs, addresses of bills."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509

from simulator.models.platform_face import PlatformFace
from simulator.platforms.clock import RealClock
from simulator.platforms.hosts import Hosted, Setup, host_alipay, host_unionpay, host_wechat
from simulator.platforms.keys import KeyFilesError
from simulator.platforms.server import serving

pytestmark = [pytest.mark.wire, pytest.mark.slow]

HOSTS: dict[str, Callable[[Setup], tuple[PlatformFace, Hosted]]] = {
    "alipay": host_alipay,
    "wechat": host_wechat,
    "unionpay": host_unionpay,
}


@asynccontextmanager
async def running(name: str, keys: Path) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """Serve one platform and give its control address."""
    _, host = HOSTS[name](Setup(keys_dir=keys, clock=RealClock(), latency_ms=0))
    async with serving(host.application) as port, aiohttp.ClientSession() as client:
        facts = host.opened(f"http://127.0.0.1:{port}")
        assert facts["platform"] == name
        yield str(facts["control_url"]), client


async def posted(client: aiohttp.ClientSession, url: str, body: Any) -> tuple[int, Any]:
    """Post JSON and return status and JSON."""
    async with client.post(url, json=body) as answer:
        return answer.status, json.loads(await answer.read())


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "more", "begins", "length"),
    [
        ("alipay", {"prefix": 30, "length": 24}, "30", 24),
        ("wechat", {"prefix": 15}, "15", 18),
        ("unionpay", {}, "62", 19),
        ("unionpay", {"emvco": True}, "hQVDUFYwMW", 0),
    ],
)
async def test_codes_are_shown_as_each_wallet_shows_them(
    tmp_path: Path, name: str, more: dict[str, Any], begins: str, length: int
) -> None:
    """The control API knows what is each platform's own and refuses what is another's."""
    async with running(name, tmp_path) as (control, client):
        status, issued = await posted(client, f"{control}/codes", {"buyer_id": "d", **more})
        assert status == 201
        assert issued["code"].startswith(begins)
        assert length in (0, len(issued["code"]))
        status, problem = await posted(client, f"{control}/codes", {"buyer_id": "d", "wish": 1})
        assert (status, problem["code"]) == (422, "bad_field")


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["alipay", "wechat", "unionpay"])
async def test_faults_and_books_are_told_alike(tmp_path: Path, name: str) -> None:
    """The same words for all: status, trades, calls, wallets, faults."""
    async with running(name, tmp_path) as (control, client):
        fault = {"kind": "http_5xx", "calls": ["query", "bill"], "times": 3}
        assert (await posted(client, f"{control}/faults", fault))[0] == 201
        found = {}
        for path in ("status", "trades", "calls", "wallets", "faults"):
            async with client.get(f"{control}/{path}") as answer:
                found[path] = await answer.json()
        assert found["status"]["platform"] == name
        assert (found["trades"]["trades"], found["calls"]["calls"]) == ([], [])
        assert [one["kind"] for one in found["faults"]["faults"]] == ["http_5xx"]


@pytest.mark.parametrize("name", ["wechat", "unionpay"])
def test_keys_are_taken_up_again_and_never_mixed(tmp_path: Path, name: str) -> None:
    """A second start is the same platform; a missing file is named; all are the owner's alone."""
    setup = Setup(keys_dir=tmp_path, clock=RealClock())
    facts = [HOSTS[name](setup)[1].opened("http://127.0.0.1:1") for _ in range(2)]
    assert facts[0] == facts[1]
    files = sorted((tmp_path / name).iterdir())
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    kept = files[0].read_bytes()
    files[0].unlink()
    with pytest.raises(KeyFilesError, match=files[0].name):
        HOSTS[name](setup)
    other = next(file for file in files[1:] if file.suffix == ".pem" and "key" in file.name)
    files[0].write_bytes(kept)
    other.write_bytes(b"nothing")
    with pytest.raises(KeyFilesError, match=other.name):
        HOSTS[name](setup)


def test_unionpays_certificates_lead_to_their_root(tmp_path: Path) -> None:
    """Root vouches for middle, middle for the one of answers, nobody for the stranger's."""
    host_unionpay(Setup(keys_dir=tmp_path, clock=RealClock()))
    read = {
        name: x509.load_pem_x509_certificate(
            (tmp_path / "unionpay" / f"{name}_cert.pem").read_bytes()
        )
        for name in ("platform_root", "platform_middle", "platform", "stranger")
    }
    read["platform_middle"].verify_directly_issued_by(read["platform_root"])
    read["platform"].verify_directly_issued_by(read["platform_middle"])
    with pytest.raises(ValueError, match="Issuer"):
        read["stranger"].verify_directly_issued_by(read["platform_middle"])


def test_alipays_certificate_mode_has_its_own_files(tmp_path: Path) -> None:
    """Certificates of the very keys that key mode has, and the root that issued them."""
    setup = Setup(keys_dir=tmp_path, clock=RealClock(), alipay_mode="certificates")
    facts = [host_alipay(setup)[1].opened("http://127.0.0.1:1") for _ in range(2)][1]
    app, root = (
        x509.load_pem_x509_certificate(Path(str(facts[name])).read_bytes())
        for name in ("app_cert_file", "alipay_root_cert_file")
    )
    app.verify_directly_issued_by(root)
