"""The simulated Alipay on real HTTP: ``GET`` and ``POST /gateway.do``, bills, control API."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from simulator.models.alipay import AlipayModel
from simulator.models.platform_values import IssuedCode
from simulator.platforms.clock import Clock
from simulator.platforms.control import CodeRequest, PlatformControl, Shows
from simulator.platforms.http import PlatformHttp


class AlipayCodeRequest(CodeRequest):
    """Body of POST /_sim/codes."""

    prefix: int = Field(default=28, ge=25, le=30)
    length: int = Field(default=18, ge=16, le=24)


class AlipayHttp:
    """One model's face as an aiohttp application, control API included."""

    def __init__(self, *, model: AlipayModel, clock: Clock) -> None:
        self._model = model
        control = PlatformControl(
            model=model,
            clock=clock,
            facts={"platform": "alipay", "app_id": model.config.app_id},
            shows=Shows(request=AlipayCodeRequest, issue=self._issue),
            writes_bill=model.write_bill,
        )
        self._http = PlatformHttp(model=model, clock=clock, routes=control.routes())

    def application(self) -> web.Application:
        """Return the application to serve with ``simulator.platforms.server.serving``."""
        return self._http.application()

    def _issue(self, wanted: AlipayCodeRequest, now_ns: int) -> IssuedCode:
        return self._model.issue_code(
            wanted.buyer_id,
            now_ns,
            wanted.behaviour,
            after_ms=wanted.after_ms,
            prefix=wanted.prefix,
            length=wanted.length,
            ttl_ms=wanted.ttl_ms,
        )
