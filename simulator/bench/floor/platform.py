"""The bare platform: checks the request's signature, signs an answer, answers at once."""

from __future__ import annotations

from pathlib import Path

import uvloop

from simulator.bench.floor.common import Rsa2, options, serve


def main() -> None:
    """Serve until SIGTERM."""
    given = options()
    keys = Rsa2(Path(given["private"]), Path(given["public"]))

    async def pay(body: bytes) -> bytes:
        asked = keys.open(body)
        return keys.seal({"code": "10000", "number": asked["number"], "amount": asked["amount"]})

    uvloop.run(serve(pay))


if __name__ == "__main__":
    main()
