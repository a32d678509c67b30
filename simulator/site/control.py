"""The site's control API, JSON on loopback: vehicles, traffic, faults, booms, and all the truth.

It is for testers, the bench page, the demo and the auditor. Errors are problem+json with a stable
``code`` and never repeat the input.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Annotated, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from simulator.models.camera import colour_of
from simulator.models.device_faults import MAX_MS, DeviceFault, DeviceTrouble
from simulator.people import BEHAVIOURS, EVERYDAY_MIX, Behaviour, LaneSays
from simulator.plant import Heading
from simulator.site.lane_site import LaneSite
from simulator.site.site import Site
from simulator.site.traffic import VEHICLES_MAX, TrafficOrder
from simulator.site.views import as_json
from tolling.devices import Device
from tolling.ids import LaneId
from tolling.messages import EntryFound
from tolling.paycodes import Wallet
from tolling.tariffs import EntrySource
from tolling.vehicles import Plate, VehicleClass, parse_plate

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Model = TypeVar("_Model", bound=BaseModel)
WAIT_MS_MAX = 30_000
LOG_PAGE_MAX = 10_000
BODY_MAX = 64 * 1024


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


_Lane = Annotated[str, Field(pattern=r"^[0-9]{3}$")]
_Shares = dict[str, Annotated[int, Field(ge=0, le=1_000_000)]]


class EntryBody(_Strict):
    """What an ETC tag and the entry ticket know of the entry."""

    station: Annotated[str, Field(min_length=1, max_length=32)]
    entered_ms: Annotated[int, Field(ge=0, le=2**53)]
    vehicle_class: VehicleClass = VehicleClass.CAR_1


class VehicleBody(_Strict):
    """Body of POST /vehicles."""

    lane: _Lane
    behaviour: str = "phone_ok"
    changes: dict[str, bool | int | str | None] = Field(default_factory=dict)
    """Members of the behaviour that differ from the usual one of its name."""
    vehicle_class: VehicleClass = VehicleClass.CAR_1
    plate: Annotated[str, Field(max_length=16)] | None = None
    no_plate: bool = False
    entry: EntryBody | None = None
    tag_balance_fen: Annotated[int, Field(ge=0, le=10_000_000)] | None = None
    wallet: Wallet | None = None
    coupon: Annotated[str, Field(pattern=r"^TLC1[A-Z2-7]{28}$")] | None = None
    """The text of the coupon on the driver's phone, where his kind has one."""


class TrafficBody(_Strict):
    """Body of POST /traffic."""

    vehicles: Annotated[int, Field(ge=1, le=VEHICLES_MAX)]
    lanes: tuple[_Lane, ...] | None = None
    spacing_ms: Annotated[int, Field(ge=0, le=3_600_000)] = 0
    mix: _Shares = Field(default_factory=lambda: dict(EVERYDAY_MIX))
    classes: dict[VehicleClass, Annotated[int, Field(ge=0, le=1_000_000)]] = Field(
        default_factory=lambda: {VehicleClass.CAR_1: 1}
    )


class FaultBody(_Strict):
    """Body of POST /faults."""

    lane: _Lane
    device: Device
    kind: DeviceFault
    where: Annotated[str, Field(max_length=32)] = ""
    skip: Annotated[int, Field(ge=0)] = 0
    times: Annotated[int, Field(ge=1)] | None = None
    for_ms: Annotated[int, Field(ge=1)] | None = None
    ms: Annotated[int, Field(ge=0, le=MAX_MS)] = 0


class BoomBody(_Strict):
    """Body of POST /lanes/{lane}/boom."""

    action: Literal[
        "power_off", "power_on", "jam", "unjam", "hand_up", "hand_down", "hand_stop", "times"
    ]
    at_mdeg: Annotated[int, Field(ge=0, le=90_000)] | None = None
    raise_ms: Annotated[int, Field(ge=300, le=10_000)] = 900
    lower_ms: Annotated[int, Field(ge=300, le=10_000)] = 1_200


class CameraBody(_Strict):
    """Body of PUT /lanes/{lane}/camera."""

    url: Annotated[str, Field(pattern=r"^http://(127\.0\.0\.1|localhost|\[::1\]):\d{1,5}/\S*$")]


class DeskBody(_Strict):
    """Body of POST /desk/{word_id}."""

    says: LaneSays
    toll_fen: Annotated[int, Field(ge=0, le=10_000_000)] | None = None


