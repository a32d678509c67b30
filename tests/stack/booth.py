"""The people at a lane's operator port: the simulated attendants' words, and a helper for a vehicle
the lane holds."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any

from lane_controller.shell.attend import OperatorClient
from tests.stack.site_client import ApiError, SiteClient
from tolling.errors import TollError
from tolling.messages import OperatorAction

OPERATOR, PIN = "101", "271828"
HELD_MS = 4_000
LOOK_S = 0.5
_RETRY = {"wait_for_phone_answer", "not_priced", "stale", "no_vehicle", "cash_not_begun"}


class Booth:
    """Carries the words of every lane's attendant, until closed."""

    def __init__(
        self,
        site: SiteClient,
        sockets: Callable[[str], Path],
        settled: Callable[[str, str], str | None],
    ) -> None:
        """Make it.

        Args:   sockets: the operator port of a lane.
                settled: by which tender a lane's sealed record says a passage was paid, None
                before it is sealed: the list an attendant looks at when the customer is gone.
        """
        self._site = site
        self._sockets = sockets
        self._settled = settled
        self._begun: dict[int, str] = {}
        self._clients: dict[str, OperatorClient] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="booth", daemon=True)
        self.helped: list[tuple[str, str]] = []
        """(lane, what was ordered) by the helper."""
        self.trouble: list[str] = []
        """Words that got no answer: the lane was down."""

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Serve no more."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=20)
        for client in self._clients.values():
            with contextlib.suppress(OSError):
                client.__exit__(None, None, None)

    def _run(self) -> None:
        looked = 0.0
        while not self._ended.is_set():
            with contextlib.suppress(OSError, HTTPException, ApiError):
                for word in self._site.ask("GET", "/desk?wait_ms=200")["words"]:
                    self._carry(word)
                if time.monotonic() - looked > LOOK_S:
                    looked = time.monotonic()
                    for lane in self._site.facts["lanes"]:
                        self._look(lane["lane_id"])

    def _carry(self, word: dict[str, Any]) -> None:
        lane, says, toll = word["lane"], "not_now", None
        with self._port(lane) as client:
            if client is not None:
                status = client.status()
                arriving = status["arriving"]
                vehicle = word["vehicle_id"]
                at_window = self._at_window(lane) == vehicle
                if not at_window and vehicle in self._begun:
                    tender = self._settled(lane, self._begun[vehicle])
                    if tender is not None:
                        says = "accepted" if tender == "cash" else "paid_by_phone"
                elif arriving is not None and at_window:
                    self._begun[vehicle] = arriving["passage_id"]
                    toll = arriving["toll_fen"]
                    action = OperatorAction(word["word"])
                    says = self._cash(client, action)
        with contextlib.suppress(ApiError):
            body = {"says": says, "toll_fen": toll}
            self._site.ask("POST", f"/desk/{word['word_id']}", body)

    def _cash(self, client: OperatorClient, action: OperatorAction) -> str:
        result = client.order(action)
        reason = result["reason"]
        if reason == "cash_not_begun":
            # The lane was started again with the money in the till.
            client.order(OperatorAction.CASH_BEGIN)
        if reason in _RETRY:
            return "not_now"
        if result["outcome"] == "confirmed":
            return "accepted"
        if reason == "phone_paid_give_cash_back":
            return "paid_by_phone"
        if reason == "released_already":
            taken = action is OperatorAction.CASH_TAKEN
            return "accepted" if taken else "paid_by_phone"
        return "not_now"

    def _at_window(self, lane: str) -> int | None:
        for view in self._site.lane(lane)["vehicles"]:
            if view["at_window"]:
                return int(view["vehicle"]["vehicle_id"])
        return None

    def _plate_at_window(self, lane: str) -> str | None:
        for view in self._site.lane(lane)["vehicles"]:
            if view["at_window"] and view["vehicle"]["plate"]:
                return str(view["vehicle"]["plate"]["text"])
        return None

    def _look(self, lane: str) -> None:
        with self._port(lane) as client:
            if client is None:
                return
            status = client.status()
            arriving = status["arriving"]
            if arriving and arriving["phase"] == "unsure":
                # The lane was down: whoever sits there sees whether it is the same car.
                if arriving["plate"] and arriving["plate"] == self._plate_at_window(lane):
                    self._help(client, lane, OperatorAction.SAME_VEHICLE, "looked at the plate")
            elif status["mode"] == "attended_only":
                self._help(client, lane, OperatorAction.RESET, "looked at the lane")
            elif status["mode"] == "closed":
                self._help(client, lane, OperatorAction.OPEN_LANE, "")
            elif arriving and arriving["phase"] == "held" and arriving["since_ms"] >= HELD_MS:
                self._help(client, lane, OperatorAction.RAISE, "let through by hand")

    def _help(self, client: OperatorClient, lane: str, action: OperatorAction, reason: str) -> None:
        result = client.order(action, reason=reason)
        self.helped.append((lane, f"{action.value}: {result['outcome']} {result['reason']}"))

    @contextlib.contextmanager
    def _port(self, lane: str) -> Any:
        """Yield the signed-in port of a lane, None where it does not answer now."""
        client = self._clients.get(lane)
        if client is None:
            with contextlib.suppress(TollError):
                client = OperatorClient(self._sockets(lane))
                client.hello(OPERATOR, PIN)
                self._clients[lane] = client
        try:
            yield client if lane in self._clients else None
        except TollError as error:
            self.trouble.append(f"{lane}: {error}")
            gone = self._clients.pop(lane, None)
            if gone is not None:
                with contextlib.suppress(OSError):
                    gone.__exit__(None, None, None)


def raw(path: Path, *lines: bytes) -> list[Any]:
    """Send lines as they are to an operator port; return its answers."""
    with OperatorClient(path) as client:
        client._socket.sendall(b"".join(lines))
        return [json.loads(client._file.readline()) for _ in lines]
