"""Every wrong line, message, request and file gets one clear error; the process goes on; no code is
ever echoed."""

from __future__ import annotations

import http.client
import json
import os
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiomqtt
import pytest

from simulator.stack.nursery import Nursery
from simulator.stack.operator_port import OperatorPort
from simulator.stack.part import until
from simulator.stack.plan import OPERATOR, PIN, PLAZA, QUICK, Plan
from simulator.stack.stack import Stack

pytestmark = [pytest.mark.wire, pytest.mark.slow]
LANE = "001"
SECRET = "287654321098765432"
"""A pay code; wherever it is sent, nothing may repeat it."""
SCANS = (
    b"\x00\xff\x80garbage\r\n",
    b"wxp://f2f0" + b"A" * 300 + b"\r\n",
    SECRET.encode() + SECRET.encode() + b"\r\n",
    b"9" * 2_000 + b"\r\n",
    b"\r\n\r\n\r\n",
    SECRET.encode()[:9] + b"\r\n",
    "二维码".encode() + b"\r\n",
)
LINES = (
    b"garbage\n",
    b"{\n",
    b"[]\n",
    b'{"do": "raise"}\n',
    b'{"do": "hello", "operator": 7, "pin": []}\n',
    json.dumps({"do": "hello", "operator": OPERATOR, "pin": "0000"}).encode() + b"\n",
    json.dumps({"do": SECRET}).encode() + b"\n",
)
COMMANDS = (
    b"garbage",
    b"\xff\xfe",
    b"{}",
    b"[" * 5_000,
    json.dumps({"command_id": "1", "action": SECRET, "operator": "x"}).encode(),
    json.dumps({"command_id": "a/b#", "action": "raise", "operator": "x"}).encode(),
    b"{" + b" " * 100_000 + b"}",
)
PAYMENT: dict[str, Any] = {
    "passage_id": f"{PLAZA}{LANE}001000000777",
    "attempt": 1,
    "lane_id": LANE,
    "toll_fen": 5_400,
    "tariff_id": f"T{PLAZA}",
    "tariff_version": 1,
    "tariff_row": 1,
    "vehicle_class": 1,
    "plate": None,
    "wallet": "alipay",
    "deadline_ms": 2_000,
    "pay_code": SECRET,
}
REQUESTS: tuple[tuple[str, str, bytes], ...] = (
    ("POST", "/v1/payments", b"garbage " + SECRET.encode()),
    ("POST", "/v1/payments", b"\xff\xfe"),
    ("POST", "/v1/payments", json.dumps(PAYMENT | {"toll_fen": SECRET}).encode()),
    ("POST", "/v1/payments", json.dumps(PAYMENT | {"toll_fen": -1}).encode()),
    ("POST", "/v1/payments", json.dumps(PAYMENT | {"pay_code": SECRET * 2}).encode()),
    ("POST", "/v1/payments", json.dumps(PAYMENT | {"lane_id": "999"}).encode()),
    ("POST", "/v1/payments", json.dumps(PAYMENT | {"more": SECRET}).encode()),
    ("POST", f"/v1/payments/{SECRET}/cancel", b""),
    ("GET", f"/v1/payments/{SECRET}", b""),
    ("POST", "/v1/records", json.dumps({"records": [SECRET]}).encode()),
    ("POST", "/v1/entries", json.dumps({"plate": 7, "medium_id": SECRET}).encode()),
    ("DELETE", "/v1/payments", b""),
    ("GET", f"/{SECRET}", b""),
)


@dataclass(kw_only=True)
class Bad:
    """A stack whose lane listens to a scanner line of the test's own."""

    stack: Stack
    scanner: int
    answers: list[bytes]


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Iterator[Bad]:
    """Give a running stack; at its end nothing of it holds a pay code."""
    master, slave = os.openpty()
    tty.setraw(slave)
    url = f"serial://{os.ttyname(slave)}?baud=115200"
    plan = Plan(limits=QUICK, devices={LANE: {"scanner": url}})
    stack = Stack(tmp_path_factory.mktemp("b") / "s", nursery, plan)
    with stack.running():
        stack.shows(LANE, "欢迎")
        subject = Bad(stack=stack, scanner=master, answers=[])
        yield subject
        assert stack.audit().findings == ()
        taps = [one for one in stack.wires.heard if not one.channel.endswith("/command")]
        heard = [one.text.encode() for one in taps] + subject.answers
        files = [text.data for text in stack.gather().texts]
        assert not [part for part in heard + files if SECRET.encode() in part]
    os.close(master)
    os.close(slave)


def alive(bad: Bad) -> None:
    """See that nothing was started again and a car passes, by cash or phone."""
    stack = bad.stack
    assert [len(part.starts_us) for part in stack.parts.values() if part.starts_us] == [1, 1, 1]
    assert stack.health(LANE)["ok"]


