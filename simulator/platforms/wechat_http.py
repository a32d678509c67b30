"""The simulated WeChat Pay on real HTTP: ``/v3/…`` and its control API."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from simulator.models.platform_values import IssuedCode
from simulator.models.wechat import WechatModel
from simulator.platforms.clock import Clock
from simulator.platforms.control import CodeRequest, PlatformControl, Shows
from simulator.platforms.http import PlatformHttp


class WechatCodeRequest(CodeRequest):
    """Body of POST /_sim/codes."""

    prefix: int = Field(default=13, ge=10, le=15)


class WechatHttp:
    """One model's face as an aiohttp application, control API included."""

    def __init__(self, *, model: WechatModel, clock: Clock) -> None:
        self._model = model
        config = model.config
        control = PlatformControl(
            model=model,
            clock=clock,
            facts={"platform": "wechat", "mchid": config.merchant_id, "appid": config.app_id},
            shows=Shows(request=WechatCodeRequest, issue=self._issue),
        )
        self._http = PlatformHttp(model=model, clock=clock, routes=control.routes())

    def application(self) -> web.Application:
        """Return the application to serve with ``simulator.platforms.server.serving``."""
        return self._http.application()

    def _issue(self, wanted: WechatCodeRequest, now_ns: int) -> IssuedCode:
        return self._model.issue_code(
            wanted.buyer_id,
            now_ns,
            wanted.behaviour,
            after_ms=wanted.after_ms,
            prefix=wanted.prefix,
            ttl_ms=wanted.ttl_ms,
        )
