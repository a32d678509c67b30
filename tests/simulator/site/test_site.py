"""A site in real time: cars come, are seen on every wire, pay, pass, and everything is
remembered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from simulator.site import LaneConfig, SiteConfig, plate_of, run_site
from tests.simulator.site.mini_lane import MiniLane, Pays
from tests.simulator.waiting import until_asked

pytestmark = [pytest.mark.wire, pytest.mark.asyncio, pytest.mark.timeout(200)]


class Running:
    """A running site, its control API and its first lane."""

    def __init__(self, facts: dict[str, Any], session: aiohttp.ClientSession) -> None:
        self.facts = facts
        self.session = session

    async def get(self, path: str) -> Any:
        """Return the JSON of a GET."""
        async with self.session.get(f"{self.facts['control_url']}{path}") as response:
            return await response.json(content_type=None)

    async def send(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Return status and JSON of a request with a body."""
        url = f"{self.facts['control_url']}{path}"
        async with self.session.request(method, url, json=body) as response:
            return response.status, await response.json(content_type=None)

    async def wait_gone(self, count: int, *, within_s: float = 60) -> None:
        """Wait until so many vehicles have left."""

        async def met() -> bool:
            return bool((await self.get("/status"))["vehicles"]["gone"] >= count)

        await until_asked(met, within_s=within_s, every_s=0.1)

    async def view(self) -> dict[str, Any]:
        """Return what a driver sees of the lane."""
        view = (await self.get("/status"))["lanes"]["001"]["view"]
        assert isinstance(view, dict)
        return view

    async def log(self, kind: str) -> list[dict[str, Any]]:
        """Return the plant log's entries of one kind."""
        entries = (await self.get("/log"))["entries"]
        return [entry for entry in entries if entry["kind"] == kind]


@asynccontextmanager
async def running(run_dir: Path, *, platform: bool = False) -> AsyncIterator[Running]:
    """A site with one lane."""
    said: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()
    document: dict[str, Any] = {"run_dir": run_dir, "people_percent": 40}
    document["lanes"] = (LaneConfig(lane_id="001"),)
    if not platform:
        document["platforms"] = None
    config = SiteConfig(**document)
    async with asyncio.TaskGroup() as group, aiohttp.ClientSession() as session:
        task = group.create_task(run_site(config, announce=said.set_result), name="site")
        async with asyncio.timeout(20):
            facts = await said
        try:
            yield Running(facts, session)
        finally:
            task.cancel()


@asynccontextmanager
async def served(site: Running, pays: Pays) -> AsyncIterator[MiniLane]:
    """The site's lane, served by a mini lane."""
    lane = MiniLane(site.facts["lanes"][0], pays)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(lane.run(), name="mini lane")
        try:
            yield lane
        finally:
            task.cancel()


@pytest.mark.long
async def test_cars_pay_and_pass_over_real_wires(tmp_path: Path) -> None:
    """Plates are pushed, codes of the platform's wallets scanned, the boom rises before and falls
    behind, a half code is held up again, nothing is struck, and no code is shown anywhere."""
    codes: list[bytes] = []

    async def pays(code: bytes) -> bool:
        codes.append(code)
        await asyncio.sleep(0.1)
        return True

    async with running(tmp_path / "run", platform=True) as site, served(site, pays) as lane:
        order = {"vehicles": 1, "mix": {"phone_ok": 1}}
        status, answer = await site.send("POST", "/traffic", order)
        assert status == 202
        assert answer["waiting"] <= 1
        await site.send("POST", "/vehicles", {"lane": "001", "behaviour": "half_code"})
        await site.wait_gone(2)
        assert len(lane.plates) == 2
        assert set(lane.plates) == {plate_of(1).text, plate_of(2).text}
        passages = await site.log("passage")
        assert len(passages) == 2
        assert all(entry["nose_mdeg"] == 90_000 for entry in passages)
        assert all(entry["lane_green"] for entry in passages)
        assert await site.log("strike") == []
        timings = (await site.get("/timings"))["timings"]
        assert sorted(entry["straight"] for entry in timings) == [False, True]
        for entry in timings:
            # The mini lane takes 100 ms to be paid, the boom 900 ms to rise.
            assert 100_000 <= entry["scan_to_raise_us"] < 400_000
            assert entry["scan_to_boom_up_us"] - entry["scan_to_raise_us"] == 900_000
        memories = {one["behaviour"]: one for one in (await site.get("/memories"))["memories"]}
        told = {one["kind"] for one in memories["phone_ok"]["told"]}
        assert {"toll", "paid"} <= told
        assert [kind for _, kind in memories["half_code"]["codes_shown"]] == ["half", "same"]
        assert all(memory["gone_us"] is not None for memory in memories.values())
        assert [len(code) for code in codes] == [18, 18]
        assert list(site.facts["platforms"]) == ["alipay", "wechat", "unionpay"]
        for name, driver in (("alipay", "driver-1"), ("wechat", "driver-2")):
            url = site.facts["platforms"][name]["control_url"]
            async with site.session.get(f"{url}/wallets") as response:
                assert driver in await response.text()
        assert (await site.get("/codes"))["codes"] == [code.decode() for code in codes]
        for path in ("/log", "/memories", "/timings", "/status"):
            text = str(await site.get(path))
            assert not any(code.decode() in text for code in codes)


