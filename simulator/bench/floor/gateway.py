"""The bare gateway: Alipay's form in, its signature checked, a signed answer at once.

One program for both sides of the payments bench, so neither has the cheaper platform. It keeps what
it took by number, because the real plaza asks again; it refuses nothing. An empty body asks how
many calls of each kind it has answered: every one was signed twice, there and back.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import parse_qsl

import uvloop

from simulator.bench.floor.common import Rsa2, options, serve

PAY = "alipay.trade.pay"
QUERY = "alipay.trade.query"
ASKED_AGAIN = "orders asked about"
"""Of the counts: orders that were queried, however often."""
PAID_AT = "2026-11-22 10:30:06"


class BareGateway:
    """Amounts by number, and two calls."""

    def __init__(self, keys: Rsa2) -> None:
        self._keys = keys
        self._amounts: dict[str, str] = {}
        self._calls = {PAY: 0, QUERY: 0, ASKED_AGAIN: 0}
        self._asked_again: set[str] = set()

    async def answer(self, body: bytes) -> bytes:
        """Return the signed answer to a signed form. Raises: ValueError: another key signed it."""
        if not body:
            return json.dumps(self._calls).encode()
        form = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True))
        signature = base64.b64decode(form.pop("sign"))
        text = "&".join(f"{key}={form[key]}" for key in sorted(form) if form[key])
        if not self._keys.is_signed(signature, text.encode()):
            raise ValueError("bad signature")
        self._calls[form["method"]] += 1
        node = json.dumps(self._node(form["method"], json.loads(form["biz_content"])))
        sign = base64.b64encode(self._keys.sign(node.encode())).decode()
        name = form["method"].replace(".", "_")
        return f'{{"{name}_response":{node},"sign":"{sign}"}}'.encode()

    def _node(self, method: str, biz: dict[str, str]) -> dict[str, str]:
        number = biz["out_trade_no"]
        if method == PAY:
            self._amounts[number] = biz["total_amount"]
        elif number in self._amounts and number not in self._asked_again:
            self._asked_again.add(number)
            self._calls[ASKED_AGAIN] += 1
        amount = self._amounts.get(number)
        if amount is None:
            return {"code": "40004", "msg": "Business Failed", "sub_code": "ACQ.TRADE_NOT_EXIST"}
        return {
            "code": "10000",
            "msg": "Success",
            "out_trade_no": number,
            "trade_no": f"20261122{number}",
            "total_amount": amount,
            "gmt_payment": PAID_AT,
            "send_pay_date": PAID_AT,
            "trade_status": "TRADE_SUCCESS",
        }


def main() -> None:
    """Serve until SIGTERM."""
    given = options()
    gateway = BareGateway(Rsa2(Path(given["private"]), Path(given["public"])))
    uvloop.run(serve(gateway.answer))


if __name__ == "__main__":
    main()
