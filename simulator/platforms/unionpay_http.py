"""The simulated UnionPay gateway on real HTTP: ``/gateway/api/…``, ``/`` for files, control API."""

from __future__ import annotations

from aiohttp import web

from simulator.models.platform_values import IssuedCode
from simulator.models.unionpay import UnionpayModel
from simulator.platforms.clock import Clock
from simulator.platforms.control import CodeRequest, PlatformControl, Shows
from simulator.platforms.http import PlatformHttp


class UnionpayCodeRequest(CodeRequest):
    """Body of POST /_sim/codes."""

    emvco: bool = False


class UnionpayHttp:
    """One model's face as an aiohttp application, control API included."""

    def __init__(self, *, model: UnionpayModel, clock: Clock) -> None:
        self._model = model
        control = PlatformControl(
            model=model,
            clock=clock,
            facts={"platform": "unionpay", "merchant_id": model.config.merchant_id},
            shows=Shows(request=UnionpayCodeRequest, issue=self._issue),
        )
        self._http = PlatformHttp(model=model, clock=clock, routes=control.routes())

    def application(self) -> web.Application:
        """Return the application to serve with ``simulator.platforms.server.serving``."""
        return self._http.application()

    def _issue(self, wanted: UnionpayCodeRequest, now_ns: int) -> IssuedCode:
        return self._model.issue_code(
            wanted.buyer_id,
            now_ns,
            wanted.behaviour,
            after_ms=wanted.after_ms,
            emvco=wanted.emvco,
            ttl_ms=wanted.ttl_ms,
        )
