"""The people at the lanes' operator ports: the simulated attendants' words carried there and back,
and a helper for a vehicle the lane holds.

An attendant takes cash at the window: ``cash_begin``, then ``cash_taken``, in the lane's own words
over its unix socket, as ``lane-controller attend`` does for a real person. Where nobody knows where
a vehicle entered, the attendant reads its ticket and enters the station. The helper is the shift
leader's eye: after a restart it is said whether the vehicle at the window is the one from before, a
vehicle the lane holds is let through with a reason, and a lane that set itself aside is reset.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

from simulator.people import LaneSays
from simulator.stack.operator_port import OperatorPort, PortError
from simulator.stack.site_client import ApiError, SiteClient
from tolling.messages import OperatorAction

HELD_MS = 4_000
"""A vehicle the lane holds for a person is helped after this."""
NOBODY_KNOWS = "*"
"""Entered where the driver has no ticket."""
STUCK_MS = 60_000
"""A vehicle that stands longer than any tender takes is let through by hand."""
LOOK_S = 0.5
DESK_WAIT_MS = 200
END_S = 20.0
_RETRY = {"wait_for_phone_answer", "not_priced", "stale", "no_vehicle", "cash_not_begun"}


class Booth:
    """Carries the words of every lane's attendant, until closed."""

    def __init__(
        self,
        site: SiteClient,
        *,
        lanes: Sequence[str],
        sockets: Callable[[str], Path],
        operator: str,
        pin: str,
        settled: Callable[[str, str], str | None],
        helps: bool,
    ) -> None:
        """Make it.

        Args:   sockets: the operator port of a lane. operator, pin: who signs in there.
                settled: (lane, passage_id) -> by which tender it was settled, None before.
                helps: the shift leader looks after the lanes as well.
        """
        self._site = site
        self._lanes = tuple(lanes)
        self._sockets = sockets
        self._operator, self._pin = operator, pin
        self._settled = settled
        self._helps = helps
        self._begun: dict[int, str] = {}
        self._seen: dict[str, tuple[str, int]] = {}
        """Which vehicle stood at a lane's window with which passage, when last looked."""
        self._ports: dict[str, OperatorPort] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="booth", daemon=True)
        self.helped: list[tuple[str, str]] = []
        """(lane, what was ordered) by the helper."""

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Serve no more."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=END_S)
        for port in self._ports.values():
            with contextlib.suppress(OSError):
                port.close()
        self._ports.clear()

    def _run(self) -> None:
        looked = 0.0
        while not self._ended.is_set():
            try:
                for word in self._site.ask("GET", f"/desk?wait_ms={DESK_WAIT_MS}")["words"]:
                    self._carry(word)
                if time.monotonic() - looked > LOOK_S:
                    looked = time.monotonic()
                    status = self._site.status()
                    for lane in self._lanes:
                        self._look(lane, status)
            except (OSError, HTTPException, ApiError):
                self._ended.wait(LOOK_S)  # The site is being started, or ends.

    # ---- cash ----

    def _carry(self, word: Mapping[str, Any]) -> None:
        lane, says, toll = word["lane"], LaneSays.NOT_NOW, None
        with self._port(lane) as port:
            if port is not None:
                says, toll = self._ask(port, lane, word)
        with contextlib.suppress(ApiError):
            body = {"says": says.value, "toll_fen": toll}
            self._site.ask("POST", f"/desk/{word['word_id']}", body)

    def _ask(
        self, port: OperatorPort, lane: str, word: Mapping[str, Any]
    ) -> tuple[LaneSays, int | None]:
        vehicle, standing = word["vehicle_id"], _at_window(self._site.status(), lane)
        status = port.status()
        arriving = status["arriving"]
        if standing != vehicle:
            # The boom went up while the money was counted: the list says for which tender.
            begun = self._begun.get(vehicle)
            tender = None if begun is None else self._settled(lane, begun)
            if tender is None:
                return LaneSays.NOT_NOW, None
            return (LaneSays.ACCEPTED if tender == "cash" else LaneSays.PAID_BY_PHONE), None
        if arriving is None:
            return LaneSays.NOT_NOW, None
        self._begun[vehicle] = arriving["passage_id"]
        action = OperatorAction(word["word"])
        result = port.order(action, status=status)
        if result["reason"] == "cash_not_begun":
            # The lane was started again with the money in the till.
            port.order(OperatorAction.CASH_BEGIN)
        return said(action, result), arriving["toll_fen"]

    # ---- help ----

    def _look(self, lane: str, site: Mapping[str, Any]) -> None:
        with self._port(lane) as port:
            if port is None:
                return
            status = port.status()
            arriving = status["arriving"]
            if arriving and arriving["awaits_entry"]:
                station = _ticket_at_window(site, lane) or NOBODY_KNOWS
                port.order(OperatorAction.SET_ENTRY, status=status, text=station)
                return
            if not self._helps:
                return
            if arriving and arriving["phase"] == "unsure":
                same = self._is_same(lane, arriving, site)
                if same is not None:
                    action = OperatorAction.SAME_VEHICLE if same else OperatorAction.OTHER_VEHICLE
                    reason = "it has not moved" if same else "the one from before has gone"
                    self._help(port, lane, status, action, reason)
                return
            standing = _at_window(site, lane)
            if arriving and standing is not None:
                self._seen[lane] = (arriving["passage_id"], standing)
            if status["mode"] == "attended_only":
                action = OperatorAction.RESET
                self._help(port, lane, status, action, "looked at the lane")
            elif status["mode"] == "closed":
                self._help(port, lane, status, OperatorAction.OPEN_LANE, "")
            elif arriving and (
                (arriving["phase"] == "held" and arriving["since_ms"] >= HELD_MS)
                or arriving["since_ms"] >= STUCK_MS
            ):
                action = OperatorAction.RAISE
                self._help(port, lane, status, action, "let through by hand")

    def _is_same(
        self, lane: str, arriving: Mapping[str, Any], site: Mapping[str, Any]
    ) -> bool | None:
        """Return whether the vehicle at the window is the one from before the lane was down.

        None: nobody stands there, or nobody saw who stood there.
        """
        standing = _at_window(site, lane)
        if standing is None:
            return None
        plate = _plate_at_window(site, lane)
        if arriving["plate"] and plate == arriving["plate"]:
            return True
        seen = self._seen.get(lane)
        if seen is None or seen[0] != arriving["passage_id"]:
            return None
        return seen[1] == standing

    def _help(
        self,
        port: OperatorPort,
        lane: str,
        status: Mapping[str, Any],
        action: OperatorAction,
        reason: str,
    ) -> None:
        result = port.order(action, status=status, reason=reason)
        self.helped.append((lane, f"{action.value}: {result['outcome']} {result['reason']}"))

    @contextlib.contextmanager
    def _port(self, lane: str) -> Any:
        """Yield the signed-in port of a lane, None where it does not answer now."""
        port = self._ports.get(lane)
        if port is None:
            with contextlib.suppress(PortError):
                port = OperatorPort(self._sockets(lane))
                try:
                    port.hello(self._operator, self._pin)
                except PortError:
                    port.close()
                    raise
                self._ports[lane] = port
        try:
            yield self._ports.get(lane)
        except PortError:
            # The lane went down in the middle of a word: it counts as unanswered.
            gone = self._ports.pop(lane, None)
            if gone is not None:
                with contextlib.suppress(OSError):
                    gone.close()


