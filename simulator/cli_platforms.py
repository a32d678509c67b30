"""``toll-sim platforms``: the simulated payment platforms alone, on loopback, until told to end."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from simulator.models.alipay import AlipayModel
from simulator.models.alipay_values import AlipayConfig
from simulator.parent import end_with_parent
from simulator.platforms.alipay_http import AlipayHttp
from simulator.platforms.clock import RealClock
from simulator.platforms.keys import KeyFiles, KeyFilesError, make_or_load_keys
from simulator.platforms.server import LOOPBACK, PortTakenError, serving

app = typer.Typer(add_completion=False, help=__doc__)


@app.command("platforms")
def platforms(
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free port.")] = 0,
    keys_dir: Annotated[
        Path | None,
        typer.Option(help="Where key files are kept or made; default: one for this run only."),
    ] = None,
    latency_ms: Annotated[
        int, typer.Option(min=0, max=600_000, help="How long every answer takes.")
    ] = 600,
    jitter_ms: Annotated[
        int, typer.Option(min=0, max=600_000, help="At most so much is added to it.")
    ] = 0,
    seed: Annotated[
        int | None, typer.Option(help="Seed of codes and chance; default: any.")
    ] = None,
    stay: Annotated[
        bool, typer.Option("--stay", help="Outlive the process that started us.")
    ] = False,
) -> None:
    """Serve the simulated Alipay on loopback and print its address, app id and key files."""
    if not stay:
        end_with_parent()
    clock = RealClock()
    config = AlipayConfig(
        wall_base_ns=clock.wall_base_ns(), latency_ms=latency_ms, latency_jitter_ms=jitter_ms
    )
    try:
        with ExitStack() as kept:
            if keys_dir is None:
                # Keys nobody asked to keep go with the platform they belong to.
                made = kept.enter_context(tempfile.TemporaryDirectory(prefix="toll-sim-keys-"))
                keys_dir = Path(made)
            files, keys = make_or_load_keys(keys_dir)
            model = AlipayModel(config=config, keys=keys, rng=random.Random(seed))
            server = AlipayHttp(model=model, clock=clock)
            serve = _serve(server, port=port, app_id=config.app_id, files=files, as_json=as_json)
            asyncio.run(serve)
    except (KeyFilesError, PortTakenError) as error:
        typer.echo(f"toll-sim platforms: {error}", err=True)
        raise typer.Exit(2) from error


async def _serve(
    server: AlipayHttp, *, port: int, app_id: str, files: KeyFiles, as_json: bool
) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with serving(server.application(), port=port) as bound:
        facts = {
            "platform": "alipay",
            "url": f"http://{LOOPBACK}:{bound}/gateway.do",
            "app_id": app_id,
            "app_private_key_file": str(files.app_private.resolve()),
            "alipay_public_key_file": str(files.alipay_public.resolve()),
            "control_url": f"http://{LOOPBACK}:{bound}/_sim",
            "pid": os.getpid(),
        }
        if as_json:
            typer.echo(json.dumps(facts))
        else:
            for name, value in facts.items():
                typer.echo(f"{name:22} {value}")
        await told.wait()


if __name__ == "__main__":
    app()
