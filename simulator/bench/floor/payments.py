"""The bare handler: HTTP in, rows durable, RSA sign, HTTP out, verify, rows durable, HTTP back.

No rules, no retries, no leases, no metrics, no second look: what is left is what the hops of one
durable payment cost on this machine.
"""

from __future__ import annotations

import base64
import itertools
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import uvloop

from simulator.bench.floor.common import KEEP_ALIVE_S, Rsa2, options, serve
from simulator.bench.floor.gateway import PAY
from simulator.bench.floor.groups import Groups
from simulator.bench.floor.rows import Payment, payment_of

FEN_PER_YUAN = 100


class BareHandler:
    """Two durable units and one signed call for each payment."""

    def __init__(self, *, rows: Payment, keys: Rsa2, platform_url: str, store: str) -> None:
        self._rows = rows
        self._keys = keys
        self._url = platform_url
        self._store = store
        self._numbers = itertools.count(1)
        self._groups: Groups
        self._session: aiohttp.ClientSession

    async def run(self) -> None:
        """Serve until SIGTERM."""
        self._groups = Groups(self._store)
        connector = aiohttp.TCPConnector(keepalive_timeout=KEEP_ALIVE_S)
        async with aiohttp.ClientSession(connector=connector) as self._session:
            await serve(self._pay)

    async def _pay(self, body: bytes) -> bytes:
        asked = json.loads(body)
        passage, number = asked["passage_id"], next(self._numbers)
        rows = self._rows
        await self._groups.write(rows.commit(rows.before, passage, number))
        request = self._signed(f"{passage}A01", asked)
        async with self._session.post(self._url, data=request) as response:
            self._check(await response.read(), f"{passage}A01")
        await self._groups.write(rows.commit(rows.after, passage, number))
        return json.dumps({"out_trade_no": f"{passage}A01", "state": "paid"}).encode()

    def _signed(self, number: str, asked: dict[str, Any]) -> bytes:
        yuan, fen = divmod(asked["toll_fen"], FEN_PER_YUAN)
        biz = {
            "out_trade_no": number,
            "auth_code": asked["pay_code"],
            "total_amount": f"{yuan}.{fen:02d}",
        }
        pairs = {"method": PAY, "charset": "utf-8", "biz_content": json.dumps(biz)}
        text = "&".join(f"{key}={pairs[key]}" for key in sorted(pairs))
        pairs["sign"] = base64.b64encode(self._keys.sign(text.encode())).decode()
        return urlencode(pairs).encode()

    def _check(self, body: bytes, number: str) -> None:
        name = b'"alipay_trade_pay_response":'
        start = body.index(name) + len(name)
        end = body.rindex(b',"sign":')
        signature = base64.b64decode(json.loads(body)["sign"])
        if not self._keys.is_signed(signature, body[start:end]):
            raise ValueError("bad signature")
        fields = json.loads(body[start:end])
        if (fields["code"], fields["out_trade_no"]) != ("10000", number):
            raise ValueError("an answer to another payment")


async def _main() -> None:
    given = options()
    await BareHandler(
        rows=payment_of(json.loads(Path(given["rows"]).read_text(encoding="utf-8"))),
        keys=Rsa2(Path(given["private"]), Path(given["public"])),
        platform_url=given["platform_url"],
        store=given["store"],
    ).run()


if __name__ == "__main__":
    uvloop.run(_main())