def said(action: OperatorAction, result: Mapping[str, Any]) -> LaneSays:
    """Return what a command's result means to the attendant."""
    reason = result["reason"]
    if reason in _RETRY:
        return LaneSays.NOT_NOW
    if result["outcome"] == "confirmed":
        return LaneSays.ACCEPTED
    if reason == "phone_paid_give_cash_back":
        return LaneSays.PAID_BY_PHONE
    if reason == "released_already":
        # Of cash_taken: the answer to the first try was lost, the lane has it.
        taken = action is OperatorAction.CASH_TAKEN
        return LaneSays.ACCEPTED if taken else LaneSays.PAID_BY_PHONE
    return LaneSays.NOT_NOW


def _at_window(site: Mapping[str, Any], lane: str) -> int | None:
    for view in site["lanes"][lane]["vehicles"]:
        if view["at_window"]:
            return int(view["vehicle"]["vehicle_id"])
    return None


def _ticket_at_window(site: Mapping[str, Any], lane: str) -> str | None:
    """Return the entry station on the ticket of whoever stands at the window; None: no ticket."""
    for view in site["lanes"][lane]["vehicles"]:
        if view["at_window"]:
            ticket = view.get("ticket")
            return None if ticket is None else str(ticket)
    return None


def _plate_at_window(site: Mapping[str, Any], lane: str) -> str | None:
    for view in site["lanes"][lane]["vehicles"]:
        if view["at_window"] and view["vehicle"]["plate"]:
            return str(view["vehicle"]["plate"]["text"])
    return None