class ProblemError(Exception):
    """A request is answered by an error."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


class Control:
    """The API over one site."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def application(self) -> web.Application:
        """Return the application to serve on loopback."""
        app = web.Application(client_max_size=BODY_MAX)
        routes = (
            ("GET", "/status", self._status),
            ("GET", "/behaviours", self._behaviours),
            ("POST", "/vehicles", self._spawn),
            ("POST", "/traffic", self._traffic),
            ("DELETE", "/traffic", self._stop_traffic),
            ("GET", "/faults", self._faults),
            ("POST", "/faults", self._inject),
            ("DELETE", r"/faults/{lane:\d{3}}/{device}", self._clear),
            ("DELETE", r"/faults/{lane:\d{3}}/{device}/{fault_id:\d+}", self._clear),
            ("POST", r"/lanes/{lane:\d{3}}/boom", self._boom),
            ("PUT", r"/lanes/{lane:\d{3}}/camera", self._camera),
            ("GET", "/log", self._log),
            ("GET", "/memories", self._memories),
            ("GET", "/timings", self._timings),
            ("GET", "/codes", self._codes),
            ("GET", r"/lanes/{lane:\d{3}}/etc", self._etc),
            ("GET", "/desk", self._desk),
            ("POST", r"/desk/{word_id:\d+}", self._answer),
        )
        for method, path, handler in routes:
            app.router.add_route(method, path, _guarded(handler))
        app.router.add_route("*", "/{rest:.*}", _guarded(_nothing_here))
        return app

    # -- looking ----------------------------------------------------------------------------------

    async def _status(self, _: web.Request) -> web.StreamResponse:
        return _json(self._site.status())

    async def _behaviours(self, _: web.Request) -> web.StreamResponse:
        return _json({"behaviours": as_json(tuple(BEHAVIOURS.values()))})

    async def _log(self, request: web.Request) -> web.StreamResponse:
        first = _number(request, "from", 0, 2**31)
        entries = self._site.road.plant.log_from(first)[:LOG_PAGE_MAX]
        return _json({"from": first, "next": first + len(entries), "entries": as_json(entries)})

    async def _memories(self, _: web.Request) -> web.StreamResponse:
        memories = self._site.crowd.memories()
        return _json({"memories": [{**as_json(one), "paid_fen": one.paid_fen} for one in memories]})

    async def _timings(self, _: web.Request) -> web.StreamResponse:
        return _json(
            {
                "timings": [
                    {
                        **as_json(one),
                        "scan_to_raise_us": one.scan_to_raise_us,
                        "scan_to_boom_up_us": one.scan_to_boom_up_us,
                    }
                    for one in self._site.timings.all
                ]
            }
        )

    async def _codes(self, _: web.Request) -> web.StreamResponse:
        """Tell every pay code of the run: whoever audits it looks for them in every file."""
        phones = self._site.phones
        return _json({"codes": phones.issued, "borrowed": sorted(phones.borrowed)})

    async def _etc(self, request: web.Request) -> web.StreamResponse:
        model = self._lane(request).etc.model
        return _json({"charges": as_json(model.books), "present": as_json(model.present)})

    # -- vehicles ---------------------------------------------------------------------------------

    async def _spawn(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request, VehicleBody)
        lane = self._known_lane(body.lane)
        if body.behaviour not in BEHAVIOURS:
            raise ProblemError(422, "unknown_behaviour", "see GET /behaviours")
        behaviour = _changed(BEHAVIOURS[body.behaviour], body.changes)
        if body.wallet is not None and not self._site.config.takes(body.wallet):
            raise ProblemError(422, "no_such_wallet", "no platform here takes that wallet's codes")
        plate: Plate | None = None
        if body.plate is not None:
            typed = parse_plate(body.plate)
            if typed is None:
                raise ProblemError(422, "not_a_plate", "plate is no mainland plate")
            plate = Plate(text=typed.text, colour=colour_of(typed.text))
        entry = None
        if body.entry is not None:
            entry = EntryFound(
                entry_station=body.entry.station,
                entered_ms=body.entry.entered_ms,
                vehicle_class=body.entry.vehicle_class,
                source=EntrySource.MEDIUM,
            )
        number = self._site.dispatcher.spawn(
            lane,
            behaviour=behaviour,
            vehicle_class=body.vehicle_class,
            plate=plate,
            no_plate=body.no_plate,
            entry=entry,
            tag_balance_fen=body.tag_balance_fen,
            wallet=body.wallet,
            coupon=body.coupon,
        )
        return _json({"vehicle_id": int(number)}, status=201)

    async def _traffic(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request, TrafficBody)
        unknown = sorted(set(body.mix) - set(BEHAVIOURS))
        if unknown or not sum(body.mix.values()) or not sum(body.classes.values()):
            raise ProblemError(422, "bad_mix", "mix and classes need shares of known kinds")
        names = body.lanes or tuple(str(lane) for lane in self._site.lanes)
        order = TrafficOrder(
            vehicles=body.vehicles,
            lanes=tuple(self._known_lane(name) for name in names),
            spacing_ms=body.spacing_ms,
            mix=body.mix,
            classes=body.classes,
        )
        self._site.dispatcher.order(order)
        return _json({"waiting": self._site.dispatcher.waiting}, status=202)

    async def _stop_traffic(self, _: web.Request) -> web.StreamResponse:
        self._site.dispatcher.cancel()
        return _json({"waiting": 0})

    # -- faults and booms -------------------------------------------------------------------------

    async def _faults(self, _: web.Request) -> web.StreamResponse:
        return _json({str(lane): as_json(site.faults()) for lane, site in self._site.lanes.items()})

    async def _inject(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request, FaultBody)
        site = self._site.lanes[self._known_lane(body.lane)]
        try:
            trouble = DeviceTrouble(
                kind=body.kind,
                where=body.where,
                skip=body.skip,
                times=body.times,
                for_ms=body.for_ms,
                ms=body.ms,
            )
        except AssertionError as error:
            raise ProblemError(422, "bad_value", str(error)) from error
        try:
            fault_id = site.inject(body.device, trouble)
        except ValueError as error:
            raise ProblemError(422, "no_such_fault", str(error)) from error
        self._site.road.touched()
        return _json({"fault_id": fault_id}, status=201)

    async def _clear(self, request: web.Request) -> web.StreamResponse:
        site = self._lane(request)
        name = request.match_info["device"]
        if name not in list(Device):
            raise ProblemError(404, "no_such_device", "no such device")
        text = request.match_info.get("fault_id")
        if not site.clear(Device(name), None if text is None else int(text)):
            raise ProblemError(404, "no_such_fault", "no fault with this number")
        self._site.road.touched()
        return _json({"cleared": True})

    async def _boom(self, request: web.Request) -> web.StreamResponse:
        lane = self._lane(request).lane
        body = await _body(request, BoomBody)
        plant, now_us = self._site.road.plant, self._site.road.now_us()
        moved = True
        if body.action in ("power_off", "power_on"):
            plant.boom_power(lane, body.action == "power_on", now_us)
        elif body.action == "jam":
            plant.boom_jam(lane, now_us, at_mdeg=body.at_mdeg)
        elif body.action == "unjam":
            plant.boom_unjam(lane, now_us)
        elif body.action == "times":
            plant.boom_times(
                lane, now_us, raise_us=body.raise_ms * 1_000, lower_us=body.lower_ms * 1_000
            )
        else:
            heading = Heading(body.action.removeprefix("hand_").replace("stop", "still"))
            moved = plant.boom_by_hand(lane, heading, now_us)
        self._site.road.touched()
        return _json({"done": moved})

    async def _camera(self, request: web.Request) -> web.StreamResponse:
        site = self._lane(request)
        body = await _body(request, CameraBody)
        site.camera.url = body.url
        return _json({"camera_target": body.url})

    # -- the cash desk ----------------------------------------------------------------------------

    async def _desk(self, request: web.Request) -> web.StreamResponse:
        wait_ms = _number(request, "wait_ms", 0, WAIT_MS_MAX)
        after = _number(request, "after", 0, 2**31)
        words = await self._site.desk.wait_words(wait_ms / 1_000, after=after)
        return _json({"words": as_json(words)})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request, DeskBody)
        word_id = int(request.match_info["word_id"])
        if not self._site.desk.answer(word_id, body.says, body.toll_fen):
            raise ProblemError(404, "no_such_word", "no such word waits for an answer")
        return _json({"answered": True})

    # -- inside -----------------------------------------------------------------------------------

    def _known_lane(self, name: str) -> LaneId:
        lane = LaneId(name)
        if lane not in self._site.lanes:
            raise ProblemError(404, "no_such_lane", "no such lane at this site")
        return lane

    def _lane(self, request: web.Request) -> LaneSite:
        return self._site.lanes[self._known_lane(request.match_info["lane"])]


