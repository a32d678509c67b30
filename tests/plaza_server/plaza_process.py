"""A real plaza process for tests: made by its own command line, spoken to over real HTTP."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from simulator.stack.nursery import Child
from simulator.stack.part import until
from tests.plaza_server.fake_gateway import APP_ID, GOLDEN, FakeGateway, gateway_served
from tests.programs import nursery

SERVER = [sys.executable, "-m", "plaza_server.main"]
PLAZA = "330101"
LANE = "001"
TOLL_FEN = 2550
END_S = 60.0
"""Within which a plaza that was told to end has ended, on a busy machine."""
_codes = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one request brought."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def fields(self) -> Any:
        """The JSON body."""
        return json.loads(self.raw)


async def command(
    *arguments: str, environment: dict[str, str] | None = None
) -> tuple[int, str, str]:
    """Run the command line; return exit code, output and errors.

    As a fork of a process that has loaded the plaza already, unless it needs an *environment*.
    """
    if environment is None:
        return await asyncio.to_thread(_forked, arguments)
    process = await asyncio.create_subprocess_exec(
        *SERVER,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


def _forked(arguments: tuple[str, ...]) -> tuple[int, str, str]:
    with tempfile.TemporaryDirectory(prefix="toll-command-") as place:
        out, errors = Path(place, "out"), Path(place, "errors")
        child = nursery().start("plaza_server.main", *arguments, out=out, log=errors)
        return child.wait(60), out.read_text(), errors.read_text()


async def made(home: Path, gateway_url: str) -> dict[str, Any]:
    """Make a plaza's files in *home*; return what init printed."""
    code, out, errors = await command(
        "init",
        str(home),
        *("--plaza-id", PLAZA, "--port", "0"),
        *("--alipay-url", gateway_url, "--alipay-app-id", APP_ID),
        *("--alipay-app-key", str(GOLDEN / "merchant_private.pem")),
        *("--alipay-public-key", str(GOLDEN / "platform_public.pem")),
    )
    assert code == 0, errors
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


class Running(Protocol):
    """A process that serves, whoever started it."""

    pid: int

    @property
    def returncode(self) -> int | None:
        """Its exit code; None: it runs."""

    def terminate(self) -> None:
        """Send SIGTERM."""

    def kill(self) -> None:
        """Send SIGKILL."""

    async def wait(self) -> int:
        """Return its exit code."""


class Forked:
    """A process of the nursery."""

    def __init__(self, child: Child) -> None:
        self.pid = child.pid
        self._child = child

    @property
    def returncode(self) -> int | None:
        """As of ``Popen.returncode``."""
        return self._child.status

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._child.kill(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._child.kill()

    async def wait(self) -> int:
        """Return its exit code. Raises: NurseryError: it does not end."""
        return await asyncio.to_thread(self._child.wait, END_S)


@dataclass
class PlazaProcess:
    """One running plaza, its far end, and everything that was answered."""

    home: Path
    gateway: FakeGateway
    url: str
    process: Running
    session: aiohttp.ClientSession
    admin: str
    lane_token: str = ""
    epoch: int = 0
    answers: list[bytes] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    passages: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = "lane",
    ) -> Answer:
        """Make one request; *token*: lane, admin, a token itself, or None."""
        headers = {"Content-Type": "application/json"}
        known = {"lane": self.lane_token, "admin": self.admin}
        if token is not None:
            headers["Authorization"] = f"Bearer {known.get(token, token)}"
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
        async with self.session.request(
            method, f"{self.url}{path}", data=data, headers=headers, allow_redirects=False
        ) as response:
            raw = await response.read()
            self.answers.append(raw)
            return Answer(status=response.status, headers=dict(response.headers), raw=raw)

    def payment(self, **changes: object) -> dict[str, object]:
        """Return the body of a new payment with a code of its own."""
        code = f"28{next(_codes):016d}"
        self.codes.append(code)
        body: dict[str, object] = {
            "passage_id": f"{PLAZA}{LANE}{self.epoch:03d}{next(self.passages):09d}",
            "attempt": 1,
            "lane_id": LANE,
            "toll_fen": TOLL_FEN,
            "tariff_id": "T330101",
            "tariff_version": 1,
            "tariff_row": 1,
            "vehicle_class": 1,
            "plate": "浙A12345",
            "wallet": "alipay",
            "deadline_ms": 4000,
            "pay_code": code,
        }
        return body | changes

    async def pay(self, **changes: object) -> tuple[str, Answer]:
        """Post a new payment; return its number and the answer."""
        body = self.payment(**changes)
        number = f"{body['passage_id']}A{int(str(body['attempt'])):02d}"
        return number, await self.ask("POST", "/v1/payments", body)

    async def until(self, number: str, *states: str, tries: int = 60) -> dict[str, Any]:
        """Poll until the order is in one of *states*."""
        known: int | None = None
        for _ in range(tries):
            query = "?wait_ms=1000" + ("" if known is None else f"&known_version={known}")
            answer = await self.ask("GET", f"/v1/payments/{number}{query}")
            fields = answer.fields
            assert isinstance(fields, dict)
            if answer.status in (200, 202):
                if fields["state"] in states:
                    return fields
                known = fields["version"]
        raise AssertionError(f"{number} never came to {states}, last {fields}")

    async def stop(self) -> int:
        """Ask the process to end; return its exit code."""
        if self.process.returncode is None:
            self.process.terminate()
        return await self.process.wait()

    def kept(self) -> bytes:
        """Return every byte the plaza wrote to its directory, logs included, and every answer."""
        files = [path.read_bytes() for path in self.home.rglob("*") if path.is_file()]
        return b"\n".join([*files, *self.answers])


