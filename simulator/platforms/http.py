"""A platform's byte face on real HTTP: any path goes to the model, ``/_sim`` to its control API."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from simulator.models.platform_face import PlatformFace
from simulator.models.platform_wire import MAX_BODY_BYTES, HttpRequest, Reply
from simulator.platforms.clock import Clock

_FRAMING = "content-length"


class PlatformHttp:
    """One model's face as an aiohttp application, control API included."""

    def __init__(
        self, *, model: PlatformFace, clock: Clock, routes: Iterable[web.RouteDef]
    ) -> None:
        self._model = model
        self._clock = clock
        self._routes = tuple(routes)

    def application(self) -> web.Application:
        """Return the application to serve with ``simulator.platforms.server.serving``."""
        app = web.Application(client_max_size=MAX_BODY_BYTES + 1)
        app.add_routes(self._routes)
        app.router.add_route("*", "/{rest:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        # The raw target: a decoded and re-encoded query would hide how the merchant wrote it.
        path, _, query = _origin_form(request.raw_path).partition("?")
        asked = HttpRequest(
            method=request.method,
            path=path,
            query=query.encode("ascii", "replace"),
            headers=tuple(request.headers.items()),
            body=body,
        )
        reply = self._model.handle(asked, self._clock.now_ns())
        await self._clock.sleep_ns(reply.delay_ns)
        if reply.dropped:
            return await _break_off(request, reply)
        headers = [pair for pair in reply.headers if pair[0].lower() != _FRAMING]
        return web.Response(status=reply.status, headers=dict(headers), body=reply.body)


def _origin_form(target: str) -> str:
    """Return a target without scheme and host: some clients write the whole address there, and
    every server has to take it (RFC 9112, 3.2.2)."""
    for scheme in ("http://", "https://"):
        if target.startswith(scheme):
            _, slash, rest = target.removeprefix(scheme).partition("/")
            return slash + rest
    return target


async def _break_off(request: web.Request, reply: Reply) -> web.StreamResponse:
    """Write what the reply still lets through, then break the connection without a goodbye."""
    response = web.StreamResponse(status=reply.status or 200, headers=dict(reply.headers))
    try:
        if reply.body:
            await response.prepare(request)
            await response.write(reply.body)
    except ConnectionError:
        return response  # The caller hung up first.
    transport = request.transport
    if transport is not None:
        if reply.body:
            # An orderly close flushes the half answer; an abort might throw it away.
            transport.close()
        else:
            transport.abort()
    return response