_BEHAVIOUR = TypeAdapter(Behaviour)


def _changed(usual: Behaviour, changes: Mapping[str, object]) -> Behaviour:
    """Return a behaviour with changes. Raises: ProblemError: a driver cannot be like that."""
    members = asdict(usual)
    if not changes.keys() <= members.keys():
        raise ProblemError(422, "bad_behaviour", "changes: see the members in GET /behaviours")
    try:
        return _BEHAVIOUR.validate_python({**members, **changes})
    except (ValidationError, AssertionError) as error:
        detail = "changes: not what such a member can be; see GET /behaviours"
        raise ProblemError(422, "bad_behaviour", detail) from error


def _json(value: object, *, status: int = 200) -> web.Response:
    return web.json_response(value, status=status)


def _number(request: web.Request, name: str, usual: int, most: int) -> int:
    text = request.query.get(name)
    if text is None:
        return usual
    if not text.isascii() or not text.isdigit() or int(text) > most:
        raise ProblemError(422, "bad_number", f"{name} is no number 0..{most}")
    return int(text)


async def _body(request: web.Request, kind: type[_Model]) -> _Model:
    try:
        return kind.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "body"
        raise ProblemError(422, "bad_body", f"{key}: {first['msg']}") from None


def _guarded(handler: _Handler) -> _Handler:
    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ProblemError as problem:
            body = {"code": problem.code, "status": problem.status, "detail": problem.detail}
            return web.Response(
                status=problem.status,
                text=json.dumps(body),
                content_type="application/problem+json",
            )

    return guarded


async def _nothing_here(_: web.Request) -> web.StreamResponse:
    raise ProblemError(404, "not_found", "no such call; see docs/simulator.md")