async def spawned(home: Path) -> tuple[Running, str]:
    """Start ``run``; return the process and its URL once it serves. Logs go to a file.

    As a fork of a process that has loaded the plaza: its imports take three times as long as all
    that most tests ask of it.
    """
    out, log = home / "plaza.out", home / "plaza.log"
    # The line of a plaza that ran here before is not this one's.
    out.unlink(missing_ok=True)
    config = str(home / "plaza.toml")
    start = functools.partial(nursery().start, "plaza_server.main", out=out, log=log)
    child = await asyncio.to_thread(start, "run", "--config", config)
    await asyncio.to_thread(until, lambda: _line(out) or child.ended.is_set(), "the plaza", 60)
    return Forked(child), _served(_line(out), child.pid, log)


async def started(home: Path) -> tuple[Running, str]:
    """As ``spawned``, but as a program with an interpreter of its own."""
    with (home / "plaza.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *SERVER,
            "run",
            "--config",
            str(home / "plaza.toml"),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        line = await process.stdout.readline()
    return process, _served(line.decode(), process.pid, home / "plaza.log")


def _line(out: Path) -> str:
    """Return the first line of a file, or nothing while it is not whole."""
    said = out.read_text() if out.exists() else ""
    return said if said.endswith("\n") else ""


def _served(line: str, pid: int, log: Path) -> str:
    assert line, log.read_text()[-3000:]
    said = json.loads(line)
    assert said["pid"] == pid
    url = said["url"]
    assert isinstance(url, str)
    return url


@asynccontextmanager
async def plaza_running(home: Path) -> AsyncIterator[PlazaProcess]:
    """Run a gateway and a plaza with one enrolled lane."""
    async with gateway_served() as gateway, aiohttp.ClientSession() as session:
        said = await made(home, gateway.url)
        process, url = await spawned(home)
        admin = Path(said["admin_token_file"]).read_text().strip()
        plaza = PlazaProcess(
            home=home, gateway=gateway, url=url, process=process, session=session, admin=admin
        )
        try:
            lane = await plaza.ask("POST", "/v1/lanes", {"lane_id": LANE}, token="admin")
            assert lane.status == 201, lane.raw
            plaza.lane_token = lane.fields["token"]
            enrolled = await plaza.ask("GET", f"/v1/lanes/{LANE}/epoch?fresh=true")
            assert enrolled.status == 200, enrolled.raw
            plaza.epoch = enrolled.fields["epoch"]
            yield plaza
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
