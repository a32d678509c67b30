"""plaza-server reconcile: one command closes a day, again and again with the same end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.plaza_server.plaza_process import command, made

pytestmark = [pytest.mark.asyncio, pytest.mark.wire, pytest.mark.slow]
GATEWAY = "http://127.0.0.1:9/gateway.do"
BILL = (
    Path(__file__).parents[1]
    / "golden"
    / "bills"
    / "alipay"
    / "20880211096256330156_20261121.csv.zip"
)
DAY = "2026-11-21"


async def test_a_day_is_closed_from_a_file(tmp_path: Path) -> None:
    """What is left is exit 1 and one sentence each; a second run says the same."""
    config = (await made(tmp_path, GATEWAY))["config"]
    options = ("--config", config, "--day", DAY, "--platform", "alipay", "--file", str(BILL))
    code, out, errors = await command("reconcile", *options, "--json")
    assert code == 1, errors
    said = json.loads(out.splitlines()[-1])
    assert (said["matched"], said["left_for_a_person"], said["difference_fen"]) == (0, 4, 11190)
    assert said["platforms"]["alipay"]["bill"]["pay_fen"] == 12190
    assert len(said["left"]) == 4
    code, out, errors = await command("reconcile", "--config", config, "--day", DAY)
    assert code == 1, errors
    lines = out.splitlines()
    assert "bill 1 has 3 payments, 121.90 yuan" in lines[0]
    assert sum("merchant pages" in line for line in lines) == 4
    code, out, _ = await command("verify", "--config", config, "--json")
    assert (code, json.loads(out.splitlines()[-1])["problems"]) == (0, 0)


async def test_bad_input_is_one_line_and_exit_2(tmp_path: Path) -> None:
    """A bad bill names its line; a wrong day, file or platform says what to do."""
    config = (await made(tmp_path, GATEWAY))["config"]
    bad = tmp_path / "bad.csv"
    bad.write_bytes((BILL.parent / "detail.csv").read_bytes().replace(b",25.50,", b",25.5x,", 1))
    wanted = {
        ("--day", DAY, "--platform", "alipay", "--file", str(bad)): "bad.csv line 6: ",
        ("--day", "2026-02-30"): "--day: no day of the calendar",
        ("--day", DAY, "--file", str(BILL)): "--file: whose bill is it?",
        ("--day", DAY, "--platform", "alipay", "--file", "nowhere"): "nowhere: No such file",
        ("--day", DAY, "--platform", "wechat"): "platform: not configured here",
    }
    for options, words in wanted.items():
        code, _, errors = await command("reconcile", "--config", config, *options)
        assert code == 2, (options, errors)
        assert words in errors
        assert errors.count("\n") == 1


async def test_a_bill_that_cannot_be_fetched_is_missing(tmp_path: Path) -> None:
    """Exit 1; the reason is told."""
    config = (await made(tmp_path, GATEWAY))["config"]
    code, out, errors = await command("reconcile", "--config", config, "--day", DAY, "--json")
    assert code == 1, errors
    said = json.loads(out.splitlines()[-1])
    assert said["missing"] == {"alipay": "ClientConnectorError"}