async def test_a_cash_driver_is_served_through_the_desk(tmp_path: Path) -> None:
    """cash_begin and cash_taken wait at the desk; the driver remembers what he gave."""

    async def never(_: bytes) -> bool:
        return False

    async with running(tmp_path / "run") as site, served(site, never):
        await site.send("POST", "/vehicles", {"lane": "001", "behaviour": "pays_cash"})
        said = []
        for says in ("accepted", "accepted"):
            words: list[dict[str, Any]] = []
            async with asyncio.timeout(30):
                while not words:
                    words = (await site.get("/desk?wait_ms=20000"))["words"]
            said.append((words[0]["word"], words[0]["amount_fen"]))
            status, _ = await site.send("POST", f"/desk/{words[0]['word_id']}", {"says": says})
            assert status == 200
        assert said == [("cash_begin", None), ("cash_taken", 2_500)]
        (memory,) = (await site.get("/memories"))["memories"]
        assert memory["paid_fen"] == 2_500


async def test_faults_are_armed_counted_and_cleared_by_the_api(tmp_path: Path) -> None:
    """An unplugged scanner loses its path; cleared it is back; wrong faults are refused."""
    async with running(tmp_path / "run") as site:
        path = Path(site.facts["lanes"][0]["scanner_path"])
        fault = {"lane": "001", "device": "scanner", "kind": "unplugged"}
        status, answer = await site.send("POST", "/faults", fault)
        assert status == 201
        assert not path.exists()
        views = (await site.get("/faults"))["001"]["scanner"]
        assert [view["armed"] for view in views] == [True]
        fault_path = f"/faults/001/scanner/{answer['fault_id']}"
        assert (await site.send("DELETE", fault_path))[0] == 200
        assert path.exists()
        fault = {"lane": "001", "device": "scanner", "kind": "cut_wire"}
        status, problem = await site.send("POST", "/faults", fault)
        assert (status, problem["code"]) == (422, "no_such_fault")


async def test_the_boom_can_be_moved_jammed_and_cut_off(tmp_path: Path) -> None:
    """Hand, jam and power act on the plant and are in its log."""
    async with running(tmp_path / "run") as site:
        boom = "/lanes/001/boom"
        assert (await site.send("POST", boom, {"action": "jam", "at_mdeg": 30_000}))[0] == 200
        assert (await site.send("POST", boom, {"action": "hand_up"}))[1] == {"done": True}

        async def jammed() -> bool:
            return bool((await site.view())["angle_mdeg"] == 30_000)

        async def up() -> bool:
            return bool((await site.view())["boom_up"])

        await until_asked(jammed)
        await site.send("POST", boom, {"action": "unjam"})
        await site.send("POST", boom, {"action": "power_off"})
        await until_asked(up)
        causes = [entry["cause"] for entry in await site.log("boom_move")]
        assert causes == ["hand", "jam", "spring", "limit"]


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", "/vehicles", {"lane": "009"}, "no_such_lane"),
        ("POST", "/vehicles", {"lane": "001", "behaviour": "flies"}, "unknown_behaviour"),
        ("POST", "/vehicles", {"lane": "001", "plate": "XYZ"}, "not_a_plate"),
        ("POST", "/vehicles", {"lane": "001", "speed": 9}, "bad_body"),
        ("POST", "/vehicles", {"lane": "001", "wallet": "emvco"}, "no_such_wallet"),
        ("POST", "/vehicles", {"lane": "001", "changes": {"colour": 1}}, "bad_behaviour"),
        ("POST", "/vehicles", {"lane": "001", "changes": {"patience_us": 0}}, "bad_behaviour"),
        ("POST", "/vehicles", {"lane": "001", "changes": {"wish": "to fly"}}, "bad_behaviour"),
        ("POST", "/traffic", {"vehicles": 0}, "bad_body"),
        ("POST", "/traffic", {"vehicles": 1, "mix": {"nobody": 1}}, "bad_mix"),
        ("DELETE", "/faults/001/toaster", None, "no_such_device"),
        ("DELETE", "/faults/001/scanner/7", None, "no_such_fault"),
        ("POST", "/desk/7", {"says": "accepted"}, "no_such_word"),
        ("PUT", "/lanes/001/camera", {"url": "http://example.org/x"}, "bad_body"),
        ("GET", "/log?from=abc", None, "bad_number"),
        ("GET", "/nowhere", None, "not_found"),
    ],
)
async def test_bad_requests_get_one_problem_and_change_nothing(
    tmp_path: Path, method: str, path: str, body: object, code: str
) -> None:
    """Every wrong request is a problem with a code, without its input, and the site goes on."""
    async with running(tmp_path / "run") as site:
        status, problem = await site.send(method, path, body)
        assert 400 <= status < 500
        assert problem["code"] == code
        assert "flies" not in str(problem)
        assert (await site.get("/status"))["vehicles"]["spawned"] == 0


async def test_everything_is_taken_down_when_the_site_ends(tmp_path: Path) -> None:
    """No symlink stays behind and no port listens."""
    run_dir = tmp_path / "run"
    async with running(run_dir) as site:
        url = str(site.facts["control_url"])
        assert sorted(path.name for path in run_dir.iterdir()) == [
            "lane-001-display",
            "lane-001-scanner",
        ]
    assert list(run_dir.iterdir()) == []
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
