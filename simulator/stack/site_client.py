"""Speaks to the site's and the platforms' control APIs."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

USUAL = "alipay"
"""Which platform is meant where a caller names none."""
CALL_S = 40.0
"""A site on a busy machine answers for the whole log of a day."""


class ApiError(Exception):
    """A control API refused a request."""


def ask(
    url: str,
    method: str,
    path: str,
    body: object = None,
    *,
    token: str = "",
    within_s: float = CALL_S,
) -> Any:
    """Make one request and return its JSON answer.

    Raises: ApiError: refused. OSError, http.client.HTTPException: no whole answer came.
    """
    where = urlsplit(url)
    assert where.hostname is not None, "a URL with a host"
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=within_s)
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
        connection.request(method, where.path.rstrip("/") + path, body=data, headers=headers)
        answer = connection.getresponse()
        raw = answer.read()
    finally:
        connection.close()
    if answer.status >= 400:
        raise ApiError(f"{method} {path}: {answer.status} {raw[:300].decode()}")
    return json.loads(raw)


class SiteClient:
    """The simulated outside of the lanes."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self._url = str(facts["control_url"])
        self._platforms: dict[str, str] = {
            name: str(platform["control_url"])
            for name, platform in facts.get("platforms", {}).items()
        }

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask the site."""
        return ask(self._url, method, path, body)

    def status(self) -> Any:
        """Return what goes on."""
        return self.ask("GET", "/status")

    def lane(self, lane: str) -> Any:
        """Return what goes on in one lane."""
        return self.status()["lanes"][lane]

    def shows(self, lane: str) -> str:
        """Return what the fee display of *lane* reads."""
        return " ".join(self.lane(lane)["view"]["display"])

    def spawn(self, lane: str, behaviour: str = "phone_ok", **more: object) -> int:
        """Bring a vehicle; return its number."""
        answer = self.ask("POST", "/vehicles", {"lane": lane, "behaviour": behaviour, **more})
        return int(answer["vehicle_id"])

    def gone(self) -> int:
        """Return how many vehicles have left."""
        return int(self.status()["vehicles"]["gone"])

    def memory(self, vehicle_id: int) -> Any:
        """Return what one driver remembers."""
        return next(one for one in self.memories() if one["vehicle_id"] == vehicle_id)

    def fault(self, lane: str, device: str, kind: str, **more: object) -> int:
        """Arm a fault of a device."""
        body = {"lane": lane, "device": device, "kind": kind, **more}
        return int(self.ask("POST", "/faults", body)["fault_id"])

    def clear(self, lane: str, device: str) -> None:
        """Clear all faults of a device."""
        self.ask("DELETE", f"/faults/{lane}/{device}")

    def heal(self) -> None:
        """Clear all faults of every device and of every platform."""
        for facts in self.facts["lanes"]:
            for device in ("barrier", "scanner", "display", "camera", "etc"):
                self.clear(facts["lane_id"], device)
        for name in self._platforms:
            self.platform("DELETE", "/faults", name=name)

    def memories(self) -> list[Any]:
        """Return what every driver remembers."""
        return list(self.ask("GET", "/memories")["memories"])

    def tag_charges(self, lane: str) -> list[Any]:
        """Return the books of a lane's ETC reader."""
        return list(self.ask("GET", f"/lanes/{lane}/etc")["charges"])

    def log(self) -> list[Any]:
        """Return the plant's whole log."""
        entries: list[Any] = []
        while True:
            page = self.ask("GET", f"/log?from={len(entries)}")
            entries += page["entries"]
            if not page["entries"]:
                return entries

    # ---- the platforms ----

    def platform(self, method: str, path: str, body: object = None, *, name: str = USUAL) -> Any:
        """Ask a platform's control API."""
        return ask(self._platforms[name], method, path, body)

    def platform_fault(self, kind: str, *, platform: str = USUAL, **more: object) -> int:
        """Arm a fault of a platform."""
        answer = self.platform("POST", "/faults", {"kind": kind, **more}, name=platform)
        return int(answer["fault_id"])

    def books(self) -> dict[str, list[Any]]:
        """Return every platform's books, by its name."""
        return {
            name: list(self.platform("GET", "/trades", name=name)["trades"])
            for name in self._platforms
        }

    def trades(self) -> list[Any]:
        """Return the trades of all platforms."""
        return [trade for trades in self.books().values() for trade in trades]

    def calls(self) -> list[Any]:
        """Return every request about an order that reached a platform.

        A plaza also probes its platforms, about a number no order ever has: theirs begin with a
        digit.
        """
        made = [
            call
            for name in self._platforms
            for call in self.platform("GET", "/calls", name=name)["calls"]
        ]
        return [call for call in made if call["out_trade_no"][:1].isdigit()]
