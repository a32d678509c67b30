"""The command line and the life of the process."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import aiohttp
import pytest

from simulator.platforms.unionpay_keys import make_or_load_unionpay_keys
from simulator.platforms.wechat_keys import make_or_load_wechat_keys
from tests.plaza_server import fake_gateway as far
from tests.plaza_server.plaza_process import (
    LANE,
    PlazaProcess,
    command,
    made,
    plaza_running,
    spawned,
    started,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.wire, pytest.mark.slow]
GATEWAY = "http://127.0.0.1:9/gateway.do"


async def test_init_makes_a_plaza_that_checks_and_keeps_what_is_there(tmp_path: Path) -> None:
    """Twice is as good as once; keys stay as they are."""
    said = await made(tmp_path, GATEWAY)
    keys = {path: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    assert await made(tmp_path, GATEWAY) == said
    assert {path: path.read_bytes() for path in (tmp_path / "keys").iterdir()} == keys
    code, out, _ = await command("check-config", said["config"])
    assert (code, "good" in out, "alipay" in out) == (0, True, True)
    code, out, errors = await command("verify", "--config", said["config"], "--json")
    assert (code, json.loads(out.splitlines()[-1])["problems"]) == (0, 0), errors


async def test_init_fills_in_every_platform_it_is_told_of(tmp_path: Path) -> None:
    """WeChat Pay with a public key or the APIv3 key, and UnionPay: the file passes its check, and a
    missing option is named and leaves no half file."""
    wechat = make_or_load_wechat_keys(tmp_path / "wechat")
    unionpay = make_or_load_unionpay_keys(tmp_path / "unionpay").files
    of_wechat = (
        *("--wechat-mchid", "1900000109", "--wechat-appid", "wx8888888888888888"),
        *("--wechat-serial", wechat.merchant_serial),
        *("--wechat-key", str(wechat.files.merchant_private)),
    )
    with_key = (
        *("--wechat-public-key", str(wechat.files.public_key)),
        *("--wechat-public-key-id", "PUB_KEY_ID_0114232134912410000000000000"),
    )
    of_unionpay = (
        *("--unionpay-url", "https://gateway.test/back", "--unionpay-merchant", "777290058110048"),
        *("--unionpay-key", str(unionpay.merchant_private)),
        *("--unionpay-cert", str(unionpay.merchant_certificate)),
        *("--unionpay-middle", str(unionpay.middle), "--unionpay-root", str(unionpay.root)),
        "--simulation",
    )
    code, _, errors = await command("init", str(tmp_path / "half"), *of_wechat)
    assert (code, "wechat" in errors, (tmp_path / "half" / "plaza.toml").exists()) == (
        2,
        True,
        False,
    )
    for name, more in (
        ("key", with_key),
        ("sealed", ("--wechat-apiv3-key", str(wechat.files.api_v3_key))),
    ):
        home = tmp_path / name
        code, out, errors = await command("init", str(home), *of_wechat, *more, *of_unionpay)
        assert code == 0, errors
        code, out, errors = await command("check-config", json.loads(out)["config"])
        assert (code, "wechat" in out, "unionpay" in out) == (0, True, True), errors


async def test_add_lane_prints_a_token_that_works(tmp_path: Path) -> None:
    """Once, as one JSON line; the store has only its hash."""
    said = await made(tmp_path, GATEWAY)
    code, out, errors = await command("add-lane", LANE, "--config", said["config"])
    assert code == 0, errors
    lane = json.loads(out)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or lane["token"].encode() not in path.read_bytes()
    process, url = await started(tmp_path)
    try:
        headers = {"Authorization": f"Bearer {lane['token']}"}
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{url}/v1/lanes/{LANE}/epoch?fresh=true", headers=headers) as answer,
        ):
            assert answer.status == 200
    finally:
        process.terminate()
        assert await process.wait() == 0


@pytest.mark.long
async def test_add_operator_takes_the_pin_from_the_environment(tmp_path: Path) -> None:
    """A PIN on a command line would stand in the process list."""
    said = await made(tmp_path, GATEWAY)
    options = ("--config", said["config"], "--name", "王芳", "--role", "shift_leader")
    code, out, errors = await command(
        "add-operator", "w1", *options, environment={"PLAZA_PIN": "482913"}
    )
    assert code == 0, errors
    assert json.loads(out)["operator_id"] == "w1"
    assert "482913" not in (tmp_path / "staff.json").read_text()
    code, _, errors = await command("add-operator", "w1", *options, environment={"PLAZA_PIN": "12"})
    assert (code, errors) == (2, "plaza-server: pin: not 4 to 12 digits\n")


async def test_bad_input_is_one_line_and_exit_2(tmp_path: Path) -> None:
    """File and key are named; no trace."""
    said = await made(tmp_path, GATEWAY)
    path = Path(said["config"])
    good = path.read_text()
    path.write_text(good.replace('id = "330101"', 'id = "33"'))
    for arguments in (("check-config", str(path)), ("run", "--config", str(path))):
        code, out, errors = await command(*arguments)
        assert (code, out, errors.count("\n")) == (2, "", 1)
        assert "plaza.toml" in errors
        assert "plaza.id" in errors
    path.write_text(good.replace("merchant_private.pem", "missing.pem"))
    code, _, errors = await command("check-config", str(path))
    assert (code, "missing.pem" in errors, errors.count("\n")) == (2, True, 1)
    path.write_text(good)
    code, _, errors = await command("add-lane", "1", "--config", str(path))
    assert (code, errors) == (2, "plaza-server: lane: a lane id is three digits\n")


async def test_it_refuses_to_run_without_assertions() -> None:
    """Assertions are how a programmer's error is caught before it moves money."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-O", "-m", "plaza_server.main", "--help", stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"assertions" in errors


