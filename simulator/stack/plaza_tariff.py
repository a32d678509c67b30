"""Puts a tariff into a plaza's store before the plaza runs: a program of its own, started as a
child, which signs with the plaza's key as the plaza would.

    python -m simulator.stack.plaza_tariff --config plaza.toml --tariff tariff.json
"""

from __future__ import annotations

import argparse
import importlib
import time
from pathlib import Path

from tolling.canonical import from_canonical
from tolling.signed_sets import wrap_tariff
from tolling.tariffs import TariffSet


def main() -> int:
    """Put it. Returns 0; whatever goes wrong is raised and ends this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--tariff", type=Path, required=True)
    options = parser.parse_args()
    config = importlib.import_module("plaza_server.config").load_config(options.config)
    home = options.config.resolve().parent
    parts = importlib.import_module("plaza_server.shell.parts").Parts(config, home)
    stores = importlib.import_module("plaza_server.store")
    units = importlib.import_module("plaza_server.rules.units")
    tariff = from_canonical(TariffSet, options.tariff.read_bytes())
    envelope = wrap_tariff(tariff, key_id=parts.key.key_id, sign=parts.key.sign)
    put = units.PutSet(envelope=envelope, now_ms=time.time_ns() // 1_000_000)
    store = stores.open_store(config.store_url(home))
    try:
        (result,) = stores.commit_group(store.engine, [[put]])
    finally:
        store.close()
    if isinstance(result, Exception):
        raise result
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