def test_garbage_on_the_scanner_line(bad: Bad) -> None:
    """Every wrong scan asks for a new code; the good one behind it pays."""
    stack = bad.stack
    car = stack.site.spawn(LANE, "pays_cash")
    stack.shows(LANE, "请出示付款码")
    for scan in SCANS:
        os.write(bad.scanner, scan)
    until(lambda: stack.view(LANE)["arriving"] is None or True, "the lane to go on")
    until(lambda: stack.site.memory(car)["gone_us"], "the car to leave", 40)
    stack.wait_rest()
    assert stack.orders() == []
    (record,) = stack.records()
    assert [leg["tender"] for leg in record["legs"]] == ["cash"]
    alive(bad)


def test_garbage_on_the_operator_port(bad: Bad) -> None:
    """One error a line, on the same connection; the next good line is answered."""
    stack = bad.stack
    good = json.dumps({"do": "hello", "operator": OPERATOR, "pin": PIN}).encode() + b"\n"
    with OperatorPort(stack.layout.socket(LANE)) as port:
        answers = port.raw(*LINES, good)
    bad.answers += [json.dumps(answer).encode() for answer in answers]
    *wrong, right = answers
    assert [answer["ok"] for answer in wrong] == [False] * len(LINES)
    assert all(answer["error"] for answer in wrong)
    assert right == {"ok": True, "operator": OPERATOR}
    alive(bad)


@pytest.mark.asyncio
async def test_garbage_on_the_command_topic(bad: Bad) -> None:
    """Each is refused with a line in the log, and the lane's state goes on."""
    stack = bad.stack
    user = stack.broker.users["plaza"]
    async with aiomqtt.Client(
        "127.0.0.1",
        stack.broker_port,
        username=user.name,
        password=user.password,
        protocol=aiomqtt.ProtocolVersion.V311,
    ) as client:
        for body in COMMANDS:
            await client.publish(f"toll/{PLAZA}/{LANE}/command", body, qos=1)
    log = stack.lane(LANE).log

    def refused() -> bool:
        return log.read_text().count('"command_refused"') >= len(COMMANDS)

    until(refused, "the commands to be refused")
    since = stack.at_us()
    until(
        lambda: any(h.at_us > since and h.channel.endswith("/state") for h in stack.wires.heard),
        "the next state",
    )
    alive(bad)


@pytest.mark.parametrize("number", range(len(REQUESTS)))
def test_garbage_on_the_plazas_api(bad: Bad, number: int) -> None:
    """An answer of 4xx as problem+json with a stable code and without any of the input."""
    method, path, body = REQUESTS[number]
    status, kind, answer = asked(bad, method, path, body)
    assert 400 <= status < 500
    assert kind.startswith("application/problem+json")
    problem = json.loads(answer)
    assert problem["code"]
    assert SECRET.encode() not in answer
    assert bad.stack.site.calls() == []
    alive(bad)


def asked(bad: Bad, method: str, path: str, body: bytes) -> tuple[int, str, bytes]:
    """Ask the plaza as the lane."""
    stack = bad.stack
    where = urlsplit(stack.plaza.facts["url"])
    token = (stack.layout.lane(LANE) / "plaza.token").read_text().strip()
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=20)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request(method, path, body=body or None, headers=headers)
        answer = connection.getresponse()
        raw_body = answer.read()
    finally:
        connection.close()
    bad.answers.append(raw_body)
    return answer.status, answer.headers["Content-Type"], raw_body


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('plaza_id = "330101"', 'plaza_id = "33"', "plaza_id"),
        ("loop_gap_mm = 2000", "loop_gap_mm = 9000", "loop_gap_mm"),
        ("attended = true", "attnded = true", "did you mean attended"),
        ("[limits]", "[limits]\nboom_travel = 1", "limits.boom_travel"),
        ("[lane]", "[lane", "lane.toml"),
        ('token_file = "plaza.token"', 'token_file = "none"', "token_file"),
    ],
)
def test_a_wrong_lane_file(bad: Bad, nursery: Nursery, old: str, new: str, named: str) -> None:
    """One line that names the file and the key, and exit code 2; nothing is opened."""
    stack = bad.stack
    text = stack.layout.lane_file(LANE).read_text()
    assert old in text
    folder = stack.layout.lane(LANE)
    wrong = folder / "wrong-lane.toml"
    wrong.write_text(text.replace(old, new, 1))
    out, log = stack.layout.logs / "check.out", stack.layout.logs / "check.log"
    log.unlink(missing_ok=True)
    child = nursery.start("lane_controller.main", "check-config", str(wrong), out=out, log=log)
    assert child.wait() == 2
    said = log.read_text()
    assert said.count("\n") == 1
    assert "wrong-lane.toml" in said
    assert named in said
