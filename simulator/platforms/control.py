"""The control API of a simulated platform, ``/_sim/…``: wallets, books, faults, latency. JSON.

It is for testers, drivers' phones and the auditor; the merchant never calls it. Answers are JSON
objects; errors are ``application/problem+json`` with a stable ``code`` and never repeat the input.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulator.models.faults import MAX_ARMED, MAX_MS, Fault, FaultView, PlatformFault
from simulator.models.platform_face import PlatformFace
from simulator.models.platform_values import BillMistake, BuyerBehaviour, IssuedCode
from simulator.platforms.clock import Clock

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Model = TypeVar("_Model", bound=BaseModel)
_CALL_NAMES = r"^(pay|query|cancel|refund|refund_query|certificates|bill|bill_file)$"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CodeRequest(_Strict):
    """Body of POST /_sim/codes; a platform adds what its codes have beside."""

    buyer_id: str = Field(min_length=1, max_length=64)
    behaviour: BuyerBehaviour = BuyerBehaviour.PAYS
    after_ms: int = Field(default=0, ge=0, le=MAX_MS)
    ttl_ms: int | None = Field(default=None, ge=1, le=86_400_000)


_Wanted = TypeVar("_Wanted", bound=CodeRequest)


class FaultRequest(_Strict):
    """Body of POST /_sim/faults; members as in ``simulator.models.faults.Fault``."""

    kind: PlatformFault
    calls: tuple[str, ...] = Field(default=(), max_length=8)
    skip: int = Field(default=0, ge=0)
    times: int | None = Field(default=1, ge=1)
    for_ms: int | None = Field(default=None, ge=1)
    permille: int = Field(default=1000, ge=1, le=1000)
    ms: int = Field(default=0, ge=0, le=MAX_MS)
    fen: int = Field(default=1, ge=1, le=1_000_000)
    sub_code: str = Field(default="", max_length=64, pattern=r"^[A-Za-z0-9._-]*$")
    carried_out: bool = False


class LatencyRequest(_Strict):
    """Body of PUT /_sim/latency."""

    latency_ms: int = Field(ge=0, le=MAX_MS)
    jitter_ms: int = Field(default=0, ge=0, le=MAX_MS)


class BillRequest(_Strict):
    """Body of POST /_sim/bills."""

    day: str | None = Field(default=None, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
    """In Beijing; None: today."""
    mistakes: tuple[BillMistake, ...] = Field(default=(), max_length=32)


WritesBill = Callable[[str | None, int, tuple[BillMistake, ...]], tuple[str, int]]
"""Day, now_ns, mistakes -> the day, and how many rows its bill has. Raises: ValueError."""


class _CallName(_Strict):
    call: str = Field(pattern=_CALL_NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shows(Generic[_Wanted]):
    """How a platform shows a fresh code."""

    request: type[_Wanted]
    issue: Callable[[_Wanted, int], IssuedCode]
    """Wanted, now_ns -> the code."""


class PlatformControl(Generic[_Wanted]):
    """Routes of the control API over one model."""

    def __init__(
        self,
        *,
        model: PlatformFace,
        clock: Clock,
        facts: Mapping[str, object],
        shows: Shows[_Wanted],
        writes_bill: WritesBill | None = None,
    ) -> None:
        """Set up. *facts* (platform, ids of the merchant) are part of the status; without
        *writes_bill* its bills come next day and are right."""
        self._writes_bill = writes_bill
        self._model = model
        self._clock = clock
        self._facts = dict(facts)
        self._shows = shows

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to hang into a server."""
        return [
            web.get("/_sim/status", _guarded(self._status)),
            web.post("/_sim/codes", _guarded(self._issue)),
            web.get("/_sim/trades", _guarded(self._trades)),
            web.get("/_sim/calls", _guarded(self._calls)),
            web.get("/_sim/wallets", _guarded(self._wallets)),
            web.get("/_sim/wallets/{buyer_id}", _guarded(self._wallet)),
            web.get("/_sim/faults", _guarded(self._faults)),
            web.post("/_sim/faults", _guarded(self._inject)),
            web.delete("/_sim/faults", _guarded(self._clear_all)),
            web.delete(r"/_sim/faults/{fault_id:\d+}", _guarded(self._clear)),
            web.put("/_sim/latency", _guarded(self._latency)),
            *([web.post("/_sim/bills", _guarded(self._bill))] if self._writes_bill else []),
            web.route("*", "/_sim{rest:(/.*)?}", _guarded(_nothing_here)),
        ]

    async def _status(self, _: web.Request) -> web.Response:
        latency_ms, jitter_ms = self._model.latency_ms
        now_ns = self._clock.now_ns()
        return web.json_response(
            {
                **self._facts,
                "now_ns": now_ns,
                "wall_base_ns": self._clock.wall_base_ns(),
                "latency_ms": latency_ms,
                "jitter_ms": jitter_ms,
                "trades": len(self._model.books(now_ns)),
            }
        )

    async def _issue(self, request: web.Request) -> web.Response:
        wanted = await _body(request, self._shows.request)
        now_ns = self._clock.now_ns()
        issued = self._shows.issue(wanted, now_ns)
        return web.json_response(
            {
                "code": issued.code,
                "code_no": issued.code_no,
                "buyer_id": issued.buyer_id,
                "expires_in_ms": (issued.expires_at_ns - now_ns) // 1_000_000,
            },
            status=201,
        )

    async def _trades(self, _: web.Request) -> web.Response:
        now_ns = self._clock.now_ns()
        trades = [dataclasses.asdict(view) for view in self._model.books(now_ns)]
        return web.json_response({"now_ns": now_ns, "trades": trades})

    async def _calls(self, _: web.Request) -> web.Response:
        now_ns = self._clock.now_ns()
        self._model.books(now_ns)  # Requests held back until now are noted first.
        calls = [dataclasses.asdict(view) for view in self._model.calls()]
        return web.json_response({"now_ns": now_ns, "calls": calls})

    async def _wallets(self, _: web.Request) -> web.Response:
        now_ns = self._clock.now_ns()
        wallets = [self._wallet_of(buyer, now_ns) for buyer in self._model.buyers()]
        return web.json_response({"now_ns": now_ns, "wallets": wallets})

    async def _wallet(self, request: web.Request) -> web.Response:
        buyer = request.match_info["buyer_id"]
        if buyer not in self._model.buyers():
            raise _Problem(404, "unknown_buyer", "no such buyer has held a code here")
        return web.json_response(self._wallet_of(buyer, self._clock.now_ns()))

    def _wallet_of(self, buyer: str, now_ns: int) -> dict[str, object]:
        charges = self._model.charges_of(buyer, now_ns)
        return {"buyer_id": buyer, "charges": [dataclasses.asdict(charge) for charge in charges]}

    async def _faults(self, _: web.Request) -> web.Response:
        now_ns = self._clock.now_ns()
        views = [_fault_view(view) for view in self._model.faults(now_ns)]
        return web.json_response({"now_ns": now_ns, "faults": views})

    async def _inject(self, request: web.Request) -> web.Response:
        wanted = await _body(request, FaultRequest)
        for call in wanted.calls:
            _checked(_CallName, {"call": call})
        now_ns = self._clock.now_ns()
        if sum(view.armed for view in self._model.faults(now_ns)) >= MAX_ARMED:
            raise _Problem(409, "too_many_faults", f"{MAX_ARMED} faults are armed: clear some")
        fault_id = self._model.inject(Fault(**wanted.model_dump()), now_ns)
        return web.json_response({"fault_id": fault_id}, status=201)

    async def _clear_all(self, _: web.Request) -> web.Response:
        self._model.clear_fault()
        return web.json_response({"cleared": True})

    async def _clear(self, request: web.Request) -> web.Response:
        if not self._model.clear_fault(int(request.match_info["fault_id"])):
            raise _Problem(404, "unknown_fault", "no fault has this number")
        return web.json_response({"cleared": True})

    async def _bill(self, request: web.Request) -> web.Response:
        wanted = await _body(request, BillRequest)
        assert self._writes_bill is not None, "the route is there with it alone"
        try:
            day, rows = self._writes_bill(wanted.day, self._clock.now_ns(), wanted.mistakes)
        except ValueError as error:
            raise _Problem(409, "no_such_bill", str(error)) from error
        return web.json_response({"day": day, "rows": rows}, status=201)

    async def _latency(self, request: web.Request) -> web.Response:
        wanted = await _body(request, LatencyRequest)
        self._model.set_latency_ms(wanted.latency_ms, wanted.jitter_ms)
        return web.json_response(wanted.model_dump())


class _Problem(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


def _guarded(handler: _Handler) -> _Handler:
    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except _Problem as problem:
            body = {"code": problem.code, "title": problem.code, "detail": problem.detail}
            return web.json_response(
                {"status": problem.status, **body},
                status=problem.status,
                content_type="application/problem+json",
            )

    return guarded


async def _nothing_here(_: web.Request) -> web.StreamResponse:
    raise _Problem(404, "unknown_path", "no such control call; see the list of /_sim calls")


async def _body(request: web.Request, kind: type[_Model]) -> _Model:
    try:
        data = json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise _Problem(400, "bad_json", "the body is no JSON") from error
    return _checked(kind, data)


def _checked(kind: type[_Model], data: object) -> _Model:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise _Problem(422, "bad_field", f"{where[:64]}: {first['msg']}") from error


def _fault_view(view: FaultView) -> dict[str, object]:
    fault = dataclasses.asdict(view.fault)
    counts = {"armed": view.armed, "seen": view.seen, "fired": view.fired}
    return {"fault_id": view.fault_id, **fault, **counts}