@pytest.mark.long
async def test_one_store_has_one_process(tmp_path: Path) -> None:
    """The second says who is in the way, and the first goes on."""
    async with plaza_running(tmp_path) as plaza:
        code, _, errors = await command("run", "--config", str(tmp_path / "plaza.toml"))
        assert (code, errors.count("\n")) == (2, 1)
        assert (await plaza.ask("GET", "/health")).status == 200
        assert await plaza.stop() == 0


@pytest.mark.long
async def test_a_stop_hears_what_was_sent_and_answers_who_waits(tmp_path: Path) -> None:
    """SIGTERM: the long poll is sent away, the charge under way is stored, the exit is clean."""
    async with plaza_running(tmp_path) as plaza:
        release = asyncio.Event()
        plaza.gateway.then("pay", far.held(release))
        plaza.gateway.arrived.clear()
        async with asyncio.TaskGroup() as tasks:
            paying = tasks.create_task(plaza.pay())
            await plaza.gateway.arrived.wait()
            plaza.process.terminate()
            number, answer = await paying
            release.set()
        assert answer.status == 503
        assert await plaza.process.wait() == 0
        await again(plaza)
        assert (await plaza.until(number, "paid"))["captured_fen"] == 2550
        assert plaza.gateway.count("pay") == 1
        assert await plaza.stop() == 0


async def test_a_killed_plaza_finds_the_charge_when_it_is_back(tmp_path: Path) -> None:
    """kill -9 between send and answer: exactly one charge, and it is found."""
    async with plaza_running(tmp_path) as plaza:
        release = asyncio.Event()
        plaza.gateway.then("pay", far.held(release))
        plaza.gateway.arrived.clear()
        body = plaza.payment()
        async with asyncio.TaskGroup() as tasks:
            paying = tasks.create_task(lost(plaza, body))
            await plaza.gateway.arrived.wait()
            plaza.process.kill()
            await paying
            release.set()
        await plaza.process.wait()
        await again(plaza)
        paid = await plaza.until(f"{body['passage_id']}A01", "paid")
        assert paid["captured_fen"] == 2550
        assert plaza.gateway.count("pay") == 1
        for code in plaza.codes:
            assert code.encode() not in plaza.kept()
        assert await plaza.stop() == 0


async def again(plaza: PlazaProcess) -> None:
    """Start the plaza once more on the same files."""
    plaza.process, plaza.url = await spawned(plaza.home)


async def lost(plaza: PlazaProcess, body: dict[str, object]) -> None:
    """Post a payment whose connection dies."""
    with pytest.raises(aiohttp.ClientError):
        await plaza.ask("POST", "/v1/payments", body)
